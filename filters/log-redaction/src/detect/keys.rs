//! Keys of cloud and SaaS providers: one table of formats, one matcher.
//!
//! A format is what stands in a key from left to right: text as it is, and `[c n]` or `[c n-m]` for so many bytes of a
//! class. `d` is a digit, `h` a hexadecimal digit in lower case, `H` in either, `l` a lower-case letter or digit, `U` an
//! upper-case one or digit, `a` a letter or digit, `w` that or `_`, `u` that or `-`, `b` base64, `B`
//! that or `=`, `p` a letter, digit or percent sign, `x` any byte of a token.

mod ai;
mod cloud;
mod code;
mod data;
mod saas;
mod sources;

use std::collections::BTreeMap;

use self::sources::SOURCES;
use super::catalog::About;
use super::text::{
    ALNUM, BASE64, Class, DASH, DIGIT, DOT, EQUALS, HEX, HEX_LOWER, LOWER, PERCENT, TILDE, Text, UNDERSCORE, UPPER,
    URL64, WORD,
};
use super::{Candidate, DetectorId, Look, Strength};

/// One format of one provider's keys.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) format: &'static str,
    /// What must stand before it, and a word for secrets with it; none where the key says by itself whose it is.
    pub(super) keyword: &'static str,
    /// Whether its last six characters are a CRC-32 of what stands before them.
    crc: bool,
    source: &'static str,
}

/// A key that says by itself whose it is.
const fn key(name: &'static str, format: &'static str, source: &'static str) -> Key {
    Key { name, format, keyword: "", crc: false, source }
}

/// A key that `keyword` has to stand before.
const fn said(name: &'static str, keyword: &'static str, format: &'static str, source: &'static str) -> Key {
    Key { name, format, keyword, crc: false, source }
}

/// A key with a CRC-32 in Base62 at its end.
const fn checked(name: &'static str, format: &'static str, source: &'static str) -> Key {
    Key { name, format, keyword: "", crc: true, source }
}

const LISTS: [&[Key]; 5] = [cloud::KEYS, code::KEYS, ai::KEYS, data::KEYS, saas::KEYS];

fn all() -> impl Iterator<Item = &'static Key> {
    LISTS.into_iter().flatten()
}

/// Names in the order of their ids.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = all().map(|key| key.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

pub(super) fn about() -> Vec<About> {
    let mut all: Vec<&Key> = all().collect();
    all.sort_by_key(|key| key.name);
    let mut told: Vec<About> = Vec::new();
    for key in all {
        if told.last().is_none_or(|last| last.name != key.name) {
            let what = match (key.keyword, key.crc) {
                ("", true) => "by its prefix and length; a right CRC-32 or enough entropy",
                ("", false) => "by its prefix or mark, length and entropy",
                _ => "by its provider's name and a word for secrets before it, length and entropy",
            };
            let also = SOURCES.iter().find(|(name, _)| *name == key.name).map_or("unconfirmed", |(_, also)| also);
            told.push(About { name: key.name, what, source: key.source, also });
        }
    }
    told
}

