//! Overlapping candidates become one finding: all that any of them covers, named by the surest.

use super::{Candidate, Finding};

/// Sorts `candidates` and puts what is left into `found`.
///
/// Whoever overlaps is joined, so that nothing which any detector saw stays. The name is that of the surest, then of the
/// longest, then of the first in the catalogue.
pub(super) fn settle(candidates: &mut [Candidate], found: &mut Vec<Finding>) {
    candidates.sort_unstable_by_key(|one| (one.start, one.end, one.id));
    let mut open: Option<(Candidate, usize)> = None;
    for one in candidates.iter() {
        match &mut open {
            Some((best, end)) if one.start < *end => {
                *end = (*end).max(one.end);
                let rank = |it: &Candidate| (it.strength, it.end - it.start, std::cmp::Reverse(it.id));
                if rank(one) > rank(best) {
                    *best = Candidate { id: one.id, strength: one.strength, ..*best };
                }
            }
            _ => {
                found.extend(open.take().map(close));
                open = Some((*one, one.end));
            }
        }
    }
    found.extend(open.map(close));
}

fn close((best, end): (Candidate, usize)) -> Finding {
    Finding { range: best.start..end, detector: best.id }
}
