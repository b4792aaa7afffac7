//! Keys of tenants as a bundle holds them: sealed under a master key, opened when they are needed.

#[path = "common/redact.rs"]
mod redact;

use std::rc::Rc;

use partywall_log_redaction::carriers::Kind;
use partywall_log_redaction::redactor::{Engine, Own, Rules};
use partywall_log_redaction::replace::{
    Action, DataKey, KeyError, Keys, PseudonymKey, Replace, TenantKeys, reveal_all,
};
use partywall_log_redaction::tenants::Tenant;
use partywall_log_redaction::{Sealed, SealedKeys, Slice};
use partywall_tenancy::{Secrets, TenantId};
use redact::{ACME, GLOBEX, detectors, directory, of, run};

/// Master keys: `m1` of 1, `m2` of 2.
const M1: &str = "m1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const M2: &str = "m2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
const NAMES: [&str; 3] = ["acme", "globex", "acme-eu"];
const BODY: &[u8] = b"{\"m\":\"ada@example.com from 203.0.113.7\"}\n";

fn secrets(text: &str) -> Secrets {
    Secrets::parse(text).unwrap()
}

/// The keys of a tenant under master key `m<master>`, made of this byte: one in use, one former.
fn sealed(tenant: &str, byte: u8, master: u8) -> SealedKeys {
    let under = |bytes| Sealed { master: format!("m{master}"), bytes };
    let data = |kid: &str, byte: u8| {
        let key = DataKey::new(kid, &[byte; 32]).unwrap();
        (kid.to_owned(), under(key.wrap(&[master; 32], tenant, [byte; 24]).unwrap()))
    };
    let pseudonym = PseudonymKey::new("1", &[byte; 32]).unwrap();
    SealedKeys {
        tenant: TenantId::parse(tenant).unwrap(),
        epoch: "1".into(),
        pseudonym: under(pseudonym.wrap(&[master; 32], tenant, [byte; 24]).unwrap()),
        data: vec![data(&format!("k{byte}"), byte + 10), data(&format!("k{byte}-old"), byte + 20)],
    }
}

fn keys(all: Vec<SealedKeys>, masters: &str) -> Keys {
    let slice = Slice { keys: all, ..Slice::default() };
    slice.check().unwrap();
    let id = |tenant: Tenant| TenantId::parse(NAMES.get(tenant.0 as usize)?).ok();
    Keys::sealed(Some(&[7; 32]), Rc::new(slice), &secrets(masters), id).unwrap()
}

fn written(keys: &Rc<Keys>, action: Action, own: Own) -> String {
    let rules =
        Rules { replace: Replace { default: action, ..Replace::default() }, summary: false, ..Rules::default() };
    let engine = Rc::new(Engine::new(&rules, detectors(), Rc::new(directory()), keys.clone()).unwrap());
    String::from_utf8(run(&engine, &of(own), Kind::Ndjson, &[BODY]).unwrap().0).unwrap()
}

const ACTIONS: [Action; 4] = [Action::Mask, Action::Pseudonym, Action::Encrypt, Action::Partial];

#[test]
fn sealed_keys_write_what_open_ones_do() {
    let sealed = Rc::new(keys(vec![sealed("acme", 1, 1), sealed("globex", 2, 2)], &format!("{M2},{M1}")));
    let opened = Rc::new(redact::keys());
    for action in ACTIONS {
        for own in [Own::Tenant(ACME), Own::Tenant(GLOBEX), Own::Record] {
            assert_eq!(written(&sealed, action, own), written(&opened, action, own), "{action:?} {own:?}");
        }
    }
    assert_eq!(sealed.take_unopened(), None);
    // One that has none, is masked under the key of the mesh, as is what nobody's is.
    let nobody = Own::Tenant(Tenant(2));
    assert_eq!(written(&sealed, Action::Encrypt, nobody), written(&sealed, Action::Mask, Own::Record));
    assert_eq!(written(&sealed, Action::Encrypt, Own::Tenant(Tenant(9))), written(&sealed, Action::Mask, Own::Record));
    assert_eq!(sealed.take_unopened(), None, "what is not there is not damaged");
}

