//! A text as validators see it: every byte they look at is counted, and runs of a class are walked once.

use std::cell::Cell;

/// A set of bytes, one bit per kind of byte.
pub(super) type Class = u32;

/// `0` to `9`.
pub(super) const DIGIT: Class = 1;
/// `a` to `f`.
pub(super) const HEX_LOWER: Class = 2;
const REST_LOWER: Class = 4;
const HEX_UPPER: Class = 8;
const REST_UPPER: Class = 16;
pub(super) const UNDERSCORE: Class = 32;
pub(super) const DASH: Class = 64;
pub(super) const DOT: Class = 128;
pub(super) const PLUS: Class = 256;
pub(super) const SLASH: Class = 512;
pub(super) const EQUALS: Class = 1024;
pub(super) const TILDE: Class = 2048;
pub(super) const PERCENT: Class = 4096;
/// Blank, tab, line feed, carriage return, vertical tab, form feed.
pub(super) const SPACE: Class = 8192;
pub(super) const BACKSLASH: Class = 16384;
/// Bytes of UTF-8 beyond ASCII, and what is not UTF-8.
pub(super) const HIGH: Class = 32768;
pub(super) const COLON: Class = 65536;
/// What ends a value in nearly every way that logs are written in.
pub(super) const QUOTE: Class = 131_072;
/// Whatever else is ASCII.
pub(super) const REST: Class = 262_144;

pub(super) const LOWER: Class = HEX_LOWER | REST_LOWER;
pub(super) const UPPER: Class = HEX_UPPER | REST_UPPER;
pub(super) const LETTER: Class = LOWER | UPPER;
pub(super) const ALNUM: Class = LETTER | DIGIT;
pub(super) const WORD: Class = ALNUM | UNDERSCORE;
pub(super) const HEX: Class = DIGIT | HEX_LOWER | HEX_UPPER;
/// base64url without padding.
pub(super) const URL64: Class = WORD | DASH;
/// base64 without padding.
pub(super) const BASE64: Class = ALNUM | PLUS | SLASH;
/// Whatever tokens are made of.
pub(super) const TOKEN: Class = URL64 | DOT | PLUS | SLASH | EQUALS | TILDE;

const fn kind(byte: u8) -> Class {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'a'..=b'f' => HEX_LOWER,
        b'g'..=b'z' => REST_LOWER,
        b'A'..=b'F' => HEX_UPPER,
        b'G'..=b'Z' => REST_UPPER,
        b'_' => UNDERSCORE,
        b'-' => DASH,
        b'.' => DOT,
        b'+' => PLUS,
        b'/' => SLASH,
        b'=' => EQUALS,
        b'~' => TILDE,
        b'%' => PERCENT,
        b' ' | 9..=13 => SPACE,
        b'\\' => BACKSLASH,
        b':' => COLON,
        b'"' | b'\'' | b'`' => QUOTE,
        128..=255 => HIGH,
        _ => REST,
    }
}

const KINDS: [Class; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing, reason = "checked when compiled")]
    while byte < 256 {
        kinds[byte] = kind(byte as u8);
        byte += 1;
    }
    kinds
};

