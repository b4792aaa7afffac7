//! 10,000 generated responses: no foreign element passes, no clean response changes by a byte, and what is left out or
//! masked is exactly what another parser says is foreign.
#![allow(clippy::disallowed_macros, reason = "it says how much was tried")]

mod guard_support;

use partywall_authorization::guard::Refused;
use partywall_tenancy::{Foreign, Outlived, ResponseFormat};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use guard_support::fold::{KINDS, fold};
use guard_support::{TENANT, every_cut, response, rules, since, walk, walk_folded};

const SAMPLES: u64 = 10_000;
/// Every that many samples is cut at every place; the others at a few.
const CUT_EVERYWHERE: u64 = 50;
const CAP: u32 = 1 << 20;
/// Every that many samples comes compressed, too.
const FOLD_EVERY: u64 = 4;
/// Stands in every element of another tenant, and nowhere else.
const MARK: &[u8] = b"ZQSECRET";

/// Stands where an owner would in an element that is young enough,
const YOUNG: &str = "2026-11-20T09:30:00Z";
/// and in one that is not.
const OLD: [&str; 4] =
    ["2026-11-20T08:59:59Z", "1970-01-01T00:00:00.5Z", "2026-11-20T09:59:59.9+01:00", "0001-01-01T00:00:00Z"];

