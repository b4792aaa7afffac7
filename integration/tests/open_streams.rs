//! What stays open is decided again: a WebSocket, a gRPC stream and a request without an answer yet end within 1.5 s of
//! what takes away their permission, idle ones too, and nobody else's do.

use std::net::TcpStream;
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use axum::http::Request as Http2Request;
use partywall_integration::access_log::{Hop, Line};
use partywall_integration::http2::{self, App, OpenAnswer, Reply};
use partywall_integration::issuers::Provider::Shared;
use partywall_integration::issuers::{Token, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::stand_in;
use partywall_integration::variant::Variant;
use partywall_integration::{cli, grpc, wait, websocket};

const ROUTES: &str =
    "                      routes:\n                        - match: { path_separated_prefix: /invoices }\n";
const GRPC_ROUTES: &str = r#"                      routes:
                        - match: { prefix: /shop.Orders/ }
                          route: { cluster: orders, timeout: 0s }
                        - match: { path_separated_prefix: /invoices }
"#;
const SOCKET: &str =
    "\n  - { http: \"GET /invoices/{id}/live\", action: \"invoices:live\", resource: Invoice, id: id, owner: none }\n";
const WATCH: &str = "\n  - { grpc: \"shop.Orders/Watch\", action: \"orders:read\", resource: Order, owner: none }\n";
const LIVE_IS_FOR_VIEWERS: &str = "
@id(\"viewers-live\")
permit (principal in Role::\"viewer\", action == Action::\"invoices:live\", resource)
when { principal.tenant == resource.tenant };
";
/// Who issues the tokens here.
const ISSUER: &str = "https://id.shared.example";
/// A bundle is asked for every three seconds.
const BUNDLE: Duration = Duration::from_secs(10);
/// An overlay is issued anew every 15 s.
const REISSUED: Duration = Duration::from_secs(17);

static MESH: LazyLock<Running> = LazyLock::new(|| {
    let mut variant = Variant::prepare("open-streams", &["edge", "invoices", "orders"]).unwrap();
    variant.append("services/invoices.yaml", SOCKET).unwrap();
    variant.append("services/orders.yaml", WATCH).unwrap();
    variant.append("policies/readers.cedar", LIVE_IS_FOR_VIEWERS).unwrap();
    variant.envoy("edge", ROUTES, GRPC_ROUTES).unwrap();
    variant.envoy("orders", http2::APP, http2::APP_WITH_HTTP2).unwrap();
    variant.envoy("orders", "{ cluster: app, timeout: 15s }", "{ cluster: app, timeout: 0s }").unwrap();
    websocket::allow(&mut variant).unwrap();
    stand_in::connections(variant.site.ports.invoices_app, websocket::echo).unwrap();
    App::start(variant.site.ports.orders_app, order).unwrap();
    let running = variant.start(&[]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound]).unwrap();
    running
});
/// One overlay, one command at a time.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The app of `invoices`: says back what it is told, for as long as it is told something.
/// The app of `orders`: a stream says one thing and stays open; an order takes longer than anybody waits here.
fn order(seen: &http2::Seen) -> Reply {
    if seen.path == "/shop.Orders/Watch" {
        return Reply { stays_open: true, ..grpc::reply(&[b"watching"]) };
    }
    thread::sleep(LIVE * 4);
    Reply::default()
}

fn bearer(token: &Token, jti: &str) -> String {
    format!("Bearer {}", MESH.site.issuers.token(token, jti).unwrap())
}

struct Socket {
    stream: TcpStream,
    request_id: String,
}

impl Socket {
    fn open(tenant: &'static str, jti: &str) -> Self {
        Self::try_open(tenant, jti).unwrap_or_else(|head| panic!("{head}"))
    }

    /// The head of the answer, where it is no upgrade.
    fn try_open(tenant: &'static str, jti: &str) -> Result<Self, String> {
        let request = Request::get(&format!("/invoices/{}/live", unique()))
            .header("host", format!("{tenant}.shop.example"))
            .header("authorization", bearer(&viewer(Shared, tenant), jti));
        let (stream, head) = websocket::open(MESH.site.address(Hop::Edge), request).unwrap();
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(head);
        }
        let request_id = websocket::header(&head, "x-request-id");
        let mut socket = Self { stream, request_id };
        assert!(socket.is_open());
        Ok(socket)
    }

    fn is_open(&mut self) -> bool {
        websocket::is_open(&mut self.stream)
    }

    /// Waits, without a word, until the other side ends it.
    fn ends(&mut self, limit: Duration) -> Option<Instant> {
        self.stream.set_read_timeout(Some(limit)).unwrap();
        let told = websocket::receive(&mut self.stream).unwrap_err();
        let io = told.downcast_ref::<std::io::Error>().unwrap();
        let still_open = matches!(io.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        (!still_open).then(Instant::now)
    }
}

fn watch(tenant: &'static str) -> OpenAnswer {
    let request = Http2Request::post(format!("http://{tenant}.shop.example/shop.Orders/Watch"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", bearer(&viewer(Shared, tenant), &unique()));
    let answer = http2::open(MESH.site.address(Hop::Edge), request.body(()).unwrap()).unwrap();
    assert_eq!((answer.status, http2::text(&answer.headers, "content-type").as_str()), (200, "application/grpc"));
    answer
}

/// When it is reset: its answer had begun, so that no other one can follow.
fn reset(watch: &mut OpenAnswer) -> Instant {
    let cause = watch.ended(LIVE * 3).expect("a gRPC stream stays open").expect_err("it ends as if all were well");
    assert!(cause.is_reset() || cause.is_go_away() || cause.is_io(), "{cause}");
    Instant::now()
}

fn run(arguments: &[&str]) -> Instant {
    let (given, bundles) = (Instant::now(), MESH.site.bundles());
    cli::run(&[arguments, &["--dir", cli::text(&bundles).unwrap()]].concat()).unwrap();
    given
}

/// The line of a request in the edge's log, which comes with its end.
fn line(request_id: &str) -> Line {
    MESH.line(Hop::Edge, request_id).unwrap()
}

/// Told to be ended by the edge or by the sidecar, whichever heard of it first.
fn ended(reason: &str) -> f64 {
    let count = |workload| {
        MESH.envoy(workload).unwrap().metric("partywall_authorization_streams_ended_total", &[("reason", reason)])
    };
    ["edge", "invoices", "orders"].into_iter().map(|workload| count(workload).unwrap_or(0.0)).sum()
}

#[test]
fn what_a_suspended_tenant_has_open_ends_and_nobody_elses_does() {
    let _turn = turn();
    let mut sockets: Vec<Socket> = (0..8).map(|_| Socket::open("globex", &unique())).collect();
    let mut watches: Vec<OpenAnswer> = (0..8).map(|_| watch("globex")).collect();
    let (mut other_socket, mut other_watch) = (Socket::open("initech", &unique()), watch("initech"));
    let slow = Request::get(&format!("/orders/{}", unique()))
        .header("host", "globex.shop.example")
        .header("authorization", bearer(&viewer(Shared, "globex"), &unique()));
    let before = ended("tenant_suspended");
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let answer: Response = slow.send(MESH.site.address(Hop::Edge)).unwrap();
            (answer, Instant::now())
        });
        thread::sleep(Duration::from_millis(200));

        let given = run(&["tenant", "suspend", "globex"]);
        let sockets: Vec<_> = sockets
            .iter_mut()
            .map(|socket| scope.spawn(move || socket.ends(LIVE * 3).expect("a WebSocket stays open") - given))
            .collect();
        let watches: Vec<_> = watches.iter_mut().map(|watch| scope.spawn(move || reset(watch) - given)).collect();
        for (what, ended) in [("idle WebSockets", sockets), ("idle gRPC streams", watches)] {
            let after: Vec<_> = ended.into_iter().map(|one| one.join().unwrap().as_millis()).collect();
            println!("{what} ended so many ms after the command: {after:?}");
            assert!(after.iter().all(|after| *after <= LIVE.as_millis()), "{what}: {after:?}");
        }
        let (answer, at) = slow.join().unwrap();
        println!("a request without an answer yet was denied {} ms after the command", (at - given).as_millis());
        assert_eq!((answer.status, answer.reason().as_str()), (403, "forbidden"), "{answer:?}");
        assert!(at - given <= LIVE, "{:?}", at - given);
    });
    assert!(ended("tenant_suspended") >= before + 17.0, "{} before, {} now", before, ended("tenant_suspended"));
    for socket in &sockets {
        let line = line(&socket.request_id);
        let told = ["decision", "reason"].map(|name| line.field(name));
        // Where the sidecar heard of it first, the edge was told no more than that its upstream went.
        assert!(told == ["deny", "tenant_suspended"] || told[0] == "allow", "{told:?}");
    }
    assert!(other_socket.is_open() && other_watch.ended(Duration::from_millis(10)).is_none());
    run(&["tenant", "resume", "globex"]);
    let opens = || Socket::try_open("globex", &unique()).is_ok().then_some(());
    wait::until(LIVE, opens).expect("resumed");
}

