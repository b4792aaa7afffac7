//! `issuers:` of `mesh.yaml`.

use serde_json::{Value, json};

use super::shape::{any_text, at_most, list, may, must, object, or_else, text};
use super::values::{duration, key_id, scope, tenant_id};

pub(super) fn issuer() -> Value {
    let mut issuer = object(
        "an issuer",
        "Somebody who issues JWTs, and the tenants that it may name",
        [
            must("issuer", text("`iss`, compared byte by byte", "^[!-~]{1,512}$", &["https://id.acme.example"])),
            must("audiences", list("One of `aud` must be one of these", any_text("An audience", &["shop"]), 1)),
            must("tenant_claim", pointer("Where the tenant stands in the claims", "/tenant")),
            must("roles_claim", pointer("Where the roles stand in the claims: an array of strings", "/roles")),
            may("client_claim", or_else("/azp", pointer("Where the client stands in the claims", "/azp"))),
            may("jwks", jwks()),
            may(
                "symmetric_keys",
                at_most(16, list("Keys for HS256; the keys themselves are secrets of the edge", symmetric_key(), 1)),
            ),
            must("tenants", scope("The tenants that it may name: `all`, or a list")),
            may("bindings", list("What a token must show besides to prove one tenant", binding(), 0)),
        ],
    );
    issuer["anyOf"] = json!([{ "required": ["jwks"] }, { "required": ["symmetric_keys"] }]);
    issuer
}

/// A JSON pointer (RFC 6901) that ends in a name.
fn pointer(about: &str, example: &str) -> Value {
    text(&format!("{about}, as a JSON pointer (RFC 6901)"), "^(?=.{1,256}$)/(([^~]|~[01])*([^~/]|~[01]))$", &[example])
}

fn jwks() -> Value {
    let inline = json!({
        "description": "A JWK set (RFC 7517), written out",
        "type": "object",
        "properties": { "keys": { "type": "array", "description": "Public keys", "items": { "description": "A JWK", "type": "object" }, "minItems": 1, "maxItems": 32 } },
        "required": ["keys"],
    });
    json!({
        "description": "Its public keys: a file of the keys folder, a JWK set, or where sidecars fetch one",
        "anyOf": [
            text("A file of the keys folder", "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$", &["id.acme.example.jwks.json"]),
            fetched(),
            inline,
        ],
    })
}

fn fetched() -> Value {
    object(
        "a JWK set to be fetched",
        "Sidecars fetch it, never while a request waits",
        [
            must("cluster", text("The Envoy cluster that leads to it", "^[!-~]{1,255}$", &["identity"])),
            must(
                "authority",
                text(
                    "The host to ask for, with or without a port",
                    "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?$",
                    &["id.acme.example"],
                ),
            ),
            must("path", text("The path to ask for", "^/[!\"$-~]{0,1023}$", &["/.well-known/jwks.json"])),
            may(
                "max_age",
                or_else(
                    "1h",
                    duration("How long the last good set counts when it cannot be fetched again: 1m to 24h", "1h"),
                ),
            ),
        ],
    )
}

fn symmetric_key() -> Value {
    object(
        "a symmetric key",
        "The id of a key for HS256; the key itself never stands here",
        [must("kid", key_id("`kid` of its tokens", "hs-1"))],
    )
}

fn binding() -> Value {
    let some = |about: &str, item: &str, example: &str| list(about, any_text(item, &[example]), 1);
    let mut binding = object(
        "a binding",
        "What a token must show besides to prove this tenant",
        [
            must("tenant", tenant_id("The tenant")),
            may("audiences", some("`aud` must hold one of these", "An audience", "shop")),
            may("clients", some("The client must be one of these", "A client", "web-app")),
        ],
    );
    binding["anyOf"] = json!([{ "required": ["audiences"] }, { "required": ["clients"] }]);
    binding
}
