//! One search: the automaton over the text, validators at its hits, and again over what is decoded.

use regex_automata::hybrid::regex;

use super::catalog::Built;
use super::cues::Cue;
use super::decode::{Decoded, long_words, may_be_base64, runs, words};
use super::number::{Number, start_of_eight};
use super::states::States;
use super::text::{ALNUM, DIGIT, MARKER, MARKER_MOST, Text};
use super::words::Bit;
use super::{
    Candidate, Detectors, Finding, Hint, Look, Rules, Strength, card, crypto, email, iban, ids, ip, keys, phone, place,
    secret, settle, token,
};

/// Field names whose meaning is remembered: so many that fall on the same place, in so many places.
const WAYS: usize = 4;
const KEYS: usize = 64;
/// The longest field name that is read; of a longer one, its end.
const KEY: usize = 128;

/// What a search needs beside the detectors, to be used again and again.
pub struct Scratch {
    automaton: States,
    custom: Vec<regex::Cache>,
    candidates: Vec<Candidate>,
    decoded: Decoded,
    keys: Keys,
    /// Where what needs no second look stands.
    proved: Vec<(usize, usize)>,
    steps: u64,
}

/// What a field's name speaks of.
struct Key {
    name: Vec<u8>,
    bits: (Bit, Bit),
    keywords: Vec<usize>,
}

impl Scratch {
    /// For `detectors`, and no others.
    pub fn new(detectors: &Detectors) -> Self {
        Self {
            automaton: detectors.locator.states(),
            custom: detectors.custom.iter().map(super::custom::Compiled::cache).collect(),
            candidates: Vec::new(),
            decoded: Decoded::default(),
            keys: Keys::default(),
            proved: Vec::new(),
            steps: 0,
        }
    }

    /// How many bytes validators have looked at since it was made; the automaton's one step per byte is not in it.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How much memory the automaton's states take, in bytes.
    pub fn memory(&self) -> usize {
        self.automaton.memory()
    }
}

/// What names of fields speak of.
#[derive(Default)]
struct Keys {
    places: Vec<[Option<Key>; WAYS]>,
    /// Which one is forgotten next.
    next: usize,
}

impl Keys {
    /// What `name` speaks of; none where it is empty.
    fn of(&mut self, rules: &Rules, name: &[u8]) -> Option<&Key> {
        if name.is_empty() {
            return None;
        }
        if self.places.is_empty() {
            self.places.resize_with(KEYS, Default::default);
        }
        let place = self.places.get_mut((crate::hash::of(name) >> 7) as usize % KEYS)?;
        let known = place.iter().position(|key| key.as_ref().is_some_and(|key| key.name == name));
        let at = known.unwrap_or_else(|| {
            self.next = (self.next + 1) % WAYS;
            self.next
        });
        let key = place.get_mut(at)?;
        if known.is_none() {
            *key = Some(Key::new(rules, name));
        }
        key.as_ref()
    }
}

impl Key {
    fn new(rules: &Rules, name: &[u8]) -> Self {
        Self { name: name.to_vec(), bits: rules.words.name(name), keywords: keys::keywords_in(&rules.keys, name) }
    }
}

/// Which cues were seen that ask for more than their own validator.
#[derive(Default)]
struct Seen {
    escape: bool,
    failed: bool,
}

pub(super) fn find(
    detectors: &Detectors,
    scratch: &mut Scratch,
    text: &[u8],
    hint: Hint<'_>,
    found: &mut Vec<Finding>,
) {
    found.clear();
    if text.is_empty() {
        return;
    }
    let key = hint.key.get(hint.key.len().saturating_sub(KEY)..).unwrap_or_default();
    let Scratch { automaton, custom, candidates, decoded, keys, proved, steps } = scratch;
    candidates.clear();
    let known = keys.of(&detectors.rules, key);
    let bits = known.map_or((0, 0), |known| known.bits);
    let look = Look::new(text, &detectors.rules, key, bits);
    if !key.is_empty() {
        candidates.extend(secret::by_name(&look));
        candidates.extend(place::by_name(&look));
        if let Some(known) = known
            && !known.keywords.is_empty()
        {
            candidates.extend(keys::by_name(&look, &known.keywords));
        }
    }
    let mut engine = Engine { detectors, automaton, custom };
    let seen = engine.scan(&look, candidates);
    if seen.failed {
        candidates.extend(look.found(Built::Unscanned, 0, text.len(), Strength::Proved));
    }
    *steps += look.text.steps();
    if seen.escape {
        let mut from = Some(0);
        while let Some(start) = from {
            from = decoded.unescape(text, start);
            *steps += engine.inside(decoded, key, bits, candidates, |start, end, decoded| decoded.place(start, end));
        }
    }
    proved.clear();
    proved.extend(candidates.iter().filter(|one| one.strength == Strength::Proved).map(|one| (one.start, one.end)));
    proved.sort_unstable();
    // Runs come in order, so that each of what is proved is looked at once.
    let (mut left, mut until, mut spent) = (proved.iter().peekable(), 0, 0);
    let looked_at = runs(text, |start, end| {
        while let Some((_, proved)) = left.next_if(|(from, _)| *from <= start) {
            until = until.max(*proved);
            spent += 1;
        }
        if until < end {
            spent += engine.run(&look, decoded, start, end, candidates);
        }
    });
    *steps += spent + looked_at;
    settle::settle(candidates, found);
}

