//! Bundles and overlays in words and in JSON.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_authorization::Program;
use partywall_tenancy::{BundleBody, KeyAlgorithm, OverlayBody, Owner, TenantScope, TenantStatus, UnixSeconds};
use serde_json::{Value, json};

use crate::command::say;

/// One line of a list of names and values.
pub(crate) fn line(name: &str, value: impl std::fmt::Display) {
    say(format_args!("  {name:<16} {value}"));
}

/// A bundle in words.
pub(crate) fn bundle(body: &BundleBody) {
    line("mesh", &body.mesh);
    line("revision", body.revision);
    line("issued", time(body.issued));
    line("expires", time(body.expires));
    line("source", format_args!("sha256:{}", hex(&body.source_digest)));
    line("trust domain", &body.trust_domain);
    line("stale after", format_args!("{} s", body.stale_after));
    line("overlay keys", body.keys.overlay.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", "));
    line("hosts", body.hosts.join(", "));
    line("legacy headers", body.legacy_headers.join(", "));
    for issuer in &body.issuers {
        let keys: Vec<String> = issuer.keys.iter().map(|k| format!("{} ({})", k.id, algorithm(k.algorithm))).collect();
        let audiences = issuer.audiences.join(", ");
        line(
            "issuer",
            format_args!("{} for {audiences}, {}, keys {}", issuer.issuer, scope(&issuer.tenants), keys.join(", ")),
        );
    }
    for signer in &body.signers {
        line("signer", format_args!("{} of {}, {}", signer.id, signer.workload, scope(&signer.tenants)));
    }
    for tenant in &body.tenants {
        let status = status(tenant.status);
        line("tenant", format_args!("{}, {status}, tier {}, residency {}", tenant.id, tenant.tier, tenant.residency));
    }
    for service in &body.services {
        line(
            "service",
            format_args!("{}, {}, clusters {}", service.name, service.spiffe_id, service.clusters.join(", ")),
        );
        for caller in &service.callers {
            line("", format_args!("called by {}, {}", caller.spiffe_id, scope(&caller.tenants)));
        }
        for operation in &service.operations {
            let owner = match &operation.owner {
                Owner::Path(parameter) => format!("owner in {{{parameter}}}"),
                Owner::Unseen => "owner not shown".to_owned(),
            };
            line("", format_args!("{} {} is {}, {owner}", operation.method, operation.path, operation.action));
        }
    }
    match policies(body) {
        Some(ids) => line("policies", ids.join(", ")),
        None => line("policies", "UNREADABLE: a sidecar would refuse this bundle"),
    }
}

/// An overlay in words.
pub(crate) fn overlay(body: &OverlayBody) {
    line("mesh", &body.mesh);
    line("sequence", body.sequence);
    line("issued", time(body.issued));
    line("expires", time(body.expires));
    let ids = |list: &[partywall_tenancy::TenantId]| list.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(", ");
    line("suspended", or_none(ids(&body.suspended)));
    line("quarantined", or_none(ids(&body.quarantined)));
    let tokens: Vec<String> = body.revoked_tokens.iter().map(|t| format!("{} of {}", t.id, t.issuer)).collect();
    line("revoked tokens", or_none(tokens.join(", ")));
    line("revoked signers", or_none(body.revoked_signers.join(", ")));
}

/// A bundle in JSON: as its body is, with bytes as text.
pub(crate) fn bundle_json(body: &BundleBody) -> Value {
    let mut value = json!(body);
    value["source_digest"] = json!(hex(&body.source_digest));
    value["program"] = json!({ "bytes": body.program.len(), "policies": policies(body) });
    value["keys"]["overlay"] =
        body.keys.overlay.iter().map(|(id, key)| json!({ "id": id, "key": base64url(key) })).collect();
    for (signer, written) in body.signers.iter().zip(array(&mut value["signers"])) {
        written["key"] = json!(base64url(&signer.key));
    }
    for (issuer, written) in body.issuers.iter().zip(array(&mut value["issuers"])) {
        for (key, written) in issuer.keys.iter().zip(array(&mut written["keys"])) {
            written["algorithm"] = json!(algorithm(key.algorithm));
            written["spki"] = json!(base64url(&key.spki));
        }
    }
    value
}

fn array(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}

fn policies(body: &BundleBody) -> Option<Vec<String>> {
    let program = Program::read(&body.program).ok()?;
    Some(program.body().policies.iter().map(|p| p.id.clone()).collect())
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn scope(scope: &TenantScope) -> String {
    match scope {
        TenantScope::All => "all tenants".to_owned(),
        TenantScope::Only(list) => {
            format!("tenants {}", list.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(", "))
        }
    }
}

fn status(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Active => "active",
        TenantStatus::Suspended => "suspended",
        TenantStatus::Quarantined => "quarantined",
    }
}

fn algorithm(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rs256 => "RS256",
        KeyAlgorithm::Es256 => "ES256",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// As RFC 3339 writes it, in UTC.
fn time(seconds: UnixSeconds) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Far beyond any calendar the plain number says more.
    if days > 2_900_000 {
        return seconds.to_string();
    }
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z ({seconds})", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar: years are
/// counted from March, so that the day that may be missing is the last one.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z (0)"),
            (951_782_400, "2000-02-29T00:00:00Z (951782400)"),
            (1_767_225_599, "2025-12-31T23:59:59Z (1767225599)"),
            (4_107_542_400, "2100-03-01T00:00:00Z (4107542400)"),
            (u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(time(seconds), date);
        }
    }
}
