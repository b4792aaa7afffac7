//! Whether the lines of a log are all that were written, as they were written.

use std::collections::BTreeMap;

use partywall_tenancy::{Secrets, keyed};

use super::{Fields, Key, Link, Ranges};

/// How far a number may be ahead of the highest that was seen of its VM: a forged one must not cost a day of hashing.
const FARTHEST: u64 = 1 << 24;

/// What is wrong with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its link was made under a key that is not known.
    UnknownKey,
    /// Its MAC is not that of its link and fields: one of them was altered, or they are of two lines.
    Altered,
    /// Its number was seen before.
    Repeated,
    /// Its number is too far from all others to be looked into.
    TooFar,
}

/// What became of a number whose line is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A later checkpoint says that its request was over: its line was written, and taken away.
    Removed,
    /// No later checkpoint says so: the request was open at the end of what this VM wrote. It still is, or the VM
    /// crashed, or the end of the log was cut off.
    Open,
}

/// Numbers in a row whose lines are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The VM.
    pub boot: String,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// What it can be.
    pub why: Why,
}

/// What is known of one VM's lines.
#[derive(Debug)]
pub struct Seen {
    /// The keys from which the others are made: number 0's, and every so many numbers one more.
    keys: BTreeMap<u64, Key>,
    numbers: BTreeMap<u64, bool>,
    /// Checkpoints: the numbers below the key's that were open.
    open: BTreeMap<u64, Ranges>,
    /// When its last decision was made, in milliseconds since the Unix epoch.
    pub last: u64,
}

/// So many numbers lie between two keys that are kept.
const STRIDE: u64 = 1024;

/// Takes the lines of one or more logs, in any order, and tells what is not right.
#[derive(Debug, Default)]
pub struct Verifier {
    roots: Vec<Secrets>,
    boots: BTreeMap<String, Seen>,
}

impl Verifier {
    /// Verifies under these root keys. Keys of several workloads may have the same id.
    pub fn new(roots: Vec<Secrets>) -> Self {
        Self { roots, boots: BTreeMap::new() }
    }

    /// The VMs that lines were found of.
    pub fn boots(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.boots.iter().map(|(boot, seen)| (boot.as_str(), seen))
    }

    /// Looks at one line.
    pub fn line(&mut self, link: &Link<'_>, fields: &Fields<'_>) -> Result<(), Finding> {
        if let Some(seen) = self.boots.get_mut(link.boot) {
            let right = seen.key(link.number).ok_or(Finding::TooFar)?;
            if !is_right(&right, link, fields) {
                return Err(Finding::Altered);
            }
            return seen.add(link);
        }
        let mut known = false;
        let mut far = false;
        for root in self.roots.iter().filter_map(|secrets| secrets.find(link.key)) {
            known = true;
            let mut seen = Seen::under(Key::first(root.bytes(), link.boot));
            match seen.key(link.number) {
                None => far = true,
                Some(key) if is_right(&key, link, fields) => {
                    let added = seen.add(link);
                    self.boots.insert(link.boot.to_owned(), seen);
                    return added;
                }
                Some(_) => {}
            }
        }
        Err(match (known, far) {
            (false, _) => Finding::UnknownKey,
            (true, true) => Finding::TooFar,
            (true, false) => Finding::Altered,
        })
    }

    /// The numbers whose lines are not there, once all lines were looked at.
    pub fn gaps(&self) -> Vec<Gap> {
        self.boots.iter().flat_map(|(boot, seen)| seen.gaps(boot)).collect()
    }
}

/// Compared in constant time, though whoever verifies holds the keys anyhow.
fn is_right(key: &Key, link: &Link<'_>, fields: &Fields<'_>) -> bool {
    use hmac::Mac;
    let tag = |text: &str| {
        let mut mac = keyed(&key.0);
        mac.update(text.as_bytes());
        mac.finalize()
    };
    tag(&key.mac(link.text, fields)) == tag(link.mac)
}

impl Seen {
    fn under(first: Key) -> Self {
        Self { keys: [(0, first)].into(), numbers: BTreeMap::new(), open: BTreeMap::new(), last: 0 }
    }

    /// How many lines there are of this VM.
    pub fn lines(&self) -> usize {
        self.numbers.values().filter(|printed| **printed).count()
    }

    fn key(&mut self, number: u64) -> Option<Key> {
        let (known, key) = self.keys.range(..=number).next_back()?;
        let (mut at, mut key) = (*known, key.clone());
        if number - at > FARTHEST {
            return None;
        }
        while at < number {
            key.ratchet();
            at += 1;
            if at.is_multiple_of(STRIDE) {
                self.keys.insert(at, key.clone());
            }
        }
        Some(key)
    }

    fn add(&mut self, link: &Link<'_>) -> Result<(), Finding> {
        if self.numbers.get(&link.number) == Some(&true) {
            return Err(Finding::Repeated);
        }
        self.numbers.insert(link.number, true);
        for was in &link.was {
            self.numbers.entry(*was).or_insert(false);
        }
        if let Some(open) = &link.open {
            self.open.insert(link.number, open.clone());
        }
        self.last = self.last.max(link.at);
        Ok(())
    }

    fn gaps(&self, boot: &str) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut next = 0;
        for number in self.numbers.keys().copied() {
            for missing in next..number {
                let why = self.why(missing);
                match gaps.last_mut() {
                    Some(gap) if gap.last + 1 == missing && gap.why == why => gap.last = missing,
                    _ => gaps.push(Gap { boot: boot.to_owned(), first: missing, last: missing, why }),
                }
            }
            next = number + 1;
        }
        gaps
    }

    fn why(&self, number: u64) -> Why {
        // Once over it stays so, and the last checkpoint knows most.
        let over =
            self.open.range(number.saturating_add(1)..).next_back().is_some_and(|(_, open)| !open.contains(number));
        if over { Why::Removed } else { Why::Open }
    }
}
