//! Who may cross, and for how long.

use super::*;
use crate::{GrantBody, GrantCeilings, GrantId, ProvedBy, Rollout, TenantContext, TenantScope, View, join_grants};

const HOUR: u32 = 3_600;

fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

/// Two tenants, two grant keys (6 and 7), and ceilings.
fn granting(change: impl FnOnce(&mut BundleBody)) -> Vec<u8> {
    bundle(|b| {
        b.tenants =
            Tenants::pack([tenant("acme", TenantStatus::Active), tenant("globex", TenantStatus::Active)]).unwrap();
        b.keys.grants = vec![named("g1", 6), named("g2", 7)];
        b.grants = Some(GrantCeilings {
            longest: 4 * HOUR,
            actions: vec!["invoices:list".into(), "invoices:read".into()],
            tenants: TenantScope::All,
            at_once: 2,
        });
        change(b);
    })
}

fn body(change: impl FnOnce(&mut GrantBody)) -> GrantBody {
    let mut body = GrantBody {
        format: GrantBody::FORMAT,
        mesh: MeshId::parse(MESH).unwrap(),
        id: GrantId::new([1; 16]),
        operator: id("acme"),
        subject: "alice".into(),
        tenant: id("globex"),
        actions: vec!["invoices:read".into()],
        reason: "ticket 7".into(),
        not_before: NOW,
        expires: NOW + 600,
    };
    change(&mut body);
    body
}

fn signed(body: &GrantBody) -> Vec<u8> {
    body.sign(&[("g1", &key(6)), ("g2", &key(7))]).unwrap()
}

fn file(statements: &[Vec<u8>]) -> Vec<u8> {
    join_grants(statements.iter().map(Vec::as_slice)).unwrap()
}

fn state() -> PolicyState {
    let mut state = empty();
    state.offer_bundle(&granting(|_| ()), NOW, |_| Ok(())).unwrap();
    state.offer_overlay(&overlay(|_| ()), Origin::Fetched, NOW).unwrap();
    state
}

fn refused(statement: Vec<u8>) -> Refusal {
    let mut state = state();
    let (accepted, mut refused) = state.offer_grants(file(&[statement]), NOW).unwrap();
    assert_eq!((accepted, state.grants(), refused.len()), (Accepted::Installed, 0, 1));
    refused.remove(0)
}

#[test]
fn a_candidate_judges_grants_by_its_own_keys_and_ceilings() {
    let candidate = |step, change: fn(&mut BundleBody)| {
        let granting = granting(|b| {
            b.revision = 8;
            change(b);
        });
        let body = BundleBody::read(statement::Statement::read(&granting).unwrap().unverified_body()).unwrap();
        let rollout = Rollout { format: Rollout::FORMAT, step, percent: 100, tenants: vec![] };
        rollout.sign(&body, &[("b", &key(1))]).unwrap()
    };
    let crosses = |state: &PolicyState| {
        let view = state.view(NOW).unwrap();
        let trial = state.trial(&view).unwrap();
        let grant = |view: &View| view.grant(&alice(), "globex", "invoices:read").is_some();
        (grant(&view), grant(trial.view()))
    };
    let mut state = state();
    state.offer_grants(file(&[signed(&body(|_| ()))]), NOW).unwrap();
    let mut tried = |step, change| {
        state.offer_candidate(&candidate(step, change), NOW, |_| Ok(())).unwrap();
        crosses(&state)
    };
    assert_eq!(tried(1, |_| ()), (true, true));
    assert_eq!(tried(2, |b| b.grants = None), (true, false));
    assert_eq!(tried(3, |b| b.grants.as_mut().unwrap().actions = vec!["invoices:list".into()]), (true, false));
    assert_eq!(tried(4, |b| b.keys.grants = vec![named("g1", 6), named("g3", 8)]), (true, false));
    assert_eq!(tried(5, |_| ()), (true, true));
    state.offer_grants(file(&[signed(&body(|g| g.subject = "bob".into()))]), NOW).unwrap();
    assert_eq!(crosses(&state), (false, false));
    state.offer_grants(file(&[signed(&body(|_| ()))]), NOW).unwrap();
    assert_eq!(crosses(&state), (true, true), "grants that come after the candidate");
}

