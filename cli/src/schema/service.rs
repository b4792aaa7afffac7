//! `services/*.yaml`.

use serde_json::{Value, json};

use super::data;
use super::shape::{any_text, at_most, either, list, may, must, object, or_else, text, word};
use super::values::{duration, label, mode, scope, spiffe_id, tenant_id, time};
use crate::directory::named::ROUTES;
use crate::directory::{ELEMENT_CAP, ERRORS, FOREIGN, FORMATS, METHODS, OUTLIVED, RECOVER, VERSIONS};
use crate::lower::schema::TAKEN;

pub(super) fn service() -> Value {
    object(
        "a service",
        "services/*.yaml: one service, who may call it, and what its paths mean",
        [
            must("service", label("Its name", &["orders"])),
            must("spiffe_id", spiffe_id("Its own SPIFFE ID")),
            may(
                "clusters",
                list(
                    "Envoy clusters that lead here; the service's name where left out",
                    any_text("A cluster", &["orders"]),
                    1,
                ),
            ),
            may(
                "max_context_age",
                or_else(
                    "2m",
                    duration("Up to which age a root context counts here, from others than its signer: 1s to 1h", "2m"),
                ),
            ),
            may(
                "recover",
                or_else(
                    "handle",
                    word(
                        "How an outgoing call finds the context of the request that caused it: by the handle in `tracestate`, or also by the trace id",
                        RECOVER.iter().map(|(word, _)| *word),
                    ),
                ),
            ),
            may(
                "own_tenant",
                tenant_id("The tenant it works for when no request caused a call; needs a signer of this workload"),
            ),
            may("act_for", act_for()),
            may("mode", mode("at this service")),
            may(
                "allow_shadow_routes",
                json!({
                    "description": "Whether a route that leads here may ask for shadow by itself, as `partywall: { mode: shadow }` in its metadata",
                    "type": "boolean",
                    "default": false,
                }),
            ),
            may(
                "routes",
                word(
                    "That routes which lead here may say in their metadata what a request asks for, where no operation does",
                    ROUTES.iter().map(|(word, ())| *word),
                ),
            ),
            may("events", events()),
            must("callers", list("Who may bring a request here, and for which tenants", caller(), 0)),
            may("accept_without_context", without_context()),
            may(
                "tenantless",
                json!({
                    "description": "Whether it serves no tenant, as an identity provider or a collector: its callers' sidecars let calls to it out without a context",
                    "type": "boolean",
                    "default": false,
                }),
            ),
            may(
                "platform",
                list("Platform principals, which are of no tenant, and what they may do here", platform(), 1),
            ),
            must("operations", list("What the paths mean; a request that none covers is denied", operation(), 0)),
        ],
    )
}

fn events() -> Value {
    let begins = |what: &str| text(what, r"^[\x21-\x7e]*\{tenant\}[/:.#?][\x21-\x7e]*$", &["/tenants/{tenant}/"]);
    let cloudevents = object(
        "`cloudevents`",
        "What events that come here have to be; each names its tenant in `partywalltenant`",
        [
            may("source", begins("What `source` begins with")),
            may("subject", begins("What `subject` begins with; an event has one then")),
            may(
                "types",
                list(
                    "The types there may be; all where left out",
                    text("A type, or what types begin with", r"^[\x21-\x29\x2b-\x7e]+\*?$", &["order.*"]),
                    1,
                ),
            ),
            may(
                "context",
                duration(
                    "How long the signed context lasts that events get which are sent here, in `partywallcontext`: 1s to 7d; they get none where it is left out",
                    "1h",
                ),
            ),
            may(
                "deliveries",
                list(
                    "Who of `callers` may bring an event without the request that caused it, where it has such a context",
                    spiffe_id("Its SPIFFE ID"),
                    0,
                ),
            ),
        ],
    );
    let mut events = object(
        "`events`",
        "What of its requests are events: `rest` with `cluster`, or `cloudevents`",
        [
            may("rest", word("The REST API of Kafka that it serves", VERSIONS.iter().map(|(word, _)| *word))),
            may("cluster", label("The cluster behind it, of events.yaml", &["shop-events"])),
            may("cloudevents", cloudevents),
        ],
    );
    events["oneOf"] = json!([{ "required": ["rest", "cluster"], "not": { "required": ["cloudevents"] } }, {
        "required": ["cloudevents"], "not": { "anyOf": [{ "required": ["rest"] }, { "required": ["cluster"] }] },
    }]);
    events
}

