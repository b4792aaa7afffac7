//! Everything that `cargo fuzz` found interesting once about bodies of telemetry, through the same function again.
#![allow(missing_docs, unreachable_pub, reason = "the targets are a library of their own elsewhere")]

#[path = "common/kinds.rs"]
mod kinds;
#[path = "common/messages.rs"]
mod messages;
#[path = "../../../fuzz/src/redaction_carriers.rs"]
mod redaction_carriers;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/telemetry.rs"]
mod telemetry;

use std::path::{Path, PathBuf};

use partywall_log_redaction::carriers::{Kind, Signal};
use partywall_log_redaction::encodings::{Encoder, Encoding};
use telemetry::Random;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// With `WRITE` in the environment, the seeds are made anew before.
#[test]
#[allow(clippy::disallowed_methods, reason = "a corpus is files, and who writes it says so")]
fn the_whole_corpus_holds() {
    if std::env::var_os("WRITE").is_some() {
        write_seeds();
    }
    for (name, target) in redaction_carriers::ALL {
        let mut replayed = 0;
        for entry in std::fs::read_dir(corpus().join(name)).unwrap() {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed >= 10, "{name} has a corpus of {replayed}");
    }
}

/// The same of bodies that are damaged at random, since nobody fuzzes with each test.
#[test]
fn so_do_bodies_that_are_damaged() {
    let mut random = Random(77);
    for (name, target) in redaction_carriers::ALL {
        for nth in 0..400 {
            let mut bytes = seed(name, nth, &mut random);
            for _ in 0..if bytes.len() > 2 { random.below(3) } else { 0 } {
                let at = 2 + random.below(bytes.len() - 2);
                match random.below(3) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, b"q\"\n\\{]\x00\xFF"[random.below(8)]),
                }
            }
            target(&bytes);
        }
    }
}

/// A body to begin with: the size of pieces, what is answered, and a sample.
fn seed(name: &str, nth: usize, random: &mut Random) -> Vec<u8> {
    let what = [0, 1, 3, 5, 0x21, 0x20][nth % 6] | ((nth / 6 % 3) << 3) as u8;
    let signal = [Signal::Logs, Signal::Traces, Signal::Metrics][usize::from(what >> 3) % 3];
    let kind = match name {
        "redaction_otlp" => Kind::OtlpBinary(signal),
        "redaction_otlp_json" => Kind::OtlpJson(signal),
        "redaction_otlp_grpc" => Kind::OtlpGrpc(signal, Encoding::Identity),
        "redaction_loki" => Kind::LokiBinary,
        "redaction_loki_json" => Kind::LokiJson,
        "redaction_bulk" => Kind::Bulk,
        "redaction_hec" => Kind::HecEvent,
        "redaction_ndjson" => Kind::Ndjson,
        "redaction_json_array" => Kind::JsonArray,
        "redaction_zipkin" => Kind::Zipkin,
        _ => Kind::Lines,
    };
    let body = samples::sample(kind, random);
    let size = 1 + random.below(40) as u8;
    if name != "redaction_encodings" {
        return [&[size, what][..], &body].concat();
    }
    let list = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Snappy, Encoding::SnappyFramed];
    let nth = nth % list.len();
    let mut out = vec![size, nth as u8];
    if list[nth] == Encoding::Zstd {
        out.extend(ruzstd::encoding::compress_to_vec(&*body, ruzstd::encoding::CompressionLevel::Fastest));
    } else {
        Encoder::new(list[nth]).push(&body, true, &mut out).unwrap();
    }
    out
}

/// Writes a corpus to begin with.
#[allow(clippy::disallowed_methods, reason = "a corpus is files")]
fn write_seeds() {
    let mut random = Random(1);
    for (name, _) in redaction_carriers::ALL {
        std::fs::create_dir_all(corpus().join(name)).unwrap();
        for nth in 0..18 {
            let bytes = seed(name, nth, &mut random);
            std::fs::write(corpus().join(name).join(format!("seed-{nth:02}")), bytes).unwrap();
        }
    }
}
