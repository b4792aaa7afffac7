//! Role outbound: an app calls on, and it is found out for whom.
//!
//! In this order: the handle in `tracestate`; the trace id, where the service asks for it; the tenant
//! that the workload names itself (`x-partywall-act-for`), where it may; its own tenant; else a denial.

use std::cell::RefCell;

use partywall_tenancy::{
    CLOCK_SKEW, NameSet, ProvedBy, Reason, Recover, Service, Tenant, TenantContext, TenantId, UnixSeconds, View,
};

use crate::root::Proved;
use crate::standing::{Ground, Standing};
use crate::{ACT_FOR, Handle, Record, Rejection, Request, RootMemo, Single, TraceParent, TraceState};

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
    /// Root contexts verified before.
    pub roots: &'a RefCell<RootMemo>,
}

/// What an app sends along about for whom it calls.
///
/// The filter takes it out of the request. A request may pass the filter again, for a retry where it stands in
/// Envoy's upstream filter chain, or after an internal redirect: it is asked with what it brought at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    handle: Option<Handle>,
    act_for: Option<Vec<u8>>,
}

impl Carried {
    /// Reads it from the request. What can be read in two ways is a rejection.
    pub fn of(request: &Request<'_>) -> Result<Self, Rejection> {
        let ambiguous = |what: &'static str| Err(Rejection::new(Reason::AmbiguousRequest, what));
        let act_for = match request.headers.single(ACT_FOR) {
            Single::Absent => None,
            Single::Once(value) => Some(value.to_vec()),
            Single::Repeated => return ambiguous("two x-partywall-act-for headers"),
        };
        let handle = match TraceState::of(request.headers).ours.as_slice() {
            [] => None,
            [one] => Some(Handle::parse(one).ok_or(none("`pw=` is no handle"))?),
            _ => return ambiguous("two `pw=` in `tracestate`"),
        };
        Ok(Self { handle, act_for })
    }

    /// Whether the request says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The bytes to keep for the next time that this request passes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let handle = self.handle.as_ref().map(Handle::to_string).unwrap_or_default();
        let mut out = vec![u8::from(self.handle.is_some()), u8::from(self.act_for.is_some())];
        out.extend_from_slice(handle.as_bytes());
        out.extend_from_slice(self.act_for.as_deref().unwrap_or_default());
        out
    }

    /// Reads what [`Carried::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([has_handle, has_act_for], rest) = bytes.split_first_chunk()?;
        let (handle, rest) = match has_handle {
            0 => (None, rest),
            _ => {
                let (handle, rest) = rest.split_at_checked(Handle::TEXT)?;
                (Some(Handle::parse(str::from_utf8(handle).ok()?)?), rest)
            }
        };
        Some(Self { handle, act_for: (*has_act_for != 0).then(|| rest.to_vec()) })
    }
}

/// The contexts that wait for outgoing requests, and what was fetched that may cause some.
pub trait Waiting {
    /// The record that `handle` opens.
    fn by_handle(&self, handle: &Handle) -> Option<Record>;
    /// The record of the request with this trace id, where only one was open.
    fn by_trace(&self, trace_id: [u8; 16]) -> Option<Record>;
    /// When the workload last fetched records of this tenant; `None` where nobody saw it.
    fn fetched(&self, tenant: &TenantId) -> Option<UnixSeconds>;
}

/// For whom an outgoing request is made.
#[derive(Debug)]
pub enum Handed {
    /// For the request that caused it: its root context goes on unchanged.
    Found {
        /// The context.
        context: TenantContext,
        /// The root context, as it was signed.
        root: Vec<u8>,
        /// What the context rests on.
        standing: Standing,
    },
    /// For a tenant that the workload works for by itself: its sidecar signs a root context.
    ToSign(TenantContext),
}

/// Finds out for whom a request is made.
///
/// INVARIANT: a root sent on is one that this process let in, for this service, in this trace, and not
/// longer ago than its request plus a linger. A tenant that a workload names by itself is one that the
/// directory lets it name, and never beside a context that was found: an app that could choose would
/// be a confused deputy.
pub fn recover(
    request: &Request<'_>,
    carried: &Carried,
    sources: &Outbound<'_>,
    waiting: &dyn Waiting,
) -> Result<Handed, Rejection> {
    crate::check_unambiguous(request)?;
    let found = find(request, carried.handle, sources, waiting);
    match (found, &carried.act_for) {
        (Ok(record), None) => send_on(record, sources),
        // A handle says that a request caused the call. Where that one is not found any more, it is too late,
        // and nobody else's tenant takes its place.
        (Err(rejection), _) if carried.handle.is_some() => Err(rejection),
        (Ok(_), Some(_)) => Err(Rejection::new(
            Reason::ActForDenied,
            "the call belongs to a request of a tenant; it cannot be made for another one that the app names",
        )),
        (Err(_), Some(value)) => by_itself(named(value, sources, waiting)?, sources),
        (Err(rejection), None) => match &sources.own.own_tenant {
            Some(tenant) => by_itself(tenant.clone(), sources),
            None => Err(rejection),
        },
    }
}

