//! What a tenant wrote, by topic and partition: the record at each offset, by its number.

use std::collections::BTreeMap;

/// The books of one tenant.
#[derive(Default)]
pub(super) struct Books {
    kept: BTreeMap<(String, i32), Vec<u64>>,
    next: u64,
}

impl Books {
    /// The numbers of the next `count` records.
    pub(super) fn numbers(&mut self, count: usize) -> Vec<u64> {
        let first = self.next;
        self.next += count as u64;
        (first..self.next).collect()
    }

    /// A broker took these, from `base` on. The error says why that cannot be, if nobody else writes there.
    pub(super) fn took(&mut self, topic: &str, partition: i32, base: i64, numbers: Vec<u64>) -> Result<(), String> {
        let kept = self.kept.entry((topic.to_owned(), partition)).or_default();
        if base != kept.len() as i64 {
            return Err(format!("{topic} {partition}: records were put at {base}, behind {}", kept.len()));
        }
        kept.extend(numbers);
        Ok(())
    }

    /// How many records there are.
    pub(super) fn end(&self, topic: &str, partition: i32) -> i64 {
        self.kept.get(&(topic.to_owned(), partition)).map_or(0, |kept| kept.len() as i64)
    }

    /// The number of the record at `offset`.
    pub(super) fn at(&self, topic: &str, partition: i32, offset: i64) -> Option<u64> {
        self.kept.get(&(topic.to_owned(), partition))?.get(usize::try_from(offset).ok()?).copied()
    }

    /// Every topic and partition that has records.
    pub(super) fn all(&self) -> Vec<(String, i32)> {
        self.kept.keys().cloned().collect()
    }
}
