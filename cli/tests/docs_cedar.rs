//! What docs/cedar.md shows is what the command says.
#![allow(missing_docs)]

mod lower_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use partywall_cli::diagnostic::Source;
use partywall_cli::lower::{Vocabulary, lower, schema};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cedar.md")).unwrap()
}

/// The blocks of this language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mark = format!("```{language}\n");
    page.split(&mark).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// The block of Cedar that has this in it.
fn policy(page: &str, part: &str) -> String {
    blocks(page, "cedar").into_iter().find(|block| block.contains(part)).unwrap()
}

#[test]
fn the_policy_about_a_consent_is_the_samples() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy-config/tenancy/policies/analytics.cedar");
    let words = |text: &str| text.split_whitespace().collect::<String>();
    let (shown, sample) = (policy(&page(), "consents.contains"), fs::read_to_string(sample).unwrap());
    assert!(words(&sample).ends_with(&words(&shown)), "{shown}");
}

#[test]
fn the_schema_is_the_one_that_is_generated() {
    let [shown] = blocks(&page(), "cedarschema").try_into().unwrap();
    let text = schema::text(&lower_support::services());
    assert!(text.starts_with(&shown), "{text}");
}

#[test]
fn the_template_and_its_link_are_lowered() {
    let page = page();
    let sources = [
        Source::new("policies/a.cedar", policy(&page, "?principal")),
        Source::new("policies/links.yaml", blocks(&page, "yaml").remove(0)),
    ];
    let (tenants, services) = (lower_support::tenants(), lower_support::services());
    let lowered =
        lower(&Vocabulary { tenants: &tenants, services: &services, networks: None, clusters: &[] }, &sources).unwrap();
    assert_eq!(lowered.program.policies.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["guests-of-17"]);
}

#[test]
fn the_example_answers_as_shown() {
    let page = page();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("docs-cedar");
    fs::create_dir_all(&folder).unwrap();
    let [entities, request] = blocks(&page, "json").try_into().unwrap();
    let files =
        [("policies.cedar", policy(&page, "office-hours")), ("entities.json", entities), ("request.json", request)];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let [session] = blocks(&page, "console").try_into().unwrap();
    let (command, expected) = session.split_once('\n').unwrap();
    let arguments = command.strip_prefix("$ partywall ").unwrap().split(' ');
    let answer = Command::new(env!("CARGO_BIN_EXE_partywall")).args(arguments).current_dir(folder).output().unwrap();
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), expected, "{}", String::from_utf8_lossy(&answer.stderr));
}
