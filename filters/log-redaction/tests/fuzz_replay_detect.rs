//! Everything that `cargo fuzz` found interesting once about telemetry, through the same function again.
#![allow(missing_docs, unreachable_pub, reason = "the targets are a library of their own elsewhere")]

#[path = "../../../fuzz/src/redaction_detect.rs"]
mod redaction_detect;

use std::path::Path;

#[test]
#[allow(clippy::disallowed_methods, reason = "a corpus is files")]
fn the_whole_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in redaction_detect::ALL {
        let mut replayed = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed >= 10, "{name} has a corpus of {replayed}");
    }
}
