//! What the candidate says of a topic beside the bundle in force: compared, counted, and told where it differs
//! (`docs/decisions/0014-candidates-beside-the-bundle.md`).
//!
//! ```text
//! the broker's topic ─► world in force ─► what the tenant says ─► the candidate's world ─► its rule, its policies
//! ```
//!
//! Who the client is, and what names are at the broker, says the bundle in force alone.

use std::rc::Rc;

use partywall_authorization::{Authorization, Call};
use partywall_event_scope::kafka::session::{Action, Kind, Mapped, World};
use partywall_event_scope::scope::{Cluster, Scope};
use partywall_log_redaction::{Change, Compared, Side};
use partywall_tenancy::{EventCluster, Here, Reason, Tenant, Trial};

use super::client::Client;
use super::decide::Decided;
use super::shared::Shared;
use crate::policy::Tried;
use crate::stream::explain::{Asker, asked_by};
use crate::topics::{Asking, Verdict, path};

/// A candidate, with what it makes of the cluster.
pub(super) struct Trying {
    trial: Trial,
    authorization: Rc<Authorization>,
    cluster: Option<Cluster>,
}

/// What came of asking both.
pub(super) struct Beside {
    change: Change,
    by_candidate: bool,
    /// The revision that decided.
    pub(super) revision: u64,
    /// The difference, as the log tells it; empty where there is none.
    pub(super) told: String,
}

impl Beside {
    /// How it counts: what changes, and who decided.
    pub(super) fn labels(&self) -> (&'static str, &'static str) {
        (self.change.name(), if self.by_candidate { "candidate" } else { "bundle" })
    }

    /// How much memory it takes, in bytes.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>().saturating_add(self.told.len())
    }
}

/// What the candidate answers.
struct Answer<'a> {
    verdict: Verdict,
    /// The tenant, if it may act under the candidate, and the cluster there.
    under: Option<(Tenant, &'a EventCluster)>,
    /// Whether the name leads to the same topic of the broker in both worlds, and the tenant may go as far with it.
    is_alike: bool,
}

fn side(verdict: &Verdict, revision: u64) -> Side<'_> {
    let reason = verdict.reason.map_or("", Reason::code);
    let shadow = verdict.allow && verdict.reason.is_some();
    Side { revision, allowed: verdict.allow, shadow, reason, policy: &verdict.policy }
}

impl Trying {
    pub(super) fn new(tried: Tried, shared: &Shared) -> Self {
        let cluster = shared.tried(tried.trial.view().bundle());
        Self { trial: tried.trial, authorization: tried.authorization, cluster }
    }

    /// What comes of `verdict`, that of the bundle in force about this action on the broker's topic, beside the candidate.
    ///
    /// INVARIANT: names are those of the world in force. What the candidate allows counts only where its world makes the
    /// same of the name: a rule that it gives another topic allows nothing of the one that the name leads to now.
    pub(super) fn beside(
        &self,
        client: &Client,
        in_force: &Asking<'_>,
        verdict: Verdict,
        (world, action, topic): (&dyn World, Action, &[u8]),
    ) -> Decided {
        let other = self.answer(in_force, &verdict.name, (world, action, topic));
        let decides = self.trial.decides_for(&in_force.context.tenant);
        let by_candidate = decides && (other.is_alike || !other.verdict.allow);
        let (bundle, candidate) =
            (side(&verdict, in_force.view.bundle().body().revision), side(&other.verdict, self.trial.revision()));
        let change = Change::between(&bundle, &candidate);
        let told = match change {
            Change::Same => String::new(),
            _ => self.tell(client, in_force, (bundle, candidate), by_candidate, (&other, action)),
        };
        let revision = if by_candidate { candidate.revision } else { bundle.revision };
        let beside = Some(Rc::new(Beside { change, by_candidate, revision, told }));
        if !by_candidate {
            return Decided { verdict, beside };
        }
        // What the tenant calls it is what the world in force says.
        Decided { verdict: Verdict { name: verdict.name, ..other.verdict }, beside }
    }

    fn answer(
        &self,
        in_force: &Asking<'_>,
        name: &[u8],
        (world, action, topic): (&dyn World, Action, &[u8]),
    ) -> Answer<'_> {
        let denied = |reason| Answer { verdict: Verdict::denied(reason), under: None, is_alike: false };
        let view = self.trial.view();
        let said = view.bundle().body().events.iter().find(|said| said.name == in_force.said.name);
        let (Some(said), Some(cluster)) = (said, &self.cluster) else { return denied(Reason::ResourceUnmapped) };
        let tenant = match acts(view, said, in_force) {
            Ok(tenant) => tenant,
            Err(reason) => return denied(reason),
        };
        let Some(scope) = cluster.scope(&tenant.id) else { return denied(Reason::TenantInvalid) };
        let (verdict, is_alike) = match placed(&scope, name) {
            Some(there) => {
                let (context, now) = (in_force.context, in_force.now);
                let asking = Asking { view, authorization: &self.authorization, context, tenant: &tenant, said, now };
                let is_alike = there == topic && scope.access(topic) == world.access(topic);
                (asking.verdict(&scope, action, &there), is_alike)
            }
            None => (Verdict::denied(Reason::ResourceUnmapped), false),
        };
        Answer { verdict, under: Some((tenant, said)), is_alike }
    }

    fn tell(
        &self,
        client: &Client,
        in_force: &Asking<'_>,
        (bundle, candidate): (Side<'_>, Side<'_>),
        by_candidate: bool,
        (other, action): (&Answer<'_>, Action),
    ) -> String {
        let prints = &client.setup.config.fingerprint;
        let Asking { context, said, .. } = *in_force;
        let name = str::from_utf8(&other.verdict.name).unwrap_or_default();
        let path = if other.verdict.rule.is_empty() { String::new() } else { path(action, &other.verdict.rule, name) };
        let region = other.under.as_ref().map_or("", |(_, said)| said.region.as_str());
        let asker = Asker { context, service: &said.name, prints, region, cell: "" };
        let under = (self.trial.view(), other.under.as_ref().map(|(tenant, _)| tenant));
        let call = Call::plain(EventCluster::METHOD, &path);
        Compared {
            time: in_force.now,
            overlay: in_force.view.overlay().body().sequence,
            bundle,
            candidate,
            step: self.trial.step(),
            by_candidate,
            service: &said.name,
            tenant: &prints.of(&context.tenant),
            asked: &asked_by(&asker, &self.authorization, under, &call),
        }
        .write()
    }
}

/// The tenant as the candidate has it, if it may act there.
fn acts(view: &partywall_tenancy::View, said: &EventCluster, in_force: &Asking<'_>) -> Result<Tenant, Reason> {
    let tenant = view.active_tenant(&in_force.context.tenant)?;
    Here { cell: None, region: Some(&said.region) }.serves(&tenant, view.bundle().body())?;
    Ok(tenant)
}

/// The broker's name of what the tenant calls `name`, where the scope gives it one.
fn placed(scope: &Scope, name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    (scope.inward(Kind::Topic, name, &mut out) == Mapped::Yes).then_some(out)
}
