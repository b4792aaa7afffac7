//! What must hold of detection, whatever bytes are logged. `filters/log-redaction/tests/fuzz_replay.rs` includes this file
//! and replays the corpus.

use std::cell::RefCell;

use partywall_log_redaction::detect::{Detectors, Finding, Hint, Scratch, Selection};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("redaction_detect", redaction_detect)];

/// What a byte may cost validators, in bytes looked at.
const STEPS: u64 = 200;
/// What a text may cost besides, however short it is.
const FIRST: u64 = 4096;

thread_local! {
    static DETECTORS: RefCell<(Detectors, Scratch)> = {
        let detectors = Detectors::new(&Selection::default()).expect("they are built in");
        let scratch = Scratch::new(&detectors);
        RefCell::new((detectors, scratch))
    };
}

/// The first line is the field's name, the rest the text.
///
/// Findings are sorted, apart and in bounds; the same in every run, whatever was searched before; and their cost is bounded
/// by the text's length.
pub fn redaction_detect(bytes: &[u8]) {
    let (key, text) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&bytes[..0], bytes),
    };
    DETECTORS.with_borrow_mut(|(detectors, scratch)| {
        let mut found: Vec<Finding> = Vec::new();
        let before = scratch.steps();
        detectors.find(scratch, text, Hint { key }, &mut found);
        let steps = scratch.steps() - before;
        assert!(steps <= STEPS * text.len() as u64 + FIRST, "{steps} steps for {} bytes", text.len());
        let mut at = 0;
        for one in &found {
            assert!(at <= one.range.start && one.range.start < one.range.end && one.range.end <= text.len());
            assert!(!detectors.name(one.detector).is_empty());
            at = one.range.end;
        }
        let mut again = Vec::new();
        detectors.find(scratch, text, Hint { key }, &mut again);
        assert_eq!(found, again);
    });
}
