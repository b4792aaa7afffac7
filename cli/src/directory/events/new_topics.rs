//! `new_topics` of a cluster: what a topic that a tenant makes, or changes, may have.

use partywall_tenancy::NewTopics;

use crate::directory::fields::{Fields, Report, flag, list, once_each, once_read, text};
use crate::directory::values::{duration, number};
use crate::directory::yaml::{Node, Value};

/// The longest retention that may be written, in seconds: a hundred years.
const LONGEST: u32 = 100 * 365 * 86_400;

/// Reads the mapping; that it is there lets topics be made.
pub(super) fn read(node: Node<'_>, report: &mut Report) -> Option<NewTopics> {
    let mut fields = Fields::of(node, "`new_topics`", report)?;
    let mut whole = |field, what, most, report: &mut Report| {
        fields.optional(field).map(|node| number(node, what, 1..=most, report))
    };
    let partitions = whole("partitions", "the most partitions", u16::MAX, report);
    let count = whole("count", "the most topics", u16::MAX, report);
    let replication = fields.optional("replication").map(|node| replication(node, report));
    let retention = fields.optional("retention").map(|node| duration(node, "`retention`", 1..=LONGEST, report));
    let automatic = fields.optional("automatic").map(|node| (node.at, flag(node, "`automatic`", report)));
    let configs = fields.optional("configs").map(|node| configs(node, report));
    fields.finish(report);
    if let (Some((at, Some(true))), Some(_)) = (&automatic, &count) {
        let diagnostic =
            at.error("topics that a broker makes by itself are not counted, and `count` bounds how many there are");
        report.push(diagnostic.help("take one of the two out"));
    }
    // What was written and cannot be read is no bound that is left out.
    let partitions = once_read(partitions)?;
    let (count, replication, retention) = (once_read(count)?, once_read(replication)?, once_read(retention)?);
    Some(NewTopics {
        allowed: true,
        automatic: once_read(automatic.map(|(_, read)| read))?.unwrap_or(false),
        partitions: partitions.map(i32::from),
        replication,
        retention: retention.map(|seconds| i64::from(seconds) * 1000),
        count: count.map(u32::from),
        configs: once_read(configs)?.unwrap_or_else(|| Some(Vec::new())),
    })
}

/// `[1, 3]`, or one number.
fn replication(node: Node<'_>, report: &mut Report) -> Option<(i16, i16)> {
    const HELP: &str = "write the least and the most, as `[1, 3]`, or one number";
    let at = node.at;
    let one = |node, report: &mut Report| {
        number(node, "a number of replicas", 1..=100, report).and_then(|number| i16::try_from(number).ok())
    };
    let (least, most) = match node.value {
        Value::List(items) => {
            let Ok([least, most]) = <[Node<'_>; 2]>::try_from(items) else {
                return report.add(at.error("`replication` is not two numbers").help(HELP));
            };
            (one(least, report), one(most, report))
        }
        Value::Scalar(_) | Value::Text(_) => {
            let both = one(node, report);
            (both, both)
        }
        other => return report.add(at.error(format!("`replication` is not {}", other.kind())).help(HELP)),
    };
    let (least, most) = (least?, most?);
    if least > most {
        let diagnostic = at.error(format!("{least} is more than {most}"));
        return report.add(diagnostic.help(format!("write `[{most}, {least}]`")));
    }
    Some((least, most))
}

/// `all`, or names of configurations; `Some(None)` for all.
fn configs(node: Node<'_>, report: &mut Report) -> Option<Option<Vec<String>>> {
    match &node.value {
        Value::Text(word) if word == "all" => return Some(None),
        Value::Text(word) => {
            let diagnostic = node.at.error(format!("`configs` is never `{word}`"));
            return report.add(diagnostic.help("write a list, as `[cleanup.policy]`, or `all`"));
        }
        _ => {}
    }
    let written = if let Value::List(items) = &node.value { items.len() } else { usize::MAX };
    let name = |node, report: &mut Report| {
        let found = text(node, "a configuration", report)?;
        if found.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-')) {
            return Some(found);
        }
        let diagnostic = found.at.error(format!("`{}` is no configuration of a topic", found.value));
        report.add(diagnostic.help("write its name as Kafka has it, as `cleanup.policy`"))
    };
    let found = once_each(list(node, "`configs`", report, name), "`configs`", report);
    let mut names: Vec<String> = found.into_iter().map(|one| one.value).collect();
    names.sort();
    (names.len() == written).then_some(Some(names))
}
