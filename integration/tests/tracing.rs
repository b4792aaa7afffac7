//! With Envoy's OpenTelemetry tracer on. It writes `traceparent` and `tracestate` between the listener's filters and
//! the cluster's, from what came in; so in sidecars that trace, our filters stand in the upstream chains.

use std::io::Read;
use std::net::TcpListener;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::mesh::unique;
use partywall_integration::raw::{Request, Response};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;
use serde_json::Value;

static TRACED: LazyLock<Running> = LazyLock::new(|| start("tracing", true));
/// The filters are where they stand without a tracer: in the listeners' chains.
static MISPLACED: LazyLock<Running> = LazyLock::new(|| start("tracing-misplaced", false));

fn start(name: &str, placed: bool) -> Running {
    let mut variant = Variant::prepare(name, &["edge", "invoices", "orders"]).unwrap();
    // Whatever is exported is swallowed.
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = collector.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in collector.incoming().flatten() {
            thread::spawn(move || stream.read_to_end(&mut Vec::new()));
        }
    });
    for workload in ["edge", "invoices", "orders"] {
        variant.cluster(workload, "collector", port).unwrap();
        let tracing = format!(
            "server_header_transformation: PASS_THROUGH\n                tracing:\n                  provider:\n                    \
             name: envoy.tracers.opentelemetry\n                    typed_config:\n                      \"@type\": \
             type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig\n                      service_name: \
             {workload}\n                      http_service: {{ http_uri: {{ uri: \"http://collector/v1/traces\", \
             cluster: collector, timeout: 1s }} }}"
        );
        variant.envoy(workload, "server_header_transformation: PASS_THROUGH", &tracing).unwrap();
    }
    if placed {
        variant.into_upstream_chain("invoices", "outbound", "orders").unwrap();
        variant.into_upstream_chain("invoices", "inbound", "app").unwrap();
        variant.into_upstream_chain("orders", "inbound", "app").unwrap();
    }
    let running = variant.start(&[App::Invoices, App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound]).unwrap();
    running
}

fn client(mesh: &Running, tenant: &'static str, path: &str) -> Response {
    mesh.client(tenant, path).unwrap()
}

fn of(seen: &Value, name: &str) -> String {
    headers(seen, name).join(",")
}

fn seen(app: App, mark: &str) -> Value {
    TRACED.seen_of(app, mark).unwrap().pop().expect("it reached the app")
}

fn call(id: &str, more: &[(&str, &str)]) -> (u16, String) {
    TRACED.call(id, more).unwrap()
}

#[test]
fn a_traced_request_goes_on_for_its_tenant_and_each_app_sees_one_handle_of_its_own() {
    for tenant in ["acme", "globex"] {
        let mark = unique();
        let answer = client(&TRACED, tenant, &format!("/invoices/{mark}"));
        assert_eq!(answer.status, 200, "{}", answer.json());
        let (first, second) = (seen(App::Invoices, &mark), seen(App::Orders, &mark));
        assert_eq!(of(&second, "x-partywall-tenant"), tenant);
        assert_eq!(of(&first, "x-partywall-context"), of(&second, "x-partywall-context"));
        for seen in [&first, &second] {
            assert_eq!(of(seen, "tracestate").matches("pw=").count(), 1, "{seen}");
        }
        assert_ne!(of(&first, "tracestate"), of(&second, "tracestate"), "a handle stays in its pod");
        let trace = |seen: &Value| of(seen, "traceparent")[3..35].to_owned();
        assert_eq!(trace(&first), trace(&second), "one trace");
    }
}

#[test]
fn members_of_other_vendors_go_on_and_handles_of_elsewhere_do_not() {
    let mark = unique();
    let root = {
        let first = unique();
        assert_eq!(client(&TRACED, "acme", &format!("/orders/{first}")).status, 200);
        of(&seen(App::Orders, &first), "x-partywall-context")
    };
    let request = Request::get(&format!("/invoices/{mark}"))
        .header("host", "invoices")
        .header("x-partywall-context", root)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("tracestate", format!("congo=t61rcWkgMzE,pw={},rojo=00f067aa0ba902b7", "0".repeat(36)));
    let answer = TRACED.send(Hop::InvoicesInbound, Workload::Edge, &request).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    for app in [App::Invoices, App::Orders] {
        let state = of(&seen(app, &mark), "tracestate");
        assert!(state.starts_with("pw=") && state.ends_with(",congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"), "{state}");
        assert!(!state.contains(&"0".repeat(36)), "{state}");
    }
}

#[test]
fn a_context_ends_with_its_request_and_a_linger_in_the_upstream_chain_as_well() {
    let mark = unique();
    assert_eq!(client(&TRACED, "acme", &format!("/invoices/{mark}")).status, 200);
    let first = seen(App::Invoices, &mark);
    let (parent, state) = (of(&first, "traceparent"), of(&first, "tracestate"));
    let carried = [("traceparent", parent.as_str()), ("tracestate", state.as_str())];
    assert_eq!(call(&unique(), &carried), (200, String::new()));
    thread::sleep(Duration::from_secs(7));
    assert_eq!(call(&unique(), &carried), (403, "context_no_request".into()));
}

#[test]
fn who_is_denied_in_the_upstream_chain_reaches_no_app() {
    let mark = unique();
    assert_eq!(call(&mark, &[]), (403, "context_no_request".into()));
    let request = Request::get(&format!("/orders/{mark}")).header("host", "orders");
    let answer = TRACED.send(Hop::OrdersInbound, Workload::Reports, &request).unwrap();
    assert_eq!((answer.status, answer.reason()), (403, "caller_denied".into()));
    assert!(TRACED.seen_of(App::Orders, &mark).unwrap().is_empty());
}

#[test]
fn in_the_listeners_chain_a_sidecar_that_traces_denies_rather_than_guess() {
    let mark = unique();
    let answer = client(&MISPLACED, "acme", &format!("/invoices/{mark}"));
    assert_eq!(answer.status, 502, "{}", answer.json());
    assert!(MISPLACED.seen_of(App::Orders, &mark).unwrap().is_empty());
    let seen = MISPLACED.seen_of(App::Invoices, &mark).unwrap().pop().unwrap();
    assert_eq!(of(&seen, "tracestate"), "", "the tracer overwrote the handle");
    // And what a stranger sends as one opens nothing.
    let carried = [("traceparent", of(&seen, "traceparent")), ("tracestate", format!("pw={}", "0".repeat(36)))];
    let request_id = unique();
    let request = Request::get("/orders/1").header("host", "orders").header("x-request-id", request_id.as_str());
    let request = carried.iter().fold(request, |request, (name, value)| request.header(name, value.as_str()));
    assert_eq!(MISPLACED.send(Hop::InvoicesOutbound, Workload::Invoices, &request).unwrap().status, 403);
    let line = MISPLACED.line(Hop::InvoicesOutbound, &request_id).unwrap();
    assert_eq!(line.field("reason"), "context_no_request");
}
