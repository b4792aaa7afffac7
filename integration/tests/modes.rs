//! Modes in a mesh: a route of the edge and one of a sidecar ask for shadow, and the bundle lets them. What it lets in is
//! logged, replayed, and ends when a bundle enforces. What is decided in each mode is in
//! `filters/authorization/cases/decide/mode-*`, played by `authorization_cases`.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use partywall_integration::access_log::{Hop, Line};
use partywall_integration::issuers::Provider::Shared;
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::site::FIRST_REVISION;
use partywall_integration::stand_in;
use partywall_integration::variant::{Variant, copy};
use partywall_integration::{cli, wait, websocket};
use serde_json::Value;

const EDGE: &str = "                          route: { cluster: invoices, timeout: 15s }\n";
const SIDECAR: &str = "                          route: { cluster: app, timeout: 15s }\n";
const SHADOW: &str = "                          metadata: { filter_metadata: { partywall: { mode: shadow } } }\n";
/// No policy permits it to anybody.
const SOCKET: &str =
    "\n  - { http: \"GET /invoices/{id}/live\", action: \"invoices:live\", resource: Invoice, id: id, owner: none }\n";
const LET: &str = "allow_shadow_routes: true\n";
/// How long a socket may take to end, and the last worker to deny.
const PATIENCE: Duration = Duration::from_secs(12);
/// Whose logs are read.
const HOPS: [&str; 2] = ["edge", "invoices"];

fn mesh() -> Running {
    let mut variant = Variant::prepare("modes", &["edge", "invoices"]).unwrap();
    variant.append("services/invoices.yaml", &format!("{SOCKET}{LET}")).unwrap();
    websocket::allow(&mut variant).unwrap();
    variant.envoy("edge", EDGE, &format!("{EDGE}{SHADOW}")).unwrap();
    variant.envoy("invoices", SIDECAR, &format!("{SIDECAR}{SHADOW}")).unwrap();
    stand_in::connections(variant.site.ports.invoices_app, websocket::echo).unwrap();
    let running = variant.start(&[]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
    running
}

/// The socket with the id of its request, or the head of a denial.
fn open(mesh: &Running, tenant: &'static str) -> Result<(TcpStream, String), String> {
    let token = mesh.site.issuers.token(&viewer(Shared, tenant), &unique()).unwrap();
    let request = Request::get(&format!("/invoices/{}/live", unique()))
        .header("host", format!("{tenant}.shop.example"))
        .header("authorization", format!("Bearer {token}"));
    let (stream, head) = websocket::open(mesh.site.address(Hop::Edge), request).unwrap();
    let id = websocket::header(&head, "x-request-id");
    if head.starts_with("HTTP/1.1 101 ") { Ok((stream, id)) } else { Err(head) }
}

#[test]
fn a_route_lets_in_what_the_bundle_lets_it_and_an_enforcing_bundle_ends_it() {
    let mesh = mesh();
    let tenancy = mesh.site.directory.join("tenancy");
    let before = mesh.site.directory.join("before");
    copy(&tenancy, &before).unwrap();
    let publish = |revision: u64| mesh.publish(revision).unwrap();

    // What is over soon is in the log soon.
    let (socket, id) = open(&mesh, "globex").expect("let in by shadow");
    drop(socket);
    for line in mesh.lines(&HOPS, &id).unwrap() {
        let told = ["decision", "shadow", "reason"].map(|name| line.field(name));
        assert_eq!(told, ["allow", "deny", "policy_denied"], "{}", line.text());
        let explain: Value = serde_json::from_str(&line.field("explain")).unwrap();
        assert_eq!((&explain["decision"], &explain["shadow"]), (&"allow".into(), &"deny".into()), "{explain}");
    }

    let (mut idle, idle_id) = open(&mesh, "globex").expect("let in by shadow");
    let (mut other, _) = open(&mesh, "acme").expect("let in by shadow");
    assert!(websocket::is_open(&mut idle) && websocket::is_open(&mut other));
    // Another bundle that says the same of modes: asked about again, and let in again, by what its route says.
    fs::write(
        tenancy.join("policies/more.cedar"),
        "@id(\"more\") permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource);\n",
    )
    .unwrap();
    publish(FIRST_REVISION + 2);
    assert!(
        websocket::is_open(&mut idle) && websocket::is_open(&mut other),
        "a bundle that changes nothing of it ends nothing"
    );

    // One tenant enforces: its stream ends, and no other.
    let globex = tenancy.join("tenants/globex.yaml");
    fs::write(&globex, fs::read_to_string(&globex).unwrap() + "mode: enforce\n").unwrap();
    publish(FIRST_REVISION + 3);
    idle.set_read_timeout(Some(PATIENCE)).unwrap();
    let ended = websocket::receive(&mut idle).unwrap_err();
    let io = ended.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    assert!(!matches!(io, Some(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)), "it stays open");
    let told = mesh.lines(&HOPS, &idle_id).unwrap();
    let denied = told.iter().filter(|line| line.field("reason") == "policy_denied" && line.field("decision") == "deny");
    assert!(denied.count() >= 1, "{:?}", told.iter().map(Line::text).collect::<Vec<_>>());
    assert!(websocket::is_open(&mut other), "nobody else's");
    let head = open(&mesh, "globex").map(|_| ()).unwrap_err();
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");

    // The signed bundle no longer lets routes of the service: the route alone lets nobody in.
    let service = tenancy.join("services/invoices.yaml");
    fs::write(&service, fs::read_to_string(&service).unwrap().replace(LET, "")).unwrap();
    publish(FIRST_REVISION + 4);
    let refused = wait::until(PATIENCE, || (0..8).all(|_| open(&mesh, "acme").is_err()).then_some(()));
    refused.expect("a route lets nobody in by itself");
    let count = |name: &str| mesh.envoy("edge").unwrap().metric(name, &[("role", "edge")]).unwrap();
    assert!(count("partywall_authorization_route_modes_refused_total") >= 8.0);
    assert!(count("partywall_authorization_shadow_denials_total") >= 3.0);

    // What was recorded comes out the same, and as a denial where it is enforced.
    let log = mesh.site.directory.join("modes.log");
    let lines = mesh.envoy("edge").unwrap().log().lines();
    let recorded: Vec<_> =
        lines.iter().filter(|line| line.field("shadow") == "deny").map(|l| l.text().to_owned()).collect();
    fs::write(&log, recorded.join("\n") + "\n").unwrap();
    let key = mesh.site.keys().join("edge.env");
    let [log, before, now, key] = [&log, &before, &tenancy, &key].map(|path| cli::text(path).unwrap().to_owned());
    let replay = |new: &str, more: &[&str]| {
        cli::run(&[&["replay", "--log", &log, &before, new, "--fingerprint-key", &key], more].concat())
    };
    let same: Value = serde_json::from_str(&replay(&before, &["--json"]).unwrap()).unwrap();
    assert_eq!(same["not_reproduced"], serde_json::json!([]), "{same:#}");
    assert!(same["replayed"].as_u64().unwrap() >= 1, "{same:#}");
    let stricter = replay(&now, &[]).unwrap_err().to_string();
    assert!(stricter.contains("allow in shadow policy_denied"), "{stricter}");
}
