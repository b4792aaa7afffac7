//! Inside the mesh: root contexts inbound, and found again outbound.
#![allow(missing_docs)]

mod common;

use std::cell::RefCell;

use common::*;
use partywall_tenancy::{ActFor, NameSet, ProvedBy, Reason, TenantContext, TenantId, UnixSeconds, View};
use partywall_tenant_context::{
    ACT_FOR, CONTEXT, Carried, Established, Handed, Handle, Headers, Outbound, Record, Rejection, Request, RootMemo,
    Waiting, establish_inbound, recover, take_out,
};

fn context(tenant_id: &str) -> TenantContext {
    TenantContext {
        tenant: tenant(tenant_id),
        tier: "gold".into(),
        region: "eu".into(),
        principal: "alice".into(),
        roles: vec!["viewer".into()],
        scopes: vec![],
        networks: NameSet::default(),
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: NOW + 300,
        caller: None,
    }
}

fn root(tenant_id: &str) -> String {
    signer("edge-1", 3).mint(&context(tenant_id), &view(), NOW, || Some([7; 16])).unwrap().to_string()
}

struct Arrival<'a> {
    view: View,
    peer: &'a str,
    service: &'a str,
    now: u64,
}

impl Arrival<'_> {
    fn with(&self, roots: &[&str]) -> Result<TenantContext, Rejection> {
        let roots: Vec<_> = roots.iter().map(|r| (CONTEXT, *r)).collect();
        let headers = headers(&roots);
        let taken = take_out(Headers(&headers), &[]);
        let service = self.view.bundle().service(self.service).unwrap();
        let memos = Memos::new();
        let evidence = evidence(&self.view, &memos, self.now, self.peer.as_bytes());
        match establish_inbound(&Request::from_headers(&headers), &taken, service, &evidence, false)? {
            Established::Proved(context, _) => Ok(context),
            Established::Anonymous(_) => panic!("nobody asked for an anonymous operation"),
        }
    }

    fn reason(&self, roots: &[&str]) -> Reason {
        self.with(roots).expect_err("must be denied").reason
    }
}

fn at_orders() -> Arrival<'static> {
    Arrival { view: view(), peer: INVOICES, service: "orders", now: NOW }
}

#[test]
fn a_root_from_a_listed_caller_is_accepted() {
    let context = at_orders().with(&[&root("acme")]).unwrap();
    assert_eq!((context.tenant.as_str(), context.principal.as_str()), ("acme", "alice"));
    assert_eq!(context.caller, Some(spiffe(INVOICES)));
}

#[test]
fn a_stolen_root_is_worth_nothing_to_others() {
    let root = root("acme");
    for (peer, why) in [
        ("spiffe://mesh.example/ns/shop/sa/reports", Reason::CallerDenied),
        ("spiffe://other.example/ns/shop/sa/invoices", Reason::CallerUnknown),
        ("https://invoices", Reason::CallerUnknown),
        ("", Reason::CallerUnknown),
    ] {
        assert_eq!(Arrival { peer, ..at_orders() }.reason(&[&root]), why, "{peer}");
    }
}

#[test]
fn a_caller_acts_only_for_the_tenants_it_is_listed_for() {
    let mut body = body();
    let active = |t| partywall_tenancy::Tenant { status: partywall_tenancy::TenantStatus::Active, ..t };
    body.tenants = partywall_tenancy::Tenants::pack(body.tenants.iter().map(active)).unwrap();
    let view = view_of(&body, &overlay());
    let root = signer("edge-1", 3).mint(&context("initech"), &view, NOW, || Some([7; 16])).unwrap();
    assert_eq!(Arrival { view, ..at_orders() }.reason(&[&root]), Reason::CallerDenied);
}

#[test]
fn without_exactly_one_root_there_is_no_tenant() {
    assert_eq!(at_orders().reason(&[]), Reason::TenantMissing);
    let root = root("acme");
    assert_eq!(at_orders().reason(&[&root, &root]), Reason::AmbiguousRequest);
}

