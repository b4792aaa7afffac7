//! The plugin configuration. What is wrong with it is refused with a message that says what to write.

use std::collections::BTreeMap;

use partywall_authorization::RequestBytes;
use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{Audience, FingerprintKeys, Fingerprints, MeshId, Secrets, Trust};
use partywall_tenant_context::jwt::SetSeal;
use partywall_tenant_context::{PassKeys, Role, RootSigner, SlotKeys};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::protobuf::read_struct;

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

/// Where bundle, overlay, grants and candidate are fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleSource {
    /// The Envoy cluster of the bundle server.
    pub(crate) cluster: String,
    /// Path of the bundle.
    pub(crate) path: String,
    /// Path of the overlay.
    pub(crate) overlay_path: String,
    /// Path of the grants; without it, there are none.
    pub(crate) grants_path: Option<String>,
    /// Path of the candidate; without it, none is tried out.
    pub(crate) candidate_path: Option<String>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    allows: RawShare,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { allows: RawShare::Number(1.0) }
    }
}

/// Envoy's reader of YAML makes a text of what has a point in it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`allows` must be from 0 to 1")]
enum RawShare {
    Number(f64),
    Text(String),
}

impl RawShare {
    /// A number from 0 to 1.
    fn read(self) -> Option<f64> {
        let share = match self {
            Self::Number(share) => share,
            Self::Text(text) => text.parse().ok()?,
        };
        (0.0..=1.0).contains(&share).then_some(share)
    }
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
#[serde(untagged, deny_unknown_fields, expecting = "write a list of `id:key`, or { env: NAME }")]
enum RawKeys {
    List(Vec<String>),
    Environment { env: String },
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

fn one() -> f64 {
    1.0
}

/// What the host says about the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenerDirection {
    Inbound,
    Outbound,
}

impl Config {
    /// Reads the configuration; `environment` gives the value of an environment variable.
    ///
    /// It is a `google.protobuf.Struct` as Envoy 1.40 hands it over (serialised, though its documentation
    /// says JSON), or JSON text, which is what older hosts make of it and what a `StringValue` holds.
    pub(crate) fn read(
        bytes: &[u8],
        listener: Option<ListenerDirection>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let value = serde_json::from_slice(bytes).ok().or_else(|| read_struct(bytes));
        let value = value.ok_or("the plugin configuration is neither a google.protobuf.Struct nor JSON")?;
        let raw = Raw::deserialize(&value).map_err(|e| not_right(&value, &e))?;
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
        let secret = |purpose: &str, variable: &str| -> Result<Secrets, String> {
            let text = environment(variable).filter(|t| !t.is_empty()).ok_or_else(|| {
                format!(
                    "secret `{purpose}` is missing: environment variable `{variable}` is not set in the VM; \
                     set it for Envoy and list it under `vm_config.environment_variables.host_env_keys`"
                )
            })?;
            Secrets::parse(&text).map_err(|e| format!("secret `{purpose}` in environment variable `{variable}` {e}"))
        };
        let needed = |purpose: &str, variable: &Option<String>| -> Result<Secrets, String> {
            let variable = variable.as_ref().ok_or_else(|| {
                format!("`secrets.{purpose}` is missing: write the name of the environment variable that holds it")
            })?;
            secret(purpose, variable)
        };
        let slots = match role {
            Role::Inbound | Role::Outbound => Some(SlotKeys::new(&needed("shared_state", &raw.secrets.shared_state)?)),
            Role::Edge | Role::Egress => None,
        };
        // Asked for by name, a secret must be there; only the edge cannot do without a signing key.
        let named = |purpose: &str, variable: &Option<String>| -> Result<Option<Secrets>, String> {
            variable.as_ref().map(|variable| secret(purpose, variable)).transpose()
        };
        let signing = match role {
            Role::Edge => Some(needed("context_signing", &raw.secrets.context_signing)?),
            Role::Outbound => named("context_signing", &raw.secrets.context_signing)?,
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
            Some(PassKeys::new(&needed("shared_state", &raw.secrets.shared_state)?))
        } else {
            None
        };
        let set_seal = named("shared_state", &raw.secrets.shared_state)?.map(|secrets| SetSeal::new(&secrets));
        let issuer_keys = named("issuer_keys", &raw.secrets.issuer_keys)?;
        let api_keys = named("api_keys", &raw.secrets.api_keys)?;
        let audit_chain = named("audit_chain", &raw.secrets.audit_chain)?;
        let allows = raw.log.allows.read();
        let allows =
            allows.ok_or("`log.allows` must be from 0 to 1: the share of requests let in that are written down")?;
        // A Struct knows doubles only; a floor beyond 2^53 could not be written in one.
        if !(0.0..9.0e15).contains(&raw.floor) || raw.floor.fract() != 0.0 {
            return Err("`floor` must be a whole number: the lowest bundle revision to accept".into());
        }
        if !(1.0..=16.0).contains(&raw.approvals) || raw.approvals.fract() != 0.0 {
            return Err("`approvals` must be a whole number from 1 to 16: how many keys must sign a bundle".into());
        }
        if raw.region.as_ref().is_some_and(|region| !partywall_authorization::is_region(region)) {
            return Err("`region` must be 1 to 63 of `a-z 0-9 -`, as datasets name it under `residency`".into());
        }
        let audience = match role {
            Role::Edge => Audience::Edge,
            Role::Inbound | Role::Outbound | Role::Egress => Audience::Workload,
        };
        let trust = Trust {
            mesh,
            audience,
            bundle_keys: trusted(raw.trusted_keys, &environment)?,
            floor: raw.floor as u64,
            approvals: raw.approvals as u8,
        };
        Ok(Self {
            role,
            any_direction,
            service: raw.service,
            cell: raw.cell,
            bundle: raw.bundle,
            trust,
            fingerprint: Fingerprints::new(FingerprintKeys::new(&secret("fingerprint", &raw.secrets.fingerprint)?)),
            slots,
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

/// What is wrong, and under which field of the configuration: serde does not tell where it was.
fn not_right(value: &Value, error: &serde_json::Error) -> String {
    let alone = |name: &str, field: &Value| {
        let one = Map::from_iter([(name.to_owned(), field.clone())]);
        Raw::deserialize(&Value::Object(one)).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let why = error.to_string();
    // One of ours that is not there is no other field's fault; nor must one that is told be told twice.
    let missing = why.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let ours = missing.is_some_and(|name| !alone(name, &Value::Null).starts_with("unknown field"));
    let mut fields = value.as_object().into_iter().flatten().filter(|_| !ours);
    // A field that fails by itself in the same way is to blame.
    match fields.find(|(name, field)| alone(name, field) == why) {
        Some((name, _)) if !why.contains(&format!("`{name}`")) => {
            format!("the plugin configuration is not right: `{name}`: {why}")
        }
        _ => format!("the plugin configuration is not right: {why}"),
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

fn trusted(raw: RawKeys, environment: impl Fn(&str) -> Option<String>) -> Result<Vec<TrustedKey>, String> {
    let text = match raw {
        RawKeys::List(list) => list.join(","),
        RawKeys::Environment { env } => environment(&env)
            .ok_or_else(|| format!("`trusted_keys`: environment variable `{env}` is not set in the VM"))?,
    };
    let keys = Secrets::parse(&text).map_err(|e| format!("`trusted_keys` {e}"))?;
    keys.all()
        .map(|k| {
            TrustedKey::new(k.id(), k.bytes()).ok_or_else(|| format!("`trusted_keys`: `{}` is no Ed25519 key", k.id()))
        })
        .collect()
}
