//! The configurations of a `log_redaction` and of an `access_log`.

use partywall_tenancy::{Audience, MeshId, Secrets, Trust};
use serde::Deserialize;

use super::shared::{BundleSource, RawKeys, Variables, one, read, trust};
use super::{Direction, ListenerDirection};

/// What all bodies of a VM may hold where nothing is said, in bytes.
const MEMORY: f64 = 536_870_912.0;
/// The least and the most that it may be.
const BYTES: std::ops::RangeInclusive<f64> = 67_108_864.0..=2_147_483_647.0;

/// A checked configuration.
pub(crate) struct Redaction {
    /// Where it stands, and so by what it knows whose records come.
    pub(crate) place: Place,
    /// `direction: any`: the listener's direction need not fit.
    pub(crate) any_direction: bool,
    pub(crate) bundle: BundleSource,
    pub(crate) trust: Trust,
    /// Keys of fingerprints: the first is that of the current epoch.
    pub(crate) fingerprint: Secrets,
    /// Master keys, under which tenants' keys are sealed; without them there are only masks.
    pub(crate) redaction_keys: Option<Secrets>,
    /// Who gets records of other tenants where rules quarantine them.
    pub(crate) quarantine: Option<Quarantine>,
    /// What all bodies of this VM may hold, in bytes.
    pub(crate) memory: usize,
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the collector: the peer's certificate says whose records come.
    Collector,
    /// Behind an app: its own sidecar, of the service called so.
    Workload(String),
    /// Anywhere, for the access log: these headers are written down, in lower case.
    AccessLog(Vec<String>),
}

/// Who gets records of other tenants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quarantine {
    /// An Envoy cluster.
    pub(crate) cluster: String,
    #[serde(default)]
    pub(crate) protocol: Protocol,
}

/// What it speaks.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    /// Each as it came.
    #[default]
    AsReceived,
    /// What came by gRPC is made HTTP.
    Http,
    /// OTLP in protobuf is made gRPC; nothing else is.
    Grpc,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    role: Role,
    mesh: String,
    service: Option<String>,
    #[serde(default)]
    direction: Direction,
    bundle: BundleSource,
    trusted_keys: RawKeys,
    #[serde(default)]
    floor: f64,
    #[serde(default = "one")]
    approvals: f64,
    secrets: RawSecrets,
    quarantine: Option<Quarantine>,
    #[serde(default = "memory")]
    memory: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccessLog {
    mesh: String,
    bundle: BundleSource,
    trusted_keys: RawKeys,
    #[serde(default)]
    floor: f64,
    #[serde(default = "one")]
    approvals: f64,
    secrets: RawSecrets,
    #[serde(default)]
    headers: Vec<String>,
}

/// How many headers an access log may have.
const HEADERS: usize = 16;

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Inbound,
    Outbound,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecrets {
    fingerprint: String,
    redaction_keys: Option<String>,
}

fn memory() -> f64 {
    MEMORY
}

impl Redaction {
    /// Reads the configuration; `environment` gives the value of an environment variable.
    pub(crate) fn read(bytes: &[u8], environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let raw: Raw = read(bytes)?;
        let variables = Variables(&environment);
        let place = match (raw.role, raw.service) {
            (Role::Inbound, None) => Place::Collector,
            (Role::Inbound, Some(_)) => {
                return Err("`service` is for `role: outbound`; before a collector the peer's certificate says whose \
                            records come: take it out"
                    .into());
            }
            (Role::Outbound, Some(service)) if !service.is_empty() => Place::Workload(service),
            (Role::Outbound, _) => {
                return Err("`service` is missing: write the name of the service whose sidecar this is".into());
            }
        };
        let quarantine = raw.quarantine;
        if quarantine.as_ref().is_some_and(|quarantine| quarantine.cluster.is_empty()) {
            return Err(
                "`quarantine.cluster` is empty: write the Envoy cluster that gets other tenants' records".into()
            );
        }
        if !BYTES.contains(&raw.memory) || raw.memory.fract() != 0.0 {
            return Err("`memory` must be a whole number of bytes, from 67108864 to 2147483647".into());
        }
        let mesh = MeshId::parse(&raw.mesh).map_err(|e| format!("`mesh` {e}"))?;
        Ok(Self {
            place,
            any_direction: raw.direction == Direction::Any,
            bundle: raw.bundle,
            trust: trust(mesh, Audience::Redaction, raw.trusted_keys, (raw.floor, raw.approvals), &variables)?,
            fingerprint: variables.secret("fingerprint", &raw.secrets.fingerprint)?,
            redaction_keys: variables.named("redaction_keys", &raw.secrets.redaction_keys)?,
            quarantine,
            memory: raw.memory as usize,
        })
    }

    /// Reads the configuration of an `access_log`.
    pub(crate) fn read_access_log(bytes: &[u8], environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let raw: RawAccessLog = read(bytes)?;
        let variables = Variables(&environment);
        if raw.headers.len() > HEADERS {
            return Err(format!("`headers` has more than {HEADERS} names"));
        }
        let good = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(name) = raw.headers.iter().find(|name| !good(name) || name.starts_with(':')) {
            return Err(format!("`headers` has `{name}`, which is no header's name: write one as `user-agent`"));
        }
        let mesh = MeshId::parse(&raw.mesh).map_err(|e| format!("`mesh` {e}"))?;
        Ok(Self {
            place: Place::AccessLog(raw.headers.iter().map(|name| name.to_ascii_lowercase()).collect()),
            any_direction: true,
            bundle: raw.bundle,
            trust: trust(mesh, Audience::Redaction, raw.trusted_keys, (raw.floor, raw.approvals), &variables)?,
            fingerprint: variables.secret("fingerprint", &raw.secrets.fingerprint)?,
            redaction_keys: variables.named("redaction_keys", &raw.secrets.redaction_keys)?,
            quarantine: None,
            memory: MEMORY as usize,
        })
    }

    /// Whether it is meant for such a listener.
    pub(crate) fn fits(&self, listener: Option<ListenerDirection>) -> bool {
        match (listener, &self.place) {
            _ if self.any_direction => true,
            (Some(ListenerDirection::Inbound), place) => *place == Place::Collector,
            (Some(ListenerDirection::Outbound), place) => *place != Place::Collector,
            // Before a collector a certificate is asked for; behind an app nothing else says that it is the app.
            (None, place) => *place == Place::Collector,
        }
    }
}
