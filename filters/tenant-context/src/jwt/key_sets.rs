//! JWK sets that are fetched: what is known, how long it counts, and what is asked for next.
//!
//! A state machine without a clock or a socket. A request only ever looks up; fetching happens on
//! the tick, and the last good set counts meanwhile.

use std::cell::Cell;
use std::collections::HashMap;

use partywall_tenancy::{Bundle, CLOCK_SKEW, IssuerKey, KeySource, UnixSeconds, order};

use super::jwk::{self, JwkError};
use super::keys::Found;
use super::schedule::Schedule;
use super::sealed::{Kept, SetSeal};

/// Seconds for which a key still counts that its issuer no longer publishes: tokens it signed are
/// on their way. Another new set ends this sooner.
const OVERLAP: UnixSeconds = 600;
/// The most fetches at once.
const MOST_AT_ONCE: usize = 16;

/// The fetched key sets of all issuers that have one.
#[derive(Debug, Default)]
pub struct KeySets {
    sets: HashMap<Box<str>, Set>,
    /// The last generation given to any set; none is given twice.
    generation: u64,
}

/// Where to ask for a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The Envoy cluster.
    pub cluster: String,
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
}

#[derive(Debug)]
struct Set {
    place: Ask,
    max_age: UnixSeconds,
    known: Option<Known>,
    schedule: Schedule,
    /// Until when an answer is waited for.
    asking: Option<UnixSeconds>,
    /// A `kid` was looked for in vain. A cell, since requests only read.
    unknown: Cell<bool>,
}

/// The last good set.
#[derive(Debug)]
struct Known {
    kept: Kept,
    generation: u64,
}

impl KeySets {
    /// Follows a new bundle: sets of issuers that stay are kept, as long as they are fetched from the same place.
    pub fn follow(&mut self, bundle: &Bundle) {
        let mut former = std::mem::take(&mut self.sets);
        for issuer in &bundle.body().issuers {
            let KeySource::Fetched { cluster, authority, path, max_age } = &issuer.keys else { continue };
            let place = Ask { cluster: cluster.clone(), authority: authority.clone(), path: path.clone() };
            let max_age = UnixSeconds::from(*max_age);
            let set = match former.remove(issuer.issuer.as_str()) {
                Some(set) if set.place == place => Set { max_age, ..set },
                _ => Set {
                    place,
                    max_age,
                    known: None,
                    schedule: Schedule::default(),
                    asking: None,
                    unknown: Cell::new(false),
                },
            };
            self.sets.insert(issuer.issuer.as_str().into(), set);
        }
    }

