//! Bodies as an app that compresses sends them.

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use partywall_authorization::guard::Coding;

/// How a body may be folded.
pub(crate) const KINDS: &[&str] = &["gzip", "headed", "members", "stored", "zlib", "raw"];

/// `body`, folded, and the coding that a response would name.
pub(crate) fn fold(kind: &str, body: &[u8]) -> (Coding, Vec<u8>) {
    match kind {
        "gzip" => (Coding::Gzip, member(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], body, 6)),
        "stored" => (Coding::Gzip, member(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255], body, 0)),
        "headed" => (Coding::Gzip, member(&headed(), body, 6)),
        "members" => {
            let (a, b) = body.split_at(body.len() / 3);
            let (b, c) = b.split_at(b.len() / 2);
            (Coding::Gzip, [a, b, &[], c].map(|part| fold("gzip", part).1).concat())
        }
        "zlib" => (Coding::Deflate, compress_to_vec_zlib(body, 6)),
        "raw" => (Coding::Deflate, compress_to_vec(body, 6)),
        other => panic!("nothing is folded as `{other}`"),
    }
}

fn member(header: &[u8], body: &[u8], level: u8) -> Vec<u8> {
    let crc = crc(body).to_le_bytes();
    [header, &compress_to_vec(body, level), &crc, &(body.len() as u32).to_le_bytes()].concat()
}

/// A header with all that one can have: extra field, name, comment and its own checksum.
fn headed() -> Vec<u8> {
    let mut header = vec![0x1F, 0x8B, 8, 0b11111, 1, 2, 3, 4, 0, 3];
    header.extend(b"\x05\0extra");
    header.extend(b"name\0comment\0");
    let crc = crc(&header) as u16;
    header.extend(crc.to_le_bytes());
    header
}

/// CRC-32, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
