//! An issuer with a key for each algorithm, by another library than the one that verifies.

use std::thread;

use anyhow::{Result, anyhow};
use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike, ECDSAP384KeyPairLike, ES256KeyPair, ES384KeyPair, Ed25519KeyPair,
    EdDSAKeyPairLike, HS256Key, JWTClaims, MACLike, PS256KeyPair, RS256KeyPair, RS384KeyPair, RS512KeyPair,
    RSAKeyPairLike,
};
use serde_json::{Value, json};

/// Its `iss`.
pub const ISSUER: &str = "https://id.bench.example";
/// Its symmetric key, as the variable that holds issuers' keys has it.
pub const ISSUER_KEYS: &str = "HS256-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

type Sign = Box<dyn Fn(JWTClaims<Value>) -> Result<String> + Send + Sync>;

/// One algorithm.
pub struct Algorithm {
    /// Its name.
    pub name: &'static str,
    /// Whether Envoy's `verify_signature` knows it.
    pub native: bool,
    sign: Sign,
}

impl Algorithm {
    /// So many tokens of viewers of `tenant`, each with an id of its own, signed on both sides of the machine at once.
    pub fn tokens(&self, tenant: &str, number: usize) -> Result<Vec<String>> {
        let half = number / 2;
        let some = |from: usize, to: usize| (from..to).map(|n| self.token(tenant, n)).collect::<Result<Vec<_>>>();
        thread::scope(|scope| {
            let first = scope.spawn(|| some(0, half));
            let mut rest = some(half, number)?;
            rest.extend(first.join().map_err(|_| anyhow!("a signer panicked"))??);
            Ok(rest)
        })
    }

    fn token(&self, tenant: &str, n: usize) -> Result<String> {
        let claims = json!({ "tenant": tenant, "roles": ["viewer"] });
        (self.sign)(
            Claims::with_custom_claims(claims, Duration::from_hours(2))
                .with_issuer(ISSUER)
                .with_subject("carol")
                .with_audience("shop")
                .with_jwt_id(format!("{}-{tenant}-{n:08}", self.name)),
        )
    }
}

/// All algorithms, and the JWK set with the public keys; one RSA key serves four of them, under four ids.
pub fn all() -> Result<(Vec<Algorithm>, Value)> {
    let rs256 = RS256KeyPair::generate(2048)?;
    let pem = rs256.to_pem()?;
    let rsa = rs256.public_key().to_jwk();
    let (es256, es384, eddsa) = (ES256KeyPair::generate(), ES384KeyPair::generate(), Ed25519KeyPair::generate());
    let keys = [
        (rsa.clone(), "RS256"),
        (rsa.clone(), "RS384"),
        (rsa.clone(), "RS512"),
        (rsa, "PS256"),
        (es256.public_key().to_jwk(), "ES256"),
        (es384.public_key().to_jwk(), "ES384"),
        (eddsa.public_key().to_jwk(), "EdDSA"),
    ];
    let keys = keys.iter().map(|(text, algorithm)| jwk(text, algorithm)).collect::<Result<Vec<_>>>()?;

    let rs256 = rs256.with_key_id("RS256-1");
    let rs384 = RS384KeyPair::from_pem(&pem)?.with_key_id("RS384-1");
    let rs512 = RS512KeyPair::from_pem(&pem)?.with_key_id("RS512-1");
    let ps256 = PS256KeyPair::from_pem(&pem)?.with_key_id("PS256-1");
    let (es256, es384) = (es256.with_key_id("ES256-1"), es384.with_key_id("ES384-1"));
    let eddsa = eddsa.with_key_id("EdDSA-1");
    let hs256 = HS256Key::from_bytes(&(0..32).collect::<Vec<u8>>()).with_key_id("HS256-1");
    let algorithm = |name, native, sign| Algorithm { name, native, sign };
    let algorithms = vec![
        algorithm("RS256", true, Box::new(move |claims| rs256.sign(claims))),
        algorithm("RS384", true, Box::new(move |claims| rs384.sign(claims))),
        algorithm("RS512", true, Box::new(move |claims| rs512.sign(claims))),
        algorithm("ES256", true, Box::new(move |claims| es256.sign(claims))),
        algorithm("ES384", true, Box::new(move |claims| es384.sign(claims))),
        algorithm("PS256", false, Box::new(move |claims| ps256.sign(claims))),
        algorithm("EdDSA", false, Box::new(move |claims| eddsa.sign(claims))),
        algorithm("HS256", false, Box::new(move |claims| hs256.authenticate(claims))),
    ];
    Ok((algorithms, json!({ "keys": keys })))
}

/// The issuer's entry of `mesh.yaml`; its set lies in `bench.jwks.json`.
pub fn entry() -> String {
    crate::variant::entry(ISSUER, "jwks: bench.jwks.json\n    symmetric_keys: [{ kid: HS256-1 }]")
}

fn jwk(text: &str, algorithm: &str) -> Result<Value> {
    let mut key: Value = serde_json::from_str(text)?;
    key["alg"] = json!(algorithm);
    key["kid"] = json!(format!("{algorithm}-1"));
    Ok(key)
}
