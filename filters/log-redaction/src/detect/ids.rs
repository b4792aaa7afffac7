//! National ids: how each is written, and what makes it right.
//!
//! An id that digits alone make, and whose check is weak, counts only where a word beside it or the field's name says
//! what it is. One with letters, with two check digits, or in a form that nothing else is written in counts by itself.

mod americas;
mod asia;
mod europe;
mod nordic;

use super::catalog::About;
use super::number::{self, Number};
use super::text::{ALNUM, DASH, DIGIT, DOT};
use super::words::Bit;
use super::{Candidate, DetectorId, Look, Strength};

/// An id with letters.
pub(super) struct Lettered {
    /// What locates it, to its last character; empty where it is a word of letters and digits.
    pub(super) pattern: &'static str,
    /// Its letters and digits without what separates them: `A` for a letter, `9` for a digit, `*` for either.
    written: &'static str,
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
    all().map(|id| About { name: id.name, what: id.what, source: id.source, also: "" })
}

/// The first bit of ids among those of words.
const FIRST_BIT: u32 = 8;

/// The bit of the `index`th id's words.
pub(super) fn bit(index: usize) -> Bit {
    1 << (FIRST_BIT + index as u32)
}

/// The id of the `index`th.
pub(super) fn id(index: usize) -> DetectorId {
    DetectorId((super::catalog::built() + index) as u16)
}

/// A shape, whose it is, and whether it counts by itself.
pub(super) struct Shape {
    written: number::Shape,
    index: usize,
    free: bool,
}

/// All shapes, sorted, and one bit for each by its hash: most numbers are written as no id is.
pub(super) struct Shapes {
    all: Vec<Shape>,
    known: [u64; 64],
}

