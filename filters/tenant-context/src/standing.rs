//! What a context rests on, to be looked at again while its request is open.

use std::rc::Rc;

use partywall_tenancy::{Reason, SpiffeId, TenantContext, TenantId, View};

use crate::root::Proved;
use crate::{Rejection, jwt};

/// The credentials by which a tenant context was established. A long-lived request (a WebSocket, a gRPC stream) is
/// let in once, and asked about again whenever bundle or overlay change.
#[derive(Debug, Default)]
pub struct Standing(Vec<Ground>);

/// One credential.
#[derive(Debug)]
pub(crate) enum Ground {
    /// A token of an issuer.
    Token(Rc<jwt::Verified>),
    /// An API key, by its id.
    ApiKey(String),
    /// A root context.
    Root(Rc<Proved>),
    /// The context of an event, by the id of the key that signed it.
    Event {
        /// The id.
        key: String,
    },
    /// None: this service takes this peer without a context.
    Exception {
        /// The service.
        service: String,
        /// The peer.
        peer: SpiffeId,
    },
}

/// Who brought an open request where.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// The service that is called.
    pub service: &'a str,
    /// The service behind this sidecar, at role outbound: it calls.
    pub calling: Option<&'a str>,
}

impl Standing {
    pub(crate) fn of(grounds: impl IntoIterator<Item = Ground>) -> Self {
        Self(grounds.into_iter().collect())
    }

    /// Whether `context`, which rests on this, would still be let in where it was: nothing of it is revoked, the bundle
    /// still knows who vouched for this tenant, the caller is still listed, and the tenant may act.
    ///
    /// Time is not asked about: a credential that runs out ends no request that it opened.
    ///
    /// INVARIANT: as under [`View`], what the overlay says can only make the answer worse.
    pub fn check(&self, context: &TenantContext, passage: Passage<'_>, view: &View) -> Result<(), Rejection> {
        let tenant = &context.tenant;
        for ground in &self.0 {
            ground.check(tenant, view).map_err(|r| Rejection { tenant: Some(tenant.clone()), proved: true, ..r })?;
        }
        let caller = match passage.calling {
            Some(own) => Some(&view.bundle().service(own).ok_or_else(|| unlisted(tenant))?.spiffe_id),
            None => context.caller.as_ref(),
        };
        if let Some(caller) = caller
            && !view.bundle().service(passage.service).is_some_and(|service| service.lists(caller, tenant))
        {
            return Err(unlisted(tenant));
        }
        view.active_tenant(tenant)
            .map(|_| ())
            .map_err(|reason| Rejection::of_tenant(tenant, reason, "the tenant of an open request may no longer act"))
    }
}

fn unlisted(tenant: &TenantId) -> Rejection {
    Rejection::of_tenant(tenant, Reason::CallerDenied, "who made this open request is no longer listed for its tenant")
}

impl Ground {
    pub(crate) fn check(&self, tenant: &TenantId, view: &View) -> Result<(), Rejection> {
        match self {
            Self::Token(token) => {
                token.check_revoked(view)?;
                let issuer = view.bundle().issuer(&token.issuer);
                if !issuer.is_some_and(|issuer| issuer.tenants.contains(tenant)) {
                    return Err(invalid("the issuer of its token no longer names this tenant"));
                }
                token.check_binding(view, tenant)
            }
            Self::ApiKey(id) => {
                if view.overlay().revokes_api_key(id) {
                    return Err(Rejection::new(Reason::CredentialRevoked, "the overlay revokes its API key"));
                }
                let key = view.bundle().api_key(id).filter(|key| key.tenant == *tenant);
                key.map(|_| ()).ok_or_else(|| invalid("its API key is not in the bundle any more"))
            }
            Self::Root(proved) => proved.check_signer(view),
            Self::Event { key } => {
                let signer = crate::signed::signer(key, view)?;
                let why = "who sent the event may not sign for this tenant any more";
                if signer.tenants.contains(tenant) { Ok(()) } else { Err(Rejection::new(Reason::ContextForged, why)) }
            }
            Self::Exception { service, peer } => {
                let exception = view.bundle().service(service).and_then(|found| found.without_context.as_ref());
                let stands = exception.is_some_and(|found| found.peer == *peer && found.tenant == *tenant);
                let why = "its peer is not taken without a context any more";
                if stands { Ok(()) } else { Err(Rejection::new(Reason::TenantMissing, why)) }
            }
        }
    }
}

fn invalid(what: &'static str) -> Rejection {
    Rejection::new(Reason::CredentialInvalid, what)
}
