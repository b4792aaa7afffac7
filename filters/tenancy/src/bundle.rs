//! The bundle: a compiled tenancy directory, signed.

use std::collections::HashMap;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::statement::{self, Kind, Statement, TrustedKey};
use crate::{ApiKey, MeshId, Refusal, Sources, SpiffeId, TenantId, UnixSeconds};

/// What a bundle says. Written by `partywall compile`, read through [`Bundle::open`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleBody {
    /// Format of this body: [`BundleBody::FORMAT`].
    pub format: u16,
    /// The mesh it is for.
    pub mesh: MeshId,
    /// Grows with every compile.
    pub revision: u64,
    /// When it was issued.
    pub issued: UnixSeconds,
    /// After this it proves nothing.
    pub expires: UnixSeconds,
    /// SHA-256 of the directory it was compiled from.
    pub source_digest: [u8; 32],
    /// The SPIFFE trust domain of the mesh.
    pub trust_domain: String,
    /// Seconds without a new overlay after which requests are denied.
    pub stale_after: u32,
    /// Keys that may sign other statements, by role.
    pub keys: RoleKeys,
    /// Identity headers of former systems, lower case: taken out of every request.
    pub legacy_headers: Vec<String>,
    /// Where tenants are learned from, per role.
    pub sources: Sources,
    /// API keys, sorted by id.
    pub api_keys: Vec<ApiKey>,
    /// Who may issue JWTs, and for which tenants.
    pub issuers: Vec<Issuer>,
    /// Who may sign root contexts, and for which tenants.
    pub signers: Vec<ContextSigner>,
    /// Workloads that forward the requests of others and tell whose in `x-forwarded-client-cert`, sorted.
    /// One of them is never itself who calls.
    pub gateways: Vec<SpiffeId>,
    /// The tenants, sorted by id.
    pub tenants: Vec<Tenant>,
    /// The services.
    pub services: Vec<Service>,
    /// The decision program, in the form that `authorization` reads.
    pub program: Vec<u8>,
}

/// Public keys by role; each entry is a key id and 32 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// May sign overlays.
    pub overlay: Vec<(String, [u8; 32])>,
}

/// A set of tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantScope {
    /// Every tenant of the bundle.
    All,
    /// These.
    Only(Vec<TenantId>),
}

impl TenantScope {
    /// Whether `tenant` is in the set.
    pub fn contains(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Only(list) => list.contains(tenant),
        }
    }
}

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

/// A workload that may sign root contexts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextSigner {
    /// `kid`.
    pub id: String,
    /// The workload that holds the key.
    pub workload: SpiffeId,
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// Which tenants it may name.
    pub tenants: TenantScope,
}

/// Whether a tenant may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TenantStatus {
    /// It may.
    Active,
    /// It may not, for now.
    Suspended,
    /// It may not, on suspicion.
    Quarantined,
}

impl TenantStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Quarantined];

    /// The word for it in directories and policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A tenant, as far as a sidecar needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its tier, as `gold`.
    pub tier: String,
    /// Whether it may act.
    pub status: TenantStatus,
    /// Where its data lives, as `eu`.
    pub residency: String,
}

/// A service of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in the directory.
    pub name: String,
    /// Its own SPIFFE ID.
    pub spiffe_id: SpiffeId,
    /// Names of the Envoy clusters that lead to it.
    pub clusters: Vec<String>,
    /// Who may call it, and for which tenants.
    pub callers: Vec<Caller>,
    /// Seconds from its issue for which a root context is accepted from callers other than its signer.
    pub max_context_age: u32,
    /// How its outgoing calls find the context of the request that caused them.
    pub recover: Recover,
    /// The tenant it works for when no request caused a call; its sidecar needs a signing key then.
    pub own_tenant: Option<TenantId>,
    /// The tenants it may name in `x-partywall-act-for`; its sidecar needs a signing key then.
    pub act_for: Option<TenantScope>,
    /// What it does.
    pub operations: Vec<Operation>,
}

/// How the context of an outgoing call is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recover {
    /// By the handle in `tracestate`.
    Handle,
    /// By the handle, or by the trace id where an app carries `traceparent` alone.
    TraceParent,
}

/// A workload that may call a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Its SPIFFE ID.
    pub spiffe_id: SpiffeId,
    /// The tenants it may call for.
    pub tenants: TenantScope,
}

/// One operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// HTTP method, upper case.
    pub method: String,
    /// Path template, as `/tenants/{tenant}/invoices/{id}`.
    pub path: String,
    /// Name of the Cedar action, as `invoices:read`.
    pub action: String,
    /// Name of the Cedar resource type, as `Invoice`.
    pub resource: String,
    /// The template parameter that is the resource's id, if one is.
    pub id: Option<String>,
    /// Where the resource's owner can be seen.
    pub owner: Owner,
    /// Whether it is open to callers without a credential (a login, say). They never get a root context.
    pub anonymous: bool,
}

/// Where the owner of a resource can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// In this template parameter of the path.
    Path(String),
    /// Nowhere in the request: the service itself must keep tenants apart.
    Unseen,
}

impl BundleBody {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 2;

