//! The small values of a directory: ids, names, durations, templates.

use std::ops::RangeInclusive;

use partywall_tenancy::{SpiffeId, TenantId, TenantScope};

use crate::directory::fields::{Report, list, once_each, text};
use crate::directory::yaml::{Located, Node, Value};
use crate::nearest::nearest;

/// A tenant id.
pub(crate) fn tenant_id<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, TenantId>> {
    let found = text(node, "a tenant id", report)?;
    match TenantId::parse(&found.value) {
        Ok(value) => Some(Located { value, at: found.at }),
        Err(why) => report.add(
            found
                .at
                .error(format!("tenant id `{}` {why}", found.value))
                .help("write 1 to 63 of `a-z 0-9 -`, as in a host name, and no common word: `acme`, `globex-eu`"),
        ),
    }
}

/// Which tenants: `all`, or a list. The tenants named are checked once all are known.
#[derive(Debug)]
pub(crate) enum Scope<'s> {
    /// `all`.
    All,
    /// These.
    Only(Vec<Located<'s, TenantId>>),
}

impl Scope<'_> {
    /// As the bundle says it, in one order whatever was written.
    pub(crate) fn to_tenant_scope(&self) -> TenantScope {
        match self {
            Self::All => TenantScope::All,
            Self::Only(list) => {
                let mut ids: Vec<TenantId> = list.iter().map(|t| t.value.clone()).collect();
                ids.sort();
                TenantScope::Only(ids)
            }
        }
    }

    /// Reports the tenants named that are not among `known`, which is sorted.
    pub(crate) fn check(&self, known: &[TenantId], report: &mut Report) {
        let Self::Only(list) = self else { return };
        list.iter().for_each(|tenant| is_known(tenant, known, report));
    }
}

/// Reports `tenant` where it is not among `known`, which is sorted.
pub(crate) fn is_known(tenant: &Located<'_, TenantId>, known: &[TenantId], report: &mut Report) {
    if known.binary_search(&tenant.value).is_ok() || report.is_full() {
        return;
    }
    let diagnostic = tenant.at.error(format!("there is no tenant `{}`", tenant.value));
    let meant = nearest(tenant.value.as_str(), known.iter().map(TenantId::as_str));
    report.push(diagnostic.help(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write `tenants/{}.yaml`, or take it out here", tenant.value),
    }));
}

/// `all`, or a list of tenant ids with at least one.
pub(crate) fn scope<'s>(node: Node<'s>, report: &mut Report) -> Option<Scope<'s>> {
    const HELP: &str = "write `all`, or a list as `[acme, globex]`";
    let at = node.at;
    match &node.value {
        Value::Text(word) if word == "all" => return Some(Scope::All),
        Value::Text(word) => {
            return report.add(at.error(format!("`{word}` is no set of tenants")).help(HELP));
        }
        Value::List(items) if items.is_empty() => {
            return report.add(at.error("this is a set of no tenants").help(HELP));
        }
        Value::List(_) => {}
        other => return report.add(at.error(format!("a set of tenants is not {}", other.kind())).help(HELP)),
    }
    let ids = list(node, "a set of tenants", report, tenant_id);
    let ids = once_each(ids, "this set of tenants", report);
    // Where no item was good, that was said; an empty set would only say it again.
    (!ids.is_empty()).then_some(Scope::Only(ids))
}

/// A SPIFFE ID, in `trust_domain` where that is known.
pub(crate) fn spiffe_id<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    report: &mut Report,
) -> Option<Located<'s, SpiffeId>> {
    let found = text(node, "a SPIFFE ID", report)?;
    let domain = trust_domain.unwrap_or("mesh.example");
    match SpiffeId::parse(&found.value) {
        Err(why) => report.add(
            found
                .at
                .error(format!("SPIFFE ID `{}` {why}", found.value))
                .help(format!("write `spiffe://{domain}/ns/<namespace>/sa/<service account>`")),
        ),
        Ok(id) if trust_domain.is_some_and(|domain| domain != id.trust_domain()) => report.add(
            found
                .at
                .error(format!("`{}` lies outside the mesh's trust domain `{domain}`", found.value))
                .help(format!("write `spiffe://{domain}/…`: no peer of another trust domain is believed")),
        ),
        Ok(value) => Some(Located { value, at: found.at }),
    }
}

