//! Payment cards: the issuer's range, its lengths, and Luhn.

use super::catalog::Built;
use super::number::{Number, Shape, flat, luhn, shape, value};
use super::text::{ALNUM, DIGIT, UNDERSCORE};
use super::words::CARD;
use super::{Candidate, Look, Strength};

/// An issuer's range: the first digits from and to, as many in both, and the lengths of its numbers, one bit each.
struct Range {
    from: u32,
    to: u32,
    lengths: u32,
}

const fn range(from: u32, to: u32, lengths: &[u8]) -> Range {
    let mut bits = 0;
    let mut index = 0;
    // Slices have no iterator in a constant.
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while index < lengths.len() {
        bits |= 1 << lengths[index];
        index += 1;
    }
    Range { from, to, lengths: bits }
}

/// ISO/IEC 7812-1 gives the ranges out; the issuers publish them.
const RANGES: &[Range] = &[
    range(4, 4, &[13, 16, 19]),                       // Visa
    range(51, 55, &[16]),                             // Mastercard
    range(2221, 2720, &[16]),                         // Mastercard
    range(34, 34, &[15]),                             // American Express
    range(37, 37, &[15]),                             // American Express
    range(300, 305, &[14, 16, 19]),                   // Diners Club
    range(3095, 3095, &[14, 16, 19]),                 // Diners Club
    range(36, 36, &[14, 16, 19]),                     // Diners Club
    range(38, 39, &[14, 16, 19]),                     // Diners Club
    range(6011, 6011, &[16, 19]),                     // Discover
    range(644, 649, &[16, 19]),                       // Discover
    range(65, 65, &[16, 19]),                         // Discover, RuPay, Troy
    range(3528, 3589, &[16, 17, 18, 19]),             // JCB
    range(62, 62, &[16, 17, 18, 19]),                 // UnionPay
    range(81, 81, &[16, 17, 18, 19]),                 // UnionPay, RuPay
    range(50, 50, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro, Verve, Dankort
    range(56, 58, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    range(60, 60, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro, RuPay, Hipercard
    range(63, 63, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro, InstaPayment, InterPayment
    range(66, 69, &[12, 13, 14, 15, 16, 17, 18, 19]), // Maestro
    range(2200, 2204, &[16, 17, 18, 19]),             // Mir
    range(2131, 2131, &[15]),                         // JCB
    range(1800, 1800, &[15]),                         // JCB
    range(9792, 9792, &[16]),                         // Troy
    range(8600, 8600, &[16]),                         // Uzcard
    range(9860, 9860, &[16]),                         // Humo
];

/// By two digits that a number starts with, a bit for each length that cards of some issuer have which start so: most
/// numbers are no card by that alone.
const LENGTHS: [u32; 100] = {
    let mut lengths = [0; 100];
    let mut nth = 0;
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while nth < RANGES.len() {
        let (mut from, mut to) = (RANGES[nth].from, RANGES[nth].to);
        if to < 10 {
            (from, to) = (from * 10, to * 10 + 9);
        }
        while to >= 100 {
            (from, to) = (from / 10, to / 10);
        }
        while from <= to {
            lengths[from as usize] |= RANGES[nth].lengths;
            from += 1;
        }
        nth += 1;
    }
    lengths
};

/// How issuers group digits on a card.
const GROUPED: &[Shape] = &[
    shape("4-4-4-4"),
    shape("4-6-5"),
    shape("4-6-4"),
    shape("4-4-4-4-3"),
    shape("4-4-4-3"),
    shape("4-4-5"),
    shape("6-13"),
    shape("4-4-4-1"),
    shape("4-4-4-4-2"),
    shape("4-4-4-4-1"),
    shape("8-8"),
    shape("4-5-6"),
];

/// The lengths of cards that start with two digits, one bit each.
pub(super) fn lengths(lead: usize) -> u32 {
    LENGTHS.get(lead).copied().unwrap_or_default()
}

/// The card that starts with `number` and has one of `lengths`.
pub(super) fn card(look: &Look<'_>, start: usize, number: &Number<'_>, lengths: u32) -> Option<Candidate> {
    for (index, group) in number.groups_of(lengths) {
        let digits = number.digits(group.total);
        let grouped = index > 0;
        if !in_a_range(digits) || grouped && !is_grouped(number, index) || !luhn(digits) || flat(digits) {
            continue;
        }
        let told = || look.told(CARD, start, group.end);
        // Twelve digits are too few for Luhn alone, and Maestro's odd lengths are nobody's today.
        if !grouped && !matches!(group.total, 13 | 14 | 15 | 16 | 19) && !told() {
            continue;
        }
        if !grouped && matches!(digits.first(), Some(5 | 6)) && matches!(group.total, 13..=15) && !told() {
            continue;
        }
        if apart(look, start, group.end, grouped) {
            return look.found(Built::Card, start, group.end, Strength::Checked);
        }
    }
    None
}

/// Whether what stands before and after says that this is no part of something longer.
fn apart(look: &Look<'_>, start: usize, end: usize, grouped: bool) -> bool {
    let text = &look.text;
    if !text.opens(start, ALNUM) || !text.closes(end, ALNUM) {
        return false;
    }
    // A fraction, or a piece of a longer id such as a UUID.
    let before = text.before(start);
    if before == Some(b'.') && !text.opens(start - 1, DIGIT) || before == Some(b'#') && !grouped {
        return false;
    }
    if text.at(end) == Some(b'.') && !text.closes(end + 1, DIGIT) {
        return false;
    }
    let dashed = before == Some(b'-') && !text.opens(start - 1, ALNUM);
    let goes_on = text.at(end) == Some(b'-') && !text.closes(end + 1, ALNUM | UNDERSCORE);
    !(grouped && (dashed || goes_on))
}

/// Whether the groups up to the `last`th are those of a card, one kind of separator between them.
fn is_grouped(number: &Number<'_>, last: usize) -> bool {
    let Some(first) = number.groups().next() else { return false };
    let same = number.groups().take(last).all(|group| group.separator == first.separator);
    // As if dashes stood there, whatever does.
    let sizes = number.groups().take(last + 1).fold(0, |shape: Shape, group| shape << 8 | (group.size as u64) << 3 | 2);
    let dashed = sizes & !(7 << (8 * last));
    same && matches!(first.separator, b' ' | b'-' | b'.') && GROUPED.contains(&dashed)
}

fn in_a_range(digits: &[u8]) -> bool {
    RANGES.iter().any(|range| {
        let first = digits.get(..range.from.ilog10() as usize + 1).unwrap_or_default();
        (u64::from(range.from)..=u64::from(range.to)).contains(&value(first)) && range.lengths >> digits.len() & 1 == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the lengths by two digits say so, and a range.
    fn issued(digits: &[u8]) -> bool {
        LENGTHS[usize::from(digits[0]) * 10 + usize::from(digits[1])] >> digits.len() & 1 == 1 && in_a_range(digits)
    }

    #[test]
    fn what_is_no_card_by_two_digits_and_its_length_is_in_no_range() {
        let mut refused = 0;
        for first in 0..10_000_u32 {
            for length in 12..=19 {
                let written = format!("{first:04}000000000000000");
                let digits: Vec<u8> = written.bytes().take(length).map(|byte| byte - b'0').collect();
                assert_eq!(issued(&digits), in_a_range(&digits), "{first:04} of {length}");
                refused += usize::from(!issued(&digits));
            }
        }
        assert!(refused > 40_000, "{refused} of 80,000");
    }
}