    /// Signs the bundle with every key of `signers` (key id, key).
    /// `None` when it cannot be written or there is no usable signer.
    pub fn sign(&self, signers: &[(&str, &SigningKey)]) -> Option<Vec<u8>> {
        let body = postcard::to_allocvec(self).ok()?;
        statement::sign(Kind::Bundle, &body, signers)
    }
}

/// A verified bundle with its indexes.
#[derive(Debug)]
pub struct Bundle {
    body: BundleBody,
    overlay_keys: Vec<TrustedKey>,
    issuers: HashMap<Box<str>, usize>,
    signers: HashMap<Box<str>, usize>,
    services: HashMap<Box<str>, usize>,
    clusters: HashMap<Box<str>, usize>,
}

impl Bundle {
    /// Verifies `bytes` against the keys trusted to sign bundles and builds the indexes.
    pub fn open(bytes: &[u8], keys: &[TrustedKey]) -> Result<Self, Refusal> {
        let (body, _) = Statement::read(bytes)?.verify(Kind::Bundle, keys, &[])?;
        let (format, _) = postcard::take_from_bytes::<u16>(body).map_err(|_| Refusal::Garbage("no format"))?;
        if format != BundleBody::FORMAT {
            return Err(Refusal::Format(format));
        }
        let body: BundleBody = postcard::from_bytes(body).map_err(|_| Refusal::Garbage("unreadable body"))?;
        Self::index(body)
    }

    fn index(body: BundleBody) -> Result<Self, Refusal> {
        if !body.tenants.is_sorted_by(|a, b| a.id < b.id) {
            return Err(Refusal::Inconsistent("tenants are not sorted, or one is there twice".into()));
        }
        if !body.api_keys.is_sorted_by(|a, b| a.id < b.id) {
            return Err(Refusal::Inconsistent("API keys are not sorted, or one is there twice".into()));
        }
        if !body.gateways.is_sorted_by(|a, b| a < b) {
            return Err(Refusal::Inconsistent("gateways are not sorted, or one is there twice".into()));
        }
        if let Some(gateway) = body.gateways.iter().find(|g| g.trust_domain() != body.trust_domain) {
            return Err(Refusal::Inconsistent(format!("gateway `{gateway}` lies outside the trust domain")));
        }
        let overlay_keys = body
            .keys
            .overlay
            .iter()
            .map(|(id, key)| {
                TrustedKey::new(id, key).ok_or_else(|| Refusal::Inconsistent(format!("overlay key `{id}`")))
            })
            .collect::<Result<_, _>>()?;
        let issuers = unique("issuer", body.issuers.iter().map(|i| i.issuer.as_str()).enumerate())?;
        let signers = unique("signer", body.signers.iter().map(|s| s.id.as_str()).enumerate())?;
        let services = unique("service", body.services.iter().map(|s| s.name.as_str()).enumerate())?;
        let clusters = unique(
            "cluster",
            body.services.iter().enumerate().flat_map(|(i, s)| s.clusters.iter().map(move |c| (i, c.as_str()))),
        )?;
        Ok(Self { body, overlay_keys, issuers, signers, services, clusters })
    }

    /// What it says.
    pub fn body(&self) -> &BundleBody {
        &self.body
    }

    /// Keys that may sign overlays.
    pub fn overlay_keys(&self) -> &[TrustedKey] {
        &self.overlay_keys
    }

    /// The tenant called `id`; O(log n).
    pub fn tenant(&self, id: &TenantId) -> Option<&Tenant> {
        let at = self.body.tenants.binary_search_by(|t| t.id.cmp(id)).ok()?;
        self.body.tenants.get(at)
    }

    /// The issuer whose `iss` is exactly this; O(1).
    pub fn issuer(&self, issuer: &str) -> Option<&Issuer> {
        self.body.issuers.get(*self.issuers.get(issuer)?)
    }

    /// The API key with this id; O(log n).
    pub fn api_key(&self, id: &str) -> Option<&ApiKey> {
        let at = self.body.api_keys.binary_search_by(|k| k.id.as_str().cmp(id)).ok()?;
        self.body.api_keys.get(at)
    }

    /// Whether this workload forwards the requests of others; O(log n).
    pub fn is_gateway(&self, id: &SpiffeId) -> bool {
        self.body.gateways.binary_search(id).is_ok()
    }

    /// The context signer with this key id; O(1).
    pub fn signer(&self, id: &str) -> Option<&ContextSigner> {
        self.body.signers.get(*self.signers.get(id)?)
    }

    /// The service with this name; O(1).
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.body.services.get(*self.services.get(name)?)
    }

    /// The service that this Envoy cluster leads to; O(1).
    pub fn service_of_cluster(&self, cluster: &str) -> Option<&Service> {
        self.body.services.get(*self.clusters.get(cluster)?)
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = (usize, &'a str)>) -> Result<HashMap<Box<str>, usize>, Refusal> {
    let mut index = HashMap::new();
    for (at, name) in names {
        if index.insert(name.into(), at).is_some() {
            return Err(Refusal::Inconsistent(format!("{what} `{name}` is there twice")));
        }
    }
    Ok(index)
}
