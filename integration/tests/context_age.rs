//! A context serves a slow request as long as the called service lets it: long requests, retries and slow fan-out within
//! `max_context_age` work, and beyond it the answer is `context_expired`.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::viewer;
use partywall_integration::mesh::unique;
use partywall_integration::ports::local;
use partywall_integration::raw::{Request, Response};
use partywall_integration::roots::Root;
use partywall_integration::running::Running;
use partywall_integration::stand_in::{Says, Seen, StandIn};
use partywall_integration::variant::Variant;

/// `max_context_age` of `orders` here; clocks may differ by 30 s more.
const AGE: u64 = 30;
const SKEW: u64 = 30;

struct Shop {
    mesh: Running,
    orders: StandIn,
    seed: Vec<u8>,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("context-age", &["edge", "invoices", "orders"]).unwrap();
    variant.replace("services/orders.yaml", "max_context_age: 2m", &format!("max_context_age: {AGE}s")).unwrap();
    let (route, tried) = (
        "route: { cluster: orders, timeout: 15s }",
        "route: { cluster: orders, timeout: 15s, retry_policy: { retry_on: 5xx, num_retries: 3 } }",
    );
    variant.envoy("invoices", route, tried).unwrap();
    // Longer than the sample's 15 s.
    let (edge, app) = ("route: { cluster: invoices, timeout: 15s }", "route: { cluster: app, timeout: 15s }");
    variant.envoy("edge", edge, &edge.replace("15s", "60s")).unwrap();
    variant.envoy("invoices", app, &app.replace("15s", "60s")).unwrap();
    let (ports, outbound) = (variant.site.ports, local(variant.site.ports.invoices_outbound));
    StandIn::start(ports.invoices_app, move |seen, _| fan_out(seen, outbound)).unwrap();
    // Twice out of order, then good, for each `flaky` one.
    let orders = StandIn::start(ports.orders_app, |seen, before| {
        Says(if seen.path.ends_with("flaky") && before < 2 { 503 } else { 200 }, Vec::new())
    })
    .unwrap();
    let seed = variant.site.signing_seed().unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&Hop::ALL).unwrap();
    Shop { mesh, orders, seed }
});

/// `/invoices/<mark>?0,3,flaky` calls `orders` at once, after three more seconds, and for a flaky order; the answer
/// tells the statuses.
fn fan_out(seen: &Seen, outbound: SocketAddr) -> Says {
    let Some((path, steps)) = seen.path.split_once('?') else { return Says(200, Vec::new()) };
    let mark = path.rsplit('/').next().unwrap();
    let statuses: Vec<_> = steps
        .split(',')
        .enumerate()
        .map(|(nth, step)| {
            thread::sleep(Duration::from_secs(step.parse().unwrap_or(0)));
            let id = format!("{mark}-{nth}-{step}");
            let call =
                Request::get(&format!("/orders/{id}")).header("host", "orders").header("x-request-id", id.as_str());
            let carried = ["traceparent", "tracestate"].map(|name| (name, seen.all(name)));
            let call = carried.iter().fold(call, |call, (name, values)| call.header(name, values[0].as_str()));
            call.send(outbound).map_or("none".to_owned(), |answer| answer.status.to_string())
        })
        .collect();
    Says(200, vec![("x-called", statuses.join(","))])
}

impl Shop {
    /// The edge's own request to `invoices`, with a root that it signed `age` seconds ago.
    fn invoice(&self, mark: &str, age: u64, steps: &str) -> Response {
        let root = Root::of("acme", age).signed(&self.seed).unwrap();
        let request = Request::get(&format!("/invoices/{mark}?{steps}"))
            .header("host", "invoices")
            .header("x-request-id", mark)
            .header("x-partywall-context", root);
        self.mesh.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap()
    }

    /// The exact reason of the nth call that was caused by `mark`.
    fn reason(&self, hop: Hop, id: &str) -> String {
        self.mesh.line(hop, id).unwrap().field("reason").trim_start_matches('-').into()
    }
}

fn called(answer: &Response) -> &str {
    answer.header("x-called").unwrap_or_default()
}

#[test]
fn a_long_request_calls_on_for_its_tenant_while_it_lasts() {
    let mark = unique();
    let token = SHOP.mesh.site.issuers.token(&viewer(Acme, "acme"), &mark).unwrap();
    let request = Request::get(&format!("/invoices/{mark}?0,3,flaky,4"))
        .header("host", "acme.shop.example")
        .header("authorization", format!("Bearer {token}"));
    let answer = SHOP.mesh.send(Hop::Edge, Workload::Edge, &request);
    let seen = SHOP.orders.seen(&mark);
    let told: Vec<_> = seen.iter().flat_map(|seen| seen.all("x-partywall-tenant")).collect();
    assert_eq!(called(&answer.unwrap()), "200,200,200,200");
    // Three tries of the flaky one.
    assert_eq!(told, ["acme"; 6]);
    let roots: Vec<_> = seen.iter().flat_map(|seen| seen.all("x-partywall-context")).collect();
    assert!(roots.len() == 6 && roots.iter().all(|root| *root == roots[0]), "one root for calls and tries");
}

#[test]
fn a_slow_fan_out_ends_where_the_called_service_ends_it() {
    let mark = unique();
    // Within the age at first, and beyond it six seconds later, on the way through the same request.
    let answer = SHOP.invoice(&mark, AGE + SKEW - 4, "0,6,flaky");
    assert_eq!(called(&answer), "200,401,401");
    assert_eq!(SHOP.reason(Hop::InvoicesOutbound, &format!("{mark}-1-6")), "context_expired");
    assert_eq!(SHOP.reason(Hop::InvoicesOutbound, &format!("{mark}-2-flaky")), "context_expired");
    assert_eq!(SHOP.orders.seen(&mark).len(), 1);
}

#[test]
fn its_expiry_binds_the_one_who_signed_and_the_age_everybody_else() {
    // 60 s and what clocks may differ by.
    let (good, late) = (unique(), unique());
    assert_eq!(SHOP.invoice(&good, 85, "").status, 200);
    let answer = SHOP.invoice(&late, 95, "0");
    assert_eq!((answer.status, SHOP.reason(Hop::InvoicesInbound, &late).as_str()), (401, "context_expired"));
    // Around the sidecar's own outbound filter it is the next one that says no.
    for (age, status, reason) in [(AGE + SKEW - 5, 200, ""), (AGE + SKEW + 5, 401, "context_expired")] {
        let mark = unique();
        let root = Root::of("acme", age).signed(&SHOP.seed).unwrap();
        let request = Request::get(&format!("/orders/{mark}"))
            .header("host", "orders")
            .header("x-request-id", mark.as_str())
            .header("x-partywall-context", root);
        let answer = SHOP.mesh.send(Hop::OrdersInbound, Workload::Invoices, &request).unwrap();
        assert_eq!((answer.status, SHOP.reason(Hop::OrdersInbound, &mark).as_str()), (status, reason), "{age} s");
        assert_eq!(SHOP.orders.seen(&mark).len(), usize::from(status == 200));
    }
}
