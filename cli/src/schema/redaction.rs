//! `redaction.yaml`.

use partywall_log_redaction::arrival::Form;
use partywall_log_redaction::fields::slots;
use serde_json::{Value, json};

use super::shape::{any_text, at_most, list, may, must, object, or_else, text, word};
use super::values::{LABEL, tenant_id};
use crate::directory::redaction::{
    ACTIONS, FIELD_ACTIONS, FOREIGN, MOST_ATTRIBUTES, MOST_OWN, MOST_SETS, UNATTRIBUTED, UNKNOWN, UNLISTED,
};

/// A number of bytes.
pub(super) const SIZE: &str = "^[1-9][0-9]* (KiB|MiB)$";
/// The name of a field that holds a tenant.
const FIELD: &str = r#"^[!#-)+-\[\]-~]{1,64}$"#;

pub(super) fn redaction() -> Value {
    object(
        "the file of redaction",
        "redaction.yaml: what the collector's proxy does with telemetry. Without it that proxy lets nothing pass",
        [
            may("detectors", detectors()),
            may("replace", replace()),
            may(
                "fields",
                at_most(MOST_SETS, list("Which fields may stay; the first set that is for a record holds", set(), 0)),
            ),
            may("tenants", tenants()),
            may("summary", flag("Whether a record says where something was masked in it, and how often")),
            may("routes", list("Where telemetry comes in beside the usual places", route(), 0)),
            may("passing", list("Requests that are no telemetry and go on as they come", passing(), 0)),
            may("bounds", bounds()),
        ],
    )
}

fn flag(about: &str) -> Value {
    json!({ "description": about, "type": "boolean", "default": true })
}

fn detectors() -> Value {
    let name =
        || any_text("A detector or a group of them, as `partywall redact --list` has it", &["coordinates", "key"]);
    object(
        "`detectors`",
        "What is looked for; all that is built in where left out",
        [
            may("only", list("Those that are on", name(), 1)),
            may("without", list("Those that are off, whatever `only` says", name(), 1)),
            may("custom", at_most(MOST_OWN, list("Detectors of one's own", own(), 0))),
        ],
    )
}

fn own() -> Value {
    let texts = |about: &str, what: &str, example: &str| list(about, any_text(what, &[example]), 1);
    object(
        "a detector",
        "A detector of one's own: a pattern whose matches have an end",
        [
            must("name", text("Its name, in marks and in `replace`", "^[a-z0-9_/-]{1,64}$", &["order_number"])),
            must(
                "pattern",
                any_text("As the crate regex reads it; what is repeated says how often at most", &["ORD-[0-9]{8}"]),
            ),
            may("words", texts("One of these stands beside it, or in the field's name", "A word", "order")),
            may("finds", texts("Texts that it finds whole: `partywall check` tries them", "A text", "ORD-12345678")),
            may("passes", texts("Texts in which it finds nothing", "A text", "ORD-1234")),
        ],
    )
}

fn replace() -> Value {
    let actions = || ACTIONS.iter().map(|(name, _)| *name);
    json!({
        "description": "What stands for what is found, by detector or group, and `default` for the rest",
        "type": "object",
        "propertyNames": { "pattern": "^[a-z0-9_/-]{1,64}$" },
        "additionalProperties": word("What is written in its place, or what is left out with it", actions()),
        "examples": [{ "default": "mask", "email": "pseudonym", "card": "partial", "key": "drop_field" }],
    })
}

fn set() -> Value {
    let names = |about: &str, item: Value| list(about, item, 1);
    object(
        "a set of fields",
        "Rules, and whose records they are for",
        [
            may("tenants", list("Of these tenants; of all where left out", tenant_id("A tenant of tenants/"), 0)),
            may("services", names("Sent by these services", any_text("A service", &["payments"]))),
            may(
                "classifications",
                names("Of these classifications", text("One of datasets.yaml", LABEL, &["restricted"])),
            ),
            may(
                "unlisted",
                or_else(
                    "scan",
                    word("What becomes of a field that no rule names", UNLISTED.iter().map(|(name, _)| *name)),
                ),
            ),
            must("rules", list("The first that fits a field holds", rule(), 0)),
        ],
    )
}

