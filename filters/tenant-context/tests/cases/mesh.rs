//! `mesh.yaml`, with what a case changes, as the bundle and overlay that requests are decided against.

use std::collections::BTreeMap;

use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{
    ActFor, ApiKey, Audience, BundleBody, Caller, Cell, CellPlace, ContextSigner, Issuer, IssuerKey, KeySource, MeshId,
    NameSet, Network, Origin, OverlayBody, PolicyState, Range, Reason, Recover, RevokedKey, RevokedSubject,
    RevokedToken, RoleKeys, Secrets, Service, Source, Sources, SpiffeId, Tenant, TenantBinding, TenantId, TenantScope,
    TenantStatus, Tenants, Trust, View,
};
use partywall_tenant_context::api_key_digest;
use serde::Deserialize;
use serde_json::Value;

use crate::NOW;
use crate::keys::{self, ed25519};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mesh {
    pub(crate) mesh: String,
    trust_domain: String,
    pub(crate) legacy_headers: Vec<String>,
    sources: BySide,
    tenants: BTreeMap<String, TenantEntry>,
    pub(crate) issuers: BTreeMap<String, IssuerEntry>,
    api_keys: BTreeMap<String, ApiKeyEntry>,
    pub(crate) signers: BTreeMap<String, SignerEntry>,
    gateways: Vec<String>,
    networks: BTreeMap<String, Vec<String>>,
    services: BTreeMap<String, ServiceEntry>,
    overlay: Option<OverlayEntry>,
    pub(crate) secrets: SecretsEntry,
}

