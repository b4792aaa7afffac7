//! Limits over all Envoys together: what the edge asks Envoy's rate limit service, and what that service is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::deployment::Address;
use crate::directory::Limits;
use crate::exit::Failure;
use crate::render::template::fill;

/// The limit's name in records and profiles.
pub(crate) const NAME: &str = "mesh_requests_per_second";

const FILTER: &str = include_str!("../envoy/global_ratelimit.yaml");
const CLUSTER: &str = include_str!("../envoy/limits_cluster.yaml");

/// The filter for behind our own at the edge, and its cluster; both empty where nobody has such a limit. Only there: a
/// request passes the edge once, and sidecars as often as services call each other.
///
/// # Errors
///
/// A limit, and a deployment that does not say where the service is.
pub(in crate::render) fn at_edge(limits: &Limits, service: Option<&Address>) -> Result<(String, String), Failure> {
    let tiers = tiers(limits);
    if tiers.is_empty() {
        return Ok(Default::default());
    }
    let Some(address) = service else {
        return Err(Failure::invalid(format!(
            "tenants have `{NAME}`, and the deployment does not say where Envoy's rate limit service is\nhelp: write `limits: \
             {{ address: ratelimit, port: 8081 }}` in deployment.yaml, and let it read what `partywall render limits` writes"
        )));
    };
    let mut entries = String::new();
    for tier in tiers {
        let _ = write!(
            entries,
            "- actions:\n    - header_value_match: {{ descriptor_key: tier, descriptor_value: \"{tier}\", headers: [{{ name: \
             x-partywall-tier, string_match: {{ exact: \"{tier}\" }} }}] }}\n    - request_headers: {{ header_name: \
             x-partywall-tenant, descriptor_key: tenant }}\n"
        );
    }
    Ok((fill(FILTER, &[("entries", entries)]), fill(CLUSTER, &[("address", address.to_string())])))
}

/// The configuration of Envoy's rate limit service: each tenant has a bucket of its own, and a record's limit stands
/// before the one of its tier.
pub(in crate::render) fn service(limits: &Limits) -> String {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let tiers: BTreeMap<&str, u64> = limits.of_tiers(NAME).into_iter().collect();
    for (tenant, tier, bound) in limits.of_tenants(NAME) {
        let limit = match bound {
            Some(bound) => bucket(bound),
            // A record with other limits alone has none of these; without an entry it would get the one of its tier.
            None if tiers.contains_key(tier) => "{ unlimited: true }".to_owned(),
            None => continue,
        };
        let entry = format!("      - key: tenant\n        value: \"{tenant}\"\n        rate_limit: {limit}\n");
        all.entry(tier).or_default().push(entry);
    }
    for (tier, bound) in tiers {
        let entry = format!("      - key: tenant\n        rate_limit: {}\n", bucket(bound));
        all.entry(tier).or_default().push(entry);
    }
    let mut out = HEAD.to_owned();
    out += if all.is_empty() { "descriptors: []\n" } else { "descriptors:\n" };
    for (tier, entries) in all {
        let _ = write!(out, "  - key: tier\n    value: \"{tier}\"\n    descriptors:\n{}", entries.concat());
    }
    out
}

const HEAD: &str = "\
# Written by `partywall render limits` from the tenancy directory: change that, not this.
domain: partywall
";

fn bucket(bound: u64) -> String {
    format!("{{ unit: second, requests_per_unit: {} }}", bound.min(super::NONE))
}

/// The tiers in which a tenant has such a limit.
fn tiers(limits: &Limits) -> BTreeSet<String> {
    let own = limits.of_tenants(NAME).into_iter().filter(|(.., bound)| bound.is_some()).map(|(_, tier, _)| tier);
    own.chain(limits.of_tiers(NAME).into_iter().map(|(tier, _)| tier)).map(str::to_owned).collect()
}
