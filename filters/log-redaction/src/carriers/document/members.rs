//! Members of an object, or items of an array, of which some are left out: commas stand between those that are left.

use std::ops::Range;

use partywall_json::Fault;

use super::super::refusal::Refusal;
use super::super::splice::Mark;
use super::super::walk::{Fate, Walk};

/// Those of one object or array.
pub(crate) struct Members {
    /// Where the last one ended, or the bracket.
    end: usize,
    /// Whether one is left.
    left: bool,
    /// Where those begin that are left out before the first that is left.
    front: Option<usize>,
}

impl Members {
    /// Behind the bracket.
    pub(crate) fn new(end: usize) -> Self {
        Self { end, left: false, front: None }
    }

    /// One that stands there was gone through; what was edited since `mark` is in it.
    #[inline]
    pub(crate) fn next(&mut self, walk: &mut Walk<'_>, mark: Mark, fate: Fate, range: Range<usize>) {
        match fate {
            Fate::Goes => {
                walk.desk.splice.back_to(mark);
                if self.left {
                    walk.desk.splice.remove(self.end..range.end);
                } else {
                    self.front.get_or_insert(range.start);
                }
            }
            Fate::Stays => {
                if let Some(front) = self.front.take() {
                    walk.desk.splice.remove(front..range.start);
                }
                self.left = true;
            }
        }
        self.end = range.end;
    }

    /// The bracket closes.
    pub(crate) fn end(self, walk: &mut Walk<'_>) {
        if let Some(front) = self.front {
            walk.desk.splice.remove(front..self.end);
        }
    }
}

/// An object ended whose keys stand from there on: it has none twice.
pub(crate) fn unique(keys: &mut Vec<u64>, from: usize) -> Result<(), Refusal> {
    let own = keys.get_mut(from..).unwrap_or_default();
    own.sort_unstable();
    let twice = own.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    keys.truncate(from);
    if twice { Err(Fault::Twice.into()) } else { Ok(()) }
}
