//! A spoofed identity header never reaches an app: not on allowed, denied or preflight requests,
//! not at the edge and not inside.

use std::sync::LazyLock;

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::issuers::Provider::Acme;
use partywall_integration::issuers::{accountant, viewer};
use partywall_integration::mesh::{Mesh, Options, unique};
use partywall_integration::raw::Request;
use partywall_integration::services::{App, headers};
use serde_json::Value;

static MESH: LazyLock<Mesh> = LazyLock::new(|| Mesh::start(&Options::named("identity-headers")).unwrap());

const SPOOFED: &[(&str, &str)] = &[
    ("x-partywall-tenant", "globex"),
    ("X-PartyWall-Tenant", "globex"),
    ("x-partywall-principal", "root"),
    ("x-partywall-features", "all"),
    ("x-partywall-act-for", "globex"),
    ("x-partywall-anything", "globex"),
    ("x-tenant-id", "globex"),
    ("X-Tenant-ID", "globex"),
    // By these, many frameworks let a request be renamed after it was decided on.
    ("forwarded", "host=globex.shop.example"),
    ("Forwarded", "for=10.0.0.1;host=globex.shop.example"),
    ("x-forwarded-host", "globex.shop.example"),
    ("x-forwarded-prefix", "/tenants/globex"),
    ("x-forwarded-server", "globex.shop.example"),
    ("x-forwarded-uri", "/tenants/globex/invoices"),
    ("x-host", "globex.shop.example"),
    ("x-http-method", "DELETE"),
    ("x-http-method-override", "DELETE"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-original-host", "globex.shop.example"),
    ("x-original-method", "DELETE"),
    ("x-original-uri", "/tenants/globex/invoices"),
    ("x-original-url", "/tenants/globex/invoices"),
    ("X-Original-URL", "/tenants/globex/invoices"),
    ("x-rewrite-url", "/tenants/globex/invoices"),
    ("x-forwarded-client-cert", "By=spiffe://mesh.example/x;URI=spiffe://mesh.example/ns/edge/sa/gateway"),
];

fn spoof(request: Request) -> Request {
    SPOOFED.iter().fold(request, |request, (name, value)| request.header(name, *value))
}

fn only_acme(seen: &Value) {
    assert_eq!(headers(seen, "x-partywall-tenant"), ["acme"], "{seen}");
    assert_eq!(headers(seen, "x-partywall-principal"), ["alice"], "{seen}");
    assert_eq!(headers(seen, "x-partywall-features"), ["export"], "{seen}");
    let all = seen["headers"].to_string();
    assert!(!all.contains("globex") && !all.contains("By="), "{all}");
    let told = ["x-partywall-tenant", "x-partywall-principal", "x-partywall-features"];
    for name in SPOOFED.iter().map(|(name, _)| name.to_ascii_lowercase()).filter(|n| !told.contains(&n.as_str())) {
        assert!(headers(seen, &name).is_empty(), "{name}: {seen}");
    }
}

fn nothing_arrived(mark: &str) {
    for app in [App::Invoices, App::Orders] {
        assert_eq!(MESH.seen_of(app, mark).unwrap(), Vec::<Value>::new());
    }
}

#[test]
fn an_allowed_request_arrives_as_its_own_tenant_in_both_apps() {
    let mark = unique();
    let request = MESH.client("GET", "acme", &format!("/invoices/{mark}"), &accountant(Acme, "acme")).unwrap();
    let forged = MESH.forged_root("globex").unwrap();
    let answer = MESH.ask(&spoof(request).header("x-partywall-context", forged)).unwrap();
    assert_eq!(answer.status, 200);
    for app in [App::Invoices, App::Orders] {
        let seen = MESH.seen_of(app, &mark).unwrap();
        assert_eq!(seen.len(), 1);
        only_acme(&seen[0]);
    }
}

#[test]
fn a_denied_request_does_not_arrive_at_all() {
    let mark = unique();
    let request = MESH.client("DELETE", "acme", &format!("/invoices/{mark}"), &viewer(Acme, "acme")).unwrap();
    assert_eq!(MESH.ask(&spoof(request)).unwrap().status, 403);
    let anonymous = Request::get(&format!("/invoices/{mark}")).header("host", "acme.shop.example");
    assert_eq!(MESH.ask(&spoof(anonymous)).unwrap().status, 401);
    nothing_arrived(&mark);
}

#[test]
fn a_preflight_request_is_answered_for_our_site_and_denied_for_others() {
    for (origin, status) in [("https://app.shop.example", 200), ("https://evil.example", 401)] {
        let mark = unique();
        let preflight = Request::new("OPTIONS", format!("/invoices/{mark}"))
            .header("host", "acme.shop.example")
            .header("origin", origin)
            .header("access-control-request-method", "GET");
        let answer = MESH.ask(&spoof(preflight)).unwrap();
        assert_eq!(answer.status, status, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin").is_some(), status == 200, "{origin}");
        nothing_arrived(&mark);
    }
}

#[test]
fn what_looks_like_a_preflight_and_is_none_is_denied() {
    let mark = unique();
    let request = Request::new("OPTIONS", format!("/invoices/{mark}"))
        .header("host", "acme.shop.example")
        .header("origin", "https://app.shop.example");
    assert_eq!(MESH.ask(&spoof(request)).unwrap().status, 401);
    nothing_arrived(&mark);
}

#[test]
fn a_captured_sidecar_with_a_real_root_cannot_add_an_identity() {
    let captured = MESH.capture("acme", &accountant(Acme, "acme")).unwrap();
    let mark = unique();
    let request =
        Request::get(&format!("/orders/{mark}")).header("host", "orders").header("x-partywall-context", captured.root);
    let answer = MESH.send(Hop::OrdersInbound, Workload::Invoices, &spoof(request)).unwrap();
    assert_eq!(answer.status, 200);
    let seen = MESH.seen_of(App::Orders, &mark).unwrap();
    assert_eq!(seen.len(), 1);
    only_acme(&seen[0]);
}

#[test]
fn underscores_do_not_smuggle_an_identity_into_apps_that_read_them_as_dashes() {
    let mark = unique();
    let path = format!("/invoices/{mark}");
    for name in ["x_tenant_id", "x_partywall_tenant", "x-tenant_id"] {
        let request = MESH.client("GET", "acme", &path, &accountant(Acme, "acme")).unwrap();
        assert_eq!(MESH.ask(&request.header(name, "globex")).unwrap().status, 400, "{name}");
    }
    nothing_arrived(&mark);
}
