//! The cases of the guard, `cases/guard`: each body as one piece, cut in two at every place, and byte by byte.
#![allow(clippy::disallowed_macros, reason = "it says how much was tried")]

mod guard_support;

use std::path::{Path, PathBuf};

use partywall_authorization::guard;
use partywall_tenancy::{Foreign, Outlived, ResponseFormat};
use serde::Deserialize;

use guard_support::fold::fold;
use guard_support::messages::messages;
use guard_support::{TENANT, every_cut, response, rules, since, walk_folded};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[allow(dead_code, reason = "for the reader")]
    why: Option<String>,
    #[serde(default)]
    owner: String,
    since: Option<String>,
    #[serde(default = "deny")]
    outlived: String,
    #[serde(default = "json")]
    format: String,
    #[serde(default = "deny")]
    foreign: String,
    #[serde(default = "cap")]
    element_cap: u32,
    tenant: Option<String>,
    body: String,
    /// Bodies that end alike.
    #[serde(default)]
    also: Vec<String>,
    folded: Option<Folded>,
    then: Then,
}

/// How the body comes, where it does not come plainly.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folded {
    r#as: String,
    /// The byte, below zero counted from the end, of which a bit is turned,
    flip: Option<isize>,
    /// how many are cut off,
    #[serde(default)]
    cut: usize,
    /// and what stands behind.
    #[serde(default)]
    append: String,
}

