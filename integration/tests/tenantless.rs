//! Calls to what serves no tenant go out without a context, whoever caused them, and nothing of a tenant with them.

use std::fs;

use partywall_integration::access_log::{Hop, Line};
use partywall_integration::certificates::Workload;
use partywall_integration::mesh::unique;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::variant::Variant;

/// The cluster `orders` leads to an identity provider here, which only `invoices` may call.
fn start(name: &str, caller: &str) -> Running {
    let variant = Variant::prepare(name, &["edge", "invoices", "orders"]).unwrap();
    variant.replace("services/orders.yaml", "clusters: [orders]", "clusters: [elsewhere]").unwrap();
    let identity = format!(
        "service: identity\nspiffe_id: spiffe://mesh.example/ns/shop/sa/identity\nclusters: [orders]\ntenantless: true\n\
         callers: [{{ spiffe_id: \"spiffe://mesh.example/ns/shop/sa/{caller}\", tenants: all }}]\noperations: []\n"
    );
    fs::write(variant.tenancy("services/identity.yaml"), identity).unwrap();
    let running = variant.start(&[App::Invoices, App::Orders]).unwrap();
    running.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound, Hop::OrdersInbound]).unwrap();
    running
}

/// A call of the app `invoices` through its sidecar: its line there, and the one of whom it reached.
fn call(mesh: &Running, more: &[(&str, &str)]) -> (Line, Option<Line>) {
    let id = unique();
    let request = Request::get("/orders/7").header("host", "orders").header("x-request-id", id.as_str());
    let request = more.iter().fold(request, |request, (name, value)| request.header(name, *value));
    mesh.send(Hop::InvoicesOutbound, Workload::Invoices, &request).unwrap();
    let out = mesh.line(Hop::InvoicesOutbound, &id).unwrap();
    let reached = (out.field("decision") == "allow").then(|| mesh.line(Hop::OrdersInbound, &id).unwrap());
    (out, reached)
}

#[test]
fn a_call_to_what_serves_no_tenant_needs_no_context_and_carries_none() {
    let mesh = start("tenantless", "invoices");
    for more in [
        &[][..],
        &[("x-partywall-act-for", "acme"), ("x-partywall-tenant", "acme"), ("x-partywall-context", "e30.e30.e30")],
        &[
            ("tracestate", "pw=00000000000000000000000000000000"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ],
    ] {
        let (out, reached) = call(&mesh, more);
        let told = ["decision", "policy", "tenant"].map(|name| out.field(name).trim_start_matches('-').to_owned());
        assert_eq!(told, ["allow", "tenantless:identity", ""], "{more:?}");
        // A sidecar is there in the place of the provider: a forged root would be `context_forged` to it.
        assert_eq!(reached.unwrap().field("reason"), "tenant_missing", "{more:?}");
    }
}

#[test]
fn who_is_not_listed_does_not_call_it() {
    let mesh = start("tenantless-unlisted", "reports");
    let (out, _) = call(&mesh, &[]);
    assert_eq!([out.field("decision"), out.field("reason")], ["deny", "caller_denied"]);
}
