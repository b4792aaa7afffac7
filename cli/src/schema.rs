//! JSON Schemas (draft 2020-12) of the YAML files of a tenancy directory, and of the plugin configuration: what editors
//! complete and check by.
//!
//! The reader in `directory/` has the last word: it also knows what one file cannot tell, such as whether a tenant
//! is there. What a schema can say, it says from the reader's own lists of words, and the tests hold the rest equal:
//! each object carries the name by which the reader calls it, and has the fields that the reader asked for.

mod api_keys;
mod cases;
mod data;
mod deployment;
mod events;
mod issuer;
mod links;
mod mesh;
mod overlay;
mod plugin;
mod redaction;
mod service;
mod shape;
mod share;
mod sources;
mod tenant;
#[cfg(test)]
mod tests;
mod values;

use serde_json::{Value, json};

/// A kind of file with a schema of its own.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Its name, as `mesh`.
    pub(crate) name: &'static str,
    /// The files that it is for, below the tenancy directory or the folder that is served.
    pub(crate) files: &'static str,
    root: fn() -> Value,
}

/// All of them.
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "mesh", files: "mesh.yaml", root: mesh::mesh },
    Kind { name: "tenant", files: "tenants/*.yaml", root: tenant::tenant },
    Kind { name: "retired", files: "tenants/retired.yaml", root: tenant::retired },
    Kind { name: "profile", files: "profiles/*.yaml", root: tenant::profile },
    Kind { name: "service", files: "services/*.yaml", root: service::service },
    Kind { name: "share", files: "shares/*.yaml", root: share::share },
    Kind { name: "links", files: "policies/links.yaml", root: links::links },
    Kind { name: "api-keys", files: "api-keys.yaml", root: api_keys::api_keys },
    Kind { name: "datasets", files: "datasets.yaml", root: data::datasets },
    Kind { name: "events", files: "events.yaml", root: events::events },
    Kind { name: "redaction", files: "redaction.yaml", root: redaction::redaction },
    Kind { name: "cases", files: "cases/*.yaml", root: cases::cases },
    Kind { name: "deployment", files: "deployment.yaml, beside the directory", root: deployment::deployment },
    Kind { name: "overlay", files: "overlay.yaml, beside the bundle", root: overlay::overlay },
    Kind { name: "plugin", files: "the configuration of a filter in Envoy", root: plugin::plugin },
    Kind { name: "kafka-scope", files: "the configuration of a `kafka_scope` in Envoy", root: plugin::kafka_scope },
];

impl Kind {
    /// The kind with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }

    /// The file name of its schema.
    pub(crate) fn file(self) -> String {
        format!("{}.schema.json", self.name)
    }

    /// Its schema.
    pub(crate) fn schema(self) -> Value {
        let mut root = (self.root)();
        if let Some(fields) = root.as_object_mut() {
            fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        }
        root
    }

    /// Its schema as it lies in a file.
    pub(crate) fn text(self) -> String {
        format!("{:#}\n", self.schema())
    }
}
