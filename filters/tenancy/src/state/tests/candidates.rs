//! What may stand beside the bundle in force, for whom it decides, and when it goes.

use super::*;
use crate::Rollout;

fn rollout(step: u64, percent: u8, tenants: Vec<TenantId>) -> Rollout {
    Rollout { format: Rollout::FORMAT, step, percent, tenants }
}

fn sample(revision: u64, change: impl FnOnce(&mut BundleBody)) -> BundleBody {
    let mut body = BundleBody::read(statement::Statement::read(&bundle(|_| ())).unwrap().unverified_body()).unwrap();
    body.revision = revision;
    change(&mut body);
    body
}

/// A candidate of this revision and step, signed by `b`.
fn candidate(revision: u64, step: u64, change: impl FnOnce(&mut BundleBody)) -> Vec<u8> {
    rollout(step, 0, vec![]).sign(&sample(revision, change), &[("b", &key(1))]).unwrap()
}

fn by(seeds: &[u8], revision: u64, step: u64, change: impl FnOnce(&mut BundleBody)) -> Vec<u8> {
    let keys: Vec<_> = seeds.iter().map(|seed| (id(*seed), key(*seed))).collect();
    let pairs: Vec<_> = keys.iter().map(|(id, key)| (*id, key)).collect();
    rollout(step, 0, vec![]).sign(&sample(revision, change), &pairs).unwrap()
}

fn try_out(state: &mut PolicyState, bytes: &[u8]) -> Result<Accepted, Refusal> {
    state.offer_candidate(bytes, NOW, |_| Ok(()))
}

/// The refusal of `bytes` beside candidate 7, step 2, over bundle 5, which both stay.
fn refused(bytes: &[u8]) -> Refusal {
    let mut state = settled();
    assert_eq!(try_out(&mut state, &candidate(7, 2, |_| ())), Ok(Accepted::Installed));
    let refusal = try_out(&mut state, bytes).unwrap_err();
    assert_eq!((state.revision(), state.candidate(), state.freshness(NOW)), (5, Some((7, 2)), Freshness::Fresh));
    refusal
}

#[test]
fn a_candidate_stands_beside_the_bundle_in_force() {
    let mut state = settled();
    assert_eq!(try_out(&mut state, &candidate(6, 1, |_| ())), Ok(Accepted::Installed));
    assert_eq!(try_out(&mut state, &candidate(6, 1, |_| ())), Ok(Accepted::Unchanged));
    assert_eq!(try_out(&mut state, &candidate(6, 2, |_| ())), Ok(Accepted::Installed), "a step further");
    assert_eq!(try_out(&mut state, &candidate(8, 1, |_| ())), Ok(Accepted::Installed), "another one");
    assert_eq!((state.revision(), state.candidate()), (5, Some((8, 1))));
    let view = state.view(NOW).unwrap();
    let trial = state.trial(&view).unwrap();
    assert_eq!((view.bundle().body().revision, trial.revision(), trial.step()), (5, 8, 1));
}