/// All keys, ready to be matched.
pub(super) struct Keys {
    rows: Vec<Row>,
    /// Rows of one head.
    located: Vec<Vec<usize>>,
    /// By how many bytes of them are seen.
    heads: Vec<Heads>,
    /// Rows by keyword.
    pub(super) keywords: Vec<(&'static str, Vec<usize>)>,
}

/// Heads of which as many bytes are seen.
struct Heads {
    seen: usize,
    /// A bit for each byte that one starts with, by its last six bits.
    firsts: u64,
    /// Each with the byte that it starts with, in lower case, and its text.
    ///
    /// INVARIANT: sorted.
    all: Vec<(u8, usize, &'static str)>,
}

struct Row {
    id: DetectorId,
    pieces: Vec<Piece>,
    /// How many bytes the locator has seen up to its end, from the start of the first piece that is text.
    seen: usize,
    crc: bool,
}

#[derive(Clone, Copy, Debug)]
enum Piece {
    Text(&'static str),
    Some { class: Class, least: usize, most: usize },
}

impl Keys {
    /// The keys, and the heads of those that are located by themselves, each with its number.
    pub(super) fn new() -> (Self, Vec<Head>) {
        let (names, first) = (names(), super::catalog::built() + super::ids::all().count());
        let mut keys = Self { rows: Vec::new(), located: Vec::new(), heads: Vec::new(), keywords: Vec::new() };
        let mut heads: Vec<Head> = Vec::new();
        let mut parted: BTreeMap<usize, Vec<(u8, usize, &'static str)>> = BTreeMap::new();
        for key in all() {
            let index = names.binary_search(&key.name).unwrap_or(0);
            let pieces = pieces(key.format);
            let head = head(&pieces);
            let row = keys.rows.len();
            keys.rows.push(Row { id: DetectorId((first + index) as u16), pieces, seen: head.seen, crc: key.crc });
            if !key.keyword.is_empty() {
                match keys.keywords.iter_mut().find(|known| known.0 == key.keyword) {
                    Some(known) => known.1.push(row),
                    None => keys.keywords.push((key.keyword, vec![row])),
                }
                continue;
            }
            match heads.iter().position(|known| *known == head) {
                Some(at) => keys.located.get_mut(at).into_iter().for_each(|rows| rows.push(row)),
                None => {
                    let first = head.first.to_ascii_lowercase();
                    parted.entry(head.seen).or_default().push((first, heads.len(), head.text));
                    heads.push(head);
                    keys.located.push(vec![row]);
                }
            }
        }
        for (seen, mut all) in parted {
            all.sort_unstable();
            let firsts = all.iter().fold(0, |firsts, (first, ..)| firsts | 1 << (first & 63));
            keys.heads.push(Heads { seen, firsts, all });
        }
        (keys, heads)
    }
}

impl Keys {
    /// Whose keys the rows are.
    pub(super) fn ids_of(&self, rows: &[usize]) -> impl Iterator<Item = DetectorId> {
        rows.iter().filter_map(|row| self.rows.get(*row)).map(|row| row.id)
    }

