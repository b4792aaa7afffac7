//! How many topics tenants have.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// Of how many prefixes counts are kept. There is one for each tenant that makes topics, and nobody else has one.
const MOST: usize = 100_000;

/// How many topics tenants have, as far as a proxy knows. It is made once for each cluster and handed to each
/// [`Cluster`](super::Cluster) that is made of it, since what is known outlives a bundle.
///
/// A session asks a broker for all topics before it sends what makes some, and says how many there were. In between,
/// each topic that may be made counts as one that is there, whether it comes to be or not. Before a broker said anything
/// none is made: a proxy that was started anew knows nothing of what there is. Each worker of each proxy has counts of its own,
/// and hears of what others made with its next answer: so a tenant may get beyond its bound, by no more than the bound
/// again for each of the other workers.
#[derive(Default)]
pub struct Counts(Cell<BTreeMap<Rc<str>, Count>>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    is_known: bool,
    told: u32,
    /// How many were allowed, ever, and before what was told.
    made: u64,
    before: u64,
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

impl Counts {
    /// A broker listed all of its topics, and of those `topics` begin with `prefix`: without those that were allowed since
    /// there were `made`.
    pub(super) fn told(&self, prefix: &Rc<str>, topics: u32, made: u64) {
        self.with(prefix, |count| {
            (count.is_known, count.told, count.before) = (true, topics, made.min(count.made));
        });
    }

    /// Whether a broker said anything of them.
    pub(super) fn is_known(&self, prefix: &Rc<str>) -> bool {
        self.with(prefix, |count| count.is_known)
    }

    /// How many were allowed so far.
    pub(super) fn made(&self, prefix: &Rc<str>) -> u64 {
        self.with(prefix, |count| count.made)
    }

    /// Whether one more topic may be made, so that there are `most` at most. If so, it counts from here on.
    pub(super) fn take(&self, prefix: &Rc<str>, most: u32) -> bool {
        self.with(prefix, |count| {
            let since = count.made.saturating_sub(count.before);
            let fits = u64::from(count.told).saturating_add(since) < u64::from(most);
            count.made = count.made.saturating_add(fits.into());
            fits
        })
    }

    fn with<T>(&self, prefix: &Rc<str>, then: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.0.take();
        if counts.len() >= MOST && !counts.contains_key(prefix) {
            counts.clear();
        }
        let result = then(counts.entry(Rc::clone(prefix)).or_default());
        self.0.set(counts);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_made_counts_until_a_broker_says_more() {
        let counts = Counts::default();
        let (acme, rival) = (Rc::from("acme."), Rc::from("rival."));
        assert!(!counts.is_known(&acme));
        assert!(counts.take(&acme, 2) && counts.take(&acme, 2) && !counts.take(&acme, 2));
        assert!(counts.take(&rival, 2), "each has its own");
        // One of the two did not come to be.
        counts.told(&acme, 1, counts.made(&acme));
        assert!(counts.is_known(&acme) && !counts.is_known(&rival));
        assert!(counts.take(&acme, 2) && !counts.take(&acme, 2));
        // Asked before the last one was sent, and answered after.
        counts.told(&acme, 1, counts.made(&acme) - 1);
        assert!(!counts.take(&acme, 2));
        counts.told(&acme, 5, counts.made(&acme));
        assert!(!counts.take(&acme, 2));
        assert!(!counts.take(&rival, 0));
    }
}
