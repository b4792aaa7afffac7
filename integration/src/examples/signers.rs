//! The issuers of an example: an ES256 key each, and the tokens they sign.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jwt_simple::prelude::{Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair, JWTClaims};
use serde_json::{Value, json};

use crate::examples::script::Token;
use crate::mesh::unique;

/// The private keys, by issuer.
pub struct Signers(BTreeMap<String, ES256KeyPair>);

impl Signers {
    /// Makes a key for each of `issuers` (`iss` and file name) and writes its JWK set into each of `folders`.
    pub fn make(issuers: &[(String, String)], folders: &[&Path]) -> Result<Self> {
        let mut keys = BTreeMap::new();
        for (issuer, file) in issuers {
            let id = file.trim_end_matches(".jwks.json");
            let key = ES256KeyPair::generate().with_key_id(id);
            let mut jwk: Value = serde_json::from_str(&key.public_key().with_key_id(id).to_jwk())?;
            jwk["alg"] = json!("ES256");
            for folder in folders {
                fs::write(folder.join(file), json!({ "keys": [jwk] }).to_string())?;
            }
            keys.insert(issuer.clone(), key);
        }
        Ok(Self(keys))
    }

    /// Signs a token; an issuer that is in no directory gets a key that nobody knows.
    pub fn sign(&self, token: &Token) -> Result<String> {
        let mut rest = token.claims.clone();
        let subject = rest.remove("sub").unwrap_or_default();
        let audience = rest.remove("aud").unwrap_or_default();
        let mut claims: JWTClaims<Value> = Claims::with_custom_claims(Value::Object(rest), Duration::from_mins(10))
            .with_issuer(&token.issuer)
            .with_jwt_id(unique());
        if let Some(subject) = subject.as_str() {
            claims = claims.with_subject(subject);
        }
        if let Some(audience) = audience.as_str() {
            claims = claims.with_audience(audience);
        }
        let signer = token.key_of.as_ref().unwrap_or(&token.issuer);
        match (self.0.get(signer), &token.key_of) {
            (Some(key), _) => key.sign(claims),
            (None, None) => ES256KeyPair::generate().with_key_id("nobody").sign(claims),
            (None, Some(other)) => Err(anyhow::anyhow!("`key_of: {other}` is none of the issuers")),
        }
        .with_context(|| format!("cannot sign a token of {}", token.issuer))
    }
}
