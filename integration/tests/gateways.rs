//! A gateway of the directory calls `orders`, and tells in `x-forwarded-client-cert` whose request it forwards.
//!
//! The gateway is this test, with the gateway's certificate, so that it can tell what no Envoy would; what stands
//! behind that in the header is written by the real Envoy in front of `orders`.

use std::sync::LazyLock;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::roots::{Root, secret};
use partywall_integration::running::Running;
use partywall_integration::services::{App, headers};
use partywall_integration::variant::Variant;

const SANITIZE: &str = "forward_client_cert_details: SANITIZE\n";
const APPEND: &str = "forward_client_cert_details: APPEND_FORWARD
                set_current_client_cert_details: { subject: true, cert: true, uri: true }\n";

/// The gateway: no service lists it as a caller.
const GATEWAY: Workload = Workload::Reports;

static MESH: LazyLock<Running> = LazyLock::new(|| start("gateways", APPEND));
/// As shipped, where Envoy takes such a header out.
static SANITIZED: LazyLock<Running> = LazyLock::new(|| start("gateways-sanitized", SANITIZE));

fn start(name: &str, forward: &str) -> Running {
    let mut variant = Variant::prepare(name, &["orders"]).unwrap();
    variant.envoy("orders", SANITIZE, forward).unwrap();
    variant.append("mesh.yaml", &format!("\ngateways: [{}]\n", GATEWAY.spiffe_id())).unwrap();
    let running = variant.start(&[App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::OrdersInbound]).unwrap();
    running
}

/// The tenant that `orders` is told when `peer` sends a root of acme, signed `age` seconds ago, and this header;
/// or why it is told nothing.
fn sent(mesh: &Running, peer: Workload, age: u64, xfcc: Option<&str>) -> Result<String, String> {
    let environment = mesh.site.environment("edge").unwrap();
    let seed = environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING").unwrap();
    let root = Root::of("acme", age).signed(&secret(&seed.1).unwrap()).unwrap();
    let (mark, id) = (unique(), unique());
    let request = Request::get(&format!("/orders/{mark}"))
        .header("host", "orders")
        .header("x-request-id", id.as_str())
        .header("x-partywall-context", root);
    let request = xfcc.into_iter().fold(request, |request, xfcc| request.header("x-forwarded-client-cert", xfcc));
    let answer = mesh.send(Hop::OrdersInbound, peer, &request).unwrap();
    let seen = mesh.seen_of(App::Orders, &mark).unwrap();
    assert!(seen.iter().all(|seen| headers(seen, "x-forwarded-client-cert").is_empty()), "{seen:?}");
    let told: Vec<String> = seen.iter().flat_map(|seen| headers(seen, "x-partywall-tenant")).collect();
    assert_eq!(told.len(), usize::from(answer.status == 200), "{answer:?}");
    let line = mesh.line(Hop::OrdersInbound, &id).unwrap();
    told.into_iter().next().ok_or_else(|| line.field("reason"))
}

/// What a gateway tells of a peer with this URI, as Envoy writes it under `SANITIZE_SET`.
fn element(by: &str, uri: &str) -> String {
    format!("By={by};Hash={};Subject=\"O=\\\"a,b;c\\\"\";URI={uri}", "ab".repeat(32))
}

fn forwards_for(uri: &str) -> String {
    element(GATEWAY.spiffe_id(), uri)
}

fn let_in() -> Result<String, String> {
    Ok("acme".into())
}

fn denied(reason: &str) -> Result<String, String> {
    Err(reason.into())
}

#[test]
fn who_calls_is_the_workload_behind_the_gateway() {
    let through = |caller: Workload, age| sent(&MESH, GATEWAY, age, Some(&forwards_for(caller.spiffe_id())));
    assert_eq!(through(Workload::Invoices, 0), let_in());
    assert_eq!(through(Workload::Edge, 0), let_in());
    // `orders` does not list itself.
    assert_eq!(through(Workload::Orders, 0), denied("caller_denied"));
    // Past its `exp`, which binds the edge alone, behind a gateway too.
    assert_eq!(through(Workload::Invoices, 110), let_in());
    assert_eq!(through(Workload::Edge, 110), denied("context_expired"));
}

#[test]
fn what_does_not_tell_of_one_workload_is_ambiguous() {
    let (gateway, caller) = (GATEWAY.spiffe_id(), Workload::Invoices.spiffe_id());
    let good = forwards_for(caller);
    assert_eq!(sent(&MESH, GATEWAY, 0, None), denied("ambiguous_request"), "nothing told");
    for xfcc in [
        String::new(),
        element(Workload::Edge.spiffe_id(), caller),
        format!("Hash=ab;URI={caller}"),
        format!("By={gateway};Hash=ab"),
        format!("By={gateway};Hash=ab;Subject=\"\""),
        forwards_for("spiffe://other.example/ns/shop/sa/invoices"),
        forwards_for(gateway),
        forwards_for("urn:invoices"),
        format!("{good},{good}"),
        format!("{good};URI={caller}"),
        format!("{good};DNS=invoices.example"),
        // Names of a client of the gateway, which Envoy writes as they are.
        forwards_for(&format!("urn:a,{good}")),
        forwards_for(&format!("{caller},By=a;Hash=cd")),
        forwards_for(&format!("{caller};Subject=\"")),
        forwards_for(&format!("\"{caller}\"")),
        forwards_for(&format!("{caller}\\")),
    ] {
        assert_eq!(sent(&MESH, GATEWAY, 0, Some(&xfcc)), denied("ambiguous_request"), "{xfcc}");
    }
}

#[test]
fn a_workload_that_is_no_gateway_is_itself_whatever_it_sends() {
    for by in [GATEWAY, Workload::Orders, Workload::Invoices] {
        let as_edge = element(by.spiffe_id(), Workload::Edge.spiffe_id());
        assert_eq!(sent(&MESH, Workload::Orders, 0, Some(&as_edge)), denied("caller_denied"), "{as_edge}");
        // As the edge it would be the signer, and too late.
        assert_eq!(sent(&MESH, Workload::Invoices, 110, Some(&as_edge)), let_in(), "{as_edge}");
    }
}

#[test]
fn where_envoy_drops_the_header_a_gateway_is_nobody() {
    let good = forwards_for(Workload::Invoices.spiffe_id());
    assert_eq!(sent(&SANITIZED, GATEWAY, 0, Some(&good)), denied("ambiguous_request"));
    assert_eq!(sent(&SANITIZED, Workload::Invoices, 0, Some(&good)), let_in());
}
