//! `issuers:` of `mesh.yaml`: who may issue JWTs, and for which tenants.

use crate::directory::fields::{Fields, Report, text, texts};
use crate::directory::values::{Scope, scope};
use crate::directory::yaml::{Located, Node, Value};

/// One of `issuers`.
#[derive(Debug)]
pub(crate) struct IssuerEntry<'s> {
    /// `issuer`.
    pub(crate) issuer: Located<'s, String>,
    /// `audiences`.
    pub(crate) audiences: Vec<String>,
    /// `tenant_claim`.
    pub(crate) tenant_claim: String,
    /// `roles_claim`.
    pub(crate) roles_claim: String,
    /// `jwks`.
    pub(crate) jwks: JwksEntry<'s>,
    /// `tenants`.
    pub(crate) tenants: Scope<'s>,
}

/// Where an issuer's keys are written.
#[derive(Debug)]
pub(crate) enum JwksEntry<'s> {
    /// In this file of the keys folder.
    File(Located<'s, String>),
    /// Right here.
    Inline(Node<'s>),
}

/// Reads one issuer.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<IssuerEntry<'s>> {
    let mut fields = Fields::of(node, "an issuer", report)?;
    let issuer = fields
        .required("issuer", "write `issuer: https://id.acme.example`", report)
        .and_then(|node| issuer_name(node, report));
    let audiences = fields
        .required("audiences", "write `audiences: [shop]`", report)
        .map(|node| texts(node, "an audience", report));
    let tenant_claim = fields
        .required("tenant_claim", "write `tenant_claim: /tenant`", report)
        .and_then(|node| pointer(node, "tenant_claim", report));
    let roles_claim = fields
        .required("roles_claim", "write `roles_claim: /roles`", report)
        .and_then(|node| pointer(node, "roles_claim", report));
    let jwks =
        fields.required("jwks", "write `jwks: id.acme.example.jwks.json`", report).and_then(|node| jwks(node, report));
    let tenants = fields.required("tenants", "write `tenants: [acme]`", report).and_then(|node| scope(node, report));
    fields.finish(report);
    Some(IssuerEntry {
        issuer: issuer?,
        audiences: audiences?.into_iter().map(|a| a.value).collect(),
        tenant_claim: tenant_claim?,
        roles_claim: roles_claim?,
        jwks: jwks?,
        tenants: tenants?,
    })
}

/// Reports issuers that are there twice: which of the two sets of keys counts must not be a guess.
pub(crate) fn once_each(issuers: &[IssuerEntry<'_>], report: &mut Report) {
    for (n, entry) in issuers.iter().enumerate() {
        if issuers.iter().take(n).any(|other| other.issuer.value == entry.issuer.value) {
            let message = format!("issuer `{}` is there twice", entry.issuer.value);
            report.push(entry.issuer.at.error(message).help("put its keys and tenants into one entry"));
        }
    }
}

fn issuer_name<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "an issuer", report)?;
    if found.value.len() <= 512 && found.value.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(found);
    }
    let diagnostic = found.at.error("an issuer is compared byte by byte, and has no blanks or umlauts");
    report.add(diagnostic.help("copy `iss` from a token of this issuer, as `https://id.acme.example`"))
}

/// A JSON pointer (RFC 6901) to something within the claims.
fn pointer(node: Node<'_>, what: &str, report: &mut Report) -> Option<String> {
    let found = text(node, "a claim", report)?;
    let escapes_good = found.value.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if found.value.starts_with('/') && !found.value.ends_with('/') && escapes_good && found.value.len() <= 256 {
        return Some(found.value);
    }
    let name = found.value.trim_matches(['$', '.', '/']).replace('~', "~0").replace('.', "/");
    report.add(
        found
            .at
            .error(format!("`{what}` is a JSON pointer (RFC 6901), this is `{}`", found.value))
            .help(format!("write `{what}: /{name}`, where `~` in a name is `~0` and `/` is `~1`")),
    )
}

fn jwks<'s>(node: Node<'s>, report: &mut Report) -> Option<JwksEntry<'s>> {
    if matches!(node.value, Value::Map(_)) {
        return Some(JwksEntry::Inline(node));
    }
    let found = text(node, "`jwks`", report)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if found.value.bytes().all(plain) && !found.value.starts_with('.') && found.value.len() <= 200 {
        return Some(JwksEntry::File(found));
    }
    let diagnostic = found.at.error(format!("`{}` is no plain file name", found.value));
    report.add(
        diagnostic.help(
            "name a file of the keys folder, as `id.acme.example.jwks.json`; keys are never fetched from a URL here",
        ),
    )
}