    /// Whose keys the `located`th locator locates.
    pub(super) fn ids_of_head(&self, located: usize) -> impl Iterator<Item = DetectorId> {
        self.ids_of(self.located.get(located).map(Vec::as_slice).unwrap_or_default())
    }
}

/// The class that a letter of a format means.
fn class(letter: &str) -> Class {
    match letter {
        "d" => DIGIT,
        "h" => DIGIT | HEX_LOWER,
        "H" => HEX,
        "l" => LOWER | DIGIT,
        "U" => UPPER | DIGIT,
        "a" => ALNUM,
        "w" => WORD,
        "u" => URL64,
        "b" => BASE64,
        "B" => BASE64 | EQUALS,
        "p" => ALNUM | PERCENT,
        _ => ALNUM | UNDERSCORE | DASH | DOT | TILDE,
    }
}

fn pieces(format: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in format.split_inclusive(']') {
        let (text, group) = part.split_once('[').unwrap_or((part, ""));
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        if let Some((letter, length)) = group.trim_end_matches(']').split_once(' ') {
            let (least, most) = length.split_once('-').unwrap_or((length, length));
            let number = |text: &str| text.parse().unwrap_or(usize::MAX);
            pieces.push(Piece::Some { class: class(letter), least: number(least), most: number(most) });
        }
    }
    pieces
}

/// The bytes of `class` as a regular expression writes them.
fn written(class: Class) -> String {
    let mut out = String::from("[");
    for (bits, text) in [
        (DIGIT, "0-9"),
        (HEX_LOWER, "a-f"),
        (LOWER & !HEX_LOWER, "g-z"),
        (UPPER, "A-F"),
        (UPPER, "G-Z"),
        (UNDERSCORE, "_"),
        (DOT, "."),
        (super::text::PLUS, "+"),
        (super::text::SLASH, "/"),
        (EQUALS, "="),
        (TILDE, "~"),
        (PERCENT, "%"),
        (DASH, "\\-"),
    ] {
        if class & bits != 0 {
            out.push_str(text);
        }
    }
    out.push(']');
    out
}

/// How much of a key its locator sees, if it is not longer by its text alone: with less it would hit too often.
const SEEN: usize = 8;

/// What locates a key: its text, and some of what follows if that is short.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether something else of the key stands before it.
    led: bool,
    first: u8,
    text: &'static str,
    /// What follows its first byte, as a regular expression writes it.
    rest: String,
    /// How many bytes are seen of it.
    seen: usize,
}

fn head(pieces: &[Piece]) -> Head {
    let led = matches!(pieces.first(), Some(Piece::Some { .. }));
    let (mut first, mut text, mut pattern) = (0, "", String::new());
    let mut rest = pieces.iter().skip(usize::from(led));
    let mut seen = 0;
    if let Some(Piece::Text(written)) = rest.next() {
        text = written;
        seen = text.len();
        first = text.bytes().next().unwrap_or_default();
        text.chars().skip(1).for_each(|character| escaped(character, &mut pattern));
    }
    if let Some(Piece::Some { class, least, .. }) = rest.next()
        && seen < SEEN
    {
        let more = (SEEN - seen).min(*least);
        pattern.push_str(&format!("{}{{{more}}}", written(*class)));
        seen += more;
    }
    Head { led, first, text, rest: pattern, seen }
}

fn escaped(character: char, out: &mut String) {
    if !character.is_ascii_alphanumeric() {
        out.push('\\');
    }
    out.push(character);
}

/// The locators of all heads together: one of those that a word may start with, and one of those that stand in a key. A
/// locator each would have the automaton go through all of them at every byte that it has not seen in a state yet.
pub(super) fn locators<'h>(heads: impl Iterator<Item = &'h Head>) -> impl Iterator<Item = String> {
    let (mut apart, mut led) = (Vec::new(), Vec::new());
    for head in heads {
        let list = if head.led { &mut led } else { &mut apart };
        list.push((head.first, head.rest.as_str()));
    }
    let all = [("(?:\\A|[^0-9A-Za-z])", by_first(apart.into_iter())), ("", by_first(led.into_iter()))];
    all.into_iter().filter(|(_, heads)| !heads.is_empty()).map(|(before, heads)| format!("{before}(?:{heads})"))
}

/// The locator of all providers' names together; empty where there are none.
pub(super) fn locator_of_words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    by_first(words.filter_map(|word| Some((word.bytes().next()?, word.get(1..)?))))
}

/// Alternatives, parted by the byte that they start with.
fn by_first<'a>(all: impl Iterator<Item = (u8, &'a str)>) -> String {
    let mut parted: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    for (first, rest) in all {
        parted.entry(first.to_ascii_lowercase()).or_default().push(rest);
    }
    let mut out = String::new();
    for (first, rests) in parted {
        out.push_str(if out.is_empty() { "" } else { "|" });
        escaped(char::from(first), &mut out);
        out.push_str(&format!("(?:{})", rests.join("|")));
    }
    out
}

/// The keys whose heads end at `end`. Returns where to go on, behind one that is proved.
pub(super) fn located(look: &Look<'_>, end: usize, out: &mut Vec<Candidate>) -> usize {
    let mut on = 0;
    let heads = &look.rules.keys.heads;
    look.text.spend(heads.len());
    for Heads { seen, firsts, all } in heads {
        let head = end.checked_sub(*seen).and_then(|head| look.text.all().get(head..)).unwrap_or_default();
        let Some(first) = head.first().map(u8::to_ascii_lowercase) else { continue };
        // Nearly always none starts so.
        if firsts >> (first & 63) & 1 == 0 {
            continue;
        }
        let from = all.partition_point(|(known, ..)| *known < first);
        let there = |text: &str| head.starts_with(text.as_bytes());
        let of_first = all.iter().skip(from).take_while(|(known, ..)| *known == first);
        for (_, head, _) in of_first.filter(|(.., text)| there(text)) {
            look.text.spend(*seen);
            let Some(found) = one(look, *head, end) else { continue };
            out.push(found);
            on = on.max(if found.strength == Strength::Proved { found.end } else { 0 });
        }
    }
    on
}

/// The key of which the `located`th head may end at `end`.
fn one(look: &Look<'_>, located: usize, end: usize) -> Option<Candidate> {
    let keys = &look.rules.keys;
    let rows = keys.located.get(located)?;
    let mut best: Option<Candidate> = None;
    for row in rows.iter().filter_map(|row| keys.rows.get(*row)) {
        let Some(head) = end.checked_sub(row.seen) else { continue };
        let Some((start, stop)) = whole(&look.text, row, head, true) else { continue };
        if best.as_ref().is_none_or(|best| best.end < stop) {
            best = right(look, row, start, stop).or(best);
        }
    }
    best
}

