//! The cases in `cases/carriers`: a body, what is answered, and what goes on. A folder for each carrier.

#![allow(clippy::disallowed_methods, reason = "cases are files")]

#[path = "common/kinds.rs"]
mod kinds;
#[path = "common/script.rs"]
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kinds::{kinds, same, wire};
use partywall_log_redaction::carriers::{Carrier, Cause, Kind, Limits};
use script::{Answer, Ending, Script};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it is about.
    why: String,
    /// The body, in words; or in hexadecimal, with spaces.
    input: Option<String>,
    input_hex: Option<String>,
    #[serde(default)]
    answers: Vec<Answer>,
    #[serde(default)]
    endings: Vec<Ending>,
    /// Whether leaves are looked at first.
    #[serde(default)]
    looks: bool,
    /// The largest record and block.
    record: Option<usize>,
    block: Option<usize>,
    /// What was asked, if that is what it is about.
    seen: Option<Vec<String>>,
    /// What goes on; nothing where it is `same`.
    output: Option<String>,
    output_hex: Option<String>,
    /// It goes on byte by byte.
    #[serde(default)]
    same: bool,
    refused: Option<String>,
    /// Counts, by name; of those that were bad by cause.
    #[serde(default)]
    counts: BTreeMap<String, u64>,
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

struct Came {
    out: Result<Vec<u8>, String>,
    seen: Vec<String>,
    counts: BTreeMap<String, u64>,
}

fn run(case: &Case, kind: Kind, pieces: &[&[u8]]) -> Came {
    let default = Limits::default();
    let limits = Limits { record: case.record.unwrap_or(default.record), block: case.block.unwrap_or(default.block) };
    let mut carrier = Carrier::new(kind, limits);
    let mut script = Script::new(case.answers.clone(), case.endings.clone());
    script.looks = case.looks;
    let mut out = Vec::new();
    let mut read = Ok(());
    let largest = pieces.iter().map(|piece| piece.len()).max().unwrap_or_default();
    for piece in pieces {
        read = read.and_then(|()| carrier.push(piece, false, &mut script, &mut out));
        assert!(
            carrier.held() <= limits.record.max(limits.block) + largest + 64,
            "{}: {} held",
            case.why,
            carrier.held()
        );
    }
    read = read.and_then(|()| carrier.push(b"", true, &mut script, &mut out));
    assert_eq!(script.depth(), 0, "{}: a unit that did not end", case.why);
    let counts = carrier.counts();
    let mut told = BTreeMap::from([
        ("records".to_owned(), counts.records),
        ("dropped".to_owned(), counts.dropped),
        ("changed".to_owned(), counts.changed),
        ("tagged".to_owned(), counts.tagged),
    ]);
    told.extend(Cause::ALL.iter().zip(counts.bad).map(|(cause, bad)| (cause.name().to_owned(), bad)));
    if case.looks && read.is_ok() {
        let leaves = script.seen.iter().filter(|line| !line.starts_with("begin ") && !line.starts_with("end "));
        let (mut looked, mut asked) = (script.looked.clone(), leaves.cloned().collect::<Vec<_>>());
        looked.sort();
        asked.sort();
        assert_eq!(looked, asked, "{}: what is looked at is what is asked about", case.why);
    }
    Came { out: read.map(|()| out).map_err(|refusal| refusal.to_string()), seen: script.seen, counts: told }
}

fn check(file: &Path, case: &Case, kind: Kind, wrong: &mut Vec<String>) {
    let input = match (&case.input, &case.input_hex) {
        (Some(words), None) => wire(kind, words),
        (None, Some(digits)) => hex(digits),
        _ => panic!("{}: `input` or `input_hex`", file.display()),
    };
    let expected = match (&case.output, &case.output_hex, &case.refused, case.same) {
        (Some(words), None, None, false) => Ok(wire(kind, words)),
        (None, Some(digits), None, false) => Ok(hex(digits)),
        (None, None, None, true) => Ok(input.clone()),
        (None, None, Some(why), false) => Err(why.clone()),
        _ => panic!("{}: one of `output`, `output_hex`, `refused` and `same`", file.display()),
    };
    let mut cuts: Vec<Vec<&[u8]>> = vec![vec![&input], input.chunks(1).collect(), input.chunks(7).collect()];
    if input.len() < 2000 {
        cuts.extend((1..input.len()).map(|at| vec![&input[..at], &input[at..]]));
    }
    for (nth, pieces) in cuts.iter().enumerate() {
        let came = run(case, kind, pieces);
        let equal = match (&came.out, &expected) {
            (Ok(came), Ok(expected)) if case.same || case.output_hex.is_some() => came == expected,
            (Ok(came), Ok(expected)) => same(kind, came) == same(kind, expected),
            (came, expected) => came == expected,
        };
        let counted = case.counts.iter().all(|(name, count)| came.counts.get(name) == Some(count));
        let seen = case.seen.as_ref().is_none_or(|seen| *seen == came.seen);
        if !equal || !counted || !seen {
            let show = |out: &Result<Vec<u8>, String>| match out {
                Ok(out) => same(kind, out),
                Err(why) => format!("refused: {why}"),
            };
            wrong.push(format!(
                "{} ({}), cut {nth}:\n  came {}\n  said {}\n  counts {:?}\n  seen {:#?}",
                file.display(),
                case.why,
                show(&came.out),
                show(&expected),
                came.counts,
                if seen { Vec::new() } else { came.seen },
            ));
            return;
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    all.sort();
    all
}

#[test]
fn every_case_comes_out_as_it_says() {
    let (mut wrong, mut cases) = (Vec::new(), 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/carriers");
    for (folder, kind) in kinds() {
        let all = files(&root.join(folder));
        if all.is_empty() {
            wrong.push(format!("{folder} has no case"));
        }
        for file in all {
            let text = std::fs::read_to_string(&file).unwrap();
            let case = serde_saphyr::from_str::<Vec<Case>>(&text);
            for case in case.unwrap_or_else(|error| panic!("{}: {error}", file.display())) {
                check(&file, &case, kind, &mut wrong);
                cases += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
