//! What routes say, in a mesh: a path that no operation covers is decided as what its route names, at the edge and at the
//! sidecar; what is open is asked about again by what its route says; and the log is enough to decide it again. What is
//! decided by which words is in `filters/authorization/cases/decide/route-words`, played by `authorization_cases`.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::issuers::Provider::Shared;
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::site::FIRST_REVISION;
use partywall_integration::stand_in;
use partywall_integration::variant::{Variant, copy};
use partywall_integration::{cli, wait, websocket};
use serde_json::{Value, json};

const EDGE: &str = "                          route: { cluster: invoices, timeout: 15s }\n";
const SIDECAR: &str = "                          route: { cluster: app, timeout: 15s }\n";
const SAYS: &str = "                          metadata: { filter_metadata: { partywall: { action: \"invoices:live\", resource: Socket, dataset: live } } }\n";
const NAMED: &str = "\n  - { route: true, action: \"invoices:live\", resource: Socket, owner: none }\n";
const FILL: &str = "routes: fill\n";
const POLICY: &str = "@id(\"viewers-listen\") permit (principal in Role::\"viewer\", action == Action::\"invoices:live\", resource is Socket);\n";
/// How long a socket may take to end, and the last worker to deny.
const PATIENCE: Duration = Duration::from_secs(12);
/// Whose logs are read.
const HOPS: [&str; 2] = ["edge", "invoices"];

fn mesh() -> Running {
    let mut variant = Variant::prepare("route-words", &["edge", "invoices"]).unwrap();
    variant.append("services/invoices.yaml", &format!("{NAMED}{FILL}")).unwrap();
    variant.append("policies/live.cedar", POLICY).unwrap();
    variant.append("datasets.yaml", "  - dataset: live\n").unwrap();
    websocket::allow(&mut variant).unwrap();
    variant.envoy("edge", EDGE, &format!("{EDGE}{SAYS}")).unwrap();
    variant.envoy("invoices", SIDECAR, &format!("{SIDECAR}{SAYS}")).unwrap();
    stand_in::connections(variant.site.ports.invoices_app, websocket::echo).unwrap();
    let running = variant.start(&[]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
    running
}

/// The socket with the id of its request, or the head of a denial.
fn open(mesh: &Running, path: &str) -> Result<(TcpStream, String), String> {
    let token = mesh.site.issuers.token(&viewer(Shared, "acme"), &unique()).unwrap();
    let request =
        Request::get(path).header("host", "acme.shop.example").header("authorization", format!("Bearer {token}"));
    let (stream, head) = websocket::open(mesh.site.address(Hop::Edge), request).unwrap();
    let id = websocket::header(&head, "x-request-id");
    if head.starts_with("HTTP/1.1 101 ") { Ok((stream, id)) } else { Err(head) }
}

fn named() -> String {
    format!("/invoices/{}/live/now", unique())
}

#[test]
fn what_a_route_names_is_decided_asked_again_and_recorded() {
    let mesh = mesh();
    let tenancy = mesh.site.directory.join("tenancy");
    let before = mesh.site.directory.join("before");
    copy(&tenancy, &before).unwrap();
    let publish = |revision: u64| mesh.publish(revision).unwrap();

    let (socket, id) = open(&mesh, &named()).expect("let in as what its route names");
    drop(socket);
    for line in mesh.lines(&HOPS, &id).unwrap() {
        let told = ["decision", "policy"].map(|name| line.field(name));
        assert_eq!(told, ["allow", "viewers-listen"], "{}", line.text());
        let explain: Value = serde_json::from_str(&line.field("explain")).unwrap();
        assert_eq!((&explain["method"], &explain["path"]), (&json!("ROUTE"), &json!("/invoices:live/Socket")));
        assert_eq!(explain["route"], json!(["action=invoices:live", "resource=Socket", "dataset=live"]));
    }
    // The same route contradicts the operation that covers this path.
    let refused = |path: &str| open(&mesh, path).map(|_| ()).unwrap_err();
    assert!(refused(&format!("/invoices/{}", unique())).starts_with("HTTP/1.1 403 "));
    let edge = || mesh.envoy("edge").unwrap();
    let count = || edge().metric("partywall_authorization_route_contradictions_total", &[("role", "edge")]).unwrap();
    assert_eq!(count(), 1.0);
    // Who says in a request what routes say, says nothing.
    let own = Request::new("ROUTE", "/invoices:live/Socket").header("host", "acme.shop.example");
    let token = mesh.site.issuers.token(&viewer(Shared, "acme"), &unique()).unwrap();
    let own = own.header("authorization", format!("Bearer {token}")).send(mesh.site.address(Hop::Edge)).unwrap();
    assert_eq!(own.status, 400);

    // Another bundle that says the same: asked about again, by what the route of each says.
    let (mut socket, _) = open(&mesh, &named()).expect("let in");
    assert!(websocket::is_open(&mut socket));
    let more = "@id(\"more\") permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource);\n";
    fs::write(tenancy.join("policies/more.cedar"), more).unwrap();
    publish(FIRST_REVISION + 2);
    assert!(websocket::is_open(&mut socket), "a bundle that changes nothing of it ends nothing");

    // The bundle no longer knows what the route says of its data: what is open ends, and nobody comes in.
    let datasets = tenancy.join("datasets.yaml");
    fs::write(&datasets, fs::read_to_string(&datasets).unwrap().replace("dataset: live", "dataset: dead")).unwrap();
    publish(FIRST_REVISION + 3);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ended = websocket::receive(&mut socket).unwrap_err();
    let io = ended.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    assert!(!matches!(io, Some(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)), "it stays open");
    let denied = wait::until(PATIENCE, || (0..8).all(|_| open(&mesh, &named()).is_err()).then_some(()));
    denied.expect("nobody comes in");
    assert!(count() >= 8.0);

    // What was recorded comes out the same, and as a denial under the other bundle.
    let log = mesh.site.directory.join("words.log");
    let lines = edge().log().lines();
    let recorded = lines.iter().filter(|line| line.field("decision") == "allow").map(|l| l.text().to_owned());
    fs::write(&log, recorded.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let key = mesh.site.keys().join("edge.env");
    let [log, before, now, key] = [&log, &before, &tenancy, &key].map(|path| cli::text(path).unwrap().to_owned());
    let replay = |new: &str, more: &[&str]| {
        cli::run(&[&["replay", "--log", &log, &before, new, "--fingerprint-key", &key], more].concat())
    };
    let same: Value = serde_json::from_str(&replay(&before, &["--json"]).unwrap()).unwrap();
    assert_eq!(same["not_reproduced"], json!([]), "{same:#}");
    // Which hop tells the end of the stream is left to them.
    assert!(same["replayed"].as_u64().unwrap() >= 1, "{same:#}");
    let stricter = replay(&now, &[]).unwrap_err().to_string();
    assert!(stricter.contains("deny resource_unmapped"), "{stricter}");
}
