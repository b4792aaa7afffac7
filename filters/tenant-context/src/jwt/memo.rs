//! Tokens that were verified, so that a token is verified once and not with each request.
//!
//! Bounded, and shared fairly: a tenant that floods evicts its own tokens. The signature is what is
//! remembered; time, key and revocation are looked at again on every hit.

use std::rc::Rc;

use partywall_tenancy::{CLOCK_SKEW, TenantId, UnixSeconds, View};

use super::verify::prove;
use super::{Keys, SignatureVerifier, Verified};
use crate::Rejection;
use crate::shares::{Shares, digest};

/// Verified tokens of one mesh.
#[derive(Debug)]
pub struct Memo(Shares<Owner, Entry>);

#[derive(Debug)]
struct Entry {
    verified: Rc<Verified>,
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
        Self(Shares::new(capacity))
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
        let digest = digest(token);
        if let Some(entry) = self.0.get(&digest)
            && entry.counts(view, keys)?
        {
            let verified = entry.verified.clone();
            return match verified.check_still(view, now) {
                Ok(()) => Ok(Some(verified)),
                Err(rejection) => {
                    self.0.remove(&digest);
                    Err(rejection)
                }
            };
        }
        self.0.remove(&digest);
        let Some((verified, generation)) = prove(token, view, keys, now, verifier)? else { return Ok(None) };
        let verified = Rc::new(verified);
        let ends = verified.expires.saturating_add(CLOCK_SKEW);
        let entry = Entry { verified: verified.clone(), revision: view.bundle().body().revision, generation };
        self.0.insert(digest, Owner::of(&verified), entry, ends, now);
        Ok(Some(verified))
    }

    /// How many tokens it remembers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
