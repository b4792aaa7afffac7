//! What the candidate says beside the bundle in force: compared, counted, and told where it differs.

use partywall_log_redaction::{Change, Compared, Side};
use partywall_tenancy::{ProvedBy, Reason, UnixSeconds};

use super::decide::Answer;
use super::handover::Established;
use super::{explain, log};
use crate::config::Explain;
use crate::host;
use crate::plugin::Setup;
use crate::policy::Tried;

/// The filter state that says what the candidate decides otherwise.
const CANDIDATE: &str = "partywall.candidate";

/// Both answers to one request.
pub(super) struct Beside {
    bundle: Told,
    candidate: Told,
    step: u64,
    by_candidate: bool,
    service: String,
    /// What the candidate's authorization is asked, as `explain` wrote it.
    asked: String,
}

/// What is told of an answer.
struct Told {
    revision: u64,
    allowed: bool,
    reason: &'static str,
    policy: String,
}

impl Told {
    fn of(answer: &Answer, revision: u64) -> Self {
        let (allowed, reason) = match &answer.outcome {
            Ok(()) => (true, ""),
            Err((reason, _)) => (false, reason.code()),
        };
        Self { revision, allowed, reason, policy: answer.policy.clone() }
    }

    fn side(&self) -> Side<'_> {
        Side { revision: self.revision, allowed: self.allowed, reason: self.reason, policy: &self.policy }
    }
}

/// What the candidate answers. Who is calling was established by the bundle in force.
///
/// INVARIANT: the candidate lets nobody in whom it would not have established: an operation that it opens to nobody
/// without a credential stays closed to them.
pub(super) fn answer(tried: &Tried, established: &Established, method: &str, path: &str) -> Answer {
    if established.context.proved_by == ProvedBy::Nothing
        && let Some(found) = tried.authorization.operation(&established.service, method, path)
        && !found.operation().anonymous
    {
        return Answer::denied(Reason::TenantMissing, "the candidate asks for a credential here");
    }
    Answer::of(tried.trial.view(), &tried.authorization, established, method, path)
}

impl Beside {
    pub(super) fn new(
        setup: &Setup,
        tried: &Tried,
        (in_force, bundle): (u64, &Answer),
        candidate: &Answer,
        by_candidate: bool,
        (established, method, path): (&Established, &str, &str),
    ) -> Self {
        let revision = tried.trial.revision();
        let mut beside = Self {
            bundle: Told::of(bundle, in_force),
            candidate: Told::of(candidate, revision),
            step: tried.trial.step(),
            by_candidate,
            service: established.service.clone(),
            asked: String::new(),
        };
        if setup.config.explain != Explain::Off && beside.compared(0, 0, "").change() != Change::Same {
            let by = (tried.trial.view(), candidate.tenant.as_ref());
            beside.asked = explain::asked(setup, &tried.authorization, by, established, method, path);
        }
        beside
    }

    /// The revision that decided.
    pub(super) fn revision(&self) -> u64 {
        if self.by_candidate { self.candidate.revision } else { self.bundle.revision }
    }

    /// Counts, and writes the difference into the access log; nothing where there is none.
    pub(super) fn write(&self, setup: &Setup, overlay: u64, tenant: &str, now: UnixSeconds) {
        let compared = self.compared(now, overlay, tenant);
        let change = compared.change();
        let labels = [
            ("change", change.name()),
            ("by", if self.by_candidate { "candidate" } else { "bundle" }),
            ("role", log::role(setup.config.role)),
        ];
        setup.metrics.count("candidate_decisions_total", &labels);
        // Written in any case: the filter may run once more for a request, as for a retry.
        let told = change != Change::Same && setup.config.explain != Explain::Off;
        let text = if told { compared.write() } else { String::new() };
        host::set_property(CANDIDATE, text.as_bytes());
    }

    fn compared<'a>(&'a self, time: UnixSeconds, overlay: u64, tenant: &'a str) -> Compared<'a> {
        Compared {
            time,
            overlay,
            bundle: self.bundle.side(),
            candidate: self.candidate.side(),
            step: self.step,
            by_candidate: self.by_candidate,
            service: &self.service,
            tenant,
            asked: &self.asked,
        }
    }
}
