//! Role inbound: the boundary of a service. A root context counts only from a listed caller.

use partywall_tenancy::{CLOCK_SKEW, Reason, Service, SpiffeId, TenantContext, UnixSeconds, View};

use crate::{Rejection, Request, Single, TakenOut, root};

/// What an inbound filter looks at besides the request.
pub struct Inbound<'a> {
    /// Bundle and overlay.
    pub view: &'a View,
    /// The service behind this filter.
    pub service: &'a Service,
    /// The URI SAN of the peer's certificate as Envoy verified it, empty where there is none.
    pub peer: &'a [u8],
    /// Now.
    pub now: UnixSeconds,
}

/// Verifies the root context in `taken` for a request that `peer` sent.
///
/// INVARIANT: the tenant was signed by a key that may name it, and the workload that sent the
/// request is listed by this service for this tenant. A stolen root is worth nothing to others.
pub fn establish(request: &Request<'_>, taken: &TakenOut, sources: &Inbound<'_>) -> Result<TenantContext, Rejection> {
    crate::check_unambiguous(request)?;
    let caller = caller(sources)?;
    let mut listed = sources.service.callers.iter().filter(|c| c.spiffe_id == caller).peekable();
    // Before any signature is checked: a stranger costs nothing.
    if listed.peek().is_none() {
        return Err(Rejection::new(Reason::CallerDenied, format!("`{caller}` is no caller of this service")));
    }
    let token = match &taken.root {
        Single::Once(token) => token,
        Single::Absent => return Err(Rejection::new(Reason::TenantMissing, "no root context")),
        Single::Repeated => return Err(Rejection::new(Reason::AmbiguousRequest, "two root contexts")),
    };
    let verified = root::verify(token, sources.view, sources.now)?;
    let claims = &verified.claims;
    let ends = if verified.signer.workload == caller {
        claims.exp
    } else {
        claims.iat.saturating_add(sources.service.max_context_age.into())
    };
    if sources.now > ends.saturating_add(CLOCK_SKEW) {
        return Err(Rejection::new(Reason::ContextExpired, "the root context is too old for this service"));
    }
    if !listed.any(|c| c.tenants.contains(&verified.tenant)) {
        return Err(Rejection::of_tenant(
            &verified.tenant,
            Reason::CallerDenied,
            format!("`{caller}` may not call this service for this tenant"),
        ));
    }
    sources
        .view
        .active_tenant(&verified.tenant)
        .map_err(|reason| Rejection::of_tenant(&verified.tenant, reason, "the root context's tenant may not act"))?;
    Ok(verified.context(Some(caller)))
}

fn caller(sources: &Inbound<'_>) -> Result<SpiffeId, Rejection> {
    let unknown = |what: &'static str| Rejection::new(Reason::CallerUnknown, what);
    if sources.peer.is_empty() {
        return Err(unknown("the peer showed no certificate with a URI"));
    }
    let text = str::from_utf8(sources.peer).map_err(|_| unknown("the peer's URI is not text"))?;
    let caller = SpiffeId::parse(text).map_err(|_| unknown("the peer's URI is no SPIFFE ID"))?;
    if caller.trust_domain() != sources.view.bundle().body().trust_domain {
        return Err(unknown("the peer is of another trust domain"));
    }
    Ok(caller)
}
