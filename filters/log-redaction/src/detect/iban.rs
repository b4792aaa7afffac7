//! IBAN: the country's length, mod 97, with or without blanks.

use super::catalog::Built;
use super::text::{ALNUM, DASH};
use super::{Candidate, Look, Strength};

/// Countries and the lengths of their IBANs: SWIFT IBAN registry, and the countries that use IBANs without being in it.
pub(super) const COUNTRIES: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
    // Used there, not in the registry.
    ("AO", 25),
    ("BF", 28),
    ("BJ", 28),
    ("CF", 27),
    ("CG", 27),
    ("CI", 28),
    ("CM", 27),
    ("CV", 25),
    ("DZ", 26),
    ("GA", 27),
    ("GQ", 27),
    ("GW", 25),
    ("IR", 26),
    ("KM", 27),
    ("MA", 28),
    ("MG", 27),
    ("ML", 28),
    ("MZ", 25),
    ("NE", 28),
    ("SN", 28),
    ("TD", 27),
    ("TG", 28),
];

/// The locator: a country, two check digits, and what follows.
pub(super) fn pattern() -> String {
    let countries: Vec<&str> = COUNTRIES.iter().map(|(country, _)| *country).collect();
    format!("(?:\\A|[^0-9A-Za-z])(?i:{})[0-9]{{2}}[ -]?[0-9A-Za-z]", countries.join("|"))
}

/// The IBAN whose first character of its account ends at `end`.
pub(super) fn iban(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let head = end.checked_sub(1)?;
    let start = if text.is_before(head, ALNUM) { head.checked_sub(4)? } else { head.checked_sub(5)? };
    if !text.opens(start, ALNUM) {
        return None;
    }
    let (a, b) = (text.at(start)?.to_ascii_uppercase(), text.at(start + 1)?.to_ascii_uppercase());
    let length = COUNTRIES.iter().find(|(country, _)| country.as_bytes() == [a, b])?.1;
    let mut code = [0_u8; 40];
    let (mut at, mut count, mut group, mut separated) = (start, 0, 0, false);
    while count < length {
        let byte = text.at(at)?;
        if byte.is_ascii_alphanumeric() {
            *code.get_mut(count)? = byte.to_ascii_uppercase();
            (count, group) = (count + 1, group + 1);
        } else if matches!(byte, b' ' | b'-') && group == 4 && (separated || count == 4) {
            (group, separated) = (0, true);
        } else {
            return None;
        }
        at += 1;
    }
    if !text.closes(at, ALNUM) || text.is(at, DASH) && !text.closes(at + 1, ALNUM) {
        return None;
    }
    let code = code.get(..length)?;
    let national = code.get(4..)?.iter().filter(|byte| byte.is_ascii_digit()).count();
    if mod_97(code) == 1 && national >= 6 { look.found(Built::Iban, start, at, Strength::Checked) } else { None }
}

/// ISO 13616: the first four characters go last, letters count from 10 on, and the whole mod 97 is 1.
fn mod_97(code: &[u8]) -> u32 {
    let (head, rest) = code.split_at(code.len().min(4));
    rest.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    })
}
