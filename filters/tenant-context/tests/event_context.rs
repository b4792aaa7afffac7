//! Contexts of events: who may sign them, what they are bound to, and who may bring them.
#![allow(missing_docs)]

mod common;

use common::*;
use partywall_tenancy::{
    BundleBody, CloudEvents, ContextSigner, OverlayBody, ProvedBy, Reason, RestVersion, ServiceEvents, TenantScope,
    View,
};
use partywall_tenant_context::{
    CONTEXT, Established, EventNames, EventProof, Headers, Passage, Request, Standing, establish_inbound, take_out,
    verify_event,
};

const BROKER: &str = "spiffe://mesh.example/ns/shop/sa/broker";
const MADE: EventNames<'_> = EventNames { kind: "order.made", source: "/tenants/acme/orders", id: "7" };

/// Invoices may sign for acme; the broker brings events to orders.
fn body_with(change: impl FnOnce(&mut BundleBody)) -> BundleBody {
    let mut body = body();
    body.signers.push(ContextSigner {
        id: "invoices-1".into(),
        workload: spiffe(INVOICES),
        key: ed25519(7).verifying_key().to_bytes(),
        tenants: TenantScope::Only(vec![tenant("acme")]),
    });
    let orders = body.services.iter_mut().find(|service| service.name == "orders").unwrap();
    orders.callers.push(partywall_tenancy::Caller { spiffe_id: spiffe(BROKER), tenants: TenantScope::All });
    let deliveries = vec![spiffe(BROKER)];
    orders.events = Some(ServiceEvents::CloudEvents(CloudEvents { deliveries, ..CloudEvents::default() }));
    change(&mut body);
    body
}

fn view() -> View {
    view_of(&body_with(|_| {}), &overlay())
}

fn minted(seconds: u32) -> String {
    signer("invoices-1", 7).mint_event(&tenant("acme"), &MADE, &view(), NOW, seconds).unwrap()
}

fn verified(token: &str, event: &EventNames<'_>, view: &View, now: u64) -> Result<String, Reason> {
    let verified = verify_event(token.as_bytes(), event, view, now);
    verified.map(|context| format!("{} by {}", context.tenant, context.workload)).map_err(|r| r.reason)
}

#[test]
fn a_context_is_bound_to_its_event() {
    let token = minted(3600);
    assert_eq!(verified(&token, &MADE, &view(), NOW), Ok(format!("acme by {INVOICES}")));
    for other in [
        EventNames { kind: "order.gone", ..MADE },
        EventNames { source: "/tenants/acme/order", ..MADE },
        EventNames { id: "8", ..MADE },
        // The same letters, parted in another way.
        EventNames { source: "/tenants/acme/orders7", id: "", ..MADE },
    ] {
        assert_eq!(verified(&token, &other, &view(), NOW), Err(Reason::ContextForged), "{other:?}");
    }
}

#[test]
fn a_context_ends() {
    let token = minted(3600);
    assert!(verified(&token, &MADE, &view(), NOW + 3600 + 30).is_ok());
    assert_eq!(verified(&token, &MADE, &view(), NOW + 3600 + 31), Err(Reason::ContextExpired));
    assert_eq!(verified(&token, &MADE, &view(), NOW - 31), Err(Reason::ContextForged), "from the future");
    let longest = signer("invoices-1", 7).mint_event(&tenant("acme"), &MADE, &view(), NOW, u32::MAX).unwrap();
    let week = u64::from(CloudEvents::LONGEST_CONTEXT);
    assert_eq!(verified(&longest, &MADE, &view(), NOW + week + 31), Err(Reason::ContextExpired));
}

#[test]
fn who_may_not_sign_for_a_tenant_signs_nothing_and_is_not_believed() {
    let other = signer("invoices-1", 7).mint_event(&tenant("globex"), &MADE, &view(), NOW, 60);
    assert_eq!(other.unwrap_err().reason, Reason::PolicyUnavailable);
    let token = minted(3600);
    let taken_back = view_of(
        &body_with(|body| body.signers.last_mut().unwrap().tenants = TenantScope::Only(vec![tenant("globex")])),
        &overlay(),
    );
    assert_eq!(verified(&token, &MADE, &taken_back, NOW), Err(Reason::ContextForged));
    let revoked = OverlayBody { revoked_signers: vec!["invoices-1".into()], ..overlay() };
    assert_eq!(verified(&token, &MADE, &view_of(&body_with(|_| {}), &revoked), NOW), Err(Reason::CredentialRevoked));
}

