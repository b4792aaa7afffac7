//! `networks` of mesh.yaml: names for the addresses that clients call from.
//!
//! ```text
//! networks: { office: [10.0.0.0/8, "2001:db8::/32"], vpn: [192.0.2.0/24] }
//! ```

use std::collections::HashMap;

use partywall_tenancy::{Network, Range, RangeError};

use crate::directory::fields::{Report, list, text};
use crate::directory::values::is_label;
use crate::directory::yaml::{At, Node, Value};

const HELP: &str = "write `networks: { office: [10.0.0.0/8, \"2001:db8::/32\"] }`";

/// Reads `networks`, sorted by name.
pub(crate) fn read(node: Node<'_>, report: &mut Report) -> Vec<Network> {
    let at = node.at;
    let Value::Map(entries) = node.value else {
        let message = format!("`networks` is a mapping, this is {}", node.value.kind());
        report.push(at.error(message).help(HELP));
        return Vec::new();
    };
    let mut seen: HashMap<String, At<'_>> = HashMap::new();
    let mut found = Vec::new();
    for (name, ranges) in entries {
        let at = name.at;
        if !is_label(&name.value) {
            let message = format!("network `{}` is not 1 to 63 of `a-z 0-9 -`", name.value);
            let help = "write it in lower case, beginning and ending with a letter or digit";
            report.push(at.error(message).help(help));
            continue;
        }
        if let Some(first) = seen.insert(name.value.clone(), at) {
            let diagnostic = at.error(format!("network `{}` is there twice", name.value));
            report.push(diagnostic.help(format!("the first one is at {first}; write all ranges there")));
            continue;
        }
        let empty = matches!(&ranges.value, Value::List(items) if items.is_empty());
        if empty || matches!(ranges.value, Value::Null) {
            report.push(at.error(format!("network `{}` has no range", name.value)).help(HELP));
        } else {
            let ranges = list(ranges, "the ranges of a network", report, range);
            found.push(Network { name: name.value, ranges });
        }
    }
    let ranges = found.iter().map(|network| network.ranges.len()).sum::<usize>();
    if found.len() > Network::MOST || ranges > Network::MOST_RANGES {
        let (most, most_ranges) = (Network::MOST, Network::MOST_RANGES);
        let message = format!("{} networks of {ranges} ranges: at most {most} of {most_ranges} together", found.len());
        report.push(at.error(message).help("join ranges that lie side by side, or take out what no policy names"));
    }
    let names = found.iter().map(|network| network.name.len()).sum::<usize>();
    if names > Network::MOST_NAMES {
        let message = format!("the names of all networks are {names} bytes: at most {}", Network::MOST_NAMES);
        report.push(at.error(message).help("write shorter ones: a root context names every network of a client"));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn range(node: Node<'_>, report: &mut Report) -> Option<Range> {
    let found = text(node, "a range", report)?;
    let error = match Range::parse(&found.value) {
        Ok(range) => return Some(range),
        Err(error) => error,
    };
    let help = match error {
        RangeError::Shape => "write it as `10.0.0.0/8`, `2001:db8::/32`, or one address".to_owned(),
        RangeError::TooManyBits => "IPv4 has 32 bits, IPv6 128: write fewer behind the `/`".to_owned(),
        RangeError::HostBits(meant) => format!("write `{meant}`, or the one address without `/`"),
        RangeError::Mapped(Some(meant)) => format!("write `{meant}`: it holds such addresses, too"),
        RangeError::Mapped(None) => "write the ranges of IPv4 and of IPv6 apart".to_owned(),
    };
    report.add(found.at.error(format!("`{}` {error}", found.value)).help(help))
}
