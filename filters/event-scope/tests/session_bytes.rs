//! Cases of every API, in bytes: of its first version, its last, the first with compact lengths, and of each in which
//! something that is marked appears, goes, or stands elsewhere. That they end as they say, `session_cases.rs` holds.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cases are files, and a test may say what it did"
)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{moves, table, written};

/// How many files there may be, all in all: they are to be read.
const MOST: usize = 300;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/kafka")
}

/// All files of cases, as `API/VERSION/NAME`.
fn files() -> BTreeSet<String> {
    let below = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let folders = |path: &PathBuf| path.is_dir();
    let versions = below(folder()).filter(folders).flat_map(below).filter(folders);
    let name = |path: &Path| path.strip_prefix(folder()).unwrap().display().to_string();
    versions
        .flat_map(below)
        .filter(|file| file.extension().is_some_and(|e| e == "yaml"))
        .map(|file| name(&file))
        .collect()
}

#[test]
fn every_version_in_which_a_mark_moves_has_a_case() {
    let (table, files) = (table(), files());
    let mut missing = Vec::new();
    let mut versions = 0;
    for api in &table.apis {
        for version in moves::versions(api) {
            versions += 1;
            let folder = format!("{}/{version}/", api.name);
            missing.extend((!files.iter().any(|file| file.starts_with(&folder))).then_some(folder));
        }
    }
    println!("{} APIs, {versions} versions, {} files", table.apis.len(), files.len());
    assert!(missing.is_empty(), "no case below {missing:?}: write one, or run `--example write-cases`");
    assert!(files.len() <= MOST, "{} files", files.len());
}

#[test]
fn written_cases_are_what_the_program_writes() {
    let cases = written::cases(&table());
    for (file, text) in &cases {
        let found = std::fs::read_to_string(folder().join(file)).unwrap_or_default();
        assert!(found == *text, "{file} is not what `--example write-cases` writes");
    }
    let of_program = |file: &&String| file.ends_with(&format!("/{}", written::FILE));
    let files = files();
    let left: Vec<_> = files.iter().filter(of_program).filter(|file| !cases.contains_key(*file)).collect();
    assert!(left.is_empty(), "these are written no more: {left:?}");
}
