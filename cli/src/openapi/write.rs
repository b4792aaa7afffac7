//! The file of the service.

use std::fmt::Write as _;

use super::{Imported, Outcome};

/// What the document cannot say.
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) spiffe_id: &'a str,
    pub(crate) callers: &'a [String],
}

/// `services/<name>.yaml`.
pub(crate) fn service(about: &About<'_>, outcome: &Outcome) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "service: {}", about.name);
    let _ = writeln!(text, "spiffe_id: {}", about.spiffe_id);
    text.push_str("\n# Who may bring a request here, and for which tenants.\ncallers:");
    if about.callers.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    for caller in about.callers {
        let _ = writeln!(text, "  - {{ spiffe_id: {}, tenants: all }}", quoted(caller));
    }
    let (writes, unseen) = outcome.writes();
    let _ = writeln!(text, "\n# From `{}`: {} operations.", plain(&outcome.title), outcome.operations.len());
    let _ = writeln!(
        text,
        "# Of {writes} that write, {unseen} show no owner (`owner: none`): there the service itself must see to it whose they are."
    );
    text.push_str("operations:");
    if outcome.operations.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    for one in &outcome.operations {
        operation(&mut text, one);
    }
    if !outcome.left_out.is_empty() {
        text.push_str("\n# Left out, so that such a request is denied:\n");
        for (what, why) in &outcome.left_out {
            let _ = writeln!(text, "#   {}: {}", plain(what), plain(why));
        }
    }
    text
}

fn operation(text: &mut String, one: &Imported) {
    let http = quoted(&format!("{} {}", one.method, one.path));
    let id = one.id.as_ref().map(|id| format!(", id: {id}")).unwrap_or_default();
    let owner = one.owner.as_ref().map_or("none".to_owned(), |name| format!("path.{name}"));
    // Nobody is let in for a document's sake.
    let open =
        if one.open { " # the document asks for no credential here; `anonymous: true` would not either" } else { "" };
    let _ = writeln!(
        text,
        "  - {{ http: {http}, action: {}, resource: {}{id}, owner: {owner} }}{open}",
        quoted(&one.action),
        one.resource
    );
}

/// A text in double quotes, as JSON and YAML both have it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text that stays on its line of comment.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
