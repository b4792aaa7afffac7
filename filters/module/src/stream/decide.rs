//! The authorization stage: hands context and request to `authorization`.

use std::cell::OnceCell;

use partywall_authorization::{Across, Authorization, Body, Call, Decision, Query, RouteSays, called};
use partywall_tenancy::{
    Cell, Crossing, Leave, ProvedBy, Reason, Retention, Ruling, Tenant, TenantId, UnixSeconds, View,
};
use partywall_tenant_context::{CELL, FEATURES, Request, Role};

use super::candidate::{self, Beside};
use super::guard::Guarding;
use super::handover::Established;
use super::mode::Route;
use super::{Allowed, Denied, explain, log, pass};
use crate::host;
use crate::plugin::Setup;
use crate::policy::Tried;

/// What requests are decided by.
pub(super) struct Deciding<'a> {
    pub(super) setup: &'a Setup,
    pub(super) view: &'a View,
    pub(super) authorization: &'a Authorization,
    pub(super) now: UnixSeconds,
    /// Where the mode of the request's route stands.
    pub(super) route: Route,
    /// What else that route says, once somebody asked.
    pub(super) says: OnceCell<Option<RouteSays>>,
    /// The candidate beside it, where there is one.
    pub(super) tried: Option<Tried>,
}

/// What one policy state answers.
pub(super) struct Answer {
    pub(super) outcome: Result<(), (Reason, &'static str)>,
    /// The policy, grant or share that settled it.
    pub(super) policy: String,
    /// By what it crosses into another tenant, where it does.
    leave: Option<Leave>,
    /// Why it would be denied, where it is let in because it is in shadow.
    pub(super) shadow: Option<Reason>,
    /// Whether its route asks for shadow, and the bundle does not let it.
    route_refused: bool,
    /// The cell of the tenant that a grant let it cross into.
    crossed_to: Option<Cell>,
    /// The context's tenant, if it may act.
    pub(super) tenant: Option<Tenant>,
}

impl Answer {
    pub(super) fn denied(reason: Reason, detail: &'static str) -> Self {
        let (policy, outcome) = (String::new(), Err((reason, detail)));
        Self { outcome, policy, leave: None, crossed_to: None, shadow: None, route_refused: false, tenant: None }
    }

    /// What `view` answers at a filter that stands `here`.
    pub(super) fn of(
        setup: &Setup,
        view: &View,
        authorization: &Authorization,
        established: &Established,
        call: &Call<'_>,
        route: Route,
        now: UnixSeconds,
    ) -> Self {
        let context = &established.context;
        // Asked again: the stages may run under different bundles, and the worse answer counts.
        let tenant = match view.active_tenant(&context.tenant) {
            Ok(tenant) => tenant,
            Err(reason) => return Self::denied(reason, "the context's tenant may not act"),
        };
        let query = Query {
            context,
            tenant: &tenant,
            service: &established.service,
            call: *call,
            region: setup.region(),
            time: now,
        };
        let mut owner = None;
        let leave = |crossing: &Crossing<'_>| {
            let (leave, tenant) = view.leave(context, crossing)?;
            owner = Some(tenant.clone());
            Some((leave, tenant))
        };
        let across = partywall_authorization::authorize_across(authorization, &query, leave);
        // INVARIANT: what would cross into another tenant is no matter of modes.
        let crosses = !matches!(across, Across::Decided(_));
        let (denied, policy, leave) = match across {
            Across::Granted { leave, .. } => (None, leave.to_string(), Some(leave)),
            Across::Decided(Decision::Allow { policy, .. }) | Across::Kept(Decision::Allow { policy, .. }) => {
                (None, policy.to_owned(), None)
            }
            Across::Decided(Decision::Deny { reason, policy, detail, .. })
            | Across::Kept(Decision::Deny { reason, policy, detail, .. }) => {
                (Some((reason, detail)), policy.unwrap_or_default().to_owned(), None)
            }
        };
        let modes = &view.bundle().body().modes;
        let ruling = match denied {
            Some((reason, _)) if !crosses => modes.rule(reason, query.service, &context.tenant, || route.mode()),
            _ => Ruling::Denied,
        };
        let shadow = denied.map(|(reason, _)| reason).filter(|_| ruling == Ruling::LetThrough);
        let outcome = match denied {
            Some(denied) if shadow.is_none() => Err(denied),
            _ => Ok(()),
        };
        // Whose data it is about: a grant or share leads to the owner's cell.
        let whose = owner.as_ref().filter(|_| leave.is_some()).unwrap_or(&tenant);
        if let Err(reason) = setup.here().serves(whose, view.bundle().body()) {
            return Self::denied(reason, "the tenant is not served in this cell or region");
        }
        let crossed_to = owner.filter(|_| leave.is_some()).and_then(|owner| owner.cell);
        let route_refused = ruling == Ruling::RouteRefused;
        Self { outcome, policy, leave, crossed_to, shadow, route_refused, tenant: Some(tenant) }
    }
}

