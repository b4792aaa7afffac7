//! How good detection is on a labelled text.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Detectors, Finding, Hint, Scratch};

/// What somebody says stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The bytes.
    pub range: Range<usize>,
    /// A detector's name or group.
    pub detector: String,
}

/// What was found of one detector's labels, and what was found that nobody labelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Labels.
    pub labels: usize,
    /// Labels of which every byte was found, by whichever detectors: nothing of them would leak.
    pub covered: usize,
    /// Labels that the detector named so has found.
    pub named: usize,
    /// Findings by this detector that overlap no label.
    pub false_positives: usize,
}

impl Tally {
    /// Leak-free recall, from 0 to 1; 1 where nothing is labelled.
    pub fn recall(&self) -> f64 {
        if self.labels == 0 { 1.0 } else { self.covered as f64 / self.labels as f64 }
    }
}

/// Tallies by detector or group, as labels name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// By the name in labels; false positives by the detector's name, or by its group where only that is in labels.
    pub by_detector: BTreeMap<String, Tally>,
    /// Texts that were looked at.
    pub texts: usize,
}

impl Score {
    /// Looks at one text and adds how it went: what was not covered, and what was found that is not labelled.
    pub fn add(
        &mut self,
        detectors: &Detectors,
        scratch: &mut Scratch,
        text: &[u8],
        key: &[u8],
        labels: &[Label],
    ) -> (Vec<Label>, Vec<Finding>) {
        let mut found = Vec::new();
        detectors.find(scratch, text, Hint { key }, &mut found);
        self.texts += 1;
        let mut leaked = Vec::new();
        for label in labels {
            let tally = self.by_detector.entry(label.detector.clone()).or_default();
            tally.labels += 1;
            let named = |finding: &&Finding| {
                let name = detectors.name(finding.detector);
                name == label.detector || detectors.group(finding.detector) == label.detector
            };
            if covers(&found, &label.range) {
                tally.covered += 1;
            } else {
                leaked.push(label.clone());
            }
            tally.named += usize::from(found.iter().filter(named).any(|finding| overlap(&finding.range, &label.range)));
        }
        let wrong: Vec<Finding> = found
            .into_iter()
            .filter(|finding| !labels.iter().any(|label| overlap(&finding.range, &label.range)))
            .collect();
        for finding in &wrong {
            let group = detectors.group(finding.detector);
            let name = if self.by_detector.contains_key(group) { group } else { detectors.name(finding.detector) };
            self.by_detector.entry(name.to_owned()).or_default().false_positives += 1;
        }
        (leaked, wrong)
    }

    /// All tallies together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.by_detector.values() {
            total.labels += tally.labels;
            total.covered += tally.covered;
            total.named += tally.named;
            total.false_positives += tally.false_positives;
        }
        total
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Whether every byte of `range` is in one of `found`, which are sorted.
fn covers(found: &[Finding], range: &Range<usize>) -> bool {
    let mut at = range.start;
    for finding in found {
        if finding.range.start <= at && at < finding.range.end {
            at = finding.range.end;
        }
    }
    at >= range.end
}