/// What serde_json reads, with members that are there twice.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Null,
    Other(String),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Other(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Other(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Other(value.to_string()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Other(format!("{value:?}")))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut map = Vec::new();
                while let Some(member) = members.next_entry()? {
                    map.push(member);
                }
                Ok(Tree::Map(map))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What the oracle says of a text.
#[derive(Default)]
struct Said {
    /// Whether it is asked for ages, not for owners.
    ages: bool,
    own: u64,
    foreign: u64,
    no_owner: bool,
}

impl Tree {
    /// The tree without its foreign elements, or with `null` in their places; `None` for a foreign element.
    fn judged(&self, pointer: &[&str], mask: bool, said: &mut Said) -> Option<Self> {
        let stars = pointer.contains(&"*");
        match (pointer.split_first(), self) {
            _ if !stars => {
                if *self == Self::Null && !pointer.is_empty() {
                    said.own += 1;
                    return Some(self.clone());
                }
                let mut owners = Vec::new();
                if !self.owners(pointer, &mut owners) {
                    said.no_owner = true;
                }
                let is_number = |text: &String| text.parse::<f64>().is_ok();
                let is_time = |text: &String| text == YOUNG || OLD.contains(&text.as_str()) || is_number(text);
                said.no_owner |= said.ages && !owners.iter().all(is_time);
                let own = if said.ages { YOUNG } else { TENANT };
                if owners.iter().all(|owner| owner == own) {
                    said.own += 1;
                    return Some(self.clone());
                }
                said.foreign += 1;
                mask.then_some(Self::Null)
            }
            (_, Self::Null) => Some(Self::Null),
            (Some((&"*", rest)), Self::List(items)) => {
                Some(Self::List(items.iter().filter_map(|item| item.judged(rest, mask, said)).collect()))
            }
            (Some((&"*", rest)), Self::Map(members)) => {
                let judged = members.iter().filter_map(|(k, v)| Some((k.clone(), v.judged(rest, mask, said)?)));
                Some(Self::Map(judged.collect()))
            }
            (Some((step, rest)), Self::Map(members)) => {
                said.no_owner |= !members.iter().any(|(key, _)| key == step);
                let judged = members.iter().filter_map(|(key, value)| {
                    Some((key.clone(), if key == step { value.judged(rest, mask, said)? } else { value.clone() }))
                });
                Some(Self::Map(judged.collect()))
            }
            _ => {
                said.no_owner = true;
                Some(self.clone())
            }
        }
    }

    /// All owners in an element; `false` where one is missing.
    fn owners(&self, pointer: &[&str], found: &mut Vec<String>) -> bool {
        match (pointer.split_first(), self) {
            (None, Self::Text(name)) => found.push(name.clone()),
            (None, Self::Other(number)) if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                found.push(number.clone());
            }
            (Some((step, rest)), Self::Map(members)) => {
                let mut any = false;
                for (_, value) in members.iter().filter(|(key, _)| key == step) {
                    any = true;
                    if !value.owners(rest, found) {
                        return false;
                    }
                }
                return any;
            }
            _ => return false,
        }
        true
    }
}

/// With `ages`, elements have a time in the place of an owner.
struct Random {
    state: u64,
    ages: bool,
}

impl Random {
    fn new(seed: u64, ages: bool) -> Self {
        Self { state: seed, ages }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn space(&mut self, out: &mut String) {
        for _ in 0..self.below(12).saturating_sub(8) {
            out.push([' ', '\n', '\t', '\r'][self.below(4) as usize]);
        }
    }

    /// `text` as a JSON string, each letter plain or escaped.
    fn text(&mut self, text: &str, out: &mut String) {
        out.push('"');
        let plain = !self.one_in(4);
        for letter in text.chars() {
            match letter {
                '"' | '\\' => out.extend(['\\', letter]),
                '\n' => out.push_str("\\n"),
                '/' if self.one_in(2) => out.push_str("\\/"),
                letter if plain || !self.one_in(3) => out.push(letter),
                letter => {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        let hex = if self.state & 1 == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                        out.push_str(&hex);
                    }
                }
            }
        }
        out.push('"');
    }

    fn word(&mut self) -> &'static str {
        const WORDS: &[&str] = &[
            "",
            "a",
            "id",
            "total",
            "größe",
            "x\"y",
            "back\\slash",
            "line\nfeed",
            "\u{1F600}",
            "日本",
            "tenants",
            "own/er",
        ];
        WORDS[self.below(WORDS.len() as u64) as usize]
    }

    /// Any value, with nothing in it that leads anywhere.
    fn any(&mut self, depth: u64, out: &mut String) {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => out.push_str("null"),
            1 => out.push_str(["true", "false"][self.below(2) as usize]),
            2 => out.push_str(&self.below(1000).to_string()),
            3 => out.push_str(["-0.5", "1e3", "12.25E-2", "0", "-7"][self.below(5) as usize]),
            4 | 5 => {
                let word = self.word();
                self.text(word, out);
            }
            6 => {
                let members = (0..self.below(4)).map(|_| (self.word().to_owned(), None)).collect();
                self.map(members, depth, out);
            }
            _ => {
                let items = self.below(4);
                self.list(items, out, |random, out| random.any(depth - 1, out));
            }
        }
    }

    fn list(&mut self, items: u64, out: &mut String, mut item: impl FnMut(&mut Self, &mut String)) {
        out.push('[');
        self.space(out);
        for n in 0..items {
            if n > 0 {
                out.push(',');
                self.space(out);
            }
            item(self, out);
            self.space(out);
        }
        out.push(']');
    }

    /// Members in an order of chance; those without a value get any.
    fn map(&mut self, mut members: Vec<(String, Option<String>)>, depth: u64, out: &mut String) {
        for n in (1..members.len()).rev() {
            members.swap(n, self.below(n as u64 + 1) as usize);
        }
        out.push('{');
        self.space(out);
        for (n, (key, value)) in members.into_iter().enumerate() {
            if n > 0 {
                out.push(',');
                self.space(out);
            }
            self.text(&key, out);
            self.space(out);
            out.push(':');
            self.space(out);
            match value {
                Some(value) => out.push_str(&value),
                None => self.any(depth.saturating_sub(1), out),
            }
            self.space(out);
        }
        out.push('}');
    }

    /// An element, with its owner where `pointer` says, of another tenant as often as `foreign` says, rarely broken.
    fn element(&mut self, pointer: &[&str], foreign: u64, out: &mut String) {
        let is_foreign = foreign > 0 && self.one_in(foreign);
        let mut owner = String::new();
        let (own, others) = if self.ages { (YOUNG, OLD) } else { (TENANT, ["globex", "acme-2", "acm", "acme\n"]) };
        let name = if is_foreign { others[self.below(4) as usize] } else { own };
        match pointer.split_first() {
            None => self.text(name, &mut owner),
            Some((step, rest)) => {
                let mut inner = String::new();
                self.element(rest, 0, &mut inner);
                if is_foreign && rest.is_empty() {
                    inner.clear();
                    self.text(name, &mut inner);
                } else if is_foreign {
                    inner.clear();
                    self.element(rest, 1, &mut inner);
                }
                let mut members = vec![((*step).to_owned(), Some(inner.clone()))];
                if is_foreign {
                    members.push(("note".into(), Some(format!("\"{}\"", String::from_utf8_lossy(MARK)))));
                }
                if self.one_in(8) {
                    // Twice; where it is foreign, once with the tenant's own name.
                    let mut again = String::new();
                    self.element(rest, 0, &mut again);
                    members.push(((*step).to_owned(), Some(again)));
                }
                if self.one_in(300) {
                    members.retain(|(key, _)| key != step);
                }
                members.extend((0..self.below(4)).map(|_| (self.word().to_owned(), None)));
                self.map(members, 3, &mut owner);
            }
        }
        out.push_str(&owner);
    }

    /// What leads to elements.
    fn lead(&mut self, pointer: &[&str], foreign: u64, out: &mut String) {
        match pointer.split_first() {
            Some((&"*", rest)) => {
                let items = self.below(5);
                if self.one_in(3) {
                    let members = (0..items).map(|n| {
                        let mut value = String::new();
                        self.lead(rest, foreign, &mut value);
                        (format!("k{n}"), Some(value))
                    });
                    let members = members.collect();
                    self.map(members, 2, out);
                } else {
                    self.list(items, out, |random, out| random.lead(rest, foreign, out));
                }
            }
            Some((step, rest)) if pointer.contains(&"*") => {
                let mut value = String::new();
                self.lead(rest, foreign, &mut value);
                let mut members = vec![((*step).to_owned(), Some(value))];
                if self.one_in(10) {
                    let mut again = String::new();
                    self.lead(rest, foreign, &mut again);
                    members.push(((*step).to_owned(), Some(again)));
                }
                members.extend((0..self.below(4)).map(|_| (self.word().to_owned(), None)));
                self.map(members, 3, out);
            }
            _ => self.element(pointer, foreign, out),
        }
    }
}

