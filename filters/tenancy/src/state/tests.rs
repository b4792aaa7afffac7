//! What may replace what, and for how long it counts.

mod candidates;
mod cells;
mod events;
mod grants;
mod shares;

use ed25519_dalek::SigningKey;

use super::*;
use crate::statement;
use crate::{NameSet, OverlayBody, RoleKeys, SpiffeId, Tenant, TenantId, TenantStatus, Tenants, WithdrawnConsent};

const MESH: &str = "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11";
const OTHER_MESH: &str = "00000000-0000-4000-8000-000000000000";
const NOW: UnixSeconds = 1_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn named(id: &str, seed: u8) -> (String, [u8; 32]) {
    (id.into(), key(seed).verifying_key().to_bytes())
}

fn tenant(id: &str, status: TenantStatus) -> Tenant {
    let consents = NameSet::new(["analytics", "mail"]).unwrap();
    let (id, features) = (TenantId::parse(id).unwrap(), NameSet::default());
    Tenant { id, tier: "gold".into(), status, residency: "eu".into(), cell: None, features, consents }
}

fn tenants(status: TenantStatus) -> Tenants {
    Tenants::pack([tenant("acme", status)]).unwrap()
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn bundle(change: impl FnOnce(&mut BundleBody)) -> Vec<u8> {
    let mut body = BundleBody {
        format: BundleBody::FORMAT,
        audience: Audience::Workload,
        mesh: MeshId::parse(MESH).unwrap(),
        revision: 5,
        issued: NOW - 10,
        expires: NOW + 10_000,
        source_digest: [0; 32],
        trust_domain: "mesh.example".into(),
        stale_after: 300,
        approvals: 1,
        keys: RoleKeys { overlay: vec![named("o", 2)], ..RoleKeys::default() },
        grants: None,
        legacy_headers: vec![],
        sources: crate::Sources::default(),
        api_keys: vec![],
        issuers: vec![],
        signers: vec![],
        gateways: vec![],
        cells: vec![],
        networks: vec![],
        tenants: tenants(TenantStatus::Active),
        services: vec![],
        modes: crate::Modes::default(),
        shares: vec![],
        events: vec![],
        program: vec![],
        redaction: vec![],
    };
    change(&mut body);
    body.sign(&[("b", &key(1))]).unwrap()
}

fn overlay(change: impl FnOnce(&mut OverlayBody)) -> Vec<u8> {
    let mut body = OverlayBody {
        format: OverlayBody::FORMAT,
        mesh: MeshId::parse(MESH).unwrap(),
        sequence: 7,
        issued: NOW,
        expires: NOW + OverlayBody::LIFETIME,
        bundle: 5,
        suspended: vec![],
        quarantined: vec![],
        revoked_tokens: vec![],
        revoked_subjects: vec![],
        revoked_keys: vec![],
        revoked_issuers: vec![],
        revoked_signers: vec![],
        revoked_api_keys: vec![],
        revoked_grants: vec![],
        withdrawn_consents: vec![],
        withdrawn_candidates: 0,
    };
    change(&mut body);
    body.sign("o", &key(2)).unwrap()
}

fn empty() -> PolicyState {
    let key = TrustedKey::new("b", key(1).verifying_key().as_bytes()).unwrap();
    PolicyState::new(Trust {
        mesh: MeshId::parse(MESH).unwrap(),
        audience: Audience::Workload,
        bundle_keys: vec![key],
        floor: 3,
        approvals: 1,
    })
}

fn settled() -> PolicyState {
    let mut state = empty();
    assert_eq!(state.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())), Ok(Accepted::Installed));
    assert_eq!(state.offer_overlay(&overlay(|_| ()), Origin::Fetched, NOW), Ok(Accepted::Installed));
    state
}

fn refused_bundle(bytes: &[u8]) -> Refusal {
    let mut state = settled();
    let refusal = state.offer_bundle(bytes, NOW, |_| Ok(())).unwrap_err();
    assert_eq!((state.revision(), state.freshness(NOW)), (5, Freshness::Fresh), "the old one stays");
    refusal
}

fn refused_overlay(bytes: &[u8]) -> Refusal {
    let mut state = settled();
    let refusal = state.offer_overlay(bytes, Origin::Fetched, NOW).unwrap_err();
    assert_eq!((state.sequence(), state.freshness(NOW)), (7, Freshness::Fresh), "the old one stays");
    refusal
}

