//! HTTP/2 and gRPC from the client to the last app: the context goes on by its handle, and a denial is told in the
//! protocol's own words.

use std::net::SocketAddr;
use std::sync::LazyLock;

use axum::http::{HeaderMap, Request};
use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::grpc::{self, Call};
use partywall_integration::http2::{self, App, Reply, Seen, Tls, text};
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Fault, Token, accountant, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::ports::local;
use partywall_integration::running::Running;
use partywall_integration::variant::Variant;

const ROUTES: &str =
    "                      routes:\n                        - match: { path_separated_prefix: /invoices }\n";
const GRPC_ROUTES: &str = r#"                      routes:
                        - match: { prefix: /shop.Invoices/ }
                          route: { cluster: invoices, timeout: 15s }
                        - match: { prefix: /shop.Orders/ }
                          route: { cluster: orders, timeout: 15s }
                        - match: { path_separated_prefix: /invoices }
"#;
/// What is `http` here is reached by no call of gRPC, and the other way round.
const INVOICES: &str = r#"
  - { grpc: shop.Invoices/Get, action: "invoices:read", resource: Invoice, owner: none }
  - { grpc: "shop.Invoices/*", action: "invoices:delete", resource: Invoice, owner: none }
"#;
const ORDERS: &str = r#"
  - { grpc: shop.Orders/Get, action: "orders:read", resource: Order, owner: none }
  - { grpc: shop.Orders/List, action: "orders:list", resource: Order, owner: none }
  - { http: "POST /shop.Orders/Plain", action: "orders:read", resource: Order, owner: none }
"#;

/// Every app speaks HTTP/2; `invoices` calls `orders` for what it is asked.
struct Shop {
    mesh: Running,
    invoices: App,
    orders: App,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut variant = Variant::prepare("protocols", &["edge", "invoices", "orders"]).unwrap();
    variant.append("services/invoices.yaml", INVOICES).unwrap();
    variant.append("services/orders.yaml", ORDERS).unwrap();
    variant.envoy("edge", ROUTES, GRPC_ROUTES).unwrap();
    for sidecar in ["invoices", "orders"] {
        variant.envoy(sidecar, http2::APP, http2::APP_WITH_HTTP2).unwrap();
    }
    let ports = variant.site.ports;
    let outbound = local(ports.invoices_outbound);
    let invoices = App::start(ports.invoices_app, move |seen| invoice(seen, outbound)).unwrap();
    let orders = App::start(ports.orders_app, order).unwrap();
    let mesh = variant.start(&[]).unwrap();
    mesh.wait_for_policy(&Hop::ALL).unwrap();
    Shop { mesh, invoices, orders }
});

/// What a tracing library carries along.
fn carried(seen: &Seen) -> Vec<(&'static str, String)> {
    ["traceparent", "tracestate"].map(|name| (name, text(&seen.headers, name))).into()
}

fn invoice(seen: &Seen, outbound: SocketAddr) -> Reply {
    let carried = carried(seen);
    let carried: Vec<(&str, &str)> = carried.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if let Some(asked) = grpc::messages(&seen.body).ok().and_then(|messages| messages.into_iter().next()) {
        let call = grpc::call(outbound, "orders", "/shop.Orders/Get", &carried, &asked).unwrap();
        let answers = if call.status == "0" { call.messages } else { vec![call.status.into_bytes()] };
        return grpc::reply(&answers);
    }
    let id = seen.path.rsplit('/').next().unwrap();
    let request = carried.iter().fold(Request::get(format!("http://orders/orders/{id}")), |request, (name, value)| {
        request.header(*name, *value)
    });
    let answer = http2::send(outbound, None, request.body(()).unwrap(), &[], None).unwrap();
    Reply { body: vec![answer.status.to_string().into_bytes(), b" ".to_vec(), answer.body], ..Reply::default() }
}

fn order(seen: &Seen) -> Reply {
    let asked = grpc::messages(&seen.body).ok().and_then(|messages| messages.into_iter().next()).unwrap_or_default();
    match seen.path.as_str() {
        "/shop.Orders/List" => grpc::reply(&[b"first".to_vec(), asked, b"last".to_vec()]),
        "/shop.Orders/Get" => grpc::reply(&[asked]),
        _ => Reply { body: vec![b"an order".to_vec()], ..Reply::default() },
    }
}