#[test]
fn what_must_not_be_tried_out_is_not() {
    assert_eq!(refused(b"garbage").code(), "garbage");
    assert_eq!(refused(&candidate(5, 9, |_| ())), Refusal::Older { offered: 5, needed: 6 }, "no newer than in force");
    assert_eq!(refused(&candidate(6, 9, |_| ())), Refusal::Older { offered: 6, needed: 7 });
    assert_eq!(refused(&candidate(7, 1, |_| ())), Refusal::OlderStep { revision: 7, offered: 1, needed: 2 });
    assert_eq!(refused(&candidate(7, 2, |b| b.expires += 1)), Refusal::SameNumberOtherContent(7));
    let other_rollout = rollout(2, 50, vec![]).sign(&sample(7, |_| ()), &[("b", &key(1))]).unwrap();
    assert_eq!(refused(&other_rollout), Refusal::SameNumberOtherContent(7));
    let other_mesh = |b: &mut BundleBody| b.mesh = MeshId::parse(OTHER_MESH).unwrap();
    assert_eq!(refused(&candidate(8, 1, other_mesh)), Refusal::OtherMesh(OTHER_MESH.into()));
    let other_audience = |b: &mut BundleBody| b.audience = Audience::Edge;
    assert_eq!(refused(&candidate(8, 1, other_audience)), Refusal::WrongAudience("edge"));
    assert_eq!(refused(&candidate(8, 1, |b| b.expires = NOW - 1)), Refusal::Expired);
    assert_eq!(refused(&candidate(8, 1, |b| b.issued = NOW + CLOCK_SKEW + 1)), Refusal::FromTheFuture);
    assert_eq!(refused(&candidate(8, 1, |b| b.format = 99)), Refusal::Format(99));
    let twice = |b: &mut BundleBody| b.tenants = Tenants::pack(b.tenants.iter().chain(b.tenants.iter())).unwrap();
    assert_eq!(refused(&candidate(8, 1, twice)).code(), "inconsistent");
    assert_eq!(refused(&by(&[3], 8, 1, |_| ())), Refusal::BadSignature, "a stranger");
    assert_eq!(refused(&by(&[2], 8, 1, |_| ())), Refusal::WrongRole(id(2).into()), "an overlay key");
    let mut state = settled();
    let no = |_: &Bundle| Err(Refusal::Inconsistent("no".into()));
    assert!(state.offer_candidate(&candidate(6, 1, |_| ()), NOW, no).is_err());
    assert_eq!(state.candidate(), None);
    assert_eq!(try_out(&mut empty(), &candidate(6, 1, |_| ())), Err(Refusal::NoBundle));
}

#[test]
fn a_candidate_is_no_bundle_and_a_bundle_no_candidate() {
    let as_bundle = bundle(|b| b.revision = 8);
    let as_candidate = candidate(8, 1, |_| ());
    assert_eq!(refused(&as_bundle), Refusal::WrongKind);
    assert_eq!(refused_bundle(&as_candidate), Refusal::WrongKind);
    // Nor with the other's name on it.
    for (bytes, kind) in [(&as_bundle, Kind::Candidate), (&as_candidate, Kind::Bundle)] {
        let mut relabelled = bytes.clone();
        relabelled[4] = kind as u8;
        let refusal = if kind == Kind::Bundle { refused_bundle(&relabelled) } else { refused(&relabelled) };
        assert_eq!(refusal, Refusal::BadSignature);
    }
    // Nor when it was looked at as what it is.
    let mut state = settled();
    let mut loading = Loading::candidate(as_candidate).unwrap();
    while state.load(&mut loading, 1_000, NOW).unwrap() == Progress::More {}
    assert_eq!(state.install(loading, NOW).unwrap_err().0, Refusal::WrongKind);
    let mut loading = Loading::new(as_bundle).unwrap();
    while state.load(&mut loading, 1_000, NOW).unwrap() == Progress::More {}
    assert_eq!(state.install_candidate(loading, NOW).unwrap_err().0, Refusal::WrongKind);
    assert_eq!((state.revision(), state.candidate()), (5, None));
    let half = Loading::candidate(candidate(6, 1, |_| ())).unwrap();
    assert_eq!(state.install_candidate(half, NOW).unwrap_err().0.code(), "garbage");
}

