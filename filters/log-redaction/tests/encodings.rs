//! Encodings: what others wrote is read, whatever the pieces; what is written others read; and what is made to harm is
//! refused in bounded memory.

#![allow(clippy::disallowed_methods, reason = "what others wrote is files")]

#[path = "common/telemetry.rs"]
mod telemetry;

use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use partywall_log_redaction::carriers::{Cause, Refusal};
use partywall_log_redaction::encodings::{Bounds, Decoder, Encoder, Encoding, decode};
use telemetry::{Random, lines};

fn framed(text: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(text).unwrap();
    encoder.into_inner().unwrap()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn raw(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A text in every encoding.
fn encoded(text: &[u8]) -> Vec<(Encoding, Vec<u8>)> {
    let block = snap::raw::Encoder::new().compress_vec(text).unwrap();
    vec![
        (Encoding::Identity, text.to_vec()),
        (Encoding::Gzip, gzip(text)),
        (Encoding::Deflate, zlib(text)),
        (Encoding::Deflate, raw(text)),
        (Encoding::Snappy, block),
        (Encoding::Snappy, framed(text)),
        (Encoding::SnappyFramed, framed(text)),
        (Encoding::Zstd, zstd(text)),
    ]
}

fn unfold(encoding: Encoding, body: &[u8], size: usize, bounds: Bounds) -> Result<Vec<u8>, Refusal> {
    let mut decoder = Decoder::new(encoding, bounds);
    let mut out = Vec::new();
    let mut take = |piece: &[u8]| {
        out.extend_from_slice(piece);
        Ok(())
    };
    for piece in body.chunks(size) {
        decoder.push(piece, false, &mut take)?;
    }
    decoder.push(b"", true, &mut take)?;
    Ok(out)
}

#[test]
fn what_others_wrote_is_read_whatever_the_pieces() {
    for count in [0, 1, 3, 400, 4000] {
        let text = lines(count, 7);
        for (encoding, body) in encoded(&text) {
            for size in [1, 7, 1000, usize::MAX] {
                if size == 1 && body.len() > 100_000 {
                    continue;
                }
                let read = unfold(encoding, &body, size, Bounds::default());
                assert!(read.as_ref() == Ok(&text), "{encoding:?} of {count} in pieces of {size}: {:?}", read.err());
            }
        }
    }
}

/// By `zstd -1`, `-3`, `-19`, `--ultra -22 --long`, `--no-check`, of so many lines as the file's name begins with; and by
/// its fast levels. The example `lines_for_zstd` writes the lines, where frames are to be made anew.
#[test]
fn frames_that_zstd_wrote_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/encodings");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(count) = name.strip_suffix(".zst").and_then(|name| name.split('.').next()) else { continue };
        let text = lines(count.parse().unwrap(), 1);
        let body = std::fs::read(&file).unwrap();
        for size in [usize::MAX, 1, 1000] {
            let unfolded = unfold(Encoding::Zstd, &body, size, Bounds::default());
            assert!(unfolded.as_ref() == Ok(&text), "{name}: {:?}", unfolded.map(|text| text.len()));
        }
        read += 1;
    }
    assert!(read >= 6, "{read} files");
}

#[test]
fn what_is_written_is_read_by_others_and_here() {
    let text = lines(3000, 3);
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Snappy, Encoding::SnappyFramed] {
        assert_eq!(encoding.written(), encoding);
        for size in [1, 999, usize::MAX] {
            let (mut encoder, mut out) = (Encoder::new(encoding), Vec::new());
            let cut = if size == 1 { &text[..5000] } else { &text };
            for piece in cut.chunks(size) {
                encoder.push(piece, false, &mut out).unwrap();
            }
            encoder.push(b"", true, &mut out).unwrap();
            let mut back = Vec::new();
            match encoding {
                Encoding::Gzip => drop(flate2::read::GzDecoder::new(&*out).read_to_end(&mut back).unwrap()),
                Encoding::Deflate => drop(flate2::read::ZlibDecoder::new(&*out).read_to_end(&mut back).unwrap()),
                Encoding::SnappyFramed => drop(snap::read::FrameDecoder::new(&*out).read_to_end(&mut back).unwrap()),
                Encoding::Snappy => back = snap::raw::Decoder::new().decompress_vec(&out).unwrap(),
                _ => back.clone_from(&out),
            }
            assert!(back == cut, "{encoding:?} in pieces of {size}");
            assert!(unfold(encoding, &out, 100, Bounds::default()).as_deref() == Ok(cut));
        }
    }
    assert_eq!(Encoding::Zstd.written(), Encoding::Gzip);
    let mut out = Vec::new();
    let mut encoder = decode(Encoding::Zstd, &zstd(b"a text"), Bounds::default(), &mut out).unwrap();
    assert_eq!(out, b"a text");
    out.clear();
    encoder.push(b"a text", true, &mut out).unwrap();
    assert_eq!(out[..2], [0x1F, 0x8B]);
}