/// The automaton and its caches.
struct Engine<'e> {
    detectors: &'e Detectors,
    automaton: &'e mut States,
    custom: &'e mut Vec<regex::Cache>,
}

impl Engine<'_> {
    fn scan(&mut self, look: &Look<'_>, out: &mut Vec<Candidate>) -> Seen {
        let detectors = self.detectors;
        let mut seen = Seen::default();
        let mut custom_end = 0;
        let text = look.text.all();
        let done = detectors.locator.scan(self.automaton, text, |pattern, end| {
            let Some(cue) = detectors.cues.get(pattern) else { return 0 };
            let found = match cue {
                Cue::Escape => {
                    seen.escape = true;
                    None
                }
                Cue::Marker => return after_marker(detectors, &look.text, end),
                Cue::Custom(index) => {
                    if end <= custom_end {
                        return 0;
                    }
                    let custom = detectors.custom.get(*index).zip(self.custom.get_mut(*index));
                    let found = custom.and_then(|(custom, cache)| custom.find(look, cache, custom_end, end));
                    custom_end = found.map_or(custom_end, |found| found.end);
                    found
                }
                Cue::Number => {
                    numbers(look, end, out);
                    None
                }
                other => validate(look, *other, end),
            };
            let Some(found) = found else { return 0 };
            out.push(found);
            if found.strength == Strength::Proved { found.end } else { 0 }
        });
        seen.failed = !done;
        look.text.spend_all(long_words(text, |start, end| out.extend(ids::word(look, start, end))));
        seen
    }

    /// Looks through what was decoded, and adds what is found there by where it stands in the text. Returns the steps.
    fn inside(
        &mut self,
        decoded: &Decoded,
        key: &[u8],
        bits: (Bit, Bit),
        out: &mut Vec<Candidate>,
        place: impl Fn(usize, usize, &Decoded) -> Option<(usize, usize)>,
    ) -> u64 {
        let mut within = Vec::new();
        let look = Look::new(&decoded.bytes, &self.detectors.rules, key, bits);
        self.scan(&look, &mut within);
        for one in within {
            if let Some((start, end)) = place(one.start, one.end, decoded)
                && start < end
            {
                out.push(Candidate { start, end, ..one });
            }
        }
        look.text.steps() + decoded.bytes.len() as u64
    }

    /// A run of 20 bytes of base64 or more: an address in Base58, or base64 that holds something.
    fn run(
        &mut self,
        look: &Look<'_>,
        decoded: &mut Decoded,
        start: usize,
        end: usize,
        out: &mut Vec<Candidate>,
    ) -> u64 {
        let text = look.text.all();
        let steps = look.text.steps();
        let run = text.get(start..end).unwrap_or_default();
        for (from, to) in words(text, start, end) {
            if (26..=35).contains(&(to - from)) && look.text.opens(from, ALNUM) {
                out.extend(crypto::base58(look, from, to));
            }
        }
        let mut spent = look.text.steps() - steps;
        if !may_be_base64(run) {
            return spent;
        }
        let mut at = start;
        let whole = self.base64(look, decoded, (start, end), out);
        spent += whole.0;
        if !whole.1 {
            for part in run.split(|byte| *byte == b'/') {
                if part.len() < run.len() && may_be_base64(part) {
                    spent += self.base64(look, decoded, (at, at + part.len()), out).0;
                }
                at += part.len() + 1;
            }
        }
        spent
    }

    /// Whether `start..end` is base64 of text, and the steps; what is found in it covers all of it.
    fn base64(
        &mut self,
        look: &Look<'_>,
        decoded: &mut Decoded,
        (start, end): (usize, usize),
        out: &mut Vec<Candidate>,
    ) -> (u64, bool) {
        let text = look.text.all();
        let run = text.get(start..end).unwrap_or_default();
        let (mut from, mut steps, mut any) = (Some(0), 0, false);
        let padded = end + text.get(end..).unwrap_or_default().iter().take(2).take_while(|byte| **byte == b'=').count();
        while let Some(at) = from {
            let Some(next) = decoded.base64(run, at) else { break };
            (any, from) = (true, next);
            steps += self.inside(decoded, look.key, (0, 0), out, |_, _, _| Some((start, padded)));
        }
        (steps + 24, any)
    }
}