fn alice() -> TenantContext {
    TenantContext {
        tenant: id("acme"),
        tier: "gold".into(),
        region: "eu".into(),
        principal: "alice".into(),
        roles: vec![],
        scopes: vec![],
        networks: NameSet::default(),
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: NOW + 60,
        caller: None,
    }
}

fn may(state: &PolicyState, now: UnixSeconds) -> bool {
    state.view(now).unwrap().grant(&alice(), "globex", "invoices:read").is_some()
}

#[test]
fn a_grant_is_signed_by_two_keys_for_grants() {
    let body = body(|_| ());
    let needs = |found| Refusal::Approvals { found, needed: 2 };
    assert_eq!(refused(body.sign(&[("g1", &key(6))]).unwrap()), needs(1));
    assert_eq!(refused(body.sign(&[("g1", &key(6)), ("g1", &key(6))]).unwrap()), needs(1));
    assert_eq!(refused(body.sign(&[("g1", &key(6)), ("g2", &key(6))]).unwrap()), needs(1), "one key, two ids");
    assert_eq!(refused(body.sign(&[("g1", &key(6)), ("o", &key(2))]).unwrap()), needs(1));
    assert_eq!(refused(body.sign(&[("b", &key(1)), ("b", &key(1))]).unwrap()), Refusal::WrongRole("b".into()));
    assert_eq!(refused(body.sign(&[("o", &key(2)), ("b", &key(1))]).unwrap()), Refusal::WrongRole("o".into()));
    assert_eq!(refused(body.sign(&[("g1", &key(8)), ("g2", &key(9))]).unwrap()), Refusal::BadSignature);
    assert_eq!(refused(granting(|_| ())), Refusal::WrongKind);
    // And its keys sign nothing else.
    let other = OverlayBody { sequence: 8, ..overlay_body() }.sign("g1", &key(6)).unwrap();
    assert_eq!(state().offer_overlay(&other, Origin::Fetched, NOW), Err(Refusal::WrongRole("g1".into())));
}

#[test]
fn a_grant_stays_within_the_ceilings() {
    let beyond = |change: fn(&mut GrantBody)| refused(signed(&body(change))).code();
    assert_eq!(beyond(|g| g.expires = NOW + u64::from(4 * HOUR) + 1), "ceiling");
    assert_eq!(beyond(|g| g.actions.push("invoices:delete".into())), "ceiling");
    assert_eq!(beyond(|g| g.actions.clear()), "inconsistent");
    assert_eq!(beyond(|g| g.expires = g.not_before), "inconsistent");
    assert_eq!(beyond(|g| g.tenant = g.operator.clone()), "inconsistent");
    assert_eq!(beyond(|g| g.reason = "x".repeat(1025)), "inconsistent");
    assert_eq!(beyond(|g| g.format = 9), "format");
    assert_eq!(beyond(|g| g.mesh = MeshId::parse(OTHER_MESH).unwrap()), "other_mesh");

    let mut state = state();
    let nth = |n: u8| signed(&body(|g| g.id = GrantId::new([n; 16])));
    let (_, refused) = state.offer_grants(file(&[nth(1), nth(1), nth(2), nth(3)]), NOW).unwrap();
    assert_eq!((state.grants(), refused.len()), (2, 1), "two at once, and one twice is one");
    // Where the bundle allows less, the ones that are there count no more.
    let less = |b: &mut BundleBody| {
        b.revision = 6;
        b.grants.as_mut().unwrap().tenants = TenantScope::Only(vec![id("acme")]);
    };
    state.offer_bundle(&granting(less), NOW, |_| Ok(())).unwrap();
    assert_eq!((state.grants(), may(&state, NOW)), (0, false));
    let none = |b: &mut BundleBody| {
        b.revision = 7;
        b.grants = None;
    };
    state.offer_bundle(&granting(none), NOW, |_| Ok(())).unwrap();
    assert_eq!(state.grants(), 0);
}