#[test]
fn a_newer_bundle_and_overlay_are_installed() {
    let mut state = settled();
    assert_eq!(state.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())), Ok(Accepted::Unchanged));
    assert_eq!(state.offer_bundle(&bundle(|b| b.revision = 6), NOW, |_| Ok(())), Ok(Accepted::Installed));
    assert_eq!(state.offer_overlay(&overlay(|o| o.sequence = 8), Origin::Fetched, NOW), Ok(Accepted::Installed));
    assert_eq!((state.revision(), state.sequence()), (6, 8));
}

#[test]
fn what_must_not_replace_a_bundle_does_not() {
    assert_eq!(refused_bundle(b"garbage").code(), "garbage");
    assert_eq!(refused_bundle(&bundle(|b| b.revision = 4)), Refusal::Older { offered: 4, needed: 5 });
    assert_eq!(refused_bundle(&bundle(|b| b.expires += 1)), Refusal::SameNumberOtherContent(5));
    let other = |b: &mut BundleBody| {
        b.revision = 6;
        b.mesh = MeshId::parse(OTHER_MESH).unwrap();
    };
    assert_eq!(refused_bundle(&bundle(other)), Refusal::OtherMesh(OTHER_MESH.into()));
    let expired = |b: &mut BundleBody| {
        b.revision = 6;
        b.expires = NOW - 1;
    };
    assert_eq!(refused_bundle(&bundle(expired)), Refusal::Expired);
    let future = |b: &mut BundleBody| {
        b.revision = 6;
        b.issued = NOW + CLOCK_SKEW + 1;
    };
    assert_eq!(refused_bundle(&bundle(future)), Refusal::FromTheFuture);
    assert_eq!(refused_bundle(&bundle(|b| b.format = 99)), Refusal::Format(99));
    assert_eq!(refused_bundle(&overlay(|_| ())), Refusal::WrongKind);
    let twice = |b: &mut BundleBody| {
        b.revision = 6;
        b.tenants = Tenants::pack(b.tenants.iter().chain(b.tenants.iter())).unwrap();
    };
    assert_eq!(refused_bundle(&bundle(twice)).code(), "inconsistent");
    let gateways = |ids: &[&str]| {
        let gateways = ids.iter().map(|id| SpiffeId::parse(id).unwrap()).collect();
        bundle(move |b: &mut BundleBody| {
            b.revision = 6;
            b.gateways = gateways;
        })
    };
    for ids in [
        &["spiffe://mesh.example/a", "spiffe://mesh.example/a"][..],
        &["spiffe://mesh.example/b", "spiffe://mesh.example/a"],
        &["spiffe://other.example/a"],
    ] {
        assert_eq!(refused_bundle(&gateways(ids)).code(), "inconsistent", "{ids:?}");
    }
}

#[test]
fn what_must_not_replace_an_overlay_does_not() {
    assert_eq!(refused_overlay(&overlay(|o| o.sequence = 6)), Refusal::Older { offered: 6, needed: 7 });
    assert_eq!(refused_overlay(&overlay(|o| o.expires -= 1)), Refusal::SameNumberOtherContent(7));
    let long = |o: &mut OverlayBody| {
        o.sequence = 8;
        o.expires += 1;
    };
    assert_eq!(refused_overlay(&overlay(long)).code(), "inconsistent");
    let expired = |o: &mut OverlayBody| {
        o.sequence = 8;
        o.expires = NOW - 1;
    };
    assert_eq!(refused_overlay(&overlay(expired)), Refusal::Expired);
    let body = OverlayBody { sequence: 8, ..overlay_body() };
    assert_eq!(refused_overlay(&body.sign("b", &key(1)).unwrap()), Refusal::WrongRole("b".into()));
    assert_eq!(refused_overlay(&body.sign("o", &key(3)).unwrap()), Refusal::BadSignature);
}

fn overlay_body() -> OverlayBody {
    let bytes = overlay(|_| ());
    let key = TrustedKey::new("o", key(2).verifying_key().as_bytes()).unwrap();
    Overlay::open(&bytes, &[key], &[]).unwrap().body().clone()
}

