//! WHAT in a text is personal or secret.
//!
//! ```text
//! text ─► locate: one lazy automaton over all locators ─► at each hit, the validator of what may stand there
//!              │ cues of escapes, runs of base64                 │ candidates
//!              ▼                                                 ▼
//!         decode, one level deep ─► the same again ─────► settle: sorted, disjoint, the strongest named
//! ```
//!
//! What it costs is bounded by the text's length, whatever the text: the automaton takes one step per byte, and no
//! validator looks at more than a window around its hit, or walks a run of a class twice.

mod alphabet;
mod card;
mod catalog;
mod crypto;
mod cues;
mod custom;
mod decode;
mod eights;
mod email;
mod iban;
mod ids;
mod ip;
mod keys;
mod locate;
mod number;
mod phone;
mod place;
mod runs;
mod scan;
mod score;
mod secret;
mod select;
mod settle;
mod states;
mod text;
mod token;
mod words;

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

pub use catalog::{About, catalog};
pub use custom::Custom;
pub use scan::Scratch;
pub use score::{Label, Score, Tally};
pub use select::Selection;

use catalog::Built;
use cues::Cue;
use text::Text;
use words::Bit;

/// Which detector it was: `Detectors::name` says how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DetectorId(u16);

/// What was found: bytes of the text, and by which detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The bytes, never none.
    pub range: Range<usize>,
    /// The detector; where several saw the same bytes, the strongest.
    pub detector: DetectorId,
}

/// What is known of a text beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint<'a> {
    /// The name of the field as it stands in the record; empty where it has none.
    pub key: &'a [u8],
}

/// Why there are no such detectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectorError {
    /// Nothing is called so, neither a detector nor a group.
    Unknown {
        /// As it was written.
        name: String,
    },
    /// A custom detector's name cannot be.
    Name {
        /// As it was written.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A custom detector's pattern cannot be.
    Pattern {
        /// The detector's name.
        name: String,
        /// The column in the pattern, from 1 on.
        place: Option<usize>,
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// There are more custom detectors than may be.
    TooMany {
        /// How many may be.
        most: usize,
    },
    /// All together are too large.
    TooLarge,
}

impl fmt::Display for DetectorError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(out, "no detector or group is called `{name}`"),
            Self::Name { name, why } => write!(out, "custom detector `{name}`: {why}"),
            Self::Pattern { name, place: Some(column), why } => {
                write!(out, "custom detector `{name}`, column {column} of its pattern: {why}")
            }
            Self::Pattern { name, place: None, why } => write!(out, "custom detector `{name}`, its pattern: {why}"),
            Self::TooMany { most } => write!(out, "there are more than {most} custom detectors"),
            Self::TooLarge => write!(out, "the patterns of all custom detectors are too large together"),
        }
    }
}

impl std::error::Error for DetectorError {}

/// All detectors that are on. Built once and shared; what a search needs beside them is in a [`Scratch`].
pub struct Detectors {
    locator: locate::Locator,
    cues: Vec<Cue>,
    custom: Vec<custom::Compiled>,
    names: Vec<String>,
    rules: Rules,
}

/// What validators look up.
struct Rules {
    on: Vec<bool>,
    words: words::Words,
    ids: Vec<&'static ids::Id>,
    shapes: ids::Shapes,
    forms: ids::Forms,
    keys: keys::Keys,
}

impl Rules {
    fn is_on(&self, id: DetectorId) -> bool {
        self.on.get(usize::from(id.0)).is_some_and(|on| *on)
    }
}

impl Detectors {
    /// The detectors of `selection`. Errors say which name or pattern is wrong, and where.
    pub fn new(selection: &Selection) -> Result<Self, DetectorError> {
        let (names, on) = selection.resolve()?;
        let first = names.len() - selection.custom.len();
        let compile = |(index, custom)| custom::Compiled::new(custom, DetectorId((first + index) as u16));
        let custom: Vec<_> = selection.custom.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        let (keys, heads) = keys::Keys::new();
        let ids: Vec<&'static ids::Id> = ids::all().collect();
        let rules =
            Rules { on, words: words::Words::new(), ids, shapes: ids::Shapes::new(), forms: ids::Forms::new(), keys };
        let mut cues = cues::all(&rules, &heads);
        cues.extend(
            selection.custom.iter().enumerate().map(|(index, custom)| (Cue::Custom(index), custom.pattern.clone())),
        );
        let patterns: Vec<&str> = cues.iter().map(|(_, pattern)| pattern.as_str()).collect();
        let locator = locate::Locator::new(&patterns).map_err(|_| DetectorError::TooLarge)?;
        Ok(Self { locator, cues: cues.into_iter().map(|(cue, _)| cue).collect(), custom, names, rules })
    }

    /// How a detector is called, such as `national_id/us_ssn`.
    pub fn name(&self, id: DetectorId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", String::as_str)
    }

