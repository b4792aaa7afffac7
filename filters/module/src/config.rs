//! The plugin configuration. What is wrong with it is refused with a message that says what to write.

mod kafka;
#[cfg(feature = "redaction")]
mod redaction;
mod shared;

use std::collections::BTreeMap;

use partywall_authorization::RequestBytes;
use partywall_tenancy::{Audience, FingerprintKeys, Fingerprints, MeshId, Secrets, Trust};
use partywall_tenant_context::jwt::SetSeal;
use partywall_tenant_context::{FetchedKeys, PassKeys, Role, RootSigner, SlotKeys};
use serde::Deserialize;

use shared::{RawKeys, RawLog, Variables, one, read, trust};

pub(crate) use kafka::Kafka;
#[cfg(feature = "redaction")]
pub(crate) use redaction::{Place, Protocol, Redaction};
pub(crate) use shared::BundleSource;

/// A checked configuration.
pub(crate) struct Config {
    pub(crate) role: Role,
    /// `direction: any`: the listener's direction need not fit the role.
    pub(crate) any_direction: bool,
    pub(crate) service: Option<String>,
    /// The cell it stands in; without it, it serves all of them.
    pub(crate) cell: Option<String>,
    pub(crate) bundle: BundleSource,
    pub(crate) trust: Trust,
    pub(crate) fingerprint: Fingerprints,
    /// `guard: apart`: responses are judged by another filter.
    pub(crate) passes: Option<PassKeys>,
    /// Inbound and outbound.
    pub(crate) slots: Option<SlotKeys>,
    /// Opens what is told of fetches, where calls go out; taken by who gathers it.
    pub(crate) fetched: Option<FetchedKeys>,
    /// Seals what workers share of fetched key sets; without it, each fetches for itself.
    pub(crate) set_seal: Option<SetSeal>,
    /// The edge, and sidecars of workloads that act for tenants by themselves.
    pub(crate) signer: Option<RootSigner>,
    /// Symmetric keys of issuers, by key id.
    pub(crate) issuer_keys: Option<Secrets>,
    /// Keys that API keys are hashed with.
    pub(crate) api_keys: Option<Secrets>,
    /// Whether denials tell the exact reason to the caller: for development.
    pub(crate) reveal: bool,
    /// The root key of the chain of decisions.
    pub(crate) audit_chain: Option<Secrets>,
    /// Which decisions are written down with what they were decided on.
    pub(crate) explain: Explain,
    /// The share of the requests let in that are written down; of the others, all are.
    pub(crate) allows: f64,
    /// The region, where it is not that of Envoy's node.
    pub(crate) region: Option<String>,
    /// How large requests of tenants may be.
    pub(crate) request_bytes: RequestBytes,
    /// Whether the head of a response may wait for its body: the listener says `allow_on_headers_stop_iteration` then.
    pub(crate) holds_responses: bool,
    /// Whether a request may wait for its body, likewise.
    pub(crate) holds_requests: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    role: RawRole,
    mesh: String,
    service: Option<String>,
    cell: Option<String>,
    #[serde(default)]
    direction: Direction,
    bundle: BundleSource,
    trusted_keys: RawKeys,
    #[serde(default)]
    floor: f64,
    #[serde(default = "one")]
    approvals: f64,
    secrets: RawSecrets,
    reveal: Option<Reveal>,
    #[serde(default)]
    explain: Explain,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    request_bytes: RawBytes,
    #[serde(default)]
    hold_responses: bool,
    #[serde(default)]
    hold_requests: bool,
    region: Option<String>,
    #[serde(default)]
    guard: GuardPlace,
}

/// Where responses are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GuardPlace {
    /// In the filter that decides.
    #[default]
    Here,
    /// In a `response_guard`, perhaps of another VM.
    Apart,
}

/// `request_bytes`: bounds by tenant and tier. A tenant with 0 has none, whatever its tier has.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBytes {
    #[serde(default)]
    tenants: BTreeMap<String, f64>,
    #[serde(default)]
    tiers: BTreeMap<String, f64>,
}

