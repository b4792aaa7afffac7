//! Lines out of a source, held one at a time.

use std::io::{self, Read};

/// The longest line that is looked through, in bytes, without what ends it.
pub(crate) const LONGEST: usize = 1 << 20;
/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// What a source has.
pub(crate) enum Piece<'p> {
    /// A line and what ends it: `\n`, `\r\n`, or nothing at the end of the source.
    Line(&'p [u8], &'static [u8]),
    /// A line that is longer than what is looked through, and what ends it.
    TooLong(&'static [u8]),
    /// For now there is no more: who reads along wants to see what there was.
    Pause,
}

/// Shows all of a source; what is held does not grow with it.
///
/// # Errors
///
/// The source cannot be read, or `take` says so.
pub(crate) fn read<E: From<io::Error>>(
    source: &mut dyn Read,
    take: &mut dyn FnMut(Piece<'_>, u64) -> Result<(), E>,
) -> Result<(), E> {
    let mut held: Vec<u8> = Vec::new();
    let mut chunk = vec![0; CHUNK];
    // Of a line that is too long no more is held than whether its last byte was a `\r`.
    let (mut skips, mut carriage) = (false, false);
    let mut total = 0;
    loop {
        let size = match source.read(&mut chunk) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if size == 0 {
            break;
        }
        total += size as u64;
        let mut rest = &chunk[..size];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (piece, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if skips {
                let carriage = piece.last().map_or(carriage, |byte| *byte == b'\r');
                take(Piece::TooLong(if carriage { b"\r\n" } else { b"\n" }), total)?;
                skips = false;
                continue;
            }
            if held.is_empty() {
                line(piece, b"\n", total, take)?;
            } else {
                held.extend_from_slice(piece);
                line(&held, b"\n", total, take)?;
                held.clear();
            }
        }
        if skips {
            carriage = rest.last().map_or(carriage, |byte| *byte == b'\r');
        } else {
            held.extend_from_slice(rest);
            // One more may be the `\r` of its end.
            if held.len() > LONGEST + 1 {
                (skips, carriage) = (true, held.last() == Some(&b'\r'));
                held = Vec::new();
            }
        }
        take(Piece::Pause, total)?;
    }
    if skips {
        take(Piece::TooLong(b""), total)?;
    } else if !held.is_empty() {
        line(&held, b"", total, take)?;
    }
    take(Piece::Pause, total)
}

fn line<E>(
    text: &[u8],
    end: &'static [u8],
    total: u64,
    take: &mut dyn FnMut(Piece<'_>, u64) -> Result<(), E>,
) -> Result<(), E> {
    let (text, end): (&[u8], &'static [u8]) = match text.strip_suffix(b"\r") {
        Some(text) if !end.is_empty() => (text, b"\r\n"),
        _ => (text, end),
    };
    take(if text.len() > LONGEST { Piece::TooLong(end) } else { Piece::Line(text, end) }, total)
}
