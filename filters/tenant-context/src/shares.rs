//! A bounded store with a fair share for every owner: one that floods loses only its own.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

use partywall_tenancy::UnixSeconds;
use sha2::{Digest as _, Sha256};

/// SHA-256 of what is remembered: nobody can choose two that are the same.
pub(crate) type Digest = [u8; 32];

/// The key of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Of all places, one owner has at most one in this many.
const LEAST_OWNERS: usize = 4;
/// Seconds between two searches for what expired.
const SWEEP_EACH: UnixSeconds = 60;

/// Values by digest, each counted towards the share of one owner.
#[derive(Debug)]
pub(crate) struct Shares<O, V> {
    capacity: usize,
    entries: HashMap<Digest, Entry<O, V>>,
    /// The entries of each owner, the oldest first.
    owners: HashMap<O, VecDeque<Digest>>,
    /// The owners by how many entries they have.
    by_size: BTreeSet<(usize, O)>,
    swept: UnixSeconds,
}

#[derive(Debug)]
struct Entry<O, V> {
    owner: O,
    /// From then on it is worth nothing.
    ends: UnixSeconds,
    value: V,
}

impl<O: Clone + Ord + Hash, V> Shares<O, V> {
    /// An empty one for `capacity` values.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), owners: HashMap::new(), by_size: BTreeSet::new(), swept: 0 }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value under `digest`, whether it ended or not.
    pub(crate) fn get(&self, digest: &Digest) -> Option<&V> {
        self.entries.get(digest).map(|entry| &entry.value)
    }

    /// Keeps `value` in the share of `owner`, in the place of what was there, for as long as there is room.
    /// After `ends` it may go first.
    pub(crate) fn insert(&mut self, digest: Digest, owner: O, value: V, ends: UnixSeconds, now: UnixSeconds) {
        self.remove(&digest);
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity && now >= self.swept.saturating_add(SWEEP_EACH) {
            self.sweep(now);
        }
        if let Some(victim) = self.victim(&owner) {
            self.remove(&victim);
        }
        let own = self.owners.entry(owner.clone()).or_default();
        self.by_size.remove(&(own.len(), owner.clone()));
        own.push_back(digest);
        self.by_size.insert((own.len(), owner.clone()));
        self.entries.insert(digest, Entry { owner, ends, value });
    }

    /// Forgets the value under `digest`.
    pub(crate) fn remove(&mut self, digest: &Digest) {
        let Some(entry) = self.entries.remove(digest) else { return };
        let Some(own) = self.owners.get_mut(&entry.owner) else { return };
        self.by_size.remove(&(own.len(), entry.owner.clone()));
        // Nearly always the first one: the oldest goes first.
        if let Some(at) = own.iter().position(|d| d == digest) {
            own.remove(at);
        }
        if own.is_empty() {
            self.owners.remove(&entry.owner);
        } else {
            self.by_size.insert((own.len(), entry.owner));
        }
    }

    /// What has to go before `owner` gets one place more.
    ///
    /// INVARIANT: an owner that has its fair share or less loses nothing to another.
    fn victim(&self, owner: &O) -> Option<Digest> {
        let own = self.owners.get(owner);
        let held = own.map_or(0, VecDeque::len);
        let oldest_own = || own.and_then(|entries| entries.front()).copied();
        if held >= (self.capacity / LEAST_OWNERS).max(1) {
            return oldest_own();
        }
        if self.entries.len() < self.capacity {
            return None;
        }
        let owners = self.owners.len() + usize::from(own.is_none());
        if held >= (self.capacity / owners).max(1) {
            return oldest_own();
        }
        // Everything is full and this owner has less than an average one: the largest has more.
        let (_, largest) = self.by_size.last()?;
        self.owners.get(largest)?.front().copied()
    }

    fn sweep(&mut self, now: UnixSeconds) {
        self.swept = now;
        let gone: Vec<Digest> = self.entries.iter().filter(|(_, e)| now > e.ends).map(|(digest, _)| *digest).collect();
        gone.iter().for_each(|digest| self.remove(digest));
    }
}
