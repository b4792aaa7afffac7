//! `api-keys.yaml`.

use serde_json::Value;

use super::shape::{list, may, must, object, text};
use super::values::{key_id, tenant_id, time};

pub(super) fn api_keys() -> Value {
    object(
        "the file of API keys",
        "api-keys.yaml: who may come with an API key. `partywall keys api-key` adds to it; the keys themselves are nowhere",
        [must("api_keys", list("API keys", api_key(), 0))],
    )
}

fn api_key() -> Value {
    let name = |about: &str, example: &str| text(about, r"^\S{1,256}$", &[example]);
    object(
        "an API key",
        "Who acts with one API key",
        [
            must("id", text("The part between the two dots of the key", "^[0-9a-f]{16}$", &["5f2c09b1d3e47a86"])),
            must(
                "digest",
                text(
                    "What `partywall keys api-key` printed",
                    "^[A-Za-z0-9_-]{43}$",
                    &["0123456789abcdef0123456789abcdef0123456789A"],
                ),
            ),
            must("hashed_with", key_id("The secret it is hashed with: an id of the edge's `api_keys`", "1")),
            must("tenant", tenant_id("The tenant that it proves")),
            must("principal", name("Who acts with it", "nightly-export")),
            may("roles", list("The roles it has", name("A role", "viewer"), 0)),
            may("scopes", list("The scopes it has", name("A scope", "orders"), 0)),
            must("expires", time("When it ends, in UTC")),
        ],
    )
}
