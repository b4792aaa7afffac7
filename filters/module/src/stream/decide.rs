//! The authorization stage: hands context and request to `authorization`.

use partywall_authorization::{Across, Authorization, Decision, Query, called};
use partywall_tenancy::{ProvedBy, Reason, Retention, Tenant, TenantId, UnixSeconds, View};
use partywall_tenant_context::{FEATURES, Request, Role};

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
    /// The context's tenant, if it may act.
    pub(super) tenant: Option<Tenant>,
}

impl Answer {
    pub(super) fn denied(reason: Reason, detail: &'static str) -> Self {
        Self { outcome: Err((reason, detail)), policy: String::new(), granted: false, tenant: None }
    }

    pub(super) fn of(
        setup: &Setup,
        view: &View,
        authorization: &Authorization,
        established: &Established,
        (method, path): (&str, &str),
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
            method,
            path,
            region: setup.region(),
            time: now,
        };
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

/// By which method and path the operation is looked for, or why nobody can tell.
pub(super) fn asked<'r>(request: &Request<'r>) -> Result<(&'r str, &'r str), &'static str> {
    let (Ok(method), Ok(path)) = (str::from_utf8(request.method), str::from_utf8(request.path)) else {
        return Err("method or path is not text");
    };
    Ok((called(method, request.headers.all("content-type"))?, path))
}

impl Deciding<'_> {
    /// What the bundle in force answers; and what the candidate does, where there is one, with whether that counts.
    fn ask(&self, established: &Established, method: &str, path: &str) -> (Answer, Option<(Answer, bool)>) {
        let answer = Answer::of(self.setup, self.view, self.authorization, established, (method, path), self.now);
        let other = self.tried.as_ref().map(|tried| {
            let other = candidate::answer(self.setup, tried, established, (method, path), self.now);
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
        }
        let policy = answer.policy;
        match answer.outcome {
            Ok(()) => {
                if let Some(tenant) = &answer.tenant {
                    self.tell_features(tenant);
                }
                let granted = answer.granted;
                let guarding = self.guarding(by.1, established, (method, path), granted);
                let retention = self.retention(by.1, established, (method, path));
                let tenant = Some(context.tenant.clone());
                Ok(Allowed { tenant, policy, granted, asked, beside, guarding, retention })
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

    /// How old what is read may be: where the app answers and where clients are answered.
    fn retention(
        &self,
        authorization: &Authorization,
        established: &Established,
        (method, path): (&str, &str),
    ) -> Option<Retention> {
        if !matches!(self.setup.config.role, Role::Edge | Role::Inbound) || !matches!(method, "GET" | "HEAD") {
            return None;
        }
        authorization.operation(&established.service, method, path)?.operation().attributes.retention.clone()
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
