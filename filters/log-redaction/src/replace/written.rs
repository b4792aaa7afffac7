//! How what is replaced is written, and known again.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::keys::digest;
use super::{Action, Keys, partial, seal};

/// What a mask begins with.
pub(crate) const OPEN: &[u8] = b"[REDACTED:";
/// What stands in a mask for the fingerprint, where there is no key to make one.
const NO_KEY: &[u8] = b"no_key";
/// The longest name of a detector.
const NAME: usize = 64;

/// What the redactor itself marks, beside detectors: a field, and another tenant's name.
pub(crate) const OWN: [&str; 2] = ["field", "tenant"];

/// `[REDACTED:<detector>:<8 hex>]`.
pub(crate) fn mask(detector: &str, print: Option<[u8; 32]>, out: &mut Vec<u8>) {
    out.extend_from_slice(OPEN);
    out.extend_from_slice(detector.as_bytes());
    out.push(b':');
    match print {
        Some(print) => hex(print.iter().take(4), out),
        None => out.extend_from_slice(NO_KEY),
    }
    out.push(b']');
}

/// `p<epoch>_` and 16 hex digits of HMAC-SHA256, at least one of which is a letter: 16 digits alone would be read as a card.
pub(super) fn pseudonym(epoch: &str, key: &Hmac<Sha256>, value: &[u8], out: &mut Vec<u8>) {
    out.push(b'p');
    out.extend_from_slice(epoch.as_bytes());
    out.push(b'_');
    let mut digits = Vec::with_capacity(16);
    for again in 0..=u8::MAX {
        let mut mac = key.clone();
        mac.update(value);
        if again > 0 {
            mac.update(&[0, again]);
        }
        digits.clear();
        hex(digest(mac).iter().take(8), &mut digits);
        if digits.iter().any(u8::is_ascii_lowercase) {
            break;
        }
    }
    out.extend_from_slice(&digits);
}

fn hex<'b>(bytes: impl Iterator<Item = &'b u8>, out: &mut Vec<u8>) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            out.push(char::from_digit(half.into(), 16).map_or(b'0', |digit| digit as u8));
        }
    }
}

/// One spelling of values that have several, so that pseudonyms of them are equal.
pub(super) fn plain<'v>(detector: &str, value: &'v [u8]) -> Cow<'v, [u8]> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let only = |keep: fn(&u8) -> bool| {
        Cow::Owned(value.iter().filter(|byte| keep(byte)).map(u8::to_ascii_uppercase).collect())
    };
    match detector {
        "email" | "mac" => Cow::Owned(value.to_ascii_lowercase()),
        "card" => only(u8::is_ascii_digit),
        "iban" => only(u8::is_ascii_alphanumeric),
        "phone" => only(|byte| byte.is_ascii_digit() || *byte == b'+'),
        "ipv4" => text.parse::<Ipv4Addr>().map_or(Cow::Borrowed(value), |ip| Cow::Owned(ip.to_string().into_bytes())),
        "ipv6" => text.parse::<Ipv6Addr>().map_or(Cow::Borrowed(value), |ip| Cow::Owned(ip.to_string().into_bytes())),
        _ => Cow::Borrowed(value),
    }
}

/// The words that stand for parts of a URL, as OpenTelemetry writes them in `url.full`:
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>.
pub(super) fn convention(detector: &str, value: &[u8]) -> Option<&'static [u8]> {
    let user = |value: &[u8]| if value.contains(&b':') { &b"REDACTED:REDACTED"[..] } else { b"REDACTED" };
    match detector {
        "url_userinfo" => Some(user(value)),
        "signed_query" => Some(b"REDACTED"),
        _ => None,
    }
}

/// The mask that is at the beginning of a text, by its end.
pub(crate) fn mark(text: &[u8], is: impl Fn(&str) -> bool) -> Option<usize> {
    let rest = text.strip_prefix(OPEN)?;
    let close = rest.iter().take(NAME + 16).position(|byte| *byte == b']')?;
    let within = rest.get(..close)?;
    let colon = within.iter().rposition(|byte| *byte == b':')?;
    let (name, print) = (within.get(..colon)?, within.get(colon + 1..)?);
    let hex = print.len() == 8 && print.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let name = std::str::from_utf8(name).ok()?;
    ((hex || print == NO_KEY) && (OWN.contains(&name) || is(name))).then_some(OPEN.len() + close + 1)
}

/// What was written before, in a text: found when the first value is found in it, and not before.
pub(crate) struct Written<'t> {
    keys: &'t Keys,
    text: &'t [u8],
    ranges: Option<Vec<Range<usize>>>,
}

impl<'t> Written<'t> {
    pub(super) fn new(keys: &'t Keys, text: &'t [u8]) -> Self {
        Self { keys, text, ranges: None }
    }

    /// Whether what `detector` found at `range` was written by a redactor.
    pub(crate) fn covers(
        &mut self,
        detector: &str,
        action: Action,
        range: &Range<usize>,
        is: impl Fn(&str) -> bool,
    ) -> bool {
        let (keys, text) = (self.keys, self.text);
        let value = text.get(range.clone()).unwrap_or_default();
        if convention(detector, value).is_some_and(|word| word == value)
            || action == Action::Partial && partial::is_left(detector, value, text.get(range.end..).unwrap_or_default())
        {
            return true;
        }
        let ranges = self.ranges.get_or_insert_with(|| find(keys, text, is));
        let next = ranges.partition_point(|known| known.end < range.end);
        ranges.get(next).is_some_and(|known| known.start <= range.start && range.end <= known.end)
    }
}

/// All that was written, sorted and disjoint. A mask holds 32 bits and a pseudonym 64, too few for what is looked for; what
/// is encrypted holds anything, so it must open.
fn find(keys: &Keys, text: &[u8], is: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memchr3(b'[', b'e', b'p', text.get(at..).unwrap_or_default()) {
        let start = at + next;
        let rest = text.get(start..).unwrap_or_default();
        at = start + 1;
        let apart =
            start.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let end = match rest.first() {
            Some(b'[') => mark(rest, &is),
            Some(b'p') if apart => pseudonym_at(rest),
            Some(b'e') if apart => seal::parts(rest)
                .filter(|form| seal::open(rest, form, |kid| keys.data(kid)).is_ok())
                .map(|form| form.end),
            _ => None,
        };
        if let Some(end) = end {
            all.push(start..start + end);
            at = start + end;
        }
    }
    all
}

fn pseudonym_at(text: &[u8]) -> Option<usize> {
    let epoch = text.iter().skip(1).take(9).position(|byte| !byte.is_ascii_lowercase() && !byte.is_ascii_digit())?;
    let digits = text.get(1 + epoch..)?.strip_prefix(b"_")?;
    let (print, rest) = digits.split_at_checked(16)?;
    let hex = print.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let letter = print.iter().any(u8::is_ascii_lowercase);
    let ends = rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (epoch > 0 && hex && letter && ends).then_some(epoch + 18)
}
