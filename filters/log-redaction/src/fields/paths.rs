//! Many patterns of paths, matched at once: a bit for each place in a pattern, moved along with each name of the path.
//! (Baeza-Yates and Gonnet, "A new approach to text searching", 1992.)

use std::collections::BTreeMap;

use super::FieldError;

/// The words of all bits.
const WORDS: usize = 16;
/// Places in all patterns together.
pub(super) const MOST: usize = WORDS * 64;
/// The longest path that is read, in bytes: every leaf has one, so a long name above many leaves would cost its square.
const LONGEST: usize = 4096;

type Bits = [u64; WORDS];
/// By a hash of the name.
type Names = BTreeMap<u64, Vec<(Box<[u8]>, Box<Bits>)>>;

/// All patterns of a set.
#[derive(Debug)]
pub(crate) struct Paths {
    /// Words that are in use.
    words: usize,
    start: Bits,
    /// Places at which any one name leads on.
    any: Bits,
    /// Places at which any name leads nowhere else: `**`.
    stay: Bits,
    /// Places at which a pattern has ended.
    ended: Bits,
    /// The pattern of each place.
    owners: Vec<u16>,
    /// Places at which a name leads on.
    names: Names,
}

impl Paths {
    /// Of patterns, and for each whether all below what it fits is meant as well.
    pub(crate) fn new<'p>(patterns: impl Iterator<Item = (&'p str, bool)>) -> Result<Self, FieldError> {
        let none = [0; WORDS];
        let (mut start, mut any, mut stay, mut ended) = (none, none, none, none);
        let mut owners: Vec<u16> = Vec::new();
        let mut names = Names::new();
        for (nth, (path, deep)) in patterns.enumerate() {
            let owner = u16::try_from(nth).map_err(|_| FieldError::TooMany)?;
            let wrong = |why| FieldError::Path { path: path.to_owned(), why };
            set(&mut start, owners.len());
            let mut before = "";
            for name in path.split('.').chain(deep.then_some("**")) {
                if name == "**" && before == "**" {
                    continue;
                }
                before = name;
                let at = owners.len();
                if at + 1 >= MOST {
                    return Err(FieldError::TooMany);
                }
                owners.push(owner);
                match name {
                    "" => return Err(wrong("a name is empty; write names with one dot between, as `user.email`")),
                    "*" => set(&mut any, at),
                    "**" => set(&mut stay, at),
                    _ if name.contains('*') => {
                        return Err(wrong("`*` stands for one whole name and `**` for any number; no part of a name"));
                    }
                    _ => {
                        let name = name.to_ascii_lowercase().into_bytes();
                        let same = names.entry(hash(&name)).or_default();
                        let known = same.iter().position(|(known, _)| **known == *name);
                        let known = known.unwrap_or_else(|| {
                            same.push((name.into(), Box::new(none)));
                            same.len() - 1
                        });
                        if let Some((_, bits)) = same.get_mut(known) {
                            set(bits, at);
                        }
                    }
                }
            }
            set(&mut ended, owners.len());
            owners.push(owner);
        }
        let words = owners.len().div_ceil(64);
        let mut paths = Self { words, start, any, stay, ended, owners, names };
        paths.skip_to(start);
        Ok(paths)
    }

    fn skip_to(&mut self, mut start: Bits) {
        self.skip(&mut start);
        self.start = start;
    }

    /// The first pattern that fits and that `is` right, and whether it may fit with a name more. `None` where the path is
    /// too long to be read.
    pub(crate) fn first(&self, path: &[u8], is: impl Fn(usize) -> bool) -> Option<(Option<usize>, bool)> {
        let mut now = self.start;
        if self.words == 0 {
            return Some((None, false));
        }
        if path.len() > LONGEST {
            return None;
        }
        if !path.is_empty() {
            for name in path.split(|byte| *byte == b'.') {
                if !self.step(&mut now, name) {
                    return Some((None, false));
                }
            }
        }
        let mut more = false;
        let mut found = None;
        for (word, (now, ended)) in now.iter().zip(&self.ended).take(self.words).enumerate() {
            more |= now & !ended != 0;
            let mut hits = now & ended;
            while hits != 0 && found.is_none() {
                let at = word * 64 + hits.trailing_zeros() as usize;
                hits &= hits - 1;
                found = self.owners.get(at).map(|owner| usize::from(*owner)).filter(|owner| is(*owner));
            }
        }
        Some((found, more))
    }

    /// Whether anything may fit after this name.
    fn step(&self, now: &mut Bits, name: &[u8]) -> bool {
        let known = self.names.get(&hash(name));
        let known = known.and_then(|same| same.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        let (mut carry, mut alive) = (0, 0);
        for (word, now) in now.iter_mut().enumerate().take(self.words) {
            let at = |bits: &Bits| bits.get(word).copied().unwrap_or_default();
            let leads = *now & (at(&self.any) | known.map_or(0, |(_, bits)| at(bits)));
            let next = leads << 1 | carry | *now & at(&self.stay);
            carry = leads >> 63;
            *now = next;
        }
        self.skip(now);
        now.iter().for_each(|word| alive |= word);
        alive != 0
    }

    /// `**` is no name as well. Two of them never follow each other.
    fn skip(&self, now: &mut Bits) {
        let mut carry = 0;
        for (now, stay) in now.iter_mut().zip(&self.stay).take(self.words) {
            let skipped = *now & stay;
            *now |= skipped << 1 | carry;
            carry = skipped >> 63;
        }
    }
}

