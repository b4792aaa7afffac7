//! `api-keys.yaml`: who may come with an API key. The keys themselves are not in it, and nowhere else.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_tenancy::{ApiKey, TenantId, UnixSeconds};

use crate::directory::fields::{Fields, Report, list, once_each, text};
use crate::directory::values::{key_id, tenant_id};
use crate::directory::yaml::{At, Located, Node};
use crate::time;

/// One of `api_keys`.
#[derive(Debug)]
pub(crate) struct ApiKeyEntry<'s> {
    /// `tenant`.
    pub(crate) tenant: Located<'s, TenantId>,
    /// `expires`.
    pub(crate) expires: Located<'s, UnixSeconds>,
    id: Located<'s, String>,
    digest: Located<'s, [u8; 32]>,
    hashed_with: String,
    principal: String,
    roles: Vec<String>,
    scopes: Vec<String>,
}

impl ApiKeyEntry<'_> {
    /// As the bundle says it.
    pub(crate) fn to_api_key(&self) -> ApiKey {
        ApiKey {
            id: self.id.value.clone(),
            digest: self.digest.value,
            hashed_with: self.hashed_with.clone(),
            tenant: self.tenant.value.clone(),
            principal: self.principal.clone(),
            roles: self.roles.clone(),
            scopes: self.scopes.clone(),
            expires: self.expires.value,
        }
    }
}

/// What a file of API keys says.
#[derive(Debug)]
pub(crate) struct ApiKeys<'s> {
    /// Where it begins.
    pub(crate) at: At<'s>,
    /// Its entries; what could not be read is left out.
    pub(crate) entries: Vec<ApiKeyEntry<'s>>,
}

/// Reads the document of `api-keys.yaml`.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<ApiKeys<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "the file of API keys", report)?;
    let entries =
        fields.required("api_keys", "write `api_keys: []`, and let `partywall keys api-key` add to it", report);
    fields.finish(report);
    let entries = list(entries?, "`api_keys`", report, entry);
    twice(&entries, report);
    Some(ApiKeys { at, entries })
}

/// Whether `text` is the id of an API key: 16 hex digits in lower case.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

const AGAIN: &str = "copy it from what `partywall keys api-key` printed";

fn entry<'s>(node: Node<'s>, report: &mut Report) -> Option<ApiKeyEntry<'s>> {
    let mut fields = Fields::of(node, "an API key", report)?;
    let id = fields.required("id", AGAIN, report).and_then(|node| id(node, report));
    let digest = fields.required("digest", AGAIN, report).and_then(|node| digest(node, report));
    let hashed_with = fields.required("hashed_with", AGAIN, report).and_then(|node| key_id(node, report));
    let tenant = fields.required("tenant", "write `tenant: acme`", report).and_then(|node| tenant_id(node, report));
    let principal = fields
        .required("principal", "write `principal: nightly-export`: who acts with this key", report)
        .and_then(|node| name(node, "a principal", report));
    let roles = fields.optional("roles").map_or(vec![], |node| names(node, "a role", report));
    let scopes = fields.optional("scopes").map_or(vec![], |node| names(node, "a scope", report));
    let expires = fields
        .required(
            "expires",
            "write `expires: 2027-01-31T00:00:00Z`: a key for ever is a key nobody looks after",
            report,
        )
        .and_then(|node| instant(node, "`expires`", report));
    fields.finish(report);
    Some(ApiKeyEntry {
        id: id?,
        digest: digest?,
        hashed_with: hashed_with?.value,
        tenant: tenant?,
        principal: principal?.value,
        roles,
        scopes,
        expires: expires?,
    })
}

/// INVARIANT: a key that was pasted in whole is never printed again.
fn whole_key(found: &Located<'_, String>, report: &mut Report) -> bool {
    let whole = found.value.starts_with("pw1.");
    if whole {
        let diagnostic = found.at.error("this is an API key itself, and what lies in a bundle anybody may read");
        report.push(
            diagnostic
                .without_line()
                .help("take it out, count the key as leaked, and make another one with `partywall keys api-key`"),
        );
    }
    whole
}

fn id<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "the id of an API key", report)?;
    if whole_key(&found, report) {
        return None;
    }
    if is_id(&found.value) {
        return Some(found);
    }
    let diagnostic = found.at.error(format!("`{}` is no id of an API key, which is 16 of `0-9 a-f`", found.value));
    report.add(diagnostic.help("write the part between the two dots of the key: `pw1.<id>.…`"))
}

fn digest<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, [u8; 32]>> {
    let found = text(node, "the digest of an API key", report)?;
    if whole_key(&found, report) {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&found.value);
    match bytes.as_deref().map(<[u8; 32]>::try_from) {
        Ok(Ok(value)) => Some(Located { value, at: found.at }),
        // It may be a part of a key: the line stays out.
        Ok(Err(_)) => {
            let message = format!("this digest has {} bytes, not 32", bytes.map_or(0, |b| b.len()));
            report.add(found.at.error(message).without_line().help(AGAIN))
        }
        Err(_) => {
            let diagnostic = found.at.error("this digest is not base64url without padding");
            report.add(diagnostic.without_line().help(AGAIN))
        }
    }
}

fn name<'s>(node: Node<'s>, what: &str, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, what, report)?;
    if found.value.len() <= 256 && !found.value.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Some(found);
    }
    let diagnostic = found.at.error(format!("{what} has no blanks and at most 256 bytes"));
    report.add(diagnostic.help("write a name as `nightly-export`"))
}

fn names(node: Node<'_>, what: &str, report: &mut Report) -> Vec<String> {
    let found = list(node, what, report, |item, report| name(item, what, report));
    once_each(found, what, report).into_iter().map(|found| found.value).collect()
}

/// A time, as it ends something.
pub(crate) fn instant<'s>(node: Node<'s>, what: &'static str, report: &mut Report) -> Option<Located<'s, UnixSeconds>> {
    let found = text(node, what, report)?;
    match time::parse_rfc3339(&found.value) {
        Some(value) => Some(Located { value, at: found.at }),
        None => {
            let diagnostic = found.at.error(format!("`{}` is no time in UTC (RFC 3339)", found.value));
            report.add(diagnostic.help("write `2027-01-31T00:00:00Z`"))
        }
    }
}

fn twice(entries: &[ApiKeyEntry<'_>], report: &mut Report) {
    for (n, entry) in entries.iter().enumerate() {
        let before = || entries.iter().take(n);
        if before().any(|other| other.id.value == entry.id.value) {
            let diagnostic = entry.id.at.error(format!("API key `{}` is there twice", entry.id.value));
            report.push(diagnostic.help("keep one of the two, or make another key with `partywall keys api-key`"));
        } else if let Some(other) = before().find(|other| other.digest.value == entry.digest.value) {
            let message = format!("API keys `{}` and `{}` have one digest", other.id.value, entry.id.value);
            report.push(entry.digest.at.error(message).help("make a key of its own with `partywall keys api-key`"));
        }
    }
}
