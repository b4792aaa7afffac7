//! Writes the labelled set as JSONL: `cargo run --example labelled_set -p partywall-log-redaction > set.jsonl`.
#![allow(clippy::disallowed_macros, reason = "a tool on a desk")]

#[path = "../tests/labelled/mod.rs"]
mod labelled;

fn main() {
    for line in labelled::set() {
        println!("{}", line.json());
    }
}
