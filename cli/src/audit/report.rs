//! What an audit found, in words and as JSON.

use std::fmt;

use partywall_log_redaction::{End, Gap, Seen, Why};
use serde_json::{Value, json};

use super::{Audit, Found, Wrong};
use crate::command::say;
use crate::time::rfc3339;

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(finding) => write!(f, "{finding}"),
            Self::Link(error) => write!(f, "holds a link that {error}"),
            Self::Trace => f.write_str("was altered: its link vouches for another trace id"),
            Self::Cut => f.write_str("was cut off, or is no JSON"),
        }
    }
}

impl Wrong {
    fn word(&self) -> &'static str {
        use partywall_log_redaction::Finding;
        match self {
            Self::Chain(Finding::UnknownKey) => "unknown_key",
            Self::Chain(Finding::Repeated) => "repeated",
            Self::Chain(Finding::Altered | Finding::TooFar) | Self::Link(_) | Self::Trace => "altered",
            Self::Cut => "cut",
        }
    }
}

fn why(why: Why) -> (&'static str, &'static str) {
    match why {
        Why::Before => ("before", "not in these logs: in an older one, or removed"),
        Why::Removed => ("removed", "removed: their requests were over, so they had been written"),
        Why::Open => ("open", "still open"),
        Why::Lost => ("lost", "lost in a crash, or with the end of the log that was cut off"),
    }
}

fn end(end: End) -> (&'static str, &'static str) {
    match end {
        End::Closed => ("closed", "ended with its last word"),
        End::Running => ("running", "may run"),
        End::Gone => ("gone", "ended without a last word: it crashed, or the end of its log was cut off"),
    }
}

/// How an audit is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// The Envoys have ended.
    pub(crate) ended: bool,
    /// What lies before the first line of a VM is no finding.
    pub(crate) part: bool,
}

impl Audit {
    /// Whether something was found that is to be looked into.
    pub(crate) fn has_findings(&self, judged: Judged) -> bool {
        let known = self.known(judged.ended);
        self.was_changed(judged)
            || self.verifier.gaps(known).iter().any(|gap| gap.why == Why::Lost)
            || self.verifier.ends(known).any(|(.., end)| end == End::Gone)
    }

    /// Whether lines were altered, removed or repeated, which no crash does.
    pub(crate) fn was_changed(&self, judged: Judged) -> bool {
        let is_gone = |gap: &Gap| match gap.why {
            Why::Removed => true,
            Why::Before => !judged.part,
            Why::Open | Why::Lost => false,
        };
        !self.findings.is_empty() || self.verifier.gaps(self.known(judged.ended)).iter().any(is_gone)
    }

    /// Prints all of it.
    pub(crate) fn show(&self, judged: Judged) {
        let known = self.known(judged.ended);
        let vms = self.verifier.boots().count();
        say(format_args!("{} lines, {} decisions of {vms} VMs", self.lines, self.decisions));
        for (boot, seen, how) in self.verifier.ends(known) {
            let Some(period) = period(seen) else { continue };
            say(format_args!("  {}: {} decisions, {period}, {}", name(seen, boot), seen.lines, end(how).1));
        }
        for Found { file, line, wrong } in &self.findings {
            say(format_args!("{file}:{line}: {wrong}"));
        }
        if self.more > 0 {
            say(format_args!("and {} lines more with something wrong", self.more));
        }
        for gap in self.verifier.gaps(known) {
            let seen = self.verifier.boots().find(|(boot, _)| *boot == gap.boot).map(|(_, seen)| seen);
            let name = seen.map_or(gap.boot.clone(), |seen| name(seen, &gap.boot));
            let numbers = match gap.first == gap.last {
                true => gap.first.to_string(),
                false => format!("{} to {}", gap.first, gap.last),
            };
            say(format_args!("{name}, {numbers}: {}", why(gap.why).1));
        }
        if self.unlinked > 0 {
            say(format_args!(
                "{} decisions have no link: their Envoy has no key `audit_chain`, `log.allows` left them out, or they are of whole \
                 connections of Kafka",
                self.unlinked
            ));
        }
        let runs = self.verifier.ends(known).any(|(.., end)| end == End::Running);
        if self.words == 0 && runs {
            say(
                "no word of Envoy's own log is here, so that a cut end cannot be told from one that goes on: give it, too",
            );
        }
        let ended = if judged.ended { "" } else { ", as far as it goes" };
        say(if self.has_findings(judged) { "something is wrong".to_owned() } else { format!("whole{ended}") });
    }

    /// The same as JSON.
    pub(crate) fn json(&self, judged: Judged) -> Value {
        let known = self.known(judged.ended);
        let vm = |(boot, seen, how): (&str, &Seen, End)| {
            json!({ "boot": boot, "key": seen.key_id(), "decisions": seen.lines, "from_ms": seen.from, "to_ms": seen.to,
                    "end": end(how).0 })
        };
        let found = |found: &Found| json!({ "file": found.file, "line": found.line, "what": found.wrong.word(), "says": found.wrong.to_string() });
        let gap = |gap: &Gap| json!({ "boot": gap.boot, "first": gap.first, "last": gap.last, "why": why(gap.why).0 });
        json!({
            "whole": !self.has_findings(judged),
            "lines": self.lines,
            "decisions": self.decisions,
            "without_link": self.unlinked,
            "words": self.words,
            "vms": self.verifier.ends(known).map(vm).collect::<Value>(),
            "findings": self.findings.iter().map(found).collect::<Value>(),
            "more_findings": self.more,
            "gaps": self.verifier.gaps(known).iter().map(gap).collect::<Value>(),
        })
    }
}

fn name(seen: &Seen, boot: &str) -> String {
    format!("{} {}", seen.key_id(), boot.get(..8).unwrap_or(boot))
}

fn period(seen: &Seen) -> Option<String> {
    (seen.from <= seen.to).then(|| format!("{} to {}", rfc3339(seen.from / 1000), rfc3339(seen.to / 1000)))
}
