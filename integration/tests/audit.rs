//! The decision log of real Envoys is a chain: it verifies while streams are open, what is done to a line is found, and
//! what a crash took is told from what somebody took.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::audit::{self, gaps};
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options, STAGES, unique};
use partywall_integration::ports::local;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::variant::Variant;
use partywall_integration::{wait, websocket};
use serde_json::{Value, json};

const SOCKET: &str =
    "\n  - { http: \"GET /invoices/{id}/live\", action: \"invoices:live\", resource: Invoice, id: id, owner: none }\n";
const LIVE_IS_FOR_VIEWERS: &str = "
@id(\"viewers-live\")
permit (principal in Role::\"viewer\", action == Action::\"invoices:live\", resource)
when { principal.tenant == resource.tenant };
";
/// The application log tells what is open 15 s after it was so.
const WORD: Duration = Duration::from_secs(40);
const SOCKETS: u64 = 4;

fn start() -> Running {
    let mut variant = Variant::prepare("audit", &["edge", "invoices", "orders"]).unwrap();
    variant.append("services/invoices.yaml", SOCKET).unwrap();
    variant.append("policies/readers.cedar", LIVE_IS_FOR_VIEWERS).unwrap();
    websocket::allow(&mut variant).unwrap();
    let listener = TcpListener::bind(local(variant.site.ports.invoices_app)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = websocket::accept(&mut stream, |_| {}, "");
                let _ = websocket::receive(&mut stream);
            });
        }
    });
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound]).unwrap();
    running
}

