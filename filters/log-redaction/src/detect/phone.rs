//! Phone numbers: E.164, and national numbers as 30 countries write them.

use super::catalog::Built;
use super::number::{Group, Number, Shape, shape};
use super::text::{ALNUM, DIGIT, LETTER, PLUS};
use super::words::PHONE;
use super::{Candidate, Look, Strength};

/// Country codes, and how many digits follow them: ITU-T E.164 and its list of assigned codes, national numbering plans.
/// A code that is not here has five to twelve.
const CODES: &[(u64, usize, usize)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (30, 10, 10),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 11),
    (40, 9, 9),
    (41, 9, 9),
    (43, 6, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 6, 13),
    (51, 8, 9),
    (52, 10, 11),
    (53, 8, 8),
    (54, 10, 11),
    (55, 10, 11),
    (56, 9, 9),
    (57, 8, 10),
    (58, 10, 10),
    (60, 8, 10),
    (61, 9, 9),
    (62, 8, 12),
    (63, 8, 10),
    (64, 8, 10),
    (65, 8, 8),
    (66, 8, 9),
    (81, 9, 10),
    (82, 8, 11),
    (84, 9, 10),
    (86, 10, 11),
    (90, 10, 10),
    (91, 10, 10),
    (92, 9, 10),
    (93, 9, 9),
    (94, 9, 9),
    (95, 7, 10),
    (98, 10, 10),
    (212, 9, 9),
    (213, 8, 9),
    (216, 8, 8),
    (234, 8, 10),
    (254, 9, 9),
    (255, 9, 9),
    (256, 9, 9),
    (351, 9, 9),
    (352, 6, 11),
    (353, 7, 9),
    (354, 7, 9),
    (355, 8, 9),
    (356, 8, 8),
    (357, 8, 8),
    (358, 6, 12),
    (359, 7, 9),
    (370, 8, 8),
    (371, 8, 8),
    (372, 7, 8),
    (373, 8, 8),
    (374, 8, 8),
    (375, 9, 9),
    (380, 9, 9),
    (381, 8, 9),
    (385, 8, 9),
    (386, 8, 8),
    (420, 9, 9),
    (421, 9, 9),
    (852, 8, 8),
    (886, 8, 9),
    (966, 8, 9),
    (971, 8, 9),
    (972, 8, 9),
    (974, 8, 8),
];

