//! The cases in `cases/<folder>/<name>.yaml`: given a mesh, when a request comes, then this.
//!
//! `cargo test -p partywall-tenant-context --test cases -- --nocapture` prints what they reach.
#![allow(missing_docs, clippy::disallowed_macros, reason = "a report is printed")]

mod case;
mod jws;
mod keys;
mod literals;
mod mesh;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use case::{Case, Outcome};
use literals::UNREACHED;
use partywall_tenancy::Reason;

/// The clock of all cases.
const NOW: u64 = 1_800_000_000;

/// Reasons that other crates give.
const NOT_HERE: &[Reason] = &[
    Reason::ResourceForeign,
    Reason::ResourceUnmapped,
    Reason::PolicyDenied,
    Reason::FeatureOff,
    Reason::FeatureHidden,
    Reason::Residency,
    Reason::Clearance,
    Reason::Consent,
    Reason::CellForeign,
    Reason::RequestTooLarge,
    Reason::Retention,
    Reason::ResponseForeign,
    Reason::ResponseUnclear,
];

struct Ran {
    folder: String,
    name: String,
    /// 0 for the case itself, then what it lists as `also`.
    nth: usize,
    case: Case,
    outcome: Outcome,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

#[allow(clippy::disallowed_methods, reason = "the cases are files, so that adding one is adding a file")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn list(path: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// All of them, run once for all tests here.
static RAN: LazyLock<Vec<Ran>> = LazyLock::new(run_all);

fn run_all() -> Vec<Ran> {
    let mesh = read(&folder().join("mesh.yaml"));
    let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut all = Vec::new();
    for folder in list(&folder()).into_iter().filter(|path| path.is_dir()) {
        for path in list(&folder) {
            let cases = Case::read(&read(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for (nth, case) in cases.into_iter().enumerate() {
                let outcome = case.run(&mesh).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                all.push(Ran { folder: stem(&folder), name: stem(&path), nth, case, outcome });
            }
        }
    }
    all
}

#[test]
fn every_case_ends_as_it_says() {
    let ran = &*RAN;
    let wrong: Vec<_> = ran
        .iter()
        .flat_map(|r| {
            r.case.differences(&r.outcome).into_iter().map(|d| format!("{}/{}, {}: {d}", r.folder, r.name, r.nth))
        })
        .collect();
    report(ran);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_reason_and_every_detail_is_reached() {
    let ran = &*RAN;
    let reasons: BTreeSet<_> = ran.iter().filter_map(|r| r.outcome.reason()).map(Reason::code).collect();
    let missed: Vec<_> = Reason::ALL.iter().filter(|r| !NOT_HERE.contains(r) && !reasons.contains(r.code())).collect();
    assert!(missed.is_empty(), "no case is denied for {missed:?}");

    let details: BTreeSet<_> = ran.iter().filter_map(|r| r.outcome.detail()).collect();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = literals::details(&sources, &read, &list);
    let gone: Vec<_> = UNREACHED
        .iter()
        .map(|(text, _)| text)
        .filter(|text| all.iter().all(|literal| literal.text != **text))
        .collect();
    assert!(gone.is_empty(), "exceptions for what no source says any longer: {gone:?}");
    let mut unreached = Vec::new();
    for literal in all {
        let reached = details.iter().any(|detail| literals::fits(&literal.text, detail));
        let excepted = UNREACHED.iter().any(|(text, _)| *text == literal.text);
        assert!(!(reached && excepted), "{literal} is reached, so it is no exception");
        if !reached && !excepted {
            unreached.push(literal.to_string());
        }
    }
    assert!(unreached.is_empty(), "no case reaches:\n{}", unreached.join("\n"));
}

/// Two cases of a folder that look alike from outside must say which other branch they are there for.
#[test]
fn no_two_cases_of_a_folder_are_the_same() {
    let ran = &*RAN;
    let mut seen: BTreeMap<_, Vec<&Ran>> = BTreeMap::new();
    for r in ran.iter().filter(|r| r.nth == 0) {
        seen.entry((&r.folder, r.outcome.signature(), r.case.involved())).or_default().push(r);
    }
    let mut alike = Vec::new();
    for group in seen.values().filter(|group| group.len() > 1) {
        let whys: BTreeSet<_> = group.iter().filter_map(|r| r.case.why.as_deref()).collect();
        // One of them is the plain one and may do without.
        if whys.len() + 1 < group.len() {
            let names: Vec<_> =
                group.iter().filter(|r| r.case.why.is_none()).map(|r| format!("{}/{}", r.folder, r.name)).collect();
            alike.push(format!("{:?}: {}", group[0].outcome.signature(), names.join(", ")));
        }
    }
    assert!(alike.is_empty(), "say `why:` they differ:\n{}", alike.join("\n"));
}

/// Every two sources, one proving or selecting beside the other: once let in, once not.
#[test]
fn every_pair_of_sources_has_an_allow_and_a_deny() {
    const SOURCES: &[&str] = &["jwt", "api_key", "uri_san", "dns_san", "host", "path", "header", "root"];
    let ran = &*RAN;
    let pairs: BTreeMap<_, _> = ran.iter().filter(|r| r.folder == "pairs").map(|r| (r.name.as_str(), r)).collect();
    for (n, first) in SOURCES.iter().enumerate() {
        for second in &SOURCES[n + 1..] {
            for (end, allowed) in [("allow", true), ("deny", false)] {
                let name = format!("{first}-and-{second}-{end}");
                let found = pairs.get(name.as_str()).unwrap_or_else(|| panic!("there is no pairs/{name}.yaml"));
                assert_eq!(found.outcome.reason().is_none(), allowed, "{name}");
                let involved = found.case.involved();
                assert!([first, second].iter().all(|s| involved.contains(**s)), "{name} involves {involved:?}");
            }
        }
    }
}

fn report(ran: &[Ran]) {
    let mut folders: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let mut details: BTreeMap<(String, String), usize> = BTreeMap::new();
    for r in ran {
        let (allowed, denied, also) = folders.entry(&r.folder).or_default();
        match (r.outcome.reason(), r.outcome.detail()) {
            _ if r.nth > 0 => *also += 1,
            (None, _) => *allowed += 1,
            (Some(_), _) => *denied += 1,
        }
        match (r.outcome.reason(), r.outcome.detail()) {
            (None, _) => {}
            (Some(reason), detail) => {
                *details.entry((reason.code().into(), detail.unwrap_or_default().into())).or_default() += 1;
            }
        }
    }
    println!("\n{:<14}{:>6}{:>6}{:>6}{:>6}", "folder", "cases", "allow", "deny", "also");
    for (folder, (allowed, denied, also)) in &folders {
        println!("{folder:<14}{:>6}{allowed:>6}{denied:>6}{also:>6}", allowed + denied);
    }
    let cases = ran.iter().filter(|r| r.nth == 0).count();
    println!("{:<14}{cases:>6}{:>18}\n", "all", ran.len() - cases);
    for ((reason, detail), cases) in &details {
        println!("{cases:>4}  {reason:<20} {detail}");
    }
    println!("\n{} pairs of reason and detail; {} exceptions:", details.len(), UNREACHED.len());
    for (text, why) in UNREACHED {
        println!("      {text}\n        {why}");
    }
    if std::env::args().any(|a| a == "--show-output") {
        for r in ran {
            println!("{}/{}\t{:?}", r.folder, r.name, r.outcome.signature());
        }
    }
}