#[test]
fn the_signer_is_bound_by_exp_and_others_by_the_service() {
    let root = root("acme");
    let edge_at = |now| Arrival { peer: EDGE, now, ..at_orders() }.with(&[&root]).map(|_| ()).map_err(|r| r.reason);
    assert_eq!(edge_at(NOW + 60 + 30), Ok(()));
    assert_eq!(edge_at(NOW + 60 + 31), Err(Reason::ContextExpired));
    let invoices_at = |now| Arrival { now, ..at_orders() }.with(&[&root]).map(|_| ()).map_err(|r| r.reason);
    assert_eq!(invoices_at(NOW + 120 + 30), Ok(()));
    assert_eq!(invoices_at(NOW + 120 + 31), Err(Reason::ContextExpired));
}

#[test]
fn a_suspended_tenant_is_denied_though_its_root_is_valid() {
    let mut overlay = overlay();
    overlay.suspended = vec![tenant("acme")];
    let view = view_of(&body(), &overlay);
    let denied = Arrival { view, ..at_orders() }.with(&[&root("acme")]).unwrap_err();
    assert_eq!((denied.reason, denied.tenant), (Reason::TenantSuspended, Some(tenant("acme"))));
}

#[test]
fn a_revoked_signing_key_signs_nothing() {
    let mut overlay = overlay();
    overlay.revoked_signers = vec!["edge-1".into()];
    let view = view_of(&body(), &overlay);
    assert!(signer("edge-1", 3).mint(&context("acme"), &view, NOW, || Some([0; 16])).is_err());
    assert_eq!(Arrival { view, ..at_orders() }.reason(&[&root("acme")]), Reason::CredentialRevoked);
}

#[test]
fn a_key_that_the_bundle_does_not_list_mints_nothing() {
    assert!(signer("edge-2", 3).mint(&context("acme"), &view(), NOW, || Some([0; 16])).is_err());
    assert!(signer("edge-1", 4).mint(&context("acme"), &view(), NOW, || Some([0; 16])).is_err());
    let mut body = body();
    body.signers[0].tenants = partywall_tenancy::TenantScope::Only(vec![tenant("globex")]);
    let narrow = view_of(&body, &overlay());
    assert!(signer("edge-1", 3).mint(&context("acme"), &narrow, NOW, || Some([0; 16])).is_err());
    // A captured signer does not ask the bundle before it signs; the receiver does.
    assert_eq!(Arrival { view: narrow, ..at_orders() }.reason(&[&root("acme")]), Reason::ContextForged);
}

