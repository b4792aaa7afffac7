//! All verbs: the table of the README has them, help has examples, shells complete them.

mod support;

use std::path::Path;

use support::partywall;

#[test]
fn the_readme_lists_every_verb_and_no_other() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let rows = readme.lines().skip_while(|line| !line.starts_with("| verb | what it does |")).skip(2);
    let mut listed: Vec<String> = rows
        .take_while(|line| line.starts_with('|'))
        .flat_map(|line| {
            let cell = line.trim_start_matches('|').split('|').next().unwrap();
            cell.split(',')
                .map(|name| name.trim().trim_matches('`').split(' ').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    listed.sort();
    listed.dedup();
    let mut verbs = partywall_cli::command::verbs();
    verbs.sort();
    assert_eq!(listed, verbs, "the README (left) and the command line (right) differ");
}

#[test]
fn every_verb_helps_with_examples() {
    for verb in partywall_cli::command::verbs() {
        let ran = partywall(&[&verb, "--help"]).succeeds();
        let help = ran.stdout();
        assert!(help.contains("Example") && help.contains(&format!("partywall {verb}")), "{verb}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 125), "{verb}: {help}");
    }
}

#[test]
fn shells_complete_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = partywall(&["completions", shell]).succeeds();
        for verb in partywall_cli::command::verbs() {
            assert!(ran.stdout().contains(&verb), "{shell} does not complete {verb}");
        }
    }
    partywall(&["completions", "cmd"]).ends_with(2);
}
