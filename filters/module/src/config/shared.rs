//! What the configurations of all filters have in common.

use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{Audience, MeshId, Secrets, Trust};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::protobuf::read_struct;

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
pub(super) struct RawLog {
    allows: RawShare,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { allows: RawShare::Number(1.0) }
    }
}

impl RawLog {
    /// None of what is let in.
    pub(super) fn none() -> Self {
        Self { allows: RawShare::Number(0.0) }
    }

    /// The share of what is let in that is written down.
    pub(super) fn read(self) -> Result<f64, &'static str> {
        let allows = self.allows.read();
        allows.ok_or("`log.allows` must be from 0 to 1: the share of requests let in that are written down")
    }
}

/// Envoy's reader of YAML makes a text of what has a point in it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`allows` must be from 0 to 1")]
pub(super) enum RawShare {
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

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "write a list of `id:key`, or { env: NAME }")]
pub(super) enum RawKeys {
    List(Vec<String>),
    Environment { env: String },
}

/// What stands for `approvals` where it is not said.
pub(super) fn one() -> f64 {
    1.0
}

/// Reads a configuration.
///
/// It is a `google.protobuf.Struct` as Envoy 1.40 hands it over (serialised, though its documentation
/// says JSON), or JSON text, which is what older hosts make of it and what a `StringValue` holds.
pub(super) fn read<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, String> {
    let value = serde_json::from_slice(bytes).ok().or_else(|| read_struct(bytes));
    let value = value.ok_or("the plugin configuration is neither a google.protobuf.Struct nor JSON")?;
    R::deserialize(&value).map_err(|e| not_right::<R>(&value, &e))
}

/// The environment, which holds the secrets.
pub(super) struct Variables<'e>(pub(super) &'e dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// The secrets of this purpose, which this variable holds.
    pub(super) fn secret(&self, purpose: &str, variable: &str) -> Result<Secrets, String> {
        let text = (self.0)(variable).filter(|t| !t.is_empty()).ok_or_else(|| {
            format!(
                "secret `{purpose}` is missing: environment variable `{variable}` is not set in the VM; \
                 set it for Envoy and list it under `vm_config.environment_variables.host_env_keys`"
            )
        })?;
        Secrets::parse(&text).map_err(|e| format!("secret `{purpose}` in environment variable `{variable}` {e}"))
    }

    /// As that, where the filter cannot do without.
    pub(super) fn needed(&self, purpose: &str, variable: &Option<String>) -> Result<Secrets, String> {
        let variable = variable.as_ref().ok_or_else(|| {
            format!("`secrets.{purpose}` is missing: write the name of the environment variable that holds it")
        })?;
        self.secret(purpose, variable)
    }

    /// As that, where it can.
    pub(super) fn named(&self, purpose: &str, variable: &Option<String>) -> Result<Option<Secrets>, String> {
        variable.as_ref().map(|variable| self.secret(purpose, variable)).transpose()
    }
}

/// Which bundles are accepted: of this mesh and audience, of a revision from the floor on, and signed by as many keys as
/// there must be.
pub(super) fn trust(
    mesh: MeshId,
    audience: Audience,
    keys: RawKeys,
    (floor, approvals): (f64, f64),
    variables: &Variables<'_>,
) -> Result<Trust, String> {
    // A Struct knows doubles only; a floor beyond 2^53 could not be written in one.
    if !(0.0..9.0e15).contains(&floor) || floor.fract() != 0.0 {
        return Err("`floor` must be a whole number: the lowest bundle revision to accept".into());
    }
    if !(1.0..=16.0).contains(&approvals) || approvals.fract() != 0.0 {
        return Err("`approvals` must be a whole number from 1 to 16: how many keys must sign a bundle".into());
    }
    let bundle_keys = trusted(keys, variables.0)?;
    Ok(Trust { mesh, audience, bundle_keys, floor: floor as u64, approvals: approvals as u8 })
}

/// What is wrong, and under which field of the configuration: serde does not tell where it was.
fn not_right<R: DeserializeOwned>(value: &Value, error: &serde_json::Error) -> String {
    let alone = |name: &str, field: &Value| {
        let one = Map::from_iter([(name.to_owned(), field.clone())]);
        R::deserialize(&Value::Object(one)).err().map(|e| e.to_string()).unwrap_or_default()
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

fn trusted(raw: RawKeys, environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<TrustedKey>, String> {
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
