//! The context stage: hands request, peer and route to `tenant-context`, and its answer to the request.

use std::borrow::Cow;
use std::rc::Rc;

use partywall_authorization::Authorization;
use partywall_event_scope::cloudevents;
use partywall_tenancy::{
    Bundle, ProvedBy, Reason, Recover, Service, ServiceEvents, Source, TenantContext, UnixSeconds, View,
};
use partywall_tenant_context::{
    self as tenant_context, Baggage, CONTEXT, Carried, EventProof, Evidence, Handed, Handle, Outbound, PRINCIPAL, Peer,
    Rejection, Request, Role, Single, Standing, TENANT, TIER, TakenOut, TraceParent, TraceState, jwt,
};

use super::Denied;
use super::decide::{asked, tell_cell};
use super::handover::Established;
use crate::crypto::HostVerifier;
use crate::host;
use crate::plugin::Setup;
use crate::slots::{self, Place, Slots};

/// Removes every identity header, and every claim in `baggage`, from the request.
pub(super) fn take_out(setup: &Setup, request: &Request<'_>) -> TakenOut {
    let legacy = setup.policy.borrow().claims();
    let taken = tenant_context::take_out(request.headers, &legacy);
    for name in &taken.names {
        host::remove_request_header(name);
    }
    if let Baggage::Replace(rest) = tenant_context::take_out_baggage(request.headers, &legacy) {
        host::remove_request_header("baggage");
        if !rest.is_empty() {
            host::set_request_header("baggage", &rest);
        }
    }
    taken
}

/// Role egress: the request leaves the mesh, and nothing of ours with it.
pub(super) fn let_out(request: &Request<'_>) -> Result<(), Denied> {
    // Also what tells a request that could not be read at all from one without headers of ours.
    tenant_context::check_unambiguous(request)?;
    write_trace_state(request, None);
    Ok(())
}

/// The filter state that says what a request carried when it passed at first. It holds a handle: worth
/// nothing outside this process, but not for a log either.
pub(crate) const CARRIED: &str = "partywall.carried";

/// What the context stage decides by.
pub(super) struct Stage<'a> {
    pub(super) setup: &'a Setup,
    pub(super) view: &'a View,
    pub(super) authorization: &'a Authorization,
    pub(super) now: UnixSeconds,
    pub(super) trace: Option<&'a TraceParent>,
}

/// What the stage leaves behind, to be tidied up when the request ends.
#[derive(Default)]
pub(super) struct Placed {
    pub(super) handle: Option<Handle>,
    pub(super) trace: Option<Handle>,
}

