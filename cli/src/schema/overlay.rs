//! `overlay.yaml`.

use serde_json::{Value, json};

use super::shape::{any_text, list, may, must, object, text};
use super::values::{NAME, tenant_id};

pub(super) fn overlay() -> Value {
    let tenants = |about: &str| list(about, tenant_id("A tenant of the bundle"), 0);
    let names = |about: &str, item: &str, example: &str| list(about, any_text(item, &[example]), 0);
    let pair = |what: &str, about: &str, name: &'static str, value: &str, example: &str| {
        let issuer = must("issuer", any_text("The issuer, as `iss`", &["https://id.acme.example"]));
        object(what, about, [issuer, must(name, any_text(value, &[example]))])
    };
    object(
        "the overlay",
        "overlay.yaml: what is taken away at once, on top of the bundle. `partywall serve` signs it within 100 ms of a change",
        [
            may("suspended", tenants("Tenants whose requests are denied")),
            may("quarantined", tenants("Tenants whose requests are denied, on suspicion of harm")),
            may("revoked_tokens", list("Tokens", pair("a revoked token", "One token", "id", "Its `jti`", "f3a1"), 0)),
            may(
                "revoked_subjects",
                list(
                    "Everything a subject shows",
                    pair("a revoked subject", "One subject", "subject", "Its `sub`", "alice"),
                    0,
                ),
            ),
            may(
                "revoked_keys",
                list("Keys of issuers", pair("a revoked key", "One key of an issuer", "kid", "Its `kid`", "rs-1"), 0),
            ),
            may(
                "revoked_issuers",
                names("Everything that an issuer signed", "An issuer, as `iss`", "https://id.acme.example"),
            ),
            may("revoked_signers", names("Keys that sign root contexts", "The id of a key", "edge-1")),
            may(
                "revoked_grants",
                list("Grants", text("The id of a grant", "^[0-9a-f]{32}$", &["5f2c09b1d3e47a865f2c09b1d3e47a86"]), 0),
            ),
            may("withdrawn_consents", list("Consents of tenants that no longer count", withdrawn_consent(), 0)),
            may("withdrawn_candidates", revision()),
            may("revoked_api_keys", names("API keys", "The id of an API key", "5f2c09b1d3e47a86")),
        ],
    )
}

fn revision() -> Value {
    json!({
        "description": "Candidates up to this revision decide nothing",
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": u64::MAX,
        "examples": [7],
    })
}

fn withdrawn_consent() -> Value {
    object(
        "a withdrawn consent",
        "One consent of one tenant",
        [
            must("tenant", tenant_id("A tenant of the bundle")),
            must("consent", text("The consent, as the tenant's record has it", NAME, &["analytics"])),
        ],
    )
}
