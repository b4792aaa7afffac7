//! One search: the automaton over the text, validators at its hits, and again over what is decoded.

use regex_automata::hybrid::regex;

use super::catalog::Built;
use super::cues::Cue;
use super::decode::{Decoded, may_be_base64};
use super::number::{FEWEST, Number, start_of_eight};
use super::runs::{Long, long};
use super::states::States;
use super::text::{ALNUM, DIGIT, DOT, MARKER, MARKER_MOST, Text};
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

/// The shortest text in which something is found that has none of the signs below: an address of IPv4.
const SHORTEST: usize = 7;

/// Whether a text, whose field's name says nothing and which no custom detector looks at, is too short for all that is looked
/// for. Many are, as `GET` and `200`.
fn says_nothing(text: &[u8]) -> bool {
    text.len() < SHORTEST && !text.iter().any(|byte| matches!(byte, b'@' | b':' | b'=' | b'>'))
}

pub(super) fn find(
    detectors: &Detectors,
    scratch: &mut Scratch,
    text: &[u8],
    hint: Hint<'_>,
    found: &mut Vec<Finding>,
) {
    search(detectors, scratch, text, hint, found, true);
}

/// As `find`; where it is not `quick` nothing is taken for too short.
fn search(
    detectors: &Detectors,
    scratch: &mut Scratch,
    text: &[u8],
    hint: Hint<'_>,
    found: &mut Vec<Finding>,
    quick: bool,
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
    if quick && bits.0 == 0 && candidates.is_empty() && custom.is_empty() && says_nothing(text) {
        return;
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
    let (mut of_words, mut of_runs, mut spent) = (Covered::new(proved), Covered::new(proved), 0);
    long(text, |what, start, end| {
        let before = look.text.steps();
        match what {
            Long::Word => candidates.extend(ids::word(&look, start, end)),
            Long::Base58 if of_words.is(start, end) || !look.text.opens(start, ALNUM) => {}
            Long::Base58 => candidates.extend(crypto::base58(&look, start, end)),
            Long::Base64 if of_runs.is(start, end) => {}
            Long::Base64 => spent += engine.run(&look, decoded, start, end, candidates),
        }
        spent += look.text.steps() - before;
    });
    spent += of_words.spent + of_runs.spent;
    *steps += spent + text.len() as u64;
    settle::settle(candidates, found);
}

/// Whether what is told lies in what is proved, so that it needs no look. What is asked comes in order, and so each of what is
/// proved is looked at once.
struct Covered<'p> {
    left: std::slice::Iter<'p, (usize, usize)>,
    /// Where the last of those ends that start no later.
    until: usize,
    spent: u64,
}

impl<'p> Covered<'p> {
    fn new(proved: &'p [(usize, usize)]) -> Self {
        Self { left: proved.iter(), until: 0, spent: 0 }
    }

    fn is(&mut self, start: usize, end: usize) -> bool {
        while let Some((from, to)) = self.left.as_slice().first()
            && *from <= start
        {
            self.left.next();
            self.until = self.until.max(*to);
            self.spent += 1;
        }
        end <= self.until
    }
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
                Cue::Key => return keys::located(look, end, out),
                Cue::Keyword => return keys::after(look, end, out),
                other => validate(look, *other, end),
            };
            let Some(found) = found else { return 0 };
            out.push(found);
            if found.strength == Strength::Proved { found.end } else { 0 }
        });
        seen.failed = !done;
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
        long(&decoded.bytes, |what, start, end| {
            if what == Long::Word {
                within.extend(ids::word(&look, start, end));
            }
        });
        for one in within {
            if let Some((start, end)) = place(one.start, one.end, decoded)
                && start < end
            {
                out.push(Candidate { start, end, ..one });
            }
        }
        look.text.steps() + 2 * decoded.bytes.len() as u64
    }

    /// A run of 20 bytes of base64 or more, which may hold something. Returns the steps.
    fn run(
        &mut self,
        look: &Look<'_>,
        decoded: &mut Decoded,
        start: usize,
        end: usize,
        out: &mut Vec<Candidate>,
    ) -> u64 {
        let run = look.text.all().get(start..end).unwrap_or_default();
        if !may_be_base64(run) {
            return 0;
        }
        let mut spent = 0;
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
        Cue::Number | Cue::Key | Cue::Keyword | Cue::Marker | Cue::Escape | Cue::Custom(_) => None,
    }
}

