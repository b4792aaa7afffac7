//! JWK sets as issuers publish them.
#![allow(missing_docs)]

mod common;

use common::algorithms::key;
use common::*;
use partywall_tenancy::{IssuerKey, KeyAlgorithm};
use partywall_tenant_context::jwt::jwk::{self, JwkError, read_set};
use serde_json::{Value, json};

fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The JWK of the fixture's key, its numbers cut out of the SPKI that another implementation wrote.
fn published(algorithm: KeyAlgorithm) -> Value {
    use rsa::traits::PublicKeyParts as _;
    let key = key(algorithm);
    let tail = |n: usize| key.spki[key.spki.len() - n..].to_vec();
    let mut jwk = match algorithm {
        KeyAlgorithm::Es256 => json!({"kty": "EC", "crv": "P-256", "x": b64(&tail(64)[..32]), "y": b64(&tail(32))}),
        KeyAlgorithm::Es384 => json!({"kty": "EC", "crv": "P-384", "x": b64(&tail(96)[..48]), "y": b64(&tail(48))}),
        KeyAlgorithm::EdDsa => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&tail(32))}),
        _ => json!({"kty": "RSA", "n": b64(&RS256.n_bytes()), "e": b64(&RS256.e_bytes())}),
    };
    jwk["kid"] = key.id.into();
    jwk["alg"] = algorithm.name().into();
    jwk
}

fn read(keys: Value) -> Result<Vec<IssuerKey>, JwkError> {
    read_set(json!({ "keys": keys }).to_string().as_bytes())
}

fn with(algorithm: KeyAlgorithm, change: impl FnOnce(&mut Value)) -> Result<Vec<IssuerKey>, JwkError> {
    let mut jwk = published(algorithm);
    change(&mut jwk);
    read(json!([jwk]))
}

const PUBLIC: [KeyAlgorithm; 7] = {
    use KeyAlgorithm::*;
    [Rs256, Rs384, Rs512, Ps256, Es256, Es384, EdDsa]
};

/// The DER written here and the DER that RustCrypto's `spki` writes, as `partywall check` does for
/// inline sets, are the same bytes.
#[test]
fn keys_of_every_kind_become_the_same_der_as_elsewhere() {
    let read = read(json!(PUBLIC.map(published))).unwrap();
    assert_eq!(read, PUBLIC.map(key));
}

#[test]
fn rsa_moduli_of_every_length_become_the_same_der_as_elsewhere() {
    use rsa::pkcs8::EncodePublicKey as _;
    for bits in [2048, 2049, 2055, 3072, 4096, 8192] {
        let mut modulus = vec![0xff; bits / 8];
        if bits % 8 != 0 {
            modulus.insert(0, 0xff >> (8 - bits % 8));
        }
        let number = |bytes: &[u8]| rsa::BoxedUint::from_be_slice_vartime(bytes);
        let key = rsa::PublicKey::new(number(&modulus), number(&[1, 0, 1])).unwrap();
        let read = with(KeyAlgorithm::Rs256, |jwk| jwk["n"] = b64(&modulus).into()).unwrap();
        assert_eq!(read[0].spki, key.to_public_key_der().unwrap().into_vec(), "{bits} bits");
    }
}

#[test]
fn a_curve_says_its_algorithm_and_rsa_must_name_one() {
    let without = |algorithm| with(algorithm, |jwk| drop(jwk.as_object_mut().unwrap().remove("alg")));
    for algorithm in [KeyAlgorithm::Es256, KeyAlgorithm::Es384, KeyAlgorithm::EdDsa] {
        assert_eq!(without(algorithm).unwrap()[0].algorithm, algorithm);
    }
    assert_eq!(without(KeyAlgorithm::Rs256), Err(JwkError::NoUsableKey));
}

