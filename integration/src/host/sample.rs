//! The plugins of the sample mesh, configured as its bootstraps configure them.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Host, Plugin};
use crate::envoy::environment;
use crate::served::Served;
use crate::site::MESH;

/// What a plugin of a listener needs besides its configuration.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The module's file.
    pub module: &'a Path,
    /// The keys folder, with the environment files of workloads.
    pub keys: &'a Path,
    /// Bundle, overlay and, where there is one, candidate.
    pub served: &'a Served,
    /// More environment variables.
    pub secrets: &'a [(String, String)],
    /// The clock, in seconds since the Unix epoch: when the overlay is young enough for a start.
    pub now: u64,
}

/// The edge: requests go to the cluster `orders`.
pub fn edge(place: &Place<'_>) -> Result<Host> {
    edge_that_explains(place, "all")
}

/// The same with `explain` as given.
pub fn edge_that_explains(place: &Place<'_>, explain: &str) -> Result<Host> {
    edge_with(place, json!({ "explain": explain }))
}

/// The same with more of a configuration: `more.secrets` is added to the others.
pub fn edge_with(place: &Place<'_>, more: Value) -> Result<Host> {
    let mut secrets = json!({ "context_signing": "PARTYWALL_CONTEXT_SIGNING" });
    if place.secrets.iter().any(|(name, _)| name == "PARTYWALL_ISSUER_KEYS") {
        secrets["issuer_keys"] = json!("PARTYWALL_ISSUER_KEYS");
    }
    let mut configuration = json!({ "role": "edge", "secrets": secrets });
    for (name, value) in more.as_object().into_iter().flatten() {
        match value.as_object().filter(|_| name == "secrets") {
            Some(more) => more.iter().for_each(|(name, value)| configuration["secrets"][name] = value.clone()),
            None => configuration[name] = value.clone(),
        }
    }
    let mut host = start(place, "edge", configuration)?;
    host.world_mut().set_property(&["xds", "cluster_name"], "orders");
    Ok(host)
}

/// The inbound side of `orders`, called by the workload with this SPIFFE ID.
pub fn orders(place: &Place<'_>, caller: &str) -> Result<Host> {
    let mut host = start(place, "orders", json!({ "role": "inbound", "service": "orders", "secrets": {} }))?;
    host.world_mut().set_property(&["connection", "uri_san_peer_certificate"], caller);
    Ok(host)
}

/// The proxy before the brokers of this cluster, at a listener that is this tenant's.
pub fn brokers(place: &Place<'_>, cluster: &str, tenant: &str) -> Result<Host> {
    brokers_with(place, cluster, tenant, json!({}))
}

/// The same with more of a configuration.
pub fn brokers_with(place: &Place<'_>, cluster: &str, tenant: &str, more: Value) -> Result<Host> {
    let mut configuration = json!({ "cluster": cluster, "tenant": tenant, "secrets": {} });
    for (name, value) in more.as_object().into_iter().flatten() {
        configuration[name] = value.clone();
    }
    start_as(place, "kafka_scope", "orders", configuration)
}

/// Starts it and lets it fetch bundle and overlay.
fn start(place: &Place<'_>, workload: &str, configuration: Value) -> Result<Host> {
    start_as(place, "sidecar", workload, configuration)
}

fn start_as(place: &Place<'_>, root_id: &str, workload: &str, mut configuration: Value) -> Result<Host> {
    configuration["mesh"] = json!(MESH);
    let audience = match (root_id, configuration["role"] == "edge") {
        ("kafka_scope", _) => "events",
        (_, true) => "edge",
        (_, false) => "workload",
    };
    configuration["bundle"] = json!({
        "cluster": "partywall-bundles",
        "path": format!("/tenancy.{audience}.bundle"),
        "overlay_path": "/tenancy.overlay",
    });
    if matches!(root_id, "sidecar" | "kafka_scope") {
        configuration["bundle"]["candidate_path"] = json!(format!("/tenancy.{audience}.candidate"));
    }
    configuration["trusted_keys"] = json!({ "env": "PARTYWALL_BUNDLE_KEYS" });
    configuration["floor"] = json!(1);
    configuration["secrets"]["fingerprint"] = json!("PARTYWALL_FINGERPRINT");
    configuration["secrets"]["shared_state"] = json!("PARTYWALL_SHARED_STATE");
    let mut environment = environment(&place.keys.join(format!("{workload}.env")))?;
    environment.extend(place.secrets.iter().cloned());
    let mut host = Host::start(Plugin {
        module: place.module,
        root_id,
        configuration: &configuration.to_string(),
        environment: &environment,
        now: place.now,
        files: place.served.clone(),
    })?;
    // Both are asked for each quarter of a second until they are there, the overlay after the bundle; a large bundle
    // is looked at in parts, one a tick.
    let in_force = |host: &Host| host.world().metrics().iter().any(|(n, _)| n == "partywall_bundle_overlay_sequence");
    for nth in 0..1_000 {
        if nth >= 8 && in_force(&host) {
            break;
        }
        host.tick(250)?;
    }
    ensure!(in_force(&host), "no bundle and overlay in force: {}", host.world().log().join("\n"));
    Ok(host)
}
