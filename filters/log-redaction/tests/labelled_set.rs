//! The labelled set, scored: what must not leave is covered, and ordinary lines stay.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod labelled;

use partywall_log_redaction::detect::{Detectors, Label, Score, Scratch, Selection};

#[test]
fn the_set_is_covered_and_ordinary_lines_stay() {
    let lines = labelled::set();
    assert!(lines.len() >= 2000, "{} lines", lines.len());
    let detectors = Detectors::new(&Selection::default()).unwrap();
    let (mut scratch, mut score) = (Scratch::new(&detectors), Score::default());
    let mut told = Vec::new();
    for line in &lines {
        let label = |span: &(usize, usize, String)| Label { range: span.0..span.1, detector: span.2.clone() };
        let labels: Vec<Label> = line.spans.iter().map(label).collect();
        let (leaked, wrong) = score.add(&detectors, &mut scratch, line.text.as_bytes(), line.key.as_bytes(), &labels);
        told.extend(leaked.iter().map(|label| {
            format!("leaks {}: {:?} in [{}] {}", label.detector, &line.text[label.range.clone()], line.key, line.text)
        }));
        told.extend(wrong.iter().map(|one| {
            format!("wrong {}: {:?} in {}", detectors.name(one.detector), line.text.get(one.range.clone()), line.text)
        }));
    }
    for (name, tally) in &score.by_detector {
        println!(
            "{name:20} labels {:4}  recall {:.4}  named {:4}  false {}",
            tally.labels,
            tally.recall(),
            tally.named,
            tally.false_positives
        );
    }
    for (name, tally) in &score.by_detector {
        let least = match name.as_str() {
            "phone" => 0.98,
            _ => 1.0,
        };
        assert!(tally.recall() >= least, "{name}: {:.4}\n{}", tally.recall(), told.join("\n"));
        assert_eq!(tally.false_positives, 0, "{name}\n{}", told.join("\n"));
    }
}

#[test]
fn the_set_is_the_same_in_every_run() {
    let json = |lines: Vec<labelled::Line>| lines.iter().map(labelled::Line::json).collect::<Vec<_>>().join("\n");
    assert_eq!(json(labelled::set()), json(labelled::set()));
}