const POINTERS: &[&str] =
    &["/items/*/tenant", "/*/owner/id", "/tenant", "/groups/*/items/*/tenant", "/a~1b/*/größe", "/data/items/*"];

#[test]
fn no_foreign_element_passes_and_no_clean_response_changes() {
    let (mut clean, mut with_foreign, mut refused, mut bytes, mut walks, mut folds) = (0, 0, 0, 0, 0_u64, 0_u64);
    for sample in 0..SAMPLES {
        let mut random = Random::new(0x9E37_79B9_7F4A_7C15 ^ (sample + 1).wrapping_mul(0xD134_2543_DE82_EF95), false);
        let pointer = POINTERS[random.below(POINTERS.len() as u64) as usize];
        let steps: Vec<String> = pointer[1..].split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let foreign = [0, 3, 3, 8][random.below(4) as usize];
        let mut body = String::new();
        random.space(&mut body);
        random.lead(&steps, foreign, &mut body);
        random.space(&mut body);
        let tree: Tree = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e} in {body}"));
        bytes += body.len();

        for what in [Foreign::Deny, Foreign::Drop, Foreign::Mask, Foreign::Report] {
            if what == Foreign::Drop && !pointer.contains('*') {
                continue;
            }
            let mut said = Said::default();
            let expected = tree.judged(&steps, what == Foreign::Mask, &mut said);
            let rules = rules(&response(pointer, ResponseFormat::Json, what, CAP));
            let cuts = if sample % CUT_EVERYWHERE == 0 {
                every_cut(body.as_bytes())
            } else {
                let at = random.below(body.len() as u64 + 1) as usize;
                let size = 1 + random.below(40) as usize;
                let (a, b) = body.as_bytes().split_at(at);
                vec![vec![body.as_bytes()], vec![a, b], body.as_bytes().chunks(size).collect()]
            };
            let mut ways: Vec<_> = cuts.into_iter().map(|chunks| (None, chunks)).collect();
            let kind = KINDS[(sample / FOLD_EVERY) as usize % KINDS.len()];
            let (coding, folded) = fold(kind, body.as_bytes());
            if sample % FOLD_EVERY == 0 {
                let size = 1 + random.below(40) as usize;
                let cuts = match sample % CUT_EVERYWHERE {
                    0 => every_cut(&folded),
                    _ => vec![vec![&folded[..]], folded.chunks(size).collect()],
                };
                ways.extend(cuts.into_iter().map(|chunks| (Some(coding), chunks)));
                folds += 1;
            }
            for (coding, chunks) in ways {
                walks += 1;
                let walked = walk_folded(&rules, TENANT, coding, chunks, CAP as usize);
                let left = String::from_utf8_lossy(&walked.left);
                let shown = || format!("{what:?} {pointer} of {body}: {:?} after {left}", walked.outcome);
                if what != Foreign::Report {
                    assert!(
                        !walked.left.windows(MARK.len()).any(|w| w == MARK),
                        "a foreign element passed: {}",
                        shown()
                    );
                }
                if said.no_owner || (what == Foreign::Deny && said.foreign > 0) {
                    let known = matches!(walked.outcome, Err(Refused::Foreign | Refused::NoOwner));
                    assert!(known, "{}", shown());
                    continue;
                }
                assert!(walked.outcome.is_ok(), "{}", shown());
                if said.foreign == 0 || what == Foreign::Report {
                    assert_eq!(walked.left, body.as_bytes(), "{}", shown());
                } else {
                    let after: Tree = serde_json::from_str(&left).unwrap_or_else(|e| panic!("{e}: {}", shown()));
                    assert_eq!(Some(&after), expected.as_ref(), "{}", shown());
                }
                let counts = walked.counts;
                assert_eq!(counts.own, said.own, "{}", shown());
                assert_eq!(counts.dropped + counts.masked + counts.reported, said.foreign, "{}", shown());
            }
            if what == Foreign::Report {
                match (said.no_owner, said.foreign) {
                    (true, _) => refused += 1,
                    (_, 0) => clean += 1,
                    _ => with_foreign += 1,
                }
            }
        }
    }
    println!(
        "{SAMPLES} responses of {bytes} bytes, {walks} walks: {clean} clean, {with_foreign} with foreign elements, {refused} without an owner; {folds} came compressed"
    );
    assert!(clean > 3_000 && with_foreign > 2_000 && refused > 30, "{clean} {with_foreign} {refused}");
    assert!(folds > 5_000, "{folds}");
}