fn caller() -> Value {
    object(
        "a caller",
        "A workload that may call this service",
        [must("spiffe_id", spiffe_id("Its SPIFFE ID")), must("tenants", scope("For which tenants: `all`, or a list"))],
    )
}

fn without_context() -> Value {
    object(
        "`accept_without_context`",
        "A caller whose requests are taken without a context, for one tenant, while it moves in",
        [
            must("peer", spiffe_id("Its SPIFFE ID, one of `callers`")),
            must("tenant", tenant_id("For whom its requests are taken to be")),
            must("until", time("When this ends")),
        ],
    )
}

fn platform() -> Value {
    let action = text("An action of scope `platform`", "^[A-Za-z0-9:._-]{1,64}$", &["metrics:scrape"]);
    object(
        "a platform principal",
        "A workload of the platform that may call this service for no tenant",
        [must("spiffe_id", spiffe_id("Its SPIFFE ID")), must("actions", list("What it may do", action, 1))],
    )
}

fn operation() -> Value {
    let methods = METHODS.join("|");
    let mut resource = text("Its type in policies: `Order::\"…\"`", "^[A-Z][A-Za-z0-9]{0,63}$", &["Order"]);
    resource["not"] = json!({ "enum": TAKEN });
    let mut operation = object(
        "an operation",
        "What one method and path, or one method of gRPC, mean",
        [
            may(
                "http",
                text(
                    "Method and path template; `{name}` is one whole segment",
                    &format!("^({methods}) /[!-~]*$"),
                    &["GET /orders/{id}"],
                ),
            ),
            may(
                "grpc",
                text(
                    "Instead of `http`: package, service and method of gRPC; `*` is every method that has no operation of its own",
                    r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/(\*|[A-Za-z_][A-Za-z0-9_]*)$",
                    &["shop.Orders/Get", "shop.Orders/*"],
                ),
            ),
            may(
                "route",
                json!({
                    "description": "Instead of `http`: that a route which leads here asks for it by naming action and resource; needs `routes: fill`",
                    "const": true,
                }),
            ),
            may(
                "query",
                conditions(
                    "What the query must have, by parameter, for this operation to cover a request",
                    "view",
                    "full",
                ),
            ),
            may("header", conditions("What headers must have, by name in lower case", "x-mode", "admin")),
            must(
                "action",
                text("Its name in policies: `Action::\"orders:read\"`", "^[A-Za-z0-9:._-]{1,64}$", &["orders:read"]),
            ),
            must("resource", resource),
            may("id", any_text("The parameter that is the resource's id", &["id"])),
            must("owner", owner()),
            may(
                "hold",
                text(
                    "Where an owner stands in the body: the most bytes of it, 1 KiB to 1024 KiB, which are read before the service gets the request; needs `hold_requests` of the plugin",
                    "^[1-9][0-9]* (KiB|MiB)$",
                    &["64 KiB"],
                ),
            ),
            may(
                "anonymous",
                json!({ "description": "Whether anybody may call it, without a credential", "type": "boolean", "default": false }),
            ),
            may("response", response()),
        ]
        .into_iter()
        .chain(data::of_operation()),
    );
    operation["oneOf"] = json!([{ "required": ["http"] }, { "required": ["grpc"] }, { "required": ["route"] }]);
    operation
}

