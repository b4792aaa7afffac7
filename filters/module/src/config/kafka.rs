//! The configuration of a `kafka_scope`.

use partywall_tenancy::{Audience, FingerprintKeys, Fingerprints, MeshId, Secrets, TenantId, Trust};
use partywall_tenant_context::jwt::SetSeal;
use serde::Deserialize;

use super::shared::{BundleSource, RawKeys, RawLog, Variables, one, read, trust};

/// The largest frame where none is named, in bytes: Kafka's own `socket.request.max.bytes`.
const LARGEST: f64 = 104_857_600.0;
/// What all connections of a VM may hold where nothing is said, in bytes.
const MEMORY: f64 = 536_870_912.0;
/// The least and the most that either may be: a message of SASL, and what a frame's length can say.
const BYTES: std::ops::RangeInclusive<f64> = 524_288.0..=2_147_483_647.0;

/// A checked configuration.
pub(crate) struct Kafka {
    /// The cluster of the bundle whose brokers are behind this listener.
    pub(crate) cluster: String,
    /// The tenant whose connections come in here, where the listener is one tenant's.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) bundle: BundleSource,
    pub(crate) trust: Trust,
    pub(crate) fingerprint: Fingerprints,
    /// Seals what workers share of topics' ids.
    pub(crate) shared_state: Secrets,
    /// Seals what workers share of fetched key sets.
    pub(crate) set_seal: SetSeal,
    /// Symmetric keys of issuers, by key id.
    pub(crate) issuer_keys: Option<Secrets>,
    /// Links the lines about decisions; without it they have no link.
    pub(crate) audit_chain: Option<Secrets>,
    /// The VM whose filters are told whose records a workload fetched.
    pub(crate) fetched_to: Option<String>,
    /// The largest request and response, in bytes.
    pub(crate) largest: usize,
    /// What all connections of this VM may hold, in bytes.
    pub(crate) memory: usize,
    /// The share of what is let in that is written down; of what is denied, all is.
    pub(crate) allows: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    mesh: String,
    cluster: String,
    tenant: Option<String>,
    bundle: BundleSource,
    trusted_keys: RawKeys,
    #[serde(default)]
    floor: f64,
    #[serde(default = "one")]
    approvals: f64,
    secrets: RawSecrets,
    fetched_to: Option<String>,
    #[serde(default = "largest")]
    largest: f64,
    #[serde(default = "memory")]
    memory: f64,
    #[serde(default = "RawLog::none")]
    log: RawLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecrets {
    fingerprint: String,
    shared_state: String,
    issuer_keys: Option<String>,
    audit_chain: Option<String>,
}

fn largest() -> f64 {
    LARGEST
}

fn memory() -> f64 {
    MEMORY
}

impl Kafka {
    /// Reads the configuration; `environment` gives the value of an environment variable.
    pub(crate) fn read(bytes: &[u8], environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let raw: Raw = read(bytes)?;
        let variables = Variables(&environment);
        if raw.cluster.is_empty() {
            return Err("`cluster` is empty: write the name that the cluster has in `events.yaml`".into());
        }
        let mesh = MeshId::parse(&raw.mesh).map_err(|e| format!("`mesh` {e}"))?;
        let tenant = raw.tenant.as_deref().map(TenantId::parse).transpose().map_err(|e| format!("`tenant` {e}"))?;
        let shared_state = variables.secret("shared_state", &raw.secrets.shared_state)?;
        let fingerprint = variables.secret("fingerprint", &raw.secrets.fingerprint)?;
        Ok(Self {
            cluster: raw.cluster,
            tenant,
            bundle: raw.bundle,
            trust: trust(mesh, Audience::Events, raw.trusted_keys, (raw.floor, raw.approvals), &variables)?,
            fingerprint: Fingerprints::new(FingerprintKeys::new(&fingerprint)),
            set_seal: SetSeal::new(&shared_state),
            shared_state,
            issuer_keys: variables.named("issuer_keys", &raw.secrets.issuer_keys)?,
            audit_chain: variables.named("audit_chain", &raw.secrets.audit_chain)?,
            fetched_to: raw.fetched_to,
            largest: bytes_of("largest", raw.largest)?,
            memory: bytes_of("memory", raw.memory)?,
            allows: raw.log.read()?,
        })
    }
}

fn bytes_of(name: &str, said: f64) -> Result<usize, String> {
    if BYTES.contains(&said) && said.fract() == 0.0 {
        return Ok(said as usize);
    }
    Err(format!("`{name}` must be a whole number of bytes, from 524288 to 2147483647"))
}