/// A run of digits in groups of which eight end at `end`: at each group, a card, an id or a phone number, in this order.
fn numbers(look: &Look<'_>, end: usize, out: &mut Vec<Candidate>) {
    let text = &look.text;
    let Some(mut at) = start_of_eight(text, end) else { return };
    if is_time(text, at) {
        return;
    }
    loop {
        let mut number = Number::read(text, at);
        let (next, last) = loop {
            let may_be = number.total() >= FEWEST && !(number.first() == 4 && is_date(text, number.start));
            if may_be && let Some(found) = one(look, &number) {
                out.push(found);
                // Where a card or an id ends, what follows is something else.
                break next_group(text, number.start + number.first(), found.end);
            }
            if !number.is_whole() {
                break next_group(text, number.start + number.first(), number.start);
            }
            // With a later group there are fewer digits, of no date and time more.
            if number.total() < FEWEST || !number.next() {
                break next_group(text, number.end(), number.start);
            }
        };
        if last {
            return;
        }
        at = next;
    }
}

/// The card, the id or the number of a phone that starts with `number`.
fn one(look: &Look<'_>, number: &Number<'_>) -> Option<Candidate> {
    let (text, start) = (&look.text, number.start);
    // A fraction is part of a number, whichever it is.
    if !text.opens(start, ALNUM) || text.is_before(start, DOT) && !text.opens(start - 1, DIGIT) {
        return None;
    }
    // Most numbers are too long or too short for how they start.
    let (lead, totals) = (number.lead(), number.totals());
    let lengths = card::lengths(lead) & totals;
    let card = if lengths == 0 { None } else { card::card(look, start, number, lengths) };
    let found = if totals & ids::TOTALS == 0 { card } else { card.or_else(|| ids::number(look, start, number)) };
    if phone::lengths(lead, number) & totals == 0 {
        found
    } else {
        found.or_else(|| phone::national(look, start, number))
    }
}