/// National numbers: the country, how they start, and how many digits they have with what they start with.
pub(super) const NATIONAL: &[(&str, &[&str], usize, usize)] = &[
    ("us", &["2", "3", "4", "5", "6", "7", "8", "9"], 10, 10),
    ("us", &["1"], 11, 11),
    ("gb", &["01", "02", "03", "07", "08"], 10, 11),
    ("de", &["0"], 7, 13),
    ("fr", &["01", "02", "03", "04", "05", "06", "07", "08", "09"], 10, 10),
    ("it", &["0", "3"], 8, 11),
    ("es", &["6", "7", "8", "9"], 9, 9),
    ("pt", &["2", "3", "9"], 9, 9),
    ("nl", &["0"], 10, 10),
    ("be", &["0"], 9, 10),
    ("ch", &["0"], 10, 10),
    ("at", &["0"], 7, 14),
    ("pl", &["1", "2", "3", "4", "5", "6", "7", "8"], 9, 9),
    ("cz", &["2", "3", "5", "6", "7"], 9, 9),
    ("se", &["0"], 8, 10),
    ("no", &["2", "3", "4", "5", "6", "7", "9"], 8, 8),
    ("dk", &["2", "3", "4", "5", "6", "7", "8", "9"], 8, 8),
    ("fi", &["0"], 6, 12),
    ("ie", &["0"], 9, 10),
    ("gr", &["2", "6"], 10, 10),
    ("ro", &["02", "03", "07"], 10, 10),
    ("hu", &["06"], 10, 11),
    ("tr", &["05", "02", "03", "04", "5"], 10, 11),
    ("ru", &["8", "9"], 10, 11),
    ("ua", &["0"], 10, 10),
    ("br", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"], 10, 12),
    ("mx", &["2", "3", "4", "5", "6", "7", "8", "9"], 10, 10),
    ("in", &["6", "7", "8", "9", "0"], 10, 11),
    ("cn", &["13", "14", "15", "16", "17", "18", "19", "0"], 11, 12),
    ("jp", &["0"], 10, 11),
    ("kr", &["01", "02", "03", "04", "05", "06", "07"], 9, 11),
    ("au", &["02", "03", "04", "07", "08", "13", "18"], 10, 10),
    ("nz", &["0"], 9, 11),
    ("za", &["0"], 10, 10),
    ("ng", &["0"], 10, 11),
    ("sg", &["3", "6", "8", "9"], 8, 8),
];

/// By two digits that a number starts with, a bit for each length that numbers of some country have which start so.
const LENGTHS: [u32; 100] = {
    let mut lengths = [0; 100];
    let mut nth = 0;
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while nth < NATIONAL.len() {
        let (_, starts, least, most) = NATIONAL[nth];
        let all = (1 << (most + 1)) - (1 << least);
        let mut start = 0;
        while start < starts.len() {
            let digits = starts[start].as_bytes();
            let first = (digits[0] - b'0') as usize * 10;
            match digits.len() {
                1 => {
                    let mut second = 0;
                    while second < 10 {
                        lengths[first + second] |= all;
                        second += 1;
                    }
                }
                _ => lengths[first + (digits[1] - b'0') as usize] |= all,
            }
            start += 1;
        }
        nth += 1;
    }
    lengths
};

/// The lengths of national numbers, one bit each: 7 to 14.
const TOTALS: u32 = (1 << 15) - (1 << 7);

/// Shapes in which nothing else is written, how they start, and the most they are asked besides.
const FREE: &[(Shape, &[&str])] = &[
    (shape("3)3-4"), &["2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("3)3.4"), &["2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("3)3 4"), &["2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("3-3-4"), &["2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("3.3.4"), &["2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("1-3-3-4"), &["1"]),
    (shape("1(3)3-4"), &["1", "8"]),
    (shape("1.3.3.4"), &["1"]),
    (shape("2 2 2 2 2"), &["01", "02", "03", "04", "05", "06", "07", "08", "09"]),
    (shape("2.2.2.2.2"), &["01", "02", "03", "04", "05", "06", "07", "08", "09"]),
    (shape("5 6"), &["07", "01"]),
    (shape("5 3 3"), &["07", "01"]),
    (shape("4 3 4"), &["01", "07", "03", "08"]),
    (shape("3 4 4"), &["02", "13", "15", "17", "18", "19"]),
    (shape("3-4-4"), &["0", "13", "15", "17", "18", "19"]),
    (shape("2-4-4"), &["0"]),
    (shape("2)4-4"), &["1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("2)5-4"), &["1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    (shape("2)4 4"), &["0"]),
    (shape("4 3 3"), &["04"]),
    (shape("3 3 2 2"), &["0"]),
    (shape("4 2 2 2"), &["04"]),
    (shape("4 3 2 2"), &["05"]),
    (shape("2-8"), &["06"]),
    (shape("1(3)3-2-2"), &["8"]),
    (shape("1 3 3-2-2"), &["8"]),
];

/// A bit for each shape of `FREE` by its hash: most numbers are written in none of them.
const FREE_KNOWN: [u64; 8] = {
    let (mut known, mut nth) = ([0; 8], 0);
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while nth < FREE.len() {
        let (word, bit) = free_bit(FREE[nth].0);
        known[word] |= 1 << bit;
        nth += 1;
    }
    known
};

/// How many digits the shapes of `FREE` have, one bit each.
const FREE_TOTALS: u32 = {
    let (mut totals, mut nth) = (0, 0);
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while nth < FREE.len() {
        let (mut shape, mut total) = (FREE[nth].0, 0);
        while shape != 0 {
            (shape, total) = (shape >> 8, total + (shape >> 3 & 31));
        }
        totals |= 1 << total;
        nth += 1;
    }
    totals & TOTALS
};

/// The word of `FREE_KNOWN` for a shape, and the bit in it.
const fn free_bit(written: Shape) -> (usize, u32) {
    let hash = written.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55;
    ((hash >> 6) as usize, hash as u32 & 63)
}

/// Whether `number` up to its group is written as nothing but a number of a phone is.
fn is_free(number: &Number<'_>, group: &Group) -> bool {
    let (word, bit) = free_bit(group.shape);
    FREE_KNOWN.get(word).is_some_and(|known| known >> bit & 1 == 1)
        && FREE.iter().any(|(known, with)| *known == group.shape && with.iter().any(|with| begins(number, with)))
        && right_in_nanp(group.shape, number)
}

/// The number after the `+` that the locator has seen, whose first digit ends at `end`.
pub(super) fn plus(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let digit = end.checked_sub(1)?;
    let mut start = digit;
    while !text.is_before(start, PLUS) {
        start = start.checked_sub(1)?;
        if digit - start > 2 {
            return None;
        }
    }
    start -= 1;
    if !text.opens(start, ALNUM | PLUS) {
        return None;
    }
    let number = Number::read(text, digit);
    let found = international(&number, 0)?;
    finish(look, start, found, &number)
}

/// The lengths that a number may have which starts with two digits, one bit each: those of national numbers, and all behind
/// `00`.
pub(super) fn lengths(lead: usize, number: &Number<'_>) -> u32 {
    // No shape of digits alone is free.
    let free = if number.groups().len() > 1 { FREE_TOTALS } else { 0 };
    let national = LENGTHS.get(lead).copied().unwrap_or_default() & TOTALS;
    if lead == 0 { u32::MAX } else { national | free }
}

/// The national number that starts at `start`, or one with `00` before the country's code.
pub(super) fn national(look: &Look<'_>, start: usize, number: &Number<'_>) -> Option<Candidate> {
    let text = &look.text;
    let before = text.before(start);
    if before == Some(b'+') || before == Some(b'-') && !text.opens(start - 1, ALNUM) {
        return None;
    }
    let open = if before == Some(b'(') { start - 1 } else { start };
    let lead = number.lead();
    if lead == 0
        && number.digits(3) != [0, 0, 0]
        && let Some(group) = international(number, 2)
        && (number.groups().len() > 1 || look.told(PHONE, start, group.end))
    {
        return finish(look, open, group, number);
    }
    let national = LENGTHS.get(lead).copied().unwrap_or_default() & TOTALS;
    for (index, group) in number.groups_of(national | FREE_TOTALS) {
        // What has dots like an address, or blanks between single digits, is something else.
        let odd = || {
            let before = || number.groups().take(index);
            index == 3 && before().all(|group| group.separator == b'.')
                || index > 1 && before().filter(|group| group.size == 1).count() > 1
        };
        let fits = national >> group.total & 1 == 1;
        if is_free(number, &group) || fits && !odd() && look.told(PHONE, start, group.end) {
            return finish(look, open, group, number);
        }
    }
    None
}

fn begins(number: &Number<'_>, with: &str) -> bool {
    number.digits(with.len()).iter().map(|digit| digit + b'0').eq(with.bytes())
}

/// Area and exchange of the North American plan start with 2 to 9.
fn right_in_nanp(written: Shape, number: &Number<'_>) -> bool {
    const AT_0: [Shape; 5] = [shape("3)3-4"), shape("3)3.4"), shape("3)3 4"), shape("3-3-4"), shape("3.3.4")];
    const AT_1: [Shape; 2] = [shape("1-3-3-4"), shape("1.3.3.4")];
    let at = match written {
        _ if AT_0.contains(&written) => 0,
        _ if AT_1.contains(&written) => 1,
        _ => return true,
    };
    let digits = number.digits(at + 4);
    matches!(digits.get(at), Some(2..=9)) && matches!(digits.get(at + 3), Some(2..=9))
}

/// The group that ends a number whose country's code starts after `skip` digits.
fn international(number: &Number<'_>, skip: usize) -> Option<Group> {
    let digits = number.digits(skip + 3);
    let code = |length: usize| super::number::value(digits.get(skip..skip + length).unwrap_or_default());
    let known = (1..=3).find_map(|length| {
        let code = code(length);
        CODES
            .iter()
            .find(|known| known.0 == code && code.checked_ilog10() == Some(length as u32 - 1))
            .map(|known| (length, known.1, known.2))
    });
    let (length, least, most) = known.unwrap_or((3, 5, 12));
    number.groups().enumerate().rev().find_map(|(index, group)| {
        let more = group.total.checked_sub(skip + length)?;
        // +44 (0) 20 …: the nought in parentheses is not dialled.
        let nought = number.groups().any(|group| group.separator == b'(');
        let fits = (least..=most + usize::from(nought)).contains(&more) && group.total - skip >= 8;
        let decimal = index == 1 && number.groups().next().is_some_and(|group| group.separator == b'.');
        (fits && !decimal).then_some(group)
    })
}

fn finish(look: &Look<'_>, start: usize, group: Group, number: &Number<'_>) -> Option<Candidate> {
    let text = &look.text;
    let whole = !number.cut && number.end() == group.end;
    let mut end = group.end;
    // x123, ext. 123, #123
    let blank = usize::from(text.at(end) == Some(b' '));
    for head in [&b"x"[..], b"ext. ", b"ext.", b"ext ", b"ext", b"extension ", b"#"] {
        let at = end + blank + head.len();
        if text.starts_folded(end + blank, head) && text.is(at, DIGIT) {
            let digits = text.run(DIGIT, at, 8);
            if digits - at <= 6 && text.closes(digits, ALNUM) {
                end = digits;
                break;
            }
        }
    }
    if end == group.end
        && whole
        && (!text.closes(end, LETTER) || text.at(end) == Some(b'-') && !text.closes(end + 1, ALNUM))
    {
        return None;
    }
    if text.at(end) == Some(b'.') && !text.closes(end + 1, DIGIT) && whole {
        return None;
    }
    look.found(Built::Phone, start, end, Strength::Shaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::Text;

    #[test]
    fn lengths_by_two_digits_are_those_of_all_countries() {
        for start in 0..100_usize {
            let written = format!("{start:02}00000000000000");
            let text = Text::new(written.as_bytes());
            let number = Number::read(&text, 0);
            for total in 7..=14 {
                let one = |(_, with, least, most): &(&str, &[&str], usize, usize)| {
                    (*least..=*most).contains(&total) && with.iter().any(|with| written.starts_with(with))
                };
                assert_eq!(LENGTHS[number.lead()] >> total & 1 == 1, NATIONAL.iter().any(one), "{start:02} of {total}");
            }
        }
    }
}
