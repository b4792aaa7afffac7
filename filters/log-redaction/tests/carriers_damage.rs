//! Bodies that are cut off, and of which bits and bytes are others: nothing breaks, what is held is bounded, it is the same
//! in whatever pieces, and of what goes on nothing is left that a redactor wanted gone, as other readers read it.

#[path = "common/kinds.rs"]
mod kinds;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/script.rs"]
mod script;
#[path = "common/telemetry.rs"]
mod telemetry;

use kinds::{kinds, same};
use partywall_log_redaction::carriers::{Carrier, Kind, Limits};
use samples::sample;
use script::{Answer, Ending, Script};
use telemetry::Random;

const LIMITS: Limits = Limits { record: 1 << 16, block: 1 << 16 };

fn damaged(body: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bad = body.to_vec();
    for _ in 0..=random.below(3) {
        let len = bad.len();
        if len == 0 {
            break;
        }
        let at = random.below(len);
        match random.below(6) {
            0 => bad.truncate(at),
            1 | 2 => bad[at] ^= 1 << random.below(8),
            3 => bad.insert(at, [0, b'"', b'\\', b'\n', b'{', b']', 0xFF, 0x80][random.below(8)]),
            4 => drop(bad.remove(at)),
            _ => {
                let to = (at + random.below(20)).min(len);
                let part = bad[at..to].to_vec();
                bad.splice(at..at, part);
            }
        }
    }
    bad
}

/// What goes on, and why nothing does.
fn run(kind: Kind, body: &[u8], mut size: impl FnMut() -> usize, endings: &[Ending]) -> Result<Vec<u8>, String> {
    let answers = vec![Answer { text: Some("z-q".into()), to: Some("-".into()), ..Answer::default() }];
    let mut script = Script::new(answers, endings.to_vec());
    let (mut carrier, mut out) = (Carrier::new(kind, LIMITS), Vec::new());
    let mut rest = body;
    let mut read = Ok(());
    while !rest.is_empty() && read.is_ok() {
        let (piece, behind) = rest.split_at(size().clamp(1, rest.len()));
        read = carrier.push(piece, false, &mut script, &mut out);
        assert!(carrier.held() <= LIMITS.block + piece.len() + 64);
        rest = behind;
    }
    let read = read.and_then(|()| carrier.push(b"", true, &mut script, &mut out));
    assert_eq!(script.depth(), 0, "each unit that began ended");
    read.map(|()| out).map_err(|refusal| refusal.to_string())
}

/// As others read it. `z-q` of a number's bytes is none.
fn read_by_others(kind: Kind, out: &[u8]) -> String {
    match kind {
        Kind::OtlpGrpc(..) => {
            let (mut rest, mut all) = (out, String::new());
            while !rest.is_empty() {
                let size = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize + 5;
                all += &same(kind, &rest[..size]);
                rest = &rest[size..];
            }
            all
        }
        Kind::OtlpBinary(_) | Kind::LokiBinary | Kind::HecRaw | Kind::Lines => same(kind, out),
        _ => {
            let mut all = String::new();
            for value in serde_json::Deserializer::from_slice(out).into_iter::<serde_json::Value>() {
                match value {
                    Ok(value) => all += &value.to_string(),
                    // A number may be larger than what a computer takes for one.
                    Err(error) if error.to_string().contains("out of range") => break,
                    Err(error) => panic!("{kind:?}: {error}: {}", String::from_utf8_lossy(out)),
                }
            }
            all
        }
    }
}

#[test]
fn of_what_goes_on_nothing_is_left_that_was_to_go() {
    let mut random = Random(2026);
    for (name, kind) in kinds() {
        let (mut went, mut refused) = (0, 0);
        for nth in 0..1500 {
            let body = sample(kind, &mut random);
            let bad = if nth % 10 == 0 { body } else { damaged(&body, &mut random) };
            let tags = [("tag".to_owned(), "1".to_owned())].into();
            let tagging = [Ending { unit: "record".into(), tags, ..Ending::default() }];
            let dropping = [Ending { unit: "record".into(), text: Some("1".into()), drop: true, ..Ending::default() }];
            let endings = [&[][..], &tagging, &dropping][nth % 3];
            let whole = run(kind, &bad, || usize::MAX, endings);
            let cut = run(kind, &bad, || 1 + random.below(9), endings);
            assert_eq!(whole, cut, "{name}: {}", String::from_utf8_lossy(&bad));
            match whole {
                Ok(out) => {
                    let read = read_by_others(kind, &out);
                    let around: String = read.split_once("z-q").map_or(String::new(), |(before, after)| {
                        let before: String = before.chars().rev().take(30).collect();
                        before.chars().rev().chain("z-q".chars()).chain(after.chars().take(30)).collect()
                    });
                    assert!(around.is_empty(), "{name}: {around}\nof {}", String::from_utf8_lossy(&bad));
                    went += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(went > 100, "{name}: {went} went on, {refused} were refused");
    }
}

#[test]
fn a_body_that_is_cut_off_anywhere_is_refused_or_can_be_read() {
    let mut random = Random(3);
    for (_, kind) in kinds() {
        let body = sample(kind, &mut random);
        for end in 0..body.len() {
            let cut = run(kind, &body[..end], || usize::MAX, &[]);
            if let Ok(out) = cut {
                read_by_others(kind, &out);
            }
        }
    }
}