#[test]
fn a_restart_is_no_way_back() {
    let refusal = empty().offer_bundle(&bundle(|b| b.revision = 2), NOW, |_| Ok(())).unwrap_err();
    assert_eq!(refusal, Refusal::Older { offered: 2, needed: 3 });
    assert_eq!(empty().offer_bundle(&bundle(|b| b.revision = 3), NOW, |_| Ok(())), Ok(Accepted::Installed));
}

#[test]
fn nothing_is_decided_without_both() {
    let mut state = empty();
    assert_eq!(state.view(NOW).unwrap_err(), Reason::PolicyUnavailable);
    assert_eq!(state.offer_overlay(&overlay(|_| ()), Origin::Fetched, NOW), Err(Refusal::NoBundle));
    state.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())).unwrap();
    assert_eq!(state.view(NOW).unwrap_err(), Reason::PolicyUnavailable);
}

#[test]
fn a_withheld_overlay_makes_policy_stale_from_its_signed_issue_time() {
    let state = settled();
    assert_eq!(state.freshness(NOW + 300), Freshness::Fresh);
    assert_eq!(state.view(NOW + 301).unwrap_err(), Reason::PolicyStale);
}

#[test]
fn a_kept_overlay_outlives_its_expiry_but_not_stale_after() {
    let later = NOW + OverlayBody::LIFETIME + 50;
    let mut cold = empty();
    cold.offer_bundle(&bundle(|_| ()), later, |_| Ok(())).unwrap();
    assert_eq!(cold.offer_overlay(&overlay(|_| ()), Origin::Fetched, later), Err(Refusal::Expired));
    assert_eq!(cold.offer_overlay(&overlay(|_| ()), Origin::Kept, later), Ok(Accepted::Installed));
    assert_eq!(cold.freshness(later), Freshness::Fresh);
    assert_eq!(cold.freshness(NOW + 301), Freshness::Stale);
}

#[test]
fn a_clock_that_goes_back_makes_nothing_fresh() {
    let mut state = settled();
    state.observe(NOW + 100);
    assert_eq!(state.freshness(NOW + 100 - CLOCK_SKEW), Freshness::Fresh);
    assert_eq!(state.freshness(NOW + 100 - CLOCK_SKEW - 1), Freshness::Stale);
}

#[test]
fn an_overlay_goes_with_its_key() {
    let mut state = settled();
    let poisoned = overlay(|o| o.sequence = u64::MAX);
    assert_eq!(state.offer_overlay(&poisoned, Origin::Fetched, NOW), Ok(Accepted::Installed));
    let rotated = |b: &mut BundleBody| {
        b.revision = 6;
        b.keys.overlay = vec![named("o2", 7)];
    };
    state.offer_bundle(&bundle(rotated), NOW, |_| Ok(())).unwrap();
    assert_eq!(state.freshness(NOW), Freshness::Unavailable);
    let body = OverlayBody { sequence: 8, ..overlay_body() };
    let good = body.sign("o2", &key(7)).unwrap();
    assert_eq!(state.offer_overlay(&good, Origin::Fetched, NOW), Ok(Accepted::Installed));
}

#[test]
fn a_bundle_that_fails_its_examination_is_not_installed() {
    let mut state = settled();
    let no = |_: &Bundle| Err(Refusal::Inconsistent("no".into()));
    assert!(state.offer_bundle(&bundle(|b| b.revision = 6), NOW, no).is_err());
    assert_eq!(state.revision(), 5);
}

#[test]
fn the_overlay_only_takes_away() {
    let view = |o: Vec<u8>, status: TenantStatus| {
        let mut state = empty();
        state.offer_bundle(&bundle(|b| b.tenants = tenants(status)), NOW, |_| Ok(())).unwrap();
        state.offer_overlay(&o, Origin::Fetched, NOW).unwrap();
        state.view(NOW).unwrap().active_tenant(&acme()).map(|_| ())
    };
    let suspends = || overlay(|o| o.suspended = vec![acme()]);
    let quarantines = || overlay(|o| o.quarantined = vec![acme()]);
    use TenantStatus::*;
    assert_eq!(view(overlay(|_| ()), Active), Ok(()));
    assert_eq!(view(overlay(|_| ()), Suspended), Err(Reason::TenantSuspended));
    assert_eq!(view(suspends(), Active), Err(Reason::TenantSuspended));
    assert_eq!(view(suspends(), Quarantined), Err(Reason::TenantQuarantined));
    assert_eq!(view(quarantines(), Suspended), Err(Reason::TenantQuarantined));
}

