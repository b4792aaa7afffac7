//! The guard on calls of gRPC, from the client through edge and sidecar to an app that forgot whose orders it was asked
//! for: unary calls, streams, errors.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use partywall_integration::access_log::Hop;
use partywall_integration::grpc::{self, Call};
use partywall_integration::http2::{self, App, Reply, Seen, text};
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::unique;
use partywall_integration::running::Running;
use partywall_integration::variant::Variant;

const ROUTES: &str =
    "                      routes:\n                        - match: { path_separated_prefix: /invoices }\n";
const GRPC_ROUTES: &str = r#"                      routes:
                        - match: { prefix: /shop.Orders/ }
                          route: { cluster: orders, timeout: 15s }
                        - match: { path_separated_prefix: /invoices }
"#;

struct Shop {
    mesh: Running,
    orders: App,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("guard-grpc", &["edge", "orders"]).unwrap();
    let operation = |method: &str, response: &str| {
        let rest = r#"action: "orders:read", resource: Order, owner: none"#;
        format!("\n  - {{ grpc: shop.Orders/{method}, {rest}, response: {{ format: grpc, {response} }} }}")
    };
    let operations = [
        operation("Get", r#"owner: "3", hold: 64 KiB"#),
        operation("Watch", r#"owner: "3""#),
        operation("List", r#"owner: "1.*.3", foreign: drop"#),
        operation("Hide", r#"owner: ["1.*.3", "1.*.4"], foreign: mask"#),
        operation("Look", r#"owner: "3", foreign: report, errors: pass"#),
    ];
    variant.append("services/orders.yaml", &(operations.concat() + "\n")).unwrap();
    // So that filters hold where operations do.
    variant.render().unwrap();
    variant.envoy("edge", ROUTES, GRPC_ROUTES).unwrap();
    variant.envoy("orders", http2::APP, http2::APP_WITH_HTTP2).unwrap();
    let orders = App::start(variant.site.ports.orders_app, answer).unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&[Hop::Edge, Hop::OrdersInbound]).unwrap();
    Shop { mesh, orders }
});

/// The app: answers with what it was sent, a message of its own wherever `|` stands; behind `!` an error of its own.
fn answer(seen: &Seen) -> Reply {
    let asked = grpc::messages(&seen.body).ok().and_then(|messages| messages.into_iter().next()).unwrap_or_default();
    if asked.first() == Some(&b'!') {
        let mut reply = grpc::reply::<&[u8]>(&[]);
        reply.trailers.insert("grpc-status", HeaderValue::from_static("5"));
        reply.trailers.insert("grpc-message", HeaderValue::from_static("no order of globex: SECRET"));
        reply.trailers.insert("x-cost", HeaderValue::from_static("7"));
        return reply;
    }
    let messages: Vec<&[u8]> = asked.split(|b| *b == b'|').collect();
    let mut reply = grpc::reply(&messages);
    if asked.ends_with(b"~") {
        // A message that says to be compressed.
        reply.body = vec![[&[1, 0, 0, 0, 6][..], &order("acme")].concat()];
    }
    reply.trailers.insert("x-cost", HeaderValue::from_static("7"));
    reply
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// An order of this tenant.
fn order(tenant: &str) -> Vec<u8> {
    let text = if tenant == "acme" { "x" } else { "SECRET" };
    [field(2, text.as_bytes()), field(3, tenant.as_bytes())].concat()
}

fn listed(tenants: &[&str]) -> Vec<u8> {
    tenants.iter().flat_map(|tenant| field(1, &order(tenant))).collect()
}

fn call(method: &str, messages: &[Vec<u8>]) -> anyhow::Result<Call> {
    let token = SHOP.mesh.site.issuers.token(&accountant(Acme, "acme"), &unique())?;
    let (path, bearer) = (format!("/shop.Orders/{method}?{}", unique()), format!("Bearer {token}"));
    let headers = [("authorization", bearer.as_str()), ("grpc-accept-encoding", "gzip"), ("x-mark", path.as_str())];
    let path = path.split('?').next().unwrap_or_default();
    grpc::call(SHOP.mesh.site.address(Hop::Edge), "acme.shop.example", path, &headers, &messages.join(&b'|'))
}

fn assert_good(call: &Call, messages: &[Vec<u8>]) {
    assert_eq!((call.status.as_str(), &call.messages[..]), ("0", messages), "{:?}", call.answer);
    assert_eq!(text(&call.answer.trailers, "x-cost"), "7", "trailers come as they were");
}

#[test]
fn what_is_the_tenants_own_passes() {
    assert_good(&call("Get", &[order("acme")]).unwrap(), &[order("acme")]);
    let stream = [order("acme"), order("acme"), order("acme")];
    assert_good(&call("Watch", &stream).unwrap(), &stream);
    assert_good(&call("List", &[listed(&["acme", "acme"])]).unwrap(), &[listed(&["acme", "acme"])]);
    assert_good(&call("List", &[listed(&[])]).unwrap(), &[listed(&[])]);
    let seen = SHOP.orders.seen("shop.Orders/Watch");
    assert_eq!(text(&seen[0].headers, "grpc-accept-encoding"), "identity", "the app is asked to answer plainly");
}

#[test]
fn a_foreign_answer_is_a_status_where_it_is_held_and_an_end_where_it_is_not() {
    for messages in [vec![order("globex")], vec![field(2, b"SECRET")], vec![order("acme"), order("globex")]] {
        let denied = call("Get", &messages).unwrap();
        assert_eq!((denied.status.as_str(), denied.messages.len()), ("7", 0), "{:?}", denied.answer);
        assert!(!denied.message.contains("globex") && denied.answer.headers_only, "{:?}", denied.answer);
    }
    let whole = call("Watch", &[order("acme"), order("globex")]);
    assert!(
        !whole.as_ref().is_ok_and(|call| call.status == "0"),
        "nobody may take it for whole: {:?}",
        whole.map(|call| call.messages)
    );
    let compressed = call("Get", &[b"~".to_vec()]).unwrap();
    assert_eq!(compressed.status, "7");
}

#[test]
fn elements_are_left_out_masked_or_reported() {
    assert_good(&call("List", &[listed(&["globex", "acme", "globex"])]).unwrap(), &[listed(&["acme"])]);
    assert_good(&call("List", &[listed(&["globex"])]).unwrap(), &[vec![]]);
    let both = |a: &str, b: &str| field(1, &[field(3, a.as_bytes()), field(4, b.as_bytes())].concat());
    let masked = [both("acme", "acme"), field(1, &[]), field(1, &[])].concat();
    let answer = [both("acme", "acme"), both("acme", "globex"), both("globex", "acme")].concat();
    assert_good(&call("Hide", &[answer]).unwrap(), &[masked]);
    assert_good(&call("Look", &[order("globex")]).unwrap(), &[order("globex")]);
    for envoy in ["edge", "orders"] {
        let envoy = SHOP.mesh.envoy(envoy).unwrap();
        let reported = envoy.metric("partywall_guard_elements_total", &[("outcome", "reported")]).unwrap();
        assert!(reported >= 1.0, "both of them look");
    }
}

#[test]
fn the_text_of_an_error_is_left_out() {
    let error = call("Get", &[b"!".to_vec()]).unwrap();
    assert_eq!((error.status.as_str(), error.message.as_str()), ("5", ""), "{:?}", error.answer);
    let passed = call("Look", &[b"!".to_vec()]).unwrap();
    assert_eq!((passed.status.as_str(), passed.message.as_str()), ("5", "no order of globex: SECRET"));
}
