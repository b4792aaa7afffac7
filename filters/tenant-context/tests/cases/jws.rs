//! Tokens and root contexts as a case describes them: good ones, but for what it says.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_tenancy::KeyAlgorithm;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::NOW;
use crate::keys;
use crate::mesh::{Mesh, merge};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Jws {
    /// `iss`; of a root context there is none to choose.
    issuer: Option<String>,
    /// Which of the issuer's keys, or which signer.
    kid: Option<String>,
    /// Merged into the claims.
    claims: Value,
    /// Merged into the header.
    header: Value,
    /// Put in front of all claims, as `"tenant":"globex"`: a name that stands twice.
    repeat: Option<String>,
    /// Put in front of the whole header.
    repeat_in_header: Option<String>,
    /// Instead of the whole claims.
    payload: Option<String>,
    /// Instead of the whole header.
    raw_header: Option<String>,
    /// The name of another key to sign with.
    sign_with: Option<String>,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// Without its last part.
    TwoParts,
    /// With one more.
    FourParts,
    /// A signature of no bytes.
    NoSignature,
    /// The first bit of the signature.
    FlippedSignature,
    /// One byte more.
    LongSignature,
    /// The claims of another tenant under this signature.
    SwappedClaims,
    /// HMAC under the public key.
    HmacWithPublicKey,
    /// Over 8 KiB.
    Long,
    /// Base64url with `=`.
    Padded,
    /// An ECDSA signature in DER, as X.509 has it and JWS has not.
    DerSignature,
}

impl Jws {
    /// A JWT of an issuer.
    pub(crate) fn token(&self, mesh: &Mesh) -> String {
        let issuer = self.issuer.as_deref().unwrap_or("https://id.shared.example");
        let known = mesh.issuers.get(issuer).map(|entry| entry.keys().clone()).unwrap_or_default();
        let default = known.keys().next().map_or("es256", String::as_str);
        let default = if known.contains_key("es256") { "es256" } else { default };
        let kid = self.kid.as_deref().unwrap_or(default);
        let algorithm = keys::algorithm(known.get(kid).map_or("ES256", String::as_str));
        let header = json!({ "alg": algorithm.name(), "kid": kid, "typ": "JWT" });
        let claims = json!({
            "iss": issuer, "sub": "alice", "aud": "shop", "iat": NOW - 5, "exp": NOW + 300,
            "tenant": "acme", "roles": ["viewer"], "scope": "read write", "jti": "j1",
        });
        self.write(header, claims, kid, algorithm, "tenant")
    }

    /// A root context.
    pub(crate) fn root(&self, mesh: &Mesh) -> String {
        let kid = self.kid.as_deref().unwrap_or("edge-1");
        let workload = mesh.signers.get(kid).map_or("spiffe://mesh.example/ns/edge/sa/gateway", |s| &s.workload);
        let header = json!({ "alg": "EdDSA", "kid": kid, "typ": "partywall-root+jwt" });
        let claims = json!({
            "iss": "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11", "sub": "alice", "ten": "acme", "tier": "gold",
            "rol": ["viewer"], "scp": ["read"], "reg": "eu", "org": workload, "rev": 5,
            "iat": NOW, "exp": NOW + 60, "jti": "r1",
        });
        self.write(header, claims, kid, KeyAlgorithm::EdDsa, "ten")
    }

    fn write(&self, header: Value, claims: Value, kid: &str, algorithm: KeyAlgorithm, tenant: &str) -> String {
        let text = |mut value: Value, patch: &Value, repeat: &Option<String>| {
            if !patch.is_null() {
                merge(&mut value, patch);
            }
            let text = value.to_string();
            match repeat {
                Some(repeat) => text.replacen('{', &format!("{{{repeat},"), 1),
                None => text,
            }
        };
        let mut other = claims.clone();
        other[tenant] = json!("globex");
        let header = self.raw_header.clone().unwrap_or_else(|| text(header, &self.header, &self.repeat_in_header));
        let mut payload = self.payload.clone().unwrap_or_else(|| text(claims, &self.claims, &self.repeat));
        if let Some(Fault::Long) = self.fault {
            payload = payload.replacen('{', &format!("{{\"padding\":\"{}\",", "a".repeat(9000)), 1);
        }
        let b64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut signed = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
        let mut signature = match self.fault {
            Some(Fault::HmacWithPublicKey) => keys::hmac(&keys::spki(kid, algorithm), signed.as_bytes()),
            _ => keys::sign(self.sign_with.as_deref().unwrap_or(kid), algorithm, signed.as_bytes()),
        };
        match self.fault {
            Some(Fault::NoSignature) => signature.clear(),
            Some(Fault::FlippedSignature) => signature[0] ^= 1,
            Some(Fault::LongSignature) => signature.push(0),
            Some(Fault::DerSignature) => {
                signature = partywall_tenant_context::jwt::signature_to_der(&signature, 32).unwrap();
            }
            Some(Fault::SwappedClaims) => {
                signed = format!("{}.{}", b64(header.as_bytes()), b64(other.to_string().as_bytes()))
            }
            _ => {}
        }
        let token = format!("{signed}.{}", b64(&signature));
        match self.fault {
            Some(Fault::TwoParts) => signed,
            Some(Fault::FourParts) => format!("{token}.e30"),
            Some(Fault::Padded) => format!("{token}="),
            _ => token,
        }
    }
}