impl Stage<'_> {
    /// Establishes the context and writes what the next hop or the app is to know into the request.
    pub(super) fn establish(
        &self,
        request: &Request<'_>,
        taken: &TakenOut,
        placed: &mut Placed,
    ) -> Result<Established, Denied> {
        match self.setup.config.role {
            Role::Edge => self.edge(request),
            Role::Inbound => self.inbound(request, taken, placed),
            Role::Outbound | Role::Egress => self.outbound(request),
        }
    }

    /// Lets Envoy's routes lead to the cell that serves this tenant. Whatever came by that name was taken out before.
    fn tell_cell(&self, context: &TenantContext) {
        if let Some(cell) = self.view.bundle().body().tenants.cell(&context.tenant) {
            tell_cell(Some(cell));
        }
    }

    fn edge(&self, request: &Request<'_>) -> Result<Established, Denied> {
        let service = destination(self.view.bundle());
        let anonymous = service.as_deref().is_some_and(|service| self.is_anonymous(service, request));
        let sources = &self.view.bundle().body().sources.edge;
        let established = self
            .with_evidence(request, sources, |evidence| tenant_context::establish_edge(request, evidence, anonymous))?;
        // After the credential: who has none does not learn which routes lead somewhere.
        let service = service.ok_or_else(|| Denied {
            proved: true,
            ..Denied::new(Reason::ResourceUnmapped, "the route leads to no service of the directory")
        })?;
        write_trace_state(request, None);
        let (tenant_context::Established::Proved(whose, _) | tenant_context::Established::Anonymous(whose)) =
            &established;
        self.tell_cell(whose);
        let (context, standing) = match established {
            tenant_context::Established::Proved(context, standing) => {
                host::set_request_header(CONTEXT, &self.sign(&context)?);
                tell_app(&context);
                (context, standing)
            }
            // INVARIANT: what nobody proved never gets a root context.
            tenant_context::Established::Anonymous(context) => {
                tell_app(&context);
                (context, Standing::default())
            }
        };
        Ok(Established { context, service, standing })
    }

    fn inbound(&self, request: &Request<'_>, taken: &TakenOut, placed: &mut Placed) -> Result<Established, Denied> {
        let service = self.own_service()?;
        let sources = &self.view.bundle().body().sources.inbound;
        // Who brings a root is somebody; the operation is looked for once more when it is decided on.
        let anonymous = taken.root == Single::Absent && self.is_anonymous(&service.name, request);
        let taken = &with_event(service, request, taken);
        let established = self.with_evidence(request, sources, |evidence| {
            tenant_context::establish_inbound(request, taken, service, evidence, anonymous)
        })?;
        let (context, standing) = match established {
            tenant_context::Established::Proved(context, standing) => (context, standing),
            tenant_context::Established::Anonymous(context) => (context, Standing::default()),
        };
        let root = match &taken.root {
            Single::Once(root) => str::from_utf8(root).unwrap_or_default(),
            Single::Absent | Single::Repeated => "",
        };
        // What a workload says of itself comes from `accept_without_context` alone here.
        if context.proved_by == ProvedBy::Workload {
            self.setup.metrics.count("tenant_context_without_context_total", &[]);
        }
        self.place(&context, service, root, placed)?;
        if !root.is_empty() {
            host::set_request_header(CONTEXT, root);
        }
        tell_app(&context);
        self.tell_cell(&context);
        write_trace_state(request, placed.handle.as_ref());
        Ok(Established { context, service: service.name.clone(), standing })
    }

    /// Keeps the root context, if the request brought one, for the calls that the app will make.
    fn place(&self, context: &TenantContext, service: &Service, root: &str, placed: &mut Placed) -> Result<(), Denied> {
        let (Some(keys), Some(trace)) = (&self.setup.config.slots, self.trace) else { return Ok(()) };
        let live_until = self.now.saturating_add(service.max_context_age.into());
        let place = Place { trace_id: trace.trace_id, service: &service.name, root: root.as_bytes(), live_until };
        if !root.is_empty() {
            placed.handle = slots::place(keys, &context.tenant, &place);
            if placed.handle.is_none() {
                self.setup.metrics.count("tenant_context_slots_full_total", &[]);
            }
        }
        if service.recover == Recover::TraceParent {
            let handle = slots::place_by_trace(keys, &place).map_err(|slots::Taken| {
                Denied::new(
                    Reason::AmbiguousRequest,
                    "the trace id belongs to an open request with another context, or there is no room for it",
                )
            })?;
            placed.trace = Some(handle);
        }
        Ok(())
    }

    fn outbound(&self, request: &Request<'_>) -> Result<Established, Denied> {
        let carried = carried(request);
        // Whatever the app sends on, the handle in it is not for others.
        write_trace_state(request, None);
        let carried = carried?;
        let destination = destination(self.view.bundle());
        let roots = self.setup.policy.borrow().roots();
        let sources = Outbound {
            view: self.view,
            own: self.own_service()?,
            destination: destination.as_deref().and_then(|name| self.view.bundle().service(name)),
            now: self.now,
            roots: &roots,
        };
        let waiting = Slots(self.setup.config.slots.as_ref(), self.setup.fetched.as_ref());
        let (context, root, standing) = match tenant_context::recover(request, &carried, &sources, &waiting)? {
            Handed::Found { context, root, standing } => {
                (context, String::from_utf8(root).unwrap_or_default(), standing)
            }
            Handed::ToSign(context) => {
                let root = self.sign(&context)?;
                (context, root.to_string(), Standing::default())
            }
        };
        host::set_request_header(CONTEXT, &root);
        self.tell_cell(&context);
        Ok(Established { context, service: destination.unwrap_or_default(), standing })
    }

    fn sign(&self, context: &TenantContext) -> Result<Rc<str>, Denied> {
        let signer = self.setup.config.signer.as_ref();
        let signer =
            signer.ok_or_else(|| Denied::new(Reason::PolicyUnavailable, "there is no `context_signing` secret"))?;
        Ok(signer.mint(context, self.view, self.now, host::random)?)
    }

    pub(super) fn with_evidence<T>(
        &self,
        request: &Request<'_>,
        sources: &[Source],
        establish: impl FnOnce(&Evidence<'_>) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let config = &self.setup.config;
        let inbound = config.role == Role::Inbound;
        // Host calls cost more than looking through the list.
        let asks = |wanted: fn(&Source) -> bool| sources.iter().any(wanted);
        let by_certificate = asks(|s| matches!(s, Source::UriSan { .. } | Source::DnsSan { .. }));
        let by_peer = by_certificate || asks(|s| matches!(s, Source::Header { .. }));
        let property = |ask: bool, name: &str| {
            if ask { host::property(&["connection", name]).unwrap_or_default() } else { Vec::new() }
        };
        let uri = property(inbound || by_peer, "uri_san_peer_certificate");
        let dns = property(asks(|s| matches!(s, Source::DnsSan { .. })), "dns_san_peer_certificate");
        // Only to find Envoy's own element in this header.
        let forwarded = request.headers.single("x-forwarded-client-cert") != Single::Absent;
        let by_gateway = inbound && !self.view.bundle().body().gateways.is_empty();
        let digest = property((by_certificate || by_gateway) && forwarded, "sha256_peer_certificate_digest");
        let server_name = property(!inbound, "requested_server_name");
        // What Envoy takes for the client's address, after its own look at `x-forwarded-for`. It may differ between
        // requests of one connection.
        let asks_networks = !inbound && !self.view.bundle().body().networks.is_empty();
        let address =
            if asks_networks { host::property(&["source", "address"]).unwrap_or_default() } else { Vec::new() };
        let (sets, memo, roots) = {
            let policy = self.setup.policy.borrow();
            (policy.key_sets(), policy.memo(), policy.roots())
        };
        let sets = sets.borrow();
        establish(&Evidence {
            view: self.view,
            now: self.now,
            peer: Peer { uri: &uri, dns: &dns, digest: &digest },
            server_name: &server_name,
            address: &address,
            verifier: &HostVerifier { issuer_keys: config.issuer_keys.as_ref() },
            keys: jwt::Keys::new(&sets, self.now),
            memo: &memo,
            roots: &roots,
            api_keys: config.api_keys.as_ref(),
        })
    }

    fn is_anonymous(&self, service: &str, request: &Request<'_>) -> bool {
        let Ok(call) = asked(request) else { return false };
        self.authorization.operation(service, &call).is_some_and(|found| found.operation().anonymous)
    }

    pub(super) fn own_service(&self) -> Result<&Service, Denied> {
        let name = self.setup.config.service.as_deref().unwrap_or_default();
        self.view
            .bundle()
            .service(name)
            .ok_or_else(|| Denied::new(Reason::ResourceUnmapped, format!("the bundle knows no service `{name}`")))
    }
}

