//! One request on its way through one filter.

mod candidate;
mod context;
mod decide;
pub(crate) mod explain;
mod guard;
mod handover;
mod head;
mod hold;
mod log;
mod mode;
mod open;
mod outcome;
mod pass;
mod platform;
mod response;
mod retention;
mod tenantless;
mod verdict;

pub(crate) use context::{CARRIED, destination};
pub(crate) use log::{event_refused, role};
pub(crate) use open::Open;

use std::rc::Rc;

use partywall_authorization::{Counted, GRPC};
use partywall_tenancy::{Coarse, Reason, Retention};
use partywall_tenant_context::{Request, Role, TraceParent, is_identity_header};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use outcome::{Allowed, Basis, Denied, Ran};
use response::take_out_of_response;

use crate::denial::Denial;
use crate::plugin::Setup;
use crate::{events, host, slots};

/// The proxy-wasm stream context.
pub(crate) struct Stream {
    setup: Rc<Setup>,
    context_id: u32,
    /// What it was let in with, while it is open.
    kept: Option<Rc<open::Kept>>,
    /// What waits for its body,
    held: Option<Box<hold::Held>>,
    /// Where this request's context waits for its calls, to be closed with it.
    placed: context::Placed,
    /// The context it left for the filter that follows, to be forgotten with it,
    ticket: Option<handover::Ticket>,
    /// and for whom it let a request in that may be an event.
    events: Option<events::Ticket>,
    /// The service that the route led to when the request was decided.
    decided_for: Option<String>,
    trace: Option<TraceParent>,
    /// The numbers that its decisions have in the chain.
    numbers: Vec<u64>,
    grpc: bool,
    /// How old what is answered may be, where the operation says so.
    retention: Option<Retention>,
    /// How the response is to be judged, where the operation says so,
    guarding: Option<guard::Guarding>,
    /// and its body, while it is.
    answering: Option<guard::Answering>,
    /// Whether the response is one of our own.
    answered: bool,
    /// What its body may still have.
    counted: Option<Counted>,
    /// By which the fields of its line are known again, where a guard in another VM judges the response.
    told: Option<[u8; 32]>,
    /// Whether its line is being written.
    logged: bool,
}

