//! The context stage: hands request, peer and route to `tenant-context`, and its answer to the request.

use partywall_tenancy::{Reason, TenantContext, View};
use partywall_tenant_context::{
    self as tenant_context, CONTEXT, EdgeSources, Handle, Inbound, Outbound, PRINCIPAL, Rejection, Request, Role,
    Single, TENANT, TakenOut, TraceParent, TraceState,
};
use proxy_wasm::types::LogLevel;

use super::Denied;
use super::handover::Established;
use crate::crypto::HostVerifier;
use crate::host;
use crate::plugin::Setup;
use crate::slots::{self, Place};

/// Removes every identity header from the request.
pub(super) fn take_out(setup: &Setup, request: &Request<'_>) -> TakenOut {
    let taken = tenant_context::take_out(request.headers, &setup.policy.borrow().legacy_headers());
    for name in &taken.names {
        host::remove_request_header(name);
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

/// What the context stage decides by.
pub(super) struct Stage<'a> {
    pub(super) setup: &'a Setup,
    pub(super) view: &'a View,
    pub(super) now: u64,
    pub(super) trace: Option<&'a TraceParent>,
}

impl Stage<'_> {
    /// Establishes the context and writes what the next hop or the app is to know into the request.
    pub(super) fn establish(
        &self,
        request: &Request<'_>,
        taken: &TakenOut,
    ) -> Result<(Established, Option<Handle>), Denied> {
        match self.setup.config.role {
            Role::Edge => self.edge(request).map(|e| (e, None)),
            Role::Inbound => self.inbound(request, taken),
            Role::Outbound | Role::Egress => self.outbound(request).map(|e| (e, None)),
        }
    }

    fn edge(&self, request: &Request<'_>) -> Result<Established, Denied> {
        let sources = EdgeSources { view: self.view, now: self.now, verifier: &HostVerifier };
        let context = tenant_context::establish_edge(request, &sources)?;
        let service = destination(self.view)
            .ok_or_else(|| Denied::new(Reason::ResourceUnmapped, "the route leads to no service of the directory"))?;
        let signer = self.setup.config.signer.as_ref().zip(host::random());
        let (signer, random) =
            signer.ok_or_else(|| Denied::new(Reason::PolicyUnavailable, "no signing key or no random source"))?;
        let root = signer.mint(&context, self.view, self.now, random)?;
        host::set_request_header(CONTEXT, &root);
        tell_app(&context);
        write_trace_state(request, None);
        Ok(Established { context, service })
    }

    fn inbound(&self, request: &Request<'_>, taken: &TakenOut) -> Result<(Established, Option<Handle>), Denied> {
        let service = self.own_service()?;
        let peer = host::property(&["connection", "uri_san_peer_certificate"]).unwrap_or_default();
        let sources = Inbound { view: self.view, service, peer: &peer, now: self.now };
        let context = tenant_context::establish_inbound(request, taken, &sources)?;
        let mut handle = None;
        if let Single::Once(root) = &taken.root {
            if let (Some(keys), Some(trace)) = (&self.setup.config.slots, self.trace) {
                let live_until = self.now.saturating_add(service.max_context_age.into());
                let place = Place { trace_id: trace.trace_id, service: &service.name, root, live_until };
                handle = slots::place(keys, &context.tenant, &place);
            }
            if let Ok(root) = str::from_utf8(root) {
                host::set_request_header(CONTEXT, root);
            }
        }
        if handle.is_none() {
            self.setup.metrics.count("tenant_context_slots_full_total", &[]);
            host::log(LogLevel::Warn, "partywall: no free context slot; calls that this request makes will be denied");
        }
        tell_app(&context);
        write_trace_state(request, handle.as_ref());
        Ok((Established { context, service: service.name.clone() }, handle))
    }

    fn outbound(&self, request: &Request<'_>) -> Result<Established, Denied> {
        // Whatever the app sends on, the handle in it is not for others.
        write_trace_state(request, None);
        let destination = destination(self.view);
        let sources = Outbound {
            view: self.view,
            own: self.own_service()?,
            destination: destination.as_deref().and_then(|name| self.view.bundle().service(name)),
            now: self.now,
        };
        let keys = self.setup.config.slots.as_ref();
        let handed = tenant_context::recover(request, &sources, |handle| slots::open(keys?, handle))?;
        if let Ok(root) = str::from_utf8(&handed.root) {
            host::set_request_header(CONTEXT, root);
        }
        Ok(Established { context: handed.context, service: destination.unwrap_or_default() })
    }

    fn own_service(&self) -> Result<&partywall_tenancy::Service, Denied> {
        let name = self.setup.config.service.as_deref().unwrap_or_default();
        self.view
            .bundle()
            .service(name)
            .ok_or_else(|| Denied::new(Reason::ResourceUnmapped, format!("the bundle knows no service `{name}`")))
    }
}

/// What an app reads that wants to know. Behind an edge there may be an app without a sidecar; where
/// there is one, it takes these out and sets them again.
fn tell_app(context: &TenantContext) {
    host::set_request_header(TENANT, context.tenant.as_str());
    host::set_request_header(PRINCIPAL, &context.principal);
}

/// The service that the request's route leads to.
pub(super) fn destination(view: &View) -> Option<String> {
    let cluster = host::property(&["xds", "cluster_name"])?;
    let cluster = str::from_utf8(&cluster).ok()?;
    view.bundle().service_of_cluster(cluster).map(|s| s.name.clone())
}

/// Rewrites `tracestate` when it holds our members or is to hold one.
fn write_trace_state(request: &Request<'_>, handle: Option<&Handle>) {
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
