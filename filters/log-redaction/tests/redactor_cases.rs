//! The cases in `cases/redactor`: rules, whose records a body holds, the body, and what goes on of it.

#![allow(clippy::disallowed_methods, reason = "cases are files")]

#[path = "common/kinds.rs"]
mod kinds;
#[path = "common/redact.rs"]
mod redact;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kinds::{kinds, same, wire};
use partywall_log_redaction::carriers::Kind;
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::redactor::{Engine, Facts, Own, Pass, Redactor, Rules};
use partywall_log_redaction::replace::Keys;
use redact::{ACME, again, directory, keys};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it is about.
    why: String,
    /// How the body is written; NDJSON where it is left out.
    #[serde(default = "ndjson")]
    kind: String,
    #[serde(default)]
    rules: Rules,
    /// Whether records say themselves whose they are; they are acme's otherwise.
    #[serde(default)]
    shared: bool,
    scope: Option<String>,
    service: Option<String>,
    classification: Option<String>,
    #[serde(default)]
    quarantine: bool,
    /// Nobody has a key.
    #[serde(default)]
    keyless: bool,
    /// Detectors that are on; all where it is left out.
    #[serde(default)]
    only: Vec<String>,
    body: String,
    /// What goes on; nothing where it is `same`. `[email]` stands for a mask, `p1_#` for a pseudonym, `enc:v1:k1:#` for
    /// what is encrypted, unless it is `exact`.
    output: Option<String>,
    #[serde(default)]
    exact: bool,
    #[serde(default)]
    same: bool,
    /// By detector and action, as `email mask`: all that there are, where it is there.
    counts: Option<BTreeMap<String, u64>>,
    /// Why there is no such redactor.
    wrong: Option<String>,
}

fn ndjson() -> String {
    "ndjson".to_owned()
}

/// Without fingerprints, pseudonyms and what is encrypted.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let mask = rest.strip_prefix("[REDACTED:").and_then(|after| after.split_once(']'));
        let body = |text: &str, is: fn(u8) -> bool| text.bytes().take_while(|byte| is(*byte)).count();
        if let Some((within, after)) = mask {
            let (name, print) = within.rsplit_once(':').unwrap();
            // Syslog writes a backslash before the bracket.
            let bare = print.trim_end_matches('\\');
            assert!(bare == "no_key" || bare.len() == 8, "{within}");
            let print = if bare == "no_key" { format!(":{print}") } else { print[8..].to_owned() };
            out.push_str(&format!("[{name}{print}]"));
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("p1_")
            && body(after, |byte| byte.is_ascii_hexdigit()) == 16
        {
            out.push_str("p1_#");
            rest = &after[16..];
            continue;
        }
        if let Some(after) = rest.strip_prefix("enc:v1:k1:") {
            out.push_str("enc:v1:k1:#");
            rest = &after[body(after, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')..];
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

fn check(case: &Case) -> Result<(), String> {
    let kind: Kind = kinds().into_iter().find(|(name, _)| *name == case.kind).ok_or("an unknown kind")?.1;
    let input = wire(kind, &case.body);
    let detectors = if case.only.is_empty() {
        redact::detectors()
    } else {
        let selection = Selection { only: case.only.clone(), ..Selection::default() };
        Rc::new(Detectors::new(&selection).map_err(|error| error.to_string())?)
    };
    let keys = if case.keyless { Keys::default() } else { keys() };
    let engine = Engine::new(&case.rules, detectors, Rc::new(directory()), Rc::new(keys));
    let engine = match (engine, &case.wrong) {
        (Ok(engine), None) => Rc::new(engine),
        (Err(error), Some(wrong)) if error.to_string() == *wrong => return Ok(()),
        (Err(error), _) => return Err(format!("no redactor: {error}")),
        (Ok(_), Some(_)) => return Err("there is a redactor".to_owned()),
    };
    let facts = Facts {
        scope: case.scope.as_deref().map(str::as_bytes),
        service: case.service.as_deref(),
        classification: case.classification.as_deref(),
        pass: if case.quarantine { Pass::Quarantine } else { Pass::Main },
        ..Facts::new("test", if case.shared { Own::Record } else { Own::Tenant(ACME) })
    };
    let mut redactor = Redactor::new(engine, &facts);
    let (out, counts) = again(&mut redactor, &facts, kind, &[&input])?;
    let counts: BTreeMap<String, u64> =
        counts.into_iter().map(|count| (format!("{} {}", count.detector, count.action), count.count)).collect();
    let told = format!("  came {}\n  counts {counts:?}", same(kind, &out));
    if case.counts.as_ref().is_some_and(|said| *said != counts) {
        return Err(format!("counts\n{told}"));
    }
    match (&case.output, case.same) {
        (None, true) if out == input => {}
        (Some(words), false) if case.exact && same(kind, &out) == same(kind, &wire(kind, words)) => {}
        (Some(words), false) if !case.exact && plain(&same(kind, &out)) == same(kind, &wire(kind, words)) => {}
        _ => return Err(format!("output\n{told}\n  plain {}", plain(&same(kind, &out)))),
    }
    let mut cuts: Vec<Vec<&[u8]>> = vec![input.chunks(1).collect(), input.chunks(7).collect()];
    cuts.extend((1..input.len().min(600)).map(|at| vec![&input[..at], &input[at..]]));
    for pieces in cuts {
        if again(&mut redactor, &facts, kind, &pieces)?.0 != out {
            return Err("it depends on how the body is cut".to_owned());
        }
    }
    let twice = again(&mut redactor, &facts, kind, &[&out])?.0;
    if twice != out {
        return Err(format!("what was redacted is redacted again\n{told}\n  then {}", same(kind, &twice)));
    }
    Ok(())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

#[test]
fn every_case_comes_out_as_it_says() {
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/redactor")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let all = serde_saphyr::from_str::<Vec<Case>>(&text);
        for case in all.unwrap_or_else(|error| panic!("{}: {error}", file.display())) {
            cases += 1;
            if let Err(why) = check(&case) {
                wrong.push(format!("{} ({}): {why}", file.display(), case.why));
            }
        }
    }
    assert!(wrong.is_empty() && cases > 0, "{} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
