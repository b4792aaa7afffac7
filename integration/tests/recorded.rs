//! What is read from the access logs and the admin interfaces of real Envoys: `replay`, `review`, `who` and `status`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use partywall_integration::artefacts;
use partywall_integration::cli::{self, text};
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options};
use partywall_integration::ports::free;
use partywall_integration::process::Process;
use partywall_integration::site::{FIRST_REVISION, tenancy};
use partywall_integration::wait;
use serde_json::{Value, json};

struct Asked {
    mesh: Mesh,
    /// The logs of all hops, one after the other.
    log: PathBuf,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| {
    let mesh = Mesh::start(&Options::named("recorded")).unwrap();
    for n in 0..5 {
        let read = format!("/invoices/{n}");
        for (method, tenant, path, token) in [
            ("GET", "acme", read.as_str(), viewer(Acme, "acme")),
            ("GET", "globex", &read, accountant(Shared, "globex")),
            ("DELETE", "globex", &read, accountant(Shared, "globex")),
            ("DELETE", "acme", &read, viewer(Acme, "acme")),
            ("GET", "acme", "/tenants/globex/invoices", viewer(Acme, "acme")),
        ] {
            mesh.ask(&mesh.client(method, tenant, path, &token).unwrap()).unwrap();
        }
    }
    // Lines are written a while after the answers.
    wait::until(Duration::from_secs(10), || (decided(&mesh) >= 5 * (4 + 4 + 2 + 1 + 1)).then_some(()))
        .expect("all lines");
    let log = mesh.site.directory.join("all.log");
    let lines: Vec<String> = mesh.lines().iter().map(|line| line.text().to_owned()).collect();
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    Asked { mesh, log }
});

fn decided(mesh: &Mesh) -> usize {
    mesh.lines().iter().filter(|line| line.field("explain").contains("\"path\"")).count()
}

/// Runs `partywall`; gives its exit status and what it printed, as JSON.
fn partywall(arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(artefacts::command().unwrap()).args(arguments).arg("--json").output().unwrap();
    let json = serde_json::from_slice(&output.stdout);
    let json = json.unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), json)
}

fn key() -> String {
    text(&ASKED.mesh.site.keys().join("edge.env")).unwrap().to_owned()
}

/// The tenancy directory with one policy more.
fn changed(name: &str, policy: &str) -> PathBuf {
    let new = ASKED.mesh.site.directory.join(name);
    let copied = Command::new("cp").arg("-r").arg(tenancy()).arg(&new).status().unwrap();
    assert!(copied.success());
    fs::write(new.join("policies/more.cedar"), policy).unwrap();
    new
}

fn replay(new: &str) -> (i32, Value) {
    let (log, old) = (text(&ASKED.log).unwrap(), ASKED.mesh.site.bundles());
    partywall(&["replay", "--log", log, text(&old).unwrap(), new, "--fingerprint-key", &key()])
}

#[test]
fn what_sidecars_recorded_is_what_is_decided_again() {
    let (status, found) = replay(text(&tenancy()).unwrap());
    assert_eq!((status, &found["flips"], &found["not_reproduced"]), (0, &json!([]), &json!([])), "{found:#}");
    assert!(found["replayed"].as_u64().unwrap() >= 60, "{found:#}");
    assert_eq!(found["skipped"], json!([]), "{found:#}");
}

#[test]
fn a_new_policy_flips_what_it_should_at_each_hop_and_nothing_else() {
    let new = changed(
        "flips",
        "@id(\"not-acme\") forbid (principal, action == Action::\"orders:read\", resource) when { principal.tenant == Tenant::\"acme\" };
         @id(\"not-3\") forbid (principal, action == Action::\"invoices:delete\", resource == Invoice::\"3\");",
    );
    let (status, found) = replay(text(&new).unwrap());
    assert_eq!((status, &found["not_reproduced"]), (1, &json!([])), "{found:#}");
    let flips: BTreeSet<_> = found["flips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flip| {
            let of = |name: &str| flip["to"][name].as_str().unwrap().to_owned();
            (flip["tenant"].as_str().unwrap().to_owned(), of("policy"), of("reason"), flip["count"].as_u64().unwrap())
        })
        .collect();
    // Outbound of `invoices` and inbound of `orders`, five times; edge and inbound of `invoices`, once.
    let expected = [("acme", "not-acme", "policy_denied", 10), ("globex", "not-3", "policy_denied", 2)];
    let expected: BTreeSet<_> = expected.map(|(t, p, r, n)| (t.to_owned(), p.to_owned(), r.to_owned(), n)).into();
    assert_eq!(flips, expected, "{found:#}");
}

