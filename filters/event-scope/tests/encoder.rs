//! Frames of every API and version, both ways, against an encoder that writes what a walk should have made of them:
//! also of those that no oracle knows.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use common::editors::{DropSecond, Keep, Rename, sent, walk};
use common::{Writer, every, table};
use partywall_event_scope::kafka::codec::Scratch;

/// How many messages of each.
const MESSAGES: u64 = 16;

#[test]
fn every_message_is_edited_as_if_it_had_been_written_so() {
    let table = table();
    let mut scratch = Scratch::default();
    let (mut kinds, mut dropped, mut cut) = (0, 0, 0);
    for (api, version, side) in every(&table) {
        kinds += 1;
        let name = format!("{} {version} {side:?}", api.name);
        for seed in 0..MESSAGES {
            let written = |unknown_tags, prefix, drop_second| {
                let mut writer = Writer::new(seed, api, version, side);
                (writer.unknown_tags, writer.prefix, writer.drop_second) = (unknown_tags, prefix, drop_second);
                writer.long = if seed % 8 == 0 { 500 } else { 0 };
                writer.frame(api, side)
            };
            let (plain, _) = written(0, "", false);
            let (tagged, unknown) = written(30, "", false);
            let (renamed, _) = written(0, "acme.", false);
            let (some, _) = written(0, "acme.", true);
            cut += unknown;
            dropped += usize::from(some != renamed);

            let splice = walk(api, version, side, &plain, &mut Keep, &mut scratch).unwrap();
            assert!(splice.is_unchanged() && sent(&splice) == plain, "{name}, seed {seed}");
            let splice = walk(api, version, side, &tagged, &mut Keep, &mut scratch).unwrap();
            assert_eq!(sent(&splice), plain, "{name}, seed {seed}: unknown tags are cut out");
            let splice = walk(api, version, side, &tagged, &mut Rename, &mut scratch).unwrap();
            assert_eq!(sent(&splice), renamed, "{name}, seed {seed}: renamed");
            let splice = walk(api, version, side, &tagged, &mut DropSecond::default(), &mut scratch).unwrap();
            assert_eq!(sent(&splice), some, "{name}, seed {seed}: dropped");
        }
    }
    println!("{kinds} kinds of message, {dropped} messages with elements dropped, {cut} unknown tags cut out");
    assert!(dropped > 1000 && cut > 5_000, "{dropped}, {cut}");
}
