//! Tokens that were verified, so that a token is verified once and not with each request.
//!
//! Bounded, and shared fairly: a tenant that floods evicts its own tokens. The signature is what is
//! remembered; time, key and revocation are looked at again on every hit.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use partywall_tenancy::{CLOCK_SKEW, TenantId, UnixSeconds, View};
use sha2::{Digest as _, Sha256};

use super::verify::prove;
use super::{Keys, SignatureVerifier, Verified};
use crate::Rejection;

type Digest = [u8; 32];

/// Of all places, one owner has at most one in this many.
const LEAST_OWNERS: usize = 4;
/// Seconds between two searches for what expired.
const SWEEP_EACH: UnixSeconds = 60;

/// Verified tokens of one mesh.
#[derive(Debug)]
pub struct Memo {
    capacity: usize,
    entries: HashMap<Digest, Entry>,
    /// The tokens of each owner, the oldest first.
    owners: HashMap<Owner, VecDeque<Digest>>,
    /// The owners by how many tokens they have.
    by_size: BTreeSet<(usize, Owner)>,
    swept: UnixSeconds,
}

#[derive(Debug)]
struct Entry {
    verified: Rc<Verified>,
    owner: Owner,
    /// The bundle revision and the generation of the key set under which it was verified.
    revision: u64,
    generation: u64,
}

/// Whose share a token counts towards. One that names several tenants is none of theirs: it could
/// be used to push out what only one of them can bring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owner {
    Tenant(TenantId),
    Several(Rc<str>),
}

impl Memo {
    /// How many tokens a sidecar remembers.
    pub const CAPACITY: usize = 4096;

    /// An empty one for `capacity` tokens.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), owners: HashMap::new(), by_size: BTreeSet::new(), swept: 0 }
    }

    /// As [`verify`](fn@super::verify), from memory where that has the token.
    ///
    /// INVARIANT: the answer for a token is the one that `verify` would give now, except that the
    /// signature of these very bytes is not checked twice under one key.
    pub fn verify(
        &mut self,
        token: &[u8],
        view: &View,
        keys: Keys<'_>,
        now: UnixSeconds,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Option<Rc<Verified>>, Rejection> {
        // Longer ones are not read at all, so they are not hashed either.
        if token.len() > super::MAX_TOKEN {
            return Ok(None);
        }
        let digest: Digest = Sha256::digest(token).into();
        if let Some(entry) = self.entries.get(&digest)
            && entry.counts(view, keys)?
        {
            let verified = entry.verified.clone();
            return match verified.check_still(view, now) {
                Ok(()) => Ok(Some(verified)),
                Err(rejection) => {
                    self.remove(&digest);
                    Err(rejection)
                }
            };
        }
        self.remove(&digest);
        let Some((verified, generation)) = prove(token, view, keys, now, verifier)? else { return Ok(None) };
        let verified = Rc::new(verified);
        self.insert(
            digest,
            Entry {
                owner: Owner::of(&verified),
                verified: verified.clone(),
                revision: view.bundle().body().revision,
                generation,
            },
            now,
        );
        Ok(Some(verified))
    }

    /// How many tokens it remembers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn insert(&mut self, digest: Digest, entry: Entry, now: UnixSeconds) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity && now >= self.swept.saturating_add(SWEEP_EACH) {
            self.sweep(now);
        }
        if let Some(victim) = self.victim(&entry.owner) {
            self.remove(&victim);
        }
        let tokens = self.owners.entry(entry.owner.clone()).or_default();
        self.by_size.remove(&(tokens.len(), entry.owner.clone()));
        tokens.push_back(digest);
        self.by_size.insert((tokens.len(), entry.owner.clone()));
        self.entries.insert(digest, entry);
    }

    /// What has to go before `owner` gets one place more.
    ///
    /// INVARIANT: an owner that has its fair share or less loses nothing to another.
    fn victim(&self, owner: &Owner) -> Option<Digest> {
        let own = self.owners.get(owner);
        let held = own.map_or(0, VecDeque::len);
        let oldest_own = || own.and_then(|tokens| tokens.front()).copied();
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
        let expired = |e: &Entry| now > e.verified.expires.saturating_add(CLOCK_SKEW);
        let gone: Vec<Digest> = self.entries.iter().filter(|(_, e)| expired(e)).map(|(digest, _)| *digest).collect();
        gone.iter().for_each(|digest| self.remove(digest));
    }

    fn remove(&mut self, digest: &Digest) {
        let Some(entry) = self.entries.remove(digest) else { return };
        let Some(tokens) = self.owners.get_mut(&entry.owner) else { return };
        self.by_size.remove(&(tokens.len(), entry.owner.clone()));
        // Nearly always the first one: the oldest goes first.
        if let Some(at) = tokens.iter().position(|d| d == digest) {
            tokens.remove(at);
        }
        if tokens.is_empty() {
            self.owners.remove(&entry.owner);
        } else {
            self.by_size.insert((tokens.len(), entry.owner));
        }
    }
}

impl Entry {
    /// Whether it was verified under the bundle and the key that are in force now. An error when
    /// the issuer's key set does not count any more.
    fn counts(&self, view: &View, keys: Keys<'_>) -> Result<bool, Rejection> {
        if self.revision != view.bundle().body().revision {
            return Ok(false);
        }
        let Some(issuer) = view.bundle().issuer(&self.verified.issuer) else { return Ok(false) };
        Ok(keys.find(issuer, &self.verified.key_id)?.generation == self.generation)
    }
}

impl Owner {
    fn of(verified: &Verified) -> Self {
        match verified.tenants.as_slice() {
            [tenant] => Self::Tenant(tenant.clone()),
            _ => Self::Several(verified.issuer.as_str().into()),
        }
    }
}
