//! Detection alone.

use std::hint::black_box;

use partywall_log_redaction::detect::{Detectors, Finding, Hint, Scratch};

use super::texts::Text;

/// One pass over texts, which gives how much was found.
pub(crate) fn pass<'d>(detectors: &'d Detectors, texts: &'d [Text]) -> impl FnMut() -> usize + 'd {
    let (mut scratch, mut found) = (Scratch::new(detectors), Vec::<Finding>::new());
    move || {
        let mut all = 0;
        for (key, text) in texts {
            detectors.find(&mut scratch, text, Hint { key }, &mut found);
            all += black_box(&found).len();
        }
        all
    }
}
