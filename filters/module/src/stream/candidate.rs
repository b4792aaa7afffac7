//! What the candidate says beside the bundle in force: compared, counted, and told where it differs.

use partywall_authorization::Call;
use partywall_log_redaction::{Change, Compared, Side};
use partywall_tenancy::{ProvedBy, Reason, UnixSeconds};

use super::decide::{Answer, Deciding};
use super::handover::Established;
use super::mode::Route;
use super::{explain, log};
use crate::config::Explain;
use crate::host;
use crate::plugin::Setup;
use crate::policy::Tried;

/// The filter state that says what the candidate decides otherwise.
pub(super) const CANDIDATE: &str = "partywall.candidate";

/// What came of asking both.
pub(super) struct Beside {
    /// The revision that decided.
    pub(super) revision: u64,
    change: Change,
    by_candidate: bool,
    /// The difference, for the access log; empty where there is none, or none is to be told.
    told: String,
}

fn side(answer: &Answer, revision: u64) -> Side<'_> {
    let (allowed, reason) = match &answer.outcome {
        Ok(()) => (true, ""),
        Err((reason, _)) => (false, reason.code()),
    };
    let (shadow, reason) = answer.shadow.map_or((false, reason), |reason| (true, reason.code()));
    Side { revision, allowed, shadow, reason, policy: &answer.policy }
}

/// What the candidate answers. Who is calling was established by the bundle in force.
///
/// INVARIANT: the candidate lets nobody in whom it would not have established: an operation that it opens to nobody
/// without a credential stays closed to them.
pub(super) fn answer(
    setup: &Setup,
    tried: &Tried,
    established: &Established,
    call: &Call<'_>,
    route: Route,
    now: UnixSeconds,
) -> Answer {
    if established.context.proved_by == ProvedBy::Nothing
        && let Some(found) = tried.authorization.operation(&established.service, call)
        && !found.operation().anonymous
    {
        return Answer::denied(Reason::TenantMissing, "the candidate asks for a credential here");
    }
    Answer::of(setup, tried.trial.view(), &tried.authorization, established, call, route, now)
}

impl Beside {
    pub(super) fn new(
        by: &Deciding<'_>,
        tried: &Tried,
        bundle: &Answer,
        candidate: &Answer,
        by_candidate: bool,
        (established, call): (&Established, &Call<'_>),
    ) -> Self {
        let bundle = side(bundle, by.view.bundle().body().revision);
        let other = side(candidate, tried.trial.revision());
        let change = Change::between(&bundle, &other);
        let mut told = String::new();
        if change != Change::Same && by.setup.config.explain != Explain::Off {
            let under = (tried.trial.view(), candidate.tenant.as_ref());
            let compared = Compared {
                time: by.now,
                overlay: by.view.overlay().body().sequence,
                bundle,
                candidate: other,
                step: tried.trial.step(),
                by_candidate,
                service: &established.service,
                tenant: &by.setup.config.fingerprint.of(&established.context.tenant),
                asked: &explain::asked(by.setup, &tried.authorization, under, established, call),
            };
            told = compared.write();
        }
        let revision = if by_candidate { other.revision } else { bundle.revision };
        Self { revision, change, by_candidate, told }
    }

    /// The difference, as the access log tells it; empty where there is none.
    pub(super) fn told(&self) -> &str {
        &self.told
    }

    /// Counts, and writes the difference into the access log; nothing where there is none.
    pub(super) fn write(&self, setup: &Setup) {
        let labels = [
            ("change", self.change.name()),
            ("by", if self.by_candidate { "candidate" } else { "bundle" }),
            ("role", log::role(setup.config.role)),
        ];
        setup.metrics.count("candidate_decisions_total", &labels);
        // Written in any case: the filter may run once more for a request, as for a retry.
        host::set_property(CANDIDATE, self.told.as_bytes());
    }
}
