//! Words of letters and digits, and runs of base64: what is long enough of both, in one walk over a text.
//!
//! Eight bytes are told apart at once, in one register and without branches, and sixty-four make a word of bits in which
//! what is long is found by shifting it over itself. It costs the same whatever the text is. (Warren, "Hacker's Delight",
//! 6-2 and 7-4.)

use super::eights::{HIGH, SEVEN, bits, equal, from, letters};
use super::ids::{LONGEST, SHORTEST};

/// The shortest run of base64 that is looked into, in bytes: 15 of what it holds.
pub(super) const RUN: usize = 20;

/// What is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Long {
    /// A word that is as long as an id with letters, and has a digit where one of them has.
    Word,
    /// A word that is as long as an address in Base58, and starts as one.
    Base58,
    /// A run of base64 in either alphabet, without padding.
    Base64,
}

/// Calls `each` with what is long, as long as it is: of each kind in order, and both within 64 bytes of each other.
#[inline]
pub(super) fn long(text: &[u8], mut each: impl FnMut(Long, usize, usize)) {
    if text.len() < SHORTEST {
        return;
    }
    let (mut words, mut base64) = (Open::<SHORTEST>::default(), Open::<RUN>::default());
    let mut block = |at: usize, (of_words, of_base64): (u64, u64)| {
        words.block(at, of_words, |start, end| match end - start {
            SHORTEST..=LONGEST if may_be_id(text, start, end) => each(Long::Word, start, end),
            26..=35 if may_be_base58(text, start) => each(Long::Base58, start, end),
            _ => {}
        });
        base64.block(at, of_base64, |start, end| each(Long::Base64, start, end));
    };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut at = 0;
    for bytes in blocks {
        block(at, kinds(bytes, None));
        at += BLOCK;
    }
    // What follows the text is of neither, so that what is open ends there.
    block(at, kinds(rest, text.last_chunk::<8>()));
}

/// Whether a word has a digit where an id with letters has one.
fn may_be_id(text: &[u8], start: usize, end: usize) -> bool {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    digit(end - 2) || digit(end - 1) || digit(start + 6)
}

/// Whether a word starts as an address of Bitcoin or Litecoin in Base58.
fn may_be_base58(text: &[u8], start: usize) -> bool {
    matches!(text.get(start), Some(b'1' | b'3' | b'L' | b'M'))
}

/// How many bytes there are in a block: a bit for each.
const BLOCK: usize = 64;

/// For each of at most 64 bytes whether it is of a word, and whether it is base64; the first in the lowest bit. The bytes after
/// the last eight of them are the last of `last`.
#[inline(always)]
fn kinds(block: &[u8], last: Option<&[u8; 8]>) -> (u64, u64) {
    let (eights, rest) = block.as_chunks::<8>();
    let (mut of_words, mut of_base64, mut at) = (0, 0, 0_u32);
    let mut add = |eight: u64| {
        let (word, base64) = told(eight);
        of_words |= bits(word).wrapping_shl(at);
        of_base64 |= bits(base64).wrapping_shl(at);
        at += 8;
    };
    eights.iter().for_each(|eight| add(u64::from_le_bytes(*eight)));
    if let Some(last) = last
        && !rest.is_empty()
    {
        add(u64::from_le_bytes(*last) >> (64 - 8 * rest.len()));
    }
    (of_words, of_base64)
}

/// The high bit of each byte that is a letter or digit of ASCII, and of each that is one, or `+`, `/`, `-` or `_`.
#[inline(always)]
const fn told(bytes: u64) -> (u64, u64) {
    let seven = bytes & SEVEN;
    let digit = from(seven, b'0') & !from(seven, b'9' + 1);
    let letter = letters(seven);
    // Of those from `+` to `/`, the odd ones.
    let sign = from(seven, b'+') & !from(seven, b'0') & seven << 7 | equal(seven, b'_');
    let ascii = !bytes & HIGH;
    ((digit | letter) & ascii, (digit | letter | sign) & ascii)
}

