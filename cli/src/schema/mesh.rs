//! `mesh.yaml`.

use partywall_tenancy::Network;
use serde_json::{Value, json};

use super::shape::{any_text, at_most, list, may, must, object, or_else, text};
use super::values::{LABEL, LEGACY_HEADER, duration, key_id, label, mode, scope, spiffe_id};
use super::{issuer, sources};

pub(super) fn mesh() -> Value {
    let ids = |about: &str, example: &str| at_most(16, list(about, key_id("The id of a key", example), 1));
    object(
        "the mesh",
        "mesh.yaml: what holds for the whole mesh",
        [
            must(
                "mesh",
                text(
                    "This mesh: a UUID, made once and never changed (`uuidgen | tr A-Z a-z`). What was made for another mesh is refused",
                    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
                    &["3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11"],
                ),
            ),
            must(
                "trust_domain",
                text(
                    "The SPIFFE trust domain in which every workload lies: the name alone",
                    "^[a-z0-9._-]{1,255}$",
                    &["mesh.example"],
                ),
            ),
            may(
                "stale_after",
                or_else(
                    "5m",
                    duration(
                        "How long a sidecar serves without a new overlay, before it denies every request: 30s to 1h",
                        "5m",
                    ),
                ),
            ),
            must("sources", sources::sources()),
            may(
                "legacy_headers",
                list(
                    "Headers by which a former system told the tenant: taken out of every request",
                    text("The name of a header, in lower case", LEGACY_HEADER, &["x-tenant-id"]),
                    1,
                ),
            ),
            must(
                "keys",
                object(
                    "`keys`",
                    "Ids of the keys that sign; the public half of each is `<id>.pub` in the keys folder",
                    [
                        must("bundle", ids("Keys that sign bundles", "bundle-1")),
                        may(
                            "retired",
                            at_most(
                                16,
                                list(
                                    "Keys that signed bundles once, and no longer may",
                                    key_id("The id of a key", "bundle-0"),
                                    0,
                                ),
                            ),
                        ),
                        must("overlay", ids("Keys that sign overlays", "overlay-1")),
                        may(
                            "grants",
                            at_most(
                                16,
                                list("Keys of which two sign a grant", key_id("The id of a key", "grant-1"), 0),
                            ),
                        ),
                    ],
                ),
            ),
            may("approvals", count("How many of `keys.bundle` must sign a bundle", 16, 1)),
            may("grants", grants()),
            must("signers", list("Workloads that may establish a tenant and sign root contexts for it", signer(), 0)),
            may(
                "gateways",
                list("Workloads that forward the requests of others", spiffe_id("A gateway's SPIFFE ID"), 0),
            ),
            may("mode", mode("anywhere in the mesh")),
            may("cells", list("Parts of the platform, of which one serves a tenant", cell(), 0)),
            may("networks", networks()),
            must("issuers", list("Who issues JWTs, and for which tenants", issuer::issuer(), 0)),
        ],
    )
}

fn cell() -> Value {
    object(
        "a cell of the mesh",
        "A part of the platform with its own instances and data",
        [
            must("cell", label("Its name", &["eu-1"])),
            must("region", label("The region it lies in; it serves tenants of that residency alone", &["eu"])),
        ],
    )
}

fn networks() -> Value {
    let range = text(
        "A range, as `10.0.0.0/8`, with no bits of an address behind those that count; or one address",
        "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
        &["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"],
    );
    json!({
        "description": "Names for the addresses that clients call from, which policies read as `context.networks`. The edge finds them by the client's address as Envoy knows it",
        "type": "object",
        "maxProperties": Network::MOST,
        "propertyNames": { "pattern": LABEL },
        "additionalProperties": list("Its ranges; they may overlap", range, 1),
        "examples": [{ "office": ["10.0.0.0/8", "2001:db8::/32"] }],
    })
}

fn grants() -> Value {
    object(
        "`grants`",
        "What a grant may give at most; without it nobody may cross a wall",
        [
            must("longest", duration("From its begin to its end: 1m to 24h", "4h")),
            must(
                "actions",
                list("Actions that may be granted", any_text("An action of services/", &["invoices:read"]), 1),
            ),
            must("tenants", scope("Whose wall may be crossed: `all`, or a list")),
            may("at_once", count("How many may be live at once", 256, 16)),
        ],
    )
}

fn count(about: &str, most: u32, default: u32) -> Value {
    json!({ "description": about, "type": "integer", "minimum": 1, "maximum": most, "default": default })
}

fn signer() -> Value {
    object(
        "a signer",
        "A workload that may sign root contexts",
        [
            must("id", key_id("Its key; the public half is `<id>.pub` in the keys folder", "edge-1")),
            must("workload", spiffe_id("The workload that holds the key")),
            must(
                "tenants",
                scope("Whom it may speak for: `all`, or a list. A captured signer cannot speak for the others"),
            ),
        ],
    )
}
