//! `deployment.yaml`.

use serde_json::{Value, json};

use super::redaction::SIZE;
use super::shape::{list, may, must, object, or_else, text, word};
use super::values::{label, spiffe_id, tenant_id};
use crate::directory::METHODS;

pub(super) fn deployment() -> Value {
    object(
        "a deployment",
        "deployment.yaml: where things are; `partywall render` reads it beside the tenancy directory",
        [
            must("admin", address("Where each Envoy's admin interface listens")),
            must("bundles", address("`partywall serve`")),
            may("limits", address("Envoy's rate limit service, for limits over all Envoys together")),
            may(
                "files",
                or_else(
                    "/etc/partywall",
                    text(
                        "The folder of module and certificates",
                        "^/([A-Za-z0-9._/-]*[A-Za-z0-9._-])?$",
                        &["/etc/partywall"],
                    ),
                ),
            ),
            must("edge", edge()),
            must("services", list("Where each service is", place(), 0)),
            may("events", list("Where each cluster of Kafka is, and the proxy before it", events_place(), 0)),
            may("telemetry", list("Where each collector is, and the proxy before it", telemetry_place(), 0)),
        ],
    )
}

fn edge() -> Value {
    let cors = object(
        "`cors`",
        "Whose pages may call from a browser",
        [
            must("origins", list("Origins", text("An origin", r"^https://[^\s*]*$", &["https://app.shop.example"]), 1)),
            must("methods", list("Methods", word("A method", METHODS.iter().copied()), 1)),
            must("headers", list("Headers", text("A header", "^[A-Za-z0-9-]+$", &["authorization"]), 1)),
        ],
    );
    object(
        "the edge",
        "Where clients come in",
        [
            must("spiffe_id", spiffe_id("What it calls with: `callers` of services name it")),
            may(
                "region",
                label("The region it stands in: it serves no tenant whose cell lies in another one", &["eu"]),
            ),
            must("listen", address("Where it listens")),
            may("cors", cors),
        ],
    )
}

fn place() -> Value {
    object(
        "the place of a service",
        "Where one service is",
        [
            must("service", label("A service of services/", &["orders"])),
            may("cell", label("The cell that this instance is in; left out, it serves all of them", &["eu-1"])),
            must("address", host("Where others reach its sidecar")),
            must("port", port("The port of its sidecar")),
            may(
                "failover",
                list(
                    "More sidecars of this instance; each is used while all before it are down",
                    address("A sidecar"),
                    0,
                ),
            ),
            must("app", address("Where the app listens, as its sidecar sees it")),
            may("outbound", address("Where the sidecar takes the app's calls")),
        ],
    )
}

fn events_place() -> Value {
    let broker = object(
        "a broker",
        "A broker of the cluster",
        [
            must("id", json!({ "description": "Its `node.id`", "type": "integer", "minimum": 0, "maximum": i32::MAX })),
            must("address", host("Where the proxy reaches it")),
            must("port", port("Its port")),
            may("listen", address("Where its clients come in, if `brokers` of the cluster does not tell")),
        ],
    );
    object(
        "the place of a cluster",
        "Where the proxy before a cluster is, and its brokers",
        [
            must("cluster", label("A cluster of events.yaml", &["shop-events"])),
            must("listen", address("Where clients come in that know no broker yet")),
            may(
                "tenant",
                tenant_id("Whose connections come in here, where the cluster's `identity` lets a listener say so"),
            ),
            may(
                "plain",
                json!({ "description": "Whether clients come in without TLS", "type": "boolean", "default": false }),
            ),
            must("brokers", list("The brokers", broker, 1)),
        ],
    )
}

fn telemetry_place() -> Value {
    let mut listener = object(
        "a listener of telemetry",
        "Where telemetry comes in, and where it goes from there",
        [
            must("name", label("Its name", &["otlp", "loki"])),
            must("listen", address("Where telemetry comes in")),
            may("http", address("Where it goes by HTTP/1.1")),
            may("grpc", address("Where gRPC goes")),
        ],
    );
    listener["anyOf"] = json!([{ "required": ["http"] }, { "required": ["grpc"] }]);
    let mut quarantine = object(
        "the quarantine of a collector",
        "Who gets records of other tenants, where `tenants.foreign` of redaction.yaml is `quarantine`",
        [may("http", address("By HTTP/1.1")), may("grpc", address("By HTTP/2, as gRPC has it"))],
    );
    quarantine["oneOf"] = json!([{ "required": ["http"] }, { "required": ["grpc"] }]);
    object(
        "the place of a collector",
        "Where the proxy before a collector is, and what is behind it",
        [
            must("collector", label("Its name, which certificate and key of the proxy have as well", &["otel"])),
            must("listeners", list("Where telemetry comes in", listener, 1)),
            may("quarantine", quarantine),
            may(
                "memory",
                or_else(
                    "512 MiB",
                    text("What all bodies of a worker may hold: 64 MiB to 2047 MiB", SIZE, &["256 MiB"]),
                ),
            ),
        ],
    )
}

fn address(about: &str) -> Value {
    object("an address", about, [must("address", host("A host name or an IPv4 address")), must("port", port("A port"))])
}

fn host(about: &str) -> Value {
    text(about, "^[a-z0-9.-]{1,253}$", &["orders-sidecar", "127.0.0.1"])
}

fn port(about: &str) -> Value {
    json!({ "description": about, "type": "integer", "minimum": 1, "maximum": 65535 })
}
