//! The head of a request: decides it, and lets it in or answers.

use std::cell::OnceCell;

use partywall_authorization::{Body, Counted};
use partywall_tenancy::{Bundle, Reason, TenantId, UnixSeconds};
use partywall_tenant_context::{Request, Role, TraceParent};
use proxy_wasm::types::Action;

use super::{Allowed, Basis, Denied, Ran, Stream, answer, context, decide, handover, hold, log, mode, pass};
use crate::{events, host};

impl Stream {
    /// A request that other filters let in, whose response is judged here.
    pub(super) fn await_response(&mut self, request: &Request<'_>) -> Action {
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
                log::unjudged(&self.setup, reason, detail);
                self.answered = true;
                answer(&self.setup, reason, true, self.trace.as_ref(), self.grpc);
                Action::Pause
            }
        }
    }

    /// How large the body may be, where the request comes in and where the app gets it.
    pub(super) fn begin_to_count(
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

    /// Tells what was decided, and answers a denial.
    pub(super) fn conclude(
        &mut self,
        outcome: Result<Allowed, Denied>,
        request: &Request<'_>,
        now_ms: u64,
    ) -> Option<Allowed> {
        let trace = self.trace;
        let asked = log::Asked { request, trace: trace.as_ref(), called: self.decided_for.as_deref(), now_ms };
        let told = log::write(&self.setup, &asked, &outcome, false);
        self.numbers.extend(told.number);
        self.told = told.fields;
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
    pub(super) fn let_in(&mut self, allowed: Allowed, headers: host::Map, basis: Basis, body: Option<TenantId>) {
        self.guarding = allowed.guarding;
        self.retention = allowed.retention;
        if let Some(guarding) = &self.guarding {
            guarding.prepare_request();
        }
        self.hand_over(&basis, allowed.crosses);
        let more = (self.trace, body);
        self.kept = Some(self.setup.open.keep(self.context_id, headers, basis, allowed.crosses, more));
    }

    /// Leaves word for `event_scope`, where the service that is called has events.
    fn hand_over(&mut self, basis: &Basis, crosses: bool) {
        if !matches!(self.setup.config.role, Role::Inbound | Role::Outbound) {
            return;
        }
        let own = self.setup.config.service.as_deref().unwrap_or_default();
        let (service, handed) = match basis {
            Basis::Context(established) => (&*established.service, Some(&established.context)),
            Basis::Platform(_) => (own, None),
            Basis::Tenantless(_) => return,
        };
        let policy = self.setup.policy.borrow();
        let has_events = |bundle: &Bundle| bundle.service(service).is_some_and(|service| service.events.is_some());
        if !policy.bundle().is_some_and(has_events) {
            return;
        }
        self.events = events::leave(match handed {
            Some(context) => events::Handed::Tenant { context: context.clone(), service: service.to_owned(), crosses },
            None => events::Handed::Platform,
        });
    }

    /// Decides, as far as the head goes.
    pub(super) fn run(
        &mut self,
        request: &Request<'_>,
        trace: Option<&TraceParent>,
        now: UnixSeconds,
    ) -> Result<Ran, Denied> {
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
                if let Some(decided) = stage.platform(request, taken) {
                    let (allowed, caller) = decided?;
                    return Ok(Ran::Passes(allowed, Some(Basis::Platform(caller))));
                }
                if let Some((service, let_out)) = stage.tenantless(request) {
                    self.decided_for = Some(service.clone());
                    return Ok(Ran::Passes(let_out?, Some(Basis::Tenantless(service))));
                }
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
            return Ok(Ran::Passes(allowed, Some(Basis::Context(established))));
        }
        let tenant = Some(established.context.tenant.clone());
        self.ticket = handover::leave(established);
        if self.ticket.is_none() {
            return Err(Denied::new(Reason::PolicyUnavailable, "too many requests wait for their second stage"));
        }
        Ok(Ran::Passes(Allowed { tenant, ..Allowed::default() }, None))
    }
}
