//! Verifying root contexts, each once.

use std::rc::Rc;

use ed25519_dalek::{Signature, VerifyingKey};
use partywall_tenancy::{
    CLOCK_SKEW, ContextSigner, ProvedBy, Reason, SpiffeId, TenantContext, TenantId, UnixSeconds, View,
};

use super::{ALGORITHM, Claims, Header, MAX_TOKEN, ROOT_LIFETIME, TYPE, is_principal};
use crate::Rejection;
use crate::jwt::Compact;
use crate::shares::{Shares, digest};

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

fn forged(what: &'static str) -> Rejection {
    Rejection::new(Reason::ContextForged, what)
}

/// The signer with this key id, unless it is revoked.
fn signer<'a>(kid: &str, view: &'a View) -> Result<&'a ContextSigner, Rejection> {
    let signer = view.bundle().signer(kid).ok_or(forged("its `kid` is no context signer"))?;
    if view.overlay().revokes_signer(kid) {
        return Err(Rejection::new(Reason::CredentialRevoked, "the overlay revokes its signing key"));
    }
    Ok(signer)
}

/// Whether these claims may be of this signer, for this tenant.
fn may_sign(signer: &ContextSigner, claims: &Claims, tenant: &TenantId) -> bool {
    claims.org == signer.workload.as_str() && signer.tenants.contains(tenant)
}

fn prove(token: &[u8], view: &View) -> Result<Proved, Rejection> {
    let compact = Compact::read(token).ok_or(forged("it is no compact JWS"))?;
    let header: Header<'_> =
        serde_json::from_slice(&compact.header).map_err(|_| forged("its header is not that of a root context"))?;
    if header.alg != ALGORITHM || header.typ != TYPE {
        return Err(forged("its header is not that of a root context"));
    }
    let signer = signer(header.kid, view)?;
    let signature =
        Signature::from_slice(&compact.signature).map_err(|_| forged("its signature has a wrong length"))?;
    let key =
        VerifyingKey::from_bytes(&signer.key).map_err(|_| forged("the bundle's key for its `kid` is unusable"))?;
    key.verify_strict(compact.signed, &signature).map_err(|_| forged("its signature does not verify"))?;

    // Claim types are fixed by the struct, and serde refuses a repeated field of one.
    let claims: Claims = serde_json::from_slice(&compact.payload).map_err(|_| forged("its claims are unreadable"))?;
    let tenant = TenantId::parse(&claims.ten).map_err(|_| forged("its tenant is no tenant id"))?;
    let body = view.bundle().body();
    if claims.iss != body.mesh.as_str() {
        return Err(forged("it was made in another mesh"));
    }
    if !is_principal(&claims.sub) {
        return Err(forged("its principal cannot stand in a header"));
    }
    if !may_sign(signer, &claims, &tenant) {
        return Err(forged("its signer may not sign for this tenant"));
    }
    Ok(Proved { claims, tenant, kid: header.kid.into(), revision: body.revision })
}

impl Proved {
    /// Whether its signer may still sign for its tenant.
    pub(crate) fn check_signer(&self, view: &View) -> Result<(), Rejection> {
        let signer = signer(&self.kid, view)?;
        if !may_sign(signer, &self.claims, &self.tenant) {
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
