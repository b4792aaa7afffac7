//! Everything that `cargo fuzz` found interesting once about directories, policies and programs, through the same
//! functions again.
#![allow(missing_docs, unreachable_pub, reason = "the targets are a library of their own elsewhere")]

#[path = "cedar/compare.rs"]
mod compare;
#[path = "../../fuzz/src/directories.rs"]
mod directories;
#[path = "cedar/generate.rs"]
mod generate;
#[path = "../../fuzz/src/policies.rs"]
mod policies;
#[path = "../../fuzz/src/random.rs"]
mod random;

use std::path::Path;

#[test]
fn the_whole_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in policies::ALL.iter().chain(directories::ALL) {
        let mut replayed = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed >= 10, "{name} has a corpus of {replayed}");
    }
}
