//! National ids: how each is written, and what makes it right.
//!
//! An id that digits alone make, and whose check is weak, counts only where a word beside it or the field's name says
//! what it is. One with letters, with two check digits, or in a form that nothing else is written in counts by itself.

mod americas;
mod asia;
mod europe;
mod nordic;

use super::catalog::About;
use super::number::Number;
use super::text::{ALNUM, DASH, DIGIT, DOT, LETTER, SPACE};
use super::words::Bit;
use super::{Candidate, DetectorId, Look, Strength};

/// An id with letters, which has a locator of its own.
pub(super) struct Lettered {
    /// What locates it, to its last character.
    pub(super) pattern: &'static str,
    /// Its letters and digits, without what separates them.
    length: usize,
    /// Whether it counts only with a word.
    told: bool,
}

/// One id.
pub(super) struct Id {
    pub(super) name: &'static str,
    what: &'static str,
    source: &'static str,
    /// What it is called beside it or in a field's name, in lower case.
    pub(super) words: &'static [&'static str],
    /// Shapes of digits that count by themselves; `L` is a letter after them.
    pub(super) free: &'static [&'static str],
    /// Shapes that count with a word.
    pub(super) told: &'static [&'static str],
    pub(super) lettered: &'static [Lettered],
    /// Whether it is right, given without separators and in upper case.
    check: fn(&[u8]) -> bool,
}

const LISTS: [&[Id]; 4] = [americas::IDS, europe::IDS, nordic::IDS, asia::IDS];

pub(super) fn all() -> impl Iterator<Item = &'static Id> {
    LISTS.into_iter().flatten()
}

pub(super) fn about() -> impl Iterator<Item = About> {
    all().map(|id| About { name: id.name, what: id.what, source: id.source })
}

/// The first bit of ids among those of words.
const FIRST_BIT: u32 = 8;

/// The bit of the `index`th id's words.
pub(super) fn bit(index: usize) -> Bit {
    1 << (FIRST_BIT + index as u32)
}

fn id(index: usize) -> DetectorId {
    DetectorId((super::catalog::built() + index) as u16)
}

/// A shape, whose it is, and whether it counts by itself.
pub(super) struct Shape {
    written: &'static [u8],
    index: usize,
    free: bool,
}

/// All shapes, sorted, which `number` asks.
pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (index, id) in all().enumerate() {
        let one = |free| move |written: &&'static str| Shape { written: written.as_bytes(), index, free };
        shapes.extend(id.free.iter().map(one(true)));
        shapes.extend(id.told.iter().map(one(false)));
    }
    shapes.sort_by(|a, b| (a.written, !a.free).cmp(&(b.written, !b.free)));
    shapes
}

/// The id of digits that starts with `number`.
pub(super) fn number(look: &Look<'_>, start: usize, number: &Number) -> Option<Candidate> {
    let text = &look.text;
    if !text.opens(start, ALNUM) || text.is_before(start, DOT) && start > 1 && text.is(start - 2, DIGIT) {
        return None;
    }
    let groups = number.groups();
    for (index, group) in groups.iter().enumerate().rev() {
        let whole = index + 1 == groups.len();
        if !(7..=18).contains(&group.total) || whole && number.cut {
            continue;
        }
        let mut shape = [0; 32];
        let length = number.shape(index + 1, &mut shape).len();
        let mut code = [0; 24];
        for (place, digit) in code.iter_mut().zip(number.digits(group.total)) {
            *place = b'0' + digit;
        }
        if let Some(found) = lettered_tail(look, start, group.end, (&mut shape, length), (&mut code, group.total)) {
            return Some(found);
        }
        let code = code.get(..group.total)?;
        if closes(look, group.end)
            && let Some(found) = ask(look, start, group.end, shape.get(..length)?, code)
        {
            return Some(found);
        }
    }
    None
}

/// The letter after digits belongs to some ids.
fn lettered_tail(
    look: &Look<'_>,
    start: usize,
    end: usize,
    (shape, length): (&mut [u8; 32], usize),
    (code, total): (&mut [u8; 24], usize),
) -> Option<Candidate> {
    let text = &look.text;
    let dashed = text.at(end) == Some(b'-');
    let at = end + usize::from(dashed);
    let letter = text.at(at).filter(u8::is_ascii_alphabetic)?;
    if !closes(look, at + 1) {
        return None;
    }
    let mut kept = *shape;
    let tail: &[u8] = if dashed { b"-L" } else { b"L" };
    kept.get_mut(length..length + tail.len())?.copy_from_slice(tail);
    *code.get_mut(total)? = letter.to_ascii_uppercase();
    ask(look, start, at + 1, kept.get(..length + tail.len())?, code.get(..=total)?)
}