#[test]
fn a_grant_is_for_one_operator_one_tenant_and_its_actions() {
    let mut state = state();
    state.offer_grants(file(&[signed(&body(|_| ()))]), NOW).unwrap();
    let view = state.view(NOW).unwrap();
    let (grant, owner) = view.grant(&alice(), "globex", "invoices:read").unwrap();
    assert_eq!((grant, owner.id), (GrantId::new([1; 16]), id("globex")));
    let other = |context: TenantContext| view.grant(&context, "globex", "invoices:read").is_some();
    assert!(!other(TenantContext { principal: "bob".into(), ..alice() }));
    assert!(!other(TenantContext { tenant: id("globex"), ..alice() }));
    assert!(!other(TenantContext { proved_by: ProvedBy::Nothing, ..alice() }));
    assert!(view.grant(&alice(), "initech", "invoices:read").is_none());
    assert!(view.grant(&alice(), "globex", "invoices:list").is_none());
}

#[test]
fn a_grant_begins_and_ends_and_can_be_revoked() {
    let mut state = state();
    let later = body(|g| (g.not_before, g.expires) = (NOW + 20, NOW + 60));
    state.offer_grants(file(&[signed(&later)]), NOW).unwrap();
    for (after, live) in [(0, false), (19, false), (20, true), (59, true), (60, false), (100, false)] {
        assert_eq!(may(&state, NOW + after), live, "{after}");
    }
    let revoked = overlay(|o| {
        o.sequence = 8;
        o.revoked_grants = vec![GrantId::new([1; 16])];
    });
    state.offer_overlay(&revoked, Origin::Fetched, NOW + 30).unwrap();
    assert!(!may(&state, NOW + 30));
}

#[test]
fn an_overlay_past_its_expiry_voids_all_grants_before_anything_else_is_stale() {
    let mut state = state();
    state.offer_grants(file(&[signed(&body(|_| ()))]), NOW).unwrap();
    assert!(may(&state, NOW + OverlayBody::LIFETIME));
    assert!(!may(&state, NOW + OverlayBody::LIFETIME + 1));
    assert_eq!(state.freshness(NOW + OverlayBody::LIFETIME + 1), Freshness::Fresh);
}

#[test]
fn a_tenant_that_may_not_act_is_no_owner_to_cross_to() {
    let mut state = state();
    state.offer_grants(file(&[signed(&body(|_| ()))]), NOW).unwrap();
    let suspended = overlay(|o| {
        o.sequence = 8;
        o.suspended = vec![id("globex")];
    });
    state.offer_overlay(&suspended, Origin::Fetched, NOW).unwrap();
    assert!(!may(&state, NOW));
}

#[test]
fn a_broken_file_changes_nothing() {
    let mut state = state();
    let good = file(&[signed(&body(|_| ()))]);
    state.offer_grants(good.clone(), NOW).unwrap();
    assert_eq!(state.offer_grants(good.clone(), NOW), Ok((Accepted::Unchanged, vec![])));
    for n in (1..good.len()).step_by(7) {
        assert_eq!(state.offer_grants(good[..n].to_vec(), NOW), Err(Refusal::Garbage("cut short")));
    }
    let large = vec![0; crate::MAX_GRANTS + 1];
    assert_eq!(state.offer_grants(large, NOW), Err(Refusal::TooLarge(crate::MAX_GRANTS + 1)));
    assert!(may(&state, NOW));
    assert_eq!(state.offer_grants(vec![], NOW), Ok((Accepted::Installed, vec![])));
    assert!(!may(&state, NOW), "taken out of the file, it is gone");
    assert_eq!(empty().offer_grants(good, NOW), Err(Refusal::NoBundle));
}

#[test]
fn ids_are_32_hexadecimal_digits() {
    let text = "00ff0123456789abcdef0123456789ab";
    assert_eq!(GrantId::parse(text).unwrap().to_string(), text);
    for bad in ["", "00", &text[1..], &text.to_uppercase(), "+0ff0123456789abcdef0123456789ab", "éééééééééééééééé"]
    {
        assert_eq!(GrantId::parse(bad), None, "{bad}");
    }
}
