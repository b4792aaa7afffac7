//! One request on its way through one filter.

mod context;
mod decide;
mod handover;
mod log;

use std::rc::Rc;

use partywall_tenancy::{Reason, TenantId};
use partywall_tenant_context::{Handle, Request, Role, TraceParent, is_identity_header};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::denial::{self, Denial};
use crate::plugin::Setup;
use crate::{host, slots};

/// The proxy-wasm stream context.
pub(crate) struct Stream {
    setup: Rc<Setup>,
    /// The handle this request may be found by, to be closed with it.
    handle: Option<Handle>,
    trace: Option<TraceParent>,
    grpc: bool,
    /// Whether the response is one of our own.
    answered: bool,
}

/// Why a request is turned away, with what the log needs.
struct Denied {
    reason: Reason,
    detail: String,
    proved: bool,
    policy: String,
    tenant: Option<TenantId>,
}

impl Denied {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), proved: false, policy: String::new(), tenant: None }
    }
}

/// What lets a request pass.
#[derive(Default)]
struct Allowed {
    tenant: Option<TenantId>,
    policy: String,
}

impl Stream {
    pub(crate) fn new(setup: Rc<Setup>) -> Self {
        Self { setup, handle: None, trace: None, grpc: false, answered: false }
    }

    /// Gives a request without a valid `traceparent` one, so that log lines, denial and hops belong together.
    fn mint_trace(&self) -> Option<TraceParent> {
        let trace = host::random().map(TraceParent::mint)?;
        if self.setup.stages.context && self.setup.config.role != Role::Egress {
            host::remove_request_header("traceparent");
            host::set_request_header("traceparent", &trace.to_string());
        }
        Some(trace)
    }

    /// What services and sidecars say to each other about tenants stays in the mesh: identity headers
    /// are taken out, and a denial by an inner hop is told as coarsely as one of our own.
    fn leave_the_mesh(&mut self) -> Action {
        let headers = host::response_headers();
        let inner = headers.iter().find(|(name, _)| name == denial::REASON);
        let inner = inner.and_then(|(_, word)| Reason::from_code(str::from_utf8(word).ok()?));
        if let Some(reason) = inner
            && !self.setup.config.reveal_exact
        {
            self.answered = true;
            // The root that the edge signed is proof that the caller proved a credential.
            Denial { reason, proved: true, exact: false, trace: self.trace.as_ref(), grpc: self.grpc }.send();
            return Action::Pause;
        }
        for (name, _) in headers.iter().filter(|(name, _)| is_identity_header(name, &[])) {
            host::remove_response_header(name);
        }
        Action::Continue
    }

    fn run(&mut self, request: &Request<'_>, trace: Option<&TraceParent>) -> Result<Allowed, Denied> {
        // INVARIANT: first of all, before any branch: no identity header that came with the request stays.
        let taken = self.setup.stages.context.then(|| context::take_out(&self.setup, request));
        let now = host::now();
        let (view, authorization) = self
            .setup
            .policy
            .borrow()
            .view(now)
            .map_err(|reason| Denied::new(reason, "no bundle and overlay to decide by"))?;

        let established = match &taken {
            Some(_) if self.setup.config.role == Role::Egress => {
                context::let_out(request);
                return Ok(Allowed::default());
            }
            Some(taken) => {
                let stage = context::Stage { setup: &self.setup, view: &view, now, trace };
                let (established, handle) = stage.establish(request, taken)?;
                self.handle = handle;
                established
            }
            None => handover::take().ok_or_else(|| {
                Denied::new(Reason::TenantMissing, "no `tenant_context` filter of this VM ran before")
            })?,
        };
        if self.setup.stages.authorization {
            decide::authorize(&authorization, &view, &established, request)
        } else {
            let tenant = Some(established.context.tenant.clone());
            handover::leave(established);
            Ok(Allowed { tenant, policy: String::new() })
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let headers = host::request_headers();
        let request = Request::from_headers(&headers);
        self.grpc = is_grpc(&request);
        self.trace = TraceParent::of(request.headers).or_else(|| self.mint_trace());
        let trace = self.trace;
        let outcome = self.run(&request, trace.as_ref());
        log::write(&self.setup, &request, &outcome);
        match outcome {
            Ok(_) => Action::Continue,
            Err(denied) => {
                self.answered = true;
                let exact = self.setup.config.reveal_exact;
                Denial { reason: denied.reason, proved: denied.proved, exact, trace: trace.as_ref(), grpc: self.grpc }
                    .send();
                Action::Pause
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if !self.setup.stages.context || self.answered {
            return Action::Continue;
        }
        match self.setup.config.role {
            Role::Edge => self.leave_the_mesh(),
            // Only a sidecar may give a reason; an app that does so is not heard.
            Role::Inbound => {
                host::remove_response_header(denial::REASON);
                Action::Continue
            }
            Role::Outbound | Role::Egress => Action::Continue,
        }
    }

    fn on_log(&mut self) {
        if let (Some(handle), Some(keys)) = (self.handle.take(), &self.setup.config.slots) {
            slots::close(keys, &handle);
        }
    }
}

fn is_grpc(request: &Request<'_>) -> bool {
    request.headers.all("content-type").next().is_some_and(|v| v.starts_with(b"application/grpc"))
}
