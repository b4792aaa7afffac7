//! Strings of JSON: what they are on the wire, and what they mean.

use super::Fault;

/// How long the string is whose opening quote was read, up to the closing one, if it is one that JSON has, and whether it
/// has escapes.
pub(super) fn size(text: &[u8]) -> Result<(usize, bool), Fault> {
    let (size, ascii) = plain_ascii(text);
    if ascii && text.get(size) == Some(&b'"') {
        return Ok((size, false));
    }
    long_size(text, size, ascii)
}

/// Likewise, of one with escapes or beyond ASCII, whose first bytes are plain.
fn long_size(text: &[u8], mut at: usize, mut ascii: bool) -> Result<(usize, bool), Fault> {
    let mut escapes = false;
    loop {
        match text.get(at) {
            Some(b'"') => break,
            Some(b'\\') => at += escape(text.get(at..).unwrap_or_default())?.1,
            Some(_) => return Err(Fault::Invalid("a control character in a string of the JSON")),
            None => return Err(Fault::Cut),
        }
        escapes = true;
        let (size, is_ascii) = plain_ascii(text.get(at..).unwrap_or_default());
        ascii &= is_ascii;
        at += size;
    }
    if ascii || str::from_utf8(text.get(..at).unwrap_or_default()).is_ok() {
        return Ok((at, escapes));
    }
    Err(Fault::Invalid("a string of the JSON is not UTF-8"))
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// How many bytes come before the first of two, both of them ASCII. Eight at a time: this, and the next, is most of what
/// reading JSON costs.
#[inline(always)]
pub(super) fn until<const A: u8, const B: u8>(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        // The high bit of each byte that is one of them, and perhaps of ones behind the first of these.
        let found = (word ^ (ONES * A as u64)).wrapping_sub(ONES) | (word ^ (ONES * B as u64)).wrapping_sub(ONES);
        let found = found & !word & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| **byte != A && **byte != B).count()
}

/// How many bytes come before the first quote, backslash or control character, and whether all of them are ASCII; where they
/// are it may be told that they are not, if others follow.
#[inline(always)]
fn plain_ascii(text: &[u8]) -> (usize, bool) {
    let (mut at, mut high) = (0, 0);
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        high |= word;
        let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
        let control = word.wrapping_sub(ONES * 0x20);
        let found = (quote | backslash | control) & !word & HIGH;
        if found != 0 {
            return (at + found.trailing_zeros() as usize / 8, high & HIGH == 0);
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    let size = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
    (at + size, high & HIGH == 0 && rest.get(..size).is_some_and(<[u8]>::is_ascii))
}

/// What an escape means, and how long it is.
fn escape(text: &[u8]) -> Result<(char, usize), Fault> {
    let bad = Fault::Invalid("an escape that JSON does not have");
    let simple = match text.get(1).ok_or(Fault::Cut)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex(text.get(2..)).ok_or(bad)?;
            if let Some(letter) = char::from_u32(first) {
                return Ok((letter, 6));
            }
            // Half of a pair: the other must follow, since readers differ in what they make of one alone.
            if first >= 0xdc00 || text.get(6..8) != Some(b"\\u") {
                return Err(bad);
            }
            let second = hex(text.get(8..)).filter(|half| (0xdc00..0xe000).contains(half)).ok_or(bad)?;
            let letter = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(letter).map(|letter| (letter, 12)).ok_or(bad);
        }
        _ => return Err(bad),
    };
    Ok((simple, 2))
}

fn hex(text: Option<&[u8]>) -> Option<u32> {
    let digits = text?.get(..4)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Appends what a string means that was read as one, without its quotes.
pub fn decode(written: &[u8], out: &mut Vec<u8>) {
    let mut rest = written;
    loop {
        let at = until::<b'\\', b'\\'>(rest);
        if at == rest.len() {
            break;
        }
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        // INVARIANT: it was read as a string, so each escape is one.
        let Ok((letter, size)) = escape(rest) else { return };
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        rest = rest.get(size..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Appends `meaning`, which is UTF-8, as a string with its quotes.
pub fn write(meaning: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in meaning {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            0..=0x1f => {
                let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or(b'0');
                out.extend(b"\\u00");
                out.extend([digit(byte >> 4), digit(*byte)]);
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_a_time_are_read_as_one_by_one() {
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut text = [b'a'; 20];
                text[at] = byte;
                let stops = matches!(byte, b'"' | b'\\' | 0..=0x1f);
                assert_eq!(plain_ascii(&text).0, if stops { at } else { 20 }, "{byte} at {at}");
                let ends = matches!(byte, b'"' | b'\\');
                assert_eq!(until::<b'"', b'\\'>(&text), if ends { at } else { 20 }, "{byte} at {at}");
                assert_eq!(plain_ascii(&text).1, byte < 128, "{byte} at {at}");
                // One byte beyond ASCII is no UTF-8 by itself, wherever it stands.
                let string = [&text[..], b"\""].concat();
                assert_eq!(size(&string).is_ok(), byte == b'"' || (byte < 128 && !stops), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for meaning in ["", "orders", "a\"b\\c\u{1}\n", "é😀", "/"] {
            let (mut text, mut back) = (Vec::new(), Vec::new());
            write(meaning.as_bytes(), &mut text);
            let inner = &text[1..text.len() - 1];
            assert_eq!(size(&text[1..]), Ok((inner.len(), inner.contains(&b'\\'))));
            decode(inner, &mut back);
            assert_eq!(back, meaning.as_bytes());
        }
        let mut out = Vec::new();
        decode(br"\u006f\ud83d\ude00\/\n", &mut out);
        assert_eq!(out, "o😀/\n".as_bytes());
    }
}
