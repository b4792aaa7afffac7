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
/// Whoever reads what a broker lists says so by [`Counts::told`]. In between, each topic that may be made counts as one
/// that is there, whether it comes to be or not. Before anybody said so there are none: the bound holds then of what is
/// made through this proxy.
#[derive(Default)]
pub struct Counts(Cell<BTreeMap<Rc<str>, Count>>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    told: u32,
    since: u32,
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

impl Counts {
    /// A broker listed all of its topics, and of those `topics` begin with `prefix`.
    pub fn told(&self, prefix: &Rc<str>, topics: u32) {
        self.with(prefix, |count| *count = Count { told: topics, since: 0 });
    }

    /// Whether one more topic may be made, so that there are `most` at most. If so, it counts from here on.
    pub(super) fn take(&self, prefix: &Rc<str>, most: u32) -> bool {
        self.with(prefix, |count| {
            let fits = count.told.saturating_add(count.since) < most;
            count.since = count.since.saturating_add(fits.into());
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
        assert!(counts.take(&acme, 2) && counts.take(&acme, 2) && !counts.take(&acme, 2));
        assert!(counts.take(&rival, 2), "each has its own");
        counts.told(&acme, 1);
        assert!(counts.take(&acme, 2) && !counts.take(&acme, 2));
        counts.told(&acme, 5);
        assert!(!counts.take(&acme, 2));
        assert!(!counts.take(&rival, 0));
    }
}
