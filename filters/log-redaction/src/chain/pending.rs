//! The numbers whose lines are still to be written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Ranges;

/// A request without a line yet, whose filter is gone, may come by once more for so long, in milliseconds: as a retry does.
const LINGER_MS: u64 = 15_000;

/// Numbers whose requests are not over.
#[derive(Debug, Default)]
pub(super) struct Pending {
    open: Ranges,
    /// By the number whose link stands in their place: those that were there before.
    replaced: BTreeMap<u64, Vec<u64>>,
    /// All of those.
    standing: BTreeSet<u64>,
    /// Numbers that are over by and by, with the time since when.
    left: VecDeque<(u64, u64)>,
}

impl Pending {
    /// A link with this number was given in the place of those with the others.
    ///
    /// INVARIANT: a number whose place is taken is open for as long as the one that took it: one line tells of both.
    pub(super) fn insert(&mut self, number: u64, replaced: &[u64]) {
        self.open.insert(number, number);
        // Of very many, a link names the last ones, and nothing tells of the others any more.
        for gone in replaced.iter().filter_map(|before| self.replaced.remove(before)).flatten().collect::<Vec<_>>() {
            self.open.remove(gone);
            self.standing.remove(&gone);
        }
        for before in replaced {
            self.open.insert(*before, *before);
            self.standing.insert(*before);
        }
        if !replaced.is_empty() {
            self.replaced.insert(number, replaced.to_vec());
        }
    }

    /// The line of this number was written, or never will be.
    pub(super) fn over(&mut self, number: u64) {
        if self.standing.contains(&number) {
            return;
        }
        self.open.remove(number);
        for before in self.replaced.remove(&number).unwrap_or_default() {
            self.open.remove(before);
            self.standing.remove(&before);
        }
    }

    /// The filter that gave this number is gone, and its request perhaps not.
    pub(super) fn leave(&mut self, number: u64, now: u64) {
        self.left.push_back((now, number));
    }

    /// Of those that were left, the ones that are over at `now`.
    pub(super) fn settled(&mut self, now: u64) -> Vec<u64> {
        let count = self.left.iter().take_while(|(at, _)| now.saturating_sub(*at) >= LINGER_MS).count();
        self.left.drain(..count).map(|(_, number)| number).collect()
    }

    pub(super) fn open(&self) -> &Ranges {
        &self.open
    }
}
