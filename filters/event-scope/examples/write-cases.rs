//! Writes the cases of Kafka that are bytes, each anew: `cargo run -p partywall-event-scope --example write-cases`.
//! `tests/session_bytes.rs` holds that the files are those that it writes.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it writes files and tells")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/kafka");
    let cases = common::written::cases(&common::table());
    for (file, text) in &cases {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let by_oracle = cases.values().filter(|text| text.contains("\nby: kafka-protocol\n")).count();
    println!("{} cases, {by_oracle} of them in bytes of kafka-protocol", cases.len());
}
