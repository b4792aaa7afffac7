//! A bundle server that gives overlays as they are and keeps the newest bundle back: told at once, stale after a
//! while, and after a restart nobody is served.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request as Incoming, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as Answer};
use partywall_integration::access_log::Hop;
use partywall_integration::envoy::Envoy;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, SIDECAR};
use partywall_integration::ports::{free, local};
use partywall_integration::raw::{Request, Response};
use partywall_integration::site::{FIRST_REVISION, compile, tenancy};
use partywall_integration::variant::copy;
use partywall_integration::wait;

/// What is kept back: these files are given instead.
type Held = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

const STALE_AFTER: Duration = Duration::from_secs(30);
/// An overlay is signed every 15 s and asked for each second.
const NAMED: Duration = Duration::from_secs(20);

fn ask(mesh: &Mesh) -> (u16, String) {
    let token = accountant(Acme, "acme");
    let request = mesh.client("GET", "acme", "/tenants/acme/invoices", &token).unwrap();
    let Ok(answer) = mesh.ask(&request) else { return (0, String::new()) };
    let Some(id) = answer.header("x-request-id").map(str::to_owned) else { return (answer.status, String::new()) };
    let line = mesh.line(|line| line.hop == Hop::Edge && line.field("request_id") == id);
    (answer.status, line.unwrap().field("reason"))
}

fn until(mesh: &Mesh, limit: Duration, status: u16, reason: &str) {
    let mut last = (0, String::new());
    let found = wait::until(limit, || {
        last = ask(mesh);
        (last.0 == status && last.1 == reason).then_some(())
    });
    assert!(found.is_some(), "not {status} {reason} but {last:?}\n{}", mesh.edge.errors());
}

fn behind(mesh: &Mesh) -> f64 {
    mesh.edge.metric("partywall_bundle_behind", &[]).unwrap()
}

fn hold(mesh: &Mesh, held: &Held) {
    let name = "tenancy.edge.bundle";
    let bytes = fs::read(mesh.site.bundles().join(name)).unwrap();
    held.lock().unwrap().insert(format!("/{name}"), bytes);
}

fn publish(mesh: &Mesh, tenancy: &Path, revision: u64) {
    compile(tenancy, &mesh.site.keys(), &mesh.site.bundles(), Some(revision)).unwrap();
}

/// Envoy reads the file when one is moved there.
fn put_listeners(watched: &Path, listeners: &str) {
    let beside = watched.with_extension("new");
    fs::write(&beside, format!("resources:{}{listeners}", if listeners.is_empty() { " []" } else { "\n" })).unwrap();
    fs::rename(beside, watched).unwrap();
}

