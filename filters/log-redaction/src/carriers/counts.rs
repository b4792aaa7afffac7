//! What became of records.

use super::refusal::Cause;

/// Since the body began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were read.
    pub records: u64,
    /// Of these, those that were left out as they were answered.
    pub dropped: u64,
    /// Resources, scopes and metrics that were left out, with all records in them.
    pub units_dropped: u64,
    /// Leaves that were answered otherwise than to keep them.
    pub changed: u64,
    /// Units that fields were added to.
    pub tagged: u64,
    /// Records that could not be read and were left out, by cause in the order of [`Cause::ALL`].
    pub bad: [u64; Cause::ALL.len()],
}

impl Counts {
    /// A record could not be read.
    pub(crate) fn bad(&mut self, cause: Cause) {
        if let Some(count) = self.bad.get_mut(cause as usize) {
            *count += 1;
        }
    }

    /// How many records could not be read.
    pub fn unread(&self) -> u64 {
        self.bad.iter().sum()
    }

    /// Whether all went on as it came.
    pub fn untouched(&self) -> bool {
        self.dropped + self.units_dropped + self.changed + self.tagged + self.unread() == 0
    }

    /// How many records went on.
    pub fn left(&self) -> u64 {
        self.records - self.dropped
    }

    /// Whether there were records, and none went on.
    pub fn nothing_left(&self) -> bool {
        self.records + self.unread() > 0 && self.left() == 0
    }
}
