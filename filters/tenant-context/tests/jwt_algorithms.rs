//! Every algorithm, and every way to mistake one for another.
#![allow(missing_docs)]

mod common;

use common::algorithms::*;
use common::*;
use partywall_tenancy::{IssuerKey, KeyAlgorithm, KeySource, Reason, View};
use partywall_tenant_context::Rejection;
use partywall_tenant_context::jwt::{self, Keys, PureRust, SignatureVerifier, Verified};

fn verify(token: &str, view: &View) -> Result<Option<Verified>, Rejection> {
    let secrets = secrets();
    jwt::verify(token.as_bytes(), view, Keys::inline(), NOW, &PureRust { issuer_keys: Some(&secrets) })
}

fn is_invalid(outcome: Result<Option<Verified>, Rejection>) -> bool {
    outcome.is_err_and(|r| r.reason == Reason::CredentialInvalid)
}

fn pure(key: &IssuerKey, message: &[u8], signature: &[u8]) -> bool {
    PureRust { issuer_keys: Some(&secrets()) }.verify(key, message, signature)
}

#[test]
fn a_token_of_every_algorithm_verifies_and_says_which_key_signed_it() {
    let view = view_of(&every_body(), &overlay());
    for algorithm in KeyAlgorithm::ALL {
        let verified = verify(&every_token(algorithm, |_| ()), &view).unwrap().unwrap();
        assert_eq!((verified.issuer.as_str(), verified.key_id), (EVERY_ISSUER, key(algorithm).id));
    }
}

#[test]
fn a_signature_verifies_whole_under_its_own_key_and_message_only() {
    for algorithm in KeyAlgorithm::ALL {
        let key = key(algorithm);
        let good = sign(algorithm, b"message");
        assert!(pure(&key, b"message", &good), "{algorithm:?}");
        assert!(!pure(&key, b"messagf", &good), "{algorithm:?}: another message");
        for n in [0, good.len() / 2, good.len() - 1] {
            assert!(!pure(&key, b"message", &good[..n]), "{algorithm:?}: {n} bytes of it");
            let mut touched = good.clone();
            touched[n] ^= 1;
            assert!(!pure(&key, b"message", &touched), "{algorithm:?}: byte {n} touched");
        }
        assert!(!pure(&key, b"message", &[good.as_slice(), &[0]].concat()), "{algorithm:?}: longer");
        assert!(!pure(&key, b"message", &vec![0; good.len()]), "{algorithm:?}: zeros");
    }
}

#[test]
fn a_signature_of_one_algorithm_is_none_of_another() {
    for signed in KeyAlgorithm::ALL {
        for declared in KeyAlgorithm::ALL.into_iter().filter(|a| *a != signed) {
            // The key of the other algorithm, and the right key declared for the other algorithm.
            for key in [key(declared), IssuerKey { algorithm: declared, ..key(signed) }] {
                assert!(!pure(&key, b"message", &sign(signed, b"message")), "{signed:?} for {declared:?}");
            }
        }
    }
}

#[test]
fn a_key_declared_for_the_wrong_algorithm_verifies_nothing() {
    for of in KeyAlgorithm::ALL {
        for declared in KeyAlgorithm::ALL {
            let same_kind = spki_kind(of) == spki_kind(declared);
            let mut body = every_body();
            let confused = IssuerKey { algorithm: declared, ..key(of) };
            body.issuers.last_mut().unwrap().keys = KeySource::Inline(vec![confused.clone()]);
            let header = format!(r#"{{"alg":"{}","kid":"{}"}}"#, declared.name(), confused.id);
            let payload = claims(|c| c["iss"] = EVERY_ISSUER.into()).to_string();
            let token = jws(&header, &payload, |m| sign(of, m));
            let outcome = verify(&token, &view_of(&body, &overlay()));
            assert_eq!(outcome.is_ok(), of == declared, "{of:?} as {declared:?}");
            if !same_kind {
                // A host that would say yes to anything is not even asked.
                let yes = jwt::verify(token.as_bytes(), &view_of(&body, &overlay()), Keys::inline(), NOW, &Credulous);
                assert!(is_invalid(yes), "{of:?} as {declared:?}");
            }
        }
    }
}

struct Credulous;

impl SignatureVerifier for Credulous {
    fn verify(&self, _: &IssuerKey, _: &[u8], _: &[u8]) -> bool {
        true
    }
}

fn spki_kind(algorithm: KeyAlgorithm) -> u8 {
    use KeyAlgorithm::*;
    match algorithm {
        Rs256 | Rs384 | Rs512 | Ps256 => 0,
        Es256 => 1,
        Es384 => 2,
        EdDsa => 3,
        Hs256 => 4,
    }
}

/// CVE-2015-9235 and its kin: whoever knows the public key signs with it as if it were a secret.
#[test]
fn a_public_key_is_no_secret() {
    let spki = rs256_spki();
    let payload = claims(|c| c["iss"] = EVERY_ISSUER.into()).to_string();
    let forged = |kid: &str| jws(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), &payload, |m| hs256(&spki, m));
    let view = view_of(&every_body(), &overlay());
    for kid in ["rs256", "ps256", "es256", "eddsa", "hs"] {
        assert!(is_invalid(verify(&forged(kid), &view)), "{kid}");
    }
    // Even a bundle that declares an RSA key symmetric makes it no secret.
    let confused = IssuerKey { algorithm: KeyAlgorithm::Hs256, ..key(KeyAlgorithm::Rs256) };
    assert!(!pure(&confused, b"message", &hs256(&spki, b"message")));
    // Nor is there a default secret, or an empty one.
    let hs = key(KeyAlgorithm::Hs256);
    assert!(!PureRust::default().verify(&hs, b"message", &hs256(b"", b"message")));
    assert!(!pure(&IssuerKey { id: "other".into(), ..hs }, b"message", &hs256(b"", b"message")));
}