fn slots_of() -> Value {
    list("What the field is of; anything where left out", word("What a field is of", slots()), 1)
}

fn rule() -> Value {
    object(
        "a rule of fields",
        "What becomes of fields at a place",
        [
            must(
                "path",
                any_text(
                    "Names with dots between: `*` is any one, `**` any number of them, `[]` the items of an array",
                    &["user.email", "attributes.*", "**"],
                ),
            ),
            may("slots", slots_of()),
            must("action", word("What becomes of it", FIELD_ACTIONS.iter().map(|(name, _)| *name))),
        ],
    )
}

fn tenants() -> Value {
    let words = |list: &'static [&'static str]| list.iter().copied();
    let unknown: Vec<&'static str> = UNKNOWN.iter().map(|(name, _)| *name).collect();
    let field = |about: &str, example: &str| text(about, FIELD, &[example]);
    let rules = object(
        "`tenants` of redaction",
        "By what a record names its tenant, and what becomes of others'",
        [
            may(
                "attributes",
                at_most(
                    MOST_ATTRIBUTES,
                    list("Names of fields that hold a tenant's id or fingerprint", field("A field", "tenant.id"), 1),
                ),
            ),
            may("templates", list("Other places that hold one", template(), 0)),
            may(
                "unknown",
                or_else("foreign", word("What a tenant is that there is not: another one, or nobody", unknown)),
            ),
            may(
                "foreign",
                or_else(
                    "drop",
                    word(
                        "What becomes of records of another tenant, or that mention one",
                        FOREIGN.iter().map(|(name, _)| *name),
                    ),
                ),
            ),
            may(
                "unattributed",
                or_else(
                    "keep-masked",
                    word("What becomes of records that name none", UNATTRIBUTED.iter().map(|(name, _)| *name)),
                ),
            ),
            may("tag", field("A field that is added to records, with their tenant's fingerprint", "partywall.tenant")),
        ],
    );
    let none = word("Nobody is kept apart", words(&["none"]));
    json!({
        "description": "Whose a record is. Tenants are kept apart where this is left out, too; `none` keeps nobody apart",
        "anyOf": [none, rules],
        "examples": [{ "foreign": "drop", "unattributed": "drop" }, "none"],
    })
}

fn template() -> Value {
    object(
        "a template of redaction",
        "A place that holds a tenant's id among other things",
        [
            must(
                "template",
                text(
                    "How it is written; `*` may be its end",
                    r"^[^{}*]*\{tenant\}[^{}*]*\*?$",
                    &["logs-{tenant}-*", "{tenant}.orders", "/t/{tenant}/*"],
                ),
            ),
            may("path", or_else("**", any_text("Where it stands, as in rules of fields", &["**.url.path"]))),
            may("slots", slots_of()),
        ],
    )
}

fn route() -> Value {
    object(
        "a route of telemetry",
        "A place where telemetry comes in",
        [
            must(
                "path",
                text(
                    "The path without its query: `{index}` is the index of records that name none, `*` at the end any more",
                    "^/",
                    &["/ingest", "/{index}/logs/*"],
                ),
            ),
            must("carrier", word("How it is written there", Form::ALL.into_iter().map(Form::name))),
        ],
    )
}

fn passing() -> Value {
    object(
        "a request that passes",
        "One that is no telemetry",
        [
            must("method", text("Its method", "^[A-Z-]{1,32}$", &["GET"])),
            must("path", text("Its path, whole and without a query", "^/[^?]*$", &["/ready"])),
        ],
    )
}

fn bounds() -> Value {
    let size = |about: &str, usual: &str| or_else(usual, text(about, SIZE, &[usual]));
    object(
        "`bounds`",
        "What is held and unfolded at most",
        [
            may("record", size("A record that stands for itself", "1 MiB")),
            may("block", size("What has records in it: a resource, a stream, a message of gRPC", "4 MiB")),
            may("unfolded", size("What an encoded body unfolds to", "64 MiB")),
            may(
                "ratio",
                json!({
                    "description": "How many times its size a body unfolds to",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 10_000,
                    "default": 200,
                    "examples": [200],
                }),
            ),
        ],
    )
}
