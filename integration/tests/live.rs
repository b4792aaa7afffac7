//! What is taken away is gone within 1.5 s of the command, at the edge and at both sidecars.

use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request as Incoming, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as Answer};
use partywall_integration::access_log::{Hop, Line};
use partywall_integration::certificates::Workload;
use partywall_integration::cli;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, SIDECAR, unique};
use partywall_integration::play::LIVE;
use partywall_integration::ports::{free, local};
use partywall_integration::raw::{Request, Response};
use partywall_integration::wait;

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("live")).unwrap());
/// One overlay, one command at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Reading an invoice would lead to `orders`, and its sidecar would be asked as well.
const LIST: &str = "/tenants/acme/invoices";

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Asks again and again until this very hop denies; the time from `given` to the first question so answered.
/// A hop behind it may have denied before, and tells another reason or none.
fn first_denial(given: Instant, ask: impl Fn() -> Response, told: &str) -> Duration {
    let answered = wait::until(LIVE * 2, || {
        let asked = Instant::now();
        (ask().reason() == told).then(|| asked - given)
    });
    answered.expect("never denied")
}

/// From a workload with a root that was minted before.
fn replay<'a>(hop: Hop, workload: Workload, path: &'a str, root: &'a str) -> impl Fn() -> Response + Send + 'a {
    move || {
        let request = Request::get(path).header("host", "any").header("x-partywall-context", root);
        MESH.send(hop, workload, &request).unwrap()
    }
}

#[test]
fn a_suspended_tenant_is_denied_everywhere_and_by_every_worker() {
    let _turn = turn();
    let root = MESH.capture("globex", &accountant(Shared, "globex")).unwrap().root;
    let list = "/tenants/globex/invoices";
    let at_edge = || MESH.ask(&MESH.client("GET", "globex", list, &accountant(Shared, "globex")).unwrap()).unwrap();
    let at_invoices = replay(Hop::InvoicesInbound, Workload::Edge, list, &root);
    let at_orders = replay(Hop::OrdersInbound, Workload::Invoices, "/orders/1", &root);
    assert_eq!((at_edge().status, at_invoices().status, at_orders().status), (200, 200, 200));

    let given = MESH.tenant("suspend", "globex").unwrap();
    let measured = thread::scope(|scope| {
        let edge = scope.spawn(|| first_denial(given, at_edge, "forbidden"));
        let invoices = scope.spawn(|| first_denial(given, &at_invoices, "tenant_suspended"));
        let orders = scope.spawn(|| first_denial(given, &at_orders, "tenant_suspended"));
        [("edge", edge), ("invoices", invoices), ("orders", orders)].map(|(name, t)| (name, t.join().unwrap()))
    });
    for (name, after) in measured {
        println!("suspended: first denial at {name} {} ms after the command", after.as_millis());
        assert!(after <= LIVE, "{name}: {after:?}");
    }
    thread::sleep(LIVE.saturating_sub(given.elapsed()));
    for _ in 0..20 {
        assert_eq!((at_edge().status, at_invoices().status, at_orders().status), (403, 403, 403));
    }
    let acme = MESH.client("GET", "acme", LIST, &accountant(Acme, "acme")).unwrap();
    assert_eq!(MESH.ask(&acme).unwrap().status, 200, "nobody else is concerned");

    MESH.tenant("resume", "globex").unwrap();
    wait::until(LIVE, || {
        (at_edge().status == 200 && at_invoices().status == 200 && at_orders().status == 200).then_some(())
    })
    .expect("resumed");
}

#[test]
fn a_quarantined_tenant_is_denied_and_the_log_says_so() {
    let _turn = turn();
    let given = MESH.tenant("quarantine", "initech").unwrap();
    let token = accountant(Shared, "initech");
    let ask = || MESH.ask(&MESH.client("GET", "initech", "/tenants/initech/invoices", &token).unwrap()).unwrap();
    let after = first_denial(given, ask, "forbidden");
    println!("quarantined: first denial {} ms after the command", after.as_millis());
    assert!(after <= LIVE, "{after:?}");
    // Whichever hop heard of it first denies; before long it is the edge.
    let at_edge = || MESH.lines().into_iter().find(|l| l.hop == Hop::Edge && l.field("reason") == "tenant_quarantined");
    wait::until(LIVE, || {
        ask();
        at_edge()
    })
    .expect("the edge denies and says why");
    MESH.tenant("resume", "initech").unwrap();
}

