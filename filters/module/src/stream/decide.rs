//! The authorization stage: hands context and request to `authorization`.

use partywall_authorization::{Across, Authorization, Decision, Query, called};
use partywall_tenancy::{Cell, Here, ProvedBy, Reason, Tenant, TenantId, UnixSeconds, View};
use partywall_tenant_context::{CELL, Request, Role};

use super::candidate::{self, Beside};
use super::guard::Guarding;
use super::handover::Established;
use super::{Allowed, Denied, explain};
use crate::host;
use crate::plugin::Setup;
use crate::policy::Tried;

/// What requests are decided by.
pub(super) struct Deciding<'a> {
    pub(super) setup: &'a Setup,
    pub(super) view: &'a View,
    pub(super) authorization: &'a Authorization,
    pub(super) now: UnixSeconds,
    /// The candidate beside it, where there is one.
    pub(super) tried: Option<Tried>,
}

/// What one policy state answers.
pub(super) struct Answer {
    pub(super) outcome: Result<(), (Reason, &'static str)>,
    /// The policy or grant that settled it.
    pub(super) policy: String,
    granted: bool,
    /// The cell of the tenant that a grant let it cross into.
    crossed_to: Option<Cell>,
    /// The context's tenant, if it may act.
    pub(super) tenant: Option<Tenant>,
}

impl Answer {
    pub(super) fn denied(reason: Reason, detail: &'static str) -> Self {
        Self { outcome: Err((reason, detail)), policy: String::new(), granted: false, crossed_to: None, tenant: None }
    }

    /// What `view` answers at a filter that stands `here`.
    pub(super) fn of(
        (view, here): (&View, Here<'_>),
        authorization: &Authorization,
        established: &Established,
        method: &str,
        path: &str,
    ) -> Self {
        let context = &established.context;
        // Asked again: the stages may run under different bundles, and the worse answer counts.
        let tenant = match view.active_tenant(&context.tenant) {
            Ok(tenant) => tenant,
            Err(reason) => return Self::denied(reason, "the context's tenant may not act"),
        };
        let query = Query { context, tenant: &tenant, service: &established.service, method, path };
        let mut owner = None;
        let granted = |name: &str, action: &str| {
            let (grant, tenant) = view.grant(context, name, action)?;
            owner = Some(tenant.clone());
            Some((grant, tenant))
        };
        let (outcome, policy, granted) = match partywall_authorization::authorize_across(authorization, &query, granted)
        {
            Across::Granted { grant, .. } => (Ok(()), format!("grant:{grant}"), true),
            Across::Decided(Decision::Allow { policy, .. }) => (Ok(()), policy.to_owned(), false),
            Across::Decided(Decision::Deny { reason, policy, detail, .. }) => {
                (Err((reason, detail)), policy.unwrap_or_default().to_owned(), false)
            }
        };
        // Whose data it is about: a grant leads to the owner's cell.
        let whose = owner.as_ref().filter(|_| granted).unwrap_or(&tenant);
        if let Err(reason) = here.serves(whose, view.bundle()) {
            return Self::denied(reason, "the tenant is not served in this cell or region");
        }
        let crossed_to = owner.filter(|_| granted).and_then(|owner| owner.cell);
        Self { outcome, policy, granted, crossed_to, tenant: Some(tenant) }
    }
}

/// By which method and path the operation is looked for, or why nobody can tell.
pub(super) fn asked<'r>(request: &Request<'r>) -> Result<(&'r str, &'r str), &'static str> {
    let (Ok(method), Ok(path)) = (str::from_utf8(request.method), str::from_utf8(request.path)) else {
        return Err("method or path is not text");
    };
    Ok((called(method, request.headers.all("content-type"))?, path))
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
    fn ask(&self, established: &Established, method: &str, path: &str) -> (Answer, Option<(Answer, bool)>) {
        let here = self.setup.here();
        let answer = Answer::of((self.view, here), self.authorization, established, method, path);
        let other = self.tried.as_ref().map(|tried| {
            let other = candidate::answer(tried, here, established, method, path);
            // INVARIANT: who may not act under the bundle in force is not let in by a candidate, and nobody crosses into
            // a tenant that the bundle in force keeps them from: its owner is in no rollout by asking for a grant.
            let crosses = other.granted && answer.outcome.is_err();
            let decides = tried.trial.decides_for(&established.context.tenant);
            let by_candidate = answer.tenant.is_some() && !crosses && decides;
            (other, by_candidate)
        });
        (answer, other)
    }

    /// Decides about an open request once more. What is still allowed leaves no trace; a denial is told as one of a
    /// request is.
    pub(super) fn still_allows(&self, established: &Established, request: &Request<'_>) -> Result<(), Denied> {
        if let Ok((method, path)) = asked(request) {
            let (answer, other) = self.ask(established, method, path);
            let answer = other.filter(|(_, decides)| *decides).map_or(answer, |(other, _)| other);
            if answer.outcome.is_ok() {
                return Ok(());
            }
        }
        self.authorize(established, request).map(|_| ())
    }

    pub(super) fn authorize(&self, established: &Established, request: &Request<'_>) -> Result<Allowed, Denied> {
        let context = &established.context;
        let known = |mut denied: Denied| {
            denied.proved = context.proved_by != ProvedBy::Nothing;
            denied.tenant = Some(context.tenant.clone());
            denied
        };
        let (method, path) = asked(request).map_err(|detail| known(Denied::new(Reason::AmbiguousRequest, detail)))?;
        let (mut answer, other) = self.ask(established, method, path);
        let mut by = (self.view, self.authorization);
        let mut beside = None;
        if let (Some(tried), Some((other, by_candidate))) = (&self.tried, other) {
            let asked = (established, method, path);
            beside = Some(Box::new(Beside::new(self, tried, &answer, &other, by_candidate, asked)));
            if by_candidate {
                answer = other;
                by = (tried.trial.view(), &tried.authorization);
            }
        }
        let wanted = self.setup.config.explain.wants(answer.outcome.is_ok());
        let asked =
            wanted.then(|| explain::asked(self.setup, by.1, (by.0, answer.tenant.as_ref()), established, method, path));
        if answer.granted {
            self.setup.metrics.count("authorization_grants_used_total", &[]);
            // Its owner's cell holds what it is about; where that tenant is in none, no route by cell is meant.
            tell_cell(answer.crossed_to.as_ref());
        }
        let policy = answer.policy;
        match answer.outcome {
            Ok(()) => {
                let granted = answer.granted;
                let guarding = self.guarding(by.1, established, (method, path), granted);
                Ok(Allowed { tenant: Some(context.tenant.clone()), policy, granted, asked, beside, guarding })
            }
            Err((reason, detail)) => Err(Denied { policy, asked, beside, ..known(Denied::new(reason, detail)) }),
        }
    }
    /// How the response is to be judged: where the app answers and where clients are answered.
    fn guarding(
        &self,
        authorization: &Authorization,
        established: &Established,
        (method, path): (&str, &str),
        granted: bool,
    ) -> Option<Guarding> {
        if !matches!(self.setup.config.role, Role::Edge | Role::Inbound) {
            return None;
        }
        let found = authorization.operation(&established.service, method, path)?;
        let guarded = found.guarded()?.clone();
        // A grant lets into the tenant that the path names, and only there.
        let owner = found.owner().filter(|_| granted).and_then(|owner| TenantId::parse(owner).ok());
        let tenant = owner.unwrap_or_else(|| established.context.tenant.clone());
        Some(Guarding { guarded, tenant, service: established.service.clone(), of_head: method == "HEAD" })
    }
}
