//! Messages made up from the table, by an encoder that shares no line with the walker: it reads the text of the table.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test takes its part")]
#![allow(clippy::disallowed_methods, reason = "the table is files")]

pub mod clusters;
pub mod compose;
pub mod editors;
pub mod fields;
pub mod kinds;
pub mod known;
pub mod meant;
pub mod moves;
pub mod talk;
pub mod tree;
pub mod world;
pub mod writer;
pub mod written;

#[path = "../../build/read.rs"]
pub mod read;

use std::path::Path;

use read::Table;

pub use writer::{Random, Setting, Side, Writer};

/// All tables of the crate.
pub fn table() -> Table {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kafka/table");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let mut table = Table::default();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        read::read(&file.display().to_string(), &text, &mut table).unwrap();
    }
    table.apis.sort_by_key(|api| api.key);
    table
}

/// Every API, version and side of the table.
pub fn every(table: &Table) -> impl Iterator<Item = (&read::Api, u8, Side)> {
    table.apis.iter().flat_map(|api| {
        (api.versions.0..=api.versions.1).flat_map(move |v| [(api, v, Side::Request), (api, v, Side::Response)])
    })
}
