//! Numbers: digits in groups, as cards, ids and phones are written.

use super::text::{DIGIT, Text};

/// The most digits that are read; a longer number is none of ours.
pub(super) const DIGITS: usize = 20;
const GROUPS: usize = 8;

/// Digits in groups. One separator stands between two groups; `)` is one, whatever blank or
/// dash follows it, and so is `(` after a blank.
pub(super) struct Number {
    digits: [u8; DIGITS],
    groups: [Group; GROUPS],
    count: usize,
    /// Whether more digits follow than are kept; the group that they are in is not.
    pub(super) cut: bool,
}

/// How digits are grouped, such as `3-2-4`: one byte per group, its size in five bits and what stands before it in three.
pub(super) type Shape = u64;

/// The shape that is written so; `L` is a letter after the digits.
#[allow(clippy::indexing_slicing, reason = "checked when compiled, and tables of constants")]
pub(super) const fn shape(written: &str) -> Shape {
    let bytes = written.as_bytes();
    let (mut shape, mut size, mut before, mut at) = (0, 0, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            digit @ b'0'..=b'9' => size = size * 10 + (digit - b'0') as u64,
            b'L' => {
                if size > 0 {
                    shape = shape << 8 | size << 3 | before;
                }
                return lettered(shape, size == 0);
            }
            other => {
                shape = shape << 8 | size << 3 | before;
                (size, before) = (0, code(other));
            }
        }
        at += 1;
    }
    shape << 8 | size << 3 | before
}

/// A shape with a letter after its digits.
pub(super) const fn lettered(shape: Shape, dashed: bool) -> Shape {
    shape << 8 | 31 << 3 | dashed as u64
}

/// Three bits for what separates groups; 0 for nothing.
const fn code(separator: u8) -> u64 {
    match separator {
        b' ' => 1,
        b'-' => 2,
        b'.' => 3,
        b'/' => 4,
        b')' => 5,
        b'(' => 6,
        _ => 0,
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    /// Where its last digit ends, in the text.
    pub(super) end: usize,
    /// How many digits there are up to its end.
    pub(super) total: usize,
    /// How many it has itself.
    pub(super) size: usize,
    /// What stands after it, if another group follows.
    pub(super) separator: u8,
    /// How the number is written up to its end.
    pub(super) shape: Shape,
}

impl Number {
    /// Reads from `start`, where a digit stands.
    pub(super) fn read(text: &Text<'_>, start: usize) -> Self {
        let mut number = Self { digits: [0; DIGITS], groups: [Group::default(); GROUPS], count: 0, cut: false };
        let (mut at, mut total, mut size, mut shape, mut before) = (start, 0, 0, 0, 0);
        loop {
            match text.at(at) {
                Some(byte @ b'0'..=b'9') => {
                    let Some(place) = number.digits.get_mut(total) else {
                        number.cut = true;
                        return number;
                    };
                    *place = byte - b'0';
                    (total, size, at) = (total + 1, size + 1, at + 1);
                }
                other => {
                    let (separator, next) = separator(text, at, other);
                    let Some(group) = number.groups.get_mut(number.count) else { return number };
                    shape = shape << 8 | (size as u64) << 3 | code(before);
                    *group = Group { end: at, total, size, separator, shape };
                    number.count += 1;
                    if separator == 0 {
                        return number;
                    }
                    (at, size, before) = (next, 0, separator);
                }
            }
        }
    }

    pub(super) fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    /// The first `total` digits, each as its value.
    pub(super) fn digits(&self, total: usize) -> &[u8] {
        self.digits.get(..total).unwrap_or_default()
    }
}

/// The separator at `at`, and where the digit after it stands; 0 where none is, or no digit after it.
fn separator(text: &Text<'_>, at: usize, byte: Option<u8>) -> (u8, usize) {
    let one = match byte {
        Some(b' ') if text.at(at + 1) == Some(b'(') && text.is(at + 2, DIGIT) => return (b'(', at + 2),
        Some(byte @ (b' ' | b'-' | b'.' | b'/' | b')' | b'(')) => byte,
        // The no-break space that word processors put between groups.
        Some(0xc2) if text.at(at + 1) == Some(0xa0) && text.is(at + 2, DIGIT) => return (b' ', at + 2),
        _ => return (0, at),
    };
    let next = match (one, text.at(at + 1)) {
        (b')', Some(b' ' | b'-' | b'.')) => at + 2,
        _ => at + 1,
    };
    if text.is(next, DIGIT) { (one, next) } else { (0, at) }
}

/// Where the number starts whose eighth digit ends at `end`, as the locator has seen it.
pub(super) fn start_of_eight(text: &Text<'_>, end: usize) -> Option<usize> {
    let (mut at, mut left) = (end, 8);
    while left > 0 {
        at = at.checked_sub(1)?;
        if text.is(at, DIGIT) {
            left -= 1;
        }
    }
    Some(at)
}

/// Whether the digit before last of `digits` is right by Luhn (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(*digit);
            match index % 2 {
                0 => digit,
                _ if digit > 4 => 2 * digit - 9,
                _ => 2 * digit,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The digits as one number; none has more than twenty.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Whether all digits are the same.
pub(super) fn flat(digits: &[u8]) -> bool {
    digits.iter().all(|digit| Some(digit) == digits.first())
}

/// Whether month and day can be.
pub(super) fn month_day(month: u64, day: u64) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}
