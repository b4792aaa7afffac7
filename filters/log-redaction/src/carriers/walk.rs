//! What all walks have: where they are, whom they ask, what they edit.

use super::counts::Counts;
use super::leaves::{Change, Leaves, Part, Place, Slot, Tag, Unit, Verdict};
use super::path::Path;
use super::refusal::{Cause, Refusal};
use super::splice::Splice;

/// How deeply values may nest within a record: arrays, lists of keys and values, objects.
pub(crate) const MAX_DEPTH: usize = 64;

const LONG_NAMES: Refusal = Refusal::new(Cause::TooLarge, "names within each other have more than 4 KiB");

/// What a carrier keeps between units, so that their walks cost no allocation.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) path: Path,
    pub(crate) splice: Splice,
    pub(crate) counts: Counts,
    /// For numbers in decimal and texts without their escapes; lent to one leaf at a time.
    pub(crate) scratch: Vec<u8>,
    /// Hashes of the keys of the objects that are open.
    pub(crate) keys: Vec<u64>,
}

/// How many units there were in the one around them, and how many go on.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    units: usize,
    left: usize,
}

/// One walk.
pub(crate) struct Walk<'w> {
    leaves: &'w mut dyn Leaves,
    pub(crate) desk: &'w mut Desk,
    /// Whether leaves are looked at alone.
    looking: bool,
    tally: Tally,
    /// Whether something is left out that the unit cannot be without.
    condemned: bool,
}

/// What becomes of what a value stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Goes,
}

impl<'w> Walk<'w> {
    /// Begins: nothing is edited so far.
    pub(crate) fn new(leaves: &'w mut dyn Leaves, desk: &'w mut Desk) -> Self {
        desk.path.clear();
        desk.splice.clear();
        desk.keys.clear();
        Self { leaves, desk, looking: false, tally: Tally::default(), condemned: false }
    }

    /// Asks about a leaf.
    #[inline]
    pub(crate) fn leaf(&mut self, slot: Slot, part: Part, key: &[u8], text: &[u8]) -> Change {
        let place = Place { slot, part, key, path: self.desk.path.text() };
        if self.looking {
            self.leaves.look(&place, text);
            return Change::Keep;
        }
        let change = self.leaves.leaf(&place, text);
        if !matches!(change, Change::Keep) {
            self.desk.counts.changed += 1;
        }
        change
    }

    /// Refuses what has names too long for a path.
    pub(crate) fn paths_were_bounded(&mut self) -> Result<(), Refusal> {
        if self.desk.path.was_too_long() { Err(LONG_NAMES) } else { Ok(()) }
    }

    /// The unit that is gone through is left out, whatever its verdict: what it cannot be without is.
    pub(crate) fn condemn(&mut self) {
        self.condemned = true;
    }

    /// Whether a unit is to be gone through twice whose names are all in `written`, and in no name around it.
    pub(crate) fn looks_in(&self, written: &[u8]) -> bool {
        self.leaves.looks() && (!self.desk.path.text().is_empty() || self.leaves.looks_in(written))
    }

    /// Goes through a unit: what is its own, then the units in it. A unit whose units are all left out is left out.
    pub(crate) fn unit(
        &mut self,
        unit: Unit,
        own: impl FnMut(&mut Self) -> Result<(), Refusal>,
        inner: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<Verdict, Refusal> {
        let looks = self.leaves.looks();
        self.unit_looked_at(unit, looks, own, inner)
    }

    /// As `unit`, where it is known whether it is gone through twice.
    pub(crate) fn unit_looked_at(
        &mut self,
        unit: Unit,
        looks: bool,
        mut own: impl FnMut(&mut Self) -> Result<(), Refusal>,
        inner: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<Verdict, Refusal> {
        self.leaves.begin(unit);
        let level = self.desk.path.down(b"");
        let outer = std::mem::take(&mut self.tally);
        let at_once = if looks { self.at_once(&mut own) } else { None };
        let read = at_once.unwrap_or_else(|| {
            let mut read = Ok(());
            if looks {
                self.looking = true;
                read = own(self);
                self.looking = false;
            }
            read.and_then(|()| own(self))
        });
        let read = read.and_then(|()| self.paths_were_bounded());
        let condemned = std::mem::take(&mut self.condemned);
        let read = read.and_then(|()| inner(self));
        let verdict = self.leaves.end();
        let of = std::mem::replace(&mut self.tally, outer);
        if let Err(refusal) = read {
            // A record of lines is left out, and the next goes on from here.
            self.desk.path.up(level);
            self.desk.keys.clear();
            return Err(refusal);
        }
        let verdict = if condemned || (of.units > 0 && of.left == 0) { Verdict::Drop } else { verdict };
        let stays = verdict != Verdict::Drop;
        self.tally.units += 1;
        self.tally.left += usize::from(stays);
        if unit == Unit::Record {
            self.desk.counts.records += 1;
            self.desk.counts.dropped += u64::from(!stays);
        } else {
            self.desk.counts.units_dropped += u64::from(!stays);
        }
        self.desk.counts.tagged += u64::from(matches!(verdict, Verdict::Tag(_)));
        Ok(verdict)
    }
}

impl Walk<'_> {
    /// Asks about what is a unit's own without having looked at it. `None` where what was answered does not hold: then it is as
    /// if nothing had been asked.
    fn at_once(&mut self, own: &mut impl FnMut(&mut Self) -> Result<(), Refusal>) -> Option<Result<(), Refusal>> {
        if !self.leaves.tries() {
            return None;
        }
        let (level, keys, mark) = (self.desk.path.level(), self.desk.keys.len(), self.desk.splice.mark());
        let changed = self.desk.counts.changed;
        let read = own(self);
        if self.leaves.holds(read.is_ok()) {
            return Some(read);
        }
        self.desk.path.up(level);
        self.desk.keys.truncate(keys);
        self.desk.splice.back_to(mark);
        self.desk.counts.changed = changed;
        self.condemned = false;
        None
    }
}

/// Whether a field is one that is added anew.
pub(crate) fn is_tag(tags: &[Tag], name: &[u8]) -> bool {
    tags.iter().any(|tag| tag.name.as_bytes() == name)
}