impl RawBytes {
    fn read(self) -> Result<RequestBytes, String> {
        let whole = |name: &str, bound: f64| {
            // A Struct knows doubles only; beyond 2^53 they are no whole numbers.
            let good = (0.0..9.0e15).contains(&bound) && bound.fract() == 0.0;
            if good { Ok(bound as u64) } else { Err(format!("`request_bytes` of `{name}` must be a whole number")) }
        };
        let mut read = RequestBytes::default();
        for (tenant, bound) in self.tenants {
            let bound = whole(&tenant, bound)?;
            read.tenants.insert(tenant, Some(bound).filter(|bound| *bound > 0));
        }
        for (tier, bound) in self.tiers {
            let bound = whole(&tier, bound)?;
            read.tiers.insert(tier, bound);
        }
        Ok(read)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawRole {
    Edge,
    Inbound,
    Outbound,
    Egress,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    #[default]
    Listener,
    Any,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reveal {
    Coarse,
    Exact,
}

/// Which decisions are written down with what they were decided on, in the filter state `wasm.partywall.explain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Explain {
    #[default]
    All,
    Denials,
    Off,
}

impl Explain {
    /// Whether a request that was let in, or was not, is one of them.
    pub(crate) fn wants(self, allowed: bool) -> bool {
        match self {
            Self::All => true,
            Self::Denials => !allowed,
            Self::Off => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecrets {
    audit_chain: Option<String>,
    fingerprint: String,
    shared_state: Option<String>,
    context_signing: Option<String>,
    issuer_keys: Option<String>,
    api_keys: Option<String>,
}

/// What the host says about the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenerDirection {
    Inbound,
    Outbound,
}

impl Config {
    /// Reads the configuration; `environment` gives the value of an environment variable.
    pub(crate) fn read(
        bytes: &[u8],
        listener: Option<ListenerDirection>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let raw: Raw = read(bytes)?;
        let variables = Variables(&environment);
        let role = match raw.role {
            RawRole::Edge => Role::Edge,
            RawRole::Inbound => Role::Inbound,
            RawRole::Outbound => Role::Outbound,
            RawRole::Egress => Role::Egress,
        };
        let any_direction = raw.direction == Direction::Any;
        if !any_direction {
            check_direction(role, listener)?;
        }
        if matches!(role, Role::Inbound | Role::Outbound) && raw.service.is_none() {
            return Err("`service` is missing: write the name of the service whose sidecar this is".into());
        }
        if raw.cell.as_deref().is_some_and(str::is_empty) {
            return Err("`cell` is empty: write the cell that this proxy stands in, or leave it out".into());
        }
        let mesh = MeshId::parse(&raw.mesh).map_err(|e| format!("`mesh` {e}"))?;
        let slots = match role {
            Role::Inbound | Role::Outbound => {
                Some(SlotKeys::new(&variables.needed("shared_state", &raw.secrets.shared_state)?))
            }
            Role::Edge | Role::Egress => None,
        };
        let fetched = match (role, &raw.secrets.shared_state) {
            (Role::Outbound, state) => Some(FetchedKeys::new(&variables.needed("shared_state", state)?)),
            _ => None,
        };
        // Asked for by name, a secret must be there; only the edge cannot do without a signing key.
        let signing = match role {
            Role::Edge => Some(variables.needed("context_signing", &raw.secrets.context_signing)?),
            Role::Outbound => variables.named("context_signing", &raw.secrets.context_signing)?,
            Role::Inbound | Role::Egress => None,
        };
        let signer = match signing {
            None => None,
            Some(secrets) => {
                Some(RootSigner::new(secrets.current()).ok_or("secret `context_signing` must be a key of 32 bytes")?)
            }
        };
        // A `response_guard` must be told, whatever it is told of itself.
        let passes = if raw.guard == GuardPlace::Apart {
            Some(PassKeys::new(&variables.needed("shared_state", &raw.secrets.shared_state)?))
        } else {
            None
        };
        let set_seal =
            variables.named("shared_state", &raw.secrets.shared_state)?.map(|secrets| SetSeal::new(&secrets));
        let issuer_keys = variables.named("issuer_keys", &raw.secrets.issuer_keys)?;
        let api_keys = variables.named("api_keys", &raw.secrets.api_keys)?;
        let audit_chain = variables.named("audit_chain", &raw.secrets.audit_chain)?;
        let allows = raw.log.read()?;
        if raw.region.as_ref().is_some_and(|region| !partywall_authorization::is_region(region)) {
            return Err("`region` must be 1 to 63 of `a-z 0-9 -`, as datasets name it under `residency`".into());
        }
        let audience = match role {
            Role::Edge => Audience::Edge,
            Role::Inbound | Role::Outbound | Role::Egress => Audience::Workload,
        };
        let trust = trust(mesh, audience, raw.trusted_keys, (raw.floor, raw.approvals), &variables)?;
        Ok(Self {
            role,
            any_direction,
            service: raw.service,
            cell: raw.cell,
            bundle: raw.bundle,
            trust,
            fingerprint: Fingerprints::new(FingerprintKeys::new(
                &variables.secret("fingerprint", &raw.secrets.fingerprint)?,
            )),
            slots,
            fetched,
            set_seal,
            signer,
            issuer_keys,
            api_keys,
            reveal: raw.reveal == Some(Reveal::Exact),
            audit_chain,
            explain: raw.explain,
            allows,
            request_bytes: raw.request_bytes.read()?,
            holds_responses: raw.hold_responses,
            holds_requests: raw.hold_requests,
            passes,
            region: raw.region,
        })
    }
}

/// Checks that a role is meant for such a listener; one that says nothing fits every role.
pub(crate) fn check_direction(role: Role, listener: Option<ListenerDirection>) -> Result<(), &'static str> {
    let fits = match listener {
        None => true,
        Some(ListenerDirection::Inbound) => matches!(role, Role::Edge | Role::Inbound),
        Some(ListenerDirection::Outbound) => matches!(role, Role::Outbound | Role::Egress),
    };
    if fits {
        return Ok(());
    }
    Err("`role` does not fit the listener's traffic_direction; on a gateway write `direction: any`")
}
