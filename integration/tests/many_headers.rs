//! What the edge lets in gets through every hop, though each adds headers of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, SIDECAR};
use partywall_integration::raw::Request;

/// The edge takes 100. With the host and the token these are 95.
const MANY: usize = 93;
const PATIENCE: Duration = Duration::from_secs(10);

/// One request as it reached the app: its lines.
type Seen = Vec<String>;

#[test]
fn as_many_headers_as_the_edge_lets_in_pass_every_hop() {
    let mut mesh = Mesh::start(&Options::named("many-headers")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, seen) = channel();
    thread::spawn(move || app(&listener, &told));
    let apps = (mesh.site.ports.invoices_app, mesh.site.ports.orders_app);
    mesh.restart("invoices", |b| b.with_filters(SIDECAR)?.address("127.0.0.1", apps.0, port)).unwrap();
    mesh.restart("orders", |b| b.with_filters(SIDECAR)?.address("127.0.0.1", apps.1, port)).unwrap();

    let arrived = |hop, request: Request| {
        let request = (0..MANY).fold(request, |request, n| request.header(&format!("x-n{n}"), "1"));
        let answer = mesh.send(hop, Workload::Edge, &request).unwrap();
        assert_eq!(answer.status, 200, "{hop}: {}", answer.json());
        let seen: Seen = seen.recv_timeout(PATIENCE).unwrap();
        assert_eq!(seen.iter().filter(|line| line.starts_with("x-n")).count(), MANY, "{hop}: {seen:?}");
        seen
    };
    let client = |path| mesh.client("GET", "acme", path, &accountant(Acme, "acme")).unwrap();
    arrived(Hop::Edge, client("/orders/1"));
    let at_invoices = arrived(Hop::Edge, client("/invoices/1"));
    let carried = |name: &str| {
        let value = at_invoices.iter().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
        value.to_owned()
    };
    let call = Request::get("/orders/1").header("host", "orders");
    let call = call.header("traceparent", carried("traceparent")).header("tracestate", carried("tracestate"));
    arrived(Hop::InvoicesOutbound, call);
}

/// An app without a limit of its own; that of the demo's apps is 100 as well.
fn app(listener: &TcpListener, told: &Sender<Seen>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let told = told.clone();
        thread::spawn(move || serve(stream, &told));
    }
}

fn serve(mut stream: TcpStream, told: &Sender<Seen>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    loop {
        let request: Seen = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        request.first()?;
        told.send(request).ok()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}