#[test]
fn what_cannot_be_used_is_passed_over() {
    let weak = b64(&[vec![0x7f], vec![0xff; 255]].concat());
    let long = b64(&vec![0xff; 1025]);
    let (x, short) = (b64(&[1; 32]), b64(&[1; 31]));
    let kid = "k".repeat(257);
    let cases: &[(KeyAlgorithm, &str, Value)] = &[
        (KeyAlgorithm::Es256, "kid", json!(null)),
        (KeyAlgorithm::Es256, "kid", json!("")),
        (KeyAlgorithm::Es256, "kid", json!(kid)),
        (KeyAlgorithm::Es256, "kty", json!("oct")),
        (KeyAlgorithm::Es256, "kty", json!("RSA")),
        (KeyAlgorithm::Es256, "alg", json!("ES384")),
        (KeyAlgorithm::Es256, "alg", json!("ECDH-ES")),
        (KeyAlgorithm::Es256, "alg", json!("HS256")),
        (KeyAlgorithm::Es256, "alg", json!(7)),
        (KeyAlgorithm::Es256, "use", json!("enc")),
        (KeyAlgorithm::Es256, "use", json!(["sig"])),
        (KeyAlgorithm::Es256, "key_ops", json!(["sign"])),
        (KeyAlgorithm::Es256, "crv", json!("P-384")),
        (KeyAlgorithm::Es256, "crv", json!("secp256k1")),
        (KeyAlgorithm::Es256, "x", json!(x)),
        (KeyAlgorithm::Es256, "y", json!(short)),
        (KeyAlgorithm::Es256, "y", json!("%%")),
        (KeyAlgorithm::EdDsa, "x", json!(short)),
        (KeyAlgorithm::EdDsa, "x", json!(b64(&[0; 32]))),
        (KeyAlgorithm::EdDsa, "crv", json!("Ed448")),
        (KeyAlgorithm::Rs256, "n", json!(weak)),
        (KeyAlgorithm::Rs256, "n", json!(long)),
        (KeyAlgorithm::Rs256, "n", json!(b64(&[0xfe; 256]))),
        (KeyAlgorithm::Rs256, "e", json!("Aw")),
        (KeyAlgorithm::Rs256, "alg", json!("RSA-OAEP")),
    ];
    for (algorithm, name, value) in cases {
        assert_eq!(with(*algorithm, |jwk| jwk[*name] = value.clone()), Err(JwkError::NoUsableKey), "{name} = {value}");
        // Beside a good key it does no harm.
        let mut bad = published(*algorithm);
        bad[*name] = value.clone();
        let mut good = published(KeyAlgorithm::Es384);
        good["kid"] = "good".into();
        assert_eq!(read(json!([bad, good])).unwrap().len(), 1, "{name} = {value}");
    }
    for fine in [json!({"use": "sig"}), json!({"key_ops": ["verify"]}), json!({"x5c": ["…"], "x5t": 1, "more": {}})] {
        let more = fine.as_object().unwrap().clone();
        assert!(with(KeyAlgorithm::Es256, |jwk| jwk.as_object_mut().unwrap().extend(more)).is_ok(), "{fine}");
    }
}

#[test]
fn a_set_that_leaks_or_contradicts_itself_is_refused_whole() {
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut leaked = published(KeyAlgorithm::Rs256);
        leaked[private] = "AQAB".into();
        let outcome = read(json!([published(KeyAlgorithm::Es256), leaked]));
        assert_eq!(outcome, Err(JwkError::Private), "{private}");
    }
    let twice = read(json!([published(KeyAlgorithm::Es256), published(KeyAlgorithm::Es256)]));
    assert_eq!(twice, Err(JwkError::RepeatedId));
    for (text, why) in [
        ("", JwkError::NotJson),
        ("{", JwkError::NotJson),
        (r#"{"keys":[],"keys":[]}"#, JwkError::NotJson),
        (r#"{"keys":[{"kid":"a","kid":"b"}]}"#, JwkError::NotJson),
        ("[]", JwkError::NoKeys),
        (r#"{"keys":{}}"#, JwkError::NoKeys),
        (r#"{"keys":[]}"#, JwkError::NoUsableKey),
        (r#"{"keys":[1,null,"a",[]]}"#, JwkError::NoUsableKey),
    ] {
        assert_eq!(read_set(text.as_bytes()), Err(why), "{text}");
    }
}

#[test]
fn a_set_has_a_bound() {
    let numbered = |n: usize| {
        let mut jwk = published(KeyAlgorithm::EdDsa);
        jwk["kid"] = format!("k{n}").into();
        jwk
    };
    let most: Vec<_> = (0..jwk::MAX_KEYS).map(numbered).collect();
    assert_eq!(read(json!(most)).unwrap().len(), jwk::MAX_KEYS);
    let over: Vec<_> = (0..=jwk::MAX_KEYS).map(numbered).collect();
    assert_eq!(read(json!(over)), Err(JwkError::TooMany(jwk::MAX_KEYS + 1)));
    let large = vec![b' '; jwk::MAX_BYTES + 1];
    assert_eq!(read_set(&large), Err(JwkError::TooLarge(jwk::MAX_BYTES + 1)));
}
