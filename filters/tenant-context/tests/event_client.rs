//! Who a client of Kafka is: by certificate, SASL and listener, and what contradicts itself.

mod common;

use std::rc::Rc;

use common::{NOW, SHARED_ISSUER, body, claims, overlay, spiffe, tenant, token, view, view_of};
use partywall_tenancy::{
    BrokerAddresses, EventCluster, EventIdentity, EventPrefix, NewTopics, ProvedBy, Reason, RevokedToken, TenantScope,
    View,
};
use partywall_tenant_context::jwt::{Keys, PureRust, Verified, verify};
use partywall_tenant_context::{Peer, Shown, event_client};

const ACME: &[u8] = b"spiffe://mesh.example/tenant/acme/sa/web";

fn cluster() -> EventCluster {
    EventCluster {
        name: "shop-events".into(),
        region: "eu".into(),
        identity: vec![
            EventIdentity::UriSan { template: "spiffe://mesh.example/tenant/{tenant}/sa/{workload}".into() },
            EventIdentity::DnsSan { template: "{tenant}.clients.example".into() },
            EventIdentity::Workload {
                workloads: vec![(spiffe("spiffe://mesh.example/ns/shop/sa/orders"), tenant("globex"))],
            },
            EventIdentity::User { template: "{tenant}.{user}".into() },
            EventIdentity::Token,
        ],
        bound: Some(TenantScope::Only(vec![tenant("acme")])),
        prefix: EventPrefix { head: String::new(), tail: ".".into() },
        own_prefixes: vec![],
        cohorts: vec![],
        brokers: BrokerAddresses::AsTheyAre,
        topics: vec![],
        new_topics: NewTopics::default(),
    }
}

fn uri(uri: &[u8]) -> Shown<'_> {
    Shown { peer: Peer { uri, ..Peer::default() }, ..Shown::default() }
}

fn user(user: &str) -> Shown<'_> {
    Shown { user: Some(user), ..Shown::default() }
}

/// The tenant and the principal, `None` for nobody; the reason where it is refused.
fn who(shown: &Shown<'_>) -> Result<Option<(String, String)>, Reason> {
    let found = event_client(&cluster(), shown, &view()).map_err(|rejection| rejection.reason)?;
    Ok(found.map(|context| (context.tenant.to_string(), context.principal)))
}

fn is(tenant: &str, principal: &str) -> Result<Option<(String, String)>, Reason> {
    Ok(Some((tenant.into(), principal.into())))
}

fn bearer(view: &View, change: impl FnOnce(&mut serde_json::Value)) -> Rc<Verified> {
    let token = token(&claims(change));
    Rc::new(verify(token.as_bytes(), view, Keys::inline(), NOW, &PureRust { issuer_keys: None }).unwrap().unwrap())
}

#[test]
fn each_way_of_showing_it_names_tenant_and_principal() {
    let acme = tenant("acme");
    assert_eq!(who(&uri(ACME)), is("acme", "spiffe://mesh.example/tenant/acme/sa/web"));
    let orders = b"spiffe://mesh.example/ns/shop/sa/orders";
    assert_eq!(who(&uri(orders)), is("globex", "spiffe://mesh.example/ns/shop/sa/orders"));
    let dns = Shown { peer: Peer { dns: b"acme.clients.example", ..Peer::default() }, ..Shown::default() };
    assert_eq!(who(&dns), is("acme", "acme.clients.example"));
    assert_eq!(who(&user("globex.svc")), is("globex", "globex.svc"));
    assert_eq!(who(&Shown { bound: Some(&acme), ..Shown::default() }), is("acme", ""));
    assert_eq!(who(&Shown { token: Some(&bearer(&view(), |_| ())), ..Shown::default() }), is("acme", "alice"));
}

#[test]
fn who_shows_nothing_of_it_is_nobody() {
    assert_eq!(who(&Shown::default()), Ok(None));
    for other in [
        &b"spiffe://mesh.example/ns/shop/sa/invoices"[..],
        b"spiffe://other.example/tenant/acme/sa/web",
        b"spiffe://mesh.example/tenant/acme/sa/web/more",
    ] {
        assert_eq!(who(&uri(other)), Ok(None));
    }
    for dns in [&b".clients.example"[..], b"a.acme.clients.example", b"acme.clients.example.evil"] {
        let shown = Shown { peer: Peer { dns, ..Peer::default() }, ..Shown::default() };
        assert_eq!(who(&shown), Ok(None), "{}", dns.escape_ascii());
    }
}

