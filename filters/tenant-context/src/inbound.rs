//! Role inbound: the boundary of a service. A tenant counts only from a listed caller.

use partywall_tenancy::{
    CLOCK_SKEW, ProvedBy, Reason, Service, ServiceEvents, Source, SpiffeId, TenantContext, TenantId,
};

use crate::edge::Established;
use crate::event_context::{EventContext, EventProof};
use crate::root::Proved;
use crate::sources::{Evidence, Gathered, Proven};
use crate::standing::Ground;
use crate::{Rejection, Request, Single, TakenOut};

/// Verifies the root context in `taken`, and every source of role inbound, for a request that the
/// evidence's peer sent to `service`, or forwarded where it is a gateway.
///
/// INVARIANT: the tenant was signed by a key that may name it, or stands in the peer's own
/// certificate, or the directory takes its one peer for this tenant's until a date; and who calls is listed by this
/// service for this tenant. A stolen root is worth nothing to others.
pub fn establish(
    request: &Request<'_>,
    taken: &TakenOut,
    service: &Service,
    evidence: &Evidence<'_>,
    anonymous: bool,
) -> Result<Established, Rejection> {
    crate::check_unambiguous(request)?;
    evidence.peer.check()?;
    let caller = caller(request, evidence)?;
    // Before any signature is checked: a stranger costs nothing.
    if !service.callers.iter().any(|c| c.spiffe_id == caller) {
        return Err(Rejection::new(Reason::CallerDenied, format!("`{caller}` is no caller of this service")));
    }
    let root = match &taken.root {
        Single::Once(token) => Some(proven_by_root(token, &caller, service, evidence)?),
        Single::Absent => None,
        Single::Repeated => return Err(Rejection::new(Reason::AmbiguousRequest, "two root contexts")),
    };
    let mut gathered = Gathered::from(&evidence.view.bundle().body().sources.inbound, request, evidence)?;
    // The root names the principal: it stands for whom the edge let in, and from which networks.
    if let Some(Proven { ground: Some(Ground::Root(root)), .. }) = &root {
        gathered.networks = root.claims.net.clone();
    }
    gathered.proven.splice(0..0, root);
    // INVARIANT: a context of an event counts alone: who has a root, or another proof, is for whom that says.
    if gathered.proven.is_empty()
        && let Some(event) = &taken.event
        && delivers(service, &caller)
    {
        gathered.proven.push(by_event(event, evidence)?);
    }
    if gathered.proven.is_empty() && !anonymous {
        gathered.proven.extend(without_context(service, &caller, evidence));
    }
    let established = if gathered.proven.is_empty() {
        if !anonymous {
            return Err(Rejection::new(Reason::TenantMissing, "no root context"));
        }
        // Nobody signed what the edge selected, so it is selected again, from what the edge looked at and passed on.
        let selecting = |s: &&Source| matches!(s, Source::Host { .. } | Source::Path { .. });
        let edge: Vec<_> = evidence.view.bundle().body().sources.edge.iter().filter(selecting).cloned().collect();
        gathered.selections.extend(Gathered::from(&edge, request, evidence)?.selections);
        Established::Anonymous(for_caller(gathered.settle_anonymous(evidence.view)?, &caller))
    } else {
        let (context, standing) = gathered.settle(evidence.view)?;
        Established::Proved(for_caller(context, &caller), standing)
    };
    let (Established::Proved(context, _) | Established::Anonymous(context)) = &established;
    listed(service, &caller, &context.tenant)?;
    Ok(established)
}

/// A workload that moves in, and that the directory takes for one tenant's until then.
///
/// INVARIANT: nothing of the request chooses the tenant, and its time ends it, also where no newer bundle comes.
fn without_context(service: &Service, caller: &SpiffeId, evidence: &Evidence<'_>) -> Option<Proven> {
    let tenant = service.without_context(caller, evidence.now)?;
    Some(Proven {
        by: ProvedBy::Workload,
        source: "`accept_without_context`",
        tenants: vec![tenant.clone()],
        principal: caller.to_string(),
        roles: Vec::new(),
        scopes: Vec::new(),
        token_id: String::new(),
        expires: service.without_context.as_ref()?.until,
        ground: Some(Ground::Exception { service: service.name.clone(), peer: caller.clone() }),
    })
}

