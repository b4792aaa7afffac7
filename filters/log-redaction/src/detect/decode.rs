//! Escapes one level deep: `%40`, `\u0040`, base64. Decoded into bounded scratch, with the way back to where it stood.

use base64::Engine;

use super::ids::{LONGEST, SHORTEST};
use super::text::{ALNUM, BASE64, Class, DASH, UNDERSCORE, is};
use super::token::{STANDARD, URL_SAFE};

/// How much is decoded at once, and by how much one piece overlaps the next, in bytes.
const PIECE: usize = 16 << 10;
const OVERLAP: usize = 1 << 10;
/// The shortest run of base64 that is looked into, in bytes: 15 of what it holds.
const RUN: usize = 20;

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

/// Calls `each` with every run of 20 bytes of base64 or more.
pub(super) fn runs(text: &[u8], each: impl FnMut(usize, usize)) -> u64 {
    long_runs(text, BASE64 | DASH | UNDERSCORE, RUN, each)
}

/// Calls `each` with every word of letters and digits that is as long as an id with letters, and has a digit where one of
/// them has.
pub(super) fn long_words(text: &[u8], mut each: impl FnMut(usize, usize)) -> u64 {
    long_runs(text, ALNUM, SHORTEST, |start, end| {
        let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
        if end - start <= LONGEST && (digit(end - 2) || digit(end - 1) || digit(start + 6)) {
            each(start, end);
        }
    })
}

/// Calls `each` with every run of at least so many bytes of a class, as long as it is, and returns how many bytes were looked
/// at: two for each of the text at most. A window is looked at from its end on, and the next begins behind the first byte
/// that is not of the class, so that of a text without such runs few are looked at. (Boyer and Moore, "A fast string
/// searching algorithm", 1977.)
#[inline(always)]
fn long_runs(text: &[u8], class: Class, least: usize, mut each: impl FnMut(usize, usize)) -> u64 {
    // INVARIANT: what stands before `from` is not of the class, or was told.
    let (mut from, mut steps) = (0, 0);
    while let Some(window) = text.get(from..from + least) {
        if let Some(at) = window.iter().rposition(|byte| !is(*byte, class)) {
            steps += least - at;
            from += at + 1;
            continue;
        }
        let rest = text.get(from + least..).unwrap_or_default();
        let end = from + least + rest.iter().position(|byte| !is(*byte, class)).unwrap_or(rest.len());
        steps += end - from;
        each(from, end);
        from = end + 1;
    }
    steps as u64
}

/// Whether a run may be base64 of text: letters of both cases, and more than hexadecimal digits.
pub(super) fn may_be_base64(run: &[u8]) -> bool {
    let head = run.get(..run.len().min(64)).unwrap_or_default();
    let upper = head.iter().any(u8::is_ascii_uppercase);
    let lower = head.iter().any(u8::is_ascii_lowercase);
    upper && lower && !head.iter().all(u8::is_ascii_hexdigit) && run.len() >= RUN
}

/// The parts of a run that letters and digits alone make.
pub(super) fn words(text: &[u8], start: usize, end: usize) -> impl Iterator<Item = (usize, usize)> {
    let run = text.get(start..end).unwrap_or_default();
    let mut at = start;
    run.split(|byte| !is(*byte, ALNUM)).map(move |word| {
        let from = at;
        at += word.len() + 1;
        (from, from + word.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn plain(text: &[u8], class: Class, least: usize) -> Vec<(usize, usize)> {
        let (mut all, mut start) = (Vec::new(), 0);
        for at in 0..=text.len() {
            if !text.get(at).is_some_and(|byte| is(*byte, class)) {
                if at - start >= least {
                    all.push((start, at));
                }
                start = at + 1;
            }
        }
        all
    }

    #[test]
    fn runs_are_those_that_are_seen_byte_by_byte_and_no_text_costs_more_than_two_looks_a_byte() {
        let mut state = 1_u64;
        let mut below = |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        let mut texts: Vec<Vec<u8>> = (0..20_000)
            .map(|_| {
                let (length, rare) = (below(90), 2 + below(30));
                (0..length).map(|_| if below(rare) == 0 { b' ' } else { b"aZ9/_-"[below(6) as usize] }).collect()
            })
            .collect();
        // A byte that is not of the class where the window costs most.
        for apart in 1..=2 * RUN {
            texts.push([&b" "[..], &vec![b'a'; apart]].concat().repeat(200));
        }
        for text in &texts {
            for (class, least) in [(BASE64 | DASH | UNDERSCORE, RUN), (ALNUM, SHORTEST)] {
                let mut all = Vec::new();
                let steps = long_runs(text, class, least, |start, end| all.push((start, end)));
                assert_eq!(all, plain(text, class, least), "{}", String::from_utf8_lossy(text));
                assert!(steps <= 2 * text.len() as u64, "{steps} of {}", text.len());
            }
        }
    }
}
