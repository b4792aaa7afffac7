//! Numbers: digits in groups, as cards, ids and phones are written.

use std::cell::OnceCell;

use super::eights::{HIGH, SEVEN, each, from};
use super::text::Text;

/// The most digits that are read; a longer number is none of ours.
pub(super) const DIGITS: usize = 20;
const GROUPS: usize = 8;

/// Digits in groups. One separator stands between two groups; `)` is one, whatever blank or
/// dash follows it, and so is `(` after a blank.
pub(super) struct Number<'t> {
    bytes: &'t [u8],
    pub(super) start: usize,
    /// Of each group a byte, the lowest of the last one: how it is written, where it ends from the start on, and how many digits
    /// there are up to its end.
    shape: Shape,
    ends: u64,
    sums: u64,
    /// How many groups are kept.
    count: usize,
    totals: u32,
    /// What separates the last group from what is not kept.
    after: u64,
    /// Whether more digits follow than are kept; the group that they are in is not.
    pub(super) cut: bool,
    /// Whether what starts with a later group is a part of this, with nothing more.
    whole: bool,
    /// Read when they are asked for: most numbers are none of ours by how they are written.
    digits: OnceCell<[u8; DIGITS]>,
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

/// As `code`, by a table.
#[inline]
fn code_of(separator: u8) -> u64 {
    const CODES: [u8; 16] = {
        let (mut codes, mut sign) = ([0; 16], 0);
        #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
        while sign < 16 {
            codes[sign] = code(b' ' + sign as u8) as u8;
            sign += 1;
        }
        codes
    };
    CODES.get(usize::from(separator.wrapping_sub(b' '))).copied().unwrap_or_default().into()
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

/// What separates groups, by its three bits.
const SIGNS: [u8; 8] = *b"\0 -./)(\0";

#[derive(Clone, Copy)]
pub(super) struct Group {
    /// Where its last digit ends, in the text.
    pub(super) end: usize,
    /// How the number is written up to its end.
    pub(super) shape: Shape,
    /// How many digits there are up to its end.
    pub(super) total: usize,
    /// How many it has itself.
    pub(super) size: usize,
    /// What stands after it, if another group follows.
    pub(super) separator: u8,
}

impl<'t> Number<'t> {
    /// Reads from `start`, where a digit stands.
    pub(super) fn read(text: &Text<'t>, start: usize) -> Self {
        let bytes = text.all();
        let (mut shape, mut ends, mut sums, mut count, mut totals) = (0, 0, 0, 0, 0);
        let (mut cut, mut whole, mut after) = (false, true, 0);
        let (mut at, mut total) = (start, 0);
        loop {
            let size = digits(bytes, at);
            total += size;
            if total > DIGITS {
                (cut, whole) = (true, false);
                break;
            }
            at += size;
            shape = shape << 8 | (size as u64) << 3 | after;
            ends = ends << 8 | (at - start) as u64;
            sums = sums << 8 | total as u64;
            totals |= 1 << total;
            count += 1;
            let (separator, next) = separator(bytes, at);
            after = separator & 7;
            if separator == 0 {
                break;
            }
            // What comes next is not looked for behind a no-break space.
            whole &= separator & WIDE == 0;
            at = next;
            if count == GROUPS {
                cut = total + digits(bytes, at) > DIGITS;
                whole = false;
                break;
            }
        }
        text.spend(at + 1 - start);
        Self { bytes, start, shape, ends, sums, count, totals, after, cut, whole, digits: OnceCell::new() }
    }

    /// Goes on to what starts with its next group, where that is a part of it with nothing more. False where there is none.
    pub(super) fn next(&mut self) -> bool {
        if !self.whole || self.count < 2 {
            return false;
        }
        let first = 8 * (self.count as u32 - 1);
        let size = self.sums >> first;
        let on = (self.ends >> (first - 8) & 0xff) - (self.shape >> (first - 5) & 31);
        // No byte is less than what is taken from it.
        let kept = (1 << first) - 1;
        self.ends = (self.ends & kept) - ((on * each(1)) & kept);
        self.sums = (self.sums & kept) - ((size * each(1)) & kept);
        self.shape &= kept & !(7 << (first - 8));
        self.totals = self.totals >> size & !1;
        self.start += on as usize;
        self.count -= 1;
        self.digits = OnceCell::new();
        true
    }

    /// Whether `next` tells of all that starts with a later group.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many digits are kept.
    pub(super) fn total(&self) -> usize {
        (self.sums & 0xff) as usize
    }

    /// How many digits the first group has; none where it is not kept.
    pub(super) fn first(&self) -> usize {
        let shift = 8 * self.count.saturating_sub(1) as u32;
        (self.sums >> shift) as usize
    }

    /// Where the last group ends.
    pub(super) fn end(&self) -> usize {
        self.start + (self.ends & 0xff) as usize
    }

    pub(super) fn groups(&self) -> impl DoubleEndedIterator<Item = Group> + ExactSizeIterator {
        (0..self.count).map(|index| self.group(index))
    }

    #[inline]
    fn group(&self, index: usize) -> Group {
        let shift = 8 * (self.count - 1 - index) as u32;
        let shape = self.shape >> shift;
        let after = if shift == 0 { self.after } else { self.shape >> (shift - 8) & 7 };
        Group {
            end: self.start + (self.ends >> shift & 0xff) as usize,
            shape,
            total: (self.sums >> shift & 0xff) as usize,
            size: (shape >> 3 & 31) as usize,
            separator: SIGNS.get(after as usize).copied().unwrap_or_default(),
        }
    }

    /// Its groups up to whose ends there are as many digits as `totals` has a bit for, from the last on, each with its index.
    pub(super) fn groups_of(&self, totals: u32) -> impl Iterator<Item = (usize, Group)> {
        let of = move |index: &usize| totals >> (self.sums >> (8 * (self.count - 1 - index)) & 31) & 1 == 1;
        let some = if self.totals & totals == 0 { 0 } else { self.count };
        (0..some).rev().filter(of).map(|index| (index, self.group(index)))
    }

    /// The first `total` digits, each as its value: of the groups that are kept.
    pub(super) fn digits(&self, total: usize) -> &[u8] {
        let all = self.digits.get_or_init(|| {
            let mut all = [0; DIGITS];
            let written = self.bytes.get(self.start..self.end()).unwrap_or_default();
            let digits = written.iter().filter(|byte| byte.is_ascii_digit());
            all.iter_mut().zip(digits).for_each(|(place, byte)| *place = byte - b'0');
            all
        });
        all.get(..total).unwrap_or_default()
    }

    /// Its first two digits as one number, where it has so many.
    #[inline]
    pub(super) fn lead(&self) -> usize {
        // Between two groups are at most two bytes.
        let (first, second) = match self.bytes.get(self.start..).unwrap_or_default() {
            [a, b @ b'0'..=b'9', ..] | [a, _, b @ b'0'..=b'9', ..] | [a, _, _, b, ..] => (a, b),
            [a, ..] => (a, &b'0'),
            [] => (&b'0', &b'0'),
        };
        usize::from(first.wrapping_sub(b'0')) * 10 + usize::from(second.wrapping_sub(b'0'))
    }

    /// A bit for each count of digits that it has up to the end of a group.
    pub(super) fn totals(&self) -> u32 {
        self.totals
    }
}

/// How many digits stand from `at` on; of more than are ever read, some more than these.
#[inline]
pub(super) fn digits(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(eight) = bytes.get(end..).and_then(<[u8]>::first_chunk) {
        let others = others(u64::from_le_bytes(*eight));
        if others != 0 {
            return end + (others.trailing_zeros() / 8) as usize - at;
        }
        end += 8;
        if end - at > DIGITS {
            return end - at;
        }
    }
    let rest = bytes.get(end..).unwrap_or_default();
    end + rest.iter().take_while(|byte| byte.is_ascii_digit()).count() - at
}

/// The high bit of each byte of eight that is no digit.
const fn others(eight: u64) -> u64 {
    let from_nought = eight ^ each(b'0');
    (from(from_nought & SEVEN, 10) | from_nought) & HIGH
}

/// What a no-break space has besides the three bits of a blank.
const WIDE: u64 = 8;

/// The three bits of the separator at `at`, and where the digit after it stands; 0 where none is, or no digit after it.
#[inline]
fn separator(bytes: &[u8], at: usize) -> (u64, usize) {
    match bytes.get(at..).unwrap_or_default() {
        [one, b'0'..=b'9', ..] => (code_of(*one), at + 1),
        [b' ', b'(', b'0'..=b'9', ..] => (code(b'('), at + 2),
        [b')', b' ' | b'-' | b'.', b'0'..=b'9', ..] => (code(b')'), at + 2),
        // The no-break space that word processors put between groups.
        [0xc2, 0xa0, b'0'..=b'9', ..] => (code(b' ') | WIDE, at + 2),
        _ => (0, at),
    }
}

/// Where the number starts whose eighth digit ends at `end`, as the locator has seen it.
pub(super) fn start_of_eight(text: &Text<'_>, end: usize) -> Option<usize> {
    let before = text.all().get(..end)?;
    let (mut at, mut left) = (end, 8);
    if let Some(eight) = before.last_chunk()
        && others(u64::from_le_bytes(*eight)) == 0
    {
        text.spend(8);
        return Some(end - 8);
    }
    for byte in before.iter().rev() {
        at -= 1;
        left -= usize::from(byte.is_ascii_digit());
        if left == 0 {
            text.spend(end - at);
            return Some(at);
        }
    }
    None
}

/// The fewest digits that anything has which is a number.
pub(super) const FEWEST: usize = 7;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    /// All that can be told of a number.
    type Told = (usize, Vec<(usize, usize, usize, u8, Shape)>, Vec<u8>, bool);

    fn told(number: &Number<'_>) -> Told {
        let groups = number.groups().map(|one| (one.end, one.total, one.size, one.separator, one.shape)).collect();
        (number.start, groups, number.digits(number.total()).to_vec(), number.cut)
    }

    /// The same, digit by digit.
    fn plain(text: &[u8], start: usize) -> Told {
        let (mut groups, mut digits, mut at, mut before, mut shape) = (Vec::new(), Vec::new(), start, 0, 0);
        while groups.len() < GROUPS {
            let size = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits.len() + size > DIGITS {
                return (start, groups, digits, true);
            }
            digits.extend(text[at..at + size].iter().map(|byte| byte - b'0'));
            at += size;
            let (sign, width) = match &text[at..] {
                [b' ', b'(', b'0'..=b'9', ..] => (b'(', 2),
                [one @ (b' ' | b'-' | b'.' | b'/' | b')' | b'('), b'0'..=b'9', ..] => (*one, 1),
                [b')', b' ' | b'-' | b'.', b'0'..=b'9', ..] => (b')', 2),
                [0xc2, 0xa0, b'0'..=b'9', ..] => (b' ', 2),
                _ => (0, 0),
            };
            shape = shape << 8 | (size as u64) << 3 | code(before);
            groups.push((at, digits.len(), size, sign, shape));
            if sign == 0 {
                return (start, groups, digits, false);
            }
            (at, before) = (at + width, sign);
        }
        let more = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let cut = digits.len() + more > DIGITS;
        (start, groups, digits, cut)
    }

    #[test]
    fn a_number_is_read_as_it_is_digit_by_digit_and_so_is_each_that_starts_with_a_later_group() {
        let mut below = random(29);
        let pieces = [
            "1",
            "02",
            "345",
            "6789",
            "12345678",
            "90123456789",
            " ",
            "-",
            ".",
            "/",
            ") ",
            " (",
            ")",
            "\u{a0}",
            "x",
            " ",
        ];
        let (mut later, mut cut) = (0, 0);
        for _ in 0..100_000 {
            let written: String = (0..1 + below(20)).map(|_| pieces[below(pieces.len())]).collect();
            let text = Text::new(written.as_bytes());
            let Some(start) = written.find(|sign: char| sign.is_ascii_digit()) else { continue };
            let mut number = Number::read(&text, start);
            let mut of_plain = plain(text.all(), start);
            loop {
                assert_eq!(told(&number), of_plain, "{written:?}");
                let totals = of_plain.1.iter().fold(0, |totals, group| totals | 1 << group.1);
                assert_eq!(number.totals(), totals, "{written:?}");
                assert_eq!(number.first(), of_plain.1.first().map_or(0, |group| group.2), "{written:?}");
                if let [first, second, ..] = of_plain.2[..] {
                    assert_eq!(number.lead(), usize::from(first) * 10 + usize::from(second), "{written:?}");
                }
                cut += usize::from(number.cut);
                if !number.next() {
                    break;
                }
                later += 1;
                of_plain = plain(text.all(), number.start);
            }
        }
        assert!(later > 10_000 && cut > 1_000, "{later} later, {cut} cut");
    }

    #[test]
    fn eight_digits_start_where_they_do_byte_by_byte() {
        for at in 0..6_usize.pow(6) {
            let sign = |nth: u32| b"1- .x9"[at / 6_usize.pow(nth) % 6];
            let written =
                [b'x', b'4', sign(0), sign(1), sign(2), sign(3), b'2', b'7', sign(4), sign(5), b'3', b'5', b'8', b'1'];
            let before = written.iter().enumerate().rev().filter(|(_, byte)| byte.is_ascii_digit());
            assert_eq!(start_of_eight(&Text::new(&written), 14), before.map(|(at, _)| at).nth(7));
        }
    }
}
