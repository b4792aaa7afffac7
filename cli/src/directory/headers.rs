//! Names of headers: those of former systems, and those that sources read.

use crate::directory::fields::{Report, texts};
use crate::directory::yaml::{Located, Node};

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
pub(crate) fn legacy(node: Node<'_>, report: &mut Report) -> Vec<String> {
    let found = texts(node, "a legacy header", report);
    found.into_iter().filter_map(|name| legacy_header(name, report)).collect()
}

fn legacy_header(name: Located<'_, String>, report: &mut Report) -> Option<String> {
    const EXAMPLE: &str = "x-tenant-id";
    let header = &name.value;
    let wrong = misspelt(header, EXAMPLE).or_else(|| {
        if is_ours(header) {
            let help = "take it out of this list".to_owned();
            Some((format!("header `{header}` is taken out of every request anyway"), help))
        } else if NEEDED.contains(&header.as_str()) {
            let help = format!("name only headers that a former system told the tenant by, as `{EXAMPLE}`");
            Some((format!("a request without `{header}` would be another request"), help))
        } else {
            None
        }
    });
    match wrong {
        Some((wrong, help)) => report.add(name.at.error(wrong).help(help)),
        None => Some(name.value),
    }
}

/// The name of a header that a source reads, as `example`.
pub(crate) fn of_source<'s>(
    name: Located<'s, String>,
    example: &str,
    report: &mut Report,
) -> Option<Located<'s, String>> {
    let header = &name.value;
    let write = || format!("write a header of its own, as `{example}`");
    let wrong = if header.starts_with(':') {
        Some((format!("`{header}` is a pseudo-header, which no source reads"), write()))
    } else if header.contains('_') {
        let help = format!("write `{}`", header.replace('_', "-").to_ascii_lowercase());
        Some((format!("header `{header}` has a `_`, which many servers read as `-`"), help))
    } else {
        misspelt(header, example).or_else(|| {
            if is_ours(header) {
                Some((
                    format!("header `{header}` is taken out of every request, so no source can be read from it"),
                    write(),
                ))
            } else if NEEDED.contains(&header.as_str()) {
                Some((format!("header `{header}` means something else already"), write()))
            } else {
                None
            }
        })
    };
    match wrong {
        Some((wrong, help)) => report.add(name.at.error(wrong).help(help)),
        None => Some(name),
    }
}

fn misspelt(header: &str, example: &str) -> Option<(String, String)> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if header.len() > 128 || !header.bytes().all(is_token) {
        let help = format!("write the name alone, as `{example}`");
        Some((format!("`{header}` is no header name (RFC 9110, section 5.1)"), help))
    } else if header.bytes().any(|b| b.is_ascii_uppercase()) {
        Some((format!("header `{header}` is not in lower case"), format!("write `{}`", header.to_ascii_lowercase())))
    } else {
        None
    }
}

fn is_ours(header: &str) -> bool {
    header.starts_with("x-partywall-") || header == "x-forwarded-client-cert"
}
