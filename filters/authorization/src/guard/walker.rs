//! One JSON text as it streams: RFC 8259, strictly, with owners, or times, looked for on the way.
//!
//! What lies outside of elements passes at once; an element when it ended ([`super::hold`]). Beside the element that is
//! read the walker needs the same few bytes whatever the size of the text.

use std::sync::Arc;

use super::asked::Asked;
use super::hold::{Hold, Passing};
use super::number::Number;
use super::rules::{Pointer, Step};
use super::text::{Compared, Text};
use super::{Counts, Refused};

/// How deeply arrays and objects may nest: one bit of a number for each.
pub(super) const MAX_DEPTH: usize = 64;

/// The reader of one JSON text.
#[derive(Debug)]
pub(super) struct Walker {
    rules: Arc<Pointer>,
    asked: Asked,
    state: State,
    /// For each open container whether it is an object, the innermost in the lowest bit.
    objects: u64,
    depth: usize,
    /// How many of the open containers, from the outermost, lie on the way to an owner.
    live: usize,
    /// For each of these, from the lowest bit, whether the member that leads on was there.
    found: u32,
    /// Whether the value that comes, or that is read, lies on the way to an owner.
    leads: bool,
    hold: Hold,
    pub(super) counts: Counts,
}

#[derive(Debug)]
enum State {
    /// A value must come,
    Value,
    /// or the end of the array that was just opened.
    FirstItem,
    /// A key must come,
    Key,
    /// or the end of the object that was just opened.
    FirstKey,
    Colon,
    /// A comma, an end, or after the outermost value nothing.
    After,
    InKey(Text),
    InText(Text),
    InNumber(Number, Compared),
    /// What must follow of `true`, `false` or `null`.
    InWord(&'static [u8]),
}

impl Walker {
    pub(super) fn new(rules: Arc<Pointer>, asked: Asked) -> Self {
        let mut hold = Hold::default();
        if rules.element_level() == 0 {
            hold.begin(0);
        }
        Self {
            rules,
            asked,
            state: State::Value,
            objects: 0,
            depth: 0,
            live: 0,
            found: 0,
            leads: true,
            hold,
            counts: Counts::default(),
        }
    }

    /// Reads `chunk`, and adds to `out` what may leave. After an error nothing more may be asked.
    pub(super) fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let mut passing = Passing::new(chunk, out);
        let mut at = 0;
        while at < chunk.len() {
            at = self.step(at, &mut passing)?;
        }
        self.hold.keep(self.rules.cap, passing)
    }

