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
/// none is made: a proxy that was started anew knows nothing of what there is. What several count apart, two proxies say, they
/// hear of with the next answer: so a tenant may get beyond its bound, by no more than the bound again for each of the others.
#[derive(Default)]
pub struct Counts {
    own: Cell<BTreeMap<Rc<str>, Count>>,
    kept: Option<Box<dyn Kept>>,
}

/// Where several keep what they count together, as the workers of a proxy do.
pub trait Kept {
    /// Lets `change` make of what is kept for a prefix what is kept from now on; nothing changes where it gives none. Where
    /// somebody else wrote meanwhile, it is asked again.
    fn update(&self, prefix: &str, change: &mut dyn FnMut(Option<[u64; 3]>) -> Option<[u64; 3]>);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Those that others count with.
    #[must_use]
    pub fn kept(kept: Box<dyn Kept>) -> Self {
        Self { own: Cell::default(), kept: Some(kept) }
    }

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

    fn with<T: Default>(&self, prefix: &Rc<str>, mut then: impl FnMut(&mut Count) -> T) -> T {
        let mut counts = self.own.take();
        if counts.len() >= MOST && !counts.contains_key(prefix) {
            counts.clear();
        }
        let own = counts.entry(Rc::clone(prefix)).or_default();
        let mut result = T::default();
        match &self.kept {
            None => result = then(own),
            Some(kept) => kept.update(prefix, &mut |known| {
                let before = known.map_or(*own, Count::of);
                *own = before;
                result = then(own);
                (own.is_known && *own != before).then(|| own.numbers())
            }),
        }
        self.own.set(counts);
        result
    }
}

impl Count {
    fn of([told, made, before]: [u64; 3]) -> Self {
        Self { is_known: true, told: u32::try_from(told).unwrap_or(u32::MAX), made, before }
    }

    fn numbers(&self) -> [u64; 3] {
        [self.told.into(), self.made, self.before]
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
