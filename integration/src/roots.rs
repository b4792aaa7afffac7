//! Root contexts made by hand: as the edge signs them, as an attacker would like them, and altered ones.
//!
//! Written from `docs/context-token.md` alone, with a JWT library that the product does not use.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use jwt_simple::prelude::{Claims, Duration, Ed25519KeyPair, EdDSAKeyPairLike, HS256Key, HeaderOptions, MACLike};
use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder, Encoder};
use serde_json::{Value, json};

use crate::certificates::Workload;
use crate::mesh::unique;
use crate::site::MESH;

/// A root context before it is signed: both halves may say anything.
#[derive(Clone, Debug)]
pub struct Root {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

impl Root {
    /// As the edge would write it `age` seconds ago, for a viewer of `tenant`.
    pub fn of(tenant: &str, age: u64) -> Self {
        let iat = now() - age;
        Self {
            header: json!({ "alg": "EdDSA", "kid": "edge-1", "typ": "partywall-root+jwt" }),
            claims: json!({
                "iss": MESH, "sub": "mallory", "ten": tenant, "tier": "gold", "rol": ["viewer"], "scp": [], "reg": "eu",
                "org": Workload::Edge.spiffe_id(), "rev": 1, "iat": iat, "exp": iat + 60,
                "jti": encode(unique().as_bytes()),
            }),
        }
    }

    /// Reads a token that somebody signed.
    pub fn read(token: &str) -> Result<Self> {
        let mut parts = token.split('.').map(decode);
        let mut part = || parts.next().context("a JWS has three parts")?;
        Ok(Self { header: serde_json::from_slice(&part()?)?, claims: serde_json::from_slice(&part()?)? })
    }

    /// With another value in the header.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// With another claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Signed with the Ed25519 key of this seed.
    pub fn signed(&self, seed: &[u8]) -> Result<String> {
        let unsigned = self.unsigned();
        let pair = key_pair(seed)?;
        let signature = pair.key_pair().as_ref().sk.sign(unsigned.as_bytes(), None);
        Ok(format!("{unsigned}.{}", encode(signature.as_ref())))
    }

    /// With this text in the place of a signature.
    pub fn with_signature(&self, signature: &str) -> String {
        format!("{}.{signature}", self.unsigned())
    }

    /// Authenticated with HMAC-SHA256 under `secret` (`alg: HS256`).
    pub fn authenticated(&self, secret: &[u8]) -> Result<String> {
        let kid = self.header["kid"].as_str().unwrap_or_default();
        let mut claims = Claims::with_custom_claims(self.claims.clone(), Duration::from_secs(60));
        // They stand among the custom ones already.
        (claims.issued_at, claims.expires_at, claims.invalid_before) = (None, None, None);
        let typ = self.header["typ"].as_str().map(str::to_owned);
        let options = HeaderOptions { signature_type: typ, ..HeaderOptions::default() };
        HS256Key::from_bytes(secret).with_key_id(kid).authenticate_with_options(claims, &options)
    }

    fn unsigned(&self) -> String {
        format!("{}.{}", encode(self.header.to_string().as_bytes()), encode(self.claims.to_string().as_bytes()))
    }
}

/// The bytes of a secret as it stands in an environment file: `id:base64url`.
pub fn secret(text: &str) -> Result<Vec<u8>> {
    decode(text.split_once(':').context("a secret is `id:base64url`")?.1)
}

/// PKCS #8 around a seed (RFC 8410, section 7), which is how the library takes one.
pub(crate) fn key_pair(seed: &[u8]) -> Result<Ed25519KeyPair> {
    const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    ensure!(seed.len() == 32, "a seed has 32 bytes, not {}", seed.len());
    Ed25519KeyPair::from_der(&[&PKCS8, seed].concat())
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlSafeNoPadding::encode_to_string(bytes).expect("it is short")
}

fn decode(text: &str) -> Result<Vec<u8>> {
    Ok(Base64UrlSafeNoPadding::decode_to_vec(text, None)?)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::EdDSAPublicKeyLike;

    use super::*;

    #[test]
    fn what_is_signed_verifies_and_reads_as_it_was_written() {
        let root = Root::of("acme", 0);
        let token = root.signed(&[7; 32]).unwrap();
        let key = key_pair(&[7; 32]).unwrap().public_key();
        assert!(key.verify_token::<Value>(&token, None).is_ok());
        assert_eq!(Root::read(&token).unwrap().claims, root.claims);
        let other = key_pair(&[8; 32]).unwrap().public_key();
        assert!(other.verify_token::<Value>(&token, None).is_err());
    }
}
