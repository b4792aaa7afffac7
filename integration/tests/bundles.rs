//! What the bundle server may serve by mistake or malice: the bundle in force stays, a metric and one
//! log line say why.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use partywall_integration::access_log::Hop;
use partywall_integration::cli;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::ports::local;
use partywall_integration::raw::Request;
use partywall_integration::site::{FIRST_REVISION, MESH as MESH_ID, compile, new_keys, tenancy};
use partywall_integration::wait;

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("bundles")).unwrap());
/// One file is served, so one test at a time.
static TURN: Mutex<()> = Mutex::new(());
/// A bundle is asked for every three seconds.
const SOON: Duration = Duration::from_secs(10);

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn refusals(reason: &str) -> Vec<f64> {
    let labels = [("kind", "bundle"), ("reason", reason)];
    let envoys = [&MESH.edge, &MESH.invoices, &MESH.orders];
    envoys.iter().map(|envoy| envoy.metric("partywall_bundle_refused_total", &labels).unwrap()).collect()
}

fn log_lines(reason: &str) -> usize {
    MESH.edge.errors().lines().filter(|line| line.contains(&format!("bundle refused ({reason})"))).count()
}

fn revision_in_force() -> String {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    let answer = MESH.ask(&request).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    let id = answer.header("x-request-id").unwrap().to_owned();
    MESH.line(|line| line.hop == Hop::Edge && line.field("request_id") == id).unwrap().field("revision")
}

/// Serves `bytes` until every Envoy has refused them for `reason`, then for as long as `longer`, then what
/// was served before.
fn assert_refused_for(longer: Duration, files: &Files, reason: &str) {
    let served = AUDIENCES.map(|audience| MESH.site.bundles().join(file(audience)));
    let before = served.clone().map(|path| fs::read(path).unwrap());
    let (revision, counted, logged) = (revision_in_force(), refusals(reason), log_lines(reason));
    served.iter().zip(files).for_each(|(path, bytes)| put(path, bytes));
    let all = wait::until(SOON, || {
        let refused = refusals(reason).iter().zip(&counted).all(|(now, then)| now > then);
        (refused && log_lines(reason) > 0).then_some(())
    });
    std::thread::sleep(longer);
    let after = revision_in_force();
    let told = log_lines(reason) - logged;
    served.iter().zip(&before).for_each(|(path, bytes)| put(path, bytes));
    assert!(all.is_some(), "{reason}: counted {:?}, before {counted:?}", refusals(reason));
    assert_eq!(after, revision, "the bundle in force stays");
    // None, where the same refusal was told before and no good file was fetched in between.
    assert!(told <= 1, "{told} log lines of one Envoy");
}

fn assert_refused(files: &Files, reason: &str) {
    assert_refused_for(Duration::ZERO, files, reason);
}

