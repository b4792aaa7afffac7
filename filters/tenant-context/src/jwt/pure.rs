//! Signatures checked in pure Rust: for hosts that offer nothing of the kind, and as the oracle for those that do.

use ed25519_dalek::ed25519::signature::Verifier;
use partywall_tenancy::KeyAlgorithm;
use rsa::pkcs8::DecodePublicKey;
use rsa::{PublicKey, pkcs1v15};
use sha2::Sha256;

use super::SignatureVerifier;

/// Needs nothing but the CPU, and fifty times as much of it as the host does.
pub struct PureRust;

impl SignatureVerifier for PureRust {
    fn verify(&self, algorithm: KeyAlgorithm, spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
        match algorithm {
            KeyAlgorithm::Rs256 => rs256(spki, message, signature).is_some(),
            KeyAlgorithm::Es256 => es256(spki, message, signature).is_some(),
        }
    }
}

fn rs256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = PublicKey::from_public_key_der(spki).ok()?;
    let signature = pkcs1v15::Signature::try_from(signature).ok()?;
    pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &signature).ok()
}

fn es256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    key.verify(message, &signature).ok()
}
