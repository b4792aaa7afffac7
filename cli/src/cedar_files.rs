//! Policies, links and schemas in the formats of the `cedar` command line.

use std::error::Error;
use std::path::{Path, PathBuf};

use cedar_policy::{PolicyId, PolicySet, Schema};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::links;
use crate::exit::Failure;
use crate::files;

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// One set of all policies in these files, each under its `@id` where it has one, with the links of its templates.
pub(crate) fn policies(paths: &[PathBuf], links: Option<&Path>) -> Result<PolicySet, Failure> {
    let mut all = PolicySet::new();
    for (nth, path) in paths.iter().enumerate() {
        let text = text(path)?;
        let set = if is_json(path) {
            PolicySet::from_json_str(&text).map_err(|e| Failure::file(path, with_causes(&e)))?
        } else {
            text.parse().map_err(|e: cedar_policy::ParseErrors| Failure::file(path, at(&text, &e)))?
        };
        let clash = |e: cedar_policy::PolicySetError| Failure::file(path, e);
        // Cedar numbers the policies of each file from zero.
        let id = |annotation: Option<&str>, number: &PolicyId| match annotation {
            Some(id) => PolicyId::new(id),
            None if nth == 0 => number.clone(),
            None => PolicyId::new(format!("{}#{number}", path.display())),
        };
        for policy in set.policies() {
            all.add(policy.new_id(id(policy.annotation("id"), policy.id()))).map_err(clash)?;
        }
        for template in set.templates() {
            all.add_template(template.new_id(id(template.annotation("id"), template.id()))).map_err(clash)?;
        }
    }
    if let Some(path) = links {
        link(&mut all, path)?;
    }
    Ok(all)
}

fn link(set: &mut PolicySet, path: &Path) -> Result<(), Failure> {
    let source = Source::new(path.to_string_lossy(), text(path)?);
    let told = |mistakes: Vec<Diagnostic>| {
        Failure::invalid(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    for link in links::links(&source).map_err(told)? {
        let (template, id) = (PolicyId::new(&link.template.value), PolicyId::new(&link.id.value));
        set.link(template, id, link.slots.into_iter().collect())
            .map_err(|e| told(vec![link.at.error(with_causes(&e))]))?;
    }
    Ok(())
}

/// A schema; its warnings are none of ours.
pub(crate) fn schema(path: &Path) -> Result<Schema, Failure> {
    let text = text(path)?;
    if is_json(path) {
        return Schema::from_json_str(&text).map_err(|e| Failure::file(path, with_causes(&e)));
    }
    let (schema, _) = Schema::from_cedarschema_str(&text).map_err(|e| Failure::file(path, with_causes(&e)))?;
    Ok(schema)
}

/// An error with what caused it, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// A syntax error with its line and column.
fn at(text: &str, errors: &cedar_policy::ParseErrors) -> String {
    let Some(first) = errors.iter().next() else { return errors.to_string() };
    let label = miette::Diagnostic::labels(first).and_then(|mut labels| labels.next());
    match label {
        None => first.to_string(),
        Some(label) => {
            let before = text.get(..label.offset()).unwrap_or(text);
            let line = 1 + before.matches('\n').count();
            let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
            format!("{line}:{column}: {first}")
        }
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// A file as text.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let bytes = files::read(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?;
    String::from_utf8(bytes).map_err(|_| Failure::file(path, "is not UTF-8"))
}
