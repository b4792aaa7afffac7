//! The plugin configuration: what Envoy tells the module. The module reads it by itself; what it asks for, and that it
//! is the same, `integration/tests/plugin_configuration.rs` learns from the module's own refusals.

use serde_json::{Value, json};

use super::shape::{any_text, at_most, either, list, may, must, object, or_else, text, word};
use super::values::{label, tenant_id};

/// As the module names regions.
const REGION: &str = "^[a-z0-9-]{1,63}$";
/// `id:key`, the key of 32 bytes in base64url.
const KEY: &str = "^[A-Za-z0-9._-]{1,64}:[A-Za-z0-9_-]{43}$";
const KEY_EXAMPLE: &str = "bundle-1:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// A Struct has doubles only: no number beyond this is surely whole.
const WHOLE: u64 = 8_999_999_999_999_999;
/// What the length of a frame of Kafka can say, and the most that a VM may be told to hold.
const FRAME: u64 = 2_147_483_647;

/// A header's name, or what no peer sends but costs nothing to ask for.
const HEADER: &str = "^[!-9;-~][!-~]*$";
/// How many headers an access log may have.
const HEADERS: usize = 16;

pub(super) fn plugin() -> Value {
    let mut plugin = object(
        "the plugin configuration",
        "The configuration of a filter of Partywall in Envoy, a google.protobuf.Struct: the part under `value`",
        [
            must("role", word("What the listener is to the app", ["edge", "inbound", "outbound", "egress"])),
            must("mesh", mesh()),
            may("service", any_text("The service whose sidecar this is; inbound and outbound need it", &["orders"])),
            may("cell", label("The cell that this proxy stands in: it serves no tenant of another one", &["eu-1"])),
            may("direction", direction()),
            must("bundle", bundle()),
            must("trusted_keys", trusted_keys()),
            may("floor", whole("The lowest bundle revision that is accepted", 0, WHOLE, 0)),
            may("approvals", whole("How many keys must have signed a bundle", 1, 16, 1)),
            must("secrets", secrets()),
            may(
                "reveal",
                or_else("coarse", word("`exact` tells callers the exact reason: for development", ["coarse", "exact"])),
            ),
            may(
                "explain",
                or_else(
                    "all",
                    word("Which decisions are written down with what they were made on", ["all", "denials", "off"]),
                ),
            ),
            may("log", log()),
            may("request_bytes", request_bytes()),
            may(
                "hold_responses",
                flag(
                    "Whether the head of a response may wait for its body; Envoy's filter must say \
                     `allow_on_headers_stop_iteration: true` then",
                ),
            ),
            may("hold_requests", flag("Whether a request may wait for its body, likewise")),
            may(
                "region",
                text("The region it stands in, where that is not Envoy's `node.locality.region`", REGION, &["eu"]),
            ),
            may(
                "guard",
                or_else(
                    "here",
                    word("`apart` where a `response_guard` judges responses, perhaps in another VM", ["here", "apart"]),
                ),
            ),
        ],
    );
    let where_ = |name: &str, words: &[&str]| json!({ "properties": { name: { "enum": words } }, "required": [name] });
    let secret = |purpose: &str| json!({ "properties": { "secrets": { "required": [purpose] } } });
    plugin["allOf"] = json!([
        { "if": where_("role", &["inbound", "outbound"]), "then": { "required": ["service"] } },
        { "if": where_("role", &["inbound", "outbound"]), "then": secret("shared_state") },
        { "if": where_("role", &["edge"]), "then": secret("context_signing") },
        { "if": where_("guard", &["apart"]), "then": secret("shared_state") },
    ]);
    plugin
}

