//! A WebSocket from a client through the edge and a sidecar: the context is established with the upgrade, and what the
//! app does while the socket is open it does for that tenant, for as long as the context lasts.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use partywall_integration::access_log::Hop;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Token, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::ports::local;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use partywall_integration::websocket;

/// `max_context_age` of `orders` here, and what clocks may differ by.
const AGE: Duration = Duration::from_secs(1 + 30);

/// The upgrades that reached the app: the head of each.
static REACHED: Mutex<Vec<String>> = Mutex::new(Vec::new());

static MESH: LazyLock<Running> = LazyLock::new(|| {
    let mut variant = Variant::prepare("websocket", &["edge", "invoices", "orders"]).unwrap();
    let socket = "\n  - { http: \"GET /invoices/{id}/live\", action: \"invoices:read\", resource: Invoice, id: id, owner: none }\n";
    variant.append("services/invoices.yaml", socket).unwrap();
    variant.replace("services/orders.yaml", "max_context_age: 2m", "max_context_age: 1s").unwrap();
    websocket::allow(&mut variant).unwrap();
    let (app, outbound) = (local(variant.site.ports.invoices_app), local(variant.site.ports.invoices_outbound));
    let listener = TcpListener::bind(app).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || live(stream, outbound));
        }
    });
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&Hop::ALL).unwrap();
    running
});

/// The app: accepts the upgrade, calls `orders` for each text it gets, and sends back text and status.
fn live(mut stream: TcpStream, outbound: SocketAddr) -> Result<()> {
    let seen = |head: &str| REACHED.lock().expect("no test panicked here").push(head.to_owned());
    let head = websocket::accept(&mut stream, seen, "x-partywall-tenant: globex\r\n")?;
    let header = |name: &str| websocket::header(&head, name);
    loop {
        let asked = websocket::receive(&mut stream)?;
        let call = Request::get(&format!("/orders/{asked}"))
            .header("host", "orders")
            .header("x-request-id", asked.as_str())
            .header("traceparent", header("traceparent"))
            .header("tracestate", header("tracestate"));
        let status = call.send(outbound)?.status;
        websocket::send(&mut stream, None, &format!("{asked} {status}"))?;
    }
}

/// A client's end of a socket.
struct Socket(TcpStream);

impl Socket {
    /// Asks the edge for an upgrade; gives the head of the answer as well.
    fn open(host: &str, path: &str, token: Option<&Token>) -> (Self, String) {
        let mut request = Request::get(path)
            .header("host", host)
            .header("x-partywall-tenant", "globex")
            .header("x-tenant-id", "globex");
        if let Some(token) = token {
            let token = MESH.site.issuers.token(token, &unique()).unwrap();
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (stream, head) = websocket::open(MESH.site.address(Hop::Edge), request).unwrap();
        (Self(stream), head)
    }

    /// Has the app call `orders`, and gives its answer and the reason in the log of its sidecar.
    fn call(&mut self) -> (String, String, Vec<serde_json::Value>) {
        let mark = unique();
        websocket::send(&mut self.0, Some([0x37, 0xfa, 0x21, 0x3d]), &mark).unwrap();
        let answer = websocket::receive(&mut self.0).unwrap();
        let (asked, status) = answer.split_once(' ').unwrap();
        assert_eq!(asked, mark);
        let reason = MESH.line(Hop::InvoicesOutbound, &mark).unwrap().field("reason");
        (status.to_owned(), reason.trim_start_matches('-').into(), MESH.seen_of(App::Orders, &mark).unwrap())
    }
}

fn reached(mark: &str) -> Vec<String> {
    REACHED.lock().unwrap().iter().filter(|head| head.contains(mark)).cloned().collect()
}

#[test]
fn data_flows_both_ways_for_the_tenant_of_the_upgrade_until_its_context_is_too_old() {
    let mark = unique();
    let (mut socket, head) =
        Socket::open("acme.shop.example", &format!("/invoices/{mark}/live"), Some(&viewer(Acme, "acme")));
    let opened = Instant::now();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains(websocket::ACCEPT), "{head}");
    assert!(!head.contains("x-partywall"), "what the app says of tenants stays inside: {head}");

    let reached = reached(&mark);
    let told: Vec<_> = reached[0].lines().filter(|line| line.starts_with("x-partywall-tenant")).collect();
    assert_eq!((reached.len(), told), (1, vec!["x-partywall-tenant: acme"]));
    assert!(!reached[0].contains("globex"), "{}", reached[0]);

    for _ in 0..3 {
        let (status, reason, seen) = socket.call();
        assert_eq!((status.as_str(), reason.as_str()), ("200", ""));
        assert_eq!(headers(&seen[0], "x-partywall-tenant"), ["acme"]);
    }
    // The socket stays open and data goes on; the context that came with it does not last as long.
    thread::sleep(AGE.saturating_sub(opened.elapsed()) + Duration::from_secs(2));
    let (status, reason, seen) = socket.call();
    assert_eq!((status.as_str(), reason.as_str(), seen.len()), ("401", "context_expired", 0));
    // A new socket brings a new one.
    let (mut socket, head) =
        Socket::open("acme.shop.example", &format!("/invoices/{mark}/live"), Some(&viewer(Acme, "acme")));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(socket.call().0, "200");
}

#[test]
fn a_denied_upgrade_never_reaches_the_app() {
    let shared = viewer(Shared, "globex");
    for (host, token, status, reason) in [
        ("acme.shop.example", Some(&shared), 403, "tenant_conflict"),
        ("acme.shop.example", None, 401, "tenant_missing"),
        ("initech.shop.example", Some(&shared), 403, "tenant_conflict"),
    ] {
        let mark = unique();
        let (_, head) = Socket::open(host, &format!("/invoices/{mark}/live"), token);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains("application/problem+json"), "{head}");
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert_eq!(MESH.line(Hop::Edge, id).unwrap().field("reason"), reason);
        assert!(reached(&mark).is_empty());
    }
    // A socket that no operation covers.
    let mark = unique();
    let token = viewer(Acme, "acme");
    let (_, head) = Socket::open("acme.shop.example", &format!("/invoices/{mark}/dead"), Some(&token));
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(reached(&mark).is_empty());
}
