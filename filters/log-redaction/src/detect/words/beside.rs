//! The words before and after a value.

use std::cell::Cell;

use super::marks::Marks;
use super::{BESIDE, Bit, Words};
use crate::detect::text::{LETTER, MARKER, Text, is};

/// How far from a value words speak of it, in bytes before and after.
const BEFORE: usize = 48;
const AFTER: usize = 20;

/// A part of a text, up to a value, in which no word speaks of anything: what is behind it need not look at it again.
#[derive(Clone, Copy, Default)]
pub(in crate::detect) struct Quiet<'t> {
    from: usize,
    /// INVARIANT: no word goes on here.
    until: usize,
    /// Its last word, which may speak together with one that follows.
    word: &'t [u8],
}

impl Words {
    /// What the words before `start` speak of, which `before` says.
    pub(in crate::detect) fn before<'t>(&self, text: &Text<'t>, quiet: &Cell<Quiet<'t>>, start: usize) -> Bit {
        let (from, mut known) = (start.saturating_sub(BEFORE), quiet.get());
        let goes_on = known.from <= from && from <= known.until && known.until <= start;
        if !goes_on {
            known = Quiet { from, until: from, word: &[] };
        }
        let window = text.all().get(known.until..start).unwrap_or_default();
        if let Some(mut marks) = Marks::of(text.all(), known.until, window.len()) {
            text.spend(window.len());
            // The window may start in the middle of a word.
            if from > 0 && !goes_on {
                marks.letters &= marks.letters + 1;
            }
            // Nearly always nothing speaks of anything, whatever of it brackets would leave out.
            let read = self.read(window, &marks, &self.beside, known.word);
            if read.bits & BESIDE == 0 {
                let whole = window.last().is_none_or(|byte| !is(*byte, LETTER));
                quiet.set(if whole { Quiet { until: start, word: read.word, ..known } } else { Quiet::default() });
                return 0;
            }
        }
        self.name_by_bytes(before(text, start)).0 & BESIDE
    }

    /// What the words after `end` speak of, which `after` says.
    pub(in crate::detect) fn after(&self, text: &Text<'_>, end: usize) -> Bit {
        let rest = text.all().get(end..).unwrap_or_default();
        // Nothing belongs to a value in JSON, or at the end of a line.
        if rest.first().is_none_or(|byte| begins(*byte)) {
            return 0;
        }
        let window = rest.get(..AFTER).unwrap_or(rest);
        if let Some(marks) = Marks::of(text.all(), end, window.len()) {
            text.spend(window.len());
            if self.read(window, &marks, &self.beside, &[]).bits & BESIDE == 0 {
                return 0;
            }
        }
        self.name_by_bytes(after(text, end)).0 & BESIDE
    }
}

/// The words before `start`. Markers end them: what was masked says nothing of what was not.
pub(in crate::detect) fn before<'t>(text: &Text<'t>, start: usize) -> &'t [u8] {
    let window = text.slice(start.saturating_sub(BEFORE), start);
    let (mut from, mut open) = (0, None);
    for (at, byte) in window.iter().enumerate().rev() {
        match byte {
            b']' | b'\n' => {
                from = at + 1;
                break;
            }
            b'[' if open.is_none() => open = Some(at),
            _ => {}
        }
    }
    // The window may start in the middle of a word, or of a marker.
    if from == 0 && start > BEFORE {
        from = window.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(window.len());
    }
    let marker = open.filter(|open| window.get(*open..).unwrap_or_default().starts_with(MARKER));
    window.get(from..marker.unwrap_or(window.len())).unwrap_or_default()
}

/// The words after `end`, as far as nothing else begins.
pub(in crate::detect) fn after<'t>(text: &Text<'t>, end: usize) -> &'t [u8] {
    let after = text.slice(end, end.saturating_add(AFTER));
    let stop = after.iter().position(|byte| begins(*byte));
    after.get(..stop.unwrap_or(after.len())).unwrap_or_default()
}

/// Whether something else begins with a byte after a value.
fn begins(byte: u8) -> bool {
    matches!(byte, b'[' | b'\n' | b',' | b';' | b'=' | b':' | b'"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    #[test]
    fn words_beside_a_place_say_what_they_do_byte_by_byte_whatever_was_asked_before() {
        let words = Words::new();
        let mut below = random(17);
        let pieces = [
            "phone",
            "tel",
            "Number",
            "credit",
            "card",
            "ssn",
            "no",
            "in",
            "at",
            "abc",
            "x",
            "T",
            "Zq",
            "12",
            "345",
            "6",
            " ",
            " ",
            "-",
            ".",
            ": ",
            "=",
            ", ",
            "[",
            "] ",
            "[REDACTED:",
            "[REDACTED:card:0011aabb]",
            "\n",
            "\u{e9}",
            "lorem ipsum dolor ",
            "international",
            "lorem ipsum dolor ",
        ];
        let (mut quiet_ones, mut speaking, mut after_ones) = (0, 0, 0);
        for _ in 0..40_000 {
            // Half of them speak of nothing.
            let from = if below(2) == 0 { 6 } else { 0 };
            let written: String = (0..below(24)).map(|_| pieces[from + below(pieces.len() - from)]).collect();
            let (text, quiet) = (Text::new(written.as_bytes()), Cell::default());
            let mut at = 0;
            for _ in 0..8 {
                at = if below(6) == 0 { below(text.len() + 1) } else { (at + below(30)).min(text.len()) };
                let plain = words.name_by_bytes(before(&text, at)).0 & BESIDE;
                assert_eq!(words.before(&text, &quiet, at), plain, "before {at} in {written:?}");
                let behind = words.name_by_bytes(after(&text, at)).0 & BESIDE;
                assert_eq!(words.after(&text, at), behind, "after {at} in {written:?}");
                quiet_ones += usize::from(plain == 0 && quiet.get().until == at && quiet.get().from + BEFORE < at);
                speaking += usize::from(plain != 0);
                after_ones += usize::from(behind != 0);
            }
        }
        assert!(quiet_ones > 2_000 && speaking > 10_000 && after_ones > 5_000, "{quiet_ones} {speaking} {after_ones}");
    }
}
