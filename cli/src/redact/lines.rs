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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.0.len().min(self.1).min(buffer.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    /// Lines with their ends; of one that is too long `LONG`.
    fn lines(text: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let read = read::<io::Error>(&mut Slow(text, step), &mut |piece, total| {
            assert!(total as usize <= text.len());
            match piece {
                Piece::Line(line, end) => all.push([line, end].concat()),
                Piece::TooLong(end) => all.push([&b"LONG"[..], end].concat()),
                Piece::Pause => {}
            }
            Ok(())
        });
        read.unwrap();
        all
    }

    #[test]
    fn lines_are_the_same_whatever_the_pieces() {
        let text = b"a\r\n\r\n\nb\rc\n\r\r\nlast\r";
        let want = [&b"a\r\n"[..], b"\r\n", b"\n", b"b\rc\n", b"\r\r\n", b"last\r"];
        for step in 1..=text.len() {
            assert_eq!(lines(text, step), want, "{step}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_told_by_its_length_alone() {
        for (more, end, long) in [
            (0, &b"\n"[..], false),
            (0, b"\r\n", false),
            (0, b"", false),
            (1, b"\n", true),
            (1, b"\r\n", true),
            (1, b"", true),
            (3 * CHUNK + 5, b"\r\n", true),
            (3 * CHUNK + 5, b"", true),
        ] {
            let line = ["x".repeat(LONGEST + more).as_bytes(), end].concat();
            let text = [&b"a\n"[..], &line, if end.is_empty() { &b""[..] } else { b"b" }].concat();
            for step in [1021, CHUNK - 1, CHUNK, LONGEST + 1, LONGEST + 2, LONGEST + 3] {
                let all = lines(&text, step);
                let want = if long { [&b"LONG"[..], end].concat() } else { line.clone() };
                assert!(all[1] == want, "{more} {end:?} {step}: {:?}", all[1].get(..8));
                assert_eq!(all.len(), if end.is_empty() { 2 } else { 3 });
            }
        }
    }
}
