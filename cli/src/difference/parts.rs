//! The things that a bundle lists, by their names: added, removed, changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use partywall_tenancy::{Audience, BundleBody};

use crate::material::Material;
use crate::show::bundle_json;
use crate::{clusters, redaction, shares};

/// One thing that is not as it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    /// What it is, as `tenant`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// `added`, `removed` or `changed`.
    pub(crate) change: &'static str,
    /// What of it changed.
    pub(crate) fields: Vec<Field>,
}

/// A field of it, then and now; null where it was or is not there.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    pub(crate) field: String,
    pub(crate) old: Value,
    pub(crate) new: Value,
}

/// Every thing of one bundle, by kind and name.
type Parts = BTreeMap<(&'static str, String), Value>;

/// What a bundle says of itself and not of the policy.
const ITS_OWN: &[&str] = &["format", "revision", "issued", "expires", "source_digest", "program", "audience"];
/// Kinds that a directory has only with its keys folder.
const KEYS: &[&str] = &["issuer key", "signer", "bundle key", "retired key", "overlay key", "grant key"];

/// What is not the same in both. `keys` says whether keys were read on both sides.
pub(crate) fn compare(old: &Material, new: &Material, keys: bool) -> Vec<Part> {
    let audiences = common(old, new);
    let (old, new) = (parts(old, &audiences), parts(new, &audiences));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let asked = names.into_iter().filter(|(kind, _)| keys || !KEYS.contains(kind));
    asked
        .filter_map(|key| {
            let (change, fields) = match (old.get(key), new.get(key)) {
                (Some(a), Some(b)) if a == b => return None,
                (Some(a), Some(b)) => ("changed", fields(a, b)),
                (Some(_), None) => ("removed", Vec::new()),
                (None, _) => ("added", Vec::new()),
            };
            Some(Part { kind: key.0, name: key.1.clone(), change, fields })
        })
        .collect()
}

fn fields(old: &Value, new: &Value) -> Vec<Field> {
    let (Value::Object(a), Value::Object(b)) = (old, new) else {
        return vec![Field { field: String::new(), old: old.clone(), new: new.clone() }];
    };
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differ = names.into_iter().filter(|name| a.get(*name) != b.get(*name));
    let of = |object: &serde_json::Map<String, Value>, name: &String| object.get(name).cloned().unwrap_or_default();
    differ.map(|name| Field { field: name.clone(), old: of(a, name), new: of(b, name) }).collect()
}

/// The audiences whose slices both have: what one of them was never given was not taken away.
pub(crate) fn common(old: &Material, new: &Material) -> Vec<Audience> {
    let has = |of: &Material, audience| of.slices.iter().any(|slice| slice.audience == audience);
    Audience::ALL.into_iter().filter(|audience| has(old, *audience) && has(new, *audience)).collect()
}

fn parts(material: &Material, audiences: &[Audience]) -> Parts {
    let mut parts = Parts::new();
    for slice in material.slices.iter().filter(|slice| audiences.contains(&slice.audience)) {
        add(slice, &mut parts);
    }
    for policy in &material.authorization.program().body().policies {
        // What it says is compared by what it decides.
        parts.insert(
            ("policy", policy.id.clone()),
            json!({ "effect": policy.effect, "annotations": policy.annotations }),
        );
    }
    parts
}

fn add(slice: &BundleBody, parts: &mut Parts) {
    let mut bundle = bundle_json(slice);
    // Written as they are packed there.
    bundle["tenants"] = slice.tenants.iter().map(|tenant| json!(tenant)).collect();
    if slice.audience == Audience::Redaction {
        // Names and ids, which other slices tell with all the rest.
        list(&mut bundle, "services");
    }
    if let Some(members) = bundle.as_object_mut() {
        members.remove("redaction");
    }
    if let Some(Some(redaction)) = redaction::of(slice) {
        for (part, written) in redaction::parts(&redaction) {
            parts.insert(("redaction", part.to_owned()), written);
        }
        for keys in &redaction.keys {
            parts.insert(("redaction keys", keys.tenant.to_string()), redaction::key(keys));
        }
    }
    for mut service in list(&mut bundle, "services") {
        let name = text(&service, "name");
        for operation in list(&mut service, "operations") {
            let http = format!("{name}: {} {}", text(&operation, "method"), text(&operation, "path"));
            parts.insert(("operation", http), operation);
        }
        for caller in list(&mut service, "callers") {
            parts.insert(("caller", format!("{name}: {}", text(&caller, "spiffe_id"))), caller);
        }
        parts.insert(("service", name), service);
    }
    for mut issuer in list(&mut bundle, "issuers") {
        let name = text(&issuer, "issuer");
        if let Some(keys) = issuer.get_mut("keys") {
            for key in list(keys, "Inline") {
                parts.insert(("issuer key", format!("{name}: {}", text(&key, "id"))), key);
            }
        }
        parts.insert(("issuer", name), issuer);
    }
    if let Some(mut keys) = bundle.as_object_mut().and_then(|members| members.remove("keys")) {
        for (kind, role) in
            [("bundle key", "bundle"), ("retired key", "retired"), ("overlay key", "overlay"), ("grant key", "grants")]
        {
            for key in list(&mut keys, role) {
                parts.insert((kind, text(&key, "id")), key);
            }
        }
    }
    for (kind, member, name) in
        [("tenant", "tenants", "id"), ("API key", "api_keys", "id"), ("signer", "signers", "id")]
    {
        for one in list(&mut bundle, member) {
            parts.insert((kind, text(&one, name)), one);
        }
    }
    for network in &slice.networks {
        let ranges: Vec<String> = network.ranges.iter().map(ToString::to_string).collect();
        parts.insert(("network", network.name.clone()), json!({ "ranges": ranges }));
    }
    list(&mut bundle, "networks");
    // In words: who gains or loses by one that comes or goes is what there is to say of it.
    for (share, written) in slice.shares.iter().zip(list(&mut bundle, "shares")) {
        parts.insert(("share", shares::words(share)), written);
    }
    for (cluster, mut written) in slice.events.iter().zip(list(&mut bundle, "events")) {
        for (rule, topic) in cluster.topics.iter().zip(list(&mut written, "topics")) {
            parts.insert(("topic", format!("{}: {}", cluster.name, clusters::rule(rule))), topic);
        }
        parts.insert(("cluster", cluster.name.clone()), written);
    }
    for (name, rest) in bundle.as_object_mut().into_iter().flat_map(std::mem::take) {
        if !ITS_OWN.contains(&name.as_str()) {
            parts.insert(("setting", format!("{name} of {}", slice.audience.name())), rest);
        }
    }
}

/// Takes a list out of an object.
fn list(value: &mut Value, name: &str) -> Vec<Value> {
    match value.as_object_mut().and_then(|members| members.remove(name)) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
