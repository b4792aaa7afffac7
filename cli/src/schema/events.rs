//! `events.yaml`.

use partywall_tenancy::EventCluster;
use serde_json::{Value, json};

use super::data;
use super::shape::{any_text, at_most, list, may, must, object, or_else, text};
use super::values::{LABEL, NAME, SPIFFE_ID, duration, label, mode, scope, spiffe_id, tenant_id};

/// What stands before names.
const PREFIX: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,126}[._]$";
/// A topic as a broker has it.
const TOPIC: &str = r"^(?!__)(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$";
/// A host and a port.
const ADDRESS: &str = "^[a-z0-9.-]{1,253}:[0-9]{1,5}$";

pub(super) fn events() -> Value {
    object(
        "the file of events",
        "events.yaml: what tenants see of clusters of Kafka",
        [must("clusters", at_most(EventCluster::MOST, list("The clusters", cluster(), 1)))],
    )
}

fn cluster() -> Value {
    let topics = list("Which topics there are; of those that cover a name, the most exact counts", topic(), 1);
    object(
        "a cluster",
        "A cluster of Kafka behind a proxy that alone reaches it. It is a service as well, whose operations are what is done to topics",
        [
            must("cluster", label("Its name, and that of the service in policies", &["shop-events"])),
            must("spiffe_id", spiffe_id("The SPIFFE ID of the proxy, by which policies know the service")),
            must("region", label("Where its brokers keep data, for the residency of datasets", &["eu"])),
            must(
                "identity",
                list("How a client shows its tenant; where it shows several, they have to agree", identity(), 1),
            ),
            may(
                "prefix",
                or_else(
                    "{tenant}.",
                    text(
                        "What stands before the names of a tenant that has no prefix of its own and is in no cohort",
                        r"^([A-Za-z0-9][A-Za-z0-9._-]*)?\{tenant\}[._]([A-Za-z0-9._-]*[._])?$",
                        &["{tenant}.", "t-{tenant}_"],
                    ),
                ),
            ),
            may(
                "prefixes",
                prefixes("Prefixes of tenants that have one of their own, by tenant", LABEL, "initech", "legacy."),
            ),
            may(
                "cohorts",
                prefixes(
                    "Cohorts, as records or profiles name them, whose tenants see the same names, each with its prefix",
                    LABEL,
                    "franchise",
                    "franchise.",
                ),
            ),
            must("brokers", brokers()),
            may("new_topics", new_topics()),
            may("mode", mode("of this cluster")),
            must("topics", at_most(EventCluster::MOST_RULES, topics)),
        ],
    )
}

fn prefixes(about: &str, names: &str, name: &str, prefix: &str) -> Value {
    json!({
        "description": about,
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "pattern": names },
        "additionalProperties": text("What stands before its names", PREFIX, &[prefix]),
        "examples": [{ name: prefix }],
    })
}

fn identity() -> Value {
    let user = r"^(\{tenant\}(([!-,./:-@\[-`|~])\{user\})?|\{user\}[!-,./:-@\[-`|~]\{tenant\})$";
    let mut one = object(
        "an identity",
        "One way",
        [
            may(
                "uri",
                any_text("A URI of the client's certificate", &["spiffe://mesh.example/tenant/{tenant}/sa/{workload}"]),
            ),
            may("dns", any_text("A DNS name of the client's certificate", &["{tenant}.clients.example"])),
            may(
                "workloads",
                json!({
                    "description": "The SPIFFE ID of the client's certificate is one of these, each of one tenant",
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": { "pattern": SPIFFE_ID },
                    "additionalProperties": tenant_id("Whose it is"),
                    "examples": [{ "spiffe://mesh.example/ns/shop/sa/orders-acme": "acme" }],
                }),
            ),
            may(
                "user",
                text(
                    "The user of SASL PLAIN or SCRAM, once the broker believed it; one character that no tenant id has stands between",
                    user,
                    &["{tenant}.{user}", "{user}@{tenant}", "{tenant}"],
                ),
            ),
            may("listener", scope("The tenants that a listener may be bound to by its configuration")),
        ],
    );
    one["minProperties"] = json!(1);
    one["maxProperties"] = json!(1);
    json!({
        "description": "A way; `token` is a token of SASL OAUTHBEARER, of an issuer of mesh.yaml",
        "anyOf": [{ "const": "token" }, one],
        "examples": ["token", { "user": "{tenant}.{user}" }],
    })
}

