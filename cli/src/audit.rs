//! Access logs as chains of decisions: whether a line is missing, altered or there twice.
//!
//! ```text
//! a line ──► a decision with its link ─┐
//!       ├──► a word of Envoy's own log ├─► Verifier ─► findings, gaps, how each VM ended
//!       └──► what was pruned ──────────┘
//! ```

mod line;
mod report;

use std::path::Path;

use partywall_log_redaction::{Finding, Known, LinkError, Verifier};
use partywall_tenancy::Secrets;

pub(crate) use line::{Entry, PRUNED, read};
pub(crate) use report::Judged;

use crate::exit::Failure;
use crate::files;
use crate::recorded::Log;

/// The variable of a workload's environment file that holds its key.
const VARIABLE: &str = "PARTYWALL_AUDIT_CHAIN";
/// No file with keys is longer.
const MAX_SIZE: u64 = 1 << 20;
/// The most findings about lines that are told one by one.
const MOST: usize = 1_000;

/// Reads root keys: `id:key` lines, as in audit.keys, or an environment file of a workload.
pub(crate) fn keys(paths: &[impl AsRef<Path>]) -> Result<Vec<Secrets>, Failure> {
    let mut keys = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        let text = files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?;
        let variables = text.lines().filter_map(|line| line.trim().strip_prefix(VARIABLE)?.strip_prefix('='));
        let mut lists: Vec<&str> = variables.collect();
        if lists.is_empty() {
            lists = text.split_whitespace().collect();
        }
        for list in lists {
            keys.push(Secrets::parse(list).map_err(|e| {
                Failure::file(
                    path,
                    format!("{e}\nhelp: give audit.keys of `partywall keys new`, or a workload's .env file"),
                )
            })?);
        }
    }
    if keys.is_empty() {
        return Err(Failure::usage("no key to verify by\nhelp: give --key keys/audit.keys, or a workload's .env file"));
    }
    Ok(keys)
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The chain says so.
    Chain(Finding),
    /// What should be a link is none.
    Link(LinkError),
    /// The trace id in `traceparent` is not the one that the link vouches for.
    Trace,
    /// No whole JSON, or too long.
    Cut,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) wrong: Wrong,
}

/// Logs that are verified.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    pub(crate) verifier: Verifier,
    pub(crate) lines: u64,
    /// Decisions with a link.
    pub(crate) decisions: u64,
    /// Decisions without.
    pub(crate) unlinked: u64,
    /// Words of application logs.
    pub(crate) words: u64,
    pub(crate) findings: Vec<Found>,
    /// Findings that are not among them.
    pub(crate) more: u64,
}

impl Audit {
    pub(crate) fn new(keys: Vec<Secrets>) -> Self {
        Self { verifier: Verifier::new(keys), ..Self::default() }
    }

    /// Reads one log.
    pub(crate) fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let mut log = Log::open(path)?;
        let file = path.display().to_string();
        while let Some((line, whole)) = log.next_bytes()? {
            self.lines += 1;
            let looked = if whole { self.look(read(log.bytes())) } else { Err(Wrong::Cut) };
            let Err(wrong) = looked else { continue };
            if self.findings.len() < MOST {
                self.findings.push(Found { file: file.clone(), line, wrong });
            } else {
                self.more += 1;
            }
        }
        Ok(())
    }

    fn look(&mut self, entry: Entry) -> Result<(), Wrong> {
        match entry {
            Entry::Linked(linked) => {
                self.decisions += 1;
                let link = linked.link().map_err(Wrong::Link)?;
                if linked.trace.as_ref().is_some_and(|trace| !link.trace.is_empty() && trace != link.trace) {
                    return Err(Wrong::Trace);
                }
                self.verifier.line(&link, &linked.fields()).map_err(Wrong::Chain)
            }
            Entry::Word(text) => {
                self.words += 1;
                let word = partywall_log_redaction::Word::parse(&text).map_err(Wrong::Link)?;
                self.verifier.word(&word).map_err(Wrong::Chain)
            }
            Entry::Pruned(text) => {
                let statement = partywall_log_redaction::Pruned::parse(&text).map_err(Wrong::Link)?;
                self.verifier.pruned(&statement).map_err(Wrong::Chain)
            }
            Entry::Unlinked => {
                self.unlinked += 1;
                Ok(())
            }
            Entry::Cut => Err(Wrong::Cut),
            Entry::Other => Ok(()),
        }
    }

    /// What is known beside the lines.
    pub(crate) fn known(&self, ended: bool) -> Known {
        Known { ended, words: self.words > 0 }
    }
}
