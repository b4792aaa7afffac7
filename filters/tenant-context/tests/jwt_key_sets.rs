//! Fetched key sets over time: due, asked, failing, rotated, aged out, shared.
#![allow(missing_docs)]

mod common;

use std::sync::LazyLock;

use common::algorithms::key;
use common::*;
use partywall_tenancy::{BundleBody, KeyAlgorithm, KeySource, Reason, Secrets, View};
use partywall_tenant_context::Rejection;
use partywall_tenant_context::jwt::{self, Ask, KeySets, Keys, PureRust, Schedule, SetSeal, Verified};
use serde_json::{Value, json};

const MAX_AGE: u64 = 3600;

/// The shared issuer's keys are fetched.
fn fetched_body() -> BundleBody {
    let mut body = body();
    body.issuers[1].keys = KeySource::Fetched {
        cluster: "idp".into(),
        authority: "id.shared.example".into(),
        path: "/jwks".into(),
        max_age: MAX_AGE as u32,
    };
    body
}

fn fetched_view() -> View {
    static VIEW: LazyLock<View> = LazyLock::new(|| view_of(&fetched_body(), &overlay()));
    VIEW.clone()
}

fn sets() -> KeySets {
    let mut sets = KeySets::default();
    sets.follow(fetched_view().bundle());
    sets
}

