//! The end of a frame that was passed on before it was there.

use super::problem::Problem;

/// What of a frame is yet to come: the end of its records, and an empty list of tags for each struct around them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    records: usize,
    tags: usize,
}

impl Rest {
    /// `missing` bytes, of which the first `records` are of records.
    pub(crate) fn of(records: usize, missing: usize) -> Self {
        Self { records, tags: missing.saturating_sub(records) }
    }

    /// How many bytes there are of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.records.saturating_add(self.tags)
    }

    /// How many of the bytes that come next go on whatever they are.
    #[must_use]
    pub fn unseen(&self) -> usize {
        self.records
    }

    /// So many of those have come.
    pub fn pass(&mut self, size: usize) {
        self.records = self.records.saturating_sub(size);
    }

    /// How many of `bytes`, which come next, belong to it: they may go on.
    ///
    /// # Errors
    ///
    /// There are tags where none were to be: nobody looked at them, and the length that was told is without them.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Problem> {
        let records = self.records.min(bytes.len());
        self.records -= records;
        let behind = bytes.get(records..).unwrap_or_default();
        let tags = behind.get(..self.tags.min(behind.len())).unwrap_or_default();
        if tags.iter().any(|count| *count != 0) {
            return Err(Problem::Tags);
        }
        self.tags -= tags.len();
        Ok(records + tags.len())
    }
}
