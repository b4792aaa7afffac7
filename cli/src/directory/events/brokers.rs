//! `brokers` of a cluster: where clients find them.

use partywall_tenancy::BrokerAddresses;

use crate::directory::fields::{Fields, Report, text};
use crate::directory::values::number;
use crate::directory::yaml::{Located, Node, Value};

/// The word for brokers whose addresses nobody changes.
pub(crate) const AS_THEY_ARE: &str = "as_they_are";

const HELP: &str = "write `as_they_are`, `{ by_port: { host: kafka.example, first: 9100, most: 15 } }`, `{ sni: \"b{id}.kafka.example:9093\" }` or `{ listed: { 1: \"kafka-1.example:9092\" } }`";

/// Reads the one way.
pub(super) fn read(node: Node<'_>, report: &mut Report) -> Option<BrokerAddresses> {
    let at = node.at;
    if let Value::Text(word) = &node.value {
        if word == AS_THEY_ARE {
            return Some(BrokerAddresses::AsTheyAre);
        }
        return report.add(at.error(format!("`brokers` is never `{word}`")).help(HELP));
    }
    let mut fields = Fields::of(node, "`brokers`", report)?;
    let by_port = fields.optional("by_port");
    let sni = fields.optional("sni");
    let listed = fields.optional("listed");
    let count = [&by_port, &sni, &listed].into_iter().flatten().count();
    fields.finish(report);
    if count != 1 {
        let diagnostic = at.error(format!("`brokers` says {count} ways to find them, and is to say one"));
        return report.add(diagnostic.help(HELP));
    }
    match (by_port, sni, listed) {
        (Some(node), ..) => self::by_port(node, report),
        (_, Some(node), _) => self::sni(node, report),
        (.., Some(node)) => self::listed(node, report),
        _ => None,
    }
}

fn by_port(node: Node<'_>, report: &mut Report) -> Option<BrokerAddresses> {
    let at = node.at;
    let mut fields = Fields::of(node, "`by_port`", report)?;
    let host = fields.required("host", "write `host: kafka.example`", report).and_then(|node| {
        let found = text(node, "a host", report)?;
        if is_host(&found.value) {
            return Some(found.value);
        }
        let diagnostic = found.at.error(format!("`{}` is no host", found.value));
        report.add(diagnostic.help("write a name in lower case, or an address of IPv4"))
    });
    let first = fields
        .required("first", "write `first: 9100`, the port of broker 0", report)
        .and_then(|node| number(node, "the first port", 1..=u16::MAX, report));
    let most = fields
        .required("most", "write `most: 15`, the largest id of a broker", report)
        .and_then(|node| number(node, "the largest id", 0..=9_999, report));
    fields.finish(report);
    let (host, first, most) = (host?, first?, most?);
    if first.checked_add(most).is_none() {
        let message = format!("the port of broker {most} would be {}", u32::from(first) + u32::from(most));
        return report.add(at.error(message).help("the last port is 65535: write another `first`, or fewer brokers"));
    }
    Some(BrokerAddresses::ByPort { host, first, most })
}

fn sni(node: Node<'_>, report: &mut Report) -> Option<BrokerAddresses> {
    let found = text(node, "`sni`", report)?;
    let read = address(&found.value).and_then(|(host, port)| {
        let (head, tail) = host.split_once("{id}")?;
        // Whatever the id is, it is to be a host.
        let good = is_host(&[head, "0", tail].concat()) && is_host(&[head, "2147483647", tail].concat());
        good.then(|| BrokerAddresses::Sni { head: head.to_owned(), tail: tail.to_owned(), port })
    });
    let alone = matches!(&read, Some(BrokerAddresses::Sni { head, tail, .. }) if head.is_empty() && tail.is_empty());
    read.filter(|_| !alone).or_else(|| {
        let diagnostic = found.at.error(format!("`{}` is no name and port with one `{{id}}`", found.value));
        report.add(diagnostic.help("write `b{id}.kafka.example:9093`, where `{id}` is the broker's"))
    })
}

fn listed(node: Node<'_>, report: &mut Report) -> Option<BrokerAddresses> {
    const HELP: &str = "write `listed: { 1: \"kafka-1.example:9092\", 2: \"kafka-2.example:9092\" }`";
    let at = node.at;
    let Value::Map(entries) = node.value else {
        let diagnostic = at.error(format!("`listed` is a mapping, this is {}", node.value.kind()));
        return report.add(diagnostic.help(HELP));
    };
    if entries.is_empty() {
        return report.add(at.error("no broker is listed, so that clients find none").help(HELP));
    }
    let (count, mut found) = (entries.len(), Vec::<(i32, String, u16)>::new());
    for (Located { value: key, at }, node) in entries {
        let id = key.parse::<i32>().ok().filter(|id| *id >= 0 && id.to_string() == key);
        let place = text(node, "an address", report).and_then(|found| {
            let read = address(&found.value).filter(|(host, _)| is_host(host));
            read.map(|(host, port)| (host.to_owned(), port)).or_else(|| {
                let diagnostic = found.at.error(format!("`{}` is no host and port", found.value));
                report.add(diagnostic.help("write `kafka-1.example:9092`"))
            })
        });
        let Some(id) = id else {
            report.push(at.error(format!("`{key}` is no id of a broker")).help("write the number that the broker has"));
            continue;
        };
        let Some((host, port)) = place else { continue };
        if found.iter().any(|(other, ..)| *other == id) {
            report.push(at.error(format!("broker {id} is there twice")).help("keep one of the two"));
        } else if let Some((other, ..)) = found.iter().find(|(_, of, its)| *of == host && *its == port) {
            let diagnostic = at.error(format!("broker {id} has the address of broker {other}"));
            report.push(diagnostic.help("clients take each address for one broker: give each its own"));
        } else {
            found.push((id, host, port));
        }
    }
    found.sort();
    (found.len() == count).then_some(BrokerAddresses::Listed(found))
}

fn address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port > 0 && digits)?;
    Some((host, port))
}

/// Whether it is a name in lower case, or an address of IPv4.
fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(crate::directory::values::is_label)
}