/// A root context and a context of an event are signed by the same keys, and neither is taken for the other.
#[test]
fn no_token_of_another_kind_is_one() {
    let claims = |typ: &str| {
        let header = format!(r#"{{"alg":"EdDSA","kid":"invoices-1","typ":"{typ}"}}"#);
        let token = minted(3600);
        let payload = token.split('.').nth(1).unwrap();
        let payload = {
            use base64::Engine as _;
            String::from_utf8(base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
        };
        jws(&header, &payload, |message| ed25519_sign(7, message))
    };
    assert!(verified(&claims("partywall-event+jwt"), &MADE, &view(), NOW).is_ok());
    for typ in ["partywall-root+jwt", "JWT", ""] {
        assert_eq!(verified(&claims(typ), &MADE, &view(), NOW), Err(Reason::ContextForged), "{typ}");
    }
    let token = minted(3600);
    for cut in 0..token.len() {
        assert!(verified(&token[..cut], &MADE, &view(), NOW).is_err(), "{cut}");
    }
    assert!(verified(&"a".repeat(3000), &MADE, &view(), NOW).is_err());
}

/// Orders gets a request of `peer` with this event, and a root if there is one.
fn arrives(view: &View, peer: &str, token: &str, root: Option<&str>) -> Result<(String, Standing), Reason> {
    let memos = Memos::new();
    let more: Vec<(&str, &str)> = root.map(|root| (CONTEXT, root)).into_iter().collect();
    let headers = headers(&more);
    let mut taken = take_out(Headers(&headers), &[]);
    let (kind, source, id) = (MADE.kind.into(), MADE.source.into(), MADE.id.into());
    taken.event = Some(EventProof { token: token.into(), kind, source, id });
    let service = view.bundle().service("orders").unwrap();
    let evidence = evidence(view, &memos, NOW, peer.as_bytes());
    match establish_inbound(&Request::from_headers(&headers), &taken, service, &evidence, false) {
        Ok(Established::Proved(context, standing)) => {
            assert_eq!(context.proved_by, ProvedBy::Workload);
            let passage = Passage { service: "orders", calling: None };
            standing.check(&context, passage, view).unwrap();
            Ok((
                format!("{} for {}, brought by {}", context.principal, context.tenant, context.caller.unwrap()),
                standing,
            ))
        }
        Ok(Established::Anonymous(_)) => panic!("nobody asked for an anonymous operation"),
        Err(rejection) => Err(rejection.reason),
    }
}

#[test]
fn an_event_is_brought_by_whom_the_service_lists_for_that() {
    let token = minted(3600);
    let came = arrives(&view(), BROKER, &token, None).map(|(who, _)| who);
    assert_eq!(came, Ok(format!("{INVOICES} for acme, brought by {BROKER}")));
    // A caller, but not for that.
    assert_eq!(arrives(&view(), INVOICES, &token, None).map(|_| ()), Err(Reason::TenantMissing));
    assert_eq!(arrives(&view(), BROKER, "x", None).map(|_| ()), Err(Reason::ContextForged));
    // Not for this tenant.
    let only_globex = view_of(
        &body_with(|body| {
            let orders = body.services.iter_mut().find(|service| service.name == "orders").unwrap();
            orders.callers.last_mut().unwrap().tenants = TenantScope::Only(vec![tenant("globex")]);
        }),
        &overlay(),
    );
    assert_eq!(arrives(&only_globex, BROKER, &token, None).map(|_| ()), Err(Reason::CallerDenied));
    let suspended = OverlayBody { suspended: vec![tenant("acme")], ..overlay() };
    let suspended = view_of(&body_with(|_| {}), &suspended);
    assert_eq!(arrives(&suspended, BROKER, &token, None).map(|_| ()), Err(Reason::TenantSuspended));
    // A service of another kind of events takes none.
    let rest = view_of(
        &body_with(|body| {
            let orders = body.services.iter_mut().find(|service| service.name == "orders").unwrap();
            orders.events = Some(ServiceEvents::Rest { version: RestVersion::V2, cluster: "c".into() });
        }),
        &overlay(),
    );
    assert_eq!(arrives(&rest, BROKER, &token, None).map(|_| ()), Err(Reason::TenantMissing));
}

#[test]
fn what_was_let_in_by_an_event_rests_on_who_signed_it() {
    let (_, standing) = arrives(&view(), BROKER, &minted(3600), None).unwrap();
    let revoked = OverlayBody { revoked_signers: vec!["invoices-1".into()], ..overlay() };
    let later = view_of(&body_with(|_| {}), &revoked);
    let context = partywall_tenancy::TenantContext {
        tenant: tenant("acme"),
        tier: "gold".into(),
        region: "eu".into(),
        principal: INVOICES.into(),
        roles: vec![],
        scopes: vec![],
        networks: partywall_tenancy::NameSet::default(),
        proved_by: ProvedBy::Workload,
        token_id: String::new(),
        expires: NOW + 3600,
        caller: Some(spiffe(BROKER)),
    };
    let passage = Passage { service: "orders", calling: None };
    assert_eq!(standing.check(&context, passage, &later).unwrap_err().reason, Reason::CredentialRevoked);
}
