//! From one service to the next: the app carries its trace headers along and knows nothing of tenants.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::accountant;
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::{Request, Response};
use partywall_integration::services::{App, headers};

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("handover")).unwrap());

/// As the app `invoices` would call, with these headers.
fn call(mark: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::get(&format!("/orders/{mark}")).header("host", "orders");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
    MESH.send(Hop::InvoicesOutbound, Workload::Invoices, &request).unwrap()
}

/// The app is told no more than a client would be; the log says why, and nothing arrived.
fn assert_denied(mark: &str, answer: &Response, status: u16, reason: &str) {
    let coarse = if status == 400 { "bad_request" } else { "forbidden" };
    assert_eq!((answer.status, answer.reason().as_str()), (status, coarse));
    let line = MESH.line(|l| l.hop == Hop::InvoicesOutbound && l.field("path").contains(mark)).unwrap();
    assert_eq!(line.field("reason"), reason);
    assert!(MESH.seen_of(App::Orders, mark).unwrap().is_empty());
}

#[test]
fn the_context_crosses_an_app_that_forwards_only_its_trace_headers() {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    let answer = MESH.ask(&request).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["orders"]["app"], "orders");
    let seen = MESH.seen_of(App::Orders, &mark).unwrap();
    assert_eq!(headers(&seen[0], "x-partywall-tenant"), ["acme"]);
    assert_eq!(headers(&seen[0], "x-partywall-principal"), ["alice"]);
}

#[test]
fn the_root_is_signed_once_and_travels_unchanged() {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    assert_eq!(MESH.ask(&request).unwrap().status, 200);
    let root = |app| headers(&MESH.seen_of(app, &mark).unwrap()[0], "x-partywall-context");
    assert_eq!(root(App::Invoices).len(), 1);
    assert_eq!(root(App::Invoices), root(App::Orders));
}

#[test]
fn the_clients_own_trace_id_is_not_used() {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    let theirs = "0af7651916cd43dd8448eb211c80319c";
    let request = request
        .header("traceparent", format!("00-{theirs}-b7ad6b7169203331-01"))
        .header("tracestate", "pw=AAAA,vendor=kept-out");
    assert_eq!(MESH.ask(&request).unwrap().status, 200);
    let seen = &MESH.seen_of(App::Invoices, &mark).unwrap()[0];
    assert_eq!(headers(seen, "traceparent").len(), 1);
    assert!(!headers(seen, "traceparent")[0].contains(theirs), "{seen}");
    let state = headers(seen, "tracestate").join(",");
    assert!(state.starts_with("pw=") && !state.contains("AAAA,") && !state.contains("vendor"), "{state}");
}

#[test]
fn other_vendors_members_of_tracestate_pass_through_the_sidecars() {
    let captured = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let mark = unique();
    let request = Request::get(&format!("/orders/{mark}"))
        .header("host", "orders")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("tracestate", "pw=left-by-another-hop,vendor=1")
        .header("x-partywall-context", captured.root);
    assert_eq!(MESH.send(Hop::OrdersInbound, Workload::Invoices, &request).unwrap().status, 200);
    let state = headers(&MESH.seen_of(App::Orders, &mark).unwrap()[0], "tracestate").join(",");
    assert!(state.starts_with("pw=") && state.ends_with(",vendor=1"), "{state}");
    assert!(!state.contains("left-by-another-hop"), "{state}");
}

#[test]
fn a_call_that_belongs_to_no_request_is_denied() {
    let mark = unique();
    let answer = call(&mark, &[]);
    assert_denied(&mark, &answer, 403, "context_no_request");
}

#[test]
fn the_app_cannot_bring_a_context_of_its_own() {
    let captured = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let mark = unique();
    let answer = call(&mark, &[("x-partywall-context", &captured.root), ("x-partywall-tenant", "acme")]);
    assert_denied(&mark, &answer, 403, "context_no_request");
}

#[test]
fn a_handle_counts_for_its_own_trace_only() {
    let one = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let other = MESH.capture("globex", &accountant(Shared, "globex")).unwrap();
    let mark = unique();
    let answer = call(&mark, &[("traceparent", &other.traceparent), ("tracestate", &one.tracestate)]);
    assert_denied(&mark, &answer, 403, "context_no_request");
}

#[test]
fn a_handle_ends_soon_after_its_request() {
    let captured = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let headers = [("traceparent", captured.traceparent.as_str()), ("tracestate", captured.tracestate.as_str())];
    // `linger` is 5 seconds: an app may finish in the background what the request began.
    assert_eq!(call(&unique(), &headers).status, 200);
    thread::sleep(Duration::from_secs(7));
    let mark = unique();
    assert_denied(&mark, &call(&mark, &headers), 403, "context_no_request");
}

#[test]
fn two_handles_are_ambiguous() {
    let one = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let two = MESH.capture("globex", &accountant(Shared, "globex")).unwrap();
    let both = format!("{},{}", one.tracestate, two.tracestate);
    let mark = unique();
    let joined = call(&mark, &[("traceparent", &one.traceparent), ("tracestate", &both)]);
    assert_denied(&mark, &joined, 400, "ambiguous_request");
    let mark = unique();
    let repeated = call(
        &mark,
        &[("traceparent", &one.traceparent), ("tracestate", &one.tracestate), ("tracestate", &two.tracestate)],
    );
    assert_denied(&mark, &repeated, 400, "ambiguous_request");
}

#[test]
fn the_handle_does_not_leave_with_the_call() {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    assert_eq!(MESH.ask(&request).unwrap().status, 200);
    let state = |app| headers(&MESH.seen_of(app, &mark).unwrap()[0], "tracestate").join(",");
    assert_ne!(state(App::Invoices), state(App::Orders));
}

#[test]
fn only_listed_workloads_may_call_and_only_with_a_certificate() {
    let captured = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let ask = |hop, workload, path: &str| {
        let request = Request::get(path).header("host", "any").header("x-partywall-context", captured.root.as_str());
        MESH.send(hop, workload, &request).unwrap()
    };
    for (hop, workload) in [
        (Hop::OrdersInbound, Workload::Reports),
        (Hop::OrdersInbound, Workload::Orders),
        (Hop::InvoicesInbound, Workload::Orders),
        (Hop::InvoicesInbound, Workload::Invoices),
    ] {
        let answer = ask(hop, workload, "/orders/1");
        assert_eq!((answer.status, answer.reason().as_str()), (403, "caller_denied"), "{hop} {workload:?}");
    }
    let without = Request::get("/orders/1").header("host", "orders").send(MESH.address(Hop::OrdersInbound));
    assert!(without.is_err(), "{without:?}");
}