#[test]
fn what_is_claimed_and_invalid_is_refused() {
    assert_eq!(who(&uri(b"spiffe://mesh.example/tenant/ACME/sa/web")), Err(Reason::TenantInvalid));
    assert_eq!(who(&uri(b"spiffe://mesh.example/tenant/acme\0/sa/web")), Err(Reason::AmbiguousRequest));
    assert_eq!(who(&uri(b"spiffe://mesh.example/tenant/hooli/sa/web")), Err(Reason::TenantUnknown));
    for outside in ["svc", "acme", ".svc", "platform.svc", "acme."] {
        assert_eq!(who(&user(outside)), Err(Reason::TenantInvalid), "{outside}");
    }
    assert_eq!(who(&Shown { bound: Some(&tenant("globex")), ..Shown::default() }), Err(Reason::CallerDenied));
}

#[test]
fn everything_that_is_shown_names_one_tenant() {
    let (acme, view) = (tenant("acme"), view());
    let globex = bearer(&view, |claims| claims["tenant"] = "globex".into());
    let both = bearer(&view, |claims| claims["tenant"] = serde_json::json!(["acme", "globex"]));
    let conflict = Err(Reason::TenantConflict);
    assert_eq!(who(&Shown { user: Some("acme.svc"), ..uri(ACME) }), is("acme", "acme.svc"));
    assert_eq!(who(&Shown { user: Some("globex.svc"), ..uri(ACME) }), conflict);
    assert_eq!(who(&Shown { token: Some(&globex), ..uri(ACME) }), conflict);
    assert_eq!(who(&Shown { token: Some(&both), ..uri(ACME) }), is("acme", "alice"));
    assert_eq!(who(&Shown { token: Some(&both), ..Shown::default() }), Err(Reason::TenantMissing));
    assert_eq!(who(&Shown { bound: Some(&acme), ..user("globex.svc") }), conflict);
    let peer = Peer { uri: ACME, dns: b"globex.clients.example", digest: b"" };
    assert_eq!(who(&Shown { peer, ..Shown::default() }), conflict);
}

#[test]
fn what_the_cluster_does_not_take_says_nothing() {
    let only_certificates =
        EventCluster { identity: vec![cluster().identity.swap_remove(0)], bound: None, ..cluster() };
    let view = view();
    let of = |shown: &Shown<'_>| {
        let found = event_client(&only_certificates, shown, &view).map_err(|rejection| rejection.reason);
        found.map(|found| found.map(|context| (context.tenant.to_string(), context.proved_by)))
    };
    let globex = bearer(&view, |claims| claims["tenant"] = "globex".into());
    let acme = Ok(Some(("acme".to_owned(), ProvedBy::Certificate)));
    assert_eq!(of(&Shown { user: Some("globex.svc"), ..uri(ACME) }), acme);
    assert_eq!(of(&Shown { token: Some(&globex), ..uri(ACME) }), acme);
    assert_eq!(of(&user("globex.svc")), Ok(None));
    assert_eq!(of(&Shown { bound: Some(&tenant("acme")), ..uri(ACME) }), Err(Reason::CallerDenied));
}

#[test]
fn a_token_counts_as_long_as_nothing_of_it_is_taken_back() {
    let first = view();
    let shown = bearer(&first, |claims| claims["jti"] = "j7".into());
    let of = |view: &View| {
        let shown = Shown { token: Some(&shown), ..Shown::default() };
        event_client(&cluster(), &shown, view).map(|_| ()).map_err(|rejection| rejection.reason)
    };
    assert_eq!(of(&first), Ok(()));
    let mut revoking = overlay();
    revoking.revoked_tokens = vec![RevokedToken { issuer: SHARED_ISSUER.into(), id: "j7".into() }];
    assert_eq!(of(&view_of(&body(), &revoking)), Err(Reason::CredentialRevoked));
    let mut other = body();
    other.issuers[1].tenants = TenantScope::Only(vec![tenant("globex")]);
    assert_eq!(of(&view_of(&other, &overlay())), Err(Reason::CredentialInvalid));
    let mut gone = body();
    gone.issuers.truncate(1);
    assert_eq!(of(&view_of(&gone, &overlay())), Err(Reason::CredentialInvalid));
}
