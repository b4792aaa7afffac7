//! How a request may say its tenant without proving it: host templates, and the headers of former systems.

use crate::directory::fields::{Report, texts};
use crate::directory::values::is_label;
use crate::directory::yaml::{Located, Node};

/// Reads `hosts`.
pub(crate) fn hosts(node: Node<'_>, report: &mut Report) -> Vec<String> {
    let found = texts(node, "a host template", report);
    found.into_iter().filter_map(|host| host_template(host, report)).collect()
}

fn host_template(host: Located<'_, String>, report: &mut Report) -> Option<String> {
    const HELP: &str = "write `{tenant}` for one whole part of the name: `{tenant}.shop.example`";
    let template = host.value;
    let places = template.matches("{tenant}").count();
    let labels: Vec<&str> = template.split('.').collect();
    let wrong = if places != 1 {
        format!("host template `{template}` has `{{tenant}}` {places} times, and needs it once")
    } else if !labels.contains(&"{tenant}") {
        format!("host template `{template}` has something beside `{{tenant}}` in one part of the name")
    } else if let Some(label) = labels.iter().find(|l| **l != "{tenant}" && !is_label(l)) {
        format!("host template `{template}` has a part `{label}` that is no host name in lower case")
    } else if labels.len() < 2 {
        format!("host template `{template}` would take every host name for a tenant")
    } else {
        return Some(template);
    };
    report.add(host.at.error(wrong).help(HELP))
}

/// Headers whose removal would break the request, not protect it.
const NEEDED: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Reads `legacy_headers`.
pub(crate) fn legacy_headers(node: Node<'_>, report: &mut Report) -> Vec<String> {
    let found = texts(node, "a legacy header", report);
    found.into_iter().filter_map(|name| legacy_header(name, report)).collect()
}

fn legacy_header(name: Located<'_, String>, report: &mut Report) -> Option<String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let header = name.value;
    let (wrong, help) = if header.len() > 128 || !header.bytes().all(is_token) {
        (
            format!("`{header}` is no header name (RFC 9110, section 5.1)"),
            "write the name alone, as `x-tenant-id`".to_owned(),
        )
    } else if header.bytes().any(|b| b.is_ascii_uppercase()) {
        (format!("header `{header}` is not in lower case"), format!("write `{}`", header.to_ascii_lowercase()))
    } else if header.starts_with("x-partywall-") || header == "x-forwarded-client-cert" {
        (format!("header `{header}` is taken out of every request anyway"), "take it out of this list".to_owned())
    } else if NEEDED.contains(&header.as_str()) {
        (
            format!("a request without `{header}` would be another request"),
            "name only headers that a former system told the tenant by, as `x-tenant-id`".to_owned(),
        )
    } else {
        return Some(header);
    };
    report.add(name.at.error(wrong).help(help))
}