    /// The text ends here.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        if let State::InNumber(number, _) = &self.state
            && number.is_whole()
        {
            self.number_ends(0, &mut Passing::new(&[], out))?;
        }
        if self.depth == 0 && matches!(self.state, State::After) { Ok(()) } else { Err(Refused::Cut) }
    }

    /// How many bytes are kept back.
    pub(super) fn kept_back(&self) -> usize {
        self.hold.kept_back()
    }

    /// Reads one token, or what the chunk has of it. Gives where to go on.
    fn step(&mut self, at: usize, passing: &mut Passing<'_>) -> Result<usize, Refused> {
        let rest = passing.chunk.get(at..).unwrap_or_default();
        match &mut self.state {
            State::InKey(text) => {
                let expected = match self.rules.step(self.depth.saturating_sub(1)) {
                    Some(Step::Key(key)) => &**key,
                    _ => &[],
                };
                let (read, ended) = text.read(rest, expected)?;
                if ended {
                    let is = text.is(expected);
                    self.key_ends(is);
                }
                return Ok(at + read);
            }
            State::InText(text) => {
                let (read, ended) = text.read(rest, self.asked.expected())?;
                if ended {
                    let suits = self.leads && self.asked.suits(text.compared(), false)?;
                    self.scalar_ends(suits, at + read, passing)?;
                }
                return Ok(at + read);
            }
            State::InNumber(number, compared) => {
                let mut read = 0;
                let mut ended = false;
                for &byte in rest {
                    let Some(next) = number.next(byte)? else {
                        ended = true;
                        break;
                    };
                    *number = next;
                    read += 1;
                }
                compared.add(rest.get(..read).unwrap_or_default(), self.asked.expected());
                if ended {
                    self.number_ends(at + read, passing)?;
                }
                return Ok(at + read);
            }
            State::InWord(word) => {
                let (Some((wanted, more)), Some(found)) = (word.split_first(), rest.first()) else {
                    return Err(Refused::Invalid(NO_VALUE));
                };
                if wanted != found {
                    return Err(Refused::Invalid(NO_VALUE));
                }
                *word = more;
                if more.is_empty() {
                    self.value_ends(at + 1, passing)?;
                }
                return Ok(at + 1);
            }
            _ => {}
        }
        let Some(&byte) = rest.first() else { return Ok(at) };
        if let b' ' | b'\n' | b'\r' | b'\t' = byte {
            return Ok(at + rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')).count());
        }
        self.token(byte, at, passing)?;
        Ok(at + 1)
    }

    /// A byte between strings, numbers and words.
    fn token(&mut self, byte: u8, at: usize, passing: &mut Passing<'_>) -> Result<(), Refused> {
        match (&self.state, byte) {
            (State::FirstItem, b']') | (State::FirstKey, b'}') => self.close(byte == b'}', at, passing),
            (State::After, b']' | b'}') if self.depth > 0 => self.close(byte == b'}', at, passing),
            (State::After, b',') if self.depth > 0 => {
                if self.among_elements() {
                    self.hold.begin(at);
                }
                self.next();
                Ok(())
            }
            (State::FirstKey | State::Key, b'"') => {
                let wanted = self.live == self.depth && matches!(self.rules.step(self.depth - 1), Some(Step::Key(_)));
                self.state = State::InKey(Text::new(Compared::new(wanted)));
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::FirstItem | State::Value, _) => self.value(byte, at),
            (State::After, _) if self.depth == 0 => Err(Refused::Invalid("something follows the JSON text")),
            _ => Err(Refused::Invalid("a comma, colon, key or bracket that JSON does not have here")),
        }
    }

    /// Whether the innermost container is that of the elements.
    fn among_elements(&self) -> bool {
        self.depth > 0 && self.depth == self.rules.element_level() && self.live == self.depth
    }

    /// A member of the innermost container follows.
    fn next(&mut self) {
        if self.objects & 1 == 1 {
            self.state = State::Key;
        } else {
            self.leads = self.item_leads();
            self.state = State::Value;
        }
    }

    /// Whether the items of the innermost container, an array, lie on the way.
    fn item_leads(&self) -> bool {
        self.live == self.depth && self.rules.step(self.depth - 1) == Some(&Step::Each)
    }

    fn key_ends(&mut self, is_expected: bool) {
        self.leads = self.live == self.depth
            && match self.rules.step(self.depth - 1) {
                Some(Step::Each) => true,
                Some(Step::Key(_)) => is_expected,
                None => false,
            };
        if self.leads {
            self.found |= 1 << (self.depth - 1);
        }
        self.state = State::Colon;
    }

    /// A value begins.
    fn value(&mut self, byte: u8, at: usize) -> Result<(), Refused> {
        if self.hold.open && self.depth == self.rules.element_level() {
            self.hold.value(at);
        }
        let is_owner = self.leads && self.depth == self.rules.owner_level();
        match byte {
            b'{' => return self.open(true, is_owner, at),
            b'[' => return self.open(false, is_owner, at),
            b'"' => self.state = State::InText(Text::new(self.asked.compared(is_owner))),
            b't' => self.state = State::InWord(b"rue"),
            b'f' => self.state = State::InWord(b"alse"),
            b'n' => {
                self.state = State::InWord(b"ull");
                // Where elements or one of them should be there is nothing, and nothing has no owner.
                if !is_owner && self.depth <= self.rules.element_level() {
                    return Ok(());
                }
            }
            _ => {
                let number = Number::begin(byte).ok_or(Refused::Invalid(NO_VALUE))?;
                let mut compared = self.asked.compared(is_owner);
                compared.add(&[byte], self.asked.expected());
                self.state = State::InNumber(number, compared);
            }
        }
        let can_be_owner = matches!(self.state, State::InText(_) | State::InNumber(..));
        if self.leads && !(is_owner && can_be_owner) {
            return Err(self.asked.missing());
        }
        Ok(())
    }

    fn open(&mut self, object: bool, is_owner: bool, at: usize) -> Result<(), Refused> {
        if self.depth == MAX_DEPTH {
            return Err(Refused::TooDeep);
        }
        if self.leads {
            // An array has no member of that name, and an owner is no container.
            if is_owner || (!object && matches!(self.rules.step(self.depth), Some(Step::Key(_)))) {
                return Err(self.asked.missing());
            }
            self.live = self.depth + 1;
            self.found &= !(1 << self.depth);
        }
        self.objects = (self.objects << 1) | u64::from(object);
        self.depth += 1;
        if self.leads && self.among_elements() {
            self.hold.first();
            self.hold.begin(at + 1);
        }
        if object {
            self.state = State::FirstKey;
        } else {
            self.leads = self.item_leads();
            self.state = State::FirstItem;
        }
        Ok(())
    }

    fn close(&mut self, object: bool, at: usize, passing: &mut Passing<'_>) -> Result<(), Refused> {
        if object != (self.objects & 1 == 1) {
            return Err(Refused::Invalid("a bracket closes what another kind of bracket opened"));
        }
        if self.among_elements() && self.hold.open {
            self.hold.none(passing);
        }
        let level = self.depth - 1;
        if self.live == self.depth {
            // INVARIANT: every object on the way had the member that leads on, so each element was told an owner.
            if matches!(self.rules.step(level), Some(Step::Key(_))) && self.found & (1 << level) == 0 {
                return Err(self.asked.missing());
            }
            self.live = level;
        }
        self.objects >>= 1;
        self.depth = level;
        self.value_ends(at + 1, passing)
    }

    fn number_ends(&mut self, at: usize, passing: &mut Passing<'_>) -> Result<(), Refused> {
        let suits = match &self.state {
            State::InNumber(_, compared) if self.leads => self.asked.suits(compared, true)?,
            _ => false,
        };
        self.scalar_ends(suits, at, passing)
    }

    /// A string or number ended before `at`; `suits` says whether it was as it must be, if it lies on the way.
    fn scalar_ends(&mut self, suits: bool, at: usize, passing: &mut Passing<'_>) -> Result<(), Refused> {
        if self.leads && !suits {
            // INVARIANT: never taken back while the element lasts: of two owners the foreign one counts, of two times the
            // one that is too long ago.
            self.hold.foreign = true;
            if self.rules.foreign == partywall_tenancy::Foreign::Deny {
                return Err(self.asked.other());
            }
        }
        self.value_ends(at, passing)
    }

    fn value_ends(&mut self, at: usize, passing: &mut Passing<'_>) -> Result<(), Refused> {
        self.leads = false;
        self.state = State::After;
        if self.hold.open && self.depth == self.rules.element_level() {
            self.hold.settle(at, self.rules.cap, self.rules.foreign, &mut self.counts, passing)?;
        }
        Ok(())
    }
}

const NO_VALUE: &str = "no value that JSON has";
