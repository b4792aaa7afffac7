//! How good detection is on a labelled set: docs/redaction.md has its form.

use std::io::{self, Read};

use partywall_log_redaction::detect::{Detectors, Label, Score, Scratch, Tally, catalog};
use serde::Deserialize;
use serde_json::{Value, json};

use super::choice::unknown;
use super::lines::{Piece, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    text: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    start: usize,
    end: usize,
    detector: String,
}

/// What is wrong with a set, with the line.
pub(crate) struct Bad(pub(crate) String);

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Looks at all texts of a set; empty lines are left out.
///
/// # Errors
///
/// Which line cannot be read, and why.
pub(crate) fn score(detectors: &Detectors, set: &mut dyn Read) -> Result<Score, Bad> {
    let custom = detectors.names().map(|(_, name)| name.to_owned());
    let mut known: Vec<String> = catalog().iter().map(|about| about.name.to_owned()).chain(custom).collect();
    let groups: Vec<String> = known.iter().filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect();
    known.extend(groups);
    let (mut scratch, mut score, mut number) = (Scratch::new(detectors), Score::default(), 0_u64);
    read(set, &mut |piece, _| {
        let line = match piece {
            Piece::Pause => return Ok(()),
            Piece::TooLong(_) => return Err(Bad(format!("line {}: is longer than 1 MiB", number + 1))),
            Piece::Line(line, _) => line,
        };
        number += 1;
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let bad = |why: String| Bad(format!("line {number}: {why}"));
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            // serde counts lines of this text, which is one.
            let why = error.to_string();
            bad(why.split(" at line 1").next().unwrap_or_default().to_owned()
                + &format!(" (column {})", error.column()))
        })?;
        let labels: Vec<Label> =
            line.spans.iter().map(|span| label(span, &line.text, &known)).collect::<Result<_, _>>().map_err(bad)?;
        score.add(detectors, &mut scratch, line.text.as_bytes(), line.key.as_bytes(), &labels);
        Ok(())
    })?;
    if score.texts == 0 { Err(Bad("has no texts".to_owned())) } else { Ok(score) }
}

fn label(span: &Span, text: &str, known: &[String]) -> Result<Label, String> {
    let Span { start, end, detector } = span;
    if start >= end || *end > text.len() {
        return Err(format!("a span from {start} to {end} is not in a text of {} bytes", text.len()));
    }
    if !text.is_char_boundary(*start) || !text.is_char_boundary(*end) {
        return Err(format!("a span from {start} to {end} cuts a character: offsets are bytes of UTF-8"));
    }
    if !known.contains(detector) {
        return Err(unknown(detector));
    }
    Ok(Label { range: *start..*end, detector: detector.clone() })
}

/// A table, the sum last.
pub(crate) fn table(score: &Score) -> String {
    let total = score.total();
    let all = "all".to_owned();
    let rows = || score.by_detector.iter().chain([(&all, &total)]);
    let width = rows().map(|(name, _)| name.len()).max().unwrap_or_default().max("detector".len());
    let mut text = format!("{:width$}  labels  covered  recall  named  false positives", "detector");
    for (name, tally) in rows() {
        let Tally { labels, covered, named, false_positives } = tally;
        let recall = if *labels == 0 { "-".to_owned() } else { format!("{:.4}", tally.recall()) };
        text += &format!("\n{name:width$}  {labels:6}  {covered:7}  {recall:>6}  {named:5}  {false_positives:15}");
    }
    text + &format!("\n{} texts; recall is leak-free: a label counts where all of it was found", score.texts)
}

/// For programs.
pub(crate) fn as_json(score: &Score) -> Value {
    let one = |tally: &Tally| {
        json!({
            "labels": tally.labels,
            "covered": tally.covered,
            "leak_free_recall": (tally.labels > 0).then(|| tally.recall()),
            "named": tally.named,
            "false_positives": tally.false_positives,
        })
    };
    let detectors: serde_json::Map<String, Value> =
        score.by_detector.iter().map(|(name, tally)| (name.clone(), one(tally))).collect();
    json!({ "texts": score.texts, "all": one(&score.total()), "detectors": detectors })
}