fn none(what: &'static str) -> Rejection {
    Rejection::new(Reason::ContextNoRequest, what)
}

fn find(
    request: &Request<'_>,
    handle: Option<Handle>,
    sources: &Outbound<'_>,
    waiting: &dyn Waiting,
) -> Result<Record, Rejection> {
    let trace = TraceParent::of(request.headers);
    let record = match handle {
        Some(handle) => waiting.by_handle(&handle).ok_or(none("the handle opens nothing here"))?,
        None if sources.own.recover == Recover::TraceParent => {
            let trace = trace.ok_or(none("no valid `traceparent`"))?;
            waiting.by_trace(trace.trace_id).ok_or(none("no open request has this trace id"))?
        }
        None => {
            return Err(none(
                "no `pw=` in `tracestate`: does the app carry trace headers along, or does Envoy trace here and overwrite them?",
            ));
        }
    };
    let trace = trace.ok_or(none("no valid `traceparent` beside `pw=`"))?;
    if record.service != sources.own.name || record.trace_id != trace.trace_id {
        return Err(none("the handle was made for another service or trace"));
    }
    if sources.now > record.live_until {
        return Err(none("the request that it belongs to is over"));
    }
    Ok(record)
}

fn send_on(record: Record, sources: &Outbound<'_>) -> Result<Handed, Rejection> {
    if record.root.is_empty() {
        return Err(Rejection::new(
            Reason::ContextNoRequest,
            "the request that caused the call brought no root context that could be sent on",
        ));
    }
    let verified = sources.roots.borrow_mut().verify(&record.root, sources.view, sources.now)?;
    let Proved { claims, tenant, .. } = &*verified.proved;
    let destination = destination(sources)?;
    let ends = claims.iat.saturating_add(destination.max_context_age.into()).saturating_add(CLOCK_SKEW);
    if sources.now > ends {
        return Err(Rejection::of_tenant(
            tenant,
            Reason::ContextExpired,
            "the root context is too old for the destination",
        ));
    }
    may_call(tenant, destination, sources)?;
    let standing = Standing::of([Ground::Root(verified.proved.clone())]);
    Ok(Handed::Found { context: verified.context(Some(sources.own.spiffe_id.clone())), root: record.root, standing })
}

fn by_itself(tenant: TenantId, sources: &Outbound<'_>) -> Result<Handed, Rejection> {
    let destination = destination(sources)?;
    let record = may_call(&tenant, destination, sources)?;
    Ok(Handed::ToSign(TenantContext {
        tier: record.tier.to_string(),
        region: record.residency.to_string(),
        tenant,
        principal: sources.own.spiffe_id.to_string(),
        roles: Vec::new(),
        scopes: Vec::new(),
        networks: NameSet::default(),
        proved_by: ProvedBy::Workload,
        token_id: String::new(),
        expires: UnixSeconds::MAX,
        caller: Some(sources.own.spiffe_id.clone()),
    }))
}

/// The tenant in `x-partywall-act-for`, if the directory lets this workload name it.
fn named(value: &[u8], sources: &Outbound<'_>, waiting: &dyn Waiting) -> Result<TenantId, Rejection> {
    let text = str::from_utf8(value).unwrap_or_default();
    let tenant = TenantId::parse(text)
        .map_err(|e| Rejection::new(Reason::TenantInvalid, format!("the tenant in x-partywall-act-for {e}")))?;
    let denied = |what: &'static str| Err(Rejection::new(Reason::ActForDenied, what));
    let Some(may) = sources.own.act_for.as_ref().filter(|may| may.tenants.contains(&tenant)) else {
        return denied("the directory does not let this workload act for this tenant");
    };
    let Some(within) = may.fetched else { return Ok(tenant) };
    // INVARIANT: what nobody saw, or what lies ahead, was not fetched.
    let fetched = waiting.fetched(&tenant).filter(|at| *at <= sources.now.saturating_add(CLOCK_SKEW));
    match fetched {
        Some(at) if sources.now.saturating_sub(at) <= u64::from(within) => Ok(tenant),
        Some(_) => denied("the workload fetched records of this tenant, but not lately"),
        None => denied("nobody saw the workload fetch records of this tenant"),
    }
}

fn destination<'a>(sources: &Outbound<'a>) -> Result<&'a Service, Rejection> {
    sources.destination.ok_or_else(|| {
        Rejection::of_proved(
            Reason::CallerDenied,
            "the route leads to no service of the directory: use role egress for the world outside",
        )
    })
}

fn may_call(tenant: &TenantId, destination: &Service, sources: &Outbound<'_>) -> Result<Tenant, Rejection> {
    let own = &sources.own.spiffe_id;
    if !destination.lists(own, tenant) {
        return Err(Rejection::of_tenant(
            tenant,
            Reason::CallerDenied,
            format!("`{}` does not list `{own}` as a caller for this tenant", destination.name),
        ));
    }
    sources
        .view
        .active_tenant(tenant)
        .map_err(|reason| Rejection::of_tenant(tenant, reason, "the context's tenant may not act"))
}