impl Folded {
    fn fold(&self, body: &[u8]) -> (guard::Coding, Vec<u8>) {
        let (coding, mut folded) = fold(&self.r#as, body);
        let length = folded.len();
        if let Some(at) = self.flip {
            let at = if at < 0 { length - at.unsigned_abs() } else { at.unsigned_abs() };
            folded[at] ^= 1;
        }
        folded.truncate(length - self.cut);
        folded.extend(bytes(&self.append));
        (coding, folded)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Then {
    /// It leaves as it came, with so many elements.
    Clean(u64),
    /// This leaves.
    Leaves(String),
    /// It is refused, for this.
    Refused(String),
}

fn json() -> String {
    "json".into()
}

fn deny() -> String {
    "deny".into()
}

fn cap() -> u32 {
    1024
}

#[test]
fn every_case_ends_as_it_says() {
    let mut ran = 0;
    let mut wrong = Vec::new();
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/guard")) {
        let text = read(&path);
        let case: Case = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        wrong.extend(run(&case, &path).err());
        ran += 1;
    }
    println!("{ran} cases of the guard");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 100, "only {ran} cases were found");
}

/// What unfolds to far more than it is ends long before it is all there.
#[test]
fn a_bomb_is_refused_while_it_unfolds() {
    let rules = rules(&response("/items/*/tenant", ResponseFormat::Json, Foreign::Deny, 1024));
    let bomb = format!("{{\"items\":[],\"x\":\"{}\"}}", "a".repeat(16 << 20));
    for kind in ["gzip", "zlib", "raw"] {
        let (coding, folded) = fold(kind, bomb.as_bytes());
        let walked = walk_folded(&rules, TENANT, Some(coding), folded.chunks(16 * 1024), 1024);
        assert_eq!(walked.outcome.map_err(|r| r.code()), Err("invalid"), "{kind}");
        assert!(walked.left.len() < 4 << 20, "{} bytes left of {}", walked.left.len(), folded.len());
    }
    // As much as people write passes.
    let item = |n: u32| format!("{{\"tenant\":\"acme\",\"n\":{n},\"note\":\"paid by the end of the month\"}}");
    let list = (0..40_000).map(item).collect::<Vec<_>>().join(",");
    let body = format!("{{\"items\":[{list}]}}");
    let (coding, folded) = fold("gzip", body.as_bytes());
    let walked = walk_folded(&rules, TENANT, Some(coding), folded.chunks(16 * 1024), 1024);
    assert!(walked.outcome.is_ok() && walked.left == body.as_bytes(), "{:?}", walked.outcome);
}

/// The first cut at which it does not end as it says.
fn run(case: &Case, path: &Path) -> Result<(), String> {
    let format = match case.format.as_str() {
        "json" => ResponseFormat::Json,
        "ndjson" => ResponseFormat::Ndjson,
        "sse" => ResponseFormat::Sse,
        "grpc" => ResponseFormat::Grpc,
        other => panic!("{}: no format `{other}`", path.display()),
    };
    let foreign = match case.foreign.as_str() {
        "deny" => Foreign::Deny,
        "drop" => Foreign::Drop,
        "mask" => Foreign::Mask,
        "report" => Foreign::Report,
        other => panic!("{}: `foreign` is never `{other}`", path.display()),
    };
    let outlived = match case.outlived.as_str() {
        "deny" => Outlived::Deny,
        "drop" => Outlived::Drop,
        "mask" => Outlived::Mask,
        other => panic!("{}: `outlived` is never `{other}`", path.display()),
    };
    let mut declared = response(&case.owner, format, foreign, case.element_cap);
    if let Some(pointer) = &case.since {
        declared = since(declared, pointer, outlived);
    }
    let rules = rules(&declared);
    let readers = case.owner.split_whitespace().count() + usize::from(case.since.is_some());
    let kept = case.element_cap as usize * readers;
    let tenant = case.tenant.as_deref().unwrap_or(TENANT);
    for body in std::iter::once(&case.body).chain(&case.also) {
        let body = plain(case, body);
        let (coding, sent) = match &case.folded {
            Some(folded) => {
                let (coding, sent) = folded.fold(&body);
                (Some(coding), sent)
            }
            None => (None, body.clone()),
        };
        for chunks in every_cut(&sent) {
            let cuts: Vec<usize> = chunks.iter().map(|c| c.len()).take(2).collect();
            let walked = walk_folded(&rules, tenant, coding, chunks, kept);
            let shown = format!(
                "{} cut at {cuts:?}: {:?} after `{}`",
                path.display(),
                walked.outcome,
                String::from_utf8_lossy(&walked.left)
            );
            let well = match &case.then {
                Then::Clean(elements) => {
                    let counted = walked.counts.own + walked.counts.reported;
                    walked.outcome.is_ok() && walked.left == body && counted == *elements
                }
                Then::Leaves(expected) => walked.outcome.is_ok() && walked.left == plain(case, expected),
                Then::Refused(code) => walked.outcome.map_err(|r| r.code()) == Err(code.as_str()),
            };
            let leaked = case.foreign != "report" && walked.left.windows(6).any(|w| w == b"SECRET");
            if !well || leaked {
                return Err(shown);
            }
        }
    }
    Ok(())
}

/// The body as it is sent. Of gRPC it is written as messages, unless it begins with a byte.
fn plain(case: &Case, text: &str) -> Vec<u8> {
    if case.format == "grpc" && !text.starts_with("\\x") { messages(text) } else { bytes(text) }
}

/// `\xff` is a byte, `{a:300}` as many letters; everything else stands for itself.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(hex) = rest.strip_prefix("\\x").and_then(|r| r.get(..2)) {
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &rest[4..];
        } else if let Some((letters, after)) = rest.strip_prefix("{a:").and_then(|r| r.split_once('}')) {
            bytes.resize(bytes.len() + letters.parse::<usize>().unwrap(), b'a');
            rest = after;
        } else if let Some((deep, after)) = rest.strip_prefix("{[:").and_then(|r| r.split_once('}')) {
            bytes.resize(bytes.len() + deep.parse::<usize>().unwrap(), b'[');
            rest = after;
        } else if let Some((deep, after)) = rest.strip_prefix("{]:").and_then(|r| r.split_once('}')) {
            bytes.resize(bytes.len() + deep.parse::<usize>().unwrap(), b']');
            rest = after;
        } else {
            let letter = rest.chars().next().unwrap();
            bytes.extend(rest[..letter.len_utf8()].bytes());
            rest = &rest[letter.len_utf8()..];
        }
    }
    bytes
}

#[allow(clippy::disallowed_methods, reason = "cases are files")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
    found
}