fn set(bits: &mut Bits, at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// FNV-1a of a name in lower case.
fn hash(name: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    name.iter().fold(0xcbf2_9ce4_8422_2325, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by trying.
    fn fits(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), None) => fits(rest, path),
            (Some((&"**", rest)), Some((_, on))) => fits(rest, path) || fits(pattern, on),
            (Some((name, rest)), Some((step, on))) => {
                (*name == "*" || name.eq_ignore_ascii_case(step)) && fits(rest, on)
            }
            _ => false,
        }
    }

    #[test]
    fn all_at_once_is_as_one_by_one() {
        let names = ["a", "B", "[]", "*", "**"];
        let mut patterns = Vec::new();
        for a in names {
            patterns.push(vec![a]);
            for b in names {
                patterns.push(vec![a, b]);
                for c in ["a", "**"] {
                    patterns.push(vec![a, b, c]);
                }
            }
        }
        let written: Vec<String> = patterns.iter().map(|pattern| pattern.join(".")).collect();
        let paths = Paths::new(written.iter().map(|path| (path.as_str(), false))).unwrap();
        let steps = ["a", "b", "[]", "other"];
        for number in 0..4_usize.pow(4) {
            let mut path: Vec<&str> = (0..4).map(|place| steps[number / 4_usize.pow(place) % 4]).collect();
            path.truncate(1 + number % 4);
            let joined = path.join(".");
            for (nth, pattern) in patterns.iter().enumerate() {
                let (found, _) = paths.first(joined.as_bytes(), |rule| rule == nth).unwrap();
                assert_eq!(found.is_some(), fits(pattern, &path), "{pattern:?} {joined}");
            }
        }
    }

    #[test]
    fn what_may_follow_is_told() {
        let paths = Paths::new([("user.*.city", false), ("gone", true)].into_iter()).unwrap();
        let all = |path: &str| paths.first(path.as_bytes(), |_| true);
        assert_eq!(all("user"), Some((None, true)));
        assert_eq!(all("user.home"), Some((None, true)));
        assert_eq!(all("user.home.city"), Some((Some(0), false)));
        assert_eq!(all("user.home.street"), Some((None, false)));
        assert_eq!(all("gone.a.b"), Some((Some(1), true)));
        assert_eq!(all(&"a.".repeat(100_000)), None);
    }

    #[test]
    fn a_path_that_cannot_be_is_told() {
        for bad in ["", "a..b", "a.", "us*", "***"] {
            assert!(Paths::new([(bad, false)].into_iter()).is_err(), "{bad}");
        }
        let many = "a.".repeat(MOST);
        assert_eq!(Paths::new([(many.trim_end_matches('.'), false)].into_iter()).unwrap_err(), FieldError::TooMany);
    }
}
