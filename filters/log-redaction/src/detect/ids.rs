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

/// How ids are written: a shape, whose it is by itself, and whose it is with a word.
struct Shape {
    written: number::Shape,
    free: Vec<usize>,
    told: Vec<usize>,
    /// Whose words are asked for.
    words: Bit,
}

/// All shapes, and where each stands by its hash: most numbers are written as no id is.
pub(super) struct Shapes {
    all: Vec<Shape>,
    /// INVARIANT: most are empty, so that a search ends: one more than where it stands.
    places: [u8; PLACES],
}

const PLACES: usize = 512;

fn hash(written: number::Shape) -> usize {
    (written.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize % PLACES
}

impl Shapes {
    pub(super) fn new() -> Self {
        let mut shapes = Self { all: Vec::new(), places: [0; PLACES] };
        for (index, id) in all().enumerate() {
            id.free.iter().for_each(|written| shapes.add(number::shape(written), index, true));
            id.told.iter().for_each(|written| shapes.add(number::shape(written), index, false));
        }
        for (index, shape) in shapes.all.iter().enumerate() {
            let mut at = hash(shape.written);
            while let Some(place) = shapes.places.get_mut(at) {
                if *place == 0 {
                    *place = index as u8 + 1;
                    break;
                }
                at = (at + 1) % PLACES;
            }
        }
        shapes
    }

    fn add(&mut self, written: number::Shape, index: usize, free: bool) {
        if !self.all.iter().any(|known| known.written == written) {
            self.all.push(Shape { written, free: Vec::new(), told: Vec::new(), words: 0 });
        }
        let Some(shape) = self.all.iter_mut().find(|known| known.written == written) else { return };
        if free {
            shape.free.push(index);
        } else {
            shape.told.push(index);
            shape.words |= bit(index);
        }
    }

    /// Those that are written so.
    #[inline]
    fn of(&self, written: number::Shape) -> Option<&Shape> {
        let mut at = hash(written);
        loop {
            let shape = self.all.get(usize::from(*self.places.get(at)?).checked_sub(1)?)?;
            if shape.written == written {
                return Some(shape);
            }
            at = (at + 1) % PLACES;
        }
    }
}

/// The lengths of ids of digits, one bit each: 7 to 18.
pub(super) const TOTALS: u32 = (1 << 19) - (1 << 7);

/// The id of digits that starts with `number`, which no letter or digit stands before, and is no fraction.
pub(super) fn number(look: &Look<'_>, start: usize, number: &Number<'_>) -> Option<Candidate> {
    let shapes = &look.rules.shapes;
    for (index, group) in number.groups_of(TOTALS) {
        if let Some(shape) = shapes.of(group.shape)
            && let Some(found) = ask(look, (start, group.end), shape, (number, group.total), None)
        {
            return Some(found);
        }
        // The letter after digits belongs to some ids: another group has none before it.
        if index + 1 < number.groups().len() {
            continue;
        }
        let (dashed, letter) = match look.text.all().get(group.end..).unwrap_or_default() {
            [b'-', letter, ..] => (true, *letter),
            [letter, ..] => (false, *letter),
            [] => continue,
        };
        look.text.spend(2);
        if letter.is_ascii_alphabetic()
            && let Some(shape) = shapes.of(number::lettered(group.shape, dashed))
        {
            let end = group.end + usize::from(dashed) + 1;
            if let Some(found) = ask(look, (start, end), shape, (number, group.total), Some(letter)) {
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

/// The id that so many digits of a number are, which are written as `shape`, with a letter after them or none.
fn ask(
    look: &Look<'_>,
    (start, end): (usize, usize),
    shape: &Shape,
    (number, total): (&Number<'_>, usize),
    letter: Option<u8>,
) -> Option<Candidate> {
    if !closes(look, end) {
        return None;
    }
    // The checks of a few cost less than to read words.
    let asked = shape.told.len() <= FEW || look.told(shape.words, start, end);
    if !asked && shape.free.is_empty() {
        return None;
    }
    let mut code = [0; 24];
    let whole = look.text.all().get(start..end).unwrap_or_default();
    let code = if whole.len() == total {
        whole
    } else {
        let digits = number.digits(total).iter().map(|digit| b'0' + digit);
        let written = digits.chain(letter.map(|letter| letter.to_ascii_uppercase()));
        code.iter_mut().zip(written).for_each(|(place, byte)| *place = byte);
        code.get(..total + usize::from(letter.is_some()))?
    };
    let right = |index: &usize| {
        look.text.spend(code.len());
        look.rules.ids.get(*index).is_some_and(|rule| (rule.check)(code))
    };
    let found = |index: &usize, strength| look.found_as(id(*index), start, end, strength);
    let free = shape.free.iter().find_map(|index| if right(index) { found(index, Strength::Checked) } else { None });
    if free.is_some() || !asked {
        return free;
    }
    let told = |index: &&usize| right(index) && look.told(bit(**index), start, end);
    shape.told.iter().filter(told).find_map(|index| found(index, Strength::Told))
}

/// So many ids of one shape are checked before their words are asked for.
const FEW: usize = 3;

/// Words of letters and digits that are ids, by how long they are.
pub(super) struct Forms(Vec<Vec<Form>>);

/// Whose form it is, which one of that, and how it is written.
struct Form {
    index: usize,
    form: usize,
    written: &'static [u8],
}

impl Forms {
    pub(super) fn new() -> Self {
        let mut forms: Vec<Vec<Form>> = (0..=LONGEST).map(|_| Vec::new()).collect();
        for (index, id) in all().enumerate() {
            for (form, lettered) in id.lettered.iter().enumerate().filter(|(_, lettered)| lettered.pattern.is_empty()) {
                let written = lettered.written.as_bytes();
                forms.get_mut(written.len()).into_iter().for_each(|list| list.push(Form { index, form, written }));
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
    let word = look.text.all().get(start..end)?;
    forms.iter().find_map(|form| {
        // Few words are written as one: nearly always their ends say so.
        look.text.spend(2);
        let right = word.iter().zip(form.written).rev().all(|(byte, form)| fits(*byte, *form));
        if right { lettered(look, form.index, form.form, end) } else { None }
    })
}

/// Whether a letter or digit may stand where a form is written so.
#[inline]
fn fits(byte: u8, form: u8) -> bool {
    match form {
        b'A' => byte.is_ascii_alphabetic(),
        b'9' => byte.is_ascii_digit(),
        _ => true,
    }
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
                if !fits(byte, *form.written.as_bytes().get(left)?) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detectors, Selection, words};
    use crate::random::random;

    /// As `number`, each shape of each id by itself, and words as they are told one by one.
    fn plain(look: &Look<'_>, start: usize, number: &Number<'_>) -> Option<(usize, usize, DetectorId)> {
        for group in number.groups().rev().filter(|group| (7..=18).contains(&group.total)) {
            let dashed = look.text.at(group.end) == Some(b'-');
            let at = group.end + usize::from(dashed);
            let letter = look.text.at(at).filter(u8::is_ascii_alphabetic);
            let lettered = letter.map(|letter| (at + 1, number::lettered(group.shape, dashed), Some(letter)));
            for (end, shape, letter) in [Some((group.end, group.shape, None)), lettered].into_iter().flatten() {
                let digits = number.digits(group.total).iter().map(|digit| b'0' + digit);
                let code: Vec<u8> = digits.chain(letter.map(|letter| letter.to_ascii_uppercase())).collect();
                for free in [true, false] {
                    for (index, rule) in all().enumerate() {
                        let written = if free { rule.free } else { rule.told };
                        if written.iter().any(|written| number::shape(written) == shape)
                            && closes(look, end)
                            && (rule.check)(&code)
                            && (free || look.told(bit(index), start, end))
                        {
                            return Some((start, end, id(index)));
                        }
                    }
                }
            }
        }
        None
    }

    #[test]
    fn ids_by_their_shapes_are_those_that_all_are_asked_for() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let mut below = random(41);
        let written: Vec<&str> = all().flat_map(|id| id.free.iter().chain(id.told)).copied().collect();
        let known: Vec<&str> = all().flat_map(|id| id.words).copied().collect();
        let (mut free, mut told) = (0, 0);
        for _ in 0..200_000 {
            let mut text = if below(2) == 0 { format!("{} ", known[below(known.len())]) } else { String::from("of ") };
            let start = text.len();
            let mut count = 0;
            for sign in written[below(written.len())].bytes().chain(*b" ") {
                if sign.is_ascii_digit() {
                    count = count * 10 + usize::from(sign - b'0');
                    continue;
                }
                // Early months, so that dates are often right.
                text.extend((0..count).map(|nth| char::from(b'0' + below(if nth % 2 == 0 { 3 } else { 10 }) as u8)));
                text.push(if sign == b'L' { "AKTx".chars().nth(below(4)).unwrap() } else { char::from(sign) });
                count = 0;
            }
            text.push_str(["", "-1", "x", ".", "5 3"][below(5)]);
            let look =
                Look::new(text.as_bytes(), &detectors.rules, b"", (if below(4) == 0 { words::PHONE } else { 0 }, 0));
            let one = Number::read(&look.text, start);
            let found = number(&look, start, &one).map(|found| (found.start, found.end, found.id));
            assert_eq!(found, plain(&look, start, &one), "{text:?}");
            let by_itself = found.is_some() && text.starts_with("of ");
            free += usize::from(by_itself);
            told += usize::from(found.is_some() && !by_itself);
        }
        assert!(free > 1_000 && told > 1_000, "{free} free, {told} told");
    }

    #[test]
    fn a_word_is_an_id_where_one_of_all_forms_says_so() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let mut below = random(43);
        let forms: Vec<&str> = all().flat_map(|id| id.lettered).map(|form| form.written).collect();
        let mut some = 0;
        for _ in 0..200_000 {
            let mut text = String::from("of ");
            for sign in forms[below(forms.len())].bytes() {
                text.push(match sign {
                    b'A' if below(40) > 0 => char::from(b'A' + below(26) as u8),
                    b'9' if below(40) > 0 => char::from(b'0' + below(10) as u8),
                    _ => "5Kc".chars().nth(below(3)).unwrap(),
                });
            }
            let look = Look::new(text.as_bytes(), &detectors.rules, b"", (0, 0));
            let plain = all().enumerate().find_map(|(index, id)| {
                let mut forms = (0..id.lettered.len()).filter(|form| {
                    id.lettered[*form].pattern.is_empty() && id.lettered[*form].written.len() == text.len() - 3
                });
                forms.find_map(|form| lettered(&look, index, form, text.len()))
            });
            let found = word(&look, 3, text.len());
            assert_eq!(found.map(|one| (one.start, one.id)), plain.map(|one| (one.start, one.id)), "{text}");
            some += usize::from(found.is_some());
        }
        assert!(some > 1_000, "{some}");
    }
}