#[test]
fn whoever_is_kept_from_a_newer_bundle_says_so_then_denies_and_never_starts_with_an_old_one() {
    let mut mesh = Mesh::start(&Options::named("behind")).unwrap();
    let short = mesh.site.directory.join("tenancy-short");
    copy(&tenancy(), &short).unwrap();
    let text = fs::read_to_string(short.join("mesh.yaml")).unwrap();
    assert!(text.contains("stale_after: 5m"));
    fs::write(short.join("mesh.yaml"), text.replace("stale_after: 5m", "stale_after: 30s")).unwrap();
    publish(&mesh, &short, FIRST_REVISION + 1);

    let held = Held::default();
    let server = tokio::runtime::Runtime::new().unwrap();
    let [relayed, other] = free().unwrap();
    let bundles = mesh.site.ports.bundles;
    let relay = Router::new().fallback(relay).with_state((bundles, held.clone()));
    let listener = server.block_on(tokio::net::TcpListener::bind(local(relayed))).unwrap();
    server.spawn(async move { axum::serve(listener, relay).await });
    let watched = mesh.site.directory.join("listeners.yaml");
    let mut listeners = String::new();
    mesh.restart("edge", |bootstrap| {
        let placed = bootstrap.with_filters(SIDECAR)?.address("127.0.0.1", bundles, relayed)?;
        let (bootstrap, taken) = placed.listeners_from(&watched)?;
        let kind = "type.googleapis.com/envoy.config.listener.v3.Listener";
        listeners = taken.replacen("    - name: edge\n", &format!("    - \"@type\": {kind}\n      name: edge\n"), 1);
        put_listeners(&watched, &listeners);
        Ok(bootstrap)
    })
    .unwrap();
    until(&mesh, NAMED, 200, "");
    assert_eq!(behind(&mesh), 0.0);

    // Kept back: an alarm at once, and requests go on.
    hold(&mesh, &held);
    publish(&mesh, &short, FIRST_REVISION + 2);
    wait::until(NAMED, || (behind(&mesh) == 1.0).then_some(())).expect("an alarm");
    let first_named = Instant::now();
    let told = format!("revision {} is in force, but {} is current", FIRST_REVISION + 1, FIRST_REVISION + 2);
    assert!(mesh.edge.errors().contains(&told), "{}", mesh.edge.errors());
    assert_eq!(ask(&mesh).0, 200);

    // VMs that are created now, beside those that run, know from them that 6 was current and since when it is not.
    // (When the last VM of a `vm_id` goes, Envoy forgets what they shared: that is a start anew.)
    put_listeners(&watched, &format!("{listeners}{}", with_vms_of_its_own(&listeners, mesh.site.ports.edge, other)));
    let token = accountant(Acme, "acme");
    let request = mesh.client("GET", "acme", "/tenants/acme/invoices", &token).unwrap();
    let served = || request.send(local(other)).is_ok_and(|answer| answer.status == 200).then_some(());
    wait::until(Duration::from_secs(8), served).unwrap_or_else(|| panic!("not served\n{}", mesh.edge.errors()));
    assert_eq!(behind(&mesh), 1.0);

    // The delay counts from the first overlay that named the newer one, whatever came since.
    until(&mesh, STALE_AFTER + Duration::from_secs(5), 503, "policy_stale");
    let after = first_named.elapsed();
    assert!(after <= STALE_AFTER + Duration::from_secs(2), "stale after {after:?}");
    let answer = request.send(local(other)).unwrap();
    assert_eq!(answer.status, 503, "nor do the new ones count from their own beginning");
    held.lock().unwrap().clear();
    until(&mesh, Duration::from_secs(10), 200, "");
    assert_eq!(behind(&mesh), 0.0);

    // The process starts anew, and is given a bundle that was good once.
    hold(&mesh, &held);
    publish(&mesh, &short, FIRST_REVISION + 3);
    wait::until(NAMED, || (behind(&mesh) == 1.0).then_some(())).expect("named by now");
    mesh.edge.stop();
    let how = mesh.site.start("edge").unwrap();
    let bootstrap = how.bootstrap.with_filters(SIDECAR).unwrap().address("127.0.0.1", bundles, relayed).unwrap();
    let how = partywall_integration::envoy::Start { bootstrap, ..mesh.site.start("edge").unwrap() };
    mesh.edge = Envoy::start(how).unwrap();
    mesh.edge.wait_until_ready().unwrap();
    let told = "none was current since this filter started, so nobody is served";
    wait::until(NAMED, || mesh.edge.errors().contains(told).then_some(())).expect("a line in the log");
    for _ in 0..20 {
        assert_eq!(ask(&mesh), (503, "policy_unavailable".to_owned()));
    }
    held.lock().unwrap().clear();
    until(&mesh, Duration::from_secs(10), 200, "");
}

/// The edge's listener on another port, in VMs of another configuration and the same `vm_id`.
fn with_vms_of_its_own(listener: &str, from: u16, port: u16) -> String {
    let line = listener.lines().find(|line| line.trim() == "vm_id: partywall").expect("a VM");
    let configuration = "configuration: { \"@type\": type.googleapis.com/google.protobuf.StringValue, value: again }";
    let more = format!("{line}\n{}", line.replace("vm_id: partywall", configuration));
    let named = listener.replacen("      name: edge\n", "      name: other\n", 1).replacen(line, &more, 1);
    named.replace(&format!("port_value: {from} }}"), &format!("port_value: {port} }}"))
}

async fn relay(State((bundles, held)): State<(u16, Held)>, request: Incoming) -> Answer {
    let path = request.uri().path().to_owned();
    let instead = held.lock().unwrap().get(&path).cloned();
    if let Some(bytes) = instead {
        return bytes.into_response();
    }
    let asked = Request::get(&path).header("host", "bundles");
    let answered = tokio::task::spawn_blocking(move || asked.send(local(bundles))).await;
    let Ok(Ok(Response { status, body, .. })) = answered else { return StatusCode::BAD_GATEWAY.into_response() };
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}