fn closes(look: &Look<'_>, end: usize) -> bool {
    let text = &look.text;
    let longer = text.is(end, DASH | DOT) && text.is(end + 1, DIGIT);
    text.closes(end, ALNUM) && !longer
}

fn ask(look: &Look<'_>, start: usize, end: usize, shape: &[u8], code: &[u8]) -> Option<Candidate> {
    let shapes = &look.rules.shapes;
    let from = shapes.partition_point(|known| known.written < shape);
    for known in shapes.get(from..)?.iter().take_while(|known| known.written == shape) {
        let rule = look.rules.ids.get(known.index)?;
        look.text.spend(code.len());
        if (rule.check)(code) && (known.free || look.told(bit(known.index), start, end)) {
            let strength = if known.free { Strength::Checked } else { Strength::Told };
            if let Some(found) = look.found_as(id(known.index), start, end, strength) {
                return Some(found);
            }
        }
    }
    None
}

/// The id with letters that ends at `end`: the `form`th of the `index`th.
pub(super) fn lettered(look: &Look<'_>, index: usize, form: usize, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let rule = look.rules.ids.get(index)?;
    let form = rule.lettered.get(form)?;
    let mut code = [0; 24];
    let (mut start, mut left) = (end, form.length);
    while left > 0 {
        start = start.checked_sub(1)?;
        match text.at(start)? {
            byte if byte.is_ascii_alphanumeric() || byte == b'+' => {
                left -= 1;
                *code.get_mut(left)? = byte.to_ascii_uppercase();
            }
            b' ' | b'-' | b'(' | b')' if end - start < 28 => {}
            _ => return None,
        }
    }
    // The closing parenthesis of Hong Kong's ids.
    let end = if text.at(end) == Some(b')') && text.slice(start, end).contains(&b'(') { end + 1 } else { end };
    if !text.opens(start, ALNUM) || !text.closes(end, ALNUM) {
        return None;
    }
    let dashed = text.before(start) == Some(b'-') && text.is_before(start - 1, ALNUM);
    if dashed || text.at(end) == Some(b'-') && text.is(end + 1, ALNUM) {
        return None;
    }
    if text.is_before(start, SPACE | LETTER) && form.length < 6 {
        return None;
    }
    let right = (rule.check)(code.get(..form.length)?) && (!form.told || look.told(bit(index), start, end));
    if right { look.found_as(id(index), start, end, Strength::Checked) } else { None }
}

// --- arithmetic that several share, over ASCII

/// The digit that `byte` shows.
fn digit(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(b'0'))
}

/// What `bytes` show as one number.
fn value(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0_u64, |value, byte| value.wrapping_mul(10).wrapping_add(u64::from(digit(*byte))))
}

/// The digits from `start` to `end` as one number.
fn part(bytes: &[u8], start: usize, end: usize) -> u64 {
    value(bytes.get(start..end).unwrap_or_default())
}

/// The sum of digits times weights, as far as both go.
fn weighted(bytes: &[u8], weights: &[u32]) -> u32 {
    bytes.iter().zip(weights).map(|(byte, weight)| digit(*byte) * weight).sum()
}

fn last(bytes: &[u8]) -> u32 {
    bytes.last().map_or(u32::MAX, |byte| digit(*byte))
}

fn flat(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| Some(byte) == bytes.first())
}

fn month_day(month: u64, day: u64) -> bool {
    super::number::month_day(month, day)
}

fn luhn(bytes: &[u8]) -> bool {
    let sum: u32 = bytes
        .iter()
        .rev()
        .enumerate()
        .map(|(index, byte)| match (index % 2, digit(*byte)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum % 10 == 0
}

/// ISO/IEC 7064, MOD 11,10.
fn mod_11_10(bytes: &[u8]) -> bool {
    let Some((check, rest)) = bytes.split_last() else { return false };
    let product = rest.iter().fold(10, |product, byte| {
        let sum = (digit(*byte) + product) % 10;
        (if sum == 0 { 10 } else { sum } * 2) % 11
    });
    (11 - product) % 10 == digit(*check)
}
