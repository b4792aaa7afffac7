//! Coordinates: pairs of latitude and longitude, and one of them where a name says so.

use super::catalog::Built;
use super::text::{ALNUM, DIGIT, DOT, SPACE, WORD};
use super::words::PLACE;
use super::{Candidate, Look, Strength};

/// A pair: decimals, a separator, and decimals again.
pub(super) const PAIR: &str =
    "\\.[0-9]{3}[0-9]*(?:[NS]|[\\xc2\\xc3][\\xa0-\\xbf])?[,; ]{1,2}[ ]?[+-]?[0-9]{1,3}\\.[0-9]{3}";
/// One of them by name.
pub(super) const NAMED: &str = "(?i:(?:\\A|[^A-Za-z])(?:lat|latitude|lon|lng|long|longitude)[\"'\\\\]{0,3}[ ]{0,2}[:=][ ]{0,2}[\"']?[+-]?[0-9]{1,3}\\.[0-9])";

/// A number as it is written: where, how large, and how many decimals.
struct Decimal {
    start: usize,
    end: usize,
    degrees: u32,
    decimals: usize,
}

fn decimal(look: &Look<'_>, point: usize) -> Option<Decimal> {
    let text = &look.text;
    let whole = text.run_back(DIGIT, point, 4);
    let end = text.run(DIGIT, point + 1, 18);
    let degrees = text.slice(whole, point);
    if degrees.is_empty() || degrees.len() > 3 {
        return None;
    }
    let degrees = super::number::value(&degrees.iter().map(|byte| byte - b'0').collect::<Vec<u8>>()) as u32;
    let start = if matches!(text.before(whole), Some(b'-' | b'+')) { whole - 1 } else { whole };
    Some(Decimal { start, end, degrees, decimals: end - point - 1 })
}

/// The pair of which the third decimal of the second number ends at `end`.
pub(super) fn pair(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let second = decimal(look, end.checked_sub(4)?)?;
    let mut at = second.start;
    while text.is_before(at, SPACE) || matches!(text.before(at), Some(b',' | b';')) {
        at = at.checked_sub(1)?;
        if second.start - at > 3 {
            return None;
        }
    }
    let first_end = at;
    let point = text.run_back(DIGIT, first_end, 16).checked_sub(1)?;
    if text.at(point) != Some(b'.') {
        return None;
    }
    let first = decimal(look, point)?;
    // GeoJSON has the longitude first.
    let fits = first.degrees <= 90 && second.degrees <= 180 || first.degrees <= 180 && second.degrees <= 90;
    if !fits || !text.opens(first.start, WORD | DOT) || !text.closes(second.end, ALNUM) {
        return None;
    }
    if text.at(second.end) == Some(b'.') && !text.closes(second.end + 1, DIGIT) {
        return None;
    }
    let least = first.decimals.min(second.decimals);
    let comma = text.slice(first_end, second.start).contains(&b',');
    // As many decimals as a float has are no more likely a place than a ratio, but two of them by a comma are.
    let told = || look.told(PLACE, first.start, second.end);
    if least >= 5 && comma && first.degrees + second.degrees > 1 || told() {
        return look.found(Built::Coordinates, first.start, second.end, Strength::Shaped);
    }
    None
}

/// The number of which the first decimal ends at `end`, named in the text before it.
pub(super) fn named(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let found = decimal(look, end.checked_sub(2)?)?;
    one(look, &found)
}

/// The number that the field called so holds.
pub(super) fn by_name(look: &Look<'_>) -> Option<Candidate> {
    if look.key_bits.1 & PLACE == 0 || look.text.len() > 24 {
        return None;
    }
    let text = &look.text;
    let sign = usize::from(matches!(text.at(0), Some(b'-' | b'+')));
    let point = text.run(DIGIT, sign, 4);
    (text.at(point) == Some(b'.')).then_some(())?;
    let found = decimal(look, point)?;
    (found.start == 0 && found.end == text.len()).then_some(())?;
    one(look, &found)
}

fn one(look: &Look<'_>, found: &Decimal) -> Option<Candidate> {
    if found.degrees <= 180 && found.decimals >= 3 {
        return look.found(Built::Coordinates, found.start, found.end, Strength::Told);
    }
    None
}
