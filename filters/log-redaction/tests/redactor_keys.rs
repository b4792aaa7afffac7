//! Keys: what is encrypted opens for those who hold the key, and for nobody else.

#[path = "common/redact.rs"]
mod redact;

use std::rc::Rc;

use partywall_log_redaction::carriers::Kind;
use partywall_log_redaction::redactor::{Engine, Own, Rules};
use partywall_log_redaction::replace::{
    Action, DataKey, KeyError, Keys, Nonce, Replace, RevealError, TenantKeys, encrypt, reveal, reveal_all,
};
use redact::{ACME, GLOBEX, detectors, directory, keys, of, run};

fn key(kid: &str, byte: u8) -> DataKey {
    DataKey::new(kid, &[byte; 32]).unwrap()
}

#[test]
fn what_is_encrypted_opens_with_its_key_alone() {
    let (ours, theirs) = (key("k", 1), key("k", 2));
    for value in [&b""[..], b"a", b"ada@example.com", &[0xFF; 300]] {
        let sealed = encrypt(&ours, value, Nonce::Derived).unwrap();
        assert_eq!(sealed, encrypt(&ours, value, Nonce::Derived).unwrap(), "equal for the equal");
        assert_ne!(sealed, encrypt(&ours, value, Nonce::Given([9; 24])).unwrap());
        assert_eq!(reveal(&sealed, |_| Some(&ours)).unwrap(), value);
        assert_eq!(reveal(&encrypt(&ours, value, Nonce::Given([9; 24])).unwrap(), |_| Some(&ours)).unwrap(), value);
        assert_eq!(reveal(&sealed, |_| Some(&theirs)), Err(RevealError::Changed));
        assert_eq!(reveal(&sealed, |_| None::<&DataKey>), Err(RevealError::Key));
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            assert!(reveal(&bad, |_| Some(&ours)).is_err(), "{at}");
        }
        for cut in 0..sealed.len() {
            assert!(reveal(&sealed[..cut], |_| Some(&ours)).is_err());
        }
    }
    assert_ne!(encrypt(&ours, b"a", Nonce::Derived), encrypt(&ours, b"b", Nonce::Derived));
}

#[test]
fn a_data_key_opens_with_its_master_key_for_its_tenant_and_id() {
    let data = key("k", 1);
    let wrapped = data.wrap(&[5; 32], "acme", [3; 24]).unwrap();
    let opened = DataKey::unwrap(&wrapped, &[5; 32], "acme", "k").unwrap();
    let sealed = encrypt(&data, b"x", Nonce::Derived).unwrap();
    assert_eq!(reveal(&sealed, |_| Some(&opened)).unwrap(), b"x");
    for (master, tenant, kid) in [(6, "acme", "k"), (5, "globex", "k"), (5, "acme", "l")] {
        let wrong = DataKey::unwrap(&wrapped, &[master; 32], tenant, kid);
        assert_eq!(wrong.unwrap_err(), KeyError::Unwrap);
    }
    assert!(!wrapped.windows(32).any(|window| window == [1; 32]));
    assert_eq!(DataKey::new("a:b", &[1; 32]).unwrap_err(), KeyError::Kid);
    assert_eq!(TenantKeys::new("1_", &[1; 32]).unwrap_err(), KeyError::Epoch);
    assert!(!format!("{data:?} {:?}", keys()).contains("[1"), "no key is printed");
}

fn engine(action: Action, keys: Keys) -> Rc<Engine> {
    let rules =
        Rules { replace: Replace { default: action, ..Replace::default() }, summary: false, ..Rules::default() };
    Rc::new(Engine::new(&rules, detectors(), Rc::new(directory()), Rc::new(keys)).unwrap())
}

const BODY: &[u8] = b"{\"m\":\"ada@example.com from 203.0.113.7\"}\n";

