//! Taking identity headers out of a request, before anything else is looked at.

use crate::{EventProof, Headers, Single};

/// The request header that carries the root context.
pub const CONTEXT: &str = "x-partywall-context";
/// The request header that tells the app its tenant.
pub const TENANT: &str = "x-partywall-tenant";
/// The request header that tells the app, and Envoy's rate limits, the tenant's tier.
pub const TIER: &str = "x-partywall-tier";
/// The request header that tells the app its principal.
pub const PRINCIPAL: &str = "x-partywall-principal";
/// The request header that tells the app which features its tenant has, with commas between.
pub const FEATURES: &str = "x-partywall-features";

/// The request header that tells Envoy's routes, and the app, which cell serves the tenant.
pub const CELL: &str = "x-partywall-cell";

/// The request header in which a workload names the tenant it acts for.
pub const ACT_FOR: &str = "x-partywall-act-for";

const OURS: &str = "x-partywall-";
const XFCC: &str = "x-forwarded-client-cert";

/// Headers by which many frameworks let a request be renamed: another host, path or method than the
/// one that was decided on.
const RENAMES: &[&str] = &[
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-uri",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// What was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOut {
    /// The root context as sent; checked only where the role says it counts.
    pub root: Single<Vec<u8>>,
    /// The names of the headers to remove, each once.
    pub names: Vec<String>,
    /// The context of the event that this request brings, if it brings one in headers; who knows of events puts it here.
    pub event: Option<EventProof>,
}

/// Finds every identity header: `x-partywall-*`, `x-forwarded-client-cert`, `legacy` ones, and those
/// that rename the request. Whatever happens to the request afterwards, these names are removed from it first.
pub fn take_out(headers: Headers<'_>, legacy: &[String]) -> TakenOut {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in headers.0 {
        if is_identity_header(name, legacy) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let root = match headers.single(CONTEXT) {
        Single::Absent => Single::Absent,
        Single::Once(value) => Single::Once(value.to_vec()),
        Single::Repeated => Single::Repeated,
    };
    TakenOut { root, names, event: None }
}

/// Whether `name` claims an identity. Many servers read `_` as `-` (CGI, RFC 3875 section 4.1.18),
/// so a header that differs only in that is the same header to them, and to us.
pub fn is_identity_header(name: &str, legacy: &[String]) -> bool {
    name.get(..OURS.len()).is_some_and(|start| equal(start, OURS))
        || equal(name, XFCC)
        || RENAMES.iter().any(|r| equal(name, r))
        || legacy.iter().any(|l| equal(name, l))
}

/// Whether a baggage key claims an identity.
pub(crate) fn is_claim(key: &str, legacy: &[String]) -> bool {
    is_identity_header(key, legacy) || ["tenant", "tenant-id", "tenant.id", "tenantid"].iter().any(|t| equal(key, t))
}

/// Whether `a` is `b` to a reader that knows neither case nor the difference between `_` and `-`.
fn equal(a: &str, b: &str) -> bool {
    let same = |a: u8, b: u8| a.to_ascii_lowercase() == b || (a == b'_' && b == b'-');
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| same(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        list.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect()
    }

    #[test]
    fn takes_out_ours_xfcc_and_legacy_in_every_spelling() {
        let all = headers(&[
            ("x-partywall-tenant", "globex"),
            ("x_partywall_tenant", "globex"),
            ("x-partywall-anything", ""),
            ("x-forwarded-client-cert", "URI=spiffe://x/y"),
            ("x_tenant-id", "globex"),
            ("x-partywall-tenant", "acme"),
            ("X-Original_URL", "/tenants/globex"),
            ("forwarded", "host=globex"),
            ("accept", "*/*"),
            ("x-partywal", "no"),
        ]);
        let out = take_out(Headers(&all), &["x-tenant-id".into()]);
        assert_eq!(out.root, Single::Absent);
        assert_eq!(
            out.names,
            [
                "x-partywall-tenant",
                "x_partywall_tenant",
                "x-partywall-anything",
                "x-forwarded-client-cert",
                "x_tenant-id",
                "X-Original_URL",
                "forwarded"
            ]
        );
    }

    #[test]
    fn a_repeated_root_is_seen_as_such() {
        let all = headers(&[(CONTEXT, "a"), (CONTEXT, "b")]);
        assert_eq!(take_out(Headers(&all), &[]).root, Single::Repeated);
    }
}
