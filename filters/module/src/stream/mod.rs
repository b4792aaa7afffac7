//! One request on its way through one filter.

mod candidate;
mod context;
mod decide;
mod explain;
mod guard;
mod handover;
mod hold;
mod log;
mod mode;
mod open;
mod pass;
mod retention;

pub(crate) use context::CARRIED;
pub(crate) use open::Open;

use std::cell::OnceCell;
use std::rc::Rc;

use partywall_authorization::guard::Refused;
use partywall_authorization::{Body, Counted, GRPC};
use partywall_tenancy::{Coarse, Reason, Retention, TenantId, UnixSeconds};
use partywall_tenant_context::{Request, Role, TraceParent, is_identity_header};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::denial::{self, Denial};
use crate::plugin::Setup;
use crate::{host, slots};

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
    /// The context it left for the filter that follows, to be forgotten with it.
    ticket: Option<handover::Ticket>,
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
}

/// Why a request is turned away, with what the log needs.
struct Denied {
    reason: Reason,
    detail: String,
    proved: bool,
    policy: String,
    tenant: Option<TenantId>,
    /// What authorization was asked, as `explain` wrote it.
    asked: Option<String>,
    /// What a candidate says, where there is one.
    beside: Option<Box<candidate::Beside>>,
}

impl Denied {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            proved: false,
            policy: String::new(),
            tenant: None,
            asked: None,
            beside: None,
        }
    }
}

/// What lets a request pass.
#[derive(Default)]
struct Allowed {
    tenant: Option<TenantId>,
    policy: String,
    /// Whether a grant let it cross into another tenant.
    granted: bool,
    /// Whose what is asked for is, where authorization was asked.
    whose: Option<TenantId>,
    /// Why it would be denied, were it not in shadow.
    shadow: Option<Reason>,
    /// What authorization was asked, as `explain` wrote it.
    asked: Option<String>,
    /// What a candidate says, where there is one.
    beside: Option<Box<candidate::Beside>>,
    /// How the response is to be judged.
    guarding: Option<guard::Guarding>,
    /// How old what is answered may be.
    retention: Option<Retention>,
}

/// What comes of the head of a request that is not denied.
enum Ran {
    /// It passes. With what it was established as, to be asked about again while it is open.
    Passes(Allowed, Option<handover::Established>),
    /// So many bytes of its body are read first.
    Waits(handover::Established, usize),
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
            decided_for: None,
            trace: None,
            numbers: Vec::new(),
            grpc: false,
            retention: None,
            guarding: None,
            answering: None,
            answered: false,
            counted: None,
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

    /// At the edge: what services and sidecars say to each other about tenants stays in the mesh, and a
    /// denial by an inner hop is told as coarsely as one of our own.
    fn leave_the_mesh(&mut self) -> Action {
        let headers = host::response_headers();
        let value = |name: &str| {
            let found = headers.iter().find(|(n, _)| n == name);
            found.map(|(_, v)| String::from_utf8_lossy(v).into_owned())
        };
        if let Some(word) = value(denial::REASON)
            && !self.setup.config.reveal
        {
            // A newer sidecar may give a reason that this build does not know; its status says enough.
            let status = value(":status").and_then(|s| s.parse().ok()).unwrap_or(403);
            // The root that the edge signed is proof that the caller proved a credential.
            let told = Reason::from_code(&word);
            let coarse = match told {
                Some(reason) if self.grpc && guard::is_of_response(reason) => Coarse::Forbidden,
                Some(reason) => reason.coarse(true),
                None => Coarse::of_status(status),
            };
            self.deny(coarse, None, coarse.status(), told.and_then(Reason::retry_after));
            return Action::Pause;
        }
        for name in identity_names(&headers, &[]) {
            host::remove_response_header(&name);
        }
        Action::Continue
    }

    /// Whether the request went to another service than it was decided for. Envoy looks for the route again
    /// after any header was written, and only when this filter is done; it tells the new one with the response.
    /// The service that got the request has an inbound filter of its own; its answer goes no further.
    fn went_elsewhere(&self) -> bool {
        let Some(decided) = &self.decided_for else { return false };
        let policy = self.setup.policy.borrow();
        policy.bundle().and_then(context::destination).is_some_and(|actual| actual != *decided)
    }