/// The keys of providers whose names end at `end`. Returns where to go on, behind one that is proved.
pub(super) fn after(look: &Look<'_>, end: usize, out: &mut Vec<Candidate>) -> usize {
    let mut on = 0;
    let last = look.text.before(end).unwrap_or_default().to_ascii_lowercase();
    for (name, rows) in look.rules.keys.keywords.iter().filter(|(name, _)| name.as_bytes().last() == Some(&last)) {
        let Some(found) = after_one(look, name, rows, end) else { continue };
        out.push(found);
        on = on.max(if found.strength == Strength::Proved { found.end } else { 0 });
    }
    on
}

fn after_one(look: &Look<'_>, name: &str, rows: &[usize], end: usize) -> Option<Candidate> {
    const FAR: usize = 48;
    let keys = &look.rules.keys;
    let text = &look.text;
    let from = end.checked_sub(name.len())?;
    if !text.starts_folded(from, name.as_bytes()) {
        return None;
    }
    // A short name is the beginning of many words: `lobby`, `awsome`.
    if !text.opens(from, super::text::LETTER) || name.len() <= 4 && !name.ends_with('_') && text.is(end, LOWER) {
        return None;
    }
    let mut at = end;
    while at < (end + FAR).min(text.len()) {
        let fresh = !text.is_before(at, ALNUM) && text.is(at, ALNUM) && !text.is_before(at, DASH | UNDERSCORE);
        if fresh && secretive(text.slice(end, at)) {
            for row in rows.iter().filter_map(|row| keys.rows.get(*row)) {
                if let Some((start, stop)) = whole(text, row, at, false)
                    && let Some(found) = right(look, row, start, stop)
                {
                    return Some(found);
                }
            }
        }
        at = if fresh { text.run(ALNUM, at, 256) } else { at + 1 };
    }
    None
}

/// The key that is all of a field, by the field's name.
pub(super) fn by_name(look: &Look<'_>, keywords: &[usize]) -> Option<Candidate> {
    let keys = &look.rules.keys;
    let rows = keywords.iter().filter_map(|keyword| keys.keywords.get(*keyword)).flat_map(|(_, rows)| rows);
    for row in rows.filter_map(|row| keys.rows.get(*row)) {
        if let Some((start, stop)) = whole(&look.text, row, 0, false)
            && stop == look.text.len()
        {
            return right(look, row, start, stop);
        }
    }
    None
}

/// The keywords that stand in a field's name together with a word for secrets.
pub(super) fn keywords_in(keys: &Keys, name: &[u8]) -> Vec<usize> {
    // Most have no word for secrets at all.
    if !secretive(name) {
        return Vec::new();
    }
    let name = name.to_ascii_lowercase();
    let there = |word: &str| {
        let at = name.windows(word.len()).position(|window| window == word.as_bytes());
        let rest = at.map(|at| [name.get(..at), name.get(at + word.len()..)]);
        rest.is_some_and(|rest| rest.into_iter().flatten().any(secretive))
    };
    keys.keywords.iter().enumerate().filter(|(_, (word, _))| there(word)).map(|(index, _)| index).collect()
}

/// Whether a word for secrets is there: a provider's name alone stands before much else.
fn secretive(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] = [b"key", b"token", b"secret", b"api", b"auth", b"pass", b"cred", b"pat", b"license"];
    WORDS.iter().any(|word| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}

fn right(look: &Look<'_>, row: &Row, start: usize, stop: usize) -> Option<Candidate> {
    let written = look.text.slice(start, stop);
    let head = match row.pieces.first() {
        Some(Piece::Text(text)) => text.len(),
        _ => 0,
    };
    let body = written.get(head..)?;
    let strength = if row.crc && crc_is_right(body) { Strength::Proved } else { Strength::Shaped };
    // Sixteen different bytes have four bits each; what is typed as an example has two.
    let least = if body.len() >= 24 { 3.0 } else { 2.5 };
    if strength == Strength::Proved || entropy(body) >= least && !in_order(body) {
        return look.found_as(row.id, start, stop, strength);
    }
    None
}