/// How many digits the fingerprint of a marker has.
const PRINT: usize = 8;

/// Where a marker ends whose beginning ends at `end`; nothing within it is looked at. 0 where it is none.
fn after_marker(detectors: &Detectors, text: &Text<'_>, end: usize) -> usize {
    if !text.ends(end, MARKER) {
        return 0;
    }
    let Some(close) = text.find(b"]", end, MARKER_MOST) else { return 0 };
    let within = text.slice(end, close);
    let Some((name, print)) = within.iter().rposition(|byte| *byte == b':').and_then(|at| within.split_at_checked(at))
    else {
        return 0;
    };
    // Nothing longer: who writes a log may write a marker of their own, with a card in it.
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let ours = match print {
        [b':', print @ ..] => print == b"no_key" || (print.len() == PRINT && print.iter().all(hex)),
        _ => false,
    };
    let known = detectors.names.iter().any(|known| known.as_bytes() == name);
    if ours && known { close + 1 } else { 0 }
}

fn validate(look: &Look<'_>, cue: Cue, end: usize) -> Option<Candidate> {
    match cue {
        Cue::At => email::at_sign(look, end),
        Cue::Plus => phone::plus(look, end),
        Cue::Ipv4 => ip::ipv4(look, end),
        Cue::Ipv6Short => ip::ipv6(look, end, false),
        Cue::Ipv6Full => ip::ipv6(look, end, true),
        Cue::Mac => ip::mac(look, end, false),
        Cue::MacDotted => ip::mac(look, end, true),
        Cue::Jwt => token::jwt(look, end),
        Cue::Pem => token::pem(look, end),
        Cue::Basic => token::basic(look, end),
        Cue::Bearer => token::bearer(look, end),
        Cue::Signed => token::signed(look, end),
        Cue::Field => secret::in_text(look, end),
        Cue::Option => secret::option(look, end),
        Cue::Ethereum => crypto::ethereum(look, end),
        Cue::Bech32 => crypto::bech32(look, end),
        Cue::Pair => place::pair(look, end),
        Cue::Named => place::named(look, end),
        Cue::Iban => iban::iban(look, end),
        Cue::Lettered(index, form) => ids::lettered(look, index, form, end),
        Cue::Key(index) => keys::located(look, index, end),
        Cue::Keyword(index) => keys::after(look, index, end),
        Cue::Number | Cue::Marker | Cue::Escape | Cue::Custom(_) => None,
    }
}

/// A run of digits in groups of which eight end at `end`: at each group, a card, an id or a phone number, in this order.
fn numbers(look: &Look<'_>, end: usize, out: &mut Vec<Candidate>) {
    let Some(mut at) = start_of_eight(&look.text, end) else { return };
    loop {
        let found = if is_date(&look.text, at) { None } else { number(look, at) };
        // Where a card or an id ends, what follows is something else.
        let (next, last) = next_group(&look.text, at, found.map_or(at, |found| found.end));
        out.extend(found);
        at = next;
        if last {
            return;
        }
    }
}

fn number(look: &Look<'_>, start: usize) -> Option<Candidate> {
    if !look.text.opens(start, ALNUM) {
        return None;
    }
    let number = Number::read(&look.text, start);
    if number.groups().iter().all(|group| group.total < 7) {
        return None;
    }
    card::card(look, start, &number)
        .or_else(|| ids::number(look, start, &number))
        .or_else(|| phone::national(look, start, &number))
}

/// Whether a date starts at `at`, as in `2026-11-29`: nearly every line has one.
fn is_date(text: &Text<'_>, at: usize) -> bool {
    let date = text.slice(at, at + 11);
    matches!(date, [b'1' | b'2', b'0' | b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/' | b'.', b'0' | b'1', b'0'..=b'9', a, b'0'..=b'3', b'0'..=b'9', rest @ ..]
        if date.get(4) == Some(a) && !rest.first().is_some_and(u8::is_ascii_digit))
}

/// Where the next group after the one at `at` starts, no earlier than `from`; and whether there is none.
fn next_group(text: &Text<'_>, at: usize, from: usize) -> (usize, bool) {
    let mut end = text.run(DIGIT, at, usize::MAX);
    loop {
        let mut next = end;
        while next - end < 2 && matches!(text.at(next), Some(b' ' | b'.' | b'/' | b'(' | b')' | b'-')) {
            next += 1;
        }
        if next == end || !text.is(next, DIGIT) {
            return (next, true);
        }
        if next >= from {
            return (next, false);
        }
        end = text.run(DIGIT, next, usize::MAX);
    }
}
