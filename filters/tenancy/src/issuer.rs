//! Who issues JWTs, as the bundle says it.

use serde::{Deserialize, Serialize};

use crate::{TenantId, TenantScope};

/// A JWT issuer (OpenID provider).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// `iss`, compared byte by byte.
    pub issuer: String,
    /// Accepted values of `aud`; one must match.
    pub audiences: Vec<String>,
    /// Where the tenant stands in the claims: a JSON pointer (RFC 6901) to a string, or to an array of
    /// strings of which a selecting source must pick one.
    pub tenant_claim: String,
    /// Where the roles stand in the claims: a JSON pointer to an array of strings.
    pub roles_claim: String,
    /// Where the client stands in the claims: a JSON pointer to a string, as `/azp`.
    pub client_claim: String,
    /// Which tenants this issuer may name.
    pub tenants: TenantScope,
    /// What a token for a tenant must show besides; sorted by tenant. Tenants without a binding have none.
    pub bindings: Vec<TenantBinding>,
    /// Its public keys.
    pub keys: KeySource,
}

/// What a token must show to prove one tenant: a token of another client of the same issuer is none for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantBinding {
    /// The tenant.
    pub tenant: TenantId,
    /// Audiences of which `aud` must hold one; empty for those of the issuer.
    pub audiences: Vec<String>,
    /// Clients of which the client claim must be one; empty for any.
    pub clients: Vec<String>,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySource {
    /// They are in the bundle.
    Inline(Vec<IssuerKey>),
    /// They are a JWK set that the sidecar fetches, never while a request waits.
    Fetched {
        /// The Envoy cluster that leads to it.
        cluster: String,
        /// The host asked for.
        authority: String,
        /// The path asked for, as `/.well-known/jwks.json`.
        path: String,
        /// Seconds for which the last good set counts when it cannot be fetched again.
        max_age: u32,
    },
}

/// One key of an issuer, bound to one algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerKey {
    /// `kid`.
    pub id: String,
    /// The one algorithm this key is for.
    pub algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7). Empty for a symmetric key, which is
    /// no part of a bundle: the sidecar has it as the secret of this id, purpose `issuer_keys`.
    pub spki: Vec<u8>,
}

/// JWS algorithms of issuers (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256 and MGF1 with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// EdDSA with Ed25519.
    EdDsa,
    /// HMAC with SHA-256, for keys declared symmetric and no others.
    Hs256,
}

impl KeyAlgorithm {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa, Self::Hs256];

    /// The value of `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm that `alg` names, compared byte by byte.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}