#[test]
fn a_withdrawn_consent_is_gone_and_nothing_else() {
    let one = |(tenant, consent): &(&str, &str)| WithdrawnConsent {
        tenant: TenantId::parse(tenant).unwrap(),
        consent: (*consent).into(),
    };
    let mut state = settled();
    let mut sequence = 7;
    let mut left = |list: &[(&str, &str)]| {
        sequence += 1;
        let withdrawn_consents = list.iter().map(one).collect();
        let body = OverlayBody { sequence, withdrawn_consents, ..overlay_body() };
        state.offer_overlay(&body.sign("o", &key(2)).unwrap(), Origin::Fetched, NOW).unwrap();
        let view = state.view(NOW).unwrap();
        let tenant = view.active_tenant(&acme()).unwrap();
        assert_eq!(view.tenant(&acme()), Some(tenant.clone()));
        let left = tenant.consents.iter().collect::<Vec<_>>().join(" ");
        (left, view.withdrawn_consents(&acme()).join(" "))
    };
    let told = |left: &str, withdrawn: &str| (left.to_owned(), withdrawn.to_owned());
    assert_eq!(left(&[]), told("analytics mail", ""));
    assert_eq!(left(&[("acme", "mail")]), told("analytics", "mail"));
    assert_eq!(left(&[("acme", "mail"), ("acme", "analytics"), ("acme", "x")]), told("", "analytics mail"));
    // What was never given is not given by being withdrawn, and what another tenant withdraws is its own.
    assert_eq!(left(&[("acme", "x"), ("globex", "mail"), ("zz", "mail")]), told("analytics mail", ""));
}

#[test]
fn a_slice_for_others_is_refused() {
    for audience in Audience::ALL.into_iter().filter(|a| *a != Audience::Workload) {
        let slice = |b: &mut BundleBody| {
            b.revision = 6;
            b.audience = audience;
        };
        assert_eq!(refused_bundle(&bundle(slice)), Refusal::WrongAudience(audience.name()));
    }
}

/// A bundle of this revision, changed, with signatures by `b` (1), `c` (4), `d` (5) and so on.
fn signed(revision: u64, by: &[u8], change: impl FnOnce(&mut BundleBody)) -> Vec<u8> {
    let mut body = BundleBody::read(statement::Statement::read(&bundle(|_| ())).unwrap().unverified_body()).unwrap();
    body.revision = revision;
    change(&mut body);
    let keys: Vec<_> = by.iter().map(|seed| (id(*seed), key(*seed))).collect();
    let pairs: Vec<_> = keys.iter().map(|(id, key)| (*id, key)).collect();
    body.sign(&pairs).unwrap()
}

fn id(seed: u8) -> &'static str {
    match seed {
        1 => "b",
        4 => "c",
        5 => "d",
        _ => "o",
    }
}

fn trusting(keys: &[u8], approvals: u8) -> PolicyState {
    let keys = keys.iter().map(|seed| TrustedKey::new(id(*seed), key(*seed).verifying_key().as_bytes()).unwrap());
    let mut state = empty();
    state.trust.bundle_keys = keys.collect();
    state.trust.approvals = approvals;
    state
}

fn offer(state: &mut PolicyState, bytes: &[u8]) -> Result<Accepted, Refusal> {
    state.offer_bundle(bytes, NOW, |_| Ok(()))
}

#[test]
fn as_many_keys_must_sign_as_any_of_three_asks_for() {
    let needs = |found, needed| Err(Refusal::Approvals { found, needed });
    // The bundle itself.
    let two = |b: &mut BundleBody| b.approvals = 2;
    assert_eq!(offer(&mut trusting(&[1, 4], 1), &signed(5, &[1], two)), needs(1, 2));
    assert_eq!(offer(&mut trusting(&[1, 4], 1), &signed(5, &[1, 1], two)), needs(1, 2), "one key, twice");
    assert_eq!(offer(&mut trusting(&[1, 4], 1), &signed(5, &[1, 5], two)), needs(1, 2), "a stranger");
    assert_eq!(offer(&mut trusting(&[1, 4], 1), &signed(5, &[1, 4], two)), Ok(Accepted::Installed));
    // The sidecar's configuration.
    assert_eq!(offer(&mut trusting(&[1, 4], 2), &signed(5, &[1], |_| ())), needs(1, 2));
    assert_eq!(offer(&mut trusting(&[1, 4], 2), &signed(5, &[4, 1], |_| ())), Ok(Accepted::Installed));
    // The bundle in force: one key alone cannot do away with the second.
    let mut state = trusting(&[1, 4], 1);
    offer(&mut state, &signed(5, &[1, 4], two)).unwrap();
    assert_eq!(offer(&mut state, &signed(6, &[1], |_| ())), needs(1, 2));
    assert_eq!(offer(&mut state, &signed(6, &[1, 4], |_| ())), Ok(Accepted::Installed));
    assert_eq!(offer(&mut state, &signed(7, &[1], |_| ())), Ok(Accepted::Installed));
}