    /// The issuers whose sets are fetched.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(|issuer| &**issuer)
    }

    /// Whose set to ask for now, the longest overdue first, and no more than may be on their way at once.
    pub fn due(&self, now: UnixSeconds) -> Vec<Box<str>> {
        let asking = self.sets.values().filter(|set| set.is_asking(now)).count();
        let due = self.sets.iter().filter(|(_, set)| !set.is_asking(now) && set.is_due(now));
        let mut due: Vec<_> = due.map(|(issuer, set)| (set.schedule, issuer)).collect();
        order::sort_by(&mut due, |(one, issuer), (other, after)| {
            (one.due_since(), issuer).cmp(&(other.due_since(), after))
        });
        due.into_iter().take(MOST_AT_ONCE.saturating_sub(asking)).map(|(_, issuer)| issuer.clone()).collect()
    }

    /// Takes over when another worker says that the set of `issuer` may be asked for.
    pub fn heed(&mut self, issuer: &str, schedule: Schedule) {
        if let Some(set) = self.sets.get_mut(issuer) {
            // Whoever has no set yet does not wait until that of the others is old.
            set.schedule = if set.known.is_some() { schedule } else { schedule.due_at_once() };
        }
    }

    /// Where to ask for the set of `issuer`, which from now on counts as asked for. `None` when it is not due.
    pub fn ask(&mut self, issuer: &str, now: UnixSeconds) -> Option<Ask> {
        let set = self.sets.get_mut(issuer).filter(|set| !set.is_asking(now) && set.is_due(now))?;
        set.asking = Some(set.schedule.asked(now));
        set.unknown.set(false);
        Some(set.place.clone())
    }

    /// Another worker asks already.
    pub fn give_way(&mut self, issuer: &str) {
        if let Some(set) = self.sets.get_mut(issuer) {
            set.asking = None;
        }
    }

    /// A set came. When it is refused, say that it [`failed`](Self::failed); the last good one stays.
    pub fn received(&mut self, issuer: &str, json: &[u8], now: UnixSeconds, jitter: u8) -> Result<(), JwkError> {
        let keys = jwk::read_set(json)?;
        if let Some(set) = self.sets.get_mut(issuer) {
            set.asking = None;
            set.schedule.succeeded(now, set.max_age, jitter);
            let kept = Kept::next(set.known.as_ref().map(|known| &known.kept), keys, now);
            set.replace(kept, &mut self.generation);
        }
        Ok(())
    }

    /// No usable set came. Says whether this is the first failure after a success.
    pub fn failed(&mut self, issuer: &str, now: UnixSeconds, jitter: u8) -> bool {
        let Some(set) = self.sets.get_mut(issuer) else { return false };
        set.asking = None;
        set.schedule.failed(now, jitter)
    }

    /// When the set of `issuer` may be asked for, for other workers to heed.
    pub fn schedule(&self, issuer: &str) -> Option<Schedule> {
        self.sets.get(issuer).map(|set| set.schedule)
    }

    /// The set of `issuer`, sealed for other workers.
    pub fn seal(&self, issuer: &str, seal: &SetSeal) -> Option<Vec<u8>> {
        let set = self.sets.get(issuer)?;
        seal.seal(issuer, &set.place, &set.known.as_ref()?.kept)
    }

    /// Takes over what another worker sealed. Says whether it was genuine and newer than what was known here.
    pub fn adopt(&mut self, issuer: &str, sealed: &[u8], seal: &SetSeal, now: UnixSeconds) -> bool {
        let Some(set) = self.sets.get_mut(issuer) else { return false };
        let Some(kept) = seal.open(issuer, &set.place, sealed) else { return false };
        let newer = set.known.as_ref().is_none_or(|known| kept.fetched > known.kept.fetched);
        if !newer || kept.fetched > now.saturating_add(CLOCK_SKEW) {
            return false;
        }
        set.unknown.set(false);
        set.replace(kept, &mut self.generation);
        true
    }

    /// The key of `issuer` with this id: `None` when there is no set that counts, `Some(None)` when
    /// there is and the key is not in it.
    pub(super) fn find(&self, issuer: &str, kid: &str, now: UnixSeconds) -> Option<Option<Found<'_>>> {
        let set = self.sets.get(issuer)?;
        let known = set.known.as_ref().filter(|known| now <= known.kept.fetched.saturating_add(set.max_age))?;
        let found = known.kept.key(kid, now).map(|key| Found { key, generation: known.generation });
        if found.is_none() {
            set.unknown.set(true);
        }
        Some(found)
    }
}

impl Set {
    fn is_asking(&self, now: UnixSeconds) -> bool {
        self.asking.is_some_and(|until| now < until)
    }

    fn is_due(&self, now: UnixSeconds) -> bool {
        self.schedule.is_due(self.unknown.get(), now)
    }

    fn replace(&mut self, kept: Kept, generations: &mut u64) {
        let generation = match &self.known {
            Some(known) if known.kept.keys == kept.keys => known.generation,
            _ => {
                *generations += 1;
                *generations
            }
        };
        self.known = Some(Known { kept, generation });
    }
}

impl Kept {
    /// What is kept once `keys` came after `former`.
    fn next(former: Option<&Self>, keys: Vec<IssuerKey>, now: UnixSeconds) -> Self {
        let retiring = match former {
            None => Vec::new(),
            // What a set says again changes nothing, and gives no key a longer life.
            Some(former) if former.keys == keys => former.retiring.clone(),
            Some(former) => {
                let gone = former.keys.iter().filter(|old| keys.iter().all(|new| new.id != old.id));
                gone.map(|key| (key.clone(), now.saturating_add(OVERLAP))).collect()
            }
        };
        Self { fetched: now, keys, retiring }
    }

    fn key(&self, kid: &str, now: UnixSeconds) -> Option<&IssuerKey> {
        let retiring = self.retiring.iter().filter(|(_, until)| now <= *until).map(|(key, _)| key);
        self.keys.iter().chain(retiring).find(|key| key.id == kid)
    }
}
