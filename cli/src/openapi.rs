//! From an OpenAPI document to the operations of a service.
//!
//! What the document says is a start: it knows paths and parameters, and nothing of tenants. So every choice that was
//! made can be seen in what is written, and whatever cannot be mapped is left out and told; a request that no operation
//! covers is denied.

mod document;
mod names;
mod write;

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use serde_json::Value;

use crate::directory::{METHODS, path_problem, shape};

pub(crate) use document::read;
pub(crate) use names::word;
pub(crate) use write::{About, service};

/// How operations are called in policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Actions {
    /// What is done to which kind of thing: `pets:read`, `pets:list`, `pets:create`, `pets:feed`
    Verb,
    /// One action for each operation: `pets:getPetById`
    Operation,
}

/// How a document is read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// What all paths begin with, instead of what the document says.
    pub(crate) base_path: Option<&'a str>,
    /// The path parameters that name an owner.
    pub(crate) owners: &'a [String],
    /// How operations are called.
    pub(crate) actions: Actions,
}

/// An operation, as the tenancy directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) id: Option<String>,
    /// The path parameter that names the owner; none where nothing does.
    pub(crate) owner: Option<String>,
    /// Whether the document asks for no credential here.
    pub(crate) open: bool,
}

/// What came of a document.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) title: String,
    pub(crate) operations: Vec<Imported>,
    /// What is not mapped, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

impl Outcome {
    /// How many operations change something, and how many of these show no owner.
    pub(crate) fn writes(&self) -> (usize, usize) {
        let writes = || self.operations.iter().filter(|one| !matches!(one.method.as_str(), "GET" | "HEAD" | "OPTIONS"));
        (writes().count(), writes().filter(|one| one.owner.is_none()).count())
    }
}

/// Maps the operations of a document.
pub(crate) fn operations(document: &Value, reading: &Reading<'_>) -> Result<Outcome, String> {
    let base = match reading.base_path {
        Some(base) => base.to_owned(),
        None => document::base_path(document)?,
    };
    let paths = document
        .get("paths")
        .and_then(Value::as_object)
        .ok_or("it has no `paths`: write the file of an OpenAPI 3 or Swagger 2 document")?;
    let title = document.pointer("/info/title").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut outcome = Outcome { title, ..Outcome::default() };
    let collections = names::collections(paths.keys());
    let mut shapes = BTreeMap::new();
    for (template, item) in paths {
        let path = format!("{}{template}", base.trim_end_matches('/'));
        let Some(item) = item.as_object() else {
            outcome.left_out.push((path, "its entry is no mapping".into()));
            continue;
        };
        for (method, operation) in item {
            let method = method.to_ascii_uppercase();
            let shown = format!("{method} {path}");
            if !METHODS.contains(&method.as_str()) {
                // `parameters`, `summary` and their kin stand beside the methods.
                if matches!(method.as_str(), "TRACE" | "CONNECT" | "QUERY") {
                    outcome.left_out.push((shown, "the method is not mapped".into()));
                }
                continue;
            }
            match one(&method, &path, (operation, &collections), document, reading) {
                Err(why) => outcome.left_out.push((shown, why)),
                Ok(imported) => match shapes.entry(shape(&imported.method, &imported.path)) {
                    Entry::Occupied(other) => {
                        outcome.left_out.push((shown, format!("covers the same requests as `{}`", other.get())));
                    }
                    Entry::Vacant(first) => {
                        first.insert(shown);
                        outcome.operations.push(imported);
                    }
                },
            }
        }
    }
    Ok(outcome)
}

fn one(
    method: &str,
    template: &str,
    (operation, collections): (&Value, &BTreeSet<&str>),
    document: &Value,
    reading: &Reading<'_>,
) -> Result<Imported, String> {
    let (path, parameters) = names::path(template)?;
    // What the reader of the directory refuses would make the whole file no good.
    if let Some(problem) = path_problem(&path) {
        return Err(problem.to_string());
    }
    let owner = parameters.iter().find(|name| reading.owners.contains(name)).cloned();
    let about = names::about(&path, collections, reading.owners);
    let verb = match reading.actions {
        Actions::Verb => names::verb(method, &about, collections),
        Actions::Operation => operation
            .get("operationId")
            .and_then(Value::as_str)
            .map(names::word)
            .filter(|word| !word.is_empty())
            .ok_or("it has no `operationId` to be called by: leave `--actions operation` out")?,
    };
    let action = names::action(&about.thing, &verb);
    Ok(Imported {
        method: method.to_owned(),
        resource: names::resource(&about.thing),
        action,
        id: about.id,
        owner,
        open: document::asks_for_nothing(operation, document),
        path,
    })
}