/// As the app behind a hop was told.
fn told(seen: &[Seen], name: &str) -> Vec<String> {
    let values = seen.iter().flat_map(|seen| seen.headers.get_all(name));
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn bearer(token: &Token) -> String {
    format!("Bearer {}", SHOP.mesh.site.issuers.token(token, &unique()).unwrap())
}

/// A client's call at the edge, with headers that claim another identity.
fn call(path: &str, tenant: &str, bearer: &str, message: &[u8]) -> Call {
    let headers = [
        ("authorization", bearer),
        ("x-partywall-tenant", "globex"),
        ("x-tenant-id", "globex"),
        ("x-forwarded-host", "globex"),
    ];
    let authority = format!("{tenant}.shop.example");
    grpc::call(SHOP.mesh.site.address(Hop::Edge), &authority, path, &headers, message).unwrap()
}

/// The exact reason in the log of the edge.
fn edge_reason(answer: &HeaderMap) -> String {
    SHOP.mesh.line(Hop::Edge, &text(answer, "x-request-id")).unwrap().field("reason")
}

fn assert_told_as(seen: &[Seen], tenant: &str, principal: &str) {
    assert_eq!(told(seen, "x-partywall-tenant"), [tenant]);
    assert_eq!(told(seen, "x-partywall-principal"), [principal]);
    for name in ["x-tenant-id", "x-forwarded-host", "x-forwarded-client-cert"] {
        assert!(told(seen, name).is_empty(), "{name}");
    }
}

#[test]
fn http2_from_end_to_end_carries_the_context_by_its_handle() {
    let edge = SHOP.mesh.site.address(Hop::Edge);
    let ask = |method: &str, mark: &str, token: &Token| {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://acme.shop.example/invoices/{mark}"))
            .header("authorization", bearer(token))
            .header("x-partywall-tenant", "globex");
        http2::send(edge, None, request.body(()).unwrap(), &[], None).unwrap()
    };
    let mark = unique();
    let answer = ask("GET", &mark, &accountant(Acme, "acme"));
    assert_eq!((answer.status, answer.body), (200, b"200 an order".to_vec()));
    let (first, second) = (SHOP.invoices.seen(&mark), SHOP.orders.seen(&mark));
    assert_told_as(&first, "acme", "alice");
    assert_told_as(&second, "acme", "alice");
    assert_eq!(told(&first, "x-partywall-context"), told(&second, "x-partywall-context"), "one root, unchanged");

    let mark = unique();
    let answer = ask("DELETE", &mark, &viewer(Acme, "acme"));
    assert_eq!((answer.status, edge_reason(&answer.headers).as_str()), (403, "policy_denied"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(SHOP.invoices.seen(&mark).is_empty());
}

#[test]
fn http2_over_mutual_tls_counts_for_the_workload_of_its_certificate() {
    let (to, mark) = (SHOP.mesh.site.address(Hop::OrdersInbound), unique());
    let root = {
        let request = Request::get(format!("http://acme.shop.example/orders/{mark}"))
            .header("authorization", bearer(&viewer(Acme, "acme")));
        let edge = SHOP.mesh.site.address(Hop::Edge);
        assert_eq!(http2::send(edge, None, request.body(()).unwrap(), &[], None).unwrap().status, 200);
        told(&SHOP.orders.seen(&mark), "x-partywall-context").pop().unwrap()
    };
    let ask = |workload: Workload, mark: &str| {
        let tls = Tls { sni: Some("orders"), client: Some(SHOP.mesh.site.certificates.of(workload).for_rustls()) };
        let request = Request::get(format!("https://orders/orders/{mark}")).header("x-partywall-context", &root);
        http2::send(to, Some(tls), request.body(()).unwrap(), &[], None).unwrap()
    };
    let mark = unique();
    assert_eq!(ask(Workload::Invoices, &mark).status, 200);
    assert_told_as(&SHOP.orders.seen(&mark), "acme", "bob");
    let mark = unique();
    let denied = ask(Workload::Reports, &mark);
    assert_eq!((denied.status, denied.header("x-partywall-reason").as_str()), (403, "caller_denied"));
    assert!(SHOP.orders.seen(&mark).is_empty());
}

#[test]
fn a_unary_call_goes_on_to_the_next_service_for_its_tenant() {
    let mark = unique();
    let came = call("/shop.Invoices/Get", "acme", &bearer(&viewer(Acme, "acme")), mark.as_bytes());
    assert_eq!((came.status.as_str(), came.messages), ("0", vec![mark.clone().into_bytes()]));
    for app in [&SHOP.invoices, &SHOP.orders] {
        assert_told_as(&app.seen(&mark), "acme", "bob");
    }
}

#[test]
fn a_stream_of_messages_comes_whole() {
    let mark = unique();
    let came = call("/shop.Orders/List", "acme", &bearer(&viewer(Acme, "acme")), mark.as_bytes());
    assert_eq!(came.status, "0", "{came:?}");
    assert_eq!(came.messages, [b"first".to_vec(), mark.clone().into_bytes(), b"last".to_vec()]);
    assert_told_as(&SHOP.orders.seen(&mark), "acme", "bob");
}

#[test]
fn a_plain_post_reaches_no_operation_of_grpc_nor_a_call_one_of_http() {
    let edge = SHOP.mesh.site.address(Hop::Edge);
    let viewer = bearer(&viewer(Acme, "acme"));
    let called = call("/shop.Orders/Plain", "acme", &viewer, unique().as_bytes());
    assert_eq!((called.status.as_str(), edge_reason(&called.answer.headers).as_str()), ("7", "resource_unmapped"));
    for (path, content_types, status, reason) in [
        ("/shop.Orders/Plain", &["application/json"][..], 200, ""),
        ("/shop.Orders/Plain", &["application/grpc-web"], 200, ""),
        ("/shop.Orders/Get", &["application/json"], 403, "resource_unmapped"),
        // It is no gRPC, and is answered as plain HTTP.
        ("/shop.Orders/Get", &["application/grpc-web"], 403, "resource_unmapped"),
        ("/shop.Orders/Get", &[], 403, "resource_unmapped"),
        ("/shop.Orders/Get", &["application/json", "application/grpc"], 400, "ambiguous_request"),
        ("/shop.Orders/Get", &["application/json,application/grpc"], 400, "ambiguous_request"),
        ("/shop.Orders/Plain", &["multipart/mixed; type=application/grpc"], 400, "ambiguous_request"),
    ] {
        let mark = unique();
        let request = Request::post(format!("http://acme.shop.example{path}")).header("authorization", &viewer);
        let request = content_types.iter().fold(request, |request, value| request.header("content-type", *value));
        let answer = http2::send(edge, None, request.body(()).unwrap(), &[mark.as_bytes()], None).unwrap();
        let logged = if reason.is_empty() { String::new() } else { edge_reason(&answer.headers) };
        assert_eq!((answer.status, logged.as_str()), (status, reason), "{path} {content_types:?}");
        assert_eq!(SHOP.orders.seen(&mark).is_empty(), !reason.is_empty(), "{path} {content_types:?}");
    }
    let own = Request::builder().method("GRPC").uri("http://acme.shop.example/shop.Orders/Get");
    let own = own.header("authorization", &viewer).body(()).unwrap();
    let answer = http2::send(edge, None, own, &[], None).unwrap();
    assert_eq!((answer.status, edge_reason(&answer.headers).as_str()), (400, "ambiguous_request"));
}

/// gRPC's own codes: 16 UNAUTHENTICATED, 7 PERMISSION_DENIED, 3 INVALID_ARGUMENT.
#[test]
fn a_denied_call_ends_with_its_headers_and_tells_no_reason() {
    let (good, viewer) = (bearer(&accountant(Acme, "acme")), bearer(&viewer(Acme, "acme")));
    let two = format!("{good}, Bearer x");
    let expired = bearer(&accountant(Acme, "acme").with(Fault::Expired));
    let shared = bearer(&accountant(Shared, "nobody"));
    for (tenant, path, bearer, status, word, reason) in [
        ("acme", "/shop.Invoices/Get", "", "16", "unauthenticated", "tenant_missing"),
        ("acme", "/shop.Invoices/Get", &expired, "16", "unauthenticated", "credential_expired"),
        ("globex", "/shop.Invoices/Get", &good, "7", "forbidden", "tenant_conflict"),
        ("acme", "/shop.Invoices/Delete", &viewer, "7", "forbidden", "policy_denied"),
        ("acme", "/shop.Orders/Cancel", &good, "7", "forbidden", "resource_unmapped"),
        ("nobody", "/shop.Orders/List", &shared, "7", "forbidden", "tenant_unknown"),
        ("acme", "/shop.Orders/List", &two, "3", "bad_request", "ambiguous_request"),
    ] {
        let mark = unique();
        let came = call(path, tenant, bearer, mark.as_bytes());
        assert_eq!((came.status.as_str(), came.message.as_str()), (status, word), "{reason}");
        assert_eq!((came.answer.status, came.answer.headers_only), (200, true), "{reason}: {came:?}");
        assert!(came.answer.body.is_empty() && came.answer.trailers.is_empty(), "{came:?}");
        assert_eq!(edge_reason(&came.answer.headers), reason);
        let all = format!("{:?}", came.answer.headers);
        assert!(!all.contains(reason) && !all.contains("x-partywall"), "{all}");
        assert!(SHOP.invoices.seen(&mark).is_empty() && SHOP.orders.seen(&mark).is_empty());
    }
}

#[test]
fn a_sidecar_tells_a_caller_that_is_a_sidecar_why() {
    let mark = unique();
    let tls = |workload| Tls { sni: None, client: Some(SHOP.mesh.site.certificates.of(workload).for_rustls()) };
    let ask = |workload| {
        let request = Request::post("https://orders/shop.Orders/Get").header("content-type", "application/grpc");
        let to = SHOP.mesh.site.address(Hop::OrdersInbound);
        http2::send(to, Some(tls(workload)), request.body(()).unwrap(), &[mark.as_bytes()], None).unwrap()
    };
    for (workload, status, reason) in
        [(Workload::Invoices, "16", "tenant_missing"), (Workload::Reports, "7", "caller_denied")]
    {
        let answer = ask(workload);
        assert!(answer.headers_only, "{answer:?}");
        assert_eq!(
            (answer.header("grpc-status").as_str(), answer.header("x-partywall-reason").as_str()),
            (status, reason)
        );
    }
    assert!(SHOP.orders.seen(&mark).is_empty());
    // The app is told less: it called without a request that caused it.
    let outbound = SHOP.mesh.site.address(Hop::InvoicesOutbound);
    let called = grpc::call(outbound, "orders", "/shop.Orders/Get", &[], mark.as_bytes()).unwrap();
    assert_eq!((called.status.as_str(), called.message.as_str()), ("7", "forbidden"));
    assert!(!called.answer.headers.contains_key("x-partywall-reason") && called.answer.headers_only, "{called:?}");
}
