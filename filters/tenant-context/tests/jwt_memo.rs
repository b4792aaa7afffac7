//! The memo of verified tokens: never another answer than without it, and a fair share for everybody.
#![allow(missing_docs)]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::*;
use partywall_tenancy::{IssuerKey, KeySource, OverlayBody, Reason, RevokedKey, RevokedSubject, RevokedToken, View};
use partywall_tenant_context::jwt::{self, KeySets, Keys, Memo, PureRust, SignatureVerifier, Verified};
use serde_json::json;

/// Counts how often a signature is checked.
#[derive(Default)]
struct Counting(Cell<usize>);

impl SignatureVerifier for Counting {
    fn verify(&self, key: &IssuerKey, message: &[u8], signature: &[u8]) -> bool {
        self.0.set(self.0.get() + 1);
        PureRust::default().verify(key, message, signature)
    }
}

/// Takes every signature that is one byte long, so that floods are cheap.
struct Cheap;

impl SignatureVerifier for Cheap {
    fn verify(&self, _: &IssuerKey, _: &[u8], signature: &[u8]) -> bool {
        signature == [1]
    }
}

struct Case {
    memo: Memo,
    verifier: Counting,
    view: View,
}

impl Case {
    fn new() -> Self {
        Self { memo: Memo::new(Memo::CAPACITY), verifier: Counting::default(), view: view() }
    }

    fn at(&mut self, token: &str, now: u64) -> Result<Rc<Verified>, Reason> {
        let outcome = self.memo.verify(token.as_bytes(), &self.view, Keys::inline(), now, &self.verifier);
        outcome.map(|v| v.expect("is of ours")).map_err(|r| r.reason)
    }

    fn overlay(&mut self, change: impl FnOnce(&mut OverlayBody)) {
        let mut overlay = overlay();
        change(&mut overlay);
        self.view = view_of(&body(), &overlay);
    }
}

#[test]
fn a_token_is_verified_once() {
    let mut case = Case::new();
    let token = token(&claims(|_| ()));
    for _ in 0..5 {
        assert_eq!(case.at(&token, NOW).unwrap().subject, "alice");
    }
    assert_eq!(case.verifier.0.get(), 1);
}

#[test]
fn time_is_looked_at_on_every_hit() {
    let mut case = Case::new();
    let token = token(&claims(|c| c["nbf"] = (NOW - 1).into()));
    assert!(case.at(&token, NOW).is_ok());
    assert!(case.at(&token, NOW + 330).is_ok());
    assert_eq!(case.at(&token, NOW + 331), Err(Reason::CredentialExpired));
    assert!(case.memo.is_empty(), "what expired is forgotten");
    assert!(case.at(&token, NOW).is_ok());
    assert_eq!(case.at(&token, NOW - 32), Err(Reason::CredentialInvalid), "the clock went back before `nbf`");
}

#[test]
fn revocation_is_looked_at_on_every_hit() {
    type Change = fn(&mut OverlayBody);
    let changes: [Change; 4] = [
        |o| o.revoked_issuers = vec![SHARED_ISSUER.into()],
        |o| o.revoked_keys = vec![RevokedKey { issuer: SHARED_ISSUER.into(), id: "es".into() }],
        |o| o.revoked_subjects = vec![RevokedSubject { issuer: SHARED_ISSUER.into(), subject: "alice".into() }],
        |o| o.revoked_tokens = vec![RevokedToken { issuer: SHARED_ISSUER.into(), id: "j1".into() }],
    ];
    for change in changes {
        let mut case = Case::new();
        let token = token(&claims(|_| ()));
        assert!(case.at(&token, NOW).is_ok());
        case.overlay(change);
        assert_eq!(case.at(&token, NOW), Err(Reason::CredentialRevoked));
        case.overlay(|_| ());
        assert!(case.at(&token, NOW).is_ok(), "and given back");
    }
}