impl Stream {
    pub(crate) fn new(setup: Rc<Setup>, context_id: u32) -> Self {
        let placed = context::Placed::default();
        Self {
            setup,
            context_id,
            kept: None,
            held: None,
            placed,
            ticket: None,
            events: None,
            decided_for: None,
            trace: None,
            numbers: Vec::new(),
            grpc: false,
            retention: None,
            guarding: None,
            answering: None,
            answered: false,
            counted: None,
            told: None,
            logged: false,
        }
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

    /// Whether it was denied by this filter, at once or later.
    fn was_denied(&self) -> bool {
        self.answered || self.kept.as_ref().is_some_and(|kept| kept.ended.get())
    }

    fn deny(&mut self, coarse: Coarse, reason: Option<Reason>, status: u16, retry_after: Option<u16>) {
        self.answered = true;
        let revealed = reason.filter(|_| self.setup.config.reveal);
        let (trace, grpc) = (self.trace.as_ref(), self.grpc);
        Denial { coarse, revealed, status, retry_after, exact: None, trace, grpc }.send();
    }

    /// The body grew larger than its tenant may send: what passed of it is cut off from the app.
    fn too_large(&mut self) -> Action {
        let reason = Reason::RequestTooLarge;
        (self.counted, self.told) = (None, None);
        self.numbers.extend(log::too_large(&self.setup, self.trace.as_ref(), reason));
        if self.kept.as_ref().is_some_and(|kept| kept.responding.get()) {
            host::reset_stream();
            return Action::Pause;
        }
        self.answered = true;
        answer(&self.setup, reason, true, self.trace.as_ref(), self.grpc);
        Action::Pause
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let headers = host::request_headers();
        let request = Request::from_headers(&headers);
        self.grpc = is_grpc(&request);
        if self.setup.stages.guards_alone() {
            return self.await_response(&request);
        }
        self.trace = TraceParent::of(request.headers).or_else(|| self.mint_trace());
        let trace = self.trace;
        let now_ms = host::now_ms();
        let (outcome, basis) = match self.run(&request, trace.as_ref(), now_ms / 1000) {
            Ok(Ran::Passes(allowed, basis)) => (Ok(allowed), basis),
            Ok(Ran::Waits(established, hold)) => {
                self.held = Some(Box::new(hold::Held { headers, established, hold, size: 0 }));
                return if end_of_stream { self.decide_held() } else { Action::Pause };
            }
            Err(denied) => (Err(denied), None),
        };
        let Some(allowed) = self.conclude(outcome, &request, now_ms) else { return Action::Pause };
        match basis {
            Some(basis) => self.let_in(allowed, headers, basis, None),
            None => {
                self.guarding = allowed.guarding;
                self.retention = allowed.retention;
            }
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(held) = &mut self.held else {
            // INVARIANT: of a request that was denied while it waited, nothing goes on.
            if self.answered {
                return Action::Pause;
            }
            return match self.counted.as_mut().map(|counted| counted.more(size)) {
                Some(Err(_)) => self.too_large(),
                Some(Ok(())) | None => Action::Continue,
            };
        };
        // All that came so far lies in the host's buffer.
        held.size = size;
        if self.counted.is_some_and(|mut counted| counted.more(size).is_err()) {
            return self.deny_held(Reason::RequestTooLarge, "its body is larger than `request_bytes` of its tenant");
        }
        if size > held.hold {
            return self.deny_held(Reason::AmbiguousRequest, hold::TOO_LARGE);
        }
        if end_of_stream { self.decide_held() } else { Action::Pause }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        // They end the body.
        if self.held.is_some() && self.decide_held() == Action::Pause {
            return Action::Pause;
        }
        if self.setup.stages.context {
            let legacy = self.setup.policy.borrow().claims();
            for name in identity_names(&host::request_trailers(), &legacy) {
                host::remove_request_trailer(&name);
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        if let Some(kept) = &self.kept {
            kept.responding.set(true);
        }
        if self.is_unscoped() {
            return self.refuse_unscoped();
        }
        if !self.setup.stages.context {
            return self.guard_head(end_of_stream);
        }
        if self.is_own_answer() {
            // A sidecar tells another one why. At the edge a denial of ours says nothing of tenants, but a route may
            // have added to it.
            if self.setup.config.role == Role::Edge {
                take_out_of_response();
            }
            return Action::Continue;
        }
        if self.went_elsewhere() {
            let decided_for = self.decided_for.as_deref().unwrap_or_default();
            self.numbers.extend(log::rerouted(&self.setup, self.trace.as_ref(), decided_for));
            let reason = Reason::AmbiguousRequest;
            self.deny(reason.coarse(true), Some(reason), reason.status(), None);
            return Action::Pause;
        }
        match self.setup.config.role {
            Role::Edge => match self.leave_the_mesh() {
                Action::Continue => self.guard_head(end_of_stream),
                paused => paused,
            },
            // Only sidecars speak about tenants, and to each other: what an app or the world outside says is
            // taken out, and so is what a sidecar says before an app reads it.
            Role::Inbound | Role::Outbound | Role::Egress => {
                take_out_of_response();
                self.guard_head(end_of_stream)
            }
        }
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(answering) = &mut self.answering else { return Action::Continue };
        match answering.body(size, end_of_stream) {
            Ok(true) => Action::Continue,
            Ok(false) => Action::Pause,
            Err(refused) => self.refuse(refused),
        }
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if let Some(answering) = &mut self.answering
            && let Err(refused) = answering.trailers()
        {
            return self.refuse(refused);
        }
        if self.setup.stages.context && !self.is_own_answer() {
            for name in identity_names(&host::response_trailers(), &[]) {
                host::remove_response_trailer(&name);
            }
        }
        Action::Continue
    }

    /// The request is over, and its line not written yet.
    fn on_log(&mut self) {
        self.logged = true;
        // What this filter told after that is the end of it.
        if let Some(known) = self.told.take().filter(|_| !self.was_denied()) {
            self.numbers.extend(log::judged_apart(&self.setup, self.trace.as_ref(), &known));
        }
    }
}

/// The end of the stream. Envoy calls `on_log` in a listener's filter chain alone; this comes in the upstream chain, too.
impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(answering) = self.answering.take() {
            answering.count(&self.setup);
        }
        if let Some(ticket) = self.ticket.take() {
            handover::forget(ticket);
        }
        if let Some(ticket) = self.events.take() {
            events::forget(ticket);
        }
        let denied = self.was_denied();
        if let Some(kept) = self.kept.take() {
            self.setup.open.forget(&kept);
            self.numbers.extend(kept.number.get());
        }
        if let Some(chain) = &self.setup.chain {
            chain.end(&self.numbers, self.logged);
        }
        let placed = std::mem::take(&mut self.placed);
        let Some(keys) = &self.setup.config.slots else { return };
        if let Some(handle) = placed.handle {
            slots::close(keys, &handle, denied);
        }
        if let Some(handle) = placed.trace {
            slots::close_by_trace(keys, &handle, denied);
        }
    }
}

/// Answers a request that is denied. Inner hops answer with the reason's own status, and inbound ones, whose callers are
/// sidecars, with the reason: see `leave_the_mesh` of the edge.
pub(crate) fn answer(setup: &Setup, reason: Reason, proved: bool, trace: Option<&TraceParent>, grpc: bool) {
    let coarse = reason.coarse(proved);
    let (status, exact) = match setup.config.role {
        Role::Edge => (coarse.status(), None),
        Role::Inbound => (reason.status(), Some(reason)),
        Role::Outbound | Role::Egress => (reason.status(), None),
    };
    let revealed = Some(reason).filter(|_| setup.config.reveal);
    Denial { coarse, revealed, status, retry_after: reason.retry_after(), exact, trace, grpc }.send();
}

/// The names of all headers that claim an identity.
fn identity_names(headers: &host::Map, legacy: &[String]) -> Vec<String> {
    headers.iter().filter(|(name, _)| is_identity_header(name, legacy)).map(|(name, _)| name.clone()).collect()
}

/// Whether it is answered as gRPC wants it: it is what is looked for as a call of gRPC, and nothing else.
fn is_grpc(request: &Request<'_>) -> bool {
    decide::asked(request).is_ok_and(|call| call.method == GRPC)
}
