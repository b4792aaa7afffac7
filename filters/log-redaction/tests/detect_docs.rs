//! The table of detectors in docs/redaction.md is the catalogue.
#![allow(clippy::disallowed_methods, reason = "a page is a file, and who writes it says so")]

use std::path::PathBuf;

use partywall_log_redaction::detect::catalog;

const BEGIN: &str = "<!-- detectors -->\n";
const END: &str = "<!-- /detectors -->";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/redaction.md")
}

/// The page with the table as it should be.
fn written(page: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let rows: String = catalog()
        .iter()
        .map(|one| {
            let also = if one.also.is_empty() { String::new() } else { format!("; {}", one.also) };
            format!("| `{}` | {} | {}{also} |\n", one.name, one.what, one.source)
        })
        .collect();
    format!("{before}{BEGIN}| detector | what it finds | source |\n|---|---|---|\n{rows}{END}{after}")
}

#[test]
fn the_table_is_the_catalogue() {
    let text = std::fs::read_to_string(page()).unwrap();
    if std::env::var_os("WRITE").is_some() {
        return std::fs::write(page(), written(&text)).unwrap();
    }
    assert!(text == written(&text), "write it anew: WRITE=1 cargo test -p partywall-log-redaction --test detect_docs");
}

#[test]
fn formats_of_a_hundred_providers_are_described_in_public() {
    let all = catalog();
    let keys: Vec<_> = all.iter().filter(|one| one.name.starts_with("key/")).collect();
    let confirmed = keys.iter().filter(|one| !one.also.is_empty() && !one.also.contains("unconfirmed")).count();
    assert!(confirmed >= 100, "{confirmed} of {}", keys.len());
}