#[derive(Deserialize)]
struct BySide {
    edge: Vec<SourceEntry>,
    inbound: Vec<SourceEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceEntry {
    Jwt,
    ApiKey { header: String },
    UriSan { template: String },
    DnsSan { template: String },
    Host { template: String },
    Path { template: String },
    Header { name: String, peers: Vec<String> },
}

#[derive(Deserialize)]
struct TenantEntry {
    tier: String,
    residency: String,
    status: Status,
    /// From one cell to the other.
    #[serde(default)]
    moving: Option<[String; 2]>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Active,
    Suspended,
    Quarantined,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerEntry {
    audiences: Vec<String>,
    #[serde(default = "tenant_claim")]
    tenant_claim: String,
    tenants: Scope,
    #[serde(default)]
    bindings: BTreeMap<String, Binding>,
    keys: KeysEntry,
    /// What was fetched; nothing where it is empty.
    #[serde(default)]
    fetched: BTreeMap<String, String>,
    /// How long ago.
    #[serde(default)]
    pub(crate) fetched_at: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KeysEntry {
    Inline(BTreeMap<String, String>),
    Fetched(#[allow(dead_code, reason = "the word `fetched`")] String),
}

fn tenant_claim() -> String {
    "/tenant".into()
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Binding {
    audiences: Vec<String>,
    clients: Vec<String>,
}

#[derive(Deserialize)]
struct ApiKeyEntry {
    tenant: String,
    principal: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    expires: u64,
}

#[derive(Deserialize)]
pub(crate) struct SignerEntry {
    pub(crate) workload: String,
    tenants: Scope,
    /// Whose private key belongs to the public one in the bundle, where that is not its own.
    #[serde(default)]
    key_of: Option<String>,
    /// The bundle holds no point of the curve.
    #[serde(default)]
    unusable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    callers: BTreeMap<String, Scope>,
    #[serde(default = "max_context_age")]
    max_context_age: u32,
    #[serde(default)]
    recover: Option<String>,
    #[serde(default)]
    own_tenant: Option<String>,
    #[serde(default)]
    act_for: Option<Scope>,
}

fn max_context_age() -> u32 {
    120
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scope {
    Only(Vec<String>),
    All(#[allow(dead_code, reason = "the word `all`")] String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverlayEntry {
    issued: u64,
    #[serde(default)]
    suspended: Vec<String>,
    #[serde(default)]
    quarantined: Vec<String>,
    /// `issuer: jti`, and so on.
    #[serde(default)]
    revoked_tokens: BTreeMap<String, String>,
    #[serde(default)]
    revoked_subjects: BTreeMap<String, String>,
    #[serde(default)]
    revoked_keys: BTreeMap<String, String>,
    #[serde(default)]
    revoked_issuers: Vec<String>,
    #[serde(default)]
    revoked_signers: Vec<String>,
    #[serde(default)]
    revoked_api_keys: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct SecretsEntry {
    pub(crate) api_keys: bool,
    pub(crate) issuer_keys: bool,
}

/// `patch` merged into `target` (RFC 7396).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Default::default());
    }
    let object = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

pub(crate) fn api_key_secrets() -> Secrets {
    keys::secrets(&["api-1"])
}

pub(crate) fn api_key(id: &str) -> String {
    format!("pw1.{id}.secret-of-{id}")
}

impl Mesh {
    /// Bundle and overlay in force, or why there are none.
    pub(crate) fn view(&self) -> Result<View, Reason> {
        let bundle_key = TrustedKey::new("b", ed25519("b").verifying_key().as_bytes()).unwrap();
        let mesh = MeshId::parse(&self.mesh).unwrap();
        let mut state = PolicyState::new(Trust {
            mesh,
            audience: Audience::Workload,
            bundle_keys: vec![bundle_key],
            floor: 0,
            approvals: 1,
        });
        let bundle = self.body().sign(&[("b", &ed25519("b"))]).unwrap();
        state.offer_bundle(&bundle, NOW, |_| Ok(())).unwrap();
        if let Some(overlay) = &self.overlay {
            let overlay = self.overlay_body(overlay).sign("o", &ed25519("o")).unwrap();
            state.offer_overlay(&overlay, Origin::Kept, NOW).unwrap();
        }
        state.view(NOW)
    }

    fn body(&self) -> BundleBody {
        let tenants = self.tenants.iter().map(|(id, entry)| Tenant {
            id: tenant(id),
            tier: entry.tier.as_str().into(),
            status: match entry.status {
                Status::Active => TenantStatus::Active,
                Status::Suspended => TenantStatus::Suspended,
                Status::Quarantined => TenantStatus::Quarantined,
            },
            residency: entry.residency.as_str().into(),
            cell: entry
                .moving
                .as_ref()
                .map(|[from, to]| Cell::Moving { from: from.as_str().into(), to: to.as_str().into() }),
            features: NameSet::default(),
            consents: NameSet::default(),
        });
        BundleBody {
            format: BundleBody::FORMAT,
            audience: Audience::Workload,
            mesh: MeshId::parse(&self.mesh).unwrap(),
            revision: 5,
            issued: NOW - 1000,
            expires: NOW + 100_000,
            source_digest: [0; 32],
            trust_domain: self.trust_domain.clone(),
            stale_after: 300,
            approvals: 1,
            keys: RoleKeys { overlay: vec![("o".into(), public("o"))], ..RoleKeys::default() },
            grants: None,
            legacy_headers: self.legacy_headers.clone(),
            sources: Sources { edge: sources(&self.sources.edge), inbound: sources(&self.sources.inbound) },
            api_keys: self.api_keys.iter().map(|(id, entry)| entry.read(id)).collect(),
            issuers: self.issuers.iter().map(|(issuer, entry)| entry.read(issuer)).collect(),
            signers: self.signers.iter().map(|(id, entry)| entry.read(id)).collect(),
            gateways: self.gateways.iter().map(|id| SpiffeId::parse(id).unwrap()).collect(),
            cells: ["eu-1", "eu-2"].map(|name| CellPlace { name: name.into(), region: "eu".into() }).into(),
            networks: self.networks.iter().map(|(name, ranges)| network(name, ranges)).collect(),
            tenants: Tenants::pack(tenants).unwrap(),
            services: self.services.iter().map(|(name, entry)| entry.read(name)).collect(),
            modes: partywall_tenancy::Modes::default(),
            shares: vec![],
            events: vec![],
            program: vec![],
            redaction: vec![],
        }
    }

    fn overlay_body(&self, entry: &OverlayEntry) -> OverlayBody {
        let pairs = |map: &BTreeMap<String, String>| map.clone().into_iter().collect::<Vec<_>>();
        OverlayBody {
            format: OverlayBody::FORMAT,
            mesh: MeshId::parse(&self.mesh).unwrap(),
            sequence: 1,
            issued: entry.issued,
            expires: entry.issued + OverlayBody::LIFETIME,
            bundle: 5,
            suspended: entry.suspended.iter().map(|t| tenant(t)).collect(),
            quarantined: entry.quarantined.iter().map(|t| tenant(t)).collect(),
            revoked_tokens: pairs(&entry.revoked_tokens)
                .into_iter()
                .map(|(issuer, id)| RevokedToken { issuer, id })
                .collect(),
            revoked_subjects: pairs(&entry.revoked_subjects)
                .into_iter()
                .map(|(issuer, subject)| RevokedSubject { issuer, subject })
                .collect(),
            revoked_keys: pairs(&entry.revoked_keys)
                .into_iter()
                .map(|(issuer, id)| RevokedKey { issuer, id })
                .collect(),
            revoked_issuers: entry.revoked_issuers.clone(),
            revoked_signers: entry.revoked_signers.clone(),
            revoked_api_keys: entry.revoked_api_keys.clone(),
            revoked_grants: vec![],
            withdrawn_consents: vec![],
            withdrawn_candidates: 0,
        }
    }
}

impl IssuerEntry {
    fn read(&self, issuer: &str) -> Issuer {
        Issuer {
            issuer: issuer.into(),
            audiences: self.audiences.clone(),
            tenant_claim: self.tenant_claim.clone(),
            roles_claim: "/roles".into(),
            client_claim: "/azp".into(),
            tenants: self.tenants.read(),
            bindings: self
                .bindings
                .iter()
                .map(|(id, binding)| TenantBinding {
                    tenant: tenant(id),
                    audiences: binding.audiences.clone(),
                    clients: binding.clients.clone(),
                })
                .collect(),
            keys: match &self.keys {
                KeysEntry::Inline(list) => KeySource::Inline(list.iter().map(|(kid, alg)| key(kid, alg)).collect()),
                KeysEntry::Fetched(_) => KeySource::Fetched {
                    cluster: "jwks".into(),
                    authority: "id.remote.example".into(),
                    path: "/jwks.json".into(),
                    max_age: 3600,
                },
            },
        }
    }

    /// `kid` and `alg` of each key.
    pub(crate) fn keys(&self) -> &BTreeMap<String, String> {
        match &self.keys {
            KeysEntry::Inline(keys) => keys,
            KeysEntry::Fetched(_) => &self.fetched,
        }
    }

    /// The JWK set that was fetched, if one was.
    pub(crate) fn jwk_set(&self) -> Option<String> {
        use base64::Engine as _;
        if !matches!(self.keys, KeysEntry::Fetched(_)) || self.fetched.is_empty() {
            return None;
        }
        let keys: Vec<_> = self
            .fetched
            .keys()
            .map(|kid| {
                let x = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(public(kid));
                serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
            })
            .collect();
        Some(serde_json::json!({ "keys": keys }).to_string())
    }
}

/// A kid that is called `weak-…` has a key of a type that its algorithm is not for.
fn key(kid: &str, alg: &str) -> IssuerKey {
    let algorithm = keys::algorithm(alg);
    let spki = keys::spki(kid, if kid.starts_with("weak-") { keys::algorithm("EdDSA") } else { algorithm });
    IssuerKey { id: kid.into(), algorithm, spki }
}

impl ApiKeyEntry {
    fn read(&self, id: &str) -> ApiKey {
        ApiKey {
            id: id.into(),
            digest: api_key_digest(api_key_secrets().current(), api_key(id).as_bytes()),
            hashed_with: "api-1".into(),
            tenant: tenant(&self.tenant),
            principal: self.principal.clone(),
            roles: self.roles.clone(),
            scopes: self.scopes.clone(),
            expires: self.expires,
        }
    }
}

impl SignerEntry {
    fn read(&self, id: &str) -> ContextSigner {
        let key = if self.unusable { keys::no_point() } else { public(self.key_of.as_deref().unwrap_or(id)) };
        ContextSigner {
            id: id.into(),
            workload: SpiffeId::parse(&self.workload).unwrap(),
            key,
            tenants: self.tenants.read(),
        }
    }
}

impl ServiceEntry {
    fn read(&self, name: &str) -> Service {
        Service {
            name: name.into(),
            spiffe_id: SpiffeId::parse(&format!("spiffe://mesh.example/ns/shop/sa/{name}")).unwrap(),
            clusters: vec![name.into()],
            callers: self
                .callers
                .iter()
                .map(|(id, scope)| Caller { spiffe_id: SpiffeId::parse(id).unwrap(), tenants: scope.read() })
                .collect(),
            max_context_age: self.max_context_age,
            recover: match self.recover.as_deref() {
                None => Recover::Handle,
                Some("traceparent") => Recover::TraceParent,
                Some(other) => panic!("recover: {other}"),
            },
            own_tenant: self.own_tenant.as_deref().map(tenant),
            act_for: self.act_for.as_ref().map(|may| ActFor { tenants: may.read(), fetched: None }),
            platform: vec![],
            without_context: None,
            tenantless: false,
            operations: vec![],
            routes: None,
            events: None,
        }
    }
}

impl Scope {
    fn read(&self) -> TenantScope {
        match self {
            Self::All(_) => TenantScope::All,
            Self::Only(list) => TenantScope::Only(list.iter().map(|t| tenant(t)).collect()),
        }
    }
}

fn sources(list: &[SourceEntry]) -> Vec<Source> {
    let read = |entry: &SourceEntry| match entry {
        SourceEntry::Jwt => Source::Jwt,
        SourceEntry::ApiKey { header } => Source::ApiKey { header: header.clone() },
        SourceEntry::UriSan { template } => Source::UriSan { template: template.clone() },
        SourceEntry::DnsSan { template } => Source::DnsSan { template: template.clone() },
        SourceEntry::Host { template } => Source::Host { template: template.clone() },
        SourceEntry::Path { template } => Source::Path { template: template.clone() },
        SourceEntry::Header { name, peers } => Source::Header { name: name.clone(), peers: peers.clone() },
    };
    list.iter().map(read).collect()
}

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

fn public(name: &str) -> [u8; 32] {
    ed25519(name).verifying_key().to_bytes()
}

fn network(name: &str, ranges: &[String]) -> Network {
    Network { name: name.into(), ranges: ranges.iter().map(|text| Range::parse(text).unwrap()).collect() }
}
