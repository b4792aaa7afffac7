//! `policies/links.yaml`.

use serde_json::{Value, json};

use super::shape::{any_text, list, must, object, text};

pub(super) fn links() -> Value {
    list("policies/links.yaml: templates, and what is put for their slots", link(), 0)
}

fn link() -> Value {
    let entity = text("An entity", "^.+::\"", &["Role::\"viewer\""]);
    let args = json!({
        "description": "What is put for each slot",
        "type": "object",
        "properties": { "?principal": entity, "?resource": entity },
        "additionalProperties": false,
    });
    object(
        "a link",
        "A policy that comes of a template",
        [
            must("template_id", any_text("The `@id` of the template", &["readers"])),
            must("link_id", any_text("The id of the policy that comes of it", &["readers-of-orders"])),
            must("args", args),
        ],
    )
}
