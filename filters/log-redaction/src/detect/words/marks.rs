//! Where letters stand in a short text of ASCII, a bit for each byte: eight bytes are read at once.

use crate::detect::eights::{HIGH, bits, letters};

/// How many bytes have a bit.
const MOST: usize = 64;

/// Of at most 64 bytes, the first in the lowest bit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) letters: u64,
    lower: u64,
}

impl Marks {
    /// Of what stands from `from` on. None where it is longer, or not ASCII.
    #[inline]
    pub(super) fn of(text: &[u8], from: usize, length: usize) -> Option<Self> {
        let window = text.get(from..from + length).filter(|window| window.len() <= MOST)?;
        let (eights, rest) = window.as_chunks();
        let mut marks = Self::default();
        let mut all = 0;
        if !rest.is_empty() {
            let eight = load(text, from + 8 * eights.len()) & !(u64::MAX << (8 * rest.len()));
            all |= eight;
            marks.add(eight);
        }
        for eight in eights.iter().rev() {
            let eight = u64::from_le_bytes(*eight);
            all |= eight;
            marks.add(eight);
        }
        (all & HIGH == 0).then_some(marks)
    }

    /// Adds the eight bytes of ASCII that stand before.
    #[inline(always)]
    fn add(&mut self, eight: u64) {
        let letters = letters(eight) & HIGH;
        self.letters = self.letters << 8 | bits(letters);
        // What is 32 more is the same letter in lower case.
        self.lower = self.lower << 8 | bits(letters & eight << 2);
    }

    /// Where words start: behind what is no letter, and a capital behind what is none.
    #[inline(always)]
    pub(super) fn starts(&self) -> u64 {
        self.letters & (!(self.letters << 1) | !self.lower & self.lower << 1)
    }
}

/// The eight bytes at `at`, or what there is of them.
#[inline(always)]
fn load(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    #[test]
    fn each_byte_is_marked_as_it_is_alone() {
        let mut below = random(23);
        let mut some = 0;
        for round in 0..60_000 {
            let high = if round % 4 == 0 { 256 } else { 128 };
            let text: Vec<u8> =
                (0..below(90)).map(|_| if below(3) == 0 { below(high) as u8 } else { b"aZ@[`{z"[below(7)] }).collect();
            let from = below(text.len() + 1);
            let length = below(text.len() - from + 1);
            let window = &text[from..from + length];
            let of = |right: fn(&u8) -> bool| {
                window
                    .iter()
                    .enumerate()
                    .fold(0, |bits, (at, byte)| bits | u64::from(right(byte)).wrapping_shl(at as u32))
            };
            let plain = (length <= MOST && window.is_ascii())
                .then(|| Marks { letters: of(u8::is_ascii_alphabetic), lower: of(u8::is_ascii_lowercase) });
            some += usize::from(plain.is_some());
            assert_eq!(Marks::of(&text, from, length), plain, "{from}, {length} of {text:?}");
        }
        assert!(some > 20_000, "{some}");
    }
}
