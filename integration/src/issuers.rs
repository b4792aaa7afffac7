//! The two OpenID providers of the sample mesh, and an attacker who signs root contexts.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, HeaderOptions, JWTClaims,
    RS256KeyPair, RSAKeyPairLike,
};
use serde_json::{Value, json};

/// Which provider issues a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `https://id.acme.example`: RS256, may name `acme` alone.
    Acme,
    /// `https://id.shared.example`: ES256, may name every tenant.
    Shared,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ended fifty minutes ago, beyond any allowance for clocks.
    Expired,
    /// One bit of the signature is not as it was.
    BadSignature,
    /// It is meant for another audience.
    OtherAudience,
}

/// A token to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// Who issues it.
    pub provider: Provider,
    /// The tenant it names.
    pub tenant: &'static str,
    /// The subject.
    pub subject: &'static str,
    /// The roles.
    pub roles: &'static [&'static str],
    /// What is wrong with it, if anything.
    pub fault: Option<Fault>,
}

/// A good token for an accountant of `tenant`.
pub const fn accountant(provider: Provider, tenant: &'static str) -> Token {
    Token { provider, tenant, subject: "alice", roles: &["accountant"], fault: None }
}

/// A good token for a viewer of `tenant`.
pub const fn viewer(provider: Provider, tenant: &'static str) -> Token {
    Token { provider, tenant, subject: "bob", roles: &["viewer"], fault: None }
}

/// A good token for an analyst of `tenant`.
pub const fn analyst(provider: Provider, tenant: &'static str) -> Token {
    Token { provider, tenant, subject: "dana", roles: &["analyst"], fault: None }
}

impl Token {
    /// The same token with a fault.
    pub const fn with(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }
}

/// The private keys.
pub struct Issuers {
    acme: RS256KeyPair,
    shared: ES256KeyPair,
    attacker: Ed25519KeyPair,
}

impl Issuers {
    /// Makes new keys.
    pub fn make() -> Result<Self> {
        Ok(Self {
            acme: RS256KeyPair::generate(2048).context("RSA key")?.with_key_id("acme-rs-1"),
            shared: ES256KeyPair::generate().with_key_id("shared-es-1"),
            attacker: Ed25519KeyPair::generate().with_key_id("edge-1"),
        })
    }

    /// Writes the JWK sets as the tenancy directory names them.
    pub fn write_key_sets(&self, keys: &Path) -> Result<()> {
        let acme: Value = serde_json::from_str(&self.acme.public_key().with_key_id("acme-rs-1").to_jwk())?;
        let shared: Value = serde_json::from_str(&self.shared.public_key().with_key_id("shared-es-1").to_jwk())?;
        for (name, key) in [("id.acme.example", acme), ("id.shared.example", shared)] {
            let set = serde_json::to_string_pretty(&json!({ "keys": [key] }))?;
            fs::write(keys.join(format!("{name}.jwks.json")), set)?;
        }
        Ok(())
    }

    /// Issues `token` for ten minutes from now, under the id `jti`.
    pub fn token(&self, token: &Token, jti: &str) -> Result<String> {
        let custom = json!({ "tenant": token.tenant, "roles": token.roles });
        let audience = if token.fault == Some(Fault::OtherAudience) { "billing" } else { "shop" };
        let mut claims: JWTClaims<Value> = Claims::with_custom_claims(custom, Duration::from_mins(10))
            .with_subject(token.subject)
            .with_audience(audience)
            .with_jwt_id(jti);
        if token.fault == Some(Fault::Expired) {
            age(&mut claims, Duration::from_hours(1));
        }
        let signed = match token.provider {
            Provider::Acme => self.acme.sign(claims.with_issuer("https://id.acme.example"))?,
            Provider::Shared => self.shared.sign(claims.with_issuer("https://id.shared.example"))?,
        };
        Ok(if token.fault == Some(Fault::BadSignature) { flip_signature(&signed) } else { signed })
    }

    /// A token of `issuer` with these claims, `age` seconds old, for ten minutes from its issue. An issuer that nobody
    /// knows signs with a key that is none of its own.
    pub fn claiming(&self, issuer: &str, claims: &Value, age: u64, jti: &str) -> Result<String> {
        let text = |name: &str, or: &str| claims[name].as_str().unwrap_or(or).to_owned();
        let mut custom = claims.clone();
        if let Some(members) = custom.as_object_mut() {
            members.retain(|name, _| !matches!(name.as_str(), "sub" | "aud"));
        }
        let mut claims: JWTClaims<Value> = Claims::with_custom_claims(custom, Duration::from_mins(10))
            .with_issuer(issuer)
            .with_subject(text("sub", "somebody"))
            .with_audience(text("aud", "shop"))
            .with_jwt_id(jti);
        self::age(&mut claims, Duration::from_secs(age));
        if issuer == "https://id.acme.example" { self.acme.sign(claims) } else { self.shared.sign(claims) }
    }

    /// A root context as an attacker would make it: right in all but the key.
    pub fn forged_root(&self, mesh: &str, tenant: &str) -> Result<String> {
        let custom = json!({
            "ten": tenant, "tier": "gold", "rol": ["accountant"], "scp": [], "reg": "eu",
            "org": "spiffe://mesh.example/ns/edge/sa/gateway", "rev": 1,
        });
        let claims = Claims::with_custom_claims(custom, Duration::from_secs(60))
            .with_issuer(mesh)
            .with_subject("alice")
            .with_jwt_id("0f0e0d0c0b0a09080706050403020100");
        let header = HeaderOptions { signature_type: Some("partywall-root+jwt".into()), ..Default::default() };
        self.attacker.sign_with_options(claims, &header)
    }
}

fn age(claims: &mut JWTClaims<Value>, by: Duration) {
    for time in [&mut claims.issued_at, &mut claims.expires_at, &mut claims.invalid_before].into_iter().flatten() {
        *time -= by;
    }
}

/// Another letter in the middle of the signature: the last one holds bits that are not used.
fn flip_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a JWS has three parts");
    let (head, tail) = signature.split_at(signature.len() / 2);
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{head}{other}{}", &tail[1..])
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::ECDSAP256PublicKeyLike;

    use super::*;

    #[test]
    fn a_flipped_signature_differs_in_one_letter_of_it() {
        let issuers = Issuers::make().unwrap();
        let good = issuers.token(&accountant(Provider::Shared, "acme"), "1").unwrap();
        let bad = flip_signature(&good);
        assert_eq!(good.len(), bad.len());
        assert_eq!(good.bytes().zip(bad.bytes()).filter(|(a, b)| a != b).count(), 1);
        let key = issuers.shared.public_key();
        assert!(key.verify_token::<Value>(&good, None).is_ok());
        assert!(key.verify_token::<Value>(&bad, None).is_err());
    }
}