/// A set in which the fixture's ES256 key has each of these ids.
fn set_of(ids: &[&str]) -> Vec<u8> {
    use base64::Engine as _;
    let spki = key(KeyAlgorithm::Es256).spki;
    let point = &spki[spki.len() - 64..];
    let b64 = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let jwk =
        |id: &&str| json!({"kty": "EC", "crv": "P-256", "kid": id, "x": b64(&point[..32]), "y": b64(&point[32..])});
    let keys: Vec<Value> = ids.iter().map(jwk).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

fn verify(kid: &str, sets: &KeySets, now: u64) -> Result<Verified, Reason> {
    let token = jws(
        &format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#),
        &claims(|c| c["exp"] = (now + 60).into()).to_string(),
        es256,
    );
    verify_token(&token, sets, now).map_err(|r| r.reason)
}

fn verify_token(token: &str, sets: &KeySets, now: u64) -> Result<Verified, Rejection> {
    let keys = Keys::new(sets, now);
    jwt::verify(token.as_bytes(), &fetched_view(), keys, now, &PureRust::default()).map(|v| v.expect("is of ours"))
}

fn due(sets: &KeySets, now: u64) -> bool {
    !sets.due(now).is_empty()
}

/// Asks and gets this set.
fn fetch(sets: &mut KeySets, ids: &[&str], now: u64) {
    sets.ask(SHARED_ISSUER, now).expect("is due");
    sets.received(SHARED_ISSUER, &set_of(ids), now, 0).unwrap();
}

#[test]
fn before_the_first_set_nobody_is_judged_and_after_it_everybody() {
    let mut sets = sets();
    assert_eq!(verify("es", &sets, NOW), Err(Reason::PolicyUnavailable));
    assert_eq!(sets.due(NOW), [SHARED_ISSUER.into()]);
    let ask = sets.ask(SHARED_ISSUER, NOW).unwrap();
    let place = Ask { cluster: "idp".into(), authority: "id.shared.example".into(), path: "/jwks".into() };
    assert_eq!(ask, place);
    assert!(!due(&sets, NOW) && sets.ask(SHARED_ISSUER, NOW).is_none(), "it is on its way");
    sets.received(SHARED_ISSUER, &set_of(&["es"]), NOW, 0).unwrap();
    assert!(verify("es", &sets, NOW).is_ok());
    assert_eq!(verify("other", &sets, NOW), Err(Reason::CredentialInvalid));
    let without =
        jwt::verify(token(&claims(|_| ())).as_bytes(), &fetched_view(), Keys::inline(), NOW, &PureRust::default());
    assert_eq!(without.unwrap_err().reason, Reason::PolicyUnavailable);
}

#[test]
fn an_answer_that_never_comes_is_given_up() {
    let mut sets = sets();
    sets.ask(SHARED_ISSUER, NOW).unwrap();
    assert!(!due(&sets, NOW + 9) && due(&sets, NOW + 10));
}

#[test]
fn a_good_set_is_refreshed_each_five_minutes_earlier_by_jitter() {
    for (jitter, first) in [(0, 300), (128, 270), (255, 241)] {
        let mut sets = sets();
        sets.ask(SHARED_ISSUER, NOW).unwrap();
        sets.received(SHARED_ISSUER, &set_of(&["es"]), NOW, jitter).unwrap();
        assert!(!due(&sets, NOW + first - 1) && due(&sets, NOW + first), "{jitter}");
    }
}

#[test]
fn a_flood_of_unknown_keys_asks_once_in_thirty_seconds() {
    let mut sets = sets();
    fetch(&mut sets, &["es"], NOW);
    let payload = claims(|_| ()).to_string();
    let mut asked = Vec::new();
    let unknown = [1, 2, 3].map(|n| jws(&format!(r#"{{"alg":"ES256","kid":"unknown-{n}"}}"#), &payload, es256));
    for tenth in 0..3000 {
        let now = NOW + tenth / 10;
        for token in &unknown {
            assert_eq!(verify_token(token, &sets, now).unwrap_err().reason, Reason::CredentialInvalid);
        }
        if due(&sets, now) {
            fetch(&mut sets, &["es"], now);
            asked.push(now - NOW);
        }
    }
    assert_eq!(asked, [30, 60, 90, 120, 150, 180, 210, 240, 270]);
    fetch(&mut sets, &["es"], NOW + 300);
    assert!(!due(&sets, NOW + 400), "nobody asks for unknown keys any more");
}

#[test]
fn an_unknown_key_is_looked_for_soon() {
    let mut sets = sets();
    fetch(&mut sets, &["es"], NOW);
    assert!(verify("new", &sets, NOW + 100).is_err());
    fetch(&mut sets, &["es", "new"], NOW + 100);
    assert!(verify("new", &sets, NOW + 101).is_ok());
}

#[test]
fn in_an_outage_the_last_good_set_counts_until_it_is_too_old() {
    let mut sets = sets();
    fetch(&mut sets, &["es"], NOW);
    let (mut fetches, mut lines) = (0, 0);
    for now in NOW + 1..=NOW + MAX_AGE {
        if sets.ask(SHARED_ISSUER, now).is_some() {
            fetches += 1;
            lines += usize::from(sets.failed(SHARED_ISSUER, now, 0));
        }
        // Unknown keys do not make an outage worse.
        let _ = verify("unknown", &sets, now);
    }
    assert!(verify("es", &sets, NOW + MAX_AGE).is_ok());
    assert_eq!(lines, 1, "one line per outage");
    assert!(fetches < 25, "{fetches} fetches of a server that is down for an hour");
    assert_eq!(verify("es", &sets, NOW + MAX_AGE + 1), Err(Reason::PolicyUnavailable));
    let later = (NOW + MAX_AGE..).find(|now| due(&sets, *now)).unwrap();
    fetch(&mut sets, &["es"], later);
    assert!(verify("es", &sets, later).is_ok());
    sets.ask(SHARED_ISSUER, later + 300).unwrap();
    assert!(sets.failed(SHARED_ISSUER, later + 300, 0), "the next outage has a line of its own");
}

#[test]
fn a_set_that_is_refused_changes_nothing() {
    let mut sets = sets();
    fetch(&mut sets, &["es"], NOW);
    sets.ask(SHARED_ISSUER, NOW + 300).unwrap();
    assert!(sets.received(SHARED_ISSUER, b"<html>", NOW + 300, 0).is_err());
    assert!(sets.failed(SHARED_ISSUER, NOW + 300, 0));
    assert!(verify("es", &sets, NOW + 300).is_ok());
    assert!(!due(&sets, NOW + 300) && due(&sets, NOW + 301));
}

#[test]
fn a_rotation_overlaps_until_the_set_after_next_or_ten_minutes() {
    let mut sets = sets();
    fetch(&mut sets, &["a"], NOW);
    fetch(&mut sets, &["b"], NOW + 300);
    assert!(verify("a", &sets, NOW + 300).is_ok() && verify("b", &sets, NOW + 300).is_ok());
    // The same set again gives the old key no longer life.
    fetch(&mut sets, &["b"], NOW + 600);
    assert!(verify("a", &sets, NOW + 900).is_ok());
    assert_eq!(verify("a", &sets, NOW + 901), Err(Reason::CredentialInvalid));
    assert!(verify("b", &sets, NOW + 901).is_ok());

    fetch(&mut sets, &["c"], NOW + 901);
    fetch(&mut sets, &["d"], NOW + 1201);
    assert_eq!(verify("b", &sets, NOW + 1201), Err(Reason::CredentialInvalid), "two sets ago");
    assert!(verify("c", &sets, NOW + 1201).is_ok() && verify("d", &sets, NOW + 1201).is_ok());
}

#[test]
fn a_revoked_key_has_no_overlap() {
    let mut sets = sets();
    fetch(&mut sets, &["a"], NOW);
    fetch(&mut sets, &["b"], NOW + 300);
    let mut overlay = overlay();
    overlay.revoked_keys = vec![partywall_tenancy::RevokedKey { issuer: SHARED_ISSUER.into(), id: "a".into() }];
    let view = view_of(&fetched_body(), &overlay);
    let token = jws(r#"{"alg":"ES256","kid":"a"}"#, &claims(|_| ()).to_string(), es256);
    let keys = Keys::new(&sets, NOW);
    let denied = jwt::verify(token.as_bytes(), &view, keys, NOW, &PureRust::default()).unwrap_err();
    assert_eq!(denied.reason, Reason::CredentialRevoked);
}

#[test]
fn a_new_bundle_keeps_sets_that_come_from_the_same_place() {
    let mut sets = sets();
    fetch(&mut sets, &["es"], NOW);
    sets.follow(fetched_view().bundle());
    assert!(verify("es", &sets, NOW).is_ok() && !due(&sets, NOW));
    let mut moved = fetched_body();
    let KeySource::Fetched { path, .. } = &mut moved.issuers[1].keys else { unreachable!() };
    *path = "/other".into();
    sets.follow(view_of(&moved, &overlay()).bundle());
    assert_eq!(verify("es", &sets, NOW), Err(Reason::PolicyUnavailable));
    sets.follow(view_of(&body(), &overlay()).bundle());
    assert_eq!(sets.issuers().count(), 0, "inline again");
}

#[test]
fn no_more_than_sixteen_are_on_their_way_and_the_longest_overdue_goes_first() {
    let mut body = fetched_body();
    let one = body.issuers.pop().unwrap();
    body.issuers =
        (0..40).map(|n| partywall_tenancy::Issuer { issuer: format!("https://{n}"), ..one.clone() }).collect();
    let mut sets = KeySets::default();
    sets.follow(view_of(&body, &overlay()).bundle());
    let first = sets.due(NOW);
    assert_eq!(first.len(), 16);
    for issuer in &first {
        sets.ask(issuer, NOW).unwrap();
    }
    assert!(sets.due(NOW).is_empty());
    sets.failed(&first[0], NOW, 0);
    let next = sets.due(NOW + 1);
    assert_eq!(next.len(), 1);
    assert!(!first.contains(&next[0]), "who just failed waits for those that were never asked");
}

fn seal(id: u8) -> SetSeal {
    use base64::Engine as _;
    let key = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode([id; 32]);
    SetSeal::new(&Secrets::parse(&format!("{id}:{key}")).unwrap())
}

#[test]
fn one_worker_fetches_and_the_others_adopt() {
    let (mut one, mut other) = (sets(), sets());
    fetch(&mut one, &["a"], NOW);
    fetch(&mut one, &["b"], NOW + 300);
    let sealed = one.seal(SHARED_ISSUER, &seal(1)).unwrap();
    assert!(!other.adopt(SHARED_ISSUER, &sealed, &seal(2), NOW + 300), "sealed by somebody else");
    assert!(!other.adopt(SHARED_ISSUER, &sealed, &seal(1), NOW + 200), "from the future");
    assert!(!other.adopt(ACME_ISSUER, &sealed, &seal(1), NOW + 300), "of another issuer");
    assert!(other.adopt(SHARED_ISSUER, &sealed, &seal(1), NOW + 300));
    assert!(verify("a", &other, NOW + 300).is_ok(), "the overlap comes along");
    assert!(verify("b", &other, NOW + 300).is_ok());
    assert!(!other.adopt(SHARED_ISSUER, &sealed, &seal(1), NOW + 300), "no news");

    // An old one, kept and put back by whoever writes shared data, changes nothing.
    fetch(&mut one, &["c"], NOW + 600);
    let newer = one.seal(SHARED_ISSUER, &seal(1)).unwrap();
    assert!(other.adopt(SHARED_ISSUER, &newer, &seal(1), NOW + 600));
    assert!(!other.adopt(SHARED_ISSUER, &sealed, &seal(1), NOW + 600));
    assert!(verify("c", &other, NOW + 600).is_ok() && verify("a", &other, NOW + 600).is_err());
}

#[test]
fn workers_heed_each_other() {
    let (mut one, mut other) = (sets(), sets());
    one.ask(SHARED_ISSUER, NOW).unwrap();
    let told = |sets: &KeySets| Schedule::from_bytes(&sets.schedule(SHARED_ISSUER).unwrap().to_bytes(), NOW).unwrap();
    other.heed(SHARED_ISSUER, told(&one));
    assert!(other.ask(SHARED_ISSUER, NOW + 1).is_none(), "the other one asks already");
    one.failed(SHARED_ISSUER, NOW + 1, 0);
    other.heed(SHARED_ISSUER, told(&one));
    other.ask(SHARED_ISSUER, NOW + 2).unwrap();
    assert!(!other.failed(SHARED_ISSUER, NOW + 2, 0), "the outage was told already, by the other");

    // Both were beaten to it and give way.
    one.heed(SHARED_ISSUER, told(&other));
    assert!(one.ask(SHARED_ISSUER, NOW + 4).is_some());
    one.give_way(SHARED_ISSUER);
    one.heed(SHARED_ISSUER, told(&other));
    assert!(due(&one, NOW + 4), "what the others say counts, not what was given up");
}
