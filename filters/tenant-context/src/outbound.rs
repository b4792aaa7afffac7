//! Role outbound: an app calls on, and the context of the request that made it do so is found again.

use partywall_tenancy::{CLOCK_SKEW, Reason, Service, TenantContext, UnixSeconds, View};

use crate::{Handle, Record, Rejection, Request, TraceParent, TraceState, root};

/// What an outbound filter looks at besides the request.
pub struct Outbound<'a> {
    /// Bundle and overlay.
    pub view: &'a View,
    /// The service behind this sidecar: who calls.
    pub own: &'a Service,
    /// The service that the route leads to, if the directory knows it.
    pub destination: Option<&'a Service>,
    /// Now.
    pub now: UnixSeconds,
}

/// A context found again, with the root to send on.
#[derive(Debug)]
pub struct Handed {
    /// Who the app acts for.
    pub context: TenantContext,
    /// The root context, unchanged since it was signed.
    pub root: Vec<u8>,
}

/// Finds the context of an outgoing request. `open` gives the record that a handle opens.
///
/// INVARIANT: the root sent on is one that this process let in, for this service, in this trace,
/// and not longer ago than its request plus a linger.
pub fn recover(
    request: &Request<'_>,
    sources: &Outbound<'_>,
    open: impl FnOnce(&Handle) -> Option<Record>,
) -> Result<Handed, Rejection> {
    crate::check_unambiguous(request)?;
    let none = |what: &'static str| Rejection::new(Reason::ContextNoRequest, what);
    let ours = TraceState::of(request.headers).ours;
    let text = match ours.as_slice() {
        [one] => one,
        [] => return Err(none("no `pw=` in `tracestate`: does the app carry trace headers along?")),
        _ => return Err(Rejection::new(Reason::AmbiguousRequest, "two `pw=` in `tracestate`")),
    };
    let handle = Handle::parse(text).ok_or(none("`pw=` is no handle"))?;
    let trace = TraceParent::of(request.headers).ok_or(none("no valid `traceparent` beside `pw=`"))?;
    let record = open(&handle).ok_or(none("the handle opens nothing here"))?;
    if record.service != sources.own.name || record.trace_id != trace.trace_id {
        return Err(none("the handle was made for another service or trace"));
    }
    if sources.now > record.live_until {
        return Err(none("the request that it belongs to is over"));
    }
    let verified = root::verify(&record.root, sources.view, sources.now)?;
    let Some(destination) = sources.destination else {
        return Err(Rejection::of_tenant(
            &verified.tenant,
            Reason::CallerDenied,
            "the route leads to no service of the directory: use role egress for the world outside",
        ));
    };
    if sources.now > verified.claims.iat.saturating_add(destination.max_context_age.into()).saturating_add(CLOCK_SKEW) {
        return Err(Rejection::of_tenant(
            &verified.tenant,
            Reason::ContextExpired,
            "the root context is too old for the destination",
        ));
    }
    let allowed = destination
        .callers
        .iter()
        .any(|c| c.spiffe_id == sources.own.spiffe_id && c.tenants.contains(&verified.tenant));
    if !allowed {
        return Err(Rejection::of_tenant(
            &verified.tenant,
            Reason::CallerDenied,
            format!("`{}` does not list `{}` as a caller for this tenant", destination.name, sources.own.spiffe_id),
        ));
    }
    sources
        .view
        .active_tenant(&verified.tenant)
        .map_err(|reason| Rejection::of_tenant(&verified.tenant, reason, "the context's tenant may not act"))?;
    Ok(Handed { context: verified.context(None), root: record.root })
}
