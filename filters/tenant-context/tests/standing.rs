//! An open request is asked about again: what takes a credential, a caller or a tenant away ends it, and time does not.
#![allow(missing_docs)]

mod common;

use common::*;
use partywall_tenancy::{
    ApiKey, BundleBody, OverlayBody, Reason, RevokedKey, RevokedSubject, RevokedToken, Secrets, Source, TenantContext,
    TenantScope, View,
};
use partywall_tenant_context::{
    CONTEXT, Established, Evidence, Headers, Passage, Request, RootSigner, Standing, api_key_digest, establish_edge,
    establish_inbound, take_out,
};

/// The service of the edge's and the sidecar's requests here.
const ORDERS: Passage<'_> = Passage { service: "orders", calling: None };
const KEY: &str = "pw1.k1.secret";

fn secrets() -> Secrets {
    Secrets::parse(&format!("h1:{}", "A".repeat(43))).unwrap()
}

fn with_api_key() -> BundleBody {
    let mut body = body();
    body.sources.edge.push(Source::ApiKey { header: "x-api-key".into() });
    body.api_keys.push(ApiKey {
        id: "k1".into(),
        tenant: tenant("acme"),
        principal: "robot".into(),
        roles: vec![],
        scopes: vec![],
        expires: NOW + 100,
        hashed_with: "h1".into(),
        digest: api_key_digest(secrets().current(), KEY.as_bytes()),
    });
    body
}

fn proved(established: Established) -> (TenantContext, Standing) {
    match established {
        Established::Proved(context, standing) => (context, standing),
        Established::Anonymous(_) => panic!("nobody asked for an anonymous operation"),
    }
}

fn at_edge(view: &View, credential: (&str, &str)) -> (TenantContext, Standing) {
    let (headers, memos, secrets) = (headers(&[credential]), Memos::new(), secrets());
    let evidence = Evidence { api_keys: Some(&secrets), ..evidence(view, &memos, NOW, b"") };
    proved(establish_edge(&Request::from_headers(&headers), &evidence, false).unwrap())
}

fn by_token() -> (TenantContext, Standing) {
    at_edge(&view(), ("authorization", &format!("Bearer {}", token(&claims(|_| ())))))
}

fn by_api_key() -> (TenantContext, Standing) {
    at_edge(&view_of(&with_api_key(), &overlay()), ("x-api-key", KEY))
}

fn by_root() -> (TenantContext, Standing) {
    let signer: RootSigner = signer("edge-1", 3);
    let root = signer.mint(&by_token().0, &view(), NOW, || Some([9; 16])).unwrap();
    let (headers, memos, view) = (headers(&[(CONTEXT, &root)]), Memos::new(), view());
    let taken = take_out(Headers(&headers), &[]);
    let service = view.bundle().service("orders").unwrap();
    let evidence = evidence(&view, &memos, NOW, INVOICES.as_bytes());
    proved(establish_inbound(&Request::from_headers(&headers), &taken, service, &evidence, false).unwrap())
}

type Change = fn(&mut BundleBody, &mut OverlayBody);

fn after(body: &BundleBody, change: Change) -> View {
    let (mut body, mut overlay) = (body.clone(), overlay());
    change(&mut body, &mut overlay);
    view_of(&body, &overlay)
}

fn ends(open: &(TenantContext, Standing), passage: Passage<'_>, view: &View) -> Option<Reason> {
    let (context, standing) = open;
    standing.check(context, passage, view).err().map(|rejection| {
        assert_eq!((rejection.proved, rejection.tenant.as_ref()), (true, Some(&context.tenant)));
        rejection.reason
    })
}

fn without(body: &mut BundleBody, id: &str) {
    let kept: Vec<_> = body.tenants.iter().filter(|one| one.id.as_str() != id).collect();
    body.tenants = partywall_tenancy::Tenants::pack(kept).unwrap();
}

