//! Root contexts, signed with the edge's own key by another library (docs/context-token.md).

use anyhow::{Context, Result};
use jwt_simple::prelude::{Claims, Duration, Ed25519KeyPair, EdDSAKeyPairLike, HeaderOptions};
use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder, Encoder};
use serde_json::json;

use crate::site::MESH;

/// The edge's key, as `keys/edge.env` holds it.
pub struct Edge {
    key: Ed25519KeyPair,
    signed: u64,
}

impl Edge {
    /// Takes the key out of the edge's environment.
    pub fn from_environment(environment: &[(String, String)]) -> Result<Self> {
        let found = environment.iter().find(|(name, _)| name == "PARTYWALL_CONTEXT_SIGNING");
        let (id, seed) = found.and_then(|(_, value)| value.split_once(':')).context("the edge has no signing key")?;
        let seed = Base64UrlSafeNoPadding::decode_to_vec(seed, None)?;
        // An Ed25519 private key as PKCS #8 (RFC 8410, section 7): a fixed frame around the seed.
        let frame = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        let key = Ed25519KeyPair::from_der(&[&frame[..], &seed].concat())?;
        Ok(Self { key: key.with_key_id(id), signed: 0 })
    }

    /// A root for a viewer of `tenant`, good for a minute from now.
    pub fn sign(&mut self, tenant: &str) -> Result<String> {
        self.signed += 1;
        let id = [&[0; 8][..], &self.signed.to_be_bytes()].concat();
        let custom = json!({
            "ten": tenant, "tier": "gold", "rol": ["viewer"], "scp": [], "reg": "eu",
            "org": "spiffe://mesh.example/ns/edge/sa/gateway", "rev": 1,
        });
        let mut claims = Claims::with_custom_claims(custom, Duration::from_secs(60))
            .with_issuer(MESH)
            .with_subject("carol")
            .with_jwt_id(Base64UrlSafeNoPadding::encode_to_string(id)?);
        claims.invalid_before = None;
        let header = HeaderOptions { signature_type: Some("partywall-root+jwt".into()), ..Default::default() };
        self.key.sign_with_options(claims, &header)
    }
}
