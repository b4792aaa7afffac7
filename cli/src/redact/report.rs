//! What is told of a run on standard error: counts, each finding, how far it is.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use partywall_log_redaction::detect::{Detectors, catalog};
use serde_json::{Value, json};

use super::Hit;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Values by the detector's name.
    pub(crate) by_detector: BTreeMap<String, u64>,
    /// Lines, and those that were too long to be looked through.
    pub(crate) lines: u64,
    pub(crate) too_long: u64,
    /// Bytes that were read.
    pub(crate) bytes: u64,
}

impl Tally {
    /// Counts what one line had.
    pub(crate) fn add(&mut self, detectors: &Detectors, hits: &[Hit]) {
        self.lines += 1;
        for hit in hits {
            let name = detectors.name(hit.detector);
            match self.by_detector.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    self.by_detector.insert(name.to_owned(), 1);
                }
            }
        }
    }

    /// Values and lines that do not stay.
    pub(crate) fn found(&self) -> u64 {
        self.by_detector.values().sum::<u64>() + self.too_long
    }

    /// In words, on several lines.
    pub(crate) fn text(&self, what: &str, took: Duration) -> String {
        let values: u64 = self.by_detector.values().sum();
        let mut text = format!(
            "{what} {values} value{} in {} line{}, {}, {:.1} s",
            if values == 1 { "" } else { "s" },
            self.lines,
            if self.lines == 1 { "" } else { "s" },
            size(self.bytes),
            took.as_secs_f64()
        );
        let mut counts: Vec<_> = self.by_detector.iter().collect();
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
        for (name, count) in counts {
            text += &format!("\n  {count:>8}  {name}");
        }
        if self.too_long > 0 {
            text += &format!("\n  {:>8}  of the lines are longer than 1 MiB and were taken out whole", self.too_long);
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self, took: Duration) -> Value {
        json!({
            "found": self.by_detector,
            "lines": self.lines,
            "too_long": self.too_long,
            "bytes": self.bytes,
            "seconds": (took.as_secs_f64() * 1000.0).round() / 1000.0,
        })
    }
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// One finding in words, without what was found. Columns are bytes of the line, from 1 on, the last one included.
pub(crate) fn explain(detectors: &Detectors, file: &str, line: u64, hit: &Hit) -> String {
    let name = detectors.name(hit.detector);
    let why = catalog().into_iter().find(|about| about.name == name);
    let why =
        why.map_or_else(|| "matches its --pattern".to_owned(), |about| format!("{} ({})", about.what, about.source));
    let field = hit.field.as_ref().map(|field| format!(", in the field `{field}`")).unwrap_or_default();
    format!("{file}:{line}:{}-{}: {name}{field}: {why}", hit.range.start + 1, hit.range.end)
}

/// How far a long run is, on a terminal alone.
pub(crate) struct Progress {
    next: Option<Instant>,
    began: Instant,
    shown: bool,
}

/// How often it is told.
const EVERY: Duration = Duration::from_millis(500);

impl Progress {
    /// Tells nothing where nobody looks, or where text goes to the same terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let seen = !quiet && std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        let began = Instant::now();
        Self { next: seen.then(|| began + EVERY), began, shown: false }
    }

    /// How long it has been.
    pub(crate) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// So many bytes are done.
    pub(crate) fn at(&mut self, tally: &Tally) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + EVERY);
            self.shown = true;
            let rate = tally.bytes as f64 / 1e6 / self.took().as_secs_f64().max(0.001);
            let _ = write!(std::io::stderr(), "\r\x1b[K{}, {rate:.0} MB/s, {} found", size(tally.bytes), tally.found());
        }
    }

    /// Nothing more is told.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