#[test]
fn a_token_cannot_change_the_algorithm_of_a_key() {
    let view = view_of(&every_body(), &overlay());
    let payload = claims(|c| c["iss"] = EVERY_ISSUER.into()).to_string();
    for algorithm in KeyAlgorithm::ALL {
        let id = key(algorithm).id;
        let others = KeyAlgorithm::ALL.into_iter().filter(|a| *a != algorithm).map(KeyAlgorithm::name);
        for alg in others.chain(["none", "None", "", "RS1", "ES256K", "EdDSA ", "ed25519"]) {
            let token = jws(&format!(r#"{{"alg":"{alg}","kid":"{id}"}}"#), &payload, |m| sign(algorithm, m));
            assert!(is_invalid(verify(&token, &view)), "{alg} with {id}");
        }
    }
}

#[test]
fn rsa_keys_have_a_least_and_a_greatest_size() {
    use rsa::pkcs8::EncodePublicKey as _;
    let number = |bytes: &[u8]| rsa::BoxedUint::from_be_slice_vartime(bytes);
    for (bytes, first, fine) in
        [(128, 0xff, false), (256, 0x7f, false), (256, 0x80, true), (1024, 0xff, true), (1025, 1, false)]
    {
        let mut modulus = vec![0xff; bytes];
        modulus[0] = first;
        let key_of_size = rsa::PublicKey::new_with_size_limits(number(&modulus), number(&[1, 0, 1]), 1024..=16384);
        let spki = key_of_size.unwrap().to_public_key_der().unwrap().into_vec();
        let mut body = every_body();
        body.issuers.last_mut().unwrap().keys = KeySource::Inline(vec![IssuerKey { spki, ..key(KeyAlgorithm::Rs256) }]);
        let token = every_token(KeyAlgorithm::Rs256, |_| ());
        let outcome = jwt::verify(token.as_bytes(), &view_of(&body, &overlay()), Keys::inline(), NOW, &Credulous);
        assert_eq!(outcome.is_ok(), fine, "{bytes} bytes from {first:x}, whatever the host says of it");
    }
}

/// RFC 7515, appendices A.1 and A.3, and RFC 8037, appendix A.4.
#[test]
fn the_examples_of_the_standards_verify() {
    use base64::Engine as _;
    let b64 = |text: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let secret = "hs:AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secrets = partywall_tenancy::Secrets::parse(secret).unwrap();
    let signed = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}");
    let signature = b64("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let hs = key(KeyAlgorithm::Hs256);
    assert!(PureRust { issuer_keys: Some(&secrets) }.verify(&hs, signed.as_bytes(), &signature));

    let set = br#"{"keys":[
        {"kty":"EC","crv":"P-256","kid":"es","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    ]}"#;
    let keys = jwt::jwk::read_set(set).unwrap();
    let es = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(pure(&keys[0], format!("eyJhbGciOiJFUzI1NiJ9.{payload}").as_bytes(), &b64(es)));
    let ed = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(pure(&keys[1], b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", &b64(ed)));
}