#[test]
fn nothing_that_outlived_its_dataset_passes() {
    let (mut clean, mut with_old, mut refused) = (0, 0, 0);
    for sample in 0..SAMPLES / 4 {
        let mut random = Random::new(0x2545_F491_4F6C_DD1D ^ (sample + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15), true);
        let pointer = POINTERS[random.below(POINTERS.len() as u64) as usize];
        let steps: Vec<String> = pointer[1..].split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let old = [0, 3, 3, 8][random.below(4) as usize];
        let mut body = String::new();
        random.lead(&steps, old, &mut body);
        let tree: Tree = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e} in {body}"));
        for what in [Outlived::Deny, Outlived::Drop, Outlived::Mask] {
            if what == Outlived::Drop && !pointer.contains('*') {
                continue;
            }
            let mut said = Said { ages: true, ..Said::default() };
            let expected = tree.judged(&steps, what == Outlived::Mask, &mut said);
            let rules = rules(&since(response("", ResponseFormat::Json, Foreign::Deny, CAP), pointer, what));
            let cut = random.below(body.len() as u64 + 1) as usize;
            let size = 1 + random.below(40) as usize;
            let cuts = match sample % CUT_EVERYWHERE {
                0 => every_cut(body.as_bytes()),
                _ => {
                    vec![vec![&body.as_bytes()[..cut], &body.as_bytes()[cut..]], body.as_bytes().chunks(size).collect()]
                }
            };
            for chunks in cuts {
                let walked = walk(&rules, TENANT, chunks, CAP as usize);
                let left = String::from_utf8_lossy(&walked.left);
                let shown = || format!("{what:?} {pointer} of {body}: {:?} after {left}", walked.outcome);
                assert!(!walked.left.windows(MARK.len()).any(|w| w == MARK), "an old element passed: {}", shown());
                if said.no_owner || (what == Outlived::Deny && said.foreign > 0) {
                    assert!(matches!(walked.outcome, Err(Refused::Outlived | Refused::NoTime)), "{}", shown());
                    continue;
                }
                assert!(walked.outcome.is_ok(), "{}", shown());
                if said.foreign == 0 {
                    assert_eq!(walked.left, body.as_bytes(), "{}", shown());
                } else {
                    let after: Tree = serde_json::from_str(&left).unwrap_or_else(|e| panic!("{e}: {}", shown()));
                    assert_eq!(Some(&after), expected.as_ref(), "{}", shown());
                }
                assert_eq!((walked.counts.own, walked.counts.outlived), (0, said.foreign), "{}", shown());
            }
            if what == Outlived::Mask {
                match (said.no_owner, said.foreign) {
                    (true, _) => refused += 1,
                    (_, 0) => clean += 1,
                    _ => with_old += 1,
                }
            }
        }
    }
    println!("{clean} young, {with_old} with old elements, {refused} without a time");
    assert!(clean > 500 && with_old > 400 && refused > 5, "{clean} {with_old} {refused}");
}