pub(super) fn kafka_scope() -> Value {
    object(
        "the configuration of a kafka_scope",
        "The configuration of the filter `kafka_scope` of Partywall in Envoy, a google.protobuf.Struct: the part under `value`",
        [
            must("mesh", mesh()),
            must(
                "cluster",
                any_text("The cluster whose brokers are behind it, as events.yaml calls it", &["shop-events"]),
            ),
            may(
                "tenant",
                tenant_id("Whose connections come in here, where `identity` of the cluster lets a listener say so"),
            ),
            must("bundle", bundle()),
            must("trusted_keys", trusted_keys()),
            may("floor", whole("The lowest bundle revision that is accepted", 0, WHOLE, 0)),
            may("approvals", whole("How many keys must have signed a bundle", 1, 16, 1)),
            must(
                "secrets",
                object(
                    "the secrets",
                    "For each purpose the environment variable that holds its keys, as `partywall keys new` writes them",
                    [
                        may("audit_chain", variable("Links lines of the decision log", "PARTYWALL_AUDIT_CHAIN")),
                        must(
                            "fingerprint",
                            variable("Makes fingerprints of tenants and principals", "PARTYWALL_FINGERPRINT"),
                        ),
                        must("shared_state", variable("Seals what workers share", "PARTYWALL_SHARED_STATE")),
                        may("issuer_keys", variable("Symmetric keys of issuers, by `kid`", "PARTYWALL_ISSUER_KEYS")),
                    ],
                ),
            ),
            may(
                "fetched_to",
                any_text(
                    "The `vm_id` of the sidecar's filter, which is told whose records the workload fetched (`act_for: fetched`)",
                    &["partywall"],
                ),
            ),
            may("largest", whole("The largest request and response, in bytes", 524_288, FRAME, 104_857_600)),
            may("memory", whole("What all connections of a worker may hold, in bytes", 524_288, FRAME, 536_870_912)),
            may("log", log()),
        ],
    )
}

pub(super) fn log_redaction() -> Value {
    let mut redaction = object(
        "the configuration of a log_redaction",
        "The configuration of the filter `log_redaction` of Partywall in Envoy, a google.protobuf.Struct: the part under `value`",
        [
            must("role", word("`inbound` before a collector, `outbound` behind an app", ["outbound", "inbound"])),
            must("mesh", mesh()),
            may(
                "service",
                any_text(
                    "The service whose sidecar this is, for `outbound`; before a collector the peer's certificate says whose \
                     records come",
                    &["orders"],
                ),
            ),
            may("direction", direction()),
            must("bundle", bundle()),
            must("trusted_keys", trusted_keys()),
            may("floor", whole("The lowest bundle revision that is accepted", 0, WHOLE, 0)),
            may("approvals", whole("How many keys must have signed a bundle", 1, 16, 1)),
            must("secrets", redaction_secrets()),
            may(
                "quarantine",
                object(
                    "the quarantine",
                    "Who gets records of other tenants, where `tenants.foreign` of redaction.yaml is `quarantine`",
                    [
                        must("cluster", any_text("Envoy's cluster", &["partywall-quarantine"])),
                        may(
                            "protocol",
                            word(
                                "What it speaks: each request goes as it came, what came by gRPC is made HTTP, or OTLP in \
                                 protobuf gRPC",
                                ["as_received", "http", "grpc"],
                            ),
                        ),
                    ],
                ),
            ),
            may("memory", whole("What all bodies of a worker may hold, in bytes", 67_108_864, FRAME, 536_870_912)),
        ],
    );
    let role = |role: &str| json!({ "properties": { "role": { "const": role } }, "required": ["role"] });
    redaction["allOf"] = json!([
        { "if": role("outbound"), "then": { "required": ["service"] } },
        { "if": role("inbound"), "then": { "properties": { "service": false } } },
    ]);
    redaction
}

pub(super) fn access_log() -> Value {
    object(
        "the configuration of an access_log",
        "The configuration of the filter `access_log` of Partywall in Envoy, a google.protobuf.Struct: the part under `value`",
        [
            must("mesh", mesh()),
            must("bundle", bundle()),
            must("trusted_keys", trusted_keys()),
            may("floor", whole("The lowest bundle revision that is accepted", 0, WHOLE, 0)),
            may("approvals", whole("How many keys must have signed a bundle", 1, 16, 1)),
            must("secrets", redaction_secrets()),
            may(
                "headers",
                at_most(
                    HEADERS,
                    list(
                        "Headers of the request that are written down, after the detectors went through them",
                        text("Its name", HEADER, &["user-agent"]),
                        0,
                    ),
                ),
            ),
        ],
    )
}

