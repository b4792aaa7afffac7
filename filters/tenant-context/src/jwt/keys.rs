//! Which key of an issuer a token may have been signed with.

use partywall_tenancy::{Issuer, IssuerKey, KeySource, Reason, UnixSeconds};

use super::KeySets;
use crate::Rejection;

/// The keys of all issuers, as they are at one moment.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    sets: Option<&'a KeySets>,
    now: UnixSeconds,
}

/// A key, and the generation of the set it is in: another one whenever that set changes, 0 in a bundle.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) key: &'a IssuerKey,
    pub(super) generation: u64,
}

impl<'a> Keys<'a> {
    /// Those that are in the bundle, and no others.
    pub fn inline() -> Self {
        Self { sets: None, now: 0 }
    }

    /// Those in the bundle, and what was fetched.
    pub fn new(sets: &'a KeySets, now: UnixSeconds) -> Self {
        Self { sets: Some(sets), now }
    }

    /// The key of `issuer` with this id. That one was asked for in vain is remembered, so that the
    /// set is fetched again, at a bounded rate.
    pub(super) fn find(&self, issuer: &'a Issuer, kid: &str) -> Result<Found<'a>, Rejection> {
        let found = match &issuer.keys {
            KeySource::Inline(keys) => keys.iter().find(|key| key.id == kid).map(|key| Found { key, generation: 0 }),
            KeySource::Fetched { .. } => self.sets.and_then(|sets| sets.find(&issuer.issuer, kid, self.now)).ok_or(
                Rejection::new(Reason::PolicyUnavailable, "the issuer's key set was not fetched, or is too old"),
            )?,
        };
        found.ok_or(Rejection::new(Reason::CredentialInvalid, "`kid` is no key of the issuer"))
    }
}
