//! What the detectors see in standard input, line by line: `cargo run --example detect < app.log`.
#![allow(clippy::disallowed_macros, clippy::unwrap_used, reason = "a tool on a desk")]

use std::io::BufRead;

use partywall_log_redaction::detect::{Detectors, Hint, Scratch, Selection};

fn main() {
    let detectors = Detectors::new(&Selection::default()).unwrap();
    let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
    let key = std::env::args().nth(1).unwrap_or_default();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.unwrap();
        detectors.find(&mut scratch, &line, Hint { key: key.as_bytes() }, &mut found);
        for one in &found {
            let what = line.get(one.range.clone()).unwrap_or_default();
            println!("{:30} {:?} {}", detectors.name(one.detector), one.range, String::from_utf8_lossy(what));
        }
    }
}
