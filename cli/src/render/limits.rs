//! What tenants may use, as Envoy's own limits. Records and profiles are the only place where a limit is written.

use std::fmt::Write;

use crate::directory::Limits;

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
    let most = limits.tenants.max(1);
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

/// As good as no limit: Envoy's buckets count in 32 bits.
const NONE: u64 = u32::MAX as u64;

const LOCAL: &str = include_str!("envoy/local_ratelimit.yaml");