#[test]
fn every_forgery_is_refused() {
    const HEADER: &str = r#"{"alg":"EdDSA","kid":"edge-1","typ":"partywall-root+jwt"}"#;
    let payload = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = serde_json::json!({
            "iss": MESH, "sub": "alice", "ten": "acme", "tier": "gold", "rol": [], "scp": [], "reg": "eu",
            "org": EDGE, "rev": 5, "iat": NOW, "exp": NOW + 60, "jti": "x",
        });
        change(&mut claims);
        claims.to_string()
    };
    let good = payload(&|_| ());
    let signed = |header: &str, payload: &str| jws(header, payload, |m| ed25519_sign(3, m));
    assert!(at_orders().with(&[&signed(HEADER, &good)]).is_ok(), "the forgeries differ in one thing each");

    let mut forged = vec![
        ("other key", jws(HEADER, &good, |m| ed25519_sign(4, m))),
        ("no signature", jws(HEADER, &good, |_| vec![])),
        ("none", jws(r#"{"alg":"none","kid":"edge-1","typ":"partywall-root+jwt"}"#, &good, |_| vec![])),
        ("a user's token", token(&claims(|_| ()))),
        ("garbage", "x".repeat(20_000)),
    ];
    for header in [
        r#"{"alg":"EdDSA","kid":"edge-2","typ":"partywall-root+jwt"}"#,
        r#"{"alg":"EdDSA","kid":"edge-1","typ":"JWT"}"#,
        r#"{"alg":"ES256","kid":"edge-1","typ":"partywall-root+jwt"}"#,
        r#"{"alg":"EdDSA","kid":"edge-1","typ":"partywall-root+jwt","crit":["x"]}"#,
        r#"{"alg":"EdDSA","kid":"edge-1","kid":"edge-1","typ":"partywall-root+jwt"}"#,
        r#"{"alg":"EdDSA","typ":"partywall-root+jwt"}"#,
    ] {
        forged.push(("header", signed(header, &good)));
    }
    let changes: &[(&str, serde_json::Value)] = &[
        ("iss", "00000000-0000-4000-8000-000000000000".into()),
        ("org", INVOICES.into()),
        ("ten", "Acme".into()),
        ("ten", serde_json::json!(["acme"])),
        ("sub", "a\nb".into()),
        ("iat", (NOW + 31).into()),
        ("exp", (NOW + 61).into()),
        ("exp", serde_json::Value::Null),
    ];
    for (claim, value) in changes {
        forged.push((claim, signed(HEADER, &payload(&|c| c[*claim] = value.clone()))));
    }
    forged.push(("repeated", signed(HEADER, &good.replacen('{', r#"{"ten":"globex","#, 1))));
    for (what, token) in &forged {
        assert_eq!(at_orders().reason(&[token]), Reason::ContextForged, "{what}");
    }
}

/// docs/vectors/context-token.json is what docs/context-token.md promises; another library checks it too.
#[test]
fn the_published_vectors_hold() {
    let vectors = include_str!("../../../docs/vectors/context-token.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let at = vectors["now"].as_u64().unwrap();
    assert_eq!(at, NOW, "the fixture's clock is the vectors'");
    for vector in vectors["vectors"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap_or_else(|| panic!("{name} in {vector}"));
        let arrival = Arrival { peer: text("peer"), ..at_orders() };
        let outcome = arrival.with(&[text("token")]).map_or_else(|r| r.reason.code(), |_| "accepted");
        assert_eq!(outcome, text("outcome"), "{}", text("name"));
    }
    let minted = signer("edge-1", 3).mint(&context("acme"), &view(), NOW, || Some([7; 16])).unwrap();
    assert_eq!(
        *minted, vectors["vectors"][0]["token"],
        "Ed25519 is deterministic, so the first vector can be made again"
    );
    let called = TenantContext { networks: NameSet::new(["vpn", "office"]).unwrap(), ..context("acme") };
    let minted = signer("edge-1", 3).mint(&called, &view(), NOW, || Some([7; 16])).unwrap();
    let vector =
        vectors["vectors"].as_array().unwrap().iter().find(|v| v["name"] == "the networks that the client called from");
    assert_eq!(*minted, vector.unwrap()["token"]);
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER_TRACE: &str = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn handle() -> Handle {
    Handle::new(9, [5; 16])
}

fn record() -> Record {
    let trace_id = 0x0af7651916cd43dd8448eb211c80319c_u128.to_be_bytes();
    Record {
        handle: handle(),
        over: false,
        live_until: NOW + 5,
        trace_id,
        service: "invoices".into(),
        root: root("acme").into(),
    }
}

/// One record, found by its handle, and by its trace id.
struct One(Option<Record>);

impl Waiting for One {
    fn by_handle(&self, handle: &Handle) -> Option<Record> {
        self.0.clone().filter(|r| r.handle == *handle)
    }

    fn by_trace(&self, trace_id: [u8; 16]) -> Option<Record> {
        self.0.clone().filter(|r| r.trace_id == trace_id)
    }

    fn fetched(&self, tenant: &TenantId) -> Option<UnixSeconds> {
        (tenant.as_str() == "acme").then_some(FETCHED)
    }
}

/// When records of acme were fetched.
const FETCHED: u64 = NOW - 10;

fn leave(view: &View, more: &[(&str, &str)], to: Option<&str>, now: u64) -> Result<Handed, Rejection> {
    leave_with(view, more, to, now, One(Some(record())))
}

fn leave_with(
    view: &View,
    more: &[(&str, &str)],
    to: Option<&str>,
    now: u64,
    waiting: One,
) -> Result<Handed, Rejection> {
    let headers = headers(more);
    let sources = Outbound {
        view,
        own: view.bundle().service("invoices").unwrap(),
        destination: to.map(|name| view.bundle().service(name).unwrap()),
        now,
        roots: &RefCell::new(RootMemo::new(4)),
    };
    let request = Request::from_headers(&headers);
    recover(&request, &Carried::of(&request)?, &sources, &waiting)
}

#[test]
fn an_app_that_carries_trace_headers_along_keeps_its_context() {
    let state = format!("vendor=1,pw={}", handle());
    let handed = leave(&view(), &[("traceparent", TRACE), ("tracestate", &state)], Some("orders"), NOW).unwrap();
    let Handed::Found { context, root: sent, .. } = handed else { panic!("{handed:?}") };
    assert_eq!((context.tenant.as_str(), sent), ("acme", root("acme").into_bytes()));
}

#[test]
fn a_call_that_belongs_to_no_request_is_denied() {
    let state = format!("pw={}", handle());
    let twice = format!("pw={0},pw={0}", handle());
    let wrong = format!("pw={}", Handle::new(9, [6; 16]));
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Reason);
    let cases: &[Case<'_>] = &[
        ("nothing", &[], Reason::ContextNoRequest),
        ("no handle", &[("traceparent", TRACE)], Reason::ContextNoRequest),
        ("no traceparent", &[("tracestate", &state)], Reason::ContextNoRequest),
        ("other trace", &[("traceparent", OTHER_TRACE), ("tracestate", &state)], Reason::ContextNoRequest),
        ("guessed", &[("traceparent", TRACE), ("tracestate", &wrong)], Reason::ContextNoRequest),
        ("not hex", &[("traceparent", TRACE), ("tracestate", "pw=zz")], Reason::ContextNoRequest),
        ("two handles", &[("traceparent", TRACE), ("tracestate", &twice)], Reason::AmbiguousRequest),
        (
            "two handles in two headers",
            &[("traceparent", TRACE), ("tracestate", &state), ("tracestate", &state)],
            Reason::AmbiguousRequest,
        ),
    ];
    for (what, more, why) in cases {
        assert_eq!(leave(&view(), more, Some("orders"), NOW).unwrap_err().reason, *why, "{what}");
    }
}

#[test]
fn a_context_ends_with_its_request_and_goes_nowhere_it_may_not() {
    let state = format!("pw={}", handle());
    let more: &[(&str, &str)] = &[("traceparent", TRACE), ("tracestate", &state)];
    let reason = |view: &View, to, now| leave(view, more, to, now).unwrap_err().reason;
    assert_eq!(reason(&view(), Some("orders"), NOW + 6), Reason::ContextNoRequest);
    assert_eq!(reason(&view(), None, NOW), Reason::CallerDenied);
    assert_eq!(reason(&view(), Some("invoices"), NOW), Reason::CallerDenied, "invoices does not call itself");
    let mut old = body();
    old.services[1].max_context_age = 0;
    let old = view_of(&old, &overlay());
    let live = One(Some(Record { live_until: NOW + 100, ..record() }));
    let denied = leave_with(&old, more, Some("orders"), NOW + 31, live).unwrap_err();
    assert_eq!(denied.reason, Reason::ContextExpired);
    let mut suspended = overlay();
    suspended.suspended = vec![tenant("acme")];
    assert_eq!(reason(&view_of(&body(), &suspended), Some("orders"), NOW), Reason::TenantSuspended);
}

#[test]
fn an_app_that_carries_traceparent_alone_is_found_where_the_service_asks_for_it() {
    let more: &[(&str, &str)] = &[("traceparent", TRACE)];
    assert_eq!(leave(&view(), more, Some("orders"), NOW).unwrap_err().reason, Reason::ContextNoRequest);
    let mut body = body();
    body.services[0].recover = partywall_tenancy::Recover::TraceParent;
    let view = view_of(&body, &overlay());
    assert!(matches!(leave(&view, more, Some("orders"), NOW), Ok(Handed::Found { .. })));
    let other = leave(&view, &[("traceparent", OTHER_TRACE)], Some("orders"), NOW).unwrap_err();
    assert_eq!(other.reason, Reason::ContextNoRequest);
    assert_eq!(leave(&view, &[], Some("orders"), NOW).unwrap_err().reason, Reason::ContextNoRequest);
}

/// A mesh in which `invoices` may act for acme by itself, or always works for it.
fn by_itself(change: impl FnOnce(&mut partywall_tenancy::Service)) -> View {
    let mut body = body();
    change(&mut body.services[0]);
    view_of(&body, &overlay())
}

#[test]
fn a_workload_acts_for_the_tenants_the_directory_lets_it_name() {
    use partywall_tenancy::TenantScope::Only;
    let view = by_itself(|s| s.act_for = Some(ActFor { tenants: Only(vec![tenant("acme")]), fetched: None }));
    let act_for = |name: &str| leave_with(&view, &[(ACT_FOR, name)], Some("orders"), NOW, One(None));
    let Handed::ToSign(context) = act_for("acme").unwrap() else { panic!("a root is signed anew") };
    assert_eq!((context.tenant.as_str(), context.principal.as_str()), ("acme", INVOICES));
    assert!(context.roles.is_empty() && context.networks.is_empty());
    assert_eq!(act_for("globex").unwrap_err().reason, Reason::ActForDenied);
    assert_eq!(act_for("Acme").unwrap_err().reason, Reason::TenantInvalid);
    let twice = leave_with(&view, &[(ACT_FOR, "acme"), (ACT_FOR, "acme")], Some("orders"), NOW, One(None));
    assert_eq!(twice.unwrap_err().reason, Reason::AmbiguousRequest);
    let not_asked = leave_with(&common::view(), &[(ACT_FOR, "acme")], Some("orders"), NOW, One(None));
    assert_eq!(not_asked.unwrap_err().reason, Reason::ActForDenied);
}

#[test]
fn a_consumer_acts_for_tenants_whose_records_it_fetched_and_not_for_long() {
    let all = partywall_tenancy::TenantScope::All;
    let view = by_itself(|s| s.act_for = Some(ActFor { tenants: all, fetched: Some(30) }));
    let act_for = |name: &str, now| leave_with(&view, &[(ACT_FOR, name)], Some("orders"), now, One(None));
    let Handed::ToSign(context) = act_for("acme", FETCHED + 30).unwrap() else { panic!("a root is signed anew") };
    assert_eq!(context.tenant.as_str(), "acme");
    // Clocks of two workers may differ a little; what lies far ahead is no time of now.
    assert!(act_for("acme", FETCHED - 1).is_ok());
    for (name, now) in [("acme", FETCHED + 31), ("globex", FETCHED), ("acme", FETCHED - 3600)] {
        assert_eq!(act_for(name, now).unwrap_err().reason, Reason::ActForDenied, "{name} {now}");
    }
}

#[test]
fn a_call_that_has_a_context_cannot_be_made_for_another_tenant() {
    let view = by_itself(|s| s.act_for = Some(ActFor { tenants: partywall_tenancy::TenantScope::All, fetched: None }));
    let state = format!("pw={}", handle());
    let deputy =
        leave(&view, &[("traceparent", TRACE), ("tracestate", &state), (ACT_FOR, "globex")], Some("orders"), NOW);
    assert_eq!(deputy.unwrap_err().reason, Reason::ActForDenied);
}

#[test]
fn a_workload_of_one_tenant_acts_for_it_when_no_request_made_it_call() {
    let view = by_itself(|s| s.own_tenant = Some(tenant("globex")));
    let own = leave_with(&view, &[], Some("orders"), NOW, One(None)).unwrap();
    assert!(matches!(&own, Handed::ToSign(c) if c.tenant == tenant("globex")), "{own:?}");
    let state = format!("pw={}", handle());
    let caused = leave(&view, &[("traceparent", TRACE), ("tracestate", &state)], Some("orders"), NOW).unwrap();
    assert!(matches!(&caused, Handed::Found { context, .. } if context.tenant == tenant("acme")), "{caused:?}");
    let stranger = by_itself(|s| s.own_tenant = Some(tenant("initech")));
    let denied = leave_with(&stranger, &[], Some("orders"), NOW, One(None)).unwrap_err();
    assert_eq!(denied.reason, Reason::CallerDenied, "orders does not list invoices for initech");
}
