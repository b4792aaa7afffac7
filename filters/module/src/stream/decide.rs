//! The authorization stage: hands context and request to `authorization`.

use partywall_authorization::{Across, Authorization, Body, Call, Decision, Query, called};
use partywall_tenancy::{ProvedBy, Reason, Tenant, TenantId, UnixSeconds, View};
use partywall_tenant_context::{Request, Role};

use super::candidate::{self, Beside};
use super::guard::Guarding;
use super::handover::Established;
use super::{Allowed, Denied, explain};
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
    /// The context's tenant, if it may act.
    pub(super) tenant: Option<Tenant>,
}

impl Answer {
    pub(super) fn denied(reason: Reason, detail: &'static str) -> Self {
        Self { outcome: Err((reason, detail)), policy: String::new(), granted: false, tenant: None }
    }

    pub(super) fn of(view: &View, authorization: &Authorization, established: &Established, call: &Call<'_>) -> Self {
        let context = &established.context;
        // Asked again: the stages may run under different bundles, and the worse answer counts.
        let tenant = match view.active_tenant(&context.tenant) {
            Ok(tenant) => tenant,
            Err(reason) => return Self::denied(reason, "the context's tenant may not act"),
        };
        let query = Query { context, tenant: &tenant, service: &established.service, call: *call };
        let granted = |owner: &str, action: &str| view.grant(context, owner, action);
        let (outcome, policy, granted) = match partywall_authorization::authorize_across(authorization, &query, granted)
        {
            Across::Granted { grant, .. } => (Ok(()), format!("grant:{grant}"), true),
            Across::Decided(Decision::Allow { policy, .. }) => (Ok(()), policy.to_owned(), false),
            Across::Decided(Decision::Deny { reason, policy, detail, .. }) => {
                (Err((reason, detail)), policy.unwrap_or_default().to_owned(), false)
            }
        };
        Self { outcome, policy, granted, tenant: Some(tenant) }
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
    })
}

impl Deciding<'_> {
    /// What the bundle in force answers; and what the candidate does, where there is one, with whether that counts.
    fn ask(&self, established: &Established, call: &Call<'_>) -> (Answer, Option<(Answer, bool)>) {
        let answer = Answer::of(self.view, self.authorization, established, call);
        let other = self.tried.as_ref().map(|tried| {
            let other = candidate::answer(tried, established, call);
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
    pub(super) fn still_allows(
        &self,
        established: &Established,
        request: &Request<'_>,
        body: Body<'_>,
    ) -> Result<(), Denied> {
        if let Ok(call) = asked(request) {
            let call = Call { body: self.seen(body), ..call };
            let (answer, other) = self.ask(established, &call);
            let answer = other.filter(|(_, decides)| *decides).map_or(answer, |(other, _)| other);
            if answer.outcome.is_ok() {
                return Ok(());
            }
        }
        self.authorize(established, request, body).map(|_| ())
    }

    /// An outbound filter guards against mistakes alone: the body is read where the request comes in.
    fn seen<'b>(&self, body: Body<'b>) -> Body<'b> {
        if matches!(self.setup.config.role, Role::Edge | Role::Inbound) { body } else { Body::Elsewhere }
    }

    /// How much of the body must be there before this is decided; `None` where nobody asks for it, and where the request
    /// is denied whatever stands in it.
    pub(super) fn waits_for(&self, established: &Established, request: &Request<'_>) -> Option<usize> {
        let call = asked(request).ok().filter(|_| matches!(self.seen(Body::Unread), Body::Unread))?;
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
        let call = Call { body: self.seen(body), ..call };
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
        let wanted = self.setup.config.explain.wants(answer.outcome.is_ok());
        let asked =
            wanted.then(|| explain::asked(self.setup, by.1, (by.0, answer.tenant.as_ref()), established, &call));
        if answer.granted {
            self.setup.metrics.count("authorization_grants_used_total", &[]);
        }
        let policy = answer.policy;
        match answer.outcome {
            Ok(()) => {
                let granted = answer.granted;
                let whose = whose(by.1, established, &call, granted);
                let guarding = self.guarding(by.1, established, &call, &whose);
                let tenant = Some(context.tenant.clone());
                Ok(Allowed { tenant, policy, granted, whose: Some(whose), asked, beside, guarding })
            }
            Err((reason, detail)) => Err(Denied { policy, asked, beside, ..known(Denied::new(reason, detail)) }),
        }
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
        let guarded = found.guarded()?.clone();
        Some(Guarding {
            guarded,
            tenant: whose.clone(),
            service: established.service.clone(),
            of_head: call.method == "HEAD",
        })
    }
}

/// Whose what is asked for is. A grant lets into the tenant that the request names, and only there.
fn whose(authorization: &Authorization, established: &Established, call: &Call<'_>, granted: bool) -> TenantId {
    let found = authorization.operation(&established.service, call).filter(|_| granted);
    let owner = found.and_then(|found| found.owner().ok().flatten()).and_then(|owner| TenantId::parse(owner).ok());
    owner.unwrap_or_else(|| established.context.tenant.clone())
}
