//! One request on its way through the filter.

use std::rc::Rc;

use partywall_tenancy::{Reason, ServiceEvents};
use partywall_tenant_context::{Request, Role, TraceParent};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::Refused;
use super::cloudevents::{self, Event};
use super::handover::{self, Handed};
use super::rest::Rest;
use crate::host;
use crate::plugin::Setup;
use crate::stream::{answer, destination, event_refused};

/// The proxy-wasm stream context.
pub(crate) struct Stream {
    setup: Rc<Setup>,
    trace: Option<TraceParent>,
    what: What,
    /// Whether the head of the request waits for its body.
    holding: bool,
    /// Whether the response has begun, so that it is too late for an answer of ours.
    responding: bool,
    /// Whether it was refused.
    refused: bool,
    /// The numbers that its decisions have in the chain.
    numbers: Vec<u64>,
    /// Whether its line is being written.
    logged: bool,
}

/// What it is.
enum What {
    /// Nothing that is looked at.
    Passes,
    Rest(Box<Rest>),
    Event(Box<Event>),
}

impl Stream {
    pub(crate) fn new(setup: Rc<Setup>) -> Self {
        Self {
            setup,
            trace: None,
            what: What::Passes,
            holding: false,
            responding: false,
            refused: false,
            numbers: Vec::new(),
            logged: false,
        }
    }

