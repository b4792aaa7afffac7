//! Frames that are cut off, damaged or lie about what they hold: an error or a walk, never a panic, never much memory.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

mod common;

use common::editors::{DropSecond, Keep, Rename, sent, walk};
use common::read::Api;
use common::{Random, Side, Writer, every, table};
use partywall_event_scope::kafka::codec::{self, Editor, Mark, Place, Problem, Scratch, Verdict};

/// Walks `frame` with every editor. What comes out must be understood again, and be kept as it is.
fn try_all(api: &Api, version: u8, side: Side, frame: &[u8], scratch: &mut Scratch) -> bool {
    let mut walked = false;
    for editor in [&mut Keep as &mut dyn Editor, &mut Rename, &mut DropSecond::default()] {
        let Ok(splice) = walk(api, version, side, frame, editor, scratch) else { continue };
        walked = true;
        let out = sent(&splice);
        let names = frame.len() / 2 + 1;
        assert!(out.len() <= frame.len() + names * "acme.".len(), "{} from {}", out.len(), frame.len());
        // Of a request the damage may have changed API or version: the header says which.
        let again = &mut Scratch::default();
        let splice = walk(api, version, side, &out, &mut Keep, again).expect("what was walked is understood");
        assert!(splice.is_unchanged());
    }
    // An edit is 16 bytes, and takes the place of two bytes at least; vectors double.
    assert!(scratch.held() <= 64 * frame.len() + 4096, "{} held for {}", scratch.held(), frame.len());
    walked
}

#[test]
fn a_frame_that_is_cut_off_is_refused() {
    let table = table();
    let mut cut = 0;
    for (api, version, side) in every(&table) {
        let (frame, _) = Writer::new(1, api, version, side).frame(api, side);
        // All of a short one, and a sample of a long one.
        let step = 1 + frame.len() / 300;
        for size in (0..frame.len()).step_by(step) {
            let scratch = &mut Scratch::default();
            let name = format!("{} {version} {side:?}, {size} of {}", api.name, frame.len());
            assert!(!try_all(api, version, side, &frame[..size], scratch), "{name}");
            cut += 1;
        }
        let scratch = &mut Scratch::default();
        let longer = [frame.as_slice(), &[0]].concat();
        let name = format!("{} {version} {side:?} and a byte", api.name);
        // Brokers do not look at it.
        assert_eq!(try_all(api, version, side, &longer, scratch), side == Side::Request, "{name}");
    }
    println!("{cut} frames cut off");
}

#[test]
fn a_damaged_frame_is_refused_or_understood() {
    /// Numbers that lie: null, the largest length, a million elements, a varint without end.
    const LIES: [&[u8]; 8] = [
        &[0xff; 4],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x00, 0x0f, 0x42, 0x40],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0x10],
        &[0xff; 16],
        &[0x80; 5],
        &[0x7f, 0xff],
    ];
    let table = table();
    let mut random = Random(5);
    let (mut walked, mut refused) = (0, 0);
    for (api, version, side) in every(&table) {
        for seed in 0..60 {
            let mut writer = Writer::new(seed % 6, api, version, side);
            writer.unknown_tags = 10;
            let (mut frame, _) = writer.frame(api, side);
            let at = random.below(frame.len());
            match seed % 3 {
                0 => frame[at] ^= 1 << random.below(8),
                1 => frame[at] = random.next() as u8,
                _ => {
                    let lie = LIES[random.below(LIES.len())];
                    let end = frame.len().min(at + lie.len());
                    frame[at..end].copy_from_slice(&lie[..end - at]);
                }
            }
            let outcome = try_all(api, version, side, &frame, &mut Scratch::default());
            *(if outcome { &mut walked } else { &mut refused }) += 1;
        }
    }
    println!("{walked} walked, {refused} refused");
    assert!(walked > 1000 && refused > 1000, "{walked}, {refused}");
}

#[test]
fn edits_take_no_more_memory_than_they_may() {
    // DescribeTransactions of a million names that are empty, each of which would get a prefix.
    let mut frame = [0, 65, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0].to_vec();
    frame.extend([0xc1, 0x84, 0x3d]);
    frame.extend(vec![1; 1_000_000]);
    frame.push(0);
    let largest = 1 << 20;
    let scratch = &mut Scratch::new(largest);
    let error = codec::request(&frame, &mut Rename, scratch).map(|_| ()).unwrap_err();
    assert_eq!(error.problem, Problem::TooLong);
    assert!(scratch.held() <= 2 * largest + 3 * (64 << 10), "{} held", scratch.held());
    assert!(codec::request(&frame, &mut (), scratch).unwrap().is_unchanged(), "nothing is edited");
    assert!(scratch.held() <= 3 * (64 << 10), "{} kept", scratch.held());
    let splice = codec::request(&frame, &mut All, scratch).unwrap();
    assert_eq!(splice.size(), frame.len() - 1_000_002, "all are dropped, by one edit");
    // Every other one is cut out: as many edits as are kept.
    let error = codec::request(&frame, &mut Second(false), scratch).map(|_| ()).unwrap_err();
    assert_eq!(error.problem, Problem::TooLong);
    assert!(scratch.held() <= 2 * largest + 3 * (64 << 10), "{} held", scratch.held());
}

/// Drops every name.
struct All;

impl Editor for All {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if place.mark == Mark::Transaction { Verdict::Drop(1) } else { Verdict::Keep }
    }
}

/// Drops every second name.
struct Second(bool);

impl Editor for Second {
    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        self.0 = !self.0;
        if place.mark == Mark::Transaction && self.0 { Verdict::Drop(1) } else { Verdict::Keep }
    }
}
