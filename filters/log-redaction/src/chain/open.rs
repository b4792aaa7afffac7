//! Sets of numbers, as ranges.

use std::collections::BTreeMap;
use std::fmt;

/// The most ranges that are written; the last one covers what more there is, numbers in between included.
pub const MAX_RANGES: usize = 64;

/// Numbers, kept as ranges without a gap: first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a number greater than all that are there.
    pub fn insert_last(&mut self, number: u64) {
        match self.0.last_entry() {
            Some(mut last) if last.get().checked_add(1) == Some(number) => *last.get_mut() = number,
            _ => {
                self.0.insert(number, number);
            }
        }
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

    /// Reads what `to_string` wrote. At most [`MAX_RANGES`], in order, none touching the one before.
    pub fn parse(text: &str) -> Option<Self> {
        let mut ranges = Self::default();
        let mut before: Option<u64> = None;
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (super::read::number(first)?, super::read::number(last)?);
            let follows = before.is_none_or(|before| before < first && first - before > 1);
            if first > last || !follows || ranges.0.len() == MAX_RANGES {
                return None;
            }
            before = Some(last);
            ranges.0.insert(first, last);
        }
        Some(ranges)
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.last_key_value().map_or(0, |(_, last)| *last);
        for (nth, (first, last)) in self.0.iter().take(MAX_RANGES).enumerate() {
            let last = if nth + 1 == MAX_RANGES { end } else { *last };
            let comma = if nth > 0 { "," } else { "" };
            if *first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}