#[test]
fn a_bundle_by_a_key_for_something_else_is_refused_as_such() {
    let mut state = trusting(&[1], 1);
    let keys = |b: &mut BundleBody| b.keys.grants = vec![named("g", 3)];
    assert_eq!(offer(&mut state, &signed(5, &[1], keys)), Ok(Accepted::Installed));
    let next = bundle(|b| b.revision = 6);
    let next = BundleBody::read(statement::Statement::read(&next).unwrap().unverified_body()).unwrap();
    let by = |name: &str, seed| next.sign(&[(name, &key(seed))]).unwrap();
    for (name, seed) in [("o", 2), ("g", 3)] {
        assert_eq!(offer(&mut state, &by(name, seed)), Err(Refusal::WrongRole(name.into())));
        assert_eq!(offer(&mut trusting(&[1], 1), &by(name, seed)), Err(Refusal::BadSignature), "nobody said its role");
    }
    assert_eq!(offer(&mut state, &by("o", 3)), Err(Refusal::BadSignature));
}

#[test]
fn one_key_follows_the_other() {
    let mut state = trusting(&[1], 1);
    let names = |list: &'static [u8]| {
        move |b: &mut BundleBody| b.keys.bundle = list.iter().map(|s| named(id(*s), *s)).collect()
    };
    assert_eq!(offer(&mut state, &signed(5, &[4], names(&[1, 4]))), Err(Refusal::BadSignature), "nobody named it yet");
    assert_eq!(offer(&mut state, &signed(5, &[1], names(&[1, 4]))), Ok(Accepted::Installed));
    let last = |b: &mut BundleBody| {
        b.keys.bundle = vec![named("c", 4)];
        b.keys.retired = vec![named("b", 1)];
    };
    let last = signed(6, &[1, 4], last);
    assert_eq!(offer(&mut state, &last), Ok(Accepted::Installed));
    assert_eq!(offer(&mut state, &last), Ok(Accepted::Unchanged), "its own retired key is no matter any more");
    assert_eq!(offer(&mut state, &signed(7, &[1], names(&[1]))), Err(Refusal::BadSignature), "retired");
    assert_eq!(offer(&mut state, &signed(7, &[4], names(&[4]))), Ok(Accepted::Installed));
    assert_eq!(
        offer(&mut trusting(&[1], 1), &signed(7, &[4], names(&[4]))),
        Err(Refusal::BadSignature),
        "a cold start"
    );
}

#[test]
fn a_key_has_one_role_whatever_its_id() {
    for roles in [
        |k: &mut RoleKeys| k.bundle = vec![named("x", 2)],
        |k: &mut RoleKeys| k.grants = vec![named("x", 2)],
        |k: &mut RoleKeys| k.retired = vec![named("x", 2)],
    ] {
        let bytes = bundle(|b| {
            b.revision = 6;
            roles(&mut b.keys);
        });
        let refusal = refused_bundle(&bytes).to_string();
        assert!(refusal.ends_with("has two roles"), "{refusal}");
    }
}

fn names_newer(sequence: u64, issued: UnixSeconds, revision: u64) -> Vec<u8> {
    overlay(|o| {
        o.sequence = sequence;
        o.issued = issued;
        o.expires = issued + OverlayBody::LIFETIME;
        o.bundle = revision;
    })
}