    /// Its group: what stands before the `/` in its name, or all of it.
    pub fn group(&self, id: DetectorId) -> &str {
        self.name(id).split('/').next().unwrap_or_default()
    }

    /// Every detector that is on, with its id.
    pub fn names(&self) -> impl Iterator<Item = (DetectorId, &str)> {
        let on =
            |(index, name): (usize, &'_ String)| self.rules.on.get(index).is_some_and(|on| *on) && !name.is_empty();
        let all = self.names.iter().enumerate().filter(move |(index, name)| on((*index, *name)));
        all.map(|(index, name)| (DetectorId(index as u16), name.as_str()))
    }

    /// Puts what is personal or secret in `text` into `found`, which is cleared before: sorted, disjoint, in bounds.
    ///
    /// ```
    /// # use partywall_log_redaction::detect::{Detectors, Hint, Scratch, Selection};
    /// let detectors = Detectors::new(&Selection::default()).unwrap();
    /// let (mut scratch, mut found) = (Scratch::new(&detectors), Vec::new());
    /// detectors.find(&mut scratch, b"mail from ada@example.com", Hint::default(), &mut found);
    /// assert_eq!((found[0].range.clone(), detectors.name(found[0].detector)), (10..25, "email"));
    /// ```
    pub fn find(&self, scratch: &mut Scratch, text: &[u8], hint: Hint<'_>, found: &mut Vec<Finding>) {
        scan::find(self, scratch, text, hint, found);
    }
}

/// How sure a validator is: where findings overlap, the surer names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// A field's name or a word beside it says so.
    Told,
    /// It is written so.
    Shaped,
    /// It is written so, and its check digits or parts are right.
    Checked,
    /// The operator says so.
    Custom,
    /// It decodes, or its checksum of many bits is right: nothing within needs to be looked at.
    Proved,
}

/// What a validator has found.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    start: usize,
    end: usize,
    id: DetectorId,
    strength: Strength,
}

/// What validators see: the text, the field's name, and what to look up.
struct Look<'t> {
    text: Text<'t>,
    rules: &'t Rules,
    key: &'t [u8],
    /// What the field's name speaks of, and its last word.
    key_bits: (Bit, Bit),
    /// What the words before a place, and those after one, speak of, as they were read last.
    before: Cell<(usize, Bit)>,
    after: Cell<(usize, Bit)>,
    /// Where none of them speaks of anything.
    quiet: Cell<words::Quiet<'t>>,
    /// The value without quotes that was walked last.
    extent: Cell<(usize, usize)>,
}

impl<'t> Look<'t> {
    fn new(text: &'t [u8], rules: &'t Rules, key: &'t [u8], key_bits: (Bit, Bit)) -> Self {
        let none = || Cell::new((usize::MAX, 0));
        Self {
            text: Text::new(text),
            rules,
            key,
            key_bits,
            before: none(),
            after: none(),
            quiet: Cell::default(),
            extent: Cell::new((usize::MAX, 0)),
        }
    }

    /// A candidate, if its detector is on.
    fn found(&self, built: Built, start: usize, end: usize, strength: Strength) -> Option<Candidate> {
        self.found_as(built.id(), start, end, strength)
    }

    fn found_as(&self, id: DetectorId, start: usize, end: usize, strength: Strength) -> Option<Candidate> {
        (self.rules.is_on(id) && start < end && end <= self.text.len()).then_some(Candidate {
            start,
            end,
            id,
            strength,
        })
    }

    /// Whether a word beside `start..end`, or the field's name, speaks of `bit`.
    fn told(&self, bit: Bit, start: usize, end: usize) -> bool {
        if self.key_bits.0 & bit != 0 {
            return true;
        }
        let (mut before, mut after) = (self.before.get(), self.after.get());
        if before.0 != start {
            before = (start, self.rules.words.before(&self.text, &self.quiet, start));
            self.before.set(before);
        }
        if before.1 & bit != 0 {
            return true;
        }
        if after.0 != end {
            after = (end, self.rules.words.after(&self.text, end));
            self.after.set(after);
        }
        after.1 & bit != 0
    }

    /// Whether the field's name ends with one of `words`.
    fn key_is_any(&self, words: &[&[u8]]) -> bool {
        let ends = |word: &&[u8]| {
            let at = self.key.len().checked_sub(word.len());
            at.is_some_and(|at| {
                let before = at.checked_sub(1).and_then(|before| self.key.get(before));
                let apart = before.is_none_or(|byte| !byte.is_ascii_alphabetic());
                let tail = self.key.get(at..).unwrap_or_default();
                // userAgentVersion: a capital begins a word too.
                let capital =
                    tail.first().is_some_and(u8::is_ascii_uppercase) && before.is_some_and(u8::is_ascii_lowercase);
                tail.eq_ignore_ascii_case(word) && (apart || capital)
            })
        };
        words.iter().any(ends)
    }
}
