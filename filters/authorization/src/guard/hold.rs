//! The element that is being read: kept back until its owner is known, then passed, left out or masked.

use partywall_tenancy::Foreign;

use super::{Counts, Refused};

/// What stands where an element was masked.
pub(super) const MASK: &[u8] = b"null";

/// The element on its way, with what stands between it and the one before.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Whether bytes are kept back.
    pub(super) open: bool,
    /// What was kept back of earlier chunks.
    earlier: Vec<u8>,
    /// Where in the chunk the kept back bytes begin.
    from: usize,
    /// Where the value begins, behind comma and key, counted from the first byte that is kept back.
    value: usize,
    /// Whether an owner in it is another tenant.
    pub(super) foreign: bool,
    /// Whether an element of this array or object was passed on, so that a comma must stand before the next.
    kept: bool,
}

/// The chunk that is being read, and what leaves of it.
pub(super) struct Passing<'a> {
    pub(super) chunk: &'a [u8],
    /// Up to here it has left, or never will.
    done: usize,
    out: &'a mut Vec<u8>,
}

impl<'a> Passing<'a> {
    pub(super) fn new(chunk: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self { chunk, done: 0, out }
    }

    /// Lets go of what lies before `at`.
    fn pass(&mut self, at: usize) {
        self.out.extend_from_slice(self.chunk.get(self.done..at).unwrap_or_default());
        self.done = at;
    }
}

impl Hold {
    /// Keeps back what comes from `at` on.
    pub(super) fn begin(&mut self, at: usize) {
        (self.open, self.from, self.foreign) = (true, at, false);
        self.earlier.clear();
    }

    /// An array or object of elements begins.
    pub(super) fn first(&mut self) {
        self.kept = false;
    }

    /// The value of the element begins at `at`.
    pub(super) fn value(&mut self, at: usize) {
        self.value = self.length(at);
    }

    /// There is no element after all: `]` or `}` follows.
    pub(super) fn none(&mut self, passing: &mut Passing<'_>) {
        self.open = false;
        passing.out.append(&mut self.earlier);
    }

    /// How many bytes are kept back at `at`.
    fn length(&self, at: usize) -> usize {
        self.earlier.len() + at.saturating_sub(self.from)
    }

    /// The element ended before `at`, with its owner known.
    pub(super) fn settle(
        &mut self,
        at: usize,
        cap: usize,
        foreign: Foreign,
        counts: &mut Counts,
        passing: &mut Passing<'_>,
    ) -> Result<(), Refused> {
        if self.length(at) > cap {
            return Err(Refused::TooLarge);
        }
        self.open = false;
        // The comma of the first that is kept belonged to one that was left out.
        let comma = usize::from(!self.kept && self.first_byte(passing.chunk) == Some(b','));
        let masked = match (self.foreign, foreign) {
            (false, _) => {
                counts.own += 1;
                false
            }
            (true, Foreign::Report) => {
                counts.reported += 1;
                false
            }
            (true, Foreign::Mask) => {
                counts.masked += 1;
                true
            }
            (true, Foreign::Drop) => {
                counts.dropped += 1;
                passing.pass(self.from);
                passing.done = at;
                self.earlier.clear();
                return Ok(());
            }
            (true, Foreign::Deny) => return Err(Refused::Foreign),
        };
        self.kept = true;
        if !masked && comma == 0 {
            // As it came: it leaves with what lies around it.
            passing.out.append(&mut self.earlier);
            return Ok(());
        }
        passing.pass(self.from);
        passing.done = at;
        let end = if masked { self.value } else { self.length(at) };
        let here = passing.chunk.get(self.from..at).unwrap_or_default();
        passing.out.extend(self.earlier.iter().chain(here).take(end).skip(comma));
        if masked {
            passing.out.extend_from_slice(MASK);
        }
        self.earlier.clear();
        Ok(())
    }

    fn first_byte(&self, chunk: &[u8]) -> Option<u8> {
        self.earlier.first().or_else(|| chunk.get(self.from)).copied()
    }

    /// The chunk ends.
    pub(super) fn keep(&mut self, cap: usize, mut passing: Passing<'_>) -> Result<(), Refused> {
        let end = passing.chunk.len();
        if !self.open {
            passing.pass(end);
            return Ok(());
        }
        if self.length(end) > cap {
            return Err(Refused::TooLarge);
        }
        passing.pass(self.from);
        self.earlier.extend_from_slice(passing.chunk.get(self.from..).unwrap_or_default());
        self.from = 0;
        Ok(())
    }

    /// How many bytes are kept back between two chunks.
    pub(super) fn kept_back(&self) -> usize {
        self.earlier.len()
    }
}
