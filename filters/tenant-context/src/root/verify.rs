//! Verifying root contexts, each once.

use std::rc::Rc;

use partywall_tenancy::{CLOCK_SKEW, ContextSigner, ProvedBy, SpiffeId, TenantContext, TenantId, UnixSeconds, View};

use super::{Claims, MAX_TOKEN, ROOT_LIFETIME, is_principal};
use crate::Rejection;
use crate::shares::{Shares, digest};
use crate::signed::{self, Signed, forged, may_sign, signer};

/// A root context that verified.
pub(crate) struct Verified<'a> {
    pub(crate) proved: Rc<Proved>,
    pub(crate) signer: &'a ContextSigner,
}

/// What the signature of a root context proves, whatever the time.
#[derive(Debug)]
pub(crate) struct Proved {
    pub(crate) claims: Claims,
    pub(crate) tenant: TenantId,
    /// Its signer's key id.
    kid: Box<str>,
    /// The bundle revision under which it was verified.
    revision: u64,
}

/// Root contexts that were verified, so that each is verified once and not with each request. Bounded, and
/// shared fairly between tenants.
#[derive(Debug)]
pub struct RootMemo(Shares<TenantId, Rc<Proved>>);

impl RootMemo {
    /// How many root contexts a sidecar remembers.
    pub const CAPACITY: usize = 4096;

    /// An empty one for `capacity` root contexts.
    pub fn new(capacity: usize) -> Self {
        Self(Shares::new(capacity))
    }

    /// How many root contexts it remembers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Verifies everything about a root context that does not depend on who sent it.
    ///
    /// INVARIANT: the answer is the same without a memory, except that the signature of these very bytes is
    /// not checked twice under one bundle. Revocation and time are looked at on every hit.
    pub(crate) fn verify<'a>(
        &mut self,
        token: &[u8],
        view: &'a View,
        now: UnixSeconds,
    ) -> Result<Verified<'a>, Rejection> {
        // Longer ones are not hashed either.
        if token.len() > MAX_TOKEN {
            return Err(forged("it is too long"));
        }
        let digest = digest(token);
        let known = self.0.get(&digest).filter(|p| p.revision == view.bundle().body().revision).cloned();
        let proved = match known {
            Some(proved) => proved,
            None => {
                let proved = Rc::new(prove(token, view)?);
                let ends = proved.claims.exp.saturating_add(CLOCK_SKEW);
                self.0.insert(digest, proved.tenant.clone(), proved.clone(), ends, now);
                proved
            }
        };
        let signer = signer(&proved.kid, view)?;
        let claims = &proved.claims;
        if claims.iat > now.saturating_add(CLOCK_SKEW) || claims.exp > claims.iat.saturating_add(ROOT_LIFETIME) {
            return Err(forged("its times are impossible"));
        }
        Ok(Verified { proved, signer })
    }
}

fn prove(token: &[u8], view: &View) -> Result<Proved, Rejection> {
    let Signed { claims, tenant, kid, .. } = signed::verify::<Claims>(token, view)?;
    if !is_principal(&claims.sub) {
        return Err(forged("its principal cannot stand in a header"));
    }
    Ok(Proved { claims, tenant, kid, revision: view.bundle().body().revision })
}

impl Proved {
    /// Whether its signer may still sign for its tenant.
    pub(crate) fn check_signer(&self, view: &View) -> Result<(), Rejection> {
        let signer = signer(&self.kid, view)?;
        if !may_sign(signer, &self.claims.org, &self.tenant) {
            return Err(forged("its signer may no longer sign for this tenant"));
        }
        Ok(())
    }
}

impl Verified<'_> {
    /// The context it carries, for a request that `caller` sent.
    pub(crate) fn context(&self, caller: Option<SpiffeId>) -> TenantContext {
        let claims = &self.proved.claims;
        TenantContext {
            tenant: self.proved.tenant.clone(),
            tier: claims.tier.clone(),
            region: claims.reg.clone(),
            principal: claims.sub.clone(),
            roles: claims.rol.clone(),
            scopes: claims.scp.clone(),
            networks: claims.net.clone(),
            proved_by: ProvedBy::Root,
            token_id: claims.jti.clone(),
            expires: claims.exp,
            caller,
        }
    }
}