/// They stand among the others, and move nobody's place.
#[test]
fn keys_of_tenants_that_the_directory_does_not_know_are_nobodys() {
    let all = vec![sealed("aaa", 3, 1), sealed("acme", 1, 1), sealed("globex", 2, 1), sealed("zzz", 4, 1)];
    let (sealed, opened) = (Rc::new(keys(all, M1)), Rc::new(redact::keys()));
    for action in ACTIONS {
        for own in [ACME, GLOBEX, Tenant(2), Tenant(3), Tenant(9)].map(Own::Tenant).into_iter().chain([Own::Record]) {
            assert_eq!(written(&sealed, action, own), written(&opened, action, own), "{action:?} {own:?}");
        }
    }
    assert_eq!(sealed.take_unopened(), None);
}

#[test]
fn a_slice_has_each_tenants_keys_once_and_in_order() {
    for all in [vec![sealed("globex", 2, 1), sealed("acme", 1, 1)], vec![sealed("acme", 1, 1), sealed("acme", 2, 1)]] {
        let slice = Slice { keys: all, ..Slice::default() };
        let why = Slice::read(&slice.write().unwrap()).unwrap_err();
        assert!(why.to_string().contains("not sorted by tenant, or a tenant is there twice"), "{why}");
    }
}

/// The id of a key is not what makes it that key.
#[test]
fn what_one_slice_encrypted_does_not_open_with_the_keys_of_another() {
    let ours = Rc::new(keys(vec![sealed("acme", 1, 1)], M1));
    let out = written(&ours, Action::Encrypt, Own::Tenant(ACME));
    let renamed = |mut keys: SealedKeys, from: u8| {
        keys.data[0].0 = format!("k{from}");
        keys
    };
    let made_so = |tenant: &str, byte: u8| {
        let key = DataKey::new("k1", &[byte; 32]).unwrap().wrap(&[1; 32], tenant, [byte; 24]).unwrap();
        let mut keys = sealed(tenant, byte, 1);
        keys.data = vec![("k1".to_owned(), Sealed { master: "m1".into(), bytes: key })];
        keys
    };
    for (other, unopened) in [
        (sealed("acme", 2, 1), false),
        // Called so, and sealed for another id; and made under that id.
        (renamed(sealed("acme", 2, 1), 1), true),
        (made_so("acme", 2), false),
        (made_so("globex", 2), false),
        // The same key, sealed for a tenant and said to be another's.
        (SealedKeys { tenant: TenantId::parse("globex").unwrap(), ..sealed("acme", 1, 1) }, true),
    ] {
        let theirs = keys(vec![other], M1);
        assert_eq!(reveal_all(out.as_bytes(), |kid| theirs.data(kid)), (out.clone().into_bytes(), 0));
        assert_eq!(theirs.take_unopened().is_some(), unopened);
    }
    assert_eq!(reveal_all(out.as_bytes(), |kid| ours.data(kid)), (BODY.to_vec(), 2));
}

#[test]
fn what_was_encrypted_opens_by_the_id_of_its_key_current_or_former() {
    let keys = Rc::new(keys(vec![sealed("acme", 1, 1), sealed("globex", 2, 1)], M1));
    for own in [Own::Tenant(ACME), Own::Tenant(GLOBEX)] {
        let out = written(&keys, Action::Encrypt, own);
        assert_eq!(reveal_all(out.as_bytes(), |kid| keys.data(kid)), (BODY.to_vec(), 2));
    }
    for kid in ["k1", "k1-old", "k2", "k2-old"] {
        assert_eq!(keys.data(kid).unwrap().kid(), kid);
    }
    assert!(keys.data("k3").is_none() && keys.data("").is_none());
}

