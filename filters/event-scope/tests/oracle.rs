//! Frames of every API and version, both ways, against an independent codec of Kafka's messages: what comes out of a
//! walk means to it what it should.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use std::collections::BTreeSet;

use common::editors::{DropSecond, Keep, Rename, sent, walk};
use common::known::{encoded, oracle};
use common::tree::Tree;
use common::{Writer, every, table};
use partywall_event_scope::kafka::codec::Scratch;

/// How many messages of each.
const MESSAGES: u64 = 12;

/// What `kafka-protocol` 0.18 does not know: those are judged by `tests/encoder.rs` alone.
const UNKNOWN_TO_THE_ORACLE: &str = include_str!("unknown-to-the-oracle.txt");

fn renamed(leaf: String) -> String {
    let named = ["\"topic-", "\"group-", "\"txn-"].iter().any(|name| leaf.starts_with(name));
    if named { leaf.replacen('"', "\"acme.", 1) } else { leaf }
}

#[test]
fn the_oracle_and_we_agree_about_every_message() {
    let table = table();
    let mut unknown = BTreeSet::new();
    let mut judged = 0;
    for (api, version, side) in every(&table) {
        let name = format!("{} {version} {side:?}", api.name);
        for seed in 0..MESSAGES {
            let seed = seed << 32 | u64::from(version) << 16 | u64::from(api.key.unsigned_abs());
            let (frame, _) = Writer::new(seed, api, version, side).frame(api, side);
            let known = match oracle(api, version, side, &frame) {
                Ok(known) => known,
                Err(error) => {
                    unknown.insert(format!("{name}: {error}"));
                    break;
                }
            };
            judged += 1;
            assert_eq!(
                encoded(api, version, &known),
                frame,
                "{name}: the oracle encodes what the table's own encoder did"
            );
            let scratch = &mut Scratch::default();

            let splice = walk(api, version, side, &frame, &mut Keep, scratch).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(splice.is_unchanged(), "{name}");
            assert_eq!(sent(&splice), frame, "{name}");

            let splice = walk(api, version, side, &frame, &mut Rename, scratch).unwrap();
            let found = oracle(api, version, side, &sent(&splice)).unwrap_or_else(|e| panic!("{name}, renamed: {e}"));
            assert_eq!(found.tree(), known.tree().map(&renamed), "{name}, renamed");

            let splice = walk(api, version, side, &frame, &mut DropSecond::default(), scratch).unwrap();
            let found = oracle(api, version, side, &sent(&splice)).unwrap_or_else(|e| panic!("{name}, dropped: {e}"));
            let mut topics = 0;
            let mut wanted = known.tree();
            if let Tree::List(parts) = &mut wanted {
                for part in parts {
                    part.dropping(false, &mut |text| {
                        topics += usize::from(text.starts_with("topic-"));
                        text.starts_with("topic-") && topics % 2 == 0
                    });
                }
            }
            assert_eq!(found.tree(), wanted.map(&renamed), "{name}, dropped");

            let mut writer = Writer::new(seed, api, version, side);
            writer.unknown_tags = 40;
            let (frame, added) = writer.frame(api, side);
            let known = oracle(api, version, side, &frame).unwrap_or_else(|e| panic!("{name}, with tags: {e}"));
            let splice = walk(api, version, side, &frame, &mut Rename, scratch).unwrap();
            assert!(added == 0 || !splice.is_unchanged(), "{name}");
            let found = oracle(api, version, side, &sent(&splice)).unwrap_or_else(|e| panic!("{name}, cut: {e}"));
            let mut tags = 0;
            assert_eq!(found.tree(), known.tree().map(&renamed).without_unknown_tags(&mut tags), "{name}, cut");
            assert_eq!(tags, added, "{name}");
        }
    }
    println!("{judged} messages judged by the oracle");
    let unknown: Vec<String> = unknown.into_iter().collect();
    let listed: Vec<&str> = UNKNOWN_TO_THE_ORACLE.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(unknown, listed, "what the oracle does not know:\n{}", unknown.join("\n"));
}
