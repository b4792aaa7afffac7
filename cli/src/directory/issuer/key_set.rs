//! `jwks:` and `symmetric_keys:` of an issuer: where its keys are.

use crate::directory::fields::{Fields, Report, list, once_each, text};
use crate::directory::values::{duration, is_label, key_id};
use crate::directory::yaml::{Located, Node, Value};

/// Where an issuer's keys are written.
#[derive(Debug)]
pub(crate) enum JwksEntry<'s> {
    /// In this file of the keys folder.
    File(Located<'s, String>),
    /// Right here.
    Inline(Node<'s>),
    /// Nowhere: the sidecar fetches them.
    Fetched(Fetched),
}

/// How a sidecar fetches a JWK set.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// `cluster`.
    pub(crate) cluster: String,
    /// `authority`.
    pub(crate) authority: String,
    /// `path`.
    pub(crate) path: String,
    /// `max_age`, in seconds.
    pub(crate) max_age: u32,
}

/// Reads `jwks`.
pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<JwksEntry<'s>> {
    if let Value::Map(entries) = &node.value {
        let has = |names: &[&str]| entries.iter().any(|(key, _)| names.contains(&key.value.as_str()));
        return match (has(&["cluster", "authority", "path", "max_age"]), has(&["keys"])) {
            (false, _) => Some(JwksEntry::Inline(node)),
            (true, false) => fetched(node, report).map(JwksEntry::Fetched),
            (true, true) => {
                let diagnostic = node.at.error("a JWK set is either written here or fetched");
                report.add(diagnostic.help("take out `keys`, or `cluster`, `authority`, `path` and `max_age`"))
            }
        };
    }
    let found = text(node, "`jwks`", report)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if found.value.bytes().all(plain) && !found.value.starts_with('.') && found.value.len() <= 200 {
        return Some(JwksEntry::File(found));
    }
    let diagnostic = found.at.error(format!("`{}` is no plain file name", found.value));
    report.add(diagnostic.help(
        "name a file of the keys folder, as `id.acme.example.jwks.json`; to let sidecars fetch it, write `jwks: { cluster: identity, authority: id.acme.example, path: /jwks.json }`",
    ))
}

fn fetched(node: Node<'_>, report: &mut Report) -> Option<Fetched> {
    let mut fields = Fields::of(node, "a JWK set to be fetched", report)?;
    let cluster = fields
        .required("cluster", "write `cluster: identity`: the Envoy cluster that leads to it", report)
        .and_then(|node| cluster(node, report));
    let authority = fields
        .required("authority", "write `authority: id.acme.example`", report)
        .and_then(|node| authority(node, report));
    let path =
        fields.required("path", "write `path: /.well-known/jwks.json`", report).and_then(|node| path(node, report));
    let max_age = match fields.optional("max_age") {
        Some(node) => duration(node, "`max_age`", 60..=86_400, report),
        None => Some(3_600),
    };
    fields.finish(report);
    Some(Fetched { cluster: cluster?, authority: authority?, path: path?, max_age: max_age? })
}

fn cluster(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "a cluster", report)?;
    if found.value.len() <= 255 && found.value.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("cluster `{}` has a blank or is too long", found.value));
    report.add(diagnostic.help("copy its `name` from the Envoy configuration, as `identity`"))
}

fn authority(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "an authority", report)?;
    let (host, port) = found.value.split_once(':').unwrap_or((&found.value, "443"));
    if host.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Some(found.value);
    }
    let diagnostic =
        found.at.error(format!("authority `{}` is no host in lower case, with or without a port", found.value));
    report.add(diagnostic.help("write the host alone, as `id.acme.example` or `id.acme.example:8443`"))
}

fn path(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "a path", report)?;
    let good = found.value.len() <= 1_024
        && found.value.starts_with('/')
        && found.value.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if good {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("`{}` is no path", found.value));
    report.add(diagnostic.help("write what follows the host, as `/.well-known/jwks.json`"))
}

/// Reads `symmetric_keys`: ids alone.
pub(super) fn symmetric<'s>(
    node: Node<'s>,
    jwks: Option<&JwksEntry<'s>>,
    report: &mut Report,
) -> Vec<Located<'s, String>> {
    let at = node.at;
    if let Value::List(items) = &node.value
        && !(1..=16).contains(&items.len())
    {
        let diagnostic = at.error(format!("`symmetric_keys` has {} keys; it needs 1 to 16", items.len()));
        report.push(diagnostic.help("write `symmetric_keys: [{ kid: hs-1 }]`, or take the line out"));
    }
    if let Some(JwksEntry::Fetched(_)) = jwks {
        let diagnostic = at.error("an issuer whose keys are fetched has no symmetric keys");
        report.push(diagnostic.help("whoever publishes keys signs with them: take this line out"));
    }
    let found = list(node, "`symmetric_keys`", report, symmetric_key);
    once_each(found, "`symmetric_keys`", report)
}

/// INVARIANT: what is secret is no part of a tenancy directory, and its line is never shown.
fn symmetric_key<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    if let Value::Map(entries) = &node.value
        && let Some((key, _)) = entries.iter().find(|(key, _)| matches!(key.value.as_str(), "k" | "key" | "secret"))
    {
        let diagnostic = key.at.error("a symmetric key does not stand in this directory").without_line();
        return report.add(diagnostic.help(
            "write its id alone, `{ kid: hs-1 }`; the key is a secret of the sidecar. Count this one as leaked",
        ));
    }
    let mut fields = Fields::of(node, "a symmetric key", report)?;
    let id = fields.required("kid", "write `kid: hs-1`", report).and_then(|node| key_id(node, report));
    fields.finish(report);
    id
}
