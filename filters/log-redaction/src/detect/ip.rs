//! Addresses of hosts and of network cards.

use std::net::Ipv6Addr;

use super::catalog::Built;
use super::text::{ALNUM, COLON, DASH, DIGIT, DOT, HEX, LETTER, PERCENT, Text, UNDERSCORE, WORD};
use super::{Candidate, Look, Strength};

/// Products of user agents whose versions have four parts.
const PRODUCTS: &[&[u8]] = &[
    b"chrome",
    b"chromium",
    b"headlesschrome",
    b"crios",
    b"edg",
    b"edge",
    b"edga",
    b"edgios",
    b"opr",
    b"opera",
    b"version",
    b"firefox",
    b"fxios",
    b"safari",
    b"samsungbrowser",
    b"yabrowser",
    b"vivaldi",
    b"electron",
    b"whale",
    b"ucbrowser",
    b"brave",
];
/// Words after which four numbers are a version.
const VERSIONS: &[&[u8]] = &[
    b"version",
    b"ver",
    b"v",
    b"release",
    b"build",
    b"firmware",
    b"fw",
    b"revision",
    b"rev",
    b"driver",
    b"agent",
    b"upgrade",
    b"oid",
];

// Locators start at the first sign of an address rather than at its first digit, which every number and many a word has: fewer
// states of the automaton are in use, and those that are stay at hand.

/// The IPv4 address whose last octet starts right before `end`.
pub(super) fn ipv4(look: &Look<'_>, end: usize) -> Option<Candidate> {
    let text = &look.text;
    let last = end.checked_sub(1)?;
    let start = text.run_back(DIGIT | DOT, last, 12);
    let end = text.run(DIGIT, last, 4);
    if !is_four_octets(text.slice(start, end)) {
        return None;
    }
    if !text.opens(start, WORD | DOT)
        || text.before(start) == Some(b'-') && !text.opens(start - 1, LETTER | UNDERSCORE)
        || !text.closes(end, ALNUM | UNDERSCORE)
        || text.at(end) == Some(b'.') && !text.closes(end + 1, DIGIT)
    {
        return None;
    }
    if is_version(look, start, end) {
        return None;
    }
    look.found(Built::Ipv4, start, end, Strength::Shaped)
}

/// Whether digits and dots are four numbers of at most 255, without noughts before them.
fn is_four_octets(written: &[u8]) -> bool {
    // None has been read where it is empty.
    let (mut dots, mut octet) = (0, None);
    for byte in written {
        if *byte == b'.' {
            if octet.is_none() || dots == 3 {
                return false;
            }
            (dots, octet) = (dots + 1, None);
            continue;
        }
        let more = u32::from(byte.wrapping_sub(b'0'));
        let value = match octet {
            None => more,
            Some(0) => return false,
            Some(octet) => octet * 10 + more,
        };
        if value > 255 {
            return false;
        }
        octet = Some(value);
    }
    dots == 3 && octet.is_some()
}

/// Whether four numbers are a version by the word before them: `Chrome/120.0.0.0`, `version 1.2.3.4`.
fn is_version(look: &Look<'_>, start: usize, end: usize) -> bool {
    let text = &look.text;
    let mut before = start;
    let mut slash = false;
    while start - before < 4 && matches!(text.before(before), Some(b' ' | b'/' | b':' | b'=' | b'"' | b'@')) {
        slash |= text.before(before) == Some(b'/');
        before -= 1;
    }
    let word = text.slice(text.run_back(LETTER, before, 24), before);
    let told = |words: &[&[u8]]| !word.is_empty() && words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if told(VERSIONS) || look.key_is_any(VERSIONS) {
        return true;
    }
    // `upgraded from v1.4.9 to 2.0.1.7`
    let near = text.slice(start.saturating_sub(24), start);
    let tagged = |three: &[u8]| matches!(three, [a, b'v', b'0'..=b'9'] if !a.is_ascii_alphanumeric());
    if near.contains(&b'v') && near.windows(3).any(tagged) {
        return true;
    }
    // A product before the slash and a nought at the end; `peer/10.0.0.7` is how Java writes an address.
    slash && (told(PRODUCTS) || !word.is_empty() && text.slice(start, end).ends_with(b".0.0"))
}

/// The IPv6 address around what ends at `end`; `full` where eight groups were seen.
pub(super) fn ipv6(look: &Look<'_>, end: usize, full: bool) -> Option<Candidate> {
    if !full && is_scope(&look.text, end) { None } else { ipv6_around(look, end, full) }
}

fn ipv6_around(look: &Look<'_>, end: usize, full: bool) -> Option<Candidate> {
    let text = &look.text;
    let middle = if full { end - 1 } else { end.checked_sub(2)? };
    let start = text.run_back(HEX | COLON, middle, 40);
    if !text.opens(start, WORD | COLON | DOT) {
        return None;
    }
    let mut end = text.run(HEX | COLON | DOT, middle, 46);
    while end > middle && text.is_before(end, DOT) {
        end -= 1;
    }
    // `::1:` and `fe80::1:443` are written too: what does not belong is left off by parsing.
    let colon = text.is_before(end, COLON) && !text.ends(end, b"::");
    if colon {
        end -= 1;
    }
    if end - start > 45 || !text.closes(end, if colon { 0 } else { WORD | COLON }) {
        return None;
    }
    let written = std::str::from_utf8(text.slice(start, end)).ok()?;
    let parsed: Ipv6Addr = written.parse().ok()?;
    // What has a gap earlier is located by that.
    let gap = written.split(':').take(7).any(str::is_empty);
    if full && gap || !full && !plausible(written, &parsed) {
        return None;
    }
    // The zone of a link-local address names an interface of this host: RFC 4007.
    let zone = if text.at(end) == Some(b'%') && !text.is(end + 1, PERCENT) {
        text.run(ALNUM | DASH | DOT, end + 1, 16)
    } else {
        end
    };
    let zone = if zone > end + 1 && !hexed(text.slice(end + 1, zone)) { zone } else { end };
    look.found(Built::Ipv6, start, zone, Strength::Checked)
}