/// By what the operation is looked for, or why nobody can tell.
pub(super) fn asked<'r>(request: &Request<'r>) -> Result<Call<'r>, &'static str> {
    let (Ok(method), Ok(path)) = (str::from_utf8(request.method), str::from_utf8(request.path)) else {
        return Err("method or path is not text");
    };
    Ok(Call {
        method: called(method, request.headers.all("content-type"))?,
        path,
        headers: request.headers.0,
        body: Body::Unread,
        route: None,
    })
}

/// Tells Envoy's routes which cell serves the request, and the app.
pub(super) fn tell_cell(cell: Option<&Cell>) {
    match cell.and_then(Cell::name) {
        Some(cell) => {
            host::set_request_header(CELL, cell);
            host::clear_route_cache();
        }
        None => host::remove_request_header(CELL),
    }
}

impl Deciding<'_> {
    /// What the bundle in force answers; and what the candidate does, where there is one, with whether that counts.
    fn ask(&self, established: &Established, call: &Call<'_>) -> (Answer, Option<(Answer, bool)>) {
        let answer = Answer::of(self.setup, self.view, self.authorization, established, call, self.route, self.now);
        let other = self.tried.as_ref().map(|tried| {
            let other = candidate::answer(self.setup, tried, established, call, self.route, self.now);
            // INVARIANT: who may not act under the bundle in force is not let in by a candidate, and nobody crosses into
            // a tenant that the bundle in force keeps them from: its owner is in no rollout by a grant or share.
            let crosses = other.leave.is_some() && answer.outcome.is_err();
            let decides = tried.trial.decides_for(&established.context.tenant);
            let by_candidate = answer.tenant.is_some() && !crosses && decides;
            (other, by_candidate)
        });
        (answer, other)
    }

    /// Decides about an open request once more. What is still allowed leaves no trace; a denial is told as one of a
    /// request is.
    pub(super) fn still_allows(
        &self,
        established: &Established,
        request: &Request<'_>,
        body: Body<'_>,
    ) -> Result<(), Denied> {
        if let Ok(call) = asked(request) {
            let call = Call { body: self.seen(body), route: self.says(established), ..call };
            let (answer, other) = self.ask(established, &call);
            let answer = other.filter(|(_, decides)| *decides).map_or(answer, |(other, _)| other);
            if answer.outcome.is_ok() {
                return Ok(());
            }
        }
        self.authorize(established, request, body).map(|_| ())
    }

    /// What the request's route says of it, where bundle or candidate listen to routes of the service.
    fn says(&self, established: &Established) -> Option<&RouteSays> {
        let service = &established.service;
        let tried = self.tried.as_ref().is_some_and(|tried| tried.authorization.listens_to_routes(service));
        if !tried && !self.authorization.listens_to_routes(service) {
            return None;
        }
        self.says.get_or_init(|| self.route.says()).as_ref()
    }

    /// An outbound filter guards against mistakes alone: the body is read where the request comes in.
    fn seen<'b>(&self, body: Body<'b>) -> Body<'b> {
        if matches!(self.setup.config.role, Role::Edge | Role::Inbound) { body } else { Body::Elsewhere }
    }

    /// How much of the body must be there before this is decided; `None` where nobody asks for it, and where the request
    /// is denied whatever stands in it.
    pub(super) fn waits_for(&self, established: &Established, request: &Request<'_>) -> Option<usize> {
        let call = asked(request).ok().filter(|_| matches!(self.seen(Body::Unread), Body::Unread))?;
        let call = Call { route: self.says(established), ..call };
        let hold = |authorization: &Authorization| authorization.operation(&established.service, &call)?.hold();
        let tried = self.tried.as_ref().and_then(|tried| hold(&tried.authorization));
        let hold = hold(self.authorization).max(tried)?;
        let (answer, other) = self.ask(established, &Call { body: Body::Elsewhere, ..call });
        let answer = other.filter(|(_, decides)| *decides).map_or(answer, |(other, _)| other);
        answer.outcome.is_ok().then_some(hold)
    }

    pub(super) fn authorize(
        &self,
        established: &Established,
        request: &Request<'_>,
        body: Body<'_>,
    ) -> Result<Allowed, Denied> {
        let context = &established.context;
        let known = |mut denied: Denied| {
            denied.proved = context.proved_by != ProvedBy::Nothing;
            denied.tenant = Some(context.tenant.clone());
            denied
        };
        let call = asked(request).map_err(|detail| known(Denied::new(Reason::AmbiguousRequest, detail)))?;
        let call = Call { body: self.seen(body), route: self.says(established), ..call };
        let (mut answer, other) = self.ask(established, &call);
        let mut by = (self.view, self.authorization);
        let mut beside = None;
        if let (Some(tried), Some((other, by_candidate))) = (&self.tried, other) {
            beside = Some(Box::new(Beside::new(self, tried, &answer, &other, by_candidate, (established, &call))));
            if by_candidate {
                answer = other;
                by = (tried.trial.view(), &tried.authorization);
            }
        }
        let wanted = self.setup.config.explain.wants(answer.outcome.is_ok() && answer.shadow.is_none());
        let asked =
            wanted.then(|| explain::asked(self.setup, by.1, (by.0, answer.tenant.as_ref()), established, &call));
        match &answer.leave {
            Some(Leave::Grant(_)) => self.setup.metrics.count("authorization_grants_used_total", &[]),
            Some(Leave::Share { .. }) => self.setup.metrics.count("authorization_shares_used_total", &[]),
            None => {}
        }
        if answer.leave.is_some() {
            // Its owner's cell holds what it is about; where that tenant is in none, no route by cell is meant.
            tell_cell(answer.crossed_to.as_ref());
        }
        let role = log::role(self.setup.config.role);
        if let Err((Reason::ResourceUnmapped, _)) = answer.outcome
            && by.1.contradicts_route(&established.service, &call)
        {
            self.setup.metrics.count("authorization_route_contradictions_total", &[("role", role)]);
        }
        if answer.route_refused {
            self.setup.metrics.count("authorization_route_modes_refused_total", &[("role", role)]);
        }
        if let Some(reason) = answer.shadow {
            let labels = [("reason", reason.code()), ("role", role)];
            self.setup.metrics.count("authorization_shadow_denials_total", &labels);
        }
        let (policy, shadow) = (answer.policy, answer.shadow);
        match answer.outcome {
            Ok(()) => {
                if let Some(tenant) = &answer.tenant {
                    self.tell_features(tenant);
                }
                let crosses = answer.leave.is_some();
                let granted = matches!(answer.leave, Some(Leave::Grant(_)));
                let whose = whose(by.1, established, &call, crosses);
                let guarding = self.guarding(by.1, established, &call, &whose);
                let retention = self.retention(by.1, established, &call);
                let (tenant, whose) = (Some(context.tenant.clone()), Some(whose));
                Ok(Allowed {
                    tenant,
                    policy,
                    crosses,
                    granted,
                    of_platform: false,
                    whose,
                    shadow,
                    asked,
                    beside,
                    guarding,
                    retention,
                })
            }
            Err((reason, detail)) => Err(Denied { policy, asked, beside, ..known(Denied::new(reason, detail)) }),
        }
    }

    /// What the app reads that wants to know which of its features are on. None of the request's own is left by now.
    fn tell_features(&self, tenant: &Tenant) {
        if matches!(self.setup.config.role, Role::Edge | Role::Inbound) && !tenant.features.is_empty() {
            let features: Vec<&str> = tenant.features.iter().collect();
            host::set_request_header(FEATURES, &features.join(","));
        }
    }

    /// How old what is read may be, by the head of the response: where the app answers and where clients are answered.
    /// Where the guard asks the body for it, the head need not tell; a HEAD has no body.
    fn retention(
        &self,
        authorization: &Authorization,
        established: &Established,
        call: &Call<'_>,
    ) -> Option<Retention> {
        if !matches!(self.setup.config.role, Role::Edge | Role::Inbound) || !matches!(call.method, "GET" | "HEAD") {
            return None;
        }
        let retention = authorization.attributes(&established.service, call)?.retention.clone()?;
        let asks_body = |authorization: &Authorization| {
            let found = authorization.operation(&established.service, call);
            found.and_then(|found| found.guarded().map(|guarded| guarded.tells_age())).unwrap_or_default()
        };
        // A guard that stands apart judges by the bundle in force, also where a candidate decided.
        let apart = self.setup.config.passes.is_some();
        let in_body = call.method == "GET" && asks_body(authorization) && (!apart || asks_body(self.authorization));
        (!in_body).then_some(retention)
    }

    /// How the response is to be judged: where the app answers and where clients are answered.
    fn guarding(
        &self,
        authorization: &Authorization,
        established: &Established,
        call: &Call<'_>,
        whose: &TenantId,
    ) -> Option<Guarding> {
        if !matches!(self.setup.config.role, Role::Edge | Role::Inbound) {
            return None;
        }
        let found = authorization.operation(&established.service, call)?;
        if self.setup.config.passes.is_some() {
            pass::leave(self.setup, &established.service, whose, &found, call);
            return None;
        }
        let guarded = found.guarded()?.clone();
        let (service, path) = (established.service.clone(), call.path.to_owned());
        Some(Guarding { guarded, tenant: whose.clone(), service, path, of_head: call.method == "HEAD" })
    }
}

/// Whose what is asked for is. A grant or share lets into the tenant that the request names, and only there.
fn whose(authorization: &Authorization, established: &Established, call: &Call<'_>, crosses: bool) -> TenantId {
    let found = crosses.then(|| authorization.operation(&established.service, call)).flatten();
    let owner = found.and_then(|found| found.owner().ok().flatten()).and_then(|owner| TenantId::parse(owner).ok());
    owner.unwrap_or_else(|| established.context.tenant.clone())
}