#[test]
fn another_bundle_is_another_question() {
    let mut case = Case::new();
    let token = token(&claims(|_| ()));
    assert!(case.at(&token, NOW).is_ok());
    let mut body = body();
    body.revision += 1;
    case.view = view_of(&body, &overlay());
    assert!(case.at(&token, NOW).is_ok());
    assert_eq!(case.verifier.0.get(), 2);
    body.revision += 1;
    body.issuers.pop();
    case.view = view_of(&body, &overlay());
    let gone = case.memo.verify(token.as_bytes(), &case.view, Keys::inline(), NOW, &case.verifier);
    assert_eq!(gone, Ok(None), "its issuer is none of ours any more");
}

#[test]
fn a_key_set_that_changed_or_aged_is_another_question() {
    let mut body = body();
    let KeySource::Inline(inline) = body.issuers[1].keys.clone() else { unreachable!() };
    body.issuers[1].keys =
        KeySource::Fetched { cluster: "c".into(), authority: "a".into(), path: "/".into(), max_age: 3600 };
    let view = view_of(&body, &overlay());
    let spki = &inline[0].spki;
    let b64 = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
    };
    let es = json!({"kty": "EC", "crv": "P-256", "kid": "es", "x": b64(&spki[27..59]), "y": b64(&spki[59..])});
    let other = ed25519(5).verifying_key().to_bytes();
    let more = json!({"kty": "OKP", "crv": "Ed25519", "kid": "more", "x": b64(&other)});
    let replaced = json!({"kty": "OKP", "crv": "Ed25519", "kid": "es", "x": b64(&other)});
    let set = |keys: serde_json::Value| json!({ "keys": keys }).to_string().into_bytes();

    let (mut memo, verifier, mut sets) = (Memo::new(8), Counting::default(), KeySets::default());
    let token = token(&claims(|c| c["exp"] = (NOW + 100_000).into()));
    let mut ask = |sets: &KeySets, now| {
        memo.verify(token.as_bytes(), &view, Keys::new(sets, now), now, &verifier).map(|_| ()).map_err(|r| r.reason)
    };
    sets.follow(view.bundle());
    sets.received(SHARED_ISSUER, &set(json!([es])), NOW, 0).unwrap();
    assert_eq!(ask(&sets, NOW), Ok(()));
    sets.received(SHARED_ISSUER, &set(json!([es])), NOW + 1, 0).unwrap();
    assert_eq!((ask(&sets, NOW), verifier.0.get()), (Ok(()), 1), "the same set");
    sets.received(SHARED_ISSUER, &set(json!([es, more])), NOW + 2, 0).unwrap();
    assert_eq!((ask(&sets, NOW), verifier.0.get()), (Ok(()), 2), "another set");
    assert_eq!(ask(&sets, NOW + 3700), Err(Reason::PolicyUnavailable), "too old");
    sets.received(SHARED_ISSUER, &set(json!([replaced])), NOW + 3, 0).unwrap();
    assert_eq!(ask(&sets, NOW), Err(Reason::CredentialInvalid), "the key behind the id is another one");
    sets.received(SHARED_ISSUER, &set(json!([more])), NOW + 4, 0).unwrap();
    assert_eq!(ask(&sets, NOW), Err(Reason::CredentialInvalid), "the key is gone");
}