fn brokers() -> Value {
    let port = |about: &str, least: u16, most: u16, example: u16| json!({ "description": about, "type": "integer", "minimum": least, "maximum": most, "examples": [example] });
    let by_port = object(
        "`by_port`",
        "All at one host, each at a port of its own",
        [
            must("host", text("The host", "^[a-z0-9.-]{1,253}$", &["kafka.example"])),
            must("first", port("The port of broker 0", 1, u16::MAX, 9100)),
            must("most", port("The largest id of a broker", 0, 9_999, 15)),
        ],
    );
    let mut ways = object(
        "`brokers`",
        "Where the proxy listens for each broker; no client hears of another address",
        [
            may("by_port", by_port),
            may(
                "sni",
                text(
                    "A name for each broker, by which the listener's SNI tells them apart, and the port",
                    r"^[a-z0-9.-]*\{id\}[a-z0-9.-]*:[0-9]{1,5}$",
                    &["b{id}.kafka.example:9093"],
                ),
            ),
            may(
                "listed",
                json!({
                    "description": "By their ids; of a broker that is not here nobody hears",
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": { "pattern": "^(0|[1-9][0-9]{0,9})$" },
                    "additionalProperties": text("Host and port", ADDRESS, &["kafka-1.example:9092"]),
                    "examples": [{ "1": "kafka-1.example:9092" }],
                }),
            ),
        ],
    );
    ways["minProperties"] = json!(1);
    ways["maxProperties"] = json!(1);
    json!({
        "description": "Where clients find brokers: as the brokers say, where the mesh takes connections from there to the proxy; or each at an address of the proxy",
        "anyOf": [{ "const": "as_they_are" }, ways],
        "examples": ["as_they_are", { "by_port": { "host": "kafka.example", "first": 9100, "most": 15 } }],
    })
}

fn new_topics() -> Value {
    let number = |about: &str, most: u16, example: u16| json!({ "description": about, "type": "integer", "minimum": 1, "maximum": most, "examples": [example] });
    let config = text("A configuration of a topic", "^[a-z0-9.-]+$", &["cleanup.policy"]);
    object(
        "`new_topics`",
        "What a topic that a tenant makes, or changes, may have; without it nobody makes any. Policies are asked as well",
        [
            may("partitions", number("The most partitions", u16::MAX, 12)),
            may("count", number("The most topics of a tenant, or of a cohort", u16::MAX, 100)),
            may(
                "replication",
                json!({
                    "description": "The least and the most replicas, or the one number there may be",
                    "anyOf": [
                        number("Replicas", 100, 3),
                        { "type": "array", "items": number("Replicas", 100, 3), "minItems": 2, "maxItems": 2 },
                    ],
                    "examples": [[1, 3], 3],
                }),
            ),
            may("retention", duration("The longest retention: 1s to 36500d", "7d")),
            may(
                "automatic",
                json!({
                    "description": "Whether asking for a topic may make it; never where topics are counted",
                    "type": "boolean",
                    "default": false,
                }),
            ),
            may(
                "configs",
                json!({
                    "description": "The configurations that may be set beside retention: none where left out",
                    "anyOf": [{ "const": "all" }, list("These", config, 0)],
                    "examples": [["cleanup.policy"], "all"],
                }),
            ),
        ],
    )
}

fn topic() -> Value {
    let of_data = data::of_operation().into_iter().skip(1);
    let fields = [
        must(
            "topic",
            text(
                "What tenants call it; with `*` at the end all that begin so",
                r"^(?!__)(?!\.{1,2}$)([A-Za-z0-9._-]{1,249}|[A-Za-z0-9._-]{0,248}\*)$",
                &["orders", "audit-*", "*"],
            ),
        ),
        may(
            "name",
            text("The rule's name, in logs and paths of operations; the pattern where left out", NAME, &["audit"]),
        ),
        may("deny", json!({ "description": "That nobody sees it", "const": true })),
        may("partitions", partitions()),
        may("shared", shared()),
    ];
    object(
        "a topic",
        "Topics of one name or beginning: the tenant's own behind its prefix, where nothing else is said",
        fields.into_iter().chain(of_data),
    )
}

fn partitions() -> Value {
    let ranges = |about: &str, name: &str| {
        json!({
            "description": about,
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": LABEL },
            "additionalProperties": {
                "description": "The first and the last partition, or the one",
                "type": ["string", "integer"],
                "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$",
                "minimum": 0,
            },
            "examples": [{ name: "0-3" }],
        })
    };
    let mut partitions = object(
        "`partitions`",
        "Partitions of a topic that several tenants share; each counts its own from 0",
        [
            must("topic", text("The topic at the broker", TOPIC, &["telemetry-all"])),
            must(
                "of",
                json!({ "description": "How many partitions it has", "type": "integer", "minimum": 1, "maximum": u16::MAX }),
            ),
            may("ranges", ranges("Whose which are, by tenant; no two overlap", "acme")),
            may("cohorts", ranges("The same for cohorts of the cluster", "franchise")),
        ],
    );
    partitions["anyOf"] = json!([{ "required": ["ranges"] }, { "required": ["cohorts"] }]);
    partitions
}

fn shared() -> Value {
    object(
        "`shared`",
        "A topic that tenants read and nobody writes by this name",
        [
            must("topic", text("The topic at the broker", TOPIC, &["reference.rates"])),
            may("owner", tenant_id("Whose topic it is, where it has a tenant's prefix; it writes by its own name")),
            must("readers", scope("Who reads it")),
        ],
    )
}
