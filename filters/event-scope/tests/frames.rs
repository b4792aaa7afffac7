//! Frames out of bytes that come in any pieces.

use partywall_event_scope::kafka::codec::{FrameError, Frames};

fn framed(frames: &[&[u8]]) -> Vec<u8> {
    frames.iter().flat_map(|f| [i32::try_from(f.len()).unwrap().to_be_bytes().as_slice(), f].concat()).collect()
}

#[test]
fn frames_come_out_whole_however_they_are_cut() {
    let wanted: [&[u8]; 4] = [b"a", b"second frame", &[7; 300], b"last"];
    let bytes = framed(&wanted);
    for size in 1..=bytes.len() {
        let mut frames = Frames::new(300);
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            frames.push(piece);
            while let Some(frame) = frames.next().unwrap() {
                found.push(frame.to_vec());
            }
            assert!(frames.held() <= 4 + 300, "no more than one frame is held");
        }
        assert_eq!(found, wanted, "in pieces of {size}");
        assert!(!frames.is_partial());
    }
}

#[test]
fn what_a_frame_lacks_is_told_and_no_more() {
    let wanted: [&[u8]; 4] = [b"a", b"second frame", &[7; 300], b"last"];
    let bytes = framed(&wanted);
    for size in 1..=bytes.len() {
        let mut frames = Frames::new(300);
        let mut found = Vec::new();
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                assert!(frames.missing(piece) > 0, "it would never end");
                let (now, later) = piece.split_at(frames.missing(piece));
                frames.push(now);
                piece = later;
                if let Some(frame) = frames.next().unwrap() {
                    found.push(frame.to_vec());
                    assert_eq!(frames.held(), 0, "nothing of the next one, in pieces of {size}");
                }
            }
        }
        assert_eq!(found, wanted, "in pieces of {size}");
    }
    // Nothing follows a length that no frame has.
    for length in [0, -1, i32::MIN] {
        assert_eq!(Frames::new(10).missing(&[i32::to_be_bytes(length), [1; 4]].concat()), 4, "{length}");
    }
    assert_eq!(Frames::new(10).missing(&[0x7f; 9]), 9, "a frame too large");
    assert_eq!(Frames::new(10).missing(&[]), 0);
}

#[test]
fn a_partial_frame_is_told() {
    let mut frames = Frames::new(10);
    frames.push(&[0, 0, 0]);
    assert!(frames.next().unwrap().is_none() && frames.is_partial());
    frames.push(&[2, b'a']);
    assert!(frames.next().unwrap().is_none() && frames.is_partial());
    frames.push(b"bc");
    assert_eq!(frames.next().unwrap(), Some(b"ab".as_slice()));
    assert!(frames.is_partial(), "a byte of the next one");
}

#[test]
fn lengths_that_no_frame_has_end_it() {
    for length in [0, -1, i32::MIN, i32::MAX, 11] {
        let mut frames = Frames::new(10);
        frames.push(&framed(&[b"good"]));
        frames.push(&length.to_be_bytes());
        frames.push(&[1; 100]);
        assert_eq!(frames.next().unwrap(), Some(b"good".as_slice()), "{length}");
        let refused = Err(FrameError { length, largest: 10 });
        assert_eq!(frames.next(), refused);
        frames.push(&framed(&[b"more"]));
        assert_eq!(frames.next(), refused, "nothing after it is a frame");
        assert_eq!(frames.held(), 0, "and nothing is held");
    }
    let mut frames = Frames::new(10);
    frames.push(&framed(&[&[1; 10]]));
    assert_eq!(frames.next().unwrap(), Some([1; 10].as_slice()), "the largest");
}

#[test]
fn how_large_a_frame_may_be_can_change() {
    let mut frames = Frames::new(4);
    frames.push(&[0, 0, 0, 5]);
    frames.bound(5);
    frames.push(b"hello");
    assert_eq!(frames.next(), Ok(Some(b"hello".as_slice())));
    frames.bound(4);
    frames.push(&[0, 0, 0, 5]);
    assert!(frames.next().is_err());
}

/// After so many small frames the room of a large one is given back.
const PATIENCE: usize = 32;

#[test]
fn room_grows_with_what_came_and_not_beyond_the_frame() {
    let mut frames = Frames::new(1 << 20);
    let bytes = framed(&[&[7; 1 << 20]]);
    let (mut came, mut last, mut grown) = (0, 0, 0);
    for piece in bytes.chunks(16 << 10) {
        frames.push(piece);
        came += piece.len();
        assert!(frames.room() <= (2 * came).min(bytes.len()), "{} bytes for {came}", frames.room());
        grown += usize::from(frames.room() > last);
        last = frames.room();
    }
    assert!(grown <= 8, "it was moved {grown} times");
    assert_eq!(frames.next().unwrap().map(<[u8]>::len), Some(1 << 20));
    for size in [8, 1 << 20, i32::MAX] {
        let mut frames = Frames::new(1 << 20);
        frames.push(&size.to_be_bytes());
        assert!(frames.room() <= 8, "{} bytes for a promise of {size}", frames.room());
    }
}

#[test]
fn room_for_a_large_frame_stays_for_the_next_one() {
    let mut frames = Frames::new(1 << 20);
    let large = framed(&[&[1; 1 << 20]]);
    for _ in 0..3 {
        for piece in large.chunks(100_000) {
            frames.push(piece);
        }
        assert!(frames.next().unwrap().is_some());
        for _ in 0..PATIENCE - 1 {
            frames.push(&[0, 0, 0, 1, b'a']);
            assert!(frames.next().unwrap().is_some());
        }
        assert_eq!(frames.room(), large.len(), "it was given back and is made anew");
    }
}

#[test]
fn room_for_a_large_frame_is_given_back() {
    // Of frames that are held in pieces, and of frames that went by in one.
    for passed in [false, true] {
        let mut frames = Frames::new(1 << 20);
        frames.push(&framed(&[&[1; 1 << 20]]));
        assert!(frames.next().unwrap().is_some());
        for _ in 0..PATIENCE {
            if passed {
                frames.passed(2);
                continue;
            }
            // The next one has begun already: a busy connection is never quite empty.
            frames.push(&[0, 0, 0]);
            frames.push(&[2, b'a', b'b']);
            assert_eq!(frames.next().unwrap(), Some(b"ab".as_slice()));
        }
        if !passed {
            frames.push(&[0, 0, 0]);
        }
        assert!(frames.room() <= 64 * 1024, "{} bytes for nothing, passed: {passed}", frames.room());
    }
}
