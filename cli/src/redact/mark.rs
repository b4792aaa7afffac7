//! What stands in a value's place, and how it is known again.

use hmac::{Hmac, KeyInit, Mac};
use memchr::memmem;
use sha2::Sha256;

const OPEN: &[u8] = b"[REDACTED:";
/// The longest name of a detector.
const NAME: usize = 64;

/// `[REDACTED:<detector>]`, or with a key `[REDACTED:<detector>:<8 hex>]`.
pub(crate) struct Marks {
    key: Option<Hmac<Sha256>>,
}

impl Marks {
    /// With a key, equal values have equal marks, and nobody without it tells what they were.
    pub(crate) fn new(key: Option<&[u8]>) -> Self {
        // HMAC takes keys of any length.
        Self { key: key.and_then(|key| Hmac::new_from_slice(key).ok()) }
    }

    /// The fingerprint: the first bytes of HMAC-SHA256 (RFC 2104) of the value.
    pub(super) fn print(&self, value: &[u8]) -> Option<[u8; 4]> {
        let mut mac = self.key.clone()?;
        mac.update(value);
        mac.finalize().into_bytes().first_chunk().copied()
    }

    pub(crate) fn write(&self, detector: &str, print: Option<[u8; 4]>, out: &mut Vec<u8>) {
        out.extend_from_slice(OPEN);
        out.extend_from_slice(detector.as_bytes());
        if let Some(print) = print {
            out.extend_from_slice(format!(":{:08x}", u32::from_be_bytes(print)).as_bytes());
        }
        out.push(b']');
    }
}

/// What a detector sees in marks that have no fingerprint: it knows those with one, and words do not tell of what is
/// farther away.
const PRINT: &[u8] = b":00000000";

/// A text with its marks as detectors know them.
pub(super) struct Known {
    text: Vec<u8>,
    /// Where there is more than in the text itself.
    more: Vec<usize>,
}

/// The text as detectors know marks; none where there are none without a fingerprint.
pub(super) fn known(text: &[u8]) -> Option<Known> {
    let mut known: Option<Known> = None;
    let mut copied = 0;
    // INVARIANT: most texts have no mark; they are looked through once and not copied.
    for at in memmem::find_iter(text, OPEN) {
        let name = at + OPEN.len();
        let plain = |byte: &&u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-/".contains(byte);
        let close = name + text[name..].iter().take(NAME).take_while(plain).count();
        if close > name && text.get(close) == Some(&b']') {
            let known = known.get_or_insert_with(|| Known { text: Vec::with_capacity(text.len() + 16), more: vec![] });
            known.text.extend_from_slice(&text[copied..close]);
            known.more.push(known.text.len());
            known.text.extend_from_slice(PRINT);
            copied = close;
        }
    }
    if let Some(known) = &mut known {
        known.text.extend_from_slice(&text[copied..]);
    }
    known
}

impl Known {
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a place in it is in the text itself.
    pub(super) fn place(&self, at: usize) -> usize {
        let before = self.more.partition_point(|more| *more < at);
        let inside = self.more[..before].last().map_or(0, |more| PRINT.len().saturating_sub(at - more));
        at - before * PRINT.len() + inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_text_itself() {
        let text = b"a [REDACTED:email] b [REDACTED:key/aws] c [REDACTED:x:1] [REDACTED:";
        let known = known(text).unwrap();
        assert!(
            known.text().starts_with(b"a [REDACTED:email:00000000] b [REDACTED:key/aws:00000000] c [REDACTED:x:1] [")
        );
        for part in ["a", " b ", "[REDACTED:key", "] c", "[REDACTED:x:1]"] {
            let there = memmem::find(known.text(), part.as_bytes()).unwrap();
            let here = memmem::find(text, part.as_bytes()).unwrap();
            assert_eq!(known.place(there), here, "{part}");
        }
        assert_eq!(known.place(known.text().len()), text.len());
        assert!(super::known(b"[REDACTED:email:0f] [REDACTED:] [REDACTED:a b]").is_none());
    }
}
