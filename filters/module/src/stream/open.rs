//! Requests that were let in and are not over: they are decided again when the policy changes.
//!
//! A WebSocket or a gRPC stream may stay open for days. What let it in is asked about again with each bundle, overlay,
//! grant and candidate that comes into force, and when the policy becomes stale; where the answer is a denial by then,
//! the stream ends, also an idle one.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use partywall_authorization::Body;
use partywall_tenancy::{Reason, TenantId, UnixSeconds};
use partywall_tenant_context::{Passage, Request, Role, TraceParent};

use super::decide::Deciding;
use super::mode::Route;
use super::{Basis, Denied, answer, is_grpc, log, platform, tenantless};
use crate::host;
use crate::plugin::Setup;

/// How many are asked about in one tick: about a millisecond.
const EACH: usize = 512;

/// A request that was let in.
pub(crate) struct Kept {
    context_id: u32,
    /// As they came: a decision may look at any of them.
    headers: host::Map,
    basis: Basis,
    /// Whether it crosses into another tenant, by a grant or share. These end by themselves, without any change of policy.
    crosses: bool,
    trace: Option<TraceParent>,
    /// Whose its body was, where that was read.
    body: Option<TenantId>,
    /// Whether the response has begun, so that it is too late for an answer of ours.
    pub(super) responding: Cell<bool>,
    /// Whether it was ended here.
    pub(super) ended: Cell<bool>,
    /// The number in the chain of the decision that ended it.
    pub(super) number: Cell<Option<u64>>,
}

/// The open requests of one plugin in one VM. As many as Envoy has open there, which is where their number is bounded.
#[derive(Default)]
pub(crate) struct Open {
    kept: RefCell<BTreeMap<u32, Rc<Kept>>>,
    /// Those that wait to be asked about.
    due: RefCell<Vec<u32>>,
    /// What all were asked about under: how often the policy changed, and whether it answers at all.
    under: Cell<(u64, Option<Reason>)>,
    /// When those that cross into another tenant were asked about.
    crossing_at: Cell<UnixSeconds>,
}

impl Open {
    pub(super) fn keep(
        &self,
        context_id: u32,
        headers: host::Map,
        basis: Basis,
        crosses: bool,
        (trace, body): (Option<TraceParent>, Option<TenantId>),
    ) -> Rc<Kept> {
        let (responding, ended, number) = (Cell::new(false), Cell::new(false), Cell::new(None));
        let kept = Rc::new(Kept { context_id, headers, basis, crosses, trace, body, responding, ended, number });
        self.kept.borrow_mut().insert(context_id, kept.clone());
        kept
    }

    pub(super) fn forget(&self, kept: &Kept) {
        self.kept.borrow_mut().remove(&kept.context_id);
    }

    /// Whether some still wait, so that ticks should come fast.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.due.borrow().is_empty()
    }

    /// Asks about some of those that are due, and ends what is not permitted any more. `root` is the plugin's own
    /// context.
    pub(crate) fn tick(setup: &Setup, root: u32, now_ms: u64) {
        let open = &setup.open;
        open.find_due(setup, now_ms / 1000);
        let first = {
            let mut due = open.due.borrow_mut();
            let rest = due.len().saturating_sub(EACH);
            due.split_off(rest)
        };
        for context_id in first {
            let kept = open.kept.borrow().get(&context_id).cloned();
            if let Some(kept) = kept {
                kept.ask_again(setup, root, now_ms);
            }
        }
    }

    fn find_due(&self, setup: &Setup, now: UnixSeconds) {
        let under = {
            let policy = setup.policy.borrow();
            (policy.changes(), policy.view(now).err())
        };
        if self.under.replace(under) != under {
            *self.due.borrow_mut() = self.kept.borrow().keys().copied().collect();
            return;
        }
        if self.crossing_at.replace(now) != now {
            let kept = self.kept.borrow();
            self.due.borrow_mut().extend(kept.values().filter(|one| one.crosses).map(|one| one.context_id));
        }
    }
}

impl Kept {
    fn ask_again(&self, setup: &Setup, root: u32, now_ms: u64) {
        let request = Request::from_headers(&self.headers);
        let Err(denied) = self.decide(setup, &request, root, now_ms / 1000) else { return };
        setup.open.forget(self);
        self.ended.set(true);
        setup.metrics.count(
            "authorization_streams_ended_total",
            &[("reason", denied.reason.code()), ("role", log::role(setup.config.role))],
        );
        host::set_effective_context(self.context_id);
        let called = self.called().filter(|_| matches!(setup.config.role, Role::Edge | Role::Outbound));
        let (reason, proved) = (denied.reason, denied.proved);
        let asked = log::Asked { request: &request, trace: self.trace.as_ref(), called, now_ms };
        self.number.set(log::write(setup, &asked, &Err(denied), true).number);
        if self.responding.get() {
            host::reset_stream();
        } else {
            answer(setup, reason, proved, self.trace.as_ref(), is_grpc(&request));
        }
        host::set_effective_context(root);
    }

    /// The service that it goes to, where that is not the one here.
    fn called(&self) -> Option<&str> {
        match &self.basis {
            Basis::Context(established) => Some(&established.service),
            Basis::Tenantless(service) => Some(service),
            Basis::Platform(_) => None,
        }
    }

    fn decide(&self, setup: &Setup, request: &Request<'_>, root: u32, now: UnixSeconds) -> Result<(), Denied> {
        let (view, authorization, tried) = {
            let policy = setup.policy.borrow();
            let (view, authorization) = policy
                .view(now)
                .map_err(|reason| Denied::new(reason, "no bundle and overlay to decide an open request by"))?;
            let tried = policy.tried(&view);
            (view, authorization, tried)
        };
        let route = Route::Of { stream: self.context_id, root };
        let own = setup.config.service.as_deref();
        let established = match &self.basis {
            Basis::Context(established) => established,
            Basis::Platform(caller) => {
                return platform::still_allows(setup, (&view, &authorization), request, caller, route);
            }
            Basis::Tenantless(called) => {
                return tenantless::still_allows(view.bundle(), own.unwrap_or_default(), called);
            }
        };
        let passage =
            Passage { service: &established.service, calling: own.filter(|_| setup.config.role == Role::Outbound) };
        established.standing.check(&established.context, passage, &view)?;
        let by =
            Deciding { setup, view: &view, authorization: &authorization, now, route, says: OnceCell::new(), tried };
        let body = self.body.as_ref().map_or(Body::Unread, |owner| Body::Named(owner.as_str()));
        by.still_allows(established, request, body)
    }
}
