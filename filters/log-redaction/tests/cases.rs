//! The cases in `cases/<detector>`: texts, and in each the bytes that a detector finds, set off by `⟦` and `⟧`.
//!
//! A text is written whole, or in `parts` that are joined, so that no scanner takes a made-up key for a leaked one. All that
//! the file's detector finds must be set off and all that is set off must be found; in a text without, it finds nothing.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cases are files, and a test may say what it did"
)]

use std::path::{Path, PathBuf};

use partywall_log_redaction::detect::{Detectors, Hint, Scratch, Selection, catalog};
use serde_json::Value;

const KEYS: &[&str] = &["why", "detector", "cases"];
const CASE_KEYS: &[&str] = &["text", "parts", "key", "why"];

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            into.push(path);
        }
    }
}

/// The text without what sets off, and what is set off.
fn read(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut ranges, mut open) = (String::new(), Vec::new(), None);
    for character in marked.chars() {
        match character {
            '⟦' => open = Some(text.len()),
            '⟧' => ranges.push((open.take().expect("`⟧` has its `⟦`"), text.len())),
            other => text.push(other),
        }
    }
    assert!(open.is_none(), "`⟦` has its `⟧`: {marked}");
    (text, ranges)
}

fn only(value: &Value, keys: &[&str], file: &Path) {
    for key in value.as_object().unwrap().keys() {
        assert!(keys.contains(&key.as_str()), "{}: `{key}` says nothing", file.display());
    }
}

#[test]
fn every_case_is_found_or_left_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // Carriers, encodings and the redactor have cases of their own kind.
        let apart = ["carriers", "encodings", "redactor"];
        if path.is_dir() && path.file_name().is_some_and(|name| apart.iter().all(|other| name != *other)) {
            files(&path, &mut all);
        }
    }
    all.sort();
    let detectors = Detectors::new(&Selection::default()).unwrap();
    let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
    let (mut wrong, mut count, mut covered) = (Vec::new(), 0, std::collections::BTreeMap::new());
    for file in &all {
        let text = std::fs::read_to_string(file).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        only(&value, KEYS, file);
        let detector = value["detector"].as_str().unwrap();
        for case in value["cases"].as_array().unwrap() {
            only(case, CASE_KEYS, file);
            count += 1;
            let parts = case["parts"].as_array().map(|parts| parts.iter().map(|part| part.as_str().unwrap()).collect());
            let marked: String = parts.unwrap_or_else(|| case["text"].as_str().unwrap().to_owned());
            let (text, ranges) = read(&marked);
            let tally: &mut (usize, usize) = covered.entry(detector.to_owned()).or_default();
            *(if ranges.is_empty() { &mut tally.1 } else { &mut tally.0 }) += 1;
            let key = case["key"].as_str().unwrap_or_default();
            detectors.find(&mut scratch, text.as_bytes(), Hint { key: key.as_bytes() }, &mut found);
            let of = |name: &str| name == detector || name.split('/').next() == Some(detector);
            let came: Vec<(usize, usize)> = found
                .iter()
                .filter(|one| of(detectors.name(one.detector)))
                .map(|one| (one.range.start, one.range.end))
                .collect();
            if came != ranges {
                let told: Vec<_> = found
                    .iter()
                    .map(|one| {
                        (detectors.name(one.detector), text.get(one.range.clone()).unwrap_or("(parts of characters)"))
                    })
                    .collect();
                let file = file.strip_prefix(&folder).unwrap().display();
                wrong.push(format!("{file}: {key:?} {marked}\n    found {told:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 1500, "{count} cases");
    for about in catalog() {
        let (positive, negative) = covered.get(about.name).copied().unwrap_or_default();
        // What cannot be looked through does not exist as a text.
        if about.name != "unscanned" {
            assert!(positive >= 1 && negative >= 2, "{}: {positive} positive and {negative} negative", about.name);
        }
    }
}