/// The kind of a byte.
#[inline(always)]
pub(super) fn kind_of(byte: u8) -> Class {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Whether `byte` is in `class`.
#[inline(always)]
pub(super) fn is(byte: u8, class: Class) -> bool {
    kind_of(byte) & class != 0
}

/// What a masked value is written as; see the redaction marker in the documentation.
pub(super) const MARKER: &[u8] = b"[REDACTED:";
/// The longest marker that is known as one, in bytes.
pub(super) const MARKER_MOST: usize = 160;
/// Runs that are remembered.
const RUNS: usize = 8;

/// A text, and how many of its bytes were looked at.
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    steps: Cell<u64>,
    /// INVARIANT: all of `from..to` is in the class; what stands at `to` is not, or was not looked at.
    runs: [Cell<(Class, usize, usize)>; RUNS],
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, steps: Cell::new(0), runs: [const { Cell::new((0, 0, 0)) }; RUNS] }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// All of it, for those who say themselves what they look at.
    pub(super) fn all(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    pub(super) fn spend(&self, steps: usize) {
        // No text is so long that they go round.
        self.steps.set(self.steps.get().wrapping_add(steps as u64));
    }

    /// The byte at `at`.
    pub(super) fn at(&self, at: usize) -> Option<u8> {
        self.spend(1);
        self.bytes.get(at).copied()
    }

    /// The byte before `at`.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        self.at(at.checked_sub(1)?)
    }

    /// Whether the byte at `at` is in `class`.
    pub(super) fn is(&self, at: usize, class: Class) -> bool {
        self.at(at).is_some_and(|byte| is(byte, class))
    }

    /// Whether the byte before `at` is in `class`.
    pub(super) fn is_before(&self, at: usize, class: Class) -> bool {
        self.before(at).is_some_and(|byte| is(byte, class))
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.spend(end.saturating_sub(start));
        self.bytes.get(start..end.min(self.bytes.len())).unwrap_or_default()
    }

    pub(super) fn starts(&self, at: usize, with: &[u8]) -> bool {
        self.spend(1);
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(with))
    }

    /// As `starts`, whatever the case; `with` is in lower case.
    pub(super) fn starts_folded(&self, at: usize, with: &[u8]) -> bool {
        self.spend(with.len());
        self.bytes.get(at..at + with.len()).is_some_and(|there| there.eq_ignore_ascii_case(with))
    }

    pub(super) fn ends(&self, at: usize, with: &[u8]) -> bool {
        self.spend(1);
        self.bytes.get(..at).is_some_and(|before| before.ends_with(with))
    }

    /// Where the run of `class` that starts at `from` ends, at most `most` bytes on.
    pub(super) fn run(&self, class: Class, from: usize, most: usize) -> usize {
        let limit = from.saturating_add(most).min(self.bytes.len());
        let slot = (class ^ (class >> 3) ^ (class >> 7)) as usize % RUNS;
        let known = self.runs.get(slot).map(Cell::get).filter(|run| run.0 == class && run.1 <= from && from < run.2);
        let at = known.map_or(from, |run| run.2);
        if at >= limit {
            return limit;
        }
        let rest = self.bytes.get(at..limit).unwrap_or_default();
        let length = rest.iter().position(|byte| !is(*byte, class)).unwrap_or(rest.len());
        self.spend(length + 1);
        let end = at + length;
        if let Some(run) = self.runs.get(slot) {
            run.set((class, known.map_or(from, |run| run.1), end));
        }
        end
    }

    /// Where the run of `class` that ends at `to` starts, at most `most` bytes before.
    pub(super) fn run_back(&self, class: Class, to: usize, most: usize) -> usize {
        let rest = self.bytes.get(to.saturating_sub(most)..to).unwrap_or_default();
        let length = rest.iter().rev().take_while(|byte| is(**byte, class)).count();
        self.spend(length + 1);
        to - length
    }

    /// Where `what` stands first from `from` on, within `most` bytes.
    pub(super) fn find(&self, what: &[u8], from: usize, most: usize) -> Option<usize> {
        let rest = self.bytes.get(from..from.saturating_add(most).min(self.bytes.len()))?;
        let at = rest.windows(what.len().max(1)).position(|window| window == what);
        self.spend(at.unwrap_or(rest.len()));
        Some(from + at?)
    }

    /// Whether a word may start at `at`: no byte of `class` stands before it, and no marker, which was something once.
    pub(super) fn opens(&self, at: usize, class: Class) -> bool {
        match self.before(at) {
            None => true,
            Some(b']') => self.marker_before(at).is_none(),
            Some(byte) => !is(byte, class),
        }
    }

    /// Whether a word may end at `at`.
    pub(super) fn closes(&self, at: usize, class: Class) -> bool {
        match self.at(at) {
            None => true,
            Some(b'[') => !self.starts(at, MARKER),
            Some(byte) => !is(byte, class),
        }
    }

    /// The start of the marker that ends at `end`.
    fn marker_before(&self, end: usize) -> Option<usize> {
        let from = end.saturating_sub(MARKER_MOST);
        let before = self.bytes.get(from..end.checked_sub(1)?)?;
        let open = before.iter().rposition(|byte| *byte == b'[');
        self.spend(before.len() - open.unwrap_or(0));
        let open = from + open?;
        self.starts(open, MARKER).then_some(open)
    }
}