/// The same, with the context of the event that the request brings in headers, where this service takes events that way.
fn with_event<'t>(service: &Service, request: &Request<'_>, taken: &'t TakenOut) -> Cow<'t, TakenOut> {
    match &service.events {
        Some(ServiceEvents::CloudEvents(events)) if !events.deliveries.is_empty() && taken.root == Single::Absent => {}
        _ => return Cow::Borrowed(taken),
    }
    let headers = request.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let event = cloudevents::context_of(headers, |bound, token| {
        let own = |text: &str| text.to_owned();
        EventProof { token: own(token), kind: own(bound.kind), source: own(bound.source), id: own(bound.id) }
    });
    match event {
        Some(_) => Cow::Owned(TakenOut { event, ..taken.clone() }),
        None => Cow::Borrowed(taken),
    }
}

/// What the request carries, or carried when it passed before. Only filters of this process write filter state.
fn carried(request: &Request<'_>) -> Result<Carried, Rejection> {
    let carried = Carried::of(request)?;
    if carried.is_empty() {
        let before = host::property(&[CARRIED]).and_then(|bytes| Carried::from_bytes(&bytes));
        return Ok(before.unwrap_or(carried));
    }
    host::set_property(CARRIED, &carried.to_bytes());
    Ok(carried)
}

/// What an app reads that wants to know. Behind an edge there may be an app without a sidecar; where
/// there is one, it takes these out and sets them again.
fn tell_app(context: &TenantContext) {
    host::set_request_header(TENANT, context.tenant.as_str());
    host::set_request_header(TIER, &context.tier);
    // Nobody is there to be named in an anonymous operation.
    if context.proved_by != ProvedBy::Nothing {
        host::set_request_header(PRINCIPAL, &context.principal);
    }
}

/// The service that the request's route leads to.
pub(crate) fn destination(bundle: &Bundle) -> Option<String> {
    let cluster = host::property(&["xds", "cluster_name"])?;
    let cluster = str::from_utf8(&cluster).ok()?;
    bundle.service_of_cluster(cluster).map(|s| s.name.clone())
}

/// Rewrites `tracestate` when it holds our members or is to hold one.
pub(super) fn write_trace_state(request: &Request<'_>, handle: Option<&Handle>) {
    let state = TraceState::of(request.headers);
    if state.ours.is_empty() && !state.unreadable && handle.is_none() {
        return;
    }
    host::remove_request_header("tracestate");
    if let Some(value) = state.with(handle) {
        host::set_request_header("tracestate", &value);
    }
}

impl From<Rejection> for Denied {
    fn from(rejection: Rejection) -> Self {
        Self { proved: rejection.proved, tenant: rejection.tenant, ..Self::new(rejection.reason, rejection.detail) }
    }
}
