//! `partitions` of a topic: which partitions of a topic that many share are whose.

use std::collections::HashMap;

use partywall_tenancy::{PartitionRange, TenantId};

use crate::directory::fields::{Fields, Report};
use crate::directory::values::{number, tenant_id};
use crate::directory::yaml::{At, Located, Node, Value};

use super::topics::broker_name;

/// `partitions` as written.
#[derive(Debug)]
pub(super) struct Ranges<'s> {
    /// `topic`.
    pub(super) topic: Located<'s, String>,
    /// `ranges`.
    ranges: Vec<(Located<'s, TenantId>, PartitionRange)>,
}

impl<'s> Ranges<'s> {
    /// Whose ranges they are.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &Located<'s, TenantId>> {
        self.ranges.iter().map(|(tenant, _)| tenant)
    }

    /// As the bundle says them.
    pub(super) fn to_ranges(&self) -> Vec<PartitionRange> {
        let mut ranges: Vec<_> = self.ranges.iter().map(|(_, range)| range.clone()).collect();
        ranges.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        ranges
    }
}

/// Reads the mapping.
pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<Ranges<'s>> {
    let mut fields = Fields::of(node, "`partitions`", report)?;
    let topic = fields
        .required("topic", "write `topic: telemetry-all`, as the broker calls it", report)
        .and_then(|node| broker_name(node, report));
    let of = fields
        .required("of", "write `of: 120`, how many partitions it has", report)
        .and_then(|node| number(node, "a number of partitions", 1..=u16::MAX, report));
    let ranges = fields.required("ranges", "write `ranges: { acme: 0-3, globex: 4-11 }`", report);
    fields.finish(report);
    let ranges = ranges.and_then(|node| each(node, of, report));
    of?;
    Some(Ranges { topic: topic?, ranges: ranges? })
}

/// INVARIANT: no partition is of two tenants, and each is there.
fn each<'s>(
    node: Node<'s>,
    of: Option<u16>,
    report: &mut Report,
) -> Option<Vec<(Located<'s, TenantId>, PartitionRange)>> {
    const HELP: &str = "write `ranges: { acme: 0-3, globex: 4-11 }`";
    let at = node.at;
    let Value::Map(entries) = node.value else {
        let diagnostic = at.error(format!("`ranges` is a mapping, this is {}", node.value.kind()));
        return report.add(diagnostic.help(HELP));
    };
    if entries.is_empty() {
        return report.add(at.error("these are no ranges, so that nobody sees the topic").help(HELP));
    }
    let (count, mut seen, mut found) = (entries.len(), HashMap::<TenantId, At<'s>>::new(), Vec::new());
    let mut places = Vec::new();
    for (key, value) in entries {
        let tenant = tenant_id(Node { value: Value::Text(key.value), at: key.at }, report);
        let range = range(value, of, report);
        let (Some(tenant), Some((first, last, at))) = (tenant, range) else { continue };
        if let Some(before) = seen.insert(tenant.value.clone(), tenant.at) {
            let diagnostic = tenant.at.error(format!("`{}` is there twice in `ranges`", tenant.value));
            report.push(diagnostic.help(format!("the first one is at {before}; a tenant has one range")));
            continue;
        }
        places.push((first, last, tenant.value.clone(), at));
        let range = PartitionRange {
            tenant: tenant.value.clone(),
            first: i32::from(first),
            count: i32::from(last) - i32::from(first) + 1,
        };
        found.push((tenant, range));
    }
    places.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
    let mut apart = true;
    // The one that reaches farthest of those before it.
    let mut far: Option<&(u16, u16, TenantId, At<'_>)> = None;
    for place in &places {
        let (first, last, tenant, at) = place;
        if let Some((_, reached, other, _)) = far
            && first <= reached
        {
            let message = format!("partition {first} is of `{tenant}` and of `{other}`");
            report.push(at.error(message).help(format!("begin behind {reached}, or end the other one earlier")));
            apart = false;
        }
        if far.is_none_or(|(_, reached, ..)| last > reached) {
            far = Some(place);
        }
    }
    (apart && found.len() == count).then_some(found)
}

/// `0-3`, or one partition.
fn range<'s>(node: Node<'s>, of: Option<u16>, report: &mut Report) -> Option<(u16, u16, At<'s>)> {
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
    Some((first, last, at))
}
