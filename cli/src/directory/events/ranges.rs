//! `partitions` of a topic: which partitions of a topic that many share are whose.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use partywall_tenancy::{EventCohort, PartitionRange, TenantId};

use crate::directory::fields::{Fields, Report};
use crate::directory::values::{number, tenant_id, word};
use crate::directory::yaml::{At, Located, Node, Value};

use super::topics::broker_name;

/// `partitions` as written.
#[derive(Debug)]
pub(super) struct Ranges<'s> {
    /// `topic`.
    pub(super) topic: Located<'s, String>,
    /// `ranges`.
    tenants: Vec<(Located<'s, TenantId>, Range<'s>)>,
    /// `cohorts`.
    cohorts: Vec<(Located<'s, String>, Range<'s>)>,
}

/// The first partition, the last, and where they stand.
#[derive(Clone, Copy, Debug)]
struct Range<'s> {
    first: u16,
    last: u16,
    at: At<'s>,
}

impl<'s> Ranges<'s> {
    /// Tenants that have ranges of their own.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &Located<'s, TenantId>> {
        self.tenants.iter().map(|(tenant, _)| tenant)
    }

    /// Cohorts that have ranges.
    pub(super) fn cohorts(&self) -> impl Iterator<Item = &Located<'s, String>> {
        self.cohorts.iter().map(|(cohort, _)| cohort)
    }

    /// As the bundle says them: each tenant of a cohort has those of the cohort.
    pub(super) fn to_ranges(&self, cohorts: &[EventCohort]) -> Vec<PartitionRange> {
        let range = |tenant: &TenantId, range: &Range<'_>| PartitionRange {
            tenant: tenant.clone(),
            first: i32::from(range.first),
            count: i32::from(range.last) - i32::from(range.first) + 1,
        };
        let of_cohort = |(name, its): &(Located<'s, String>, Range<'s>)| {
            let cohort = cohorts.iter().find(|cohort| cohort.name == name.value);
            let members = cohort.into_iter().flat_map(|cohort| &cohort.tenants);
            members.map(|tenant| range(tenant, its)).collect::<Vec<_>>()
        };
        let mut ranges: Vec<_> = self.tenants.iter().map(|(tenant, its)| range(&tenant.value, its)).collect();
        ranges.extend(self.cohorts.iter().flat_map(of_cohort));
        ranges.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        ranges
    }
}

/// Reads the mapping.
pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<Ranges<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "`partitions`", report)?;
    let topic = fields
        .required("topic", "write `topic: telemetry-all`, as the broker calls it", report)
        .and_then(|node| broker_name(node, report));
    let of = fields
        .required("of", "write `of: 120`, how many partitions it has", report)
        .and_then(|node| number(node, "a number of partitions", 1..=u16::MAX, report));
    let ranges = fields.optional("ranges");
    let cohorts = fields.optional("cohorts");
    fields.finish(report);
    if ranges.is_none() && cohorts.is_none() {
        let diagnostic = at.error("no range is said, so that nobody sees the topic");
        return report.add(diagnostic.help("write `ranges: { acme: 0-3, globex: 4-11 }`"));
    }
    let tenants = match ranges {
        Some(node) => each(node, "ranges", of, report, tenant_id),
        None => Some(Vec::new()),
    };
    let cohorts = match cohorts {
        Some(node) => each(node, "cohorts", of, report, |node, report| word(node, "a cohort", report)),
        None => Some(Vec::new()),
    };
    of?;
    let found = Ranges { topic: topic?, tenants: tenants?, cohorts: cohorts? };
    found.apart(report).then_some(found)
}

impl Ranges<'_> {
    /// INVARIANT: no partition is of two.
    fn apart(&self, report: &mut Report) -> bool {
        let tenants = self.tenants.iter().map(|(tenant, range)| (*range, tenant.value.as_str()));
        let cohorts = self.cohorts.iter().map(|(cohort, range)| (*range, cohort.value.as_str()));
        let mut places: Vec<_> = tenants.chain(cohorts).collect();
        places.sort_by_key(|(range, whose)| (range.first, range.last, *whose));
        let mut apart = true;
        // The one that reaches farthest of those before it.
        let mut far: Option<(u16, &str)> = None;
        for (Range { first, last, at }, whose) in places {
            if let Some((reached, other)) = far.filter(|(reached, _)| first <= *reached) {
                let message = format!("partition {first} is of `{whose}` and of `{other}`");
                report.push(at.error(message).help(format!("begin behind {reached}, or end the other one earlier")));
                apart = false;
            }
            if far.is_none_or(|(reached, _)| last > reached) {
                far = Some((last, whose));
            }
        }
        apart
    }
}

type Each<'s, T> = Vec<(Located<'s, T>, Range<'s>)>;

/// A mapping from names to ranges, each once.
fn each<'s, T: Clone + Eq + Hash + Display>(
    node: Node<'s>,
    field: &str,
    of: Option<u16>,
    report: &mut Report,
    mut name: impl FnMut(Node<'s>, &mut Report) -> Option<Located<'s, T>>,
) -> Option<Each<'s, T>> {
    let help = format!("write `{field}: {{ acme: 0-3, globex: 4-11 }}`");
    let at = node.at;
    let Value::Map(entries) = node.value else {
        let diagnostic = at.error(format!("`{field}` is a mapping, this is {}", node.value.kind()));
        return report.add(diagnostic.help(help));
    };
    if entries.is_empty() {
        return report.add(at.error("these are no ranges").help(help));
    }
    let (count, mut seen, mut found) = (entries.len(), HashMap::<T, At<'s>>::new(), Vec::new());
    for (key, value) in entries {
        let whose = name(Node { value: Value::Text(key.value), at: key.at }, report);
        let (Some(whose), Some(range)) = (whose, range(value, of, report)) else { continue };
        match seen.insert(whose.value.clone(), whose.at) {
            Some(first) => {
                let diagnostic = whose.at.error(format!("`{}` is there twice in `{field}`", whose.value));
                report.push(diagnostic.help(format!("the first one is at {first}; write one range")));
            }
            None => found.push((whose, range)),
        }
    }
    (found.len() == count).then_some(found)
}

/// `0-3`, or one partition.
fn range<'s>(node: Node<'s>, of: Option<u16>, report: &mut Report) -> Option<Range<'s>> {
    const HELP: &str = "write the first and the last, as `4-11`, or the one";
    let at = node.at;
    let text = match node.value {
        Value::Text(text) | Value::Scalar(text) => text,
        other => return report.add(at.error(format!("a range is not {}", other.kind())).help(HELP)),
    };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
    let (Some(first), Some(last)) = (digits(first), digits(last)) else {
        return report.add(at.error(format!("`{text}` is no range of partitions")).help(HELP));
    };
    if first > last {
        let diagnostic = at.error(format!("`{text}` ends before it begins"));
        return report.add(diagnostic.help(format!("write `{last}-{first}`")));
    }
    if let Some(of) = of.filter(|of| last >= *of) {
        let message = format!("partition {last} is none of the {of} that the topic has");
        return report.add(at.error(message).help(format!("they are counted from 0 to {}", of - 1)));
    }
    Some(Range { first, last, at })
}