/// A walk over blocks of bits, for runs of at least so many ones.
#[derive(Default)]
struct Open<const LEAST: usize> {
    /// INVARIANT: from here to the next block all are ones.
    start: usize,
}

impl<const LEAST: usize> Open<LEAST> {
    /// The block that begins at `at`: calls `each` with what ends in it.
    #[inline(always)]
    fn block(&mut self, at: usize, bits: u64, mut each: impl FnMut(usize, usize)) {
        let lead = bits.trailing_ones();
        if lead == u64::BITS {
            return;
        }
        let end = at + lead as usize;
        if end - self.start >= LEAST {
            each(self.start, end);
        }
        let tail = bits.leading_ones();
        self.start = at + BLOCK - tail as usize;
        // Neither what was just told nor what goes on in the next block.
        let within = bits & (u64::MAX << lead) & (u64::MAX >> tail);
        let mut long = starts(within, LEAST);
        while long != 0 {
            let start = long.trailing_zeros();
            let length = (within >> start).trailing_ones();
            each(at + start as usize, at + (start + length) as usize);
            // The first nought behind it is one of `long` too.
            long &= u64::MAX << (start + length);
        }
    }
}

/// A one wherever `least` ones begin.
#[inline(always)]
fn starts(bits: u64, least: usize) -> u64 {
    let (mut all, mut length) = (bits, 1);
    while 2 * length <= least {
        all &= all >> length;
        length *= 2;
    }
    all & all >> (least - length)
}

#[cfg(test)]
mod tests {
    use super::super::text::{ALNUM, BASE64, Class, DASH, UNDERSCORE, is};
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
    fn each_byte_is_told_as_its_class_says_whatever_stands_beside_it() {
        for byte in 0..=255_u8 {
            for beside in [0, b'a', b'z', b'@', 0x7f, 0x80, 0xff] {
                for at in 0..BLOCK {
                    let mut block = [beside; BLOCK];
                    block[at] = byte;
                    let (of_words, of_base64) = kinds(&block, None);
                    assert_eq!(of_words >> at & 1 == 1, is(byte, ALNUM), "{byte} at {at}");
                    assert_eq!(of_base64 >> at & 1 == 1, is(byte, BASE64 | DASH | UNDERSCORE), "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn what_is_long_is_what_is_seen_byte_by_byte() {
        let mut state = 1_u64;
        let mut below = |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        let mut texts: Vec<Vec<u8>> = (0..30_000)
            .map(|_| {
                let (length, rare) = (below(300), 2 + below(60));
                (0..length).map(|_| if below(rare) == 0 { b' ' } else { b"aZ9/_-1+"[below(8) as usize] }).collect()
            })
            .collect();
        for apart in 0..=200 {
            texts.push(vec![b'7'; apart]);
            texts.push([&b" "[..], &vec![b'7'; apart]].concat().repeat(7));
        }
        let mut many = 0;
        for text in &texts {
            let mut all = Vec::new();
            long(text, |what, start, end| all.push((what, start, end)));
            let of =
                |kind| all.iter().filter(|(what, ..)| *what == kind).map(|(_, start, end)| (*start, *end)).collect();
            let (words, base58, base64): (Vec<_>, Vec<_>, Vec<_>) =
                (of(Long::Word), of(Long::Base58), of(Long::Base64));
            let mut plain_words = plain(text, ALNUM, SHORTEST);
            let mut plain_base58 = plain_words.clone();
            plain_words.retain(|(start, end)| {
                end - start <= LONGEST && [end - 2, end - 1, start + 6].iter().any(|at| text[*at].is_ascii_digit())
            });
            plain_base58.retain(|(start, end)| (26..=35).contains(&(end - start)) && b"13LM".contains(&text[*start]));
            let plain_base64 = plain(text, BASE64 | DASH | UNDERSCORE, RUN);
            many += words.len().min(base64.len());
            assert_eq!(
                (words, base58, base64),
                (plain_words, plain_base58, plain_base64),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        assert!(many > 1_000, "{many} are long");
    }
}