#[test]
fn what_unfolds_to_far_too_much_is_refused_before_it_did() {
    let zeros = vec![0; 100 << 20];
    for (encoding, body) in encoded(&zeros) {
        let mut most = 0;
        let mut decoder = Decoder::new(encoding, Bounds { most: 50 << 20, ..Bounds::default() });
        let read = body.chunks(4096).try_for_each(|piece| {
            decoder.push(piece, false, &mut |text| {
                most += text.len();
                Ok(())
            })
        });
        let read = read.and_then(|()| decoder.push(b"", true, &mut |_| Ok(())));
        let cause = read.map_err(|refusal| refusal.cause);
        assert!(matches!(cause, Err(Cause::Ratio | Cause::TooLarge)), "{encoding:?}: {cause:?}");
        assert!(most <= 50 << 20, "{encoding:?}: {most}");
    }
    // A block of zstd that says that one sequence after the other repeats 128 KiB.
    let head = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38, 0x40, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let sequences = |count: u8, written: u8| {
        let bits = vec![0; 2 * usize::from(written)];
        let block = [&[0x00, count, 0x54, 0, 0, 52][..], &bits, &[1]].concat();
        let size = (block.len() as u32) << 3 | 5;
        let body = [&head[..], &size.to_le_bytes()[..3], &block].concat();
        unfold(Encoding::Zstd, &body, 9, Bounds::default()).map(|text| text.len()).map_err(|refusal| refusal.cause)
    };
    assert_eq!(sequences(1, 1), Ok(8 + 65539));
    assert_eq!(sequences(2, 2), Err(Cause::Length));
    // It is refused at the second, before it is seen that there is no third.
    assert_eq!(sequences(100, 2), Err(Cause::Length));
}

#[test]
fn what_ends_too_early_is_told_and_what_follows_is_refused() {
    let text = lines(5, 9);
    for (encoding, body) in encoded(&text).into_iter().skip(1) {
        for end in 1..body.len() {
            let read = unfold(encoding, &body[..end], usize::MAX, Bounds::default());
            assert!(read.is_err() || encoding == Encoding::SnappyFramed || end == 10, "{encoding:?} up to {end}");
        }
        let mut more = body.clone();
        more.extend_from_slice(b"more");
        assert!(unfold(encoding, &more, usize::MAX, Bounds::default()).is_err(), "{encoding:?}");
    }
    // Members of gzip and frames of zstd may follow each other.
    for (encoding, one) in [(Encoding::Gzip, gzip(b"a")), (Encoding::Zstd, zstd(b"a"))] {
        assert_eq!(unfold(encoding, &[&one[..], &one].concat(), 3, Bounds::default()), Ok(b"aa".to_vec()));
    }
    let skipped = [&[0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(b"a")].concat();
    assert_eq!(unfold(Encoding::Zstd, &skipped, 2, Bounds::default()), Ok(b"a".to_vec()));
}

#[test]
fn damage_is_refused_or_read_but_nothing_breaks() {
    let mut random = Random(11);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/encodings");
    let mut bodies = encoded(&lines(300, 5));
    for entry in std::fs::read_dir(folder).unwrap() {
        bodies.push((Encoding::Zstd, std::fs::read(entry.unwrap().path()).unwrap()));
    }
    let bounds = Bounds { most: 8 << 20, ..Bounds::default() };
    for (encoding, body) in bodies {
        for _ in 0..400 {
            let mut bad = body.clone();
            for _ in 0..random.below(4) + 1 {
                let at = random.below(bad.len());
                bad[at] ^= 1 << random.below(8);
            }
            let read = unfold(encoding, &bad, 1 + random.below(5000), bounds);
            assert!(read.is_err() || read.is_ok_and(|text| text.len() <= bounds.most));
        }
    }
}

#[test]
fn one_encoding_is_taken_and_no_second() {
    let of = |values: &[&str]| Encoding::of(values.iter().map(|value| value.as_bytes()));
    assert_eq!(of(&[]), Ok(Encoding::Identity));
    assert_eq!(of(&["identity, GZIP "]), Ok(Encoding::Gzip));
    assert_eq!(of(&["x-gzip"]), Ok(Encoding::Gzip));
    assert_eq!(of(&["zstd"]), Ok(Encoding::Zstd));
    for bad in [&["br"][..], &["gzip, gzip"], &["gzip", "zstd"], &["gzip;q=1"]] {
        assert_eq!(of(bad).map_err(|refusal| refusal.cause), Err(Cause::Encoding), "{bad:?}");
    }
}