/// Whether a date starts at `at`, as in `2026-11-29`: nearly every line has one.
fn is_date(text: &Text<'_>, at: usize) -> bool {
    let date = text.slice(at, at + 11);
    matches!(date, [b'1' | b'2', b'0' | b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/' | b'.', b'0' | b'1', b'0'..=b'9', a, b'0'..=b'3', b'0'..=b'9', rest @ ..]
        if date.get(4) == Some(a) && !rest.first().is_some_and(u8::is_ascii_digit))
}

/// Whether a date starts at `at` after which no more digits can be of a number, as in RFC 3339: nearly every line has one, and
/// its month and day alone are none.
fn is_time(text: &Text<'_>, at: usize) -> bool {
    let goes_on = |byte: u8| matches!(byte, b' ' | b'.' | b'/' | b'(' | b')' | b'-' | 0xc2);
    is_date(text, at) && !text.at(at + 10).is_some_and(goes_on)
}

/// Where the next group after the one that ends at `end` starts, no earlier than `from`; and whether there is none.
fn next_group(text: &Text<'_>, mut end: usize, from: usize) -> (usize, bool) {
    if text.all().get(end).is_some_and(u8::is_ascii_digit) {
        end = text.run(DIGIT, end, usize::MAX);
    }
    loop {
        let sign = |byte: &u8| matches!(byte, b' ' | b'.' | b'/' | b'(' | b')' | b'-');
        let next = match text.all().get(end..).unwrap_or_default() {
            [a, b'0'..=b'9', ..] if sign(a) => end + 1,
            [a, b, b'0'..=b'9', ..] if sign(a) && sign(b) => end + 2,
            _ => return (end, true),
        };
        text.spend(3);
        if next >= from {
            return (next, false);
        }
        end = text.run(DIGIT, next, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Selection, words};
    use crate::random::random;

    #[test]
    fn what_is_too_short_is_looked_through_all_the_same_and_nothing_is_found() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let (mut scratch, mut found, mut short) = (Scratch::new(&detectors), Vec::new(), 0);
        let mut check = |text: &[u8], key: &[u8]| {
            search(&detectors, &mut scratch, text, Hint { key }, &mut found, false);
            let plain = found.clone();
            find(&detectors, &mut scratch, text, Hint { key }, &mut found);
            assert_eq!(found, plain, "{} ({})", String::from_utf8_lossy(text), String::from_utf8_lossy(key));
            short += usize::from(says_nothing(text));
        };
        for text in
            ["1.1.1.1", "9.9.9.9 ", "a@b.cc", "x%40b.io", "pwd=x", "otp:1", "::1", "12345678", "A123456", "<pwd>x"]
        {
            check(text.as_bytes(), b"");
        }
        // All texts of three of these signs, and what is longer by chance.
        let signs = b"a1@:=>.-+%/\\[] \"'_xZ09\xc2\xa0";
        for at in 0..signs.len().pow(3) {
            let sign = |nth: u32| signs[at / signs.len().pow(nth) % signs.len()];
            check(&[sign(0), sign(1), sign(2)], b"");
        }
        let mut below = random(5);
        let pieces = [
            "otp", "sid", "cvc", "pwd", "pass", ":", "=", ">", "1", "23", "a", "@", "::1", "%40", "-", " ", ".", "1.1",
        ];
        let keys = ["", "", "phone", "password", "lat", "status", "datadog_api_key", "ssn"];
        for _ in 0..60_000 {
            let text: String = (0..1 + below(5)).map(|_| pieces[below(pieces.len())]).collect();
            check(text.as_bytes(), keys[below(keys.len())].as_bytes());
        }
        assert!(short > 10_000, "{short} were too short");
    }

    /// As `numbers`, looking at each group.
    fn plain_numbers(look: &Look<'_>, end: usize, out: &mut Vec<Candidate>) {
        let Some(mut at) = start_of_eight(&look.text, end) else { return };
        loop {
            let found = if is_date(&look.text, at) { None } else { one(look, &Number::read(&look.text, at)) };
            let (next, last) = next_group(&look.text, at, found.map_or(at, |found| found.end));
            out.extend(found);
            at = next;
            if last {
                return;
            }
        }
    }

    #[test]
    fn groups_that_are_left_out_hold_no_number() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let (mut below, mut some, mut times) = (random(11), 0, 0);
        let pieces = [
            "2026-11-29",
            "1999/12/31",
            "2026.01.02",
            "T10:11:12",
            " ",
            "-",
            ".",
            "/",
            "(",
            ")",
            "\u{a0}",
            "\u{e9}",
            "1",
            "23",
            "456",
            "0170",
            "555-0123",
            "4111 1111 1111 1111",
            "078-05-1120",
            "phone",
            "[REDACTED:card]",
            ":",
            "x",
            "\n",
        ];
        for _ in 0..100_000 {
            let text: String = (0..1 + below(9)).map(|_| pieces[below(pieces.len())]).collect();
            let text = text.as_bytes();
            for end in 1..=text.len() {
                let [quick, plain] = [numbers, plain_numbers].map(|numbers| {
                    let (mut out, look) = (Vec::new(), Look::new(text, &detectors.rules, b"", (words::PHONE, 0)));
                    numbers(&look, end, &mut out);
                    out.iter().map(|one| (one.start, one.end, one.id)).collect::<Vec<_>>()
                });
                assert_eq!(quick, plain, "{} up to {end}", String::from_utf8_lossy(text));
                some += usize::from(!quick.is_empty());
                let look = Look::new(text, &detectors.rules, b"", (0, 0));
                times += usize::from(start_of_eight(&look.text, end).is_some_and(|at| is_time(&look.text, at)));
            }
        }
        assert!(some > 10_000 && times > 1_000, "{some} have numbers, {times} are times");
    }
}
