//! Compressed bodies, unfolded whole. What is wrong with one is an error: a collector would refuse it.

use anyhow::{Context, Result, anyhow, bail, ensure};
use miniz_oxide::inflate;
use miniz_oxide::inflate::core::{DecompressorOxide, inflate_flags};

/// The most that one may unfold to.
const MOST: usize = 64 << 20;

/// Unfolds what `coding` (as `content-encoding` and `grpc-encoding` name it; empty for none) made.
pub fn unfold(coding: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    match coding {
        "" | "identity" => Ok(bytes.to_vec()),
        "gzip" => gzip(bytes),
        "deflate" => inflate::decompress_to_vec_zlib_with_limit(bytes, MOST).map_err(|e| anyhow!("deflate: {e}")),
        "snappy" => snappy(bytes),
        other => bail!("`{other}` is no coding"),
    }
}

/// A block of snappy, without frames.
pub fn snappy(bytes: &[u8]) -> Result<Vec<u8>> {
    snap::raw::Decoder::new().decompress_vec(bytes).context("snappy")
}

/// RFC 1952: members one after the other, each with its checksum and its length.
fn gzip(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<10>().context("gzip: cut off in its head")?;
        ensure!(head.starts_with(&[0x1f, 0x8b, 8, 0]), "gzip: {head:02x?} is no plain head");
        let (text, used) = deflated(rest)?;
        let (tail, rest) = rest[used..].split_first_chunk::<8>().context("gzip: no checksum")?;
        let told = [crc32(&text), u32::try_from(text.len())?].map(u32::to_le_bytes).concat();
        ensure!(tail[..] == told[..], "gzip: checksum or length differ");
        all.extend(text);
        bytes = rest;
    }
    Ok(all)
}

/// RFC 1951, and how many bytes it was.
fn deflated(bytes: &[u8]) -> Result<(Vec<u8>, usize)> {
    let (mut text, mut state) = (vec![0; 64 << 10], DecompressorOxide::new());
    let (mut used, mut made) = (0, 0);
    loop {
        let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, read, written) = inflate::core::decompress(&mut state, &bytes[used..], &mut text, made, flags);
        used += read;
        made += written;
        match status {
            inflate::TINFLStatus::Done => break,
            inflate::TINFLStatus::HasMoreOutput if text.len() < MOST => text.resize(text.len() * 2, 0),
            other => bail!("gzip: {other:?} after {used} bytes"),
        }
    }
    text.truncate(made);
    Ok((text, used))
}

/// As RFC 1952 has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `gzip.compress(b"hello", mtime=0)`, by Python.
    const HELLO: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0,
    ];

    #[test]
    fn gzip_is_unfolded_and_its_checksum_compared() {
        assert_eq!(unfold("gzip", &[HELLO, HELLO].concat()).unwrap(), b"hellohello");
        assert!(unfold("gzip", &HELLO[..HELLO.len() - 1]).is_err());
        let mut other = HELLO.to_vec();
        other[18] ^= 1;
        assert!(unfold("gzip", &other).is_err());
    }
}