fn socket(mesh: &Running) -> TcpStream {
    let token = mesh.site.issuers.token(&viewer(Shared, "globex"), &unique()).unwrap();
    let request = Request::get(&format!("/invoices/{}/live", unique()))
        .header("host", "globex.shop.example")
        .header("authorization", format!("Bearer {token}"));
    let (stream, head) = websocket::open(mesh.site.address(Hop::Edge), request).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

/// `partywall audit verify`: its exit status, and what it found.
fn verify(mesh: &Running, logs: &[&Path], more: &[&str]) -> (i32, Value) {
    verified(&mesh.site.keys(), logs, more)
}

fn verified(keys: &Path, logs: &[&Path], more: &[&str]) -> (i32, Value) {
    audit::verify(keys, logs, more).unwrap()
}

fn logs(mesh: &Running, workload: &str) -> [PathBuf; 2] {
    audit::logs(&mesh.site, workload)
}

/// Says so once its VMs did.
fn has_words(mesh: &Running, workload: &str, what: &str, count: usize) {
    let [_, errors] = logs(mesh, workload);
    let there = || {
        let text = fs::read_to_string(&errors).unwrap_or_default();
        let words = text.lines().filter(|line| line.contains("partywall: chain v=1 ") && line.contains(what));
        (words.count() >= count).then_some(())
    };
    wait::until(WORD, there).unwrap_or_else(|| panic!("{workload} says no word with `{what}`"));
}

fn signal(mesh: &Running, workload: &str, signal: &str) {
    let id = mesh.envoy(workload).unwrap().id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[test]
fn what_real_envoys_log_is_a_chain() {
    let mesh = start();
    let mut sockets = Vec::new();
    for n in 0..40 {
        for (path, more) in
            [(format!("/orders/{n}"), ""), ("/tenants/globex/orders".into(), ""), ("/orders/1".into(), "x")]
        {
            let headers = [("authorization", "none")];
            mesh.client_with("initech", &path, if more.is_empty() { &[] } else { &headers }).unwrap();
        }
        if n % 10 == 5 {
            sockets.push(socket(&mesh));
        }
    }
    assert_eq!(sockets.len() as u64, SOCKETS);
    for workload in ["edge", "invoices", "orders"] {
        has_words(&mesh, workload, " next=", 1);
    }
    thread::sleep(Duration::from_secs(1));

    // All logs of all Envoys, with four streams open at two of them.
    let all: Vec<PathBuf> = ["edge", "invoices", "orders"].iter().flat_map(|workload| logs(&mesh, workload)).collect();
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let (status, found) = verify(&mesh, &all, &[]);
    assert_eq!((status, &found["findings"]), (0, &json!([])), "{found:#}");
    assert_eq!((gaps(&found, "open"), gaps(&found, "removed")), (2 * SOCKETS, 0), "{found:#}");
    println!("{} decisions of {} VMs", found["decisions"], found["vms"].as_array().unwrap().len());
    assert!(found["decisions"].as_u64().unwrap() >= 160 && found["without_link"] == 0, "{found:#}");

    every_change_is_found(&mesh);
    a_crash_is_told(&mesh);
    drop(sockets);
    an_end_is_told(&mesh);
}

/// Each thing that can be done to a line of the edge's log.
fn every_change_is_found(mesh: &Running) {
    let [log, errors] = logs(mesh, "edge");
    let whole: Vec<String> = fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    let changed = mesh.site.directory.join("changed.log");
    let with = |lines: &[String]| {
        fs::write(&changed, lines.join("\n")).unwrap();
        verify(mesh, &[&changed, &errors], &[])
    };
    assert_eq!(with(&whole).0, 0);
    let places = (0..whole.len()).step_by(7).filter(|at| whole[*at].contains(" boot="));
    for at in places {
        let mut less = whole.clone();
        less.remove(at);
        let (status, found) = with(&less);
        assert_eq!((status, gaps(&found, "removed") + gaps(&found, "before")), (1, 1), "line {at}: {found:#}");

        let mut altered = whole.clone();
        altered[at] = match altered[at].contains("\"deny\"") {
            true => altered[at].replace("\"decision\":\"deny\"", "\"decision\":\"allow\""),
            false => altered[at].replace("\"tenant\":\"t1_", "\"tenant\":\"t1_0"),
        };
        let (status, found) = with(&altered);
        assert_eq!(
            (status, &found["findings"][0]["what"], &found["findings"][0]["line"]),
            (1, &json!("altered"), &json!(at + 1)),
            "{found:#}"
        );

        let mut twice = whole.clone();
        twice.insert(at, whole[at].clone());
        let (status, found) = with(&twice);
        assert_eq!((status, &found["findings"][0]["what"]), (1, &json!("repeated")), "{found:#}");
    }
    // The links of two lines, swapped.
    let link =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["chain"].as_str().unwrap_or_default().to_owned();
    let linked: Vec<usize> = (0..whole.len()).filter(|at| whole[*at].contains(" boot=")).collect();
    let (a, b) = (linked[3], linked[linked.len() - 3]);
    let mut swapped = whole.clone();
    swapped[a] = whole[a].replace(&link(&whole[a]), &link(&whole[b]));
    swapped[b] = whole[b].replace(&link(&whole[b]), &link(&whole[a]));
    let (status, found) = with(&swapped);
    assert_eq!((status, found["findings"].as_array().unwrap().len()), (1, 2), "{found:#}");
    // The end, cut off between two lines and within one.
    let (status, found) = with(&whole[..whole.len() - 5]);
    assert_eq!(status, 1, "{found:#}");
    assert!(gaps(&found, "removed") >= 4, "{found:#}");
    let mut within = whole.clone();
    let last = within.last_mut().unwrap();
    last.truncate(last.len() / 2);
    let (status, found) = with(&within);
    assert_eq!((status, &found["findings"][0]["what"]), (1, &json!("cut")), "{found:#}");
}

/// The sidecar of `invoices` is killed while its four streams are open.
fn a_crash_is_told(mesh: &Running) {
    signal(mesh, "invoices", "-9");
    thread::sleep(Duration::from_millis(500));
    let [log, errors] = logs(mesh, "invoices");
    let (status, found) = verify(mesh, &[&log, &errors], &["--ended"]);
    assert_eq!((status, &found["findings"]), (1, &json!([])), "{found:#}");
    assert_eq!((gaps(&found, "lost"), gaps(&found, "removed")), (SOCKETS, 0), "{found:#}");
    let ends: Vec<&Value> = found["vms"].as_array().unwrap().iter().map(|vm| &vm["end"]).collect();
    assert!(ends.iter().all(|end| **end == "gone"), "{found:#}");
}

/// An Envoy that ends in order says so, and its log is whole.
fn an_end_is_told(mesh: &Running) {
    signal(mesh, "orders", "-TERM");
    has_words(mesh, "orders", " end=1 ", 1);
    let gone = || {
        mesh.send(Hop::OrdersInbound, partywall_integration::certificates::Workload::Edge, &Request::get("/")).is_err()
    };
    wait::until(WORD, || gone().then_some(())).expect("orders ends");
    thread::sleep(Duration::from_millis(500));
    let [log, errors] = logs(mesh, "orders");
    let (status, found) = verify(mesh, &[&log, &errors], &["--ended"]);
    assert_eq!((status, &found["gaps"], &found["findings"]), (0, &json!([]), &json!([])), "{found:#}");
    assert!(found["vms"].as_array().unwrap().iter().all(|vm| vm["end"] == "closed"), "{found:#}");
    // Without its last words nobody can say that it is whole.
    let (status, _) = verify(mesh, &[&log], &["--ended"]);
    assert_eq!(status, 1);
}

/// Two filters write about one request, the second over what the first wrote: one line, one link, no gap.
#[test]
fn two_stages_leave_one_link() {
    let mut mesh = Mesh::start(&Options { filters: STAGES, ..Options::named("audit-stages") }).unwrap();
    for n in 0..10 {
        let path = format!("/invoices/{n}");
        for (method, token) in [("GET", accountant(Acme, "acme")), ("DELETE", viewer(Acme, "acme"))] {
            mesh.ask(&mesh.client(method, "acme", &path, &token).unwrap()).unwrap();
        }
        mesh.ask(&Request::get(&path).header("host", "acme.shop.example")).unwrap();
    }
    for envoy in [&mut mesh.edge, &mut mesh.invoices, &mut mesh.orders] {
        envoy.stop();
    }
    let folder = mesh.site.directory.join("logs");
    let logs =
        ["edge", "invoices", "orders"].map(|name| ["out", "err"].map(|end| folder.join(format!("{name}.{end}"))));
    let logs: Vec<&Path> = logs.iter().flatten().map(PathBuf::as_path).collect();
    let (status, found) = verified(&mesh.site.keys(), &logs, &["--ended"]);
    assert_eq!((status, &found["gaps"], &found["without_link"]), (0, &json!([]), &json!(0)), "{found:#}");
    let replaced = mesh.lines().iter().filter(|line| line.field("chain").contains(" was=")).count();
    assert!(replaced >= 40, "{replaced}");
}

/// A share of what was let in: the same requests at every hop, no line of the others, and no gap.
#[test]
fn a_share_is_told_of_all_hops_or_of_none() {
    let mut variant = Variant::prepare("audit-share", &["edge", "orders"]).unwrap();
    for workload in ["edge", "orders"] {
        audit::keep_allows(&mut variant, workload, 0.3).unwrap();
    }
    let mesh = variant.start(&[App::Orders]).unwrap();
    mesh.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    for n in 0..80 {
        assert_eq!(mesh.client("initech", &format!("/orders/{n}")).unwrap().status, 200);
    }
    assert_eq!(mesh.client("initech", "/tenants/globex/orders").unwrap().status, 404);
    // Envoy answers this one before any filter runs, and tells it.
    let early = Request::get("/orders/1").header("host", "initech.shop.example").header("x_y", "1");
    assert_eq!(mesh.send(Hop::Edge, partywall_integration::certificates::Workload::Edge, &early).unwrap().status, 400);
    for workload in ["edge", "orders"] {
        signal(&mesh, workload, "-TERM");
        has_words(&mesh, workload, " end=1 ", 2);
    }
    thread::sleep(Duration::from_secs(1));
    let lines = |workload: &str| {
        let lines = mesh.envoy(workload).unwrap().log().lines();
        let told = lines.into_iter().filter(|line| line.field("decision") == "allow");
        let mut traces: Vec<String> = told.filter_map(|line| line.trace_id()).collect();
        traces.sort();
        traces
    };
    let (edge, orders) = (lines("edge"), lines("orders"));
    let all = mesh.envoy("edge").unwrap().log().lines();
    assert!(all.iter().any(|line| line.field("status") == "400" && line.field("decision").is_empty()));
    println!("{} of 80 requests are told", edge.len());
    assert!((5..60).contains(&edge.len()) && edge == orders, "{edge:?}\n{orders:?}");
    let all: Vec<PathBuf> = ["edge", "orders"].iter().flat_map(|workload| logs(&mesh, workload)).collect();
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let (status, found) = verify(&mesh, &all, &["--ended"]);
    assert_eq!((status, &found["gaps"], &found["without_link"]), (0, &json!([]), &json!(0)), "{found:#}");
}