#[test]
fn a_key_that_does_not_open_is_no_key_and_is_told_once() {
    let mut damaged = sealed("acme", 1, 1);
    damaged.pseudonym.bytes[40] ^= 1;
    let mut of_another = sealed("globex", 2, 1);
    // Sealed for another tenant, and put here.
    of_another.pseudonym = sealed("acme", 2, 1).pseudonym;
    let cases = [
        (vec![sealed("acme", 1, 2)], KeyError::Master),
        (vec![damaged], KeyError::Unwrap),
        (vec![sealed("acme", 1, 1), of_another], KeyError::Unwrap),
    ];
    for (all, why) in cases {
        let own = if all.len() > 1 { GLOBEX } else { ACME };
        let keys = Rc::new(keys(all, M1));
        for action in ACTIONS {
            let out = written(&keys, action, Own::Tenant(own));
            assert!(!out.contains("ada@") && !out.contains("113.7") && !out.contains("enc:"), "{action:?}: {out}");
            if action != Action::Partial {
                assert_eq!(out, "{\"m\":\"[REDACTED:email:no_key] from [REDACTED:ipv4:no_key]\"}\n", "{action:?}");
            }
        }
        let told = keys.take_unopened().unwrap();
        assert_eq!((told.tenant.as_str(), told.why, told.count), (NAMES[own.0 as usize], why, 1), "tried once");
        assert_eq!(keys.take_unopened(), None, "and told once");
    }
}

#[test]
fn a_data_key_alone_that_does_not_open_leaves_the_fingerprint() {
    let mut half = sealed("acme", 1, 1);
    half.data[0].1.bytes.truncate(20);
    let keys = Rc::new(keys(vec![half], M1));
    let whole = Rc::new(redact::keys());
    assert_eq!(written(&keys, Action::Encrypt, Own::Tenant(ACME)), written(&whole, Action::Mask, Own::Tenant(ACME)));
    assert_eq!(keys.take_unopened().unwrap().why, KeyError::Unwrap);
}

#[test]
fn a_pseudonym_key_opens_for_its_tenant_and_epoch_and_never_as_a_data_key() {
    let key = PseudonymKey::new("2", &[1; 32]).unwrap();
    let wrapped = key.wrap(&[5; 32], "acme", [3; 24]).unwrap();
    assert_eq!(wrapped.len(), 72);
    assert_eq!(PseudonymKey::unwrap(&wrapped, &[5; 32], "acme", "2").unwrap().epoch(), "2");
    for (master, tenant, epoch) in [(6, "acme", "2"), (5, "globex", "2"), (5, "acme", "3")] {
        let wrong = PseudonymKey::unwrap(&wrapped, &[master; 32], tenant, epoch);
        assert_eq!(wrong.unwrap_err(), KeyError::Unwrap);
    }
    assert_eq!(DataKey::unwrap(&wrapped, &[5; 32], "acme", "2").unwrap_err(), KeyError::Unwrap);
    let data = DataKey::new("2", &[1; 32]).unwrap().wrap(&[5; 32], "acme", [3; 24]).unwrap();
    assert_eq!(PseudonymKey::unwrap(&data, &[5; 32], "acme", "2").unwrap_err(), KeyError::Unwrap);
    for at in 0..wrapped.len() {
        let mut bad = wrapped.clone();
        bad[at] ^= 1;
        assert!(PseudonymKey::unwrap(&bad, &[5; 32], "acme", "2").is_err(), "{at}");
        assert!(PseudonymKey::unwrap(&wrapped[..at], &[5; 32], "acme", "2").is_err(), "{at}");
    }
    assert_eq!(PseudonymKey::new("A", &[1; 32]).unwrap_err(), KeyError::Epoch);
    assert!(!format!("{key:?} {:?}", TenantKeys::with(&key)).contains("[1"), "no key is printed");
}

#[test]
fn a_master_key_has_32_bytes() {
    let long = format!("m1:{}", "A".repeat(64));
    let refused = Keys::sealed(None, Rc::new(Slice::default()), &secrets(&long), |_| None);
    assert_eq!(refused.unwrap_err(), KeyError::Length);
}