/// As a careful publisher would: never a half-written file.
fn put(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

fn compiled(directory: &str, tenancy: &Path, keys: &Path, revision: u64) -> Files {
    let out = MESH.site.directory.join(directory);
    fs::create_dir_all(&out).unwrap();
    compile(tenancy, keys, &out, Some(revision)).unwrap();
    files(&out)
}

/// The slices that run here.
const AUDIENCES: [&str; 2] = ["edge", "workload"];

/// One file for each of them.
type Files = [Vec<u8>; 2];

fn file(audience: &str) -> String {
    format!("tenancy.{audience}.bundle")
}

fn files(folder: &Path) -> Files {
    AUDIENCES.map(|audience| fs::read(folder.join(file(audience))).unwrap())
}

/// The sample tenancy directory with one text replaced in `mesh.yaml`.
fn tenancy_with(name: &str, from: &str, to: &str) -> PathBuf {
    let copy = MESH.site.directory.join(name);
    copy_tree(&tenancy(), &copy);
    let mesh = fs::read_to_string(copy.join("mesh.yaml")).unwrap();
    assert!(mesh.contains(from));
    fs::write(copy.join("mesh.yaml"), mesh.replace(from, to)).unwrap();
    copy
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
fn a_bundle_signed_with_another_key_is_refused() {
    let _turn = turn();
    let keys = MESH.site.directory.join("other-keys");
    new_keys(&keys).unwrap();
    MESH.site.issuers.write_key_sets(&keys).unwrap();
    assert_refused(&compiled("signed-by-another", &tenancy(), &keys, FIRST_REVISION + 10), "bad_signature");
}

#[test]
fn a_bundle_changed_after_signing_is_refused() {
    let _turn = turn();
    let changed = compiled("changed", &tenancy(), &MESH.site.keys(), FIRST_REVISION + 11).map(|mut bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    });
    assert_refused(&changed, "bad_signature");
}

#[test]
fn a_bundle_of_another_mesh_is_refused() {
    let _turn = turn();
    let other = tenancy_with("tenancy-other-mesh", MESH_ID, "00000000-0000-4000-8000-000000000001");
    assert_refused(&compiled("other-mesh", &other, &MESH.site.keys(), FIRST_REVISION + 12), "other_mesh");
}

#[test]
fn an_older_revision_is_refused() {
    let _turn = turn();
    assert_refused(&compiled("older", &tenancy(), &MESH.site.keys(), FIRST_REVISION - 2), "older");
}

#[test]
fn the_same_revision_with_other_contents_is_refused() {
    let _turn = turn();
    let other = tenancy_with("tenancy-changed", "stale_after: 5m", "stale_after: 4m");
    let revision = revision_in_force().parse().unwrap();
    let bytes = compiled("same-number", &other, &MESH.site.keys(), revision);
    assert_refused(&bytes, "same_number_other_content");
}

#[test]
fn garbage_is_refused_and_told_once_however_often_it_is_fetched() {
    let _turn = turn();
    let several_fetches = Duration::from_secs(7);
    let garbage = b"<html><body>404 page not found</body></html>".to_vec();
    assert_refused_for(several_fetches, &[garbage.clone(), garbage], "garbage");
}

#[test]
fn an_overlay_where_the_bundle_belongs_is_refused() {
    let _turn = turn();
    let overlay = MESH.bundle_server("/tenancy.overlay").unwrap().body;
    assert_refused(&[overlay.clone(), overlay], "wrong_kind");
}

#[test]
fn a_slice_for_others_is_refused() {
    let _turn = turn();
    let [edge, workload] = compiled("swapped", &tenancy(), &MESH.site.keys(), FIRST_REVISION + 13);
    assert_refused(&[workload, edge], "wrong_audience");
}

#[test]
fn a_newer_revision_comes_into_force_everywhere_without_a_restart() {
    let _turn = turn();
    let newer = revision_in_force().parse::<u64>().unwrap() + 1;
    compile(&tenancy(), &MESH.site.keys(), &MESH.site.bundles(), Some(newer)).unwrap();
    assert_in_force_everywhere(newer, SOON);
}

#[test]
fn a_bundle_from_the_future_comes_into_force_by_itself_once_its_time_has_come() {
    let _turn = turn();
    let before = revision_in_force();
    let newer = before.parse::<u64>().unwrap() + 1;
    let out = MESH.site.directory.join("from-the-future");
    // Clocks may differ by 30 s, so it is refused for ten seconds and more.
    let issued = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 42;
    let (directory, keys) = (tenancy(), MESH.site.keys());
    cli::run(&[
        "compile",
        cli::text(&directory).unwrap(),
        "--keys",
        cli::text(&keys).unwrap(),
        "--out",
        cli::text(&out).unwrap(),
        "--revision",
        &newer.to_string(),
        "--issued",
        &issued.to_string(),
    ])
    .unwrap();
    let counted = refusals("from_the_future");
    for (audience, bytes) in AUDIENCES.into_iter().zip(&files(&out)) {
        put(&MESH.site.bundles().join(file(audience)), bytes);
    }
    let all = || refusals("from_the_future").iter().zip(&counted).all(|(now, then)| now > then).then_some(());
    wait::until(SOON, all).expect("refused everywhere at first");
    assert_eq!(revision_in_force(), before);
    // Whoever asks with the ETag of what it refused would never see it again.
    let etag = MESH.bundle_server("/tenancy.edge.bundle").unwrap().header("etag").unwrap().to_owned();
    let again = Request::get("/tenancy.edge.bundle").header("host", "bundles").header("if-none-match", etag);
    assert_eq!(again.send(local(MESH.site.ports.bundles)).unwrap().status, 304);
    assert_in_force_everywhere(newer, Duration::from_secs(12) + SOON);
}

fn assert_in_force_everywhere(newer: u64, limit: Duration) {
    let envoys = [&MESH.edge, &MESH.invoices, &MESH.orders];
    wait::until(limit, || {
        envoys.iter().all(|e| e.metric("partywall_bundle_revision", &[]).unwrap() >= newer as f64).then_some(())
    })
    .expect("the newer revision");
    // One worker fetched it; the others adopt it within 200 ms.
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..8 {
        assert_eq!(revision_in_force(), newer.to_string());
    }
}
