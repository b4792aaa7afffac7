//! The small values that several files have. Each pattern is held against the reader's own code by a test.

use partywall_tenancy::RESERVED;
use serde_json::{Value, json};

use super::shape::{list, text, word};
use crate::modes::MODES;

/// A word in lower case, as a tier.
pub(super) const LABEL: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
/// The name of a feature or a consent.
pub(super) const NAME: &str = "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$";
/// The id of a key.
pub(super) const KEY_ID: &str = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$";
/// A SPIFFE ID.
pub(super) const SPIFFE_ID: &str = r"^spiffe://[a-z0-9._-]{1,255}(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+$";
/// A SPIFFE ID in which `*` is one whole segment.
pub(super) const SPIFFE_PATTERN: &str = r"^spiffe://[a-z0-9._-]{1,255}(/(?!\.{1,2}(/|$))([A-Za-z0-9._-]+|\*))+$";
/// A number and its unit, in seconds, minutes, hours or days.
pub(super) const DURATION: &str = "^[0-9]+[smhd]$";
/// A time in UTC (RFC 3339).
pub(super) const TIME: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$";
/// The name of a header that a source reads.
pub(super) const HEADER: &str = "^(?!x-partywall-)[a-z0-9!#$%&'*+.^`|~-]{1,128}$";
/// The name of a header, in lower case.
pub(super) const LEGACY_HEADER: &str = "^(?!x-partywall-)[a-z0-9!#$%&'*+.^_`|~-]{1,128}$";

/// A word in lower case.
pub(super) fn label(about: &str, examples: &[&str]) -> Value {
    text(about, LABEL, examples)
}

/// A tenant's id.
pub(super) fn tenant_id(about: &str) -> Value {
    let mut id = text(about, LABEL, &["acme", "globex-eu"]);
    id["not"] = json!({ "enum": RESERVED });
    id
}

/// The id of a key.
pub(super) fn key_id(about: &str, example: &str) -> Value {
    text(about, KEY_ID, &[example])
}

/// A SPIFFE ID in the mesh's trust domain.
pub(super) fn spiffe_id(about: &str) -> Value {
    text(about, SPIFFE_ID, &["spiffe://mesh.example/ns/shop/sa/orders"])
}

/// `all`, or a list of tenants.
pub(super) fn scope(about: &str) -> Value {
    json!({
        "description": about,
        "anyOf": [{ "const": "all" }, list("These tenants", tenant_id("A tenant of tenants/"), 1)],
        "examples": ["all", ["acme"]],
    })
}

/// A duration.
pub(super) fn duration(about: &str, example: &str) -> Value {
    text(about, DURATION, &[example])
}

/// A time in UTC.
pub(super) fn time(about: &str) -> Value {
    text(about, TIME, &["2027-01-31T00:00:00Z"])
}

/// `mode`, of this.
pub(super) fn mode(of: &str) -> Value {
    let about = format!(
        "`shadow` lets through what policies deny {of}, and the access log says what would have been; one `enforce`, wherever it stands, has the last word. Neither where left out"
    );
    word(&about, MODES.iter().map(|(word, _)| *word))
}
