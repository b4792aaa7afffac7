//! `cases/*.yaml`.

use partywall_tenancy::Reason;
use serde_json::{Value, json};

use super::shape::{any_text, list, may, must, object, text, word};
use super::values::{NAME, tenant_id};
use crate::cases::DECISIONS;
use crate::directory::METHODS;

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
            must("when", when()),
            must("then", then()),
        ],
    )
}

fn given() -> Value {
    object(
        "`given`",
        "Who acts",
        [
            must("tenant", tenant_id("The tenant that was proved")),
            may("subject", any_text("The principal's name within its tenant", &["alice"])),
            may("roles", list("The principal's roles", any_text("A role", &["viewer"]), 0)),
            may(
                "withdrawn",
                list("Consents of the tenant that the overlay withdraws", text("A consent", NAME, &["analytics"]), 0),
            ),
        ],
    )
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
                text("Method and path", &format!("^({methods}|[A-Z]+) /.*$"), &["GET /tenants/acme/orders"]),
            ),
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
            may("reason", word("Why not", reasons)),
            may("policy", policy),
        ],
    );
    then["if"] = json!({ "properties": { "decision": { "const": "allow" } } });
    then["then"] = json!({ "not": { "required": ["reason"] } });
    then
}