/// Cheap tokens of one tenant, told apart by a number.
fn cheap(tenants: serde_json::Value, n: usize) -> String {
    let claims = claims(|c| {
        c["tenant"] = tenants;
        c["jti"] = format!("{n}").into();
    });
    jws(r#"{"alg":"ES256","kid":"es"}"#, &claims.to_string(), |_| vec![1])
}

fn is_hit(memo: &mut Memo, token: &str, view: &View) -> bool {
    struct Never;
    impl SignatureVerifier for Never {
        fn verify(&self, _: &IssuerKey, _: &[u8], _: &[u8]) -> bool {
            false
        }
    }
    memo.verify(token.as_bytes(), view, Keys::inline(), NOW, &Never).is_ok_and(|v| v.is_some())
}

#[test]
fn a_flood_of_one_tenant_evicts_only_its_own() {
    let (mut memo, view) = (Memo::new(64), view());
    let put = |memo: &mut Memo, token: &str| {
        memo.verify(token.as_bytes(), &view, Keys::inline(), NOW, &Cheap).unwrap().unwrap();
    };
    // Eight tenants at their fair share fill it.
    let quiet: Vec<String> = (0..7).flat_map(|t| (0..8).map(move |n| cheap(json!(format!("t{t}")), n))).collect();
    quiet.iter().for_each(|token| put(&mut memo, token));
    for n in 0..500 {
        put(&mut memo, &cheap(json!("flood"), n));
        assert!(memo.len() <= 64);
    }
    assert!(quiet.iter().all(|token| is_hit(&mut memo, token, &view)), "nobody else lost anything");
    // Tokens of several tenants have a share of their own, whichever names they combine.
    for n in 0..500 {
        put(&mut memo, &cheap(json!([format!("t{}", n % 7), format!("x{n}")]), n));
        assert!(memo.len() <= 64);
    }
    assert!(quiet.iter().filter(|token| is_hit(&mut memo, token, &view)).count() >= 7 * 7);
}

#[test]
fn one_tenant_alone_never_has_more_than_a_quarter() {
    let (mut memo, view) = (Memo::new(64), view());
    for n in 0..500 {
        memo.verify(cheap(json!("acme"), n).as_bytes(), &view, Keys::inline(), NOW, &Cheap).unwrap();
    }
    assert_eq!(memo.len(), 16);
    assert!(is_hit(&mut memo, &cheap(json!("acme"), 499), &view), "the newest stay");
}

/// 20,000 steps of a pseudo-random walk over tokens, tenants, times and clock, against verification
/// without memory: the same answer each time, and the bounds hold.
#[test]
fn with_and_without_memory_the_answer_is_the_same() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let views = [view(), {
        let mut overlay = overlay();
        overlay.revoked_tokens =
            (0..20).map(|n| RevokedToken { issuer: SHARED_ISSUER.into(), id: n.to_string() }).collect();
        view_of(&body(), &overlay)
    }];
    // A fifth of them has a signature that does not verify, over claims that another one has, too.
    let tokens: Vec<String> = (0..200)
        .map(|n| {
            let claims = claims(|c| {
                c["tenant"] = json!(format!("t{}", n % 13));
                c["jti"] = (n / 5).to_string().into();
                c["exp"] = (NOW + (n as u64 % 50) * 10).into();
            });
            jws(r#"{"alg":"ES256","kid":"es"}"#, &claims.to_string(), |_| vec![u8::from(n % 5 != 0)])
        })
        .collect();
    let mut memo = Memo::new(40);
    let mut hits = 0;
    for step in 0..20_000 {
        let token = tokens[next(200) as usize].as_bytes();
        let view = &views[usize::from(next(10) == 0)];
        let now = NOW + next(400);
        let with = memo.verify(token, view, Keys::inline(), now, &Cheap);
        let without = jwt::verify(token, view, Keys::inline(), now, &Cheap);
        assert_eq!(with.as_ref().map(|v| v.as_deref()), without.as_ref().map(|v| v.as_ref()), "step {step}");
        hits += usize::from(with.is_ok());
        assert!(memo.len() <= 40);
    }
    assert!(hits > 5_000, "{hits}");
}

#[test]
fn what_is_too_long_is_not_even_hashed() {
    let mut memo = Memo::new(4);
    let long = vec![b'a'; jwt::MAX_TOKEN + 1];
    assert_eq!(memo.verify(&long, &view(), Keys::inline(), NOW, &Cheap), Ok(None));
}