#[test]
fn as_many_must_sign_a_candidate_as_a_bundle() {
    let needs = |found, needed| Err(Refusal::Approvals { found, needed });
    let two = |b: &mut BundleBody| b.approvals = 2;
    let with = |configured, in_force: fn(&mut BundleBody)| {
        let mut state = trusting(&[1, 4], configured);
        let by: &[u8] = if configured > 1 { &[1, 4] } else { &[1] };
        let by = if configured > 1 || sample(5, in_force).approvals > 1 { &[1, 4] } else { by };
        offer(&mut state, &signed(5, by, in_force)).unwrap();
        state
    };
    // The candidate itself, the configuration, and the bundle in force.
    assert_eq!(try_out(&mut with(1, |_| ()), &by(&[1], 6, 1, two)), needs(1, 2));
    assert_eq!(try_out(&mut with(1, |_| ()), &by(&[1, 1], 6, 1, two)), needs(1, 2), "one key, twice");
    assert_eq!(try_out(&mut with(1, |_| ()), &by(&[1, 4], 6, 1, two)), Ok(Accepted::Installed));
    assert_eq!(try_out(&mut with(2, |_| ()), &by(&[1], 6, 1, |_| ())), needs(1, 2));
    assert_eq!(try_out(&mut with(1, |b| b.approvals = 2), &by(&[1], 6, 1, |_| ())), needs(1, 2));
    assert_eq!(try_out(&mut with(1, |b| b.approvals = 2), &by(&[4, 1], 6, 1, |_| ())), Ok(Accepted::Installed));
    // Before its tenants are looked at.
    let state = with(2, |_| ());
    let mut loading = Loading::candidate(by(&[1], 6, 1, |_| ())).unwrap();
    while loading.digest().is_none() {
        state.load(&mut loading, 1_000, NOW).unwrap();
    }
    assert_eq!(state.load(&mut loading, 1_000, NOW), Err(Refusal::Approvals { found: 1, needed: 2 }));
    // A key that the bundle in force retired signs nothing.
    let retired = |b: &mut BundleBody| {
        b.keys.bundle = vec![named("c", 4)];
        b.keys.retired = vec![named("b", 1)];
    };
    let mut state = trusting(&[1], 1);
    offer(&mut state, &signed(5, &[1], retired)).unwrap();
    assert_eq!(try_out(&mut state, &by(&[1], 6, 1, |_| ())), Err(Refusal::BadSignature));
    assert_eq!(try_out(&mut state, &by(&[4], 6, 1, |_| ())), Ok(Accepted::Installed));
}

#[test]
fn a_candidate_goes_when_the_bundle_in_force_reaches_it_or_takes_its_key_back() {
    let tried = || {
        let mut state = trusting(&[1, 4], 1);
        offer(&mut state, &signed(5, &[1], |_| ())).unwrap();
        try_out(&mut state, &by(&[1], 7, 3, |_| ())).unwrap();
        state
    };
    let mut state = tried();
    offer(&mut state, &signed(6, &[1], |_| ())).unwrap();
    assert_eq!(state.candidate(), Some((7, 3)), "another bundle below it");
    offer(&mut state, &signed(7, &[1], |_| ())).unwrap();
    assert_eq!(state.candidate(), None, "it is in force");
    let mut state = tried();
    offer(&mut state, &signed(8, &[1], |_| ())).unwrap();
    assert_eq!(state.candidate(), None, "it was passed");

    let mut state = tried();
    offer(&mut state, &signed(6, &[4], |b| b.keys.retired = vec![named("b", 1)])).unwrap();
    assert_eq!(state.candidate(), None, "whoever stole the key says nothing more");
    assert_eq!(try_out(&mut state, &by(&[4], 7, 1, |_| ())), Ok(Accepted::Installed), "nor did their number stay");
    let mut state = tried();
    offer(&mut state, &signed(6, &[1, 4], |b| b.approvals = 2)).unwrap();
    assert_eq!(state.candidate(), None, "one key is not enough any more");
}

#[test]
fn a_candidate_that_was_taken_away_comes_back_as_it_was_or_higher() {
    let mut state = settled();
    assert!(!state.withdraw_candidate());
    try_out(&mut state, &candidate(7, 2, |_| ())).unwrap();
    assert!(state.withdraw_candidate());
    assert_eq!((state.candidate(), state.trial(&state.view(NOW).unwrap()).is_none()), (None, true));
    let older = Refusal::OlderStep { revision: 7, offered: 1, needed: 2 };
    assert_eq!(try_out(&mut state, &candidate(7, 1, |_| ())), Err(older));
    assert_eq!(try_out(&mut state, &candidate(7, 2, |b| b.expires += 1)), Err(Refusal::SameNumberOtherContent(7)));
    assert_eq!(try_out(&mut state, &candidate(7, 2, |_| ())), Ok(Accepted::Installed));
    state.withdraw_candidate();
    assert_eq!(try_out(&mut state, &candidate(7, 3, |_| ())), Ok(Accepted::Installed));
}

