//! What tenants may use, as Envoy's own limits. Records and profiles are the only place where a limit is written.

pub(crate) mod global;

use std::fmt::Write;

use crate::directory::Limits;
use crate::exit::Failure;

/// Envoy's local rate limit, for behind our filter; empty where no record and no profile has `requests_per_second`.
///
/// Each tenant has a bucket of its own, which holds what it may ask in one second. A record's limit has an entry of its
/// own, which Envoy finds before the one for all tenants of a tier: so it replaces a profile's, as everywhere else.
pub(super) fn local(limits: &Limits) -> String {
    const NAME: &str = "requests_per_second";
    let (tenants, tiers) = (limits.of_tenants(NAME), limits.of_tiers(NAME));
    if tiers.is_empty() && tenants.iter().all(|(.., bound)| bound.is_none()) {
        return String::new();
    }
    // A bucket for every tenant there is: were one put away, its tenant would begin with a full one again.
    let most = limits.tenants().max(1);
    let mut out = LOCAL.replace("${most}", &most.to_string());
    let mut entry = |tier: &str, tenant: &str, bound: u64| {
        let bound = bound.min(NONE);
        let _ = writeln!(
            out,
            "      - entries: [{{ key: tier, value: \"{tier}\" }}, {{ key: tenant{tenant} }}]\n        token_bucket: {{ \
             max_tokens: {bound}, tokens_per_fill: {bound}, fill_interval: 1s }}"
        );
    };
    for (tenant, tier, bound) in tenants {
        // A record with other limits alone has none of these; without an entry it would get the one of its tier.
        entry(tier, &format!(", value: \"{tenant}\""), bound.unwrap_or(NONE));
    }
    for (tier, bound) in tiers {
        entry(tier, "", bound);
    }
    out
}

/// `request_bytes` of our filter's configuration; empty where no record and no profile has one. A tenant with 0 has none:
/// its record says other limits alone, which replace those of its tier whole.
pub(super) fn request_bytes(limits: &Limits) -> String {
    const NAME: &str = "request_bytes";
    let (tenants, tiers) = (limits.of_tenants(NAME), limits.of_tiers(NAME));
    let has = |tier: &str| tiers.iter().any(|(known, _)| *known == tier);
    let own = tenants.into_iter().filter(|(_, tier, bound)| bound.is_some() || has(tier));
    let own: Vec<String> = own.map(|(tenant, _, bound)| format!("\"{tenant}\": {}", bound.unwrap_or(0))).collect();
    let of_tiers: Vec<String> = tiers.iter().map(|(tier, bound)| format!("\"{tier}\": {bound}")).collect();
    if own.is_empty() && of_tiers.is_empty() {
        return String::new();
    }
    let part = |name: &str, all: Vec<String>| {
        if all.is_empty() { None } else { Some(format!("{name}: {{ {} }}", all.join(", "))) }
    };
    let parts: Vec<String> = [part("tenants", own), part("tiers", of_tiers)].into_iter().flatten().collect();
    format!("request_bytes: {{ {} }}", parts.join(", "))
}

/// Requests at one time, at the sidecar in front of an app.
#[derive(Debug, Default)]
pub(super) struct Concurrency {
    /// Routes that lead a tenant to a cluster of its own.
    pub(super) routes: String,
    /// These clusters: the app's address each, and the tenant's bound.
    pub(super) clusters: String,
    /// How a refused request is answered.
    pub(super) reply: String,
}

/// Envoy bounds concurrent requests per cluster and nowhere else, so that each tenant with `concurrent_requests` gets a
/// cluster of its own to the app at `app`. The route is looked for again once our filter has set the headers.
///
/// # Errors
///
/// More such tenants than a sidecar should have clusters.
pub(super) fn concurrency(limits: &Limits, app: &str) -> Result<Concurrency, Failure> {
    let each = limits.of_each("concurrent_requests");
    if each.len() > MOST_CLUSTERS {
        return Err(Failure::invalid(format!(
            "{} tenants have `concurrent_requests`, and a sidecar has clusters for {MOST_CLUSTERS} of them\nhelp: give it to \
             the tenants that need it, in their own records, and `requests_per_second` to all",
            each.len()
        )));
    }
    let mut found = Concurrency::default();
    for (tenant, bound) in each {
        let bound = bound.min(NONE);
        let _ = write!(
            found.routes,
            "- match: {{ prefix: /, headers: [{{ name: x-partywall-tenant, string_match: {{ exact: \"{tenant}\" }} }}] }}\n  \
             route: {{ cluster: app.{tenant}, timeout: 15s }}\n"
        );
        let _ = write!(
            found.clusters,
            "# Requests of this tenant at one time: its own bound, over which it waits for nobody.\n- name: \
             app.{tenant}\n  type: STATIC\n  connect_timeout: 2s\n  circuit_breakers:\n    thresholds: [{{ max_requests: \
             {bound} }}]\n  load_assignment:\n    cluster_name: app.{tenant}\n    endpoints:\n      - lb_endpoints:\n          \
             - endpoint: {{ address: {{ socket_address: {app} }} }}\n"
        );
    }
    if !found.routes.is_empty() {
        found.reply = OVERFLOW.to_owned();
    }
    Ok(found)
}

const OVERFLOW: &str = include_str!("envoy/overflow.yaml");
/// More clusters than these are a burden to each sidecar.
const MOST_CLUSTERS: usize = 1_000;

/// As good as no limit: Envoy's buckets count in 32 bits.
const NONE: u64 = u32::MAX as u64;

const LOCAL: &str = include_str!("envoy/local_ratelimit.yaml");