#[test]
fn a_revoked_token_ends_what_it_opened_and_an_overlay_issued_anew_ends_nothing() {
    let _turn = turn();
    let (revoked, other) = (unique(), unique());
    let (mut first, mut second) = (Socket::open("initech", &revoked), Socket::open("initech", &other));
    let mut stream = watch("initech");
    let given = run(&["revoke", "token", "--issuer", ISSUER, "--jti", &revoked]);
    let after = first.ends(LIVE * 3).expect("stays open") - given;
    println!("the WebSocket of a revoked token ended {} ms after the command", after.as_millis());
    assert!(after <= LIVE, "{after:?}");
    let told = line(&first.request_id);
    assert_eq!(["decision", "reason"].map(|name| told.field(name)), ["deny", "credential_revoked"]);
    assert!(second.is_open(), "another token of the same person");

    thread::sleep(REISSUED);
    assert!(second.is_open());
    assert!(stream.ended(Duration::from_millis(10)).is_none());
}

#[test]
fn a_bundle_that_no_longer_permits_it_ends_it() {
    let _turn = turn();
    let (mut socket, mut stream) = (Socket::open("initech", &unique()), watch("initech"));
    let tenancy = MESH.site.directory.join("tenancy");
    let file = tenancy.join("policies/readers.cedar");
    let policies = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, policies.replace(LIVE_IS_FOR_VIEWERS, "")).unwrap();
    let publish = |revision| compile(&tenancy, &MESH.site.keys(), &MESH.site.bundles(), Some(revision)).unwrap();
    publish(FIRST_REVISION + 2);
    socket.ends(BUNDLE).expect("stays open");
    // The log tells it at the hop that heard of it first.
    wait::until(LIVE, || (ended("policy_denied") >= 1.0).then_some(())).expect("counted");
    assert!(stream.ended(Duration::from_millis(10)).is_none(), "orders are read as before");

    std::fs::write(&file, policies).unwrap();
    publish(FIRST_REVISION + 3);
    // At every worker.
    let opens = || (0..12).all(|_| Socket::try_open("initech", &unique()).is_ok()).then_some(());
    wait::until(BUNDLE, opens).expect("permitted again");
}