/// What serde_json refuses the guard refuses, and the other way round: bytes of good texts, changed at one place.
#[test]
fn what_is_json_is_told_like_another_parser_does() {
    let (mut good, mut bad) = (0, 0);
    for sample in 0..4_000_u64 {
        let mut random = Random::new(0xA076_1D64_78BD_642F ^ (sample + 1).wrapping_mul(0xE703_7ED1_A0B4_28DB), false);
        let mut text = String::from("{\"items\":[],\"x\":");
        random.any(4, &mut text);
        text.push('}');
        let mut body = text.into_bytes();
        let from = b"{\"items\":[],\"x\":".len() as u64;
        let at = (from + random.below(body.len() as u64 - from)) as usize;
        match random.below(3) {
            0 => drop(body.remove(at)),
            1 => body[at] = b"\"\\{}[],:019-+.eEtfnul \n/\xC3\xE2\x80\xFF\x00"[random.below(29) as usize],
            _ => body.insert(at, b"\"\\{}[],:019-+.eEtfnul \n/\xC3\xE2\x80\xFF\x00"[random.below(29) as usize]),
        }
        // A number too large for serde_json is none of the guard's business.
        let tree = serde_json::from_slice::<Tree>(&body);
        if tree.as_ref().is_err_and(|e| e.to_string().contains("number out of range")) {
            continue;
        }
        let rules = rules(&response("/items/*/tenant", ResponseFormat::Json, Foreign::Deny, CAP));
        for chunks in [vec![&body[..]], body.chunks(1).collect()] {
            let walked = walk(&rules, TENANT, chunks, CAP as usize);
            assert_eq!(
                walked.outcome.is_ok(),
                tree.is_ok(),
                "{:?} and {tree:?} of {}",
                walked.outcome,
                String::from_utf8_lossy(&body)
            );
        }
        if tree.is_ok() { good += 1 } else { bad += 1 }
    }
    println!("{good} good and {bad} bad texts");
    assert!(good > 500 && bad > 1_500, "{good} {bad}");
}