/// Whether this service takes events from `caller` without the requests that caused them.
pub(crate) fn delivers(service: &Service, caller: &SpiffeId) -> bool {
    matches!(&service.events, Some(ServiceEvents::CloudEvents(events)) if events.deliveries.contains(caller))
}

/// The workload that sent an event acts by it, whoever brings it; nobody's roles go with it.
fn by_event(event: &EventProof, evidence: &Evidence<'_>) -> Result<Proven, Rejection> {
    let EventContext { tenant, workload, expires, key } = event.verify(evidence.view, evidence.now)?;
    Ok(Proven {
        by: ProvedBy::Workload,
        source: "the context of the event",
        tenants: vec![tenant],
        principal: workload.to_string(),
        roles: Vec::new(),
        scopes: Vec::new(),
        token_id: String::new(),
        expires,
        ground: Some(Ground::Event { key }),
    })
}

fn for_caller(context: TenantContext, caller: &SpiffeId) -> TenantContext {
    TenantContext { caller: Some(caller.clone()), ..context }
}

fn listed(service: &Service, caller: &SpiffeId, tenant: &TenantId) -> Result<(), Rejection> {
    if service.lists(caller, tenant) {
        return Ok(());
    }
    Err(Rejection::of_tenant(
        tenant,
        Reason::CallerDenied,
        format!("`{caller}` may not call this service for this tenant"),
    ))
}

fn proven_by_root(
    token: &[u8],
    caller: &SpiffeId,
    service: &Service,
    evidence: &Evidence<'_>,
) -> Result<Proven, Rejection> {
    let verified = evidence.roots.borrow_mut().verify(token, evidence.view, evidence.now)?;
    let Proved { claims, tenant, .. } = &*verified.proved;
    let ends = if verified.signer.workload == *caller {
        claims.exp
    } else {
        claims.iat.saturating_add(service.max_context_age.into())
    };
    if evidence.now > ends.saturating_add(CLOCK_SKEW) {
        return Err(Rejection::new(Reason::ContextExpired, "the root context is too old for this service"));
    }
    // Before the tenant's own state is looked at: a caller learns nothing about tenants it may not call for.
    listed(service, caller, tenant)?;
    Ok(Proven {
        by: ProvedBy::Root,
        source: "the root context",
        tenants: vec![tenant.clone()],
        principal: claims.sub.clone(),
        roles: claims.rol.clone(),
        scopes: claims.scp.clone(),
        token_id: claims.jti.clone(),
        expires: claims.exp,
        ground: Some(Ground::Root(verified.proved.clone())),
    })
}

/// Who calls: the peer of this connection or, where that is a gateway of the bundle, the one whose request it forwards.
///
/// INVARIANT: from a peer that is no gateway no header is read. A gateway is never itself who calls.
fn caller(request: &Request<'_>, evidence: &Evidence<'_>) -> Result<SpiffeId, Rejection> {
    let (peer, bundle) = (peer(evidence)?, evidence.view.bundle());
    if !bundle.is_gateway(&peer) {
        return Ok(peer);
    }
    let ambiguous = |what: &'static str| Rejection::new(Reason::AmbiguousRequest, what);
    let uri = evidence.peer.forwarded(request, &peer)?;
    let caller = str::from_utf8(uri).ok().and_then(|uri| SpiffeId::parse(uri).ok());
    let caller = caller.ok_or(ambiguous("the URI that the gateway tells is no SPIFFE ID"))?;
    if caller.trust_domain() != bundle.body().trust_domain {
        return Err(ambiguous("the gateway forwards for another trust domain"));
    }
    if bundle.is_gateway(&caller) {
        return Err(ambiguous("a gateway forwards for a gateway, and nothing tells for whom that one does"));
    }
    Ok(caller)
}

pub(crate) fn peer(evidence: &Evidence<'_>) -> Result<SpiffeId, Rejection> {
    let unknown = |what: &'static str| Rejection::new(Reason::CallerUnknown, what);
    if evidence.peer.uri.is_empty() {
        return Err(unknown("the peer showed no certificate with a URI"));
    }
    let peer = evidence.peer.spiffe_id().ok_or(unknown("the peer's URI is no SPIFFE ID"))?;
    if peer.trust_domain() != evidence.view.bundle().body().trust_domain {
        return Err(unknown("the peer is of another trust domain"));
    }
    Ok(peer)
}
