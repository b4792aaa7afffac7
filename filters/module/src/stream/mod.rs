//! One request on its way through one filter.

mod context;
mod decide;
mod handover;
mod log;

use std::rc::Rc;

use partywall_tenancy::{Reason, TenantId};
use partywall_tenant_context::{Handle, Headers, Request, Role, TraceParent, is_identity_header};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::denial::Denial;
use crate::plugin::Setup;
use crate::{host, slots};

/// The proxy-wasm stream context.
pub(crate) struct Stream {
    setup: Rc<Setup>,
    /// The handle this request may be found by, to be closed with it.
    handle: Option<Handle>,
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
        Self { setup, handle: None }
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
        let minted;
        let trace = match TraceParent::of(Headers(&headers)) {
            Some(trace) => Some(trace),
            None => {
                minted = host::random().map(TraceParent::mint);
                if self.setup.stages.context
                    && self.setup.config.role != Role::Egress
                    && let Some(trace) = &minted
                {
                    host::remove_request_header("traceparent");
                    host::set_request_header("traceparent", &trace.to_string());
                }
                minted
            }
        };
        let outcome = self.run(&request, trace.as_ref());
        log::write(&self.setup, &request, &outcome);
        match outcome {
            Ok(_) => Action::Continue,
            Err(denied) => {
                Denial {
                    reason: denied.reason,
                    proved: denied.proved,
                    exact: self.setup.config.reveal_exact,
                    trace: trace.as_ref(),
                    grpc: is_grpc(&request),
                }
                .send();
                Action::Pause
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // What services say to each other about tenants stays in the mesh.
        if self.setup.stages.context && self.setup.config.role == Role::Edge {
            for (name, _) in host::response_headers() {
                if is_identity_header(&name, &[]) {
                    host::remove_response_header(&name);
                }
            }
        }
        Action::Continue
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