#[test]
fn a_review_says_what_nobody_used_of_what_real_logs_cover() {
    let new = changed("review", "@id(\"for-nobody\") permit (principal in Role::\"intern\", action, resource);");
    let (status, found) =
        partywall(&["review", text(&new).unwrap(), "--log", text(&ASKED.log).unwrap(), "--days", "1"]);
    assert_eq!(status, 1, "{found:#}");
    let unused: Vec<_> = found["unused"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(unused.contains(&"for-nobody") && unused.contains(&"intern"), "{unused:?}");
    assert!(!unused.contains(&"viewers-read") && !unused.contains(&"accountant"), "{unused:?}");
}

#[test]
fn the_fingerprints_of_a_log_are_turned_back() {
    let lines = ASKED.mesh.lines();
    let prints: BTreeSet<String> = lines.iter().map(|l| l.field("tenant")).filter(|t| t.starts_with('t')).collect();
    let directory = tenancy();
    let mut arguments = vec!["who"];
    arguments.extend(prints.iter().map(String::as_str));
    let key = key();
    arguments.extend([text(&directory).unwrap(), "--fingerprint-key", &key]);
    let (status, found) = partywall(&arguments);
    let names: BTreeSet<_> = found.as_array().unwrap().iter().map(|who| who["tenant"].as_str().unwrap()).collect();
    assert_eq!((status, names), (0, ["acme", "globex"].into()));
}

#[test]
fn who_is_behind_is_told_by_envoys_own_gauges() {
    let mut mesh = Mesh::start(&Options::named("status")).unwrap();
    let ports = mesh.site.ports;
    let admins = [ports.edge_admin, ports.invoices_admin, ports.orders_admin].map(|port| format!("127.0.0.1:{port}"));
    let asked = |more: &[&str]| {
        let admins = admins.iter().map(String::as_str);
        partywall(&std::iter::once("status").chain(admins).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let states = |found: &Value| -> Vec<String> {
        found.as_array().unwrap().iter().map(|report| report["state"].as_str().unwrap().to_owned()).collect()
    };
    let (status, found) = asked(&[]);
    assert_eq!((status, states(&found)), (0, vec!["current".to_owned(); 3]), "{found:#}");
    assert_eq!(found[0]["revision"], FIRST_REVISION);
    let (status, found) = asked(&["--want", &(FIRST_REVISION + 1).to_string()]);
    assert_eq!((status, states(&found)), (1, vec!["behind".to_owned(); 3]), "{found:#}");

    // The edge follows another server, which serves a newer revision.
    let (newer, keys) = (mesh.site.directory.join("newer"), mesh.site.keys());
    let revision = (FIRST_REVISION + 1).to_string();
    let directory = tenancy();
    cli::run(&[
        "compile",
        text(&directory).unwrap(),
        "--keys",
        text(&keys).unwrap(),
        "--out",
        text(&newer).unwrap(),
        "--revision",
        &revision,
    ])
    .unwrap();
    let [port] = free().unwrap();
    let logs = mesh.site.directory.join("logs");
    let _server = Process::start("newer", &mut cli::serve(&newer, &keys, port).unwrap(), &logs).unwrap();
    mesh.restart("edge", |bootstrap| bootstrap.address("127.0.0.1", ports.bundles, port)).unwrap();
    let (status, found) = asked(&[]);
    // Each server numbers its overlays by its own clock, so that the edge's may be the older one.
    let behind = |at: usize| found[at]["detail"].as_str().unwrap_or_default().contains("bundle revision");
    assert_eq!((status, [0, 1, 2].map(behind)), (1, [false, true, true]), "{found:#}");
    let had = [0, 1, 2].map(|at| found[at]["revision"].as_u64().unwrap());
    assert_eq!(had, [FIRST_REVISION + 1, FIRST_REVISION, FIRST_REVISION]);

    mesh.orders.stop();
    let (status, found) = asked(&["--timeout", "2"]);
    assert_eq!((status, &found[2]["state"]), (1, &json!("unknown")), "{found:#}");
}
