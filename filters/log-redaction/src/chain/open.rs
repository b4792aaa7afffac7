//! Sets of numbers, as ranges.

use std::collections::BTreeMap;
use std::fmt;

/// The most ranges that a link or a word tells; the last one covers what more there is, numbers in between included.
pub const MAX_RANGES: usize = 64;

/// Numbers, kept as ranges without a gap: first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds the numbers from `first` to `last`, known or not.
    pub fn insert(&mut self, first: u64, last: u64) {
        // Most numbers follow the last one.
        if let Some(mut end) = self.0.last_entry()
            && *end.get() < u64::MAX
            && *end.get() + 1 == first
        {
            *end.get_mut() = last;
            return;
        }
        let (mut first, mut last) = (first, last);
        let before = self.0.range(..first).next_back().map(|(a, b)| (*a, *b));
        if let Some((a, b)) = before.filter(|(_, b)| b.saturating_add(1) >= first) {
            self.0.remove(&a);
            (first, last) = (a, last.max(b));
        }
        while let Some((a, b)) = self.0.range(first..=last.saturating_add(1)).next().map(|(a, b)| (*a, *b)) {
            self.0.remove(&a);
            last = last.max(b);
        }
        self.0.insert(first, last);
    }

    /// Takes a number out.
    pub fn remove(&mut self, number: u64) {
        let Some((first, last)) = self.0.range(..=number).next_back().map(|(first, last)| (*first, *last)) else {
            return;
        };
        if number > last {
            return;
        }
        self.0.remove(&first);
        if first < number {
            self.0.insert(first, number - 1);
        }
        if number < last {
            self.0.insert(number + 1, last);
        }
    }

    /// Whether the number is one of them.
    pub fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    /// The lowest number.
    pub fn first(&self) -> Option<u64> {
        self.0.first_key_value().map(|(first, _)| *first)
    }

    /// The highest number.
    pub fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, last)| *last)
    }

    /// The numbers below `end` that are not among them, as ranges.
    pub fn missing(&self, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let befores = std::iter::once(0).chain(self.iter().map(|(_, last)| last.saturating_add(1)));
        let nexts = self.iter().map(|(first, _)| first).chain([u64::MAX]);
        befores
            .zip(nexts)
            .map(move |(from, to)| (from, to.min(end)))
            .filter(|(from, to)| from < to)
            .map(|(a, b)| (a, b - 1))
    }

    /// Those from `first` to `last` that are among them, and those that are not, as ranges in order.
    pub fn split(&self, first: u64, last: u64) -> Vec<(u64, u64, bool)> {
        let mut parts = Vec::new();
        let mut next = first;
        let around = self.0.range(..first).next_back().into_iter().chain(self.0.range(first..=last));
        for (a, b) in around.map(|(a, b)| ((*a).max(first), (*b).min(last))).filter(|(a, b)| a <= b) {
            if next < a {
                parts.push((next, a - 1, false));
            }
            parts.push((a, b, true));
            next = b.saturating_add(1);
        }
        if next <= last {
            parts.push((next, last, false));
        }
        parts
    }

    /// Reads what `to_string` wrote: ranges in order, none touching the one before, at most `most` of them.
    pub fn parse(text: &str, most: usize) -> Option<Self> {
        let mut ranges = Self::default();
        let mut before: Option<u64> = None;
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (super::read::number(first)?, super::read::number(last)?);
            let follows = before.is_none_or(|before| before < first && first - before > 1);
            if first > last || !follows || ranges.0.len() == most {
                return None;
            }
            before = Some(last);
            ranges.0.insert(first, last);
        }
        Some(ranges)
    }
}

impl FromIterator<(u64, u64)> for Ranges {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(ranges: T) -> Self {
        let mut all = Self::default();
        ranges.into_iter().for_each(|(first, last)| all.insert(first, last));
        all
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.last().unwrap_or_default();
        for (nth, (first, last)) in self.iter().take(MAX_RANGES).enumerate() {
            let last = if nth + 1 == MAX_RANGES { end } else { last };
            let comma = if nth > 0 { "," } else { "" };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}
