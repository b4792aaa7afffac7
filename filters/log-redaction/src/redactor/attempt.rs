//! A unit whose leaves are asked about at once, without having been looked at: mostly nobody is named in it, or whom it must be
//! of, and what was answered for the first leaf holds whatever the last one says.

use crate::carriers::{Change, Part, Place};
use crate::tenants::Foreign;

use super::Redactor;

/// What came of it so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempt {
    /// An answer depends on whose the unit is.
    pub(super) depends: bool,
    /// Leaves may have been passed over: those of a field that is left out.
    partly: bool,
}

impl Attempt {
    /// A leaf was answered.
    pub(super) fn answered(&mut self, place: &Place<'_>, change: &Change) {
        if !matches!(change, Change::Keep) {
            // By whose key something is replaced is the owner's.
            self.depends = true;
            self.partly |= place.part == Part::Key || matches!(change, Change::DropField);
        }
    }
}

impl Redactor {
    /// Begins one, where which rules of fields hold does not depend on whose the unit is.
    pub(super) fn try_at_once(&mut self) -> bool {
        let tries = self.engine.fields.is_one() && self.beyond == 0 && !self.open.is_empty();
        if tries {
            self.attempt = Some(Attempt::default());
            self.counts.hold();
        }
        tries
    }

    /// Ends it, and says whether what was answered holds.
    pub(super) fn settle(&mut self, read: bool) -> bool {
        let Some(attempt) = self.attempt.take() else { return read };
        let outer = self.open.len().checked_sub(2);
        let around = outer.map_or(Some(&self.base), |outer| self.open.get(outer));
        let (Some(around), Some(open)) = (around, self.open.last()) else { return false };
        let same = open.says_as(around);
        let masks = open.foreign && !around.foreign && self.engine.foreign == Foreign::Mask;
        let holds = read && !attempt.partly && (same || !(attempt.depends || masks));
        self.counts.settle(holds);
        if !holds {
            let fresh = around.inner(open.unit);
            if let Some(open) = self.open.last_mut() {
                *open = fresh;
            }
        }
        holds
    }
}