fn redaction_secrets() -> Value {
    object(
        "the secrets",
        "For each purpose the environment variable that holds its keys, as `partywall keys new` writes them",
        [
            must(
                "fingerprint",
                variable("Makes fingerprints of tenants and of what is masked", "PARTYWALL_FINGERPRINT"),
            ),
            may(
                "redaction_keys",
                variable(
                    "Opens tenants' keys of pseudonyms and encrypted values; without it both are masks",
                    "PARTYWALL_REDACTION_KEYS",
                ),
            ),
        ],
    )
}

fn direction() -> Value {
    or_else(
        "listener",
        word(
            "`any` where the listener's traffic_direction does not fit the role, as on a gateway",
            ["listener", "any"],
        ),
    )
}

fn mesh() -> Value {
    text(
        "The mesh, as `mesh` of mesh.yaml",
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        &["3f6c1e0a-1f0e-4b7e-9a51-6d2f0c8b7e11"],
    )
}

fn bundle() -> Value {
    let path = |about: &str, example: &str| any_text(about, &[example]);
    object(
        "the bundle's source",
        "Where bundle, overlay, grants and candidate are fetched from",
        [
            must("cluster", any_text("Envoy's cluster of the server", &["partywall-bundles"])),
            must("path", path("Path of the bundle", "/tenancy.workload.bundle")),
            must("overlay_path", path("Path of the overlay", "/tenancy.overlay")),
            may("grants_path", path("Path of the grants; left out, none count", "/tenancy.grants")),
            may(
                "candidate_path",
                path("Path of the candidate; left out, none is tried out", "/tenancy.workload.candidate"),
            ),
        ],
    )
}

fn trusted_keys() -> Value {
    let variable = object(
        "a variable of keys",
        "The environment variable that holds them",
        [must("env", variable("Its name", "PARTYWALL_BUNDLE_KEYS"))],
    );
    either(
        "Public keys by which bundles are accepted at a cold start",
        [list("These", text("`id:key`", KEY, &[KEY_EXAMPLE]), 1), variable],
    )
}

fn secrets() -> Value {
    object(
        "the secrets",
        "For each purpose the environment variable that holds its keys, as `partywall keys new` writes them",
        [
            may("audit_chain", variable("Links lines of the decision log", "PARTYWALL_AUDIT_CHAIN")),
            must("fingerprint", variable("Makes fingerprints of tenants and principals", "PARTYWALL_FINGERPRINT")),
            may("shared_state", variable("Seals what workers share", "PARTYWALL_SHARED_STATE")),
            may("context_signing", variable("Signs root contexts", "PARTYWALL_CONTEXT_SIGNING")),
            may("issuer_keys", variable("Symmetric keys of issuers, by `kid`", "PARTYWALL_ISSUER_KEYS")),
            may("api_keys", variable("What API keys are hashed with", "PARTYWALL_API_KEYS")),
        ],
    )
}

fn log() -> Value {
    let about = "The share of the requests let in that are written down";
    let number = json!({ "description": about, "type": "number", "minimum": 0, "maximum": 1, "examples": [0.1] });
    // Envoy's reader of YAML makes a text of a number with a point.
    let written = text("The same as a text", r"^(0(\.[0-9]+)?|1(\.0+)?)$", &["0.1"]);
    object(
        "what is logged",
        "Which decisions are written down; denials always are",
        [must("allows", either(about, [number, written]))],
    )
}

fn request_bytes() -> Value {
    let bounds = |about: &str| {
        json!({
            "description": about,
            "type": "object",
            "additionalProperties": { "description": "Bytes", "type": "integer", "minimum": 0, "maximum": WHOLE },
            "examples": [{ "gold": 1_048_576 }],
        })
    };
    object(
        "how large requests may be",
        "Bounds on the bodies of requests, as `limits` of tenants and profiles have them",
        [may("tenants", bounds("By tenant, before those of its tier; 0 is none")), may("tiers", bounds("By tier"))],
    )
}

fn variable(about: &str, example: &str) -> Value {
    any_text(about, &[example])
}

fn whole(about: &str, least: u64, most: u64, default: u64) -> Value {
    json!({ "description": about, "type": "integer", "minimum": least, "maximum": most, "default": default })
}

fn flag(about: &str) -> Value {
    json!({ "description": about, "type": "boolean", "default": false })
}
