//! `issuers:` of `mesh.yaml`: who may issue JWTs, and for which tenants.

mod binding;
mod key_set;

use crate::directory::fields::{Fields, Report, list, text, texts};
use crate::directory::values::{Scope, scope};
use crate::directory::yaml::{Located, Node};

pub(crate) use binding::BindingEntry;
pub(crate) use key_set::{Fetched, JwksEntry};

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
    /// `client_claim`.
    pub(crate) client_claim: String,
    /// `jwks`; `None` for an issuer that has symmetric keys only.
    pub(crate) jwks: Option<JwksEntry<'s>>,
    /// `symmetric_keys`.
    pub(crate) symmetric_keys: Vec<Located<'s, String>>,
    /// `tenants`.
    pub(crate) tenants: Scope<'s>,
    /// `bindings`.
    pub(crate) bindings: Vec<BindingEntry<'s>>,
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
    let client_claim = match fields.optional("client_claim") {
        Some(node) => pointer(node, "client_claim", report),
        None => Some("/azp".to_owned()),
    };
    let symmetric = fields.optional("symmetric_keys");
    let jwks = match &symmetric {
        Some(_) => fields.optional("jwks"),
        None => fields.required("jwks", "write `jwks: id.acme.example.jwks.json`", report),
    };
    let without_jwks = symmetric.is_some() && jwks.is_none();
    let jwks = jwks.and_then(|node| key_set::read(node, report));
    let symmetric_keys = symmetric.map(|node| key_set::symmetric(node, jwks.as_ref(), report));
    let tenants = fields.required("tenants", "write `tenants: [acme]`", report).and_then(|node| scope(node, report));
    let bindings = fields.optional("bindings").map_or(vec![], |node| list(node, "`bindings`", report, binding::read));
    fields.finish(report);
    if let Some(tenants) = &tenants {
        binding::check(&bindings, tenants, report);
    }
    Some(IssuerEntry {
        issuer: issuer?,
        audiences: audiences?.into_iter().map(|a| a.value).collect(),
        tenant_claim: tenant_claim?,
        roles_claim: roles_claim?,
        client_claim: client_claim?,
        jwks: if without_jwks { None } else { Some(jwks?) },
        symmetric_keys: symmetric_keys.unwrap_or_default(),
        tenants: tenants?,
        bindings,
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
    // INVARIANT: a key is of one issuer. A sidecar finds a symmetric key by its id alone, among its secrets.
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (issuer, key) in issuers.iter().flat_map(|i| i.symmetric_keys.iter().map(|key| (&i.issuer.value, key))) {
        match seen.iter().find(|(_, id)| *id == key.value) {
            Some((other, _)) => {
                let message = format!("symmetric key `{}` is one of `{other}` already", key.value);
                report.push(key.at.error(message).help("give each issuer keys of its own, with ids of their own"));
            }
            None => seen.push((issuer, &key.value)),
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
