//! The examples of `docs/examples/` do what they say, and their pages say what they do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use partywall_integration::examples::growth::Growth;
use partywall_integration::examples::mesh::Mesh;
use partywall_integration::examples::table::{table, verdict};
use partywall_integration::examples::{self, Example};
use partywall_integration::report::Paint;

fn readme(example: &Example) -> String {
    fs::read_to_string(example.directory.join("README.md")).unwrap()
}

/// What a page shows between ```` ```<language> ```` and ```` ``` ````.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let start = format!("\n```{language}\n");
    let parts = page.split(&start).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Runs one, and gives what is wrong with it or with what its page says of it.
fn run(example: Example) -> Vec<String> {
    let name = example.name.clone();
    let mesh = Mesh::start(example).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let growth = mesh.example.script.generated.is_some().then(|| Growth::measure(&mesh, 0).unwrap());
    let outcomes = mesh.ask_all().unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let printed = table(Paint::PLAIN, &mesh.example.script, &outcomes);
    println!("{name}\n{printed}{}\n", verdict(Paint::PLAIN, &outcomes));
    let mut wrong: Vec<String> = Vec::new();
    for outcome in &outcomes {
        wrong.extend(outcome.differences.iter().map(|what| format!("{name}: `{}`: {what}", outcome.ask.name)));
    }
    if !readme(&mesh.example).contains(&format!("{printed}\n{}\n", verdict(Paint::PLAIN, &outcomes))) {
        wrong.push(format!("{name}: the page does not show what is printed"));
    }
    if let Some(growth) = growth {
        println!("{}", growth.table());
        if !growth.edge_is_the_same() {
            wrong.push(format!("{name}: more issuers changed the configuration of the edge"));
        }
        if growth.native.0.configured >= growth.native.1.configured {
            wrong.push(format!("{name}: more issuers did not change that of jwt_authn, so nothing is compared"));
        }
    }
    wrong
}

#[test]
fn every_example_is_answered_as_it_says_and_its_page_shows_just_that() {
    let runs: Vec<_> = examples::all().unwrap().into_iter().map(|example| thread::spawn(|| run(example))).collect();
    assert!(runs.len() >= 5);
    let wrong: Vec<String> = runs.into_iter().flat_map(|run| run.join().unwrap()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_page_quotes_stands_in_a_file_of_its_example() {
    for example in examples::all().unwrap() {
        let files: Vec<String> = files(&example.directory)
            .iter()
            .filter(|path| !path.ends_with("README.md"))
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        let page = readme(&example);
        let quoted: Vec<String> = ["yaml", "diff", "cedar", "sh"].iter().flat_map(|l| blocks(&page, l)).collect();
        assert!(!quoted.is_empty(), "{}: the page shows no configuration", example.name);
        for quote in quoted {
            assert!(files.iter().any(|file| file.contains(&quote)), "{}: in no file:\n{quote}", example.name);
        }
    }
}

#[test]
fn the_index_names_every_example_by_its_heading_and_nothing_else() {
    let index = fs::read_to_string(examples::directory().join("README.md")).unwrap();
    let named: BTreeSet<String> = index
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.split_once("]("))
        .map(|(name, rest)| format!("{name}: {}", rest.split(" | ").nth(1).unwrap_or_default()))
        .collect();
    let there = examples::all().unwrap();
    assert_eq!(named, there.iter().map(|example| format!("{}: {}", example.name, example.title)).collect());
}
