//! What is known of one VM's lines.

use super::key::{Key, Keys};
use super::pruned::{self, Last};
use super::{Fields, Finding, Link, Pruned, Ranges, Word};

/// How far a number may be ahead of all others of its VM: a forged one must not cost a day of hashing.
const FARTHEST: u64 = 1 << 32;
/// A VM with open requests says a word each minute. Without one for so long it is gone, in milliseconds.
const SILENCE_MS: u64 = 150_000;

/// What became of a number whose line is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is lower than all that are there: its line lies in an older log, or was taken away.
    Before,
    /// A later checkpoint says that its request was over: its line was written, and taken away.
    Removed,
    /// No later checkpoint says that its request was over: it still is open.
    Open,
    /// The same, and the VM is gone: the line was lost in a crash, or with the end of the log that was cut off.
    Lost,
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

/// How the log of a VM ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its last word.
    Closed,
    /// Without: it may run.
    Running,
    /// Without, and it does not run: it crashed, or the end was cut off.
    Gone,
}

/// What is known of one VM's lines.
#[derive(Debug)]
pub struct Seen {
    key_id: String,
    keys: Keys,
    pruner: Key,
    printed: Ranges,
    /// Printed, replaced or pruned.
    known: Ranges,
    told: Told,
    /// How many lines there are.
    pub lines: u64,
    /// When its first decision was made, in milliseconds since the Unix epoch.
    pub from: u64,
    /// When its last decision or word was made.
    pub to: u64,
}

/// The last checkpoint: once over, a request stays so, and the last one knows most.
#[derive(Debug, Default)]
struct Told {
    /// 2n for a word before number n, 2n + 1 for a link of number n; and its time.
    place: (u64, u64),
    /// It tells of the numbers below this one.
    below: u64,
    open: Ranges,
    word: bool,
    end: bool,
}

impl Seen {
    pub(super) fn under(root: &[u8], key_id: &str, boot: &str) -> Self {
        Self {
            key_id: key_id.to_owned(),
            keys: Keys::new(root, boot),
            pruner: pruned::key(root, boot),
            printed: Ranges::default(),
            known: Ranges::default(),
            told: Told::default(),
            lines: 0,
            from: u64::MAX,
            to: 0,
        }
    }

    /// The id of its root key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The number that comes after all that are known of.
    pub fn next(&self) -> u64 {
        self.known.last().map_or(0, |last| last.saturating_add(1)).max(self.told.below)
    }

    fn near(&self, number: u64) -> Result<(), Finding> {
        if number > self.next().saturating_add(FARTHEST) { Err(Finding::TooFar) } else { Ok(()) }
    }

    pub(super) fn line(&mut self, link: &Link<'_>, fields: &Fields<'_>) -> Result<(), Finding> {
        self.near(link.number)?;
        if !self.keys.of(link.number).made(link.text, fields, link.mac) {
            return Err(Finding::Altered);
        }
        if self.printed.contains(link.number) {
            return Err(Finding::Repeated);
        }
        self.lines += 1;
        self.printed.insert(link.number, link.number);
        for number in link.was.iter().copied().chain([link.number]) {
            self.known.insert(number, number);
        }
        let place = link.number.saturating_mul(2).saturating_add(1);
        if let Some(open) = &link.open
            && (place, link.at) > self.told.place
        {
            let end = self.told.end;
            self.told = Told { place: (place, link.at), below: link.number, open: open.clone(), word: false, end };
        }
        self.time(link.at);
        Ok(())
    }

    pub(super) fn word(&mut self, word: &Word<'_>) -> Result<(), Finding> {
        self.near(word.next)?;
        if !self.keys.of(word.next).made(word.text, &Fields::default(), word.mac) {
            return Err(Finding::Altered);
        }
        self.tell(word.next, word.at, &word.open, word.end);
        self.time(word.at);
        Ok(())
    }

    pub(super) fn pruned(&mut self, statement: &Pruned<'_>) -> Result<(), Finding> {
        if !self.pruner.made(statement.text, &Fields::default(), statement.mac) {
            return Err(Finding::Altered);
        }
        for (first, last) in statement.pruned.iter() {
            self.known.insert(first, last);
        }
        self.tell(statement.next, statement.at, &statement.open, statement.end);
        self.time(statement.at);
        Ok(())
    }

    fn tell(&mut self, next: u64, at: u64, open: &Ranges, end: bool) {
        let place = (next.saturating_mul(2), at);
        let end = end || self.told.end;
        if place >= self.told.place {
            self.told = Told { place, below: next, open: open.clone(), word: true, end };
        }
        self.told.end = end;
    }

    fn time(&mut self, at: u64) {
        self.from = self.from.min(at);
        self.to = self.to.max(at);
    }

    /// How its log ends. `newest` is the time of the newest line of all VMs, where words are there to go by; `ended`
    /// says that it does not run any more.
    pub fn end(&self, newest: Option<u64>, ended: bool) -> End {
        // With nothing open and all told there is nothing to say, for as long as that is so.
        let settled = self.told.word && self.told.open.is_empty() && self.next() == self.told.below;
        let silent = newest.is_some_and(|newest| newest.saturating_sub(self.to) > SILENCE_MS);
        match self.told.end {
            true => End::Closed,
            false if ended || (silent && !settled) => End::Gone,
            false => End::Running,
        }
    }

    pub(super) fn gaps(&self, boot: &str, end: End) -> Vec<Gap> {
        let unfinished = if end == End::Running { Why::Open } else { Why::Lost };
        let lowest = self.known.first().unwrap_or_default();
        let mut gaps: Vec<Gap> = Vec::new();
        for (first, last) in self.known.missing(self.next()) {
            for (first, last, open) in self.told.open.split(first, last) {
                let told = last < self.told.below;
                let parts = match (open, told) {
                    _ if last < lowest => vec![(first, last, Why::Before)],
                    (true, _) => vec![(first, last, unfinished)],
                    (false, true) => vec![(first, last, Why::Removed)],
                    (false, false) if first >= self.told.below => vec![(first, last, unfinished)],
                    (false, false) => {
                        vec![(first, self.told.below - 1, Why::Removed), (self.told.below, last, unfinished)]
                    }
                };
                for (first, last, why) in parts {
                    match gaps.last_mut() {
                        Some(gap) if gap.last.saturating_add(1) == first && gap.why == why => gap.last = last,
                        _ => gaps.push(Gap { boot: boot.to_owned(), first, last, why }),
                    }
                }
            }
        }
        gaps
    }

    pub(super) fn prune(&self, boot: &str, pruned: &Ranges) -> Vec<String> {
        let last = Last { next: self.told.below, at: self.told.place.1, open: &self.told.open, end: self.told.end };
        pruned::write(&self.pruner, (&self.key_id, boot), pruned, &last)
    }
}