#[test]
fn what_ends_a_request_that_a_token_opened() {
    let changes: [(Change, Option<Reason>); 13] = [
        (|_, _| (), None),
        // What is about others.
        (|_, o| o.suspended = vec![tenant("globex")], None),
        (|_, o| o.revoked_issuers = vec![ACME_ISSUER.into()], None),
        (|_, o| o.revoked_signers = vec!["edge-1".into()], None),
        (|b, _| b.services.clear(), None),
        (|_, o| o.suspended = vec![tenant("acme")], Some(Reason::TenantSuspended)),
        (|_, o| o.quarantined = vec![tenant("acme")], Some(Reason::TenantQuarantined)),
        (|b, _| without(b, "acme"), Some(Reason::TenantUnknown)),
        (
            |_, o| o.revoked_tokens = vec![RevokedToken { issuer: SHARED_ISSUER.into(), id: "j1".into() }],
            Some(Reason::CredentialRevoked),
        ),
        (
            |_, o| o.revoked_subjects = vec![RevokedSubject { issuer: SHARED_ISSUER.into(), subject: "alice".into() }],
            Some(Reason::CredentialRevoked),
        ),
        (
            |_, o| o.revoked_keys = vec![RevokedKey { issuer: SHARED_ISSUER.into(), id: "es".into() }],
            Some(Reason::CredentialRevoked),
        ),
        (|b, _| b.issuers.retain(|one| one.issuer != SHARED_ISSUER), Some(Reason::CredentialInvalid)),
        (
            |b, _| b.issuers.iter_mut().for_each(|one| one.tenants = TenantScope::Only(vec![tenant("globex")])),
            Some(Reason::CredentialInvalid),
        ),
    ];
    let open = by_token();
    for (nth, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(ends(&open, ORDERS, &after(&body(), change)), expected, "change {nth}");
    }
}

#[test]
fn what_ends_a_request_that_an_api_key_opened() {
    let open = by_api_key();
    assert_eq!(open.0.principal, "robot");
    let changes: [(Change, Option<Reason>); 5] = [
        (|_, _| (), None),
        (|_, o| o.revoked_api_keys = vec!["k2".into()], None),
        (|_, o| o.revoked_api_keys = vec!["k1".into()], Some(Reason::CredentialRevoked)),
        (|b, _| b.api_keys.clear(), Some(Reason::CredentialInvalid)),
        (|b, _| b.api_keys[0].tenant = tenant("globex"), Some(Reason::CredentialInvalid)),
    ];
    for (nth, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(ends(&open, ORDERS, &after(&with_api_key(), change)), expected, "change {nth}");
    }
}

#[test]
fn what_ends_a_request_that_a_root_opened() {
    let open = by_root();
    assert_eq!(open.0.caller, Some(spiffe(INVOICES)));
    let changes: [(Change, Option<Reason>); 7] = [
        (|_, _| (), None),
        (|_, o| o.revoked_issuers = vec![SHARED_ISSUER.into()], None),
        (|_, o| o.revoked_signers = vec!["edge-1".into()], Some(Reason::CredentialRevoked)),
        (|b, _| b.signers.clear(), Some(Reason::ContextForged)),
        (|b, _| b.signers[0].tenants = TenantScope::Only(vec![tenant("globex")]), Some(Reason::ContextForged)),
        (|b, _| b.signers[0].workload = spiffe(INVOICES), Some(Reason::ContextForged)),
        (|b, _| b.services[1].callers.remove(0).tenants = TenantScope::All, Some(Reason::CallerDenied)),
    ];
    for (nth, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(ends(&open, ORDERS, &after(&body(), change)), expected, "change {nth}");
    }
}

#[test]
fn an_outgoing_request_ends_with_its_services_place_among_the_callers() {
    let (mut context, standing) = by_root();
    context.caller = None;
    let (open, calls) = ((context, standing), Passage { service: "orders", calling: Some("invoices") });
    let changes: [(Change, Option<Reason>); 4] = [
        (|_, _| (), None),
        (|b, _| b.services[1].callers.truncate(0), Some(Reason::CallerDenied)),
        (|b, _| b.services.retain(|one| one.name != "orders"), Some(Reason::CallerDenied)),
        (|b, _| b.services.retain(|one| one.name != "invoices"), Some(Reason::CallerDenied)),
    ];
    for (nth, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(ends(&open, calls, &after(&body(), change)), expected, "change {nth}");
    }
}