#[test]
fn a_revoked_token_is_denied_and_another_of_the_same_person_is_not() {
    let _turn = turn();
    let (revoked, other) = (unique(), unique());
    let ask = |id: &str| {
        let bearer = format!("Bearer {}", MESH.site.issuers.token(&accountant(Acme, "acme"), id).unwrap());
        let request = Request::get(LIST).header("host", "acme.shop.example").header("authorization", bearer);
        MESH.ask(&request).unwrap()
    };
    assert_eq!((ask(&revoked).status, ask(&other).status), (200, 200));
    let given = Instant::now();
    let bundles = MESH.site.bundles();
    let issuer = "https://id.acme.example";
    let dir = cli::text(&bundles).unwrap();
    cli::run(&["revoke", "token", "--issuer", issuer, "--jti", &revoked, "--dir", dir]).unwrap();
    let after = first_denial(given, || ask(&revoked), "unauthenticated");
    println!("revoked: first denial {} ms after the command", after.as_millis());
    assert!(after <= LIVE, "{after:?}");
    MESH.line(|line| line.field("reason") == "credential_revoked").unwrap();
    assert_eq!(ask(&other).status, 200);
}

/// How long the bundle server of the test below takes for an overlay. The module gives up after 0.9 s.
const SLOW: Duration = Duration::from_millis(600);

#[test]
fn a_suspension_is_still_seen_after_listeners_were_replaced_while_an_overlay_was_under_way() {
    let mut mesh = Mesh::start(&Options::named("live-listeners")).unwrap();
    let server = tokio::runtime::Runtime::new().unwrap();
    let [other, slow] = free().unwrap();
    let (edge, bundles) = (mesh.site.ports.edge, mesh.site.ports.bundles);
    let relay = Router::new().fallback(slowly).with_state(bundles);
    let listener = server.block_on(tokio::net::TcpListener::bind(local(slow))).unwrap();
    server.spawn(async move { axum::serve(listener, relay).await });

    let watched = mesh.site.directory.join("listeners.yaml");
    let mut listeners = String::new();
    mesh.restart("edge", |bootstrap| {
        let placed = bootstrap.with_filters(SIDECAR)?.address("127.0.0.1", bundles, slow)?;
        let (bootstrap, taken) = placed.listeners_from(&watched)?;
        listeners = taken;
        put_listeners(&watched, &[named(&listeners, "edge", edge, edge), named(&listeners, "other", edge, other)]);
        Ok(bootstrap)
    })
    .unwrap();
    // An overlay is asked for each second, so more often than not one is under way.
    for _ in 0..5 {
        put_listeners(&watched, &[named(&listeners, "edge", edge, edge)]);
        thread::sleep(Duration::from_millis(2300));
        put_listeners(&watched, &[named(&listeners, "edge", edge, edge), named(&listeners, "other", edge, other)]);
        thread::sleep(Duration::from_millis(700));
    }

    let token = accountant(Acme, "acme");
    let ask = || mesh.ask(&mesh.client("GET", "acme", LIST, &token).unwrap()).unwrap();
    assert_eq!(ask().status, 200);
    mesh.tenant("suspend", "acme").unwrap();
    // The promise, the time that an overlay takes here, and the time after which an answer is given up that
    // nobody is there to hear.
    wait::until(Duration::from_secs(4), || {
        let id = ask().header("x-request-id").unwrap().to_owned();
        let logged = |line: &Line| line.hop == Hop::Edge && line.field("request_id") == id;
        (mesh.line(logged).unwrap().field("reason") == "tenant_suspended").then_some(())
    })
    .expect("the edge sees the suspension");
}

/// The edge's listener under another name and port.
fn named(listener: &str, name: &str, from: u16, port: u16) -> String {
    let kind = "type.googleapis.com/envoy.config.listener.v3.Listener";
    let item = format!("    - \"@type\": {kind}\n      name: {name}\n");
    let named = listener.replacen("    - name: edge\n", &item, 1);
    named.replace(&format!("port_value: {from} }}"), &format!("port_value: {port} }}"))
}

/// Envoy reads the file when one is moved there.
fn put_listeners(watched: &Path, listeners: &[String]) {
    let beside = watched.with_extension("new");
    fs::write(&beside, format!("resources:\n{}", listeners.concat())).unwrap();
    fs::rename(beside, watched).unwrap();
}

async fn slowly(State(bundles): State<u16>, request: Incoming) -> Answer {
    let path = request.uri().path().to_owned();
    if path.contains("overlay") {
        tokio::time::sleep(SLOW).await;
    }
    let mut asked = Request::get(&path).header("host", "bundles");
    if let Some(etag) = request.headers().get("if-none-match") {
        asked = asked.header("if-none-match", etag.as_bytes());
    }
    let answered = tokio::task::spawn_blocking(move || asked.send(local(bundles))).await;
    let Ok(Ok(answered)) = answered else { return StatusCode::BAD_GATEWAY.into_response() };
    let etag = answered.header("etag").unwrap_or_default().to_owned();
    (StatusCode::from_u16(answered.status).unwrap(), [("etag", etag)], answered.body).into_response()
}
