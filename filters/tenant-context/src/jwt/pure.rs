//! Signatures checked in pure Rust: what no host checks, what this host does not, and the oracle for what it does.

use ed25519_dalek::ed25519::signature::Verifier;
use hmac::Mac;
use partywall_tenancy::{IssuerKey, KeyAlgorithm, Secrets, keyed};
use rsa::pkcs8::DecodePublicKey;
use rsa::{PublicKey, pkcs1v15, pss};
use sha2::digest::const_oid::AssociatedOid;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{SignatureVerifier, spki};

/// Needs nothing but the CPU, and much more of it than the host does.
#[derive(Clone, Copy, Debug, Default)]
pub struct PureRust<'a> {
    /// The symmetric keys of issuers, by key id. Without them no HS256 signature verifies.
    pub issuer_keys: Option<&'a Secrets>,
}

impl SignatureVerifier for PureRust<'_> {
    fn verify(&self, key: &IssuerKey, message: &[u8], signature: &[u8]) -> bool {
        let spki = key.spki.as_slice();
        let verified = match key.algorithm {
            KeyAlgorithm::Rs256 => pkcs1::<Sha256>(spki, message, signature),
            KeyAlgorithm::Rs384 => pkcs1::<Sha384>(spki, message, signature),
            KeyAlgorithm::Rs512 => pkcs1::<Sha512>(spki, message, signature),
            KeyAlgorithm::Ps256 => ps256(spki, message, signature),
            KeyAlgorithm::Es256 => es256(spki, message, signature),
            KeyAlgorithm::Es384 => es384(spki, message, signature),
            KeyAlgorithm::EdDsa => eddsa(spki, message, signature),
            KeyAlgorithm::Hs256 => self.hs256(key, message, signature),
        };
        verified.is_some()
    }
}

impl PureRust<'_> {
    /// INVARIANT: the secret is found by the key's id and is never what the key says it is: a public
    /// key is no secret, whoever signs with it.
    fn hs256(&self, key: &IssuerKey, message: &[u8], signature: &[u8]) -> Option<()> {
        if !key.spki.is_empty() {
            return None;
        }
        let mut mac = keyed(self.issuer_keys?.find(&key.id)?.bytes());
        mac.update(message);
        // In constant time, and only at full length.
        mac.verify_slice(signature).ok()
    }
}

fn pkcs1<D>(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()>
where
    D: Digest + AssociatedOid,
{
    let key = PublicKey::from_public_key_der(spki).ok()?;
    let signature = pkcs1v15::Signature::try_from(signature).ok()?;
    pkcs1v15::VerifyingKey::<D>::new(key).verify(message, &signature).ok()
}

/// The salt is as long as the digest (RFC 7518, section 3.5).
fn ps256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = PublicKey::from_public_key_der(spki).ok()?;
    let signature = pss::Signature::try_from(signature).ok()?;
    pss::VerifyingKey::<Sha256>::new(key).verify(message, &signature).ok()
}

fn es256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    key.verify(message, &signature).ok()
}

fn es384(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p384::ecdsa::VerifyingKey::from_public_key_der(spki).ok()?;
    let signature = p384::ecdsa::Signature::from_slice(signature).ok()?;
    key.verify(message, &signature).ok()
}

fn eddsa(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(spki::ed25519_key(spki)?).ok()?;
    let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
    key.verify_strict(message, &signature).ok()
}