/// Where the key starts and stops that starts at `head`, or, where it was located, whose first text stands there.
fn whole(text: &Text<'_>, row: &Row, head: usize, located: bool) -> Option<(usize, usize)> {
    let mut pieces = row.pieces.as_slice();
    let mut start = head;
    if let [Piece::Some { class, least, most }, Piece::Text(written), rest @ ..] = pieces
        && located
    {
        if !text.starts(head, written.as_bytes()) {
            return None;
        }
        start = text.run_back(*class, head, most + 1);
        let length = head - start;
        if length < *least || length > *most && least != most {
            return None;
        }
        // A path before it may be of the class too.
        if length > *most {
            start = head - most;
            if text.is_before(start, ALNUM) {
                return None;
            }
        }
        pieces = row.pieces.get(row.pieces.len() - rest.len() - 1..)?;
    }
    let mut at = head;
    for piece in pieces {
        match piece {
            Piece::Text(written) => {
                if !text.starts(at, written.as_bytes()) {
                    return None;
                }
                at += written.len();
            }
            Piece::Some { class, least, most } => {
                let length = text.run(*class, at, most + 1) - at;
                if length < *least {
                    return None;
                }
                // A dash or an underscore after it belongs to what follows.
                if length > *most && text.is(at + most, ALNUM) {
                    return None;
                }
                at += length.min(*most);
            }
        }
    }
    (text.opens(start, ALNUM) && text.closes(at, ALNUM)).then_some((start, at))
}

/// Bits per byte, by how often each occurs.
pub(super) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in bytes.iter().take(512) {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let all = bytes.len().min(512) as f32;
    let share = |count: &u16| f32::from(*count) / all;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

/// Whether most bytes are the next of the one before, as in `abcdefgh12345678`.
fn in_order(bytes: &[u8]) -> bool {
    let next = bytes.windows(2).filter(|two| matches!(two, [a, b] if a.checked_add(1) == Some(*b))).count();
    next * 3 > bytes.len() * 2
}

/// GitHub's and npm's check: CRC-32 of what stands before the last six characters, in Base62 with noughts before it.
fn crc_is_right(body: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((random, check)) = body.len().checked_sub(6).and_then(|at| body.split_at_checked(at)) else {
        return false;
    };
    let mut crc = u32::MAX;
    for byte in random {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    crc = !crc;
    check.iter().rev().all(|byte| {
        let right = ALPHABET.get((crc % 62) as usize) == Some(byte);
        crc /= 62;
        right
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detectors, Selection};
    use crate::random::random;

    #[test]
    fn keys_by_the_text_of_their_heads_are_those_that_all_heads_are_asked_for() {
        let detectors = Detectors::new(&Selection::default()).unwrap();
        let mut below = random(53);
        let mut some = 0;
        for round in 0..20_000 {
            let row = &detectors.rules.keys.rows[round % detectors.rules.keys.rows.len()];
            let mut text = String::from(" ");
            for piece in &row.pieces {
                match piece {
                    Piece::Text(written) => text.push_str(written),
                    Piece::Some { class, least, .. } => {
                        let signs: Vec<u8> = (33..127).filter(|byte| super::super::text::is(*byte, *class)).collect();
                        text.extend((0..(*least).min(64)).map(|_| char::from(signs[below(signs.len())])));
                    }
                }
            }
            if below(4) == 0 {
                text = text.to_lowercase();
            }
            let look = Look::new(text.as_bytes(), &detectors.rules, b"", (0, 0));
            for end in 1..text.len().min(40) {
                let mut found = Vec::new();
                located(&look, end, &mut found);
                let heads = detectors.rules.keys.heads.iter().flat_map(|heads| &heads.all);
                let plain: Vec<Candidate> = heads.filter_map(|(_, head, _)| one(&look, *head, end)).collect();
                let told = |all: &[Candidate]| all.iter().map(|one| (one.start, one.end, one.id)).collect::<Vec<_>>();
                let (found, plain) = (told(&found), told(&plain));
                assert_eq!(found, plain, "{text} up to {end}");
                some += found.len();
            }
        }
        assert!(some > 5_000, "{some}");
    }
}
