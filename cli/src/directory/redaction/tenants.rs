//! `tenants`: whose a record is, and what becomes of others'.

use partywall_log_redaction::tenants::{Foreign, Templated, TenantRules, Unattributed};

use crate::directory::fields::{Fields, Report, choice, list, text, texts};
use crate::directory::redaction::fields::slots_of;
use crate::directory::yaml::{Located, Node, Value};

/// What a tenant is that the directory does not know: another one, or nobody.
pub(crate) const UNKNOWN: &[(&str, bool)] = &[("foreign", true), ("ignored", false)];
/// What can become of records of another tenant.
pub(crate) const FOREIGN: &[(&str, Foreign)] =
    &[("drop", Foreign::Drop), ("quarantine", Foreign::Quarantine), ("mask", Foreign::Mask)];
/// What can become of records that name none.
pub(crate) const UNATTRIBUTED: &[(&str, Unattributed)] =
    &[("keep-masked", Unattributed::KeepMasked), ("drop", Unattributed::Drop)];
/// The most names of attributes, as the filter has it.
pub(crate) const MOST_ATTRIBUTES: usize = 16;
/// The longest name of one, in bytes.
const LONGEST: usize = 64;

/// `tenants` as written.
#[derive(Debug)]
pub(super) enum Whose<'s> {
    /// These rules; those of templates are among them by their places.
    Rules(TenantRules, Vec<Located<'s, Templated>>),
    /// `none`: nobody is kept apart.
    None,
}

impl Default for Whose<'_> {
    /// Where a file says nothing, tenants are kept apart all the same.
    fn default() -> Self {
        Self::Rules(TenantRules::default(), Vec::new())
    }
}

impl Whose<'_> {
    /// As the bundle says it.
    pub(super) fn to_rules(&self) -> Option<TenantRules> {
        match self {
            Self::Rules(rules, templates) => {
                let templates = templates.iter().map(|one| one.value.clone()).collect();
                Some(TenantRules { templates, ..rules.clone() })
            }
            Self::None => None,
        }
    }
}

pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Whose<'s> {
    match &node.value {
        Value::Text(word) if word == "none" => {
            let diagnostic = node.at.note("tenants are not kept apart in telemetry: records of one pass for another's");
            report.push(diagnostic);
            return Whose::None;
        }
        Value::Text(word) => {
            let diagnostic = node.at.error(format!("`tenants` is never `{word}`"));
            report
                .push(diagnostic.help("write a mapping, as `{ foreign: drop }`, or `none` where nobody is kept apart"));
            return Whose::default();
        }
        _ => {}
    }
    let Some(mut fields) = Fields::of(node, "`tenants` of redaction", report) else { return Whose::default() };
    let attributes = fields.optional("attributes").map(|node| attributes(node, report));
    let templates = fields.optional("templates").map_or(vec![], |node| list(node, "`templates`", report, template));
    let unknown = fields.optional("unknown").and_then(|node| choice(node, "`unknown`", UNKNOWN, report));
    let foreign = fields.optional("foreign").and_then(|node| choice(node, "`foreign`", FOREIGN, report));
    let unattributed =
        fields.optional("unattributed").and_then(|node| choice(node, "`unattributed`", UNATTRIBUTED, report));
    let tag =
        fields.optional("tag").and_then(|node| text(node, "`tag`", report)).and_then(|tag| field_name(tag, report));
    fields.finish(report);
    let usual = TenantRules::default();
    let rules = TenantRules {
        attributes: attributes.unwrap_or(usual.attributes),
        templates: Vec::new(),
        unknown_is_foreign: unknown.unwrap_or(usual.unknown_is_foreign),
        foreign: foreign.unwrap_or(usual.foreign),
        unattributed: unattributed.unwrap_or(usual.unattributed),
        tag: tag.map(|tag| tag.value),
    };
    Whose::Rules(rules, templates)
}

fn attributes(node: Node<'_>, report: &mut Report) -> Vec<String> {
    let found = texts(node, "`attributes`", report);
    if let Some(one_more) = found.get(MOST_ATTRIBUTES) {
        let message = format!("this is one name too many: there are at most {MOST_ATTRIBUTES}");
        report.push(one_more.at.error(message).help("leave out those that no app writes"));
    }
    found.into_iter().filter_map(|name| field_name(name, report)).map(|name| name.value).collect()
}

fn field_name<'s>(found: Located<'s, String>, report: &mut Report) -> Option<Located<'s, String>> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'*');
    if found.value.len() <= LONGEST && found.value.bytes().all(plain) {
        return Some(found);
    }
    let diagnostic = found.at.error(format!("`{}` is no name of a field that holds a tenant", found.value));
    report.add(diagnostic.help("write 1 to 64 letters, digits, `.`, `_` or `-`, as `tenant.id`"))
}

fn template<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, Templated>> {
    let mut fields = Fields::of(node, "a template of redaction", report)?;
    let template = fields
        .required("template", "write `template: \"logs-{tenant}-*\"`", report)
        .and_then(|node| text(node, "a template", report));
    let path = match fields.optional("path") {
        Some(node) => text(node, "a path", report).map(|path| path.value),
        None => Some("**".to_owned()),
    };
    let slots = fields.optional("slots").map(|node| slots_of(node, report));
    fields.finish(report);
    let (template, slots) = (template?, slots.unwrap_or_else(|| Some(Vec::new()))?);
    Some(Located { at: template.at, value: Templated { path: path?, slots, template: template.value } })
}