    /// Whether the response is an answer of ours, by this filter or by a stage after it.
    fn is_own_answer(&self) -> bool {
        let decided_later = !self.setup.stages.authorization;
        self.was_denied() || (decided_later && host::property(&[log::DECISION]).is_some_and(|d| d == b"deny"))
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

    /// How large the body may be, where the request comes in and where the app gets it.
    fn begin_to_count(
        &self,
        established: &handover::Established,
        request: &Request<'_>,
    ) -> Result<Option<Counted>, Denied> {
        if !matches!(self.setup.config.role, Role::Edge | Role::Inbound) {
            return Ok(None);
        }
        let context = &established.context;
        let lengths = request.headers.all("content-length");
        let counted = self.setup.config.request_bytes.begin(context.tenant.as_str(), &context.tier, lengths);
        counted.map_err(|_| Denied {
            proved: true,
            tenant: Some(context.tenant.clone()),
            ..Denied::new(Reason::RequestTooLarge, "its head says more than `request_bytes` of its tenant")
        })
    }

    /// The body grew larger than its tenant may send: what passed of it is cut off from the app.
    fn too_large(&mut self) -> Action {
        let reason = Reason::RequestTooLarge;
        self.counted = None;
        self.numbers.extend(log::too_large(&self.setup, self.trace.as_ref(), reason));
        if self.kept.as_ref().is_some_and(|kept| kept.responding.get()) {
            host::reset_stream();
            return Action::Pause;
        }
        self.answered = true;
        answer(&self.setup, reason, true, self.trace.as_ref(), self.grpc);
        Action::Pause
    }

    /// A request that other filters let in, whose response is judged here.
    fn await_response(&mut self, request: &Request<'_>) -> Action {
        self.trace = TraceParent::of(request.headers);
        let why = self.setup.misplaced().map(|why| (Reason::PolicyUnavailable, why));
        match why.map_or_else(|| pass::take(&self.setup, request), Err) {
            Ok(guarding) => {
                self.guarding = guarding;
                if let Some(guarding) = &self.guarding {
                    guarding.prepare_request();
                }
                Action::Continue
            }
            Err((reason, detail)) => {
                self.numbers.extend(log::unjudged(&self.setup, self.trace.as_ref(), reason, detail));
                self.answered = true;
                answer(&self.setup, reason, true, self.trace.as_ref(), self.grpc);
                Action::Pause
            }
        }
    }

    /// Judges the head of what the service answered.
    fn guard_head(&mut self, ended: bool) -> Action {
        if let Some(detail) = self.retention.as_ref().and_then(retention::outlived) {
            self.numbers.extend(log::outlived(&self.setup, self.trace.as_ref(), detail));
            self.guarding = None;
            self.answered = true;
            answer(&self.setup, Reason::Retention, true, self.trace.as_ref(), self.grpc);
            return Action::Pause;
        }
        let Some(guarding) = &self.guarding else { return Action::Continue };
        // Envoy's own answers (no upstream, a limit) tell of no tenant.
        if host::property(&["response", "code_details"]).is_some_and(|details| details != b"via_upstream") {
            return Action::Continue;
        }
        match guarding.judge(&self.setup, ended) {
            Ok(answering) => {
                let waits = answering.as_ref().is_some_and(guard::Answering::holds);
                self.answering = answering;
                if waits { Action::Pause } else { Action::Continue }
            }
            Err(refused) => self.refuse(refused),
        }
    }

    /// What came back is denied: by an answer of ours, or, where some of it left, by an end that no client takes for one.
    fn refuse(&mut self, refused: Refused) -> Action {
        let reason = guard::reason(refused);
        self.numbers.extend(log::refused(&self.setup, self.trace.as_ref(), reason, refused));
        if let Some(answering) = self.answering.take() {
            answering.count(&self.setup);
        }
        self.guarding = None;
        self.answered = true;
        if self.grpc {
            // As `leave_the_mesh` tells it.
            let exact = Some(reason).filter(|_| self.setup.config.role == Role::Inbound);
            let revealed = Some(reason).filter(|_| self.setup.config.reveal);
            let (coarse, trace) = (Coarse::Forbidden, self.trace.as_ref());
            Denial { coarse, revealed, status: 403, retry_after: None, exact, trace, grpc: true }.send();
        } else {
            answer(&self.setup, reason, true, self.trace.as_ref(), false);
        }
        Action::Pause
    }

    /// Tells what was decided, and answers a denial.
    fn conclude(&mut self, outcome: Result<Allowed, Denied>, request: &Request<'_>, now_ms: u64) -> Option<Allowed> {
        let trace = self.trace;
        let asked = log::Asked { request, trace: trace.as_ref(), called: self.decided_for.as_deref(), now_ms };
        self.numbers.extend(log::write(&self.setup, &asked, &outcome, false));
        match outcome {
            Ok(allowed) => Some(allowed),
            Err(denied) => {
                self.answered = true;
                answer(&self.setup, denied.reason, denied.proved, self.trace.as_ref(), self.grpc);
                None
            }
        }
    }

    /// The request goes on, and is decided again while it is open. `body` is whose its body was, where that was read.
    fn let_in(
        &mut self,
        allowed: Allowed,
        headers: host::Map,
        established: handover::Established,
        body: Option<TenantId>,
    ) {
        self.guarding = allowed.guarding;
        self.retention = allowed.retention;
        if let Some(guarding) = &self.guarding {
            guarding.prepare_request();
        }
        let more = (self.trace, body);
        self.kept = Some(self.setup.open.keep(self.context_id, headers, established, allowed.granted, more));
    }

    /// Decides, as far as the head goes.
    fn run(&mut self, request: &Request<'_>, trace: Option<&TraceParent>, now: UnixSeconds) -> Result<Ran, Denied> {
        // INVARIANT: first of all, before any branch: no identity header that came with the request stays.
        let taken = self.setup.stages.context.then(|| context::take_out(&self.setup, request));
        if let Some(why) = self.setup.misplaced() {
            return Err(Denied::new(Reason::PolicyUnavailable, why));
        }
        let (view, authorization) = self
            .setup
            .policy
            .borrow()
            .view(now)
            .map_err(|reason| Denied::new(reason, "no bundle and overlay to decide by"))?;

        let role = self.setup.config.role;
        let established = match &taken {
            Some(_) if role == Role::Egress => {
                context::let_out(request)?;
                return Ok(Ran::Passes(Allowed::default(), None));
            }
            Some(taken) => {
                let stage =
                    context::Stage { setup: &self.setup, view: &view, authorization: &authorization, now, trace };
                stage.establish(request, taken, &mut self.placed)?
            }
            None => handover::take().ok_or_else(|| {
                Denied::new(Reason::TenantMissing, "no `tenant_context` filter of this VM ran before")
            })?,
        };
        if matches!(role, Role::Edge | Role::Outbound) {
            self.decided_for = Some(established.service.clone());
        }
        if self.setup.stages.authorization {
            let tried = self.setup.policy.borrow().tried(&view);
            let route = mode::Route::Here;
            let by = decide::Deciding {
                setup: &self.setup,
                view: &view,
                authorization: &authorization,
                now,
                route,
                says: OnceCell::new(),
                tried,
            };
            if let Some(hold) = by.waits_for(&established, request) {
                let objection = hold::objection(request.headers, hold).map(|why| (Reason::AmbiguousRequest, why));
                let cannot = (!self.setup.config.holds_requests).then_some((
                    Reason::PolicyUnavailable,
                    "the owner stands in the body, and the plugin configuration does not let it wait (`hold_requests`)",
                ));
                return match cannot.or(objection) {
                    Some((reason, why)) => {
                        let tenant = Some(established.context.tenant.clone());
                        Err(Denied { proved: true, tenant, ..Denied::new(reason, why) })
                    }
                    None => {
                        self.counted = self.begin_to_count(&established, request)?;
                        Ok(Ran::Waits(established, hold))
                    }
                };
            }
            // INVARIANT: what does not wait has no owner in its body, or is denied whatever stands there.
            let allowed = by.authorize(&established, request, Body::Elsewhere)?;
            self.counted = self.begin_to_count(&established, request)?;
            return Ok(Ran::Passes(allowed, Some(established)));
        }
        let tenant = Some(established.context.tenant.clone());
        self.ticket = handover::leave(established);
        if self.ticket.is_none() {
            return Err(Denied::new(Reason::PolicyUnavailable, "too many requests wait for their second stage"));
        }
        Ok(Ran::Passes(Allowed { tenant, ..Allowed::default() }, None))
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
        let (outcome, established) = match self.run(&request, trace.as_ref(), now_ms / 1000) {
            Ok(Ran::Passes(allowed, established)) => (Ok(allowed), established),
            Ok(Ran::Waits(established, hold)) => {
                self.held = Some(Box::new(hold::Held { headers, established, hold, size: 0 }));
                return if end_of_stream { self.decide_held() } else { Action::Pause };
            }
            Err(denied) => (Err(denied), None),
        };
        let Some(allowed) = self.conclude(outcome, &request, now_ms) else { return Action::Pause };
        match established {
            Some(established) => self.let_in(allowed, headers, established, None),
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
        let denied = self.was_denied();
        if let Some(kept) = self.kept.take() {
            self.setup.open.forget(&kept);
            self.numbers.extend(kept.number.get());
        }
        if let Some(chain) = &self.setup.chain {
            self.numbers.iter().for_each(|number| chain.over(*number));
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
fn answer(setup: &Setup, reason: Reason, proved: bool, trace: Option<&TraceParent>, grpc: bool) {
    let coarse = reason.coarse(proved);
    let (status, exact) = match setup.config.role {
        Role::Edge => (coarse.status(), None),
        Role::Inbound => (reason.status(), Some(reason)),
        Role::Outbound | Role::Egress => (reason.status(), None),
    };
    let revealed = Some(reason).filter(|_| setup.config.reveal);
    Denial { coarse, revealed, status, retry_after: reason.retry_after(), exact, trace, grpc }.send();
}

fn take_out_of_response() {
    for name in identity_names(&host::response_headers(), &[]) {
        host::remove_response_header(&name);
    }
}

/// The names of all headers that claim an identity.
fn identity_names(headers: &host::Map, legacy: &[String]) -> Vec<String> {
    headers.iter().filter(|(name, _)| is_identity_header(name, legacy)).map(|(name, _)| name.clone()).collect()
}

/// Whether it is answered as gRPC wants it: it is what is looked for as a call of gRPC, and nothing else.
fn is_grpc(request: &Request<'_>) -> bool {
    decide::asked(request).is_ok_and(|call| call.method == GRPC)
}
