//! `cases/*.yaml`.

use partywall_authorization::RouteSays;
use partywall_event_scope::kafka::session::Action;
use partywall_tenancy::Reason;
use serde_json::{Value, json};

use super::shape::{any_text, either, list, may, must, object, text, word};
use super::values::{NAME, duration, label, spiffe_id, tenant_id, time};
use crate::cases::DECISIONS;
use crate::directory::METHODS;
use crate::modes::MODES;

pub(super) fn cases() -> Value {
    object(
        "a file of cases",
        "cases/*.yaml: what is decided about which request, played by `partywall test`",
        [must("cases", list("Cases", case(), 1))],
    )
}

fn case() -> Value {
    object(
        "a case",
        "One request, and what is decided about it",
        [
            must(
                "name",
                any_text("What it shows, in a few words; each name once in its file", &["a viewer reads an order"]),
            ),
            must("given", given()),
            must(
                "when",
                either("What is asked for: a request, or something done to a topic of Kafka", [when(), of_topic()]),
            ),
            must("then", then()),
        ],
    )
}

/// Who was proved, or what is shown: one of the two.
fn given() -> Value {
    const SHOWN: [&str; 5] = ["token", "api_key", "certificate", "host", "headers"];
    let mut given = object(
        "`given`",
        "Who acts: a tenant that was proved, or what a client shows at the edge",
        [
            may("tenant", tenant_id("The tenant that was proved")),
            may("subject", any_text("The principal's name within its tenant", &["alice"])),
            may(
                "caller",
                spiffe_id(
                    "The workload that brings the request to the service's sidecar; one that it lists where left out, and `context.caller` says nobody, as at the edge. Alone: it calls for no tenant, as a platform principal does",
                ),
            ),
            may("roles", list("The principal's roles", any_text("A role", &["viewer"]), 0)),
            may("scopes", list("The scopes of its credential", any_text("A scope", &["orders:read"]), 0)),
            may(
                "withdrawn",
                list("Consents of the tenant that the overlay withdraws", text("A consent", NAME, &["analytics"]), 0),
            ),
            may("token", token()),
            may("api_key", any_text("An API key of api-keys.yaml: its id, or its principal", &["nightly-export"])),
            may("certificate", certificate()),
            may("host", any_text("The host asked for", &["acme.shop.example"])),
            may("headers", headers("More headers, names in lower case", "x-shop-tenant")),
        ],
    );
    let any = |names: &[&str]| -> Value { names.iter().map(|name| json!({ "required": [name] })).collect() };
    given["if"] = json!({ "required": ["tenant"] });
    given["then"] = json!({ "not": { "anyOf": any(&SHOWN) } });
    let of_tenant = any(&["subject", "roles", "scopes", "withdrawn"]);
    let shows = json!({ "anyOf": any(&SHOWN), "not": { "required": ["caller"] } });
    let calls = json!({ "required": ["caller"], "not": { "anyOf": any(&SHOWN) } });
    given["else"] = json!({ "oneOf": [shows, calls], "not": { "anyOf": of_tenant } });
    given
}

fn headers(about: &str, example: &str) -> Value {
    json!({
        "description": about,
        "type": "object",
        "propertyNames": { "pattern": "^[a-z0-9._-]+$" },
        "additionalProperties": any_text("The value of a header", &["acme"]),
        "examples": [{ example: "acme" }],
    })
}

fn token() -> Value {
    let claims = json!({
        "description": "What it claims. `sub`, `aud`, `iat`, `exp` and `jti` are made up where they are left out",
        "type": "object",
        "examples": [{ "tenant": "acme", "roles": ["viewer"] }],
    });
    object(
        "a token of a case",
        "A JWT, signed by its issuer with a key of this run",
        [
            must("issuer", any_text("`iss`", &["https://id.acme.example"])),
            must("claims", claims),
            may("age", duration("How long ago it was issued: it lives for ten minutes", "2h")),
        ],
    )
}

fn certificate() -> Value {
    let mut certificate = object(
        "a certificate of a case",
        "A client's certificate, as Envoy verified it",
        [
            may("uri", any_text("Its first URI", &["spiffe://mesh.example/tenant/acme/sa/jobs"])),
            may("dns", any_text("Its first DNS name", &["acme.clients.example"])),
        ],
    );
    certificate["anyOf"] = json!([{ "required": ["uri"] }, { "required": ["dns"] }]);
    certificate
}

fn mode() -> Value {
    word("Whether what policies deny is denied", MODES.iter().map(|(word, _)| *word))
}

fn route() -> Value {
    let says = RouteSays::NAMES.map(|name| may(name, any_text("What the request asks for, by its route", &[])));
    object("`route`", "All that the metadata of the route say", [may("mode", mode())].into_iter().chain(says))
}

fn when() -> Value {
    let methods = METHODS.join("|");
    object(
        "`when`",
        "What is asked for",
        [
            must("service", any_text("The name of the service called", &["orders"])),
            must(
                "request",
                text(
                    "Method and path; of a gRPC call `GRPC` and `/package.Service/Method`",
                    &format!("^({methods}|[A-Z]+) /.*$"),
                    &["GET /tenants/acme/orders"],
                ),
            ),
            may("headers", headers("Headers of the request, names in lower case", "x-account")),
            may("body", any_text("The body of the request, of one that is held", &[r#"{"tenant_id":"acme"}"#])),
            may(
                "route",
                json!({
                    "description": "What the metadata of the request's route say: a mode, or several words",
                    "anyOf": [mode(), route()],
                }),
            ),
            may("time", time("When it is decided, in UTC; now where left out")),
            may(
                "from",
                text(
                    "The client's address as the edge sees it, for `networks`; in none of them where left out",
                    "^[0-9A-Fa-f.:]+$",
                    &["10.1.2.3", "2001:db8::7"],
                ),
            ),
            may(
                "region",
                label(
                    "The region of the sidecar that decides, for datasets and cells that lie in one; unknown where left out",
                    &["eu"],
                ),
            ),
            may("cell", label("The cell in which it stands; left out, it serves all of them", &["eu-1"])),
        ],
    )
}

/// Of a topic of Kafka.
fn of_topic() -> Value {
    let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
    let pattern = format!("^({}) [A-Za-z0-9._-]+$", actions.join("|"));
    object(
        "`when` of a topic",
        "What is done to a topic of a cluster of events.yaml",
        [
            must("cluster", any_text("The name of the cluster", &["shop-events"])),
            must(
                "kafka",
                text("What is done, and the topic as the tenant calls it", &pattern, &["events:consume orders"]),
            ),
            may("time", time("When it is decided, in UTC; now where left out")),
        ],
    )
}

fn then() -> Value {
    let reasons = Reason::ALL.iter().map(|reason| reason.code());
    let policy = any_text("The id of the policy that settles it, as access logs print it", &["viewers-read"]);
    let mut then = object(
        "`then`",
        "What is decided",
        [
            must("decision", word("Whether it may pass", DECISIONS)),
            may("reason", word("Why not", reasons.clone())),
            may("shadow", word("Why it would be denied, were it not in shadow", reasons)),
            may("policy", policy),
        ],
    );
    then["if"] = json!({ "properties": { "decision": { "const": "allow" } } });
    then["then"] = json!({ "not": { "required": ["reason"] } });
    then["else"] = json!({ "not": { "required": ["shadow"] } });
    then
}