/// One place, or a list of them.
fn owner() -> Value {
    const PLACE: &str = r"^(none|path\..+|query\.[A-Za-z0-9_.~-]{1,64}|header\.(?!x-partywall-)[a-z0-9-]{1,64}|id_prefix\.[:_.~|@]|body\./.*)$";
    let place = || text("A place", PLACE, &["path.tenant"]);
    let places = at_most(9, list("Places, every one of which counts where a request has it", place(), 1));
    json!({
        "description": "Where a request shows whose it is: `path.<parameter>`, `query.<parameter>`, `header.<name>`, `id_prefix.<separator>`, `body.<JSON pointer>`, or a list of them, every one of which must show the context's tenant where the request has it; `none` where a request need not show it, so that the service itself must see to it",
        "anyOf": [place(), places],
        "examples": ["path.tenant", ["path.tenant", "query.tenant_id"], "id_prefix.:", "none"],
    })
}

/// A mapping from names to what must stand there.
fn conditions(about: &str, name: &str, value: &str) -> Value {
    json!({
        "description": about,
        "type": "object",
        "minProperties": 1,
        "maxProperties": 4,
        "additionalProperties": text("What must stand there", "^[A-Za-z0-9._~-]{1,64}$", &[value]),
        "examples": [{ name: value }],
    })
}

fn response() -> Value {
    let size = |about: &str, example: &str| text(about, "^[1-9][0-9]* (KiB|MiB)$", &[example]);
    let place = || {
        text(
            "A JSON pointer in which `*` stands for every member; of gRPC numbers of fields, with `*` behind those that are repeated; or `header.<name>`",
            "^(/.*|[1-9][0-9]*(\\.\\*)?(\\.[1-9][0-9]*(\\.\\*)?)*|header\\.(?!x-partywall-)[a-z0-9-]+)$",
            &["/items/*/tenant_id", "/tenant", "1.*.3", "header.x-owner"],
        )
    };
    let mut response = object(
        "a response",
        "Where the owner stands in what the operation answers, or its age, and what is done about another tenant's or about what is too old",
        [
            may(
                "owner",
                json!({
                    "description": "Where owners stand: one place, or a list of them; needed where there is no `since`",
                    "anyOf": [
                        place(),
                        { "type": "array", "items": place(), "minItems": 1, "maxItems": 4, "uniqueItems": true },
                    ],
                }),
            ),
            may("format", or_else("json", word("How the body is written", FORMATS.iter().map(|(word, _)| *word)))),
            may(
                "foreign",
                or_else(
                    "deny",
                    word(
                        "What is done about an element of another tenant: the response is denied, the element left out, `null` in its place, or it passes and is counted",
                        FOREIGN.iter().map(|(word, _)| *word),
                    ),
                ),
            ),
            may(
                "since",
                text(
                    "Where the body tells since when an object is there, for the `retention` of the dataset: a JSON pointer to RFC 3339 or to a number of Unix seconds",
                    "^/",
                    &["/items/*/created_at"],
                ),
            ),
            may(
                "outlived",
                or_else(
                    "deny",
                    word(
                        "What is done about an element that is older: the response is denied, the element left out, or `null` in its place",
                        OUTLIVED.iter().map(|(word, _)| *word),
                    ),
                ),
            ),
            may(
                "errors",
                or_else(
                    "strip",
                    word(
                        "What is done about the bodies of redirections and errors",
                        ERRORS.iter().map(|(word, _)| *word),
                    ),
                ),
            ),
            may(
                "element_cap",
                or_else(
                    ELEMENT_CAP,
                    size("The most bytes of one element, 1 KiB to 16 MiB; a larger one is denied", ELEMENT_CAP),
                ),
            ),
            may(
                "hold",
                size(
                    "How much of a response is kept back until its end, so that a denial is an answer of its own; needs `hold_responses` of the plugin",
                    "64 KiB",
                ),
            ),
        ],
    );
    response["anyOf"] = json!([{ "required": ["owner"] }, { "required": ["since"] }]);
    response
}

fn act_for() -> Value {
    let fetched = object(
        "`act_for`",
        "Of these tenants those alone whose records it fetched, as its own sidecar saw",
        [
            may("tenants", or_else("all", scope("The tenants"))),
            must("fetched", duration("How long ago at most", "30s")),
        ],
    );
    either(
        "The tenants it may name in `x-partywall-act-for`; needs a signer of this workload. `fetched` is any tenant whose records it fetched within 30 s",
        [scope("These"), json!({ "const": "fetched" }), fetched],
    )
}
