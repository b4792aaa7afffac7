//! `sources:` of `mesh.yaml`.

use serde_json::{Value, json};

use super::shape::{list, may, must, object, text};
use super::values::{HEADER, SPIFFE_PATTERN};
use crate::directory::{EDGE_KINDS, INBOUND_KINDS};

pub(super) fn sources() -> Value {
    object(
        "`sources`",
        "Where a tenant is learned from, per role. `jwt`, `api_key` and `certificate` prove; `host`, `path` and `header` only narrow. The order counts",
        [
            must("edge", list("At the edge", one_of(EDGE_KINDS), 1)),
            may("inbound", list("At a sidecar, besides the root context", one_of(INBOUND_KINDS), 0)),
        ],
    )
}

fn one_of(kinds: &[&str]) -> Value {
    json!({ "anyOf": kinds.iter().map(|kind| source(kind)).collect::<Vec<_>>() })
}

fn source(kind: &str) -> Value {
    let (about, settings) = match kind {
        "jwt" => return json!({ "description": "A JWT of one of the issuers", "const": "jwt" }),
        "api_key" => ("An API key of api-keys.yaml", api_key()),
        "certificate" => ("A name of the client's certificate", certificate()),
        "header" => ("A header, from these peers alone", header()),
        "host" => ("The host asked for", template("tenant.shop.example", "{tenant}.shop.example")),
        _ => ("How the path begins", template("/t/acme", "/t/{tenant}")),
    };
    json!({
        "description": about,
        "type": "object",
        "properties": { kind: settings },
        "required": [kind],
        "additionalProperties": false,
    })
}

fn template(value: &str, example: &str) -> Value {
    let about = format!("`{{tenant}}` is one whole part, so that `{value}` fits `{example}`");
    text(&about, r"^[^{}]*(\{[A-Za-z0-9_-]+\}[^{}]*)*$", &[example])
}

fn api_key() -> Value {
    let header = text("The header that carries it", HEADER, &["x-api-key"]);
    object("`api_key`", "Where the API key stands", [must("header", header)])
}

fn certificate() -> Value {
    let mut certificate = object(
        "`certificate`",
        "Which name of the certificate is read: its URI or its DNS name",
        [
            may("uri", template("…/tenant/acme/sa/web", "spiffe://mesh.example/tenant/{tenant}/sa/{workload}")),
            may("dns", template("acme.clients.example", "{tenant}.clients.example")),
        ],
    );
    certificate["oneOf"] = json!([{ "required": ["uri"] }, { "required": ["dns"] }]);
    certificate
}

fn header() -> Value {
    let peer = text(
        "A pattern of SPIFFE IDs in which `*` is one whole segment",
        SPIFFE_PATTERN,
        &["spiffe://mesh.example/ns/*/sa/partner-gateway"],
    );
    object(
        "`header`",
        "A header that a trusted peer sets",
        [
            must("name", text("Its name, in lower case", HEADER, &["x-shop-tenant"])),
            must("from", list("Who may set it; from anybody else it is taken out unread", peer, 1)),
        ],
    )
}