    fn begin(&mut self, request: &Request<'_>) -> Result<(), Refused> {
        if let Some(why) = self.setup.misplaced() {
            return Err(Refused::new(Reason::PolicyUnavailable, why));
        }
        let role = self.setup.config.role;
        let (context, service) = match handover::take() {
            Some(Handed::Tenant { crosses: true, .. }) => {
                return Err(Refused::new(
                    Reason::ResourceForeign,
                    "no grant and no share reaches another tenant's events",
                ));
            }
            Some(Handed::Tenant { context, service, .. }) => (context, service),
            Some(Handed::Platform) => return Ok(()),
            None if !self.may_be_events(role) => return Ok(()),
            None => {
                let why = "no `sidecar` or `authorization` filter of this VM let this request in before";
                return Err(Refused::new(Reason::PolicyUnavailable, why));
            }
        };
        let events = {
            let policy = self.setup.policy.borrow();
            policy.bundle().and_then(|bundle| bundle.service(&service)?.events.clone())
        };
        match events {
            // Names are kept apart where the server stands; outbound filters guard against mistakes alone.
            Some(ServiceEvents::Rest { version, cluster }) if role == Role::Inbound => {
                let rest = Rest::begin(&self.setup, request, context, (version, &cluster))?;
                self.holding = rest.holds_request();
                self.what = What::Rest(Box::new(rest));
            }
            Some(ServiceEvents::CloudEvents(said)) if matches!(role, Role::Inbound | Role::Outbound) => {
                if let Some(event) = Event::begin(&self.setup, request, &context.tenant, &said)? {
                    self.holding = true;
                    self.what = What::Event(Box::new(event));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a request of which no filter left word could be an event. Calls without a tenant leave none.
    fn may_be_events(&self, role: Role) -> bool {
        let own = self.setup.config.service.as_deref();
        let policy = self.setup.policy.borrow();
        let Some(bundle) = policy.bundle() else { return true };
        let called = match role {
            Role::Outbound => destination(bundle),
            _ => own.map(str::to_owned),
        };
        called.and_then(|called| bundle.service(&called)).is_none_or(|service| service.events.is_some())
    }

    fn refuse(&mut self, refused: &Refused) -> Action {
        self.refused = true;
        self.what = What::Passes;
        self.numbers.extend(event_refused(&self.setup, self.trace.as_ref(), refused.reason, &refused.detail));
        if self.responding && !matches!(refused.reason, Reason::ResponseForeign | Reason::ResponseUnclear) {
            host::reset_stream();
        } else {
            answer(&self.setup, refused.reason, true, self.trace.as_ref(), false);
        }
        Action::Pause
    }

    /// All of a body that was held is there.
    fn whole(&mut self, size: usize) -> Action {
        self.holding = false;
        let judged = match &mut self.what {
            What::Passes => return Action::Continue,
            What::Rest(rest) => rest.request(&self.setup, size, true),
            What::Event(event) => event.request(&self.setup, size),
        };
        match judged {
            Ok(length) => {
                if size > 0 || length > 0 {
                    host::remove_request_header("transfer-encoding");
                    host::set_request_header("content-length", &length.to_string());
                }
                Action::Continue
            }
            Err(refused) => self.refuse(&refused),
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let headers = host::request_headers();
        let request = Request::from_headers(&headers);
        self.trace = TraceParent::of(request.headers);
        if let Err(refused) = self.begin(&request) {
            return self.refuse(&refused);
        }
        if matches!(self.what, What::Passes) {
            return Action::Continue;
        }
        if end_of_stream {
            return self.whole(0);
        }
        if self.holding {
            if !self.setup.config.holds_requests {
                let why =
                    "the plugin configuration does not let a request wait for its body: write `hold_requests: true`";
                return self.refuse(&Refused::new(Reason::PolicyUnavailable, why));
            }
            return Action::Pause;
        }
        host::remove_request_header("content-length");
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.refused {
            return Action::Pause;
        }
        if self.holding {
            let most = match &self.what {
                What::Rest(rest) => rest.most(),
                _ => cloudevents::MOST,
            };
            if size > most {
                return self
                    .refuse(&Refused::new(Reason::RequestTooLarge, "the body is larger than what is held of it"));
            }
            return if end_of_stream { self.whole(size) } else { Action::Pause };
        }
        let What::Rest(rest) = &mut self.what else { return Action::Continue };
        match rest.request(&self.setup, size, end_of_stream) {
            Ok(_) => Action::Continue,
            Err(refused) => {
                // INVARIANT: nothing of this chunk goes on, whatever the host makes of a denial in the middle of a body.
                host::replace_request_body(size, &[]);
                self.refuse(&refused)
            }
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if self.refused {
            return Action::Pause;
        }
        let outcome = match &mut self.what {
            What::Passes => return Action::Continue,
            // What was held cannot be written any more.
            _ if self.holding => {
                Err(Refused::new(Reason::AmbiguousRequest, "trailers behind a body that is looked into"))
            }
            What::Rest(rest) => rest.request_ends(&self.setup),
            What::Event(_) => return Action::Continue,
        };
        outcome.map_or_else(|refused| self.refuse(&refused), |()| Action::Continue)
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.responding = true;
        if self.refused {
            return Action::Continue;
        }
        let What::Rest(rest) = &mut self.what else { return Action::Continue };
        // Envoy's own answers (no upstream, a limit) tell of no tenant.
        if host::property(&["response", "code_details"]).is_some_and(|details| details != b"via_upstream") {
            self.what = What::Passes;
            return Action::Continue;
        }
        match rest.respond(&self.setup, end_of_stream) {
            Ok(true) => Action::Pause,
            Ok(false) => Action::Continue,
            Err(refused) => self.refuse(&refused),
        }
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        // Of what was refused nothing leaves but the answer.
        let What::Rest(rest) = &mut self.what else { return Action::Continue };
        match rest.response(&self.setup, size, end_of_stream) {
            Ok(true) => Action::Continue,
            Ok(false) => Action::Pause,
            Err(refused) => self.refuse(&refused),
        }
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        let What::Rest(rest) = &mut self.what else { return Action::Continue };
        match rest.response_ends(&self.setup) {
            Ok(()) => Action::Continue,
            Err(refused) => self.refuse(&refused),
        }
    }

    /// The request is over, and its line not written yet.
    fn on_log(&mut self) {
        self.logged = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(chain) = &self.setup.chain {
            chain.end(&self.numbers, self.logged);
        }
    }
}
