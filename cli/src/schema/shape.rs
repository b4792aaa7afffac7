//! The shapes that schemas are made of.

use serde_json::{Map, Value, json};

/// A field of an object.
pub(super) struct Field {
    name: &'static str,
    value: Value,
    must: bool,
}

/// A field that must be there.
pub(super) fn must(name: &'static str, value: Value) -> Field {
    Field { name, value, must: true }
}

/// A field that may be left out.
pub(super) fn may(name: &'static str, value: Value) -> Field {
    Field { name, value, must: false }
}

/// A mapping with these fields and no others. `what` is how the reader calls it.
pub(super) fn object(what: &str, about: &str, fields: impl IntoIterator<Item = Field>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields {
        if field.must {
            required.push(json!(field.name));
        }
        properties.insert(field.name.to_owned(), field.value);
    }
    json!({
        "title": what,
        "description": about,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A text that fits `pattern`.
pub(super) fn text(about: &str, pattern: &str, examples: &[&str]) -> Value {
    json!({ "description": about, "type": "string", "pattern": pattern, "examples": examples })
}

/// A text that is not only blanks.
pub(super) fn any_text(about: &str, examples: &[&str]) -> Value {
    text(about, r"\S", examples)
}

/// One of these words.
pub(super) fn word<'w>(about: &str, words: impl IntoIterator<Item = &'w str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "description": about, "type": "string", "enum": words })
}

/// A list of these, each once.
pub(super) fn list(about: &str, items: Value, least: usize) -> Value {
    json!({ "description": about, "type": "array", "items": items, "uniqueItems": true, "minItems": least })
}

/// The same with at most so many items.
pub(super) fn at_most(most: usize, mut list: Value) -> Value {
    list["maxItems"] = json!(most);
    list
}

/// One of these shapes.
pub(super) fn either(about: &str, shapes: impl IntoIterator<Item = Value>) -> Value {
    json!({ "description": about, "anyOf": shapes.into_iter().collect::<Vec<_>>() })
}

/// The same, left out as this.
pub(super) fn or_else(default: &str, mut value: Value) -> Value {
    value["default"] = json!(default);
    value
}
