//! What routes say, in a mesh: a path that no operation covers is decided as what its route names, at the edge and at the
//! sidecar; what is open is asked about again by what its route says; and the log is enough to decide it again. What is
//! decided by which words is in `filters/authorization/cases/decide/route-words`, played by `authorization_cases`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::{Hop, Line};
use partywall_integration::issuers::Provider::Shared;
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::ports::local;
use partywall_integration::raw::Request;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::variant::{Running, Variant, copy};
use partywall_integration::{cli, wait, websocket};
use serde_json::{Value, json};

const EDGE: &str = "                          route: { cluster: invoices, timeout: 15s }\n";
const SIDECAR: &str = "                          route: { cluster: app, timeout: 15s }\n";
const SAYS: &str = "                          metadata: { filter_metadata: { partywall: { action: \"invoices:live\", resource: Socket, dataset: live } } }\n";
const NAMED: &str = "\n  - { route: true, action: \"invoices:live\", resource: Socket, owner: none }\n";
const FILL: &str = "routes: fill\n";
const POLICY: &str = "@id(\"viewers-listen\") permit (principal in Role::\"viewer\", action == Action::\"invoices:live\", resource is Socket);\n";
/// A bundle is asked for every three seconds.
const BUNDLE: Duration = Duration::from_secs(12);

fn echo(mut stream: TcpStream) -> anyhow::Result<()> {
    websocket::accept(&mut stream, |_| {}, "")?;
    loop {
        let text = websocket::receive(&mut stream)?;
        websocket::send(&mut stream, None, &text)?;
    }
}

fn mesh() -> Running {
    let mut variant = Variant::prepare("route-words", &["edge", "invoices"]).unwrap();
    variant.append("services/invoices.yaml", &format!("{NAMED}{FILL}")).unwrap();
    variant.append("policies/live.cedar", POLICY).unwrap();
    variant.append("datasets.yaml", "  - dataset: live\n").unwrap();
    websocket::allow(&mut variant).unwrap();
    variant.envoy("edge", EDGE, &format!("{EDGE}{SAYS}")).unwrap();
    variant.envoy("invoices", SIDECAR, &format!("{SIDECAR}{SAYS}")).unwrap();
    let listener = TcpListener::bind(local(variant.site.ports.invoices_app)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo(stream));
        }
    });
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

fn is_open(stream: &mut TcpStream) -> bool {
    let mark = unique();
    websocket::send(stream, Some([1, 2, 3, 4]), &mark).is_ok()
        && websocket::receive(stream).is_ok_and(|said| said == mark)
}

fn revisions(mesh: &Running) -> Vec<f64> {
    let revision = |name| mesh.envoy(name).unwrap().metric("partywall_bundle_revision", &[]).unwrap();
    ["edge", "invoices"].map(revision).to_vec()
}

fn logged(mesh: &Running, id: &str) -> Vec<Line> {
    let lines = || -> Vec<Line> {
        let all = ["edge", "invoices"].into_iter().flat_map(|name| mesh.envoy(name).unwrap().log().lines());
        all.filter(|line| line.field("request_id") == id).collect()
    };
    wait::until(Duration::from_secs(5), || Some(lines()).filter(|lines| lines.len() == 2)).expect("a line of each hop")
}

#[test]
fn what_a_route_names_is_decided_asked_again_and_recorded() {
    let mesh = mesh();
    let tenancy = mesh.site.directory.join("tenancy");
    let before = mesh.site.directory.join("before");
    copy(&tenancy, &before).unwrap();
    let publish = |revision: u64| {
        compile(&tenancy, &mesh.site.keys(), &mesh.site.bundles(), Some(revision)).unwrap();
        let wanted = revision as f64;
        wait::until(BUNDLE, || revisions(&mesh).iter().all(|found| *found >= wanted).then_some(())).expect("in force");
        // Each worker gets it at its own time.
        thread::sleep(Duration::from_secs(1));
    };

    let (socket, id) = open(&mesh, &named()).expect("let in as what its route names");
    drop(socket);
    for line in logged(&mesh, &id) {
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
    assert!(is_open(&mut socket));
    let more = "@id(\"more\") permit (principal in Role::\"viewer\", action == Action::\"orders:read\", resource);\n";
    fs::write(tenancy.join("policies/more.cedar"), more).unwrap();
    publish(FIRST_REVISION + 2);
    assert!(is_open(&mut socket), "a bundle that changes nothing of it ends nothing");

    // The bundle no longer knows what the route says of its data: what is open ends, and nobody comes in.
    let datasets = tenancy.join("datasets.yaml");
    fs::write(&datasets, fs::read_to_string(&datasets).unwrap().replace("dataset: live", "dataset: dead")).unwrap();
    publish(FIRST_REVISION + 3);
    socket.set_read_timeout(Some(BUNDLE)).unwrap();
    let ended = websocket::receive(&mut socket).unwrap_err();
    let io = ended.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    assert!(!matches!(io, Some(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)), "it stays open");
    let denied = wait::until(BUNDLE, || (0..8).all(|_| open(&mesh, &named()).is_err()).then_some(()));
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