#[test]
fn what_the_overlay_withdraws_goes_at_once_and_does_not_come_back() {
    let withdraws = |sequence, revision| {
        overlay(move |o| {
            o.sequence = sequence;
            o.withdrawn_candidates = revision;
        })
    };
    let mut state = settled();
    try_out(&mut state, &candidate(7, 2, |_| ())).unwrap();
    state.offer_overlay(&withdraws(8, 6), Origin::Fetched, NOW).unwrap();
    assert_eq!(state.candidate(), Some((7, 2)), "one before it");
    state.offer_overlay(&withdraws(9, 7), Origin::Fetched, NOW).unwrap();
    assert_eq!((state.candidate(), state.freshness(NOW)), (None, Freshness::Fresh));
    let older = Err(Refusal::Older { offered: 7, needed: 8 });
    assert_eq!(try_out(&mut state, &candidate(7, 2, |_| ())), older, "as it was");
    assert_eq!(try_out(&mut state, &candidate(7, 3, |_| ())), older, "nor a step further");
    assert_eq!(try_out(&mut state, &candidate(8, 1, |_| ())), Ok(Accepted::Installed), "another one");

    // Nor in a VM that has never seen it, nor where the overlay comes while it is loaded.
    let mut state = settled();
    let mut loading = Loading::candidate(candidate(7, 2, |_| ())).unwrap();
    while state.load(&mut loading, 1_000, NOW).unwrap() == Progress::More {}
    state.offer_overlay(&withdraws(9, 7), Origin::Fetched, NOW).unwrap();
    assert_eq!(state.install_candidate(loading, NOW).unwrap_err().0, Refusal::Older { offered: 7, needed: 8 });
    assert_eq!(try_out(&mut state, &candidate(6, 1, |_| ())), Err(Refusal::Older { offered: 6, needed: 8 }));
    assert_eq!(state.candidate(), None);
}

#[test]
fn a_candidate_that_two_load_at_once_is_judged_again() {
    let mut state = settled();
    let mut loading = Loading::candidate(candidate(6, 1, |b| b.program = vec![7; 10_000])).unwrap();
    let mut steps = 1;
    while state.load(&mut loading, 1_000, NOW).unwrap() == Progress::More {
        steps += 1;
    }
    assert!(steps > 10, "{steps} steps");
    offer(&mut state, &bundle(|b| b.revision = 6)).unwrap();
    assert_eq!(state.install_candidate(loading, NOW).unwrap_err().0, Refusal::Older { offered: 6, needed: 7 });
    let mut loading = Loading::candidate(candidate(8, 1, |_| ())).unwrap();
    while state.load(&mut loading, 1_000, NOW).unwrap() == Progress::More {}
    offer(
        &mut state,
        &bundle(|b| {
            b.revision = 7;
            b.approvals = 1;
            b.keys.bundle = vec![named("c", 4)];
            b.keys.retired = vec![named("b", 1)];
        }),
    )
    .unwrap();
    assert_eq!(state.install_candidate(loading, NOW).unwrap_err().0, Refusal::Approvals { found: 0, needed: 1 });
}

#[test]
fn the_overlay_lies_over_both_and_a_candidate_past_its_expiry_is_none() {
    let mut state = settled();
    let body = sample(6, |b| b.expires = NOW + 100);
    let bytes = rollout(1, 0, vec![acme()]).sign(&body, &[("b", &key(1))]).unwrap();
    try_out(&mut state, &bytes).unwrap();
    let trial = |state: &PolicyState, now| state.trial(&state.view(now).unwrap());
    let tried = trial(&state, NOW + 100).unwrap();
    assert!(tried.decides_for(&acme()) && !tried.decides_for(&TenantId::parse("globex").unwrap()));
    assert!(tried.view().active_tenant(&acme()).is_ok());
    assert!(trial(&state, NOW + 101).is_none());
    let mut waiting = settled();
    try_out(&mut waiting, &bytes).unwrap();
    waiting.observe(NOW + 100);
    assert_eq!(waiting.candidate(), Some((6, 1)));
    waiting.observe(NOW + 101);
    assert_eq!(waiting.candidate(), None, "it is told of no more");
    let suspends = overlay(|o| {
        o.sequence = 8;
        o.suspended = vec![acme()];
    });
    state.offer_overlay(&suspends, Origin::Fetched, NOW).unwrap();
    let tried = trial(&state, NOW).unwrap();
    assert_eq!(tried.view().active_tenant(&acme()), Err(Reason::TenantSuspended));
}
