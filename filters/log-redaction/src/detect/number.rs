//! Numbers: digits in groups, as cards, ids and phones are written.

use super::text::Text;

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
        number.fill(text, start);
        number
    }

    fn fill(&mut self, text: &Text<'_>, start: usize) {
        let (mut at, mut total, mut shape, mut before) = (start, 0, 0, 0);
        for group in &mut self.groups {
            let begin = total;
            let rest = text.all().get(at..).unwrap_or_default();
            let mut places = self.digits.iter_mut().skip(total);
            for byte in rest.iter().take_while(|byte| byte.is_ascii_digit()) {
                let Some(place) = places.next() else {
                    self.cut = true;
                    return;
                };
                *place = byte - b'0';
                total += 1;
            }
            let size = total - begin;
            at += size;
            text.spend(size + 1);
            let (separator, next) = separator(text, at);
            shape = shape << 8 | (size as u64) << 3 | code(before);
            *group = Group { end: at, total, size, separator, shape };
            self.count += 1;
            if separator == 0 {
                return;
            }
            (at, before) = (next, separator);
        }
        let rest = text.all().get(at..).unwrap_or_default();
        let more = rest.iter().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
        text.spend(more);
        self.cut = total + more > DIGITS;
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
#[inline]
fn separator(text: &Text<'_>, at: usize) -> (u8, usize) {
    let rest = text.all().get(at..).unwrap_or_default();
    match rest {
        [b' ', b'(', b'0'..=b'9', ..] => (b'(', at + 2),
        [one @ (b' ' | b'-' | b'.' | b'/' | b')' | b'('), b'0'..=b'9', ..] => (*one, at + 1),
        [b')', b' ' | b'-' | b'.', b'0'..=b'9', ..] => (b')', at + 2),
        // The no-break space that word processors put between groups.
        [0xc2, 0xa0, b'0'..=b'9', ..] => (b' ', at + 2),
        _ => (0, at),
    }
}

/// Where the number starts whose eighth digit ends at `end`, as the locator has seen it.
pub(super) fn start_of_eight(text: &Text<'_>, end: usize) -> Option<usize> {
    let before = text.all().get(..end)?;
    let digits = before.iter().enumerate().rev().filter(|(_, byte)| byte.is_ascii_digit());
    let at = digits.map(|(at, _)| at).nth(7)?;
    text.spend(end - at);
    Some(at)
}

/// The fewest digits that anything has which is a number.
pub(super) const FEWEST: usize = 7;

/// Whether so many digits are in groups from `start` on: nearly all groups of dates and times stand before fewer.
pub(super) fn has_enough(text: &Text<'_>, start: usize) -> bool {
    let (mut at, mut total) = (start, 0);
    loop {
        let rest = text.all().get(at..).unwrap_or_default();
        let size = rest.iter().take(FEWEST).take_while(|byte| byte.is_ascii_digit()).count();
        (at, total) = (at + size, total + size);
        text.spend(size + 1);
        if total >= FEWEST {
            return true;
        }
        let (separator, next) = separator(text, at);
        if separator == 0 {
            return false;
        }
        at = next;
    }
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
