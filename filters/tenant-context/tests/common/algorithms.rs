//! One key of every algorithm, and who signs with it.

use std::sync::LazyLock;

use super::*;

pub const EVERY_ISSUER: &str = "https://id.every.example";
/// The symmetric keys of issuers, as an environment variable holds them.
pub const SECRETS: &str = "hs:AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8";

static ES384: LazyLock<p384::ecdsa::SigningKey> =
    LazyLock::new(|| p384::ecdsa::SigningKey::from_slice(&[0x42; 48]).unwrap());

pub fn secrets() -> Secrets {
    Secrets::parse(SECRETS).unwrap()
}

/// The key of this algorithm; its id is the algorithm in lower case, as `rs256`, and `hs` for the symmetric one.
pub fn key(algorithm: KeyAlgorithm) -> IssuerKey {
    use KeyAlgorithm::*;
    use ed25519_dalek::pkcs8::EncodePublicKey as _;
    let spki = match algorithm {
        Rs256 | Rs384 | Rs512 | Ps256 => rs256_spki(),
        Es256 => es256_spki(),
        Es384 => ES384.verifying_key().to_public_key_der().unwrap().into_vec(),
        EdDsa => ed25519(9).verifying_key().to_public_key_der().unwrap().into_vec(),
        Hs256 => vec![],
    };
    let id = if algorithm == Hs256 { "hs".into() } else { algorithm.name().to_lowercase() };
    IssuerKey { id, algorithm, spki }
}

/// Signs as the holder of that key would.
pub fn sign(algorithm: KeyAlgorithm, message: &[u8]) -> Vec<u8> {
    use hmac::Mac as _;
    use rsa::pkcs1v15::SigningKey as Pkcs1;
    use rsa::signature::{SignatureEncoding as _, Signer as _};
    use sha2::{Sha256, Sha384, Sha512};
    match algorithm {
        KeyAlgorithm::Rs256 => rs256(message),
        KeyAlgorithm::Rs384 => Pkcs1::<Sha384>::new(RS256.clone()).sign(message).to_vec(),
        KeyAlgorithm::Rs512 => Pkcs1::<Sha512>::new(RS256.clone()).sign(message).to_vec(),
        KeyAlgorithm::Ps256 => rsa::pss::SigningKey::<Sha256>::new(RS256.clone()).sign(message).to_vec(),
        KeyAlgorithm::Es256 => es256(message),
        KeyAlgorithm::Es384 => {
            let signature: p384::ecdsa::Signature = ES384.sign(message);
            signature.to_bytes().to_vec()
        }
        KeyAlgorithm::EdDsa => ed25519_sign(9, message),
        KeyAlgorithm::Hs256 => hs256(secrets().current().bytes(), message),
    }
}

pub fn hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    use hmac::Mac as _;
    let mut mac = partywall_tenancy::keyed(secret);
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The sample mesh with one issuer more, which has a key of every algorithm and may name every tenant.
pub fn every_body() -> BundleBody {
    let mut body = body();
    let shared = body.issuers.last().unwrap().clone();
    let keys = KeySource::Inline(KeyAlgorithm::ALL.map(key).into());
    body.issuers.push(Issuer { issuer: EVERY_ISSUER.into(), keys, ..shared });
    body
}

/// A token of that issuer.
pub fn every_token(algorithm: KeyAlgorithm, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let claims = claims(|c| {
        c["iss"] = EVERY_ISSUER.into();
        change(c);
    });
    let header = serde_json::json!({ "alg": algorithm.name(), "kid": key(algorithm).id });
    jws(&header.to_string(), &claims.to_string(), |m| sign(algorithm, m))
}