fn hash(written: number::Shape) -> (usize, u32) {
    let hash = (written.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize;
    (hash / 64, (hash % 64) as u32)
}

impl Shapes {
    pub(super) fn new() -> Self {
        let mut shapes = Self { all: Vec::new(), known: [0; 64] };
        for (index, id) in all().enumerate() {
            let one = |free| move |written: &&'static str| Shape { written: number::shape(written), index, free };
            shapes.all.extend(id.free.iter().map(one(true)));
            shapes.all.extend(id.told.iter().map(one(false)));
        }
        shapes.all.sort_by_key(|shape| (shape.written, !shape.free));
        for shape in &shapes.all {
            let (word, bit) = hash(shape.written);
            if let Some(word) = shapes.known.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        shapes
    }

    /// Those that are written so.
    fn of(&self, written: number::Shape) -> &[Shape] {
        let (word, bit) = hash(written);
        if self.known.get(word).is_none_or(|word| word >> bit & 1 == 0) {
            return &[];
        }
        let from = self.all.partition_point(|known| known.written < written);
        let count = self.all.iter().skip(from).take_while(|known| known.written == written).count();
        self.all.get(from..from + count).unwrap_or_default()
    }
}

/// The id of digits that starts with `number`.
pub(super) fn number(look: &Look<'_>, start: usize, number: &Number) -> Option<Candidate> {
    let text = &look.text;
    if !text.opens(start, ALNUM) || text.is_before(start, DOT) && !text.opens(start - 1, DIGIT) {
        return None;
    }
    let groups = number.groups();
    for group in groups.iter().rev() {
        if !(7..=18).contains(&group.total) {
            continue;
        }
        let digits = number.digits(group.total);
        if let Some(found) = ask(look, (start, group.end), group.shape, digits, None) {
            return Some(found);
        }
        // The letter after digits belongs to some ids.
        let dashed = look.text.at(group.end) == Some(b'-');
        let at = group.end + usize::from(dashed);
        if let Some(letter) = look.text.at(at).filter(u8::is_ascii_alphabetic) {
            let shape = number::lettered(group.shape, dashed);
            if let Some(found) = ask(look, (start, at + 1), shape, digits, Some(letter)) {
                return Some(found);
            }
        }
    }
    None
}

fn closes(look: &Look<'_>, end: usize) -> bool {
    let text = &look.text;
    let longer = text.is(end, DASH | DOT) && !text.closes(end + 1, DIGIT);
    text.closes(end, ALNUM) && !longer
}

fn ask(
    look: &Look<'_>,
    (start, end): (usize, usize),
    shape: number::Shape,
    digits: &[u8],
    letter: Option<u8>,
) -> Option<Candidate> {
    let known = look.rules.shapes.of(shape);
    if known.is_empty() || !closes(look, end) {
        return None;
    }
    let mut code = [0; 24];
    let written = digits.iter().map(|digit| b'0' + digit).chain(letter.map(|letter| letter.to_ascii_uppercase()));
    code.iter_mut().zip(written).for_each(|(place, byte)| *place = byte);
    let code = code.get(..digits.len() + usize::from(letter.is_some()))?;
    for known in known {
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

/// Words of letters and digits that are ids, by how long they are.
pub(super) struct Forms(Vec<Vec<(usize, usize)>>);

impl Forms {
    pub(super) fn new() -> Self {
        let mut forms = vec![Vec::new(); LONGEST + 1];
        for (index, id) in all().enumerate() {
            for (form, lettered) in id.lettered.iter().enumerate().filter(|(_, lettered)| lettered.pattern.is_empty()) {
                forms.get_mut(lettered.written.len()).into_iter().for_each(|list| list.push((index, form)));
            }
        }
        Self(forms)
    }
}

/// What locates an id of Hong Kong: not its six digits, since a state for each way to count them costs more than looking.
pub(super) const HONG_KONG: &str = "[0-9]\\([0-9a]";

/// The shortest and the longest word that may be an id.
pub(super) const SHORTEST: usize = 8;
pub(super) const LONGEST: usize = 18;

/// The id that all of the word `start..end` is.
pub(super) fn word(look: &Look<'_>, start: usize, end: usize) -> Option<Candidate> {
    let forms = look.rules.forms.0.get(end - start)?;
    forms.iter().find_map(|(index, form)| lettered(look, *index, *form, end))
}

/// The id with letters that ends at `end`: the `form`th of the `index`th.
pub(super) fn lettered(look: &Look<'_>, index: usize, form: usize, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let rule = look.rules.ids.get(index)?;
    let form = rule.lettered.get(form)?;
    let length = form.written.len();
    let mut code = [0; 24];
    let (mut start, mut left) = (end, length);
    while left > 0 {
        start = start.checked_sub(1)?;
        match text.at(start)? {
            byte if byte.is_ascii_alphanumeric() => {
                left -= 1;
                let right = match form.written.as_bytes().get(left)? {
                    b'A' => byte.is_ascii_alphabetic(),
                    b'9' => byte.is_ascii_digit(),
                    _ => true,
                };
                if !right {
                    return None;
                }
                *code.get_mut(left)? = byte.to_ascii_uppercase();
            }
            b' ' | b'(' if !form.pattern.is_empty() && end - start < 16 => {}
            _ => return None,
        }
    }
    // The closing parenthesis of Hong Kong's ids, which are in one piece.
    let stop = if text.slice(start, end).contains(&b'(') {
        let parted = form.pattern == HONG_KONG && end - start != length + 1;
        if text.at(end) != Some(b')') || parted {
            return None;
        }
        end + 1
    } else {
        end
    };
    let written = text.slice(start, end);
    let mixed = written.iter().any(u8::is_ascii_lowercase) && written.iter().any(u8::is_ascii_uppercase);
    if mixed || !text.opens(start, ALNUM) || !text.closes(stop, ALNUM) {
        return None;
    }
    let dashed = text.before(start) == Some(b'-') && !text.opens(start - 1, ALNUM);
    if dashed || text.at(stop) == Some(b'-') && !text.closes(stop + 1, ALNUM) {
        return None;
    }
    let right = (rule.check)(code.get(..length)?) && (!form.told || look.told(bit(index), start, stop));
    if right { look.found_as(id(index), start, stop, Strength::Checked) } else { None }
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
    sum.is_multiple_of(10)
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