#[test]
fn a_withheld_bundle_is_told_at_once_and_stale_after_a_while() {
    let mut state = settled();
    assert_eq!(state.behind(), None);
    for n in 1..=40 {
        let at = NOW + n * 15;
        // A frozen overlay would be stale by itself; these are fresh ones.
        assert_eq!(state.offer_overlay(&names_newer(7 + n, at, 6), Origin::Fetched, at), Ok(Accepted::Installed));
        assert_eq!(state.behind(), Some(6));
        let wanted = if n <= 21 { Freshness::Fresh } else { Freshness::Stale };
        assert_eq!(state.freshness(at), wanted, "{n}: from the first that named it, 15 s after the beginning");
    }
    let now = NOW + 600;
    state.offer_bundle(&bundle(|b| b.revision = 6), now, |_| Ok(())).unwrap();
    assert_eq!((state.behind(), state.freshness(now)), (None, Freshness::Fresh));
}

#[test]
fn a_bundle_in_between_does_not_start_the_delay_anew() {
    let mut state = settled();
    state.offer_overlay(&names_newer(8, NOW + 10, 7), Origin::Fetched, NOW + 10).unwrap();
    state.offer_bundle(&bundle(|b| b.revision = 6), NOW + 200, |_| Ok(())).unwrap();
    state.offer_overlay(&names_newer(9, NOW + 300, 7), Origin::Fetched, NOW + 300).unwrap();
    assert_eq!(state.freshness(NOW + 310), Freshness::Fresh);
    assert_eq!(state.freshness(NOW + 311), Freshness::Stale);
}

#[test]
fn an_old_bundle_after_a_restart_serves_nobody() {
    let mut cold = empty();
    cold.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())).unwrap();
    cold.offer_overlay(&names_newer(7, NOW, 6), Origin::Fetched, NOW).unwrap();
    assert_eq!((cold.is_rolled_back(), cold.view(NOW).unwrap_err()), (true, Reason::PolicyUnavailable));
    cold.offer_bundle(&bundle(|b| b.revision = 6), NOW, |_| Ok(())).unwrap();
    assert_eq!((cold.is_rolled_back(), cold.freshness(NOW)), (false, Freshness::Fresh));
}

#[test]
fn a_worker_that_is_created_again_recalls_since_when_it_is_behind() {
    let first = names_newer(8, NOW + 10, 6);
    let latest = || names_newer(20, NOW + 190, 6);
    let created_again = || {
        let mut state = empty();
        state.offer_bundle(&bundle(|_| ()), NOW + 200, |_| Ok(())).unwrap();
        state.offer_overlay(&latest(), Origin::Kept, NOW + 200).unwrap();
        assert!(state.is_rolled_back());
        state
    };
    let mut state = created_again();
    state.recall(&first, NOW + 200).unwrap();
    assert_eq!(state.freshness(NOW + 310), Freshness::Fresh);
    assert_eq!(state.freshness(NOW + 311), Freshness::Stale);
    // What names no newer one shows nothing, and neither does what no overlay key signed.
    let mut state = created_again();
    state.recall(&names_newer(8, NOW + 10, 5), NOW + 200).unwrap();
    assert!(state.recall(&bundle(|_| ()), NOW + 200).is_err());
    assert!(state.is_rolled_back());
}

#[test]
fn a_bundle_is_looked_at_in_small_steps() {
    let state = settled();
    let bytes = bundle(|b| {
        b.revision = 6;
        b.program = vec![7; 10_000];
    });
    let mut loading = Loading::new(bytes.clone()).unwrap();
    let mut steps = 1;
    while state.load(&mut loading, 1_000, NOW).unwrap() == Progress::More {
        assert!(loading.bundle().is_none());
        steps += 1;
    }
    assert!(steps > 10, "{steps} steps");
    let mut state = state;
    state.install(loading, NOW).unwrap();
    assert_eq!(state.revision(), 6);
    // Two at once: whichever comes second must still be newer.
    let mut second = Loading::new(bundle(|b| b.revision = 7)).unwrap();
    while state.load(&mut second, 1_000, NOW).unwrap() == Progress::More {}
    state.offer_bundle(&bundle(|b| b.revision = 8), NOW, |_| Ok(())).unwrap();
    assert_eq!(state.install(second, NOW).unwrap_err().0, Refusal::Older { offered: 7, needed: 8 });
    let half = Loading::new(bytes).unwrap();
    assert_eq!(state.install(half, NOW).unwrap_err().0.code(), "garbage");
}