/// Whether a letter stands beside `::` that no address has there, as in `std::io`: nearly always it is so.
fn is_scope(text: &Text<'_>, end: usize) -> bool {
    text.is_before(end.saturating_sub(2), WORD & !HEX | DOT) || text.is(end, WORD & !HEX)
}

/// `%2F` after an address in a URL is no zone.
fn hexed(zone: &[u8]) -> bool {
    matches!(zone, [b'2' | b'3' | b'5' | b'7', a, ..] if a.is_ascii_hexdigit() && zone.len() <= 2)
}

/// Whether what has `::` is an address rather than a scope of C++ or nothing.
fn plausible(written: &str, parsed: &Ipv6Addr) -> bool {
    if parsed.is_unspecified() {
        return false;
    }
    let first = written.split(':').next().unwrap_or_default();
    let digits = written.bytes().any(|byte| byte.is_ascii_digit());
    let groups = written.split(':').filter(|group| !group.is_empty()).count();
    match first.len() {
        0 => written == "::1" || groups >= 2 && digits || written.len() >= 6 && digits,
        1 | 2 => groups >= 4 || first == "64" && groups >= 3,
        _ => digits || groups >= 4,
    }
}

/// The MAC address that ends at `end`.
pub(super) fn mac(look: &Look<'_>, end: usize, dotted: bool) -> Option<Candidate> {
    let text = &look.text;
    let start = end.checked_sub(if dotted { 14 } else { 17 })?;
    if !text.opens(start, WORD | COLON | DASH | DOT) || !text.closes(end, WORD | COLON | DASH) {
        return None;
    }
    if text.at(end) == Some(b'.') && !text.closes(end + 1, ALNUM) {
        return None;
    }
    let written = text.slice(start, end);
    let width = if dotted { 5 } else { 3 };
    let hex = |(nth, byte): (usize, &u8)| nth % width == width - 1 || byte.is_ascii_hexdigit();
    if !written.iter().enumerate().all(hex) {
        return None;
    }
    if dotted {
        let mixed = written.iter().any(u8::is_ascii_digit) && written.iter().any(u8::is_ascii_alphabetic);
        return if mixed { look.found(Built::Mac, start, end, Strength::Shaped) } else { None };
    }
    let separator = written.get(2).copied();
    let same = written.chunks(3).all(|octet| octet.get(2).is_none() || octet.get(2).copied() == separator);
    // Nothing but noughts is how "none" is written.
    let any = written.iter().any(|byte| byte.is_ascii_hexdigit() && *byte != b'0');
    if same && any { look.found(Built::Mac, start, end, Strength::Shaped) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detectors, Selection};

    /// As `is_four_octets`, each by itself.
    fn is_octet(octet: &[u8]) -> bool {
        matches!(
            octet,
            [b'0'..=b'9']
                | [b'1'..=b'9', b'0'..=b'9']
                | [b'1', b'0'..=b'9', b'0'..=b'9']
                | [b'2', b'0'..=b'4', b'0'..=b'9']
                | [b'2', b'5', b'0'..=b'5']
        )
    }

    #[test]
    fn four_octets_are_those_that_are_each_one() {
        let signs = b"0125869.";
        let mut state = 47_u64;
        let mut some = 0;
        for _ in 0..400_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut left = state >> 20;
            let mut sign = |of: usize| {
                let one = signs[left as usize % of];
                left /= of as u64;
                one
            };
            let text: Vec<u8> = match state >> 60 {
                0..8 => (0..12).map(|_| sign(8)).collect(),
                _ => [sign(8), sign(7), b'.', sign(8), b'.', sign(7), sign(8), b'.', sign(8), sign(8)].into(),
            };
            let octets: Vec<_> = text.split(|byte| *byte == b'.').collect();
            let plain = octets.len() == 4 && octets.iter().all(|octet| is_octet(octet));
            assert_eq!(is_four_octets(&text), plain, "{}", String::from_utf8_lossy(&text));
            some += usize::from(plain);
        }
        assert!(some > 1_000, "{some}");
    }

    #[test]
    fn what_is_a_scope_is_no_address() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let signs = b"g1f_.:- [";
        let (mut scopes, mut addresses) = (0, 0);
        for at in 0..signs.len().pow(6) {
            let sign = |nth: u32| signs[at / signs.len().pow(nth) % signs.len()];
            let text = [sign(0), sign(1), sign(2), b':', b':', sign(3), sign(4), sign(5)];
            let look = Look::new(&text, &detectors.rules, b"", (0, 0));
            let found = ipv6_around(&look, 5, false);
            assert!(found.is_none() || !is_scope(&look.text, 5), "{}", String::from_utf8_lossy(&text));
            scopes += usize::from(is_scope(&look.text, 5));
            addresses += usize::from(found.is_some());
        }
        assert!(scopes > 10_000 && addresses > 100, "{scopes} scopes, {addresses} addresses");
    }
}
