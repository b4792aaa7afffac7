//! Escapes one level deep: `%40`, `\u0040`, base64. Decoded into bounded scratch, with the way back to where it stood.

use base64::Engine;

use super::runs::RUN;
use super::text::{HEX, LOWER, UPPER, kind_of};
use super::token::{STANDARD, URL_SAFE};

/// How much is decoded at once, and by how much one piece overlaps the next, in bytes.
const PIECE: usize = 16 << 10;
const OVERLAP: usize = 1 << 10;

/// What was decoded, and where each byte of it stood.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// INVARIANT: one more than there are bytes; never falling.
    places: Vec<usize>,
}

impl Decoded {
    /// Where in the text `start..end` of what was decoded stands.
    pub(super) fn place(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        Some((*self.places.get(start)?, *self.places.get(end)?))
    }

    /// Decodes the escapes in a piece of `text` from `from` on; returns where the next piece starts, if there is one.
    pub(super) fn unescape(&mut self, text: &[u8], from: usize) -> Option<usize> {
        self.bytes.clear();
        self.places.clear();
        let to = from.saturating_add(PIECE).min(text.len());
        let piece = text.get(..to).unwrap_or_default();
        let mut at = from;
        while let Some(rest) = piece.get(at..)
            && let Some(first) = rest.first()
        {
            let mut utf8 = [0; 4];
            let (decoded, taken): (&[u8], usize) = match rest {
                [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    utf8[0] = hex(*high) << 4 | hex(*low);
                    (utf8.get(..1).unwrap_or_default(), 3)
                }
                [b'\\', b'u', digits @ ..] => match unicode(digits) {
                    Some((character, taken)) => (character.encode_utf8(&mut utf8).as_bytes(), taken + 2),
                    None => (std::slice::from_ref(first), 1),
                },
                [b'\\', b'n' | b'r' | b't', ..] => (b"\n", 2),
                [b'\\', escaped @ (b'"' | b'/' | b'\\'), ..] => (std::slice::from_ref(escaped), 2),
                _ => (std::slice::from_ref(first), 1),
            };
            for byte in decoded {
                self.bytes.push(*byte);
                self.places.push(at);
            }
            at += taken;
        }
        self.places.push(at.min(to));
        (to < text.len()).then(|| to.saturating_sub(OVERLAP).max(from + 1))
    }

    /// Decodes a piece of the run of base64 from `from` on, if what it starts with is text; returns where the next piece
    /// starts, if there is one.
    pub(super) fn base64(&mut self, run: &[u8], from: usize) -> Option<Option<usize>> {
        let url = run.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let engine = if url { &URL_SAFE } else { &STANDARD };
        let mut head = [0; 12];
        let length = engine.decode_slice(run.get(..16)?, &mut head).ok()?;
        head.get(..length)?.iter().all(|byte| is_text(*byte)).then_some(())?;
        let to = from.saturating_add(PIECE).min(run.len());
        let mut piece = run.get(from..to)?;
        // One character of base64 is not a byte yet.
        if piece.len() % 4 == 1 {
            piece = piece.get(..piece.len() - 1)?;
        }
        self.bytes.clear();
        engine.decode_vec(piece, &mut self.bytes).ok()?;
        let texts = self.bytes.iter().filter(|byte| is_text(**byte)).count();
        (texts * 20 >= self.bytes.len() * 19).then_some(())?;
        Some((to < run.len()).then(|| to - OVERLAP))
    }
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0xc2..=0xf4 | 0x80..=0xbf)
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or(0) as u8
}

/// The character that four digits after `\u` are, or eight around another `\u`.
fn unicode(digits: &[u8]) -> Option<(char, usize)> {
    let four = |digits: &[u8]| {
        let digits = digits.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        Some(digits.iter().fold(0, |value, digit| value << 4 | u32::from(hex(*digit))))
    };
    let first = four(digits)?;
    if let 0xd800..=0xdbff = first
        && let Some([b'\\', b'u']) = digits.get(4..6)
        && let Some(second @ 0xdc00..=0xdfff) = digits.get(6..).and_then(four)
    {
        let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return char::from_u32(both).map(|character| (character, 10));
    }
    char::from_u32(first).map(|character| (character, 4))
}

/// Whether a run may be base64 of text: letters of both cases, and more than hexadecimal digits.
pub(super) fn may_be_base64(run: &[u8]) -> bool {
    let mut seen = 0;
    let enough = |byte: &u8| {
        seen |= kind_of(*byte);
        seen & UPPER != 0 && seen & LOWER != 0 && seen & !HEX != 0
    };
    run.len() >= RUN && run.iter().take(64).any(enough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    #[test]
    fn a_run_may_be_base64_where_its_letters_say_so_each_by_itself() {
        let mut below = random(31);
        let mut some = 0;
        for _ in 0..100_000 {
            let (length, signs) = (below(80), 1 + below(12));
            let run: Vec<u8> = (0..length).map(|_| b"0aAb5F-zZ/+_"[below(signs)]).collect();
            let head = &run[..run.len().min(64)];
            let upper = head.iter().any(u8::is_ascii_uppercase);
            let lower = head.iter().any(u8::is_ascii_lowercase);
            let plain = upper && lower && !head.iter().all(u8::is_ascii_hexdigit) && run.len() >= RUN;
            assert_eq!(may_be_base64(&run), plain, "{}", String::from_utf8_lossy(&run));
            some += usize::from(plain);
        }
        assert!(some > 10_000, "{some}");
    }
}
