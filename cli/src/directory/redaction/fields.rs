//! `fields`: which fields may stay, and of whose records.

use std::collections::HashMap;

use partywall_log_redaction::fields::{FieldAction, FieldRule, FieldSet, Unlisted, slots};
use partywall_tenancy::TenantId;

use crate::directory::data::Data;
use crate::directory::fields::{Fields, Report, choice, list, listed, once_each, text, texts};
use crate::directory::values::tenant_id;
use crate::directory::yaml::{At, Located, Node};
use crate::nearest::nearest;

/// What can become of a field.
pub(crate) const ACTIONS: &[(&str, FieldAction)] = &[
    ("keep", FieldAction::Keep),
    ("scan", FieldAction::Scan),
    ("drop", FieldAction::Drop),
    ("drop_record", FieldAction::DropRecord),
    ("mask", FieldAction::Mask),
    ("pseudonym", FieldAction::Pseudonym),
    ("encrypt", FieldAction::Encrypt),
];
/// What can become of one that no rule names.
pub(crate) const UNLISTED: &[(&str, Unlisted)] =
    &[("scan", Unlisted::Scan), ("mask", Unlisted::Mask), ("drop", Unlisted::Drop)];
/// The most sets, as the filter has it.
pub(crate) const MOST_SETS: usize = 64;

/// One of `fields`.
#[derive(Debug)]
pub(super) struct SetEntry<'s> {
    pub(super) at: At<'s>,
    pub(super) tenants: Vec<Located<'s, TenantId>>,
    pub(super) services: Vec<Located<'s, String>>,
    classifications: Vec<Located<'s, String>>,
    unlisted: Unlisted,
    pub(super) rules: Vec<Located<'s, FieldRule>>,
}

pub(super) fn set<'s>(node: Node<'s>, data: &Data<'_>, report: &mut Report) -> Option<SetEntry<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "a set of fields", report)?;
    let tenants = fields.optional("tenants").map_or(vec![], |node| list(node, "`tenants`", report, tenant_id));
    let tenants = once_each(tenants, "`tenants`", report);
    let services = fields.optional("services").map_or(vec![], |node| texts(node, "`services`", report));
    let classifications =
        fields.optional("classifications").map_or(vec![], |node| texts(node, "`classifications`", report));
    classifications.iter().for_each(|one| classification(one, data, report));
    let unlisted = fields.optional("unlisted").map(|node| choice(node, "`unlisted`", UNLISTED, report));
    let rules = fields.required("rules", "write `rules: [{ path: user.email, action: pseudonym }]`", report);
    let rules = rules.map_or(vec![], |node| list(node, "`rules`", report, rule));
    fields.finish(report);
    let unlisted = unlisted.flatten().unwrap_or_default();
    Some(SetEntry { at, tenants, services, classifications, unlisted, rules: once(rules, report) })
}

fn classification(found: &Located<'_, String>, data: &Data<'_>, report: &mut Report) {
    let known = || data.classifications.iter().map(String::as_str);
    if known().any(|known| known == found.value) || !data.whole {
        return;
    }
    let diagnostic = found.at.error(format!("there is no classification `{}`", found.value));
    report.push(diagnostic.help(match nearest(&found.value, known()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write {}", listed(&known().collect::<Vec<_>>())),
    }));
}

fn rule<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, FieldRule>> {
    let mut fields = Fields::of(node, "a rule of fields", report)?;
    let path = fields
        .required("path", "write `path: user.email`, `path: attributes.*` or `path: \"**\"`", report)
        .and_then(|node| text(node, "a path", report));
    let slots = fields.optional("slots").map(|node| self::slots_of(node, report));
    let action = fields
        .required("action", "write `action: keep`", report)
        .and_then(|node| choice(node, "what becomes of a field", ACTIONS, report));
    fields.finish(report);
    let (path, slots) = (path?, slots.unwrap_or_else(|| Some(Vec::new()))?);
    Some(Located { at: path.at, value: FieldRule { path: path.value, slots, action: action? } })
}

/// `slots`: names of what fields are of.
pub(super) fn slots_of(node: Node<'_>, report: &mut Report) -> Option<Vec<String>> {
    let known: Vec<(&str, &str)> = slots().map(|name| (name, name)).collect();
    let (at, before) = (node.at, report.errors());
    let found = list(node, "`slots`", report, |item, report| {
        let at = item.at;
        choice(item, "what a field is of", &known, report).map(|name| Located { value: name.to_owned(), at })
    });
    let found = once_each(found, "`slots`", report);
    if found.is_empty() && report.errors() == before {
        report.push(at.error("`slots` is an empty list").help("write at least one, or take it out: any is meant then"));
    }
    (report.errors() == before).then(|| found.into_iter().map(|one| one.value).collect())
}

/// Leaves out, and reports, a rule that another one of the same place comes before.
fn once<'s>(rules: Vec<Located<'s, FieldRule>>, report: &mut Report) -> Vec<Located<'s, FieldRule>> {
    let mut seen: HashMap<(String, Vec<String>), At<'s>> = HashMap::new();
    let mut kept = Vec::with_capacity(rules.len());
    for rule in rules {
        let FieldRule { path, slots, .. } = &rule.value;
        let mut slots = slots.clone();
        slots.sort();
        match seen.insert((path.to_ascii_lowercase(), slots), rule.at) {
            Some(first) => {
                let diagnostic = rule.at.error(format!("the path `{path}` is there twice, and the first rule holds"));
                report.push(diagnostic.help(format!("the first one is at {first}; keep one of the two")));
            }
            None => kept.push(rule),
        }
    }
    kept
}

/// Warns of sets that no record comes to.
pub(super) fn reached(sets: &[SetEntry<'_>], report: &mut Report) {
    let mut all = sets.iter().skip_while(|set| !set.is_for_all());
    let Some(first) = all.next() else { return };
    for set in all {
        let diagnostic = set.at.warning("no record comes to this set: the first set that is for a record holds");
        report.push(diagnostic.help(format!("the one at {} is for all, move it to the end", first.at)));
    }
}

impl SetEntry<'_> {
    fn is_for_all(&self) -> bool {
        self.tenants.is_empty() && self.services.is_empty() && self.classifications.is_empty()
    }

    /// As the bundle says it.
    pub(super) fn to_set(&self) -> FieldSet {
        FieldSet {
            tenants: self.tenants.iter().map(|one| one.value.to_string()).collect(),
            services: self.services.iter().map(|one| one.value.clone()).collect(),
            classifications: self.classifications.iter().map(|one| one.value.clone()).collect(),
            unlisted: self.unlisted,
            rules: self.rules.iter().map(|rule| rule.value.clone()).collect(),
        }
    }
}
