//! Whose telemetry a workload sends.

mod common;

use common::{body, ed25519, tenant};
use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{Bundle, BundleBody, Reason, Source};
use partywall_tenant_context::{Peer, Sender, own_telemetry, telemetry_sender};

fn bundle(change: impl FnOnce(&mut BundleBody)) -> Bundle {
    let mut body = body();
    let uri = "spiffe://mesh.example/tenant/{tenant}/sa/{workload}".to_owned();
    body.sources.inbound.push(Source::UriSan { template: uri });
    body.sources.edge.push(Source::DnsSan { template: "{tenant}.clients.example".into() });
    body.services[1].own_tenant = Some(tenant("globex"));
    change(&mut body);
    let key = TrustedKey::new("b", ed25519(1).verifying_key().as_bytes()).unwrap();
    Bundle::open(&body.sign(&[("b", &ed25519(1))]).unwrap(), &[key]).unwrap()
}

fn of(uri: &str, dns: &str, bundle: &Bundle) -> Result<Sender, Reason> {
    let peer = Peer { uri: uri.as_bytes(), dns: dns.as_bytes(), digest: b"" };
    telemetry_sender(&peer, bundle).map_err(|rejection| rejection.reason)
}

#[test]
fn a_certificate_says_whose_telemetry_comes() {
    let bundle = bundle(|_| ());
    let one = |id: &str, service: Option<&str>| {
        Ok(Sender::Tenant { tenant: tenant(id), service: service.map(str::to_owned) })
    };
    assert_eq!(of("spiffe://mesh.example/tenant/acme/sa/web", "", &bundle), one("acme", None));
    assert_eq!(of("", "acme.clients.example", &bundle), one("acme", None));
    // A suspended tenant's logs are wanted all the same.
    assert_eq!(of("spiffe://mesh.example/tenant/initech/sa/web", "", &bundle), one("initech", None));
    assert_eq!(of("spiffe://mesh.example/ns/shop/sa/orders", "", &bundle), one("globex", Some("orders")));
    let shared = Ok(Sender::Shared { service: "invoices".into() });
    assert_eq!(of("spiffe://mesh.example/ns/shop/sa/invoices", "", &bundle), shared);
    assert_eq!(own_telemetry("invoices", &bundle).ok(), shared.ok());
    assert_eq!(own_telemetry("orders", &bundle).ok(), one("globex", Some("orders")).ok());
}

#[test]
fn nobody_else_sends_any() {
    let bundle = bundle(|_| ());
    for (uri, dns, reason) in [
        ("", "", Reason::CallerUnknown),
        ("spiffe://mesh.example/ns/shop/sa/nobody", "", Reason::CallerUnknown),
        ("spiffe://other.example/tenant/acme/sa/web", "", Reason::CallerUnknown),
        ("spiffe://mesh.example/tenant/acme/sa/web/more", "", Reason::CallerUnknown),
        ("", "a.acme.clients.example", Reason::CallerUnknown),
        ("spiffe://mesh.example/tenant/nobody/sa/web", "", Reason::TenantUnknown),
        ("spiffe://mesh.example/tenant/ACME/sa/web", "", Reason::TenantInvalid),
        ("spiffe://mesh.example/tenant/acme/sa/web", "globex.clients.example", Reason::TenantConflict),
        ("spiffe://mesh.example/tenant/acme/sa/web\0", "", Reason::AmbiguousRequest),
    ] {
        assert_eq!(of(uri, dns, &bundle), Err(reason), "{uri} {dns}");
    }
    assert_eq!(own_telemetry("nobody", &bundle).map_err(|r| r.reason), Err(Reason::ResourceUnmapped));
}

#[test]
fn who_is_in_the_tenants_space_is_that_tenant_whatever_services_say() {
    let bundle = bundle(|body| {
        body.services[0].spiffe_id = common::spiffe("spiffe://mesh.example/tenant/acme/sa/invoices");
        body.services[0].own_tenant = Some(tenant("globex"));
    });
    let wanted = Sender::Tenant { tenant: tenant("acme"), service: Some("invoices".into()) };
    assert_eq!(of("spiffe://mesh.example/tenant/acme/sa/invoices", "", &bundle), Ok(wanted));
}