/// A pattern of SPIFFE IDs in which `*` stands for one whole segment.
pub(crate) fn spiffe_pattern<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    report: &mut Report,
) -> Option<Located<'s, String>> {
    let found = text(node, "a pattern of SPIFFE IDs", report)?;
    let pattern = &found.value;
    let domain = trust_domain.unwrap_or("mesh.example");
    let help = format!("write `spiffe://{domain}/ns/*/sa/partner-gateway`, where `*` is one whole segment");
    let (scheme, rest) = pattern.split_at(pattern.len().min("spiffe://".len()));
    let (its_domain, path) = rest.split_once('/').unwrap_or((rest, ""));
    let wrong = if scheme == "spiffe://" && its_domain.contains('*') {
        Some("has a `*` for its trust domain".to_owned())
    } else if let Some(segment) = path.split('/').find(|segment| segment.contains('*') && *segment != "*") {
        Some(format!("has something beside `*` in the segment `{segment}`"))
    } else {
        let plain: Vec<&str> = path.split('/').map(|segment| if segment == "*" { "x" } else { segment }).collect();
        let plain = if path.is_empty() { pattern.clone() } else { format!("{scheme}{its_domain}/{}", plain.join("/")) };
        SpiffeId::parse(&plain).err().map(|why| why.to_string())
    };
    if let Some(wrong) = wrong {
        return report.add(found.at.error(format!("pattern `{pattern}` {wrong}")).help(help));
    }
    if trust_domain.is_some_and(|domain| domain != its_domain) {
        let message = format!("`{pattern}` lies outside the mesh's trust domain `{domain}`");
        let help = format!("write `spiffe://{domain}/…`: no peer of another trust domain is believed");
        return report.add(found.at.error(message).help(help));
    }
    Some(found)
}

/// A duration in whole seconds, within `bounds`: `30s`, `5m`, `2h`.
pub(crate) fn duration(node: Node<'_>, what: &str, bounds: RangeInclusive<u32>, report: &mut Report) -> Option<u32> {
    let at = node.at;
    let (shortest, longest) = (shown(*bounds.start()), shown(*bounds.end()));
    let help = format!("write a number and `s`, `m` or `h`, from `{shortest}` to `{longest}`");
    let written = match node.value {
        Value::Text(text) => text,
        Value::Scalar(number) => {
            return report.add(at.error(format!("{what} `{number}` has no unit")).help(help));
        }
        other => return report.add(at.error(format!("{what} is not {}", other.kind())).help(help)),
    };
    match parse_duration(&written) {
        None => report.add(at.error(format!("{what} `{written}` is no duration")).help(help)),
        Some(seconds) if !bounds.contains(&seconds) => {
            report.add(at.error(format!("{what} `{written}` is not between `{shortest}` and `{longest}`")).help(help))
        }
        Some(seconds) => Some(seconds),
    }
}

/// A whole number within `bounds`.
pub(crate) fn number(node: Node<'_>, what: &str, bounds: RangeInclusive<u16>, report: &mut Report) -> Option<u16> {
    let at = node.at;
    let help = format!("write a number from {} to {}", bounds.start(), bounds.end());
    match node.value {
        Value::Scalar(word) | Value::Text(word) => match word.parse::<u16>().ok().filter(|n| bounds.contains(n)) {
            Some(number) => Some(number),
            None => report.add(at.error(format!("{what} is never `{word}`")).help(help)),
        },
        other => report.add(at.error(format!("{what} is not {}", other.kind())).help(help)),
    }
}

/// Whole seconds of `30s`, `5m`, `2h` or `30d`.
pub(crate) fn parse_duration(text: &str) -> Option<u32> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u32>().ok()?.checked_mul(seconds)
}

fn shown(seconds: u32) -> String {
    match seconds {
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// The id of a key: 1 to 64 of `a-z A-Z 0-9 . - _`.
pub(crate) fn key_id<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, "a key id", report)?;
    let good = found.value.len() <= 64
        && !found.value.starts_with('.')
        && found.value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if good {
        return Some(found);
    }
    report.add(
        found
            .at
            .error(format!("key id `{}` is not 1 to 64 of `a-z A-Z 0-9 . - _`", found.value))
            .help("write an id as `bundle-1`; the public half is the file `<id>.pub` in the keys folder"),
    )
}

/// A plain word: 1 to 63 of `a-z 0-9 -`, beginning and ending with a letter or digit.
pub(crate) fn word<'s>(node: Node<'s>, what: &str, report: &mut Report) -> Option<Located<'s, String>> {
    let found = text(node, what, report)?;
    if is_label(&found.value) {
        return Some(found);
    }
    report.add(
        found
            .at
            .error(format!("{what} `{}` is not 1 to 63 of `a-z 0-9 -`", found.value))
            .help("write it in lower case, beginning and ending with a letter or digit"),
    )
}

/// Whether `text` is a DNS label in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_fit() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("2h", Some(7_200)),
            ("30d", Some(2_592_000)),
            ("5", None),
            ("m", None),
            ("-5m", None),
            ("+5m", None),
            ("1.5h", None),
            ("5 m", None),
            ("99999999999s", None),
            ("4294967295h", None),
            ("5ß", None),
        ] {
            assert_eq!(parse_duration(text), seconds, "{text}");
        }
    }
}
