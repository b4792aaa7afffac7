//! What stands before the names of a tenant or cohort: `prefix`, `prefixes` and `cohorts` of a cluster.

use std::collections::HashMap;

use partywall_tenancy::{EventCohort, EventPrefix, TenantId};

use crate::directory::fields::{Fields, Report, text};
use crate::directory::tenant::TenantFile;
use crate::directory::values::{tenant_id, word};
use crate::directory::yaml::{At, Located, Node, Value};

/// The prefixes as written.
#[derive(Debug)]
pub(super) struct Prefixes<'s> {
    /// `prefix`.
    pub(super) whole: EventPrefix,
    /// `prefixes`.
    pub(super) own: Vec<(Located<'s, TenantId>, Located<'s, String>)>,
    /// `cohorts`.
    pub(super) cohorts: Vec<(Located<'s, String>, Located<'s, String>)>,
}

impl Prefixes<'_> {
    /// Those of tenants, as the bundle says them.
    pub(super) fn to_own(&self) -> Vec<(TenantId, String)> {
        let mut own: Vec<_> = self.own.iter().map(|(id, prefix)| (id.value.clone(), prefix.value.clone())).collect();
        own.sort();
        own
    }

    /// The cohorts with those whose record, or profile, says so; none of those that nobody is in.
    pub(super) fn to_cohorts(&self, tenants: &[TenantFile<'_>]) -> Vec<EventCohort> {
        let mut members: HashMap<&str, Vec<TenantId>> = HashMap::new();
        for file in tenants {
            if let (Some(cohort), Some(tenant)) = (&file.cohort, &file.tenant) {
                members.entry(cohort).or_default().push(tenant.id.clone());
            }
        }
        let cohort = |(name, prefix): &(Located<'_, String>, Located<'_, String>)| {
            let mut tenants = members.remove(name.value.as_str())?;
            tenants.sort();
            tenants.dedup();
            Some(EventCohort { name: name.value.clone(), prefix: prefix.value.clone(), tenants })
        };
        let mut cohorts: Vec<_> = self.cohorts.iter().filter_map(cohort).collect();
        cohorts.sort_by(|a, b| a.name.cmp(&b.name));
        cohorts
    }
}

/// Reads the three; `None` where one of them is no good.
pub(super) fn read<'s>(fields: &mut Fields<'s>, report: &mut Report) -> Option<Prefixes<'s>> {
    let whole = match fields.optional("prefix") {
        Some(node) => whole(node, report),
        None => Some(EventPrefix { head: String::new(), tail: ".".to_owned() }),
    };
    let own = match fields.optional("prefixes") {
        Some(node) => each(node, "prefixes", "initech: \"legacy.\"", report, tenant_id),
        None => Some(Vec::new()),
    };
    let cohorts = match fields.optional("cohorts") {
        Some(node) => {
            each(node, "cohorts", "franchise: \"franchise.\"", report, |node, report| word(node, "a cohort", report))
        }
        None => Some(Vec::new()),
    };
    Some(Prefixes { whole: whole?, own: own?, cohorts: cohorts? })
}

fn whole(node: Node<'_>, report: &mut Report) -> Option<EventPrefix> {
    const HELP: &str = "write `prefix: \"{tenant}.\"`; letters, digits, `.`, `_` and `-` may stand around it";
    let found = text(node, "`prefix`", report)?;
    let what = format!("prefix `{}`", found.value);
    let Some((head, tail)) = found.value.split_once("{tenant}").filter(|(_, tail)| !tail.contains("{tenant}")) else {
        return report.add(found.at.error(format!("{what} does not hold `{{tenant}}` once")).help(HELP));
    };
    if !tail.starts_with(['.', '_']) {
        let message = format!("{what} goes on behind `{{tenant}}` as an id could, so that one may begin another");
        return report.add(found.at.error(message).help("write `.` or `_` behind it, as `{tenant}.`"));
    }
    let longest = [head, &"a".repeat(63), tail].concat();
    match EventPrefix::problem(&longest) {
        Some(problem) => {
            let message = format!("{what}, with a tenant's id of 63 characters, {problem}");
            report.add(found.at.error(message).help(HELP))
        }
        None => Some(EventPrefix { head: head.to_owned(), tail: tail.to_owned() }),
    }
}

type Named<'s, T> = Vec<(Located<'s, T>, Located<'s, String>)>;

/// A mapping from names to prefixes, each once.
fn each<'s, T: Clone + Eq + std::hash::Hash + std::fmt::Display>(
    node: Node<'s>,
    field: &str,
    example: &str,
    report: &mut Report,
    mut name: impl FnMut(Node<'s>, &mut Report) -> Option<Located<'s, T>>,
) -> Option<Named<'s, T>> {
    let at = node.at;
    let help = format!("write `{field}: {{ {example} }}`");
    let Value::Map(entries) = node.value else {
        let diagnostic = at.error(format!("`{field}` is a mapping, this is {}", node.value.kind()));
        return report.add(diagnostic.help(help));
    };
    if entries.is_empty() {
        return report.add(at.error(format!("`{field}` is an empty mapping")).help("write one, or take the line out"));
    }
    let mut seen: HashMap<T, At<'_>> = HashMap::new();
    let (count, mut found) = (entries.len(), Vec::new());
    for (key, value) in entries {
        let whose = name(Node { value: Value::Text(key.value), at: key.at }, report);
        let (Some(whose), Some(prefix)) = (whose, prefix(value, report)) else { continue };
        match seen.insert(whose.value.clone(), whose.at) {
            Some(first) => {
                let diagnostic = whose.at.error(format!("`{}` is there twice in `{field}`", whose.value));
                report.push(diagnostic.help(format!("the first one is at {first}; keep one of the two")));
            }
            None => found.push((whose, prefix)),
        }
    }
    (found.len() == count).then_some(found)
}

fn prefix<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "a prefix", report)?;
    match EventPrefix::problem(&found.value) {
        None => Some(found),
        Some(problem) => {
            let diagnostic = found.at.error(format!("prefix `{}` {problem}", found.value));
            report.add(diagnostic.help("write letters, digits and `-`, and `.` or `_` at the end, as `legacy.`"))
        }
    }
}