fn redacted(action: Action, keys: Keys, own: Own) -> Vec<u8> {
    run(&engine(action, keys), &of(own), Kind::Ndjson, &[BODY]).unwrap().0
}

#[test]
fn a_body_is_revealed_as_it_was() {
    let out = redacted(Action::Encrypt, keys(), Own::Tenant(ACME));
    let ring = keys();
    assert_eq!(reveal_all(&out, |kid| ring.data(kid)), (BODY.to_vec(), 2));
    assert_eq!(reveal_all(&out, |_| None::<&DataKey>), (out.clone(), 0), "and stays without the key");
}

#[test]
fn what_a_former_key_encrypted_opens_as_well() {
    let ring = keys();
    for (kid, byte) in [("k1", 11), ("k1-old", 21), ("k2", 12), ("k2-old", 22)] {
        let sealed = encrypt(&key(kid, byte), b"ada@example.com", Nonce::Derived).unwrap();
        assert_eq!(reveal(&sealed, |kid| ring.data(kid)).unwrap(), b"ada@example.com", "{kid}");
    }
}

/// Anybody writes what looks like an encrypted value: it is left as it is where it opens, and nowhere else.
#[test]
fn the_form_of_an_encrypted_value_hides_nothing() {
    let body = |value: &str| format!("{{\"password\":\"{value}\"}}\n");
    let after = |value: &str| {
        let out =
            run(&engine(Action::Encrypt, keys()), &of(Own::Tenant(ACME)), Kind::Ndjson, &[body(value).as_bytes()]);
        String::from_utf8(out.unwrap().0).unwrap()
    };
    let sealed = |kid: &str, byte: u8| {
        String::from_utf8(encrypt(&key(kid, byte), b"hunter2hunter2", Nonce::Derived).unwrap()).unwrap()
    };
    for ours in [sealed("k1", 11), sealed("k1-old", 21)] {
        assert_eq!(after(&ours), body(&ours));
    }
    let plain = format!("enc:v1:k1:{}", "correct-horse-battery-staple".repeat(3));
    for theirs in [plain, sealed("k1", 12), sealed("k9", 11)] {
        let out = after(&theirs);
        assert!(!out.contains(&theirs) && out.starts_with("{\"password\":\"enc:v1:k1:"), "{theirs}: {out}");
        assert_eq!(after(out.trim_start_matches("{\"password\":\"").trim_end_matches("\"}\n")), out);
    }
}

#[test]
fn what_stands_for_a_value_differs_by_tenant_and_by_key() {
    for action in [Action::Mask, Action::Pseudonym, Action::Encrypt] {
        let of = |own| redacted(action, keys(), own);
        assert_eq!(of(Own::Tenant(ACME)), of(Own::Tenant(ACME)));
        assert_ne!(of(Own::Tenant(ACME)), of(Own::Tenant(GLOBEX)), "{action:?}");
        assert_ne!(of(Own::Tenant(ACME)), of(Own::Record), "{action:?}");
    }
    // A fingerprint without a key could be looked up for all 2^32 addresses.
    let mesh = |byte: u8| redacted(Action::Mask, Keys::new(Some(&[byte; 32])), Own::Record);
    assert_ne!(mesh(1), mesh(2));
}

#[test]
fn where_a_key_is_missing_a_value_is_masked() {
    for action in [Action::Mask, Action::Pseudonym, Action::Encrypt, Action::Partial] {
        let out = String::from_utf8(redacted(action, Keys::default(), Own::Tenant(ACME))).unwrap();
        assert!(!out.contains("ada@") && !out.contains("113.7"), "{action:?}: {out}");
    }
    let mut half = Keys::new(None);
    half.add(ACME, TenantKeys::new("1", &[1; 32]).unwrap());
    let out = String::from_utf8(redacted(Action::Encrypt, half, Own::Tenant(ACME))).unwrap();
    assert!(out.contains("[REDACTED:email:") && !out.contains("enc:"), "{out}");
}
