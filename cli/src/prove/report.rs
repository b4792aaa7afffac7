//! What came of a proof.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::counterexample::Counterexample;
use super::{Claim, Kind, Pass, Side, Task};

/// What came of one claim about one kind of request.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Which policies were asked.
    pub(crate) pass: Pass,
    /// The claim.
    pub(crate) claim: Claim,
    /// Name of the action.
    pub(crate) action: String,
    /// Type of the resource.
    pub(crate) resource: String,
    /// What came of it.
    pub(crate) verdict: Verdict,
}

/// What came of a claim.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It holds.
    Proved,
    /// It does not, and a request for which it does not.
    False(Box<Counterexample>),
    /// It is not known, and why.
    Unknown(String),
}

/// What came of one kind of request.
pub(super) struct OfKind {
    /// Whether nothing permits it, not even to a tenant about what is its own.
    pub(super) idle: bool,
    /// What came of each claim.
    pub(super) findings: Vec<Finding>,
}

/// How what NEW permits of one kind of request stands to what OLD does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// The same is permitted.
    Equal,
    /// Less.
    Narrower,
    /// More.
    Wider,
    /// Something is permitted now, and something else no more.
    Both,
    /// That is not known.
    Unknown,
}

impl Change {
    fn of(not_wider: &Verdict, not_narrower: &Verdict) -> Self {
        match (not_wider, not_narrower) {
            (Verdict::Proved, Verdict::Proved) => Self::Equal,
            (Verdict::Proved, Verdict::False(_)) => Self::Narrower,
            (Verdict::False(_), Verdict::Proved) => Self::Wider,
            (Verdict::False(_), Verdict::False(_)) => Self::Both,
            (Verdict::Unknown(_), _) | (_, Verdict::Unknown(_)) => Self::Unknown,
        }
    }
}

/// What came of all of it.
pub(crate) struct Report {
    /// How many policies were asked about.
    pub(crate) policies: usize,
    /// The solver.
    pub(crate) solver: String,
    /// How many kinds of request there are.
    pub(crate) kinds: usize,
    /// Action and resource of the kinds that nothing permits to any tenant, not even its own: what holds of them holds
    /// for want of requests.
    pub(crate) idle: Vec<(String, String)>,
    /// What came of each claim about each, by kind.
    pub(crate) findings: Vec<Finding>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Report {
    pub(super) fn new(task: &Task<'_>, kinds: &[Kind], answered: Vec<OfKind>, took: Duration) -> Self {
        let (policies, solver) = (task.new.policies.len(), task.solver.version.clone());
        let idle = kinds.iter().zip(&answered).filter(|(_, of)| of.idle);
        let idle = idle.map(|(kind, _)| (kind.action.clone(), kind.resource.clone())).collect();
        let findings = answered.into_iter().flat_map(|of| of.findings).collect();
        Self { policies, solver, kinds: kinds.len(), idle, findings, took }
    }

    /// What came of a claim, by kind.
    pub(crate) fn of(&self, pass: Pass, claim: Claim) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.pass == pass && finding.claim == claim)
    }

    /// The shares of an action that the policies alone permit across, while sidecars let across what is shared and no
    /// more: a wall with an exception for a share, and a permit that leaves to the wall for whom it is. Empty for all
    /// else.
    pub(super) fn shared<'t>(&self, task: &Task<'t>, finding: &Finding) -> Vec<&'t str> {
        let Finding { pass: Pass::Authored, claim: Claim::NoForeign, verdict: Verdict::False(_), .. } = finding else {
            return Vec::new();
        };
        let same = |other: &&Finding| other.action == finding.action && other.resource == finding.resource;
        let held = self.of(Pass::WithInvariants, Claim::NoForeign).find(same);
        if !held.is_some_and(|held| matches!(held.verdict, Verdict::Proved)) {
            return Vec::new();
        }
        let shares = task.new.shares.iter().filter(|share| share.actions.contains(&finding.action));
        shares.map(|share| share.name.as_str()).collect()
    }

    /// Whether all that is asked for is proved of the policies alone: with `narrower` they may permit less than before.
    pub(crate) fn proved(&self, narrower: bool) -> bool {
        self.findings.iter().all(|finding| {
            let asked_for = finding.pass == Pass::Authored && !(narrower && finding.claim == Claim::NotNarrower);
            !asked_for || matches!(finding.verdict, Verdict::Proved)
        })
    }

    /// For each kind how what is permitted of it changed, in this pass. Empty where nothing was compared.
    pub(crate) fn changes(&self, pass: Pass) -> impl Iterator<Item = (&Finding, &Finding, Change)> {
        let pairs = self.of(pass, Claim::NotWider).zip(self.of(pass, Claim::NotNarrower));
        pairs.map(|(wider, narrower)| (wider, narrower, Change::of(&wider.verdict, &narrower.verdict)))
    }

    /// As JSON.
    pub(crate) fn json(&self, task: &Task<'_>, narrower: bool) -> Value {
        let findings = self.findings.iter().map(|finding| {
            let Finding { pass, claim, action, resource, verdict } = finding;
            let side = task.permitting(*claim);
            let mut told = json!({
                "policies": pass, "claim": claim, "principal": "User", "action": action, "resource": resource,
            });
            match verdict {
                Verdict::Proved => told["verdict"] = json!("proved"),
                Verdict::Unknown(why) => {
                    told["verdict"] = json!("unknown");
                    told["why"] = json!(why);
                }
                Verdict::False(found) => {
                    told["verdict"] = json!("false");
                    told["counterexample"] = found.json(side);
                    let shared = self.shared(task, finding);
                    if !shared.is_empty() {
                        told["shared_by"] = json!(shared);
                    }
                }
            }
            told
        });
        let changes = [Pass::Authored, Pass::WithInvariants].into_iter().flat_map(|pass| {
            let told = move |(of, _, change): (&Finding, &Finding, Change)| {
                json!({
                    "policies": pass, "action": of.action, "resource": of.resource, "change": change,
                })
            };
            self.changes(pass).map(told).collect::<Vec<_>>()
        });
        json!({
            "proved": self.proved(narrower),
            "policies": self.policies,
            "kinds": self.kinds,
            "never_permitted": self.idle.iter().map(|(action, resource)| json!({ "action": action, "resource": resource }))
                .collect::<Vec<_>>(),
            "solver": self.solver,
            "seconds": self.took.as_secs_f64(),
            "assumed": task.new.assumed,
            "in_shadow": task.new.in_shadow,
            "findings": findings.collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
        })
    }
}

impl Counterexample {
    fn json(&self, side: &Side) -> Value {
        let case = &self.case;
        let tenant = |tenant: &partywall_tenancy::Tenant| {
            json!({
                "id": tenant.id, "tier": tenant.tier, "residency": tenant.residency, "status": tenant.status.name(),
                "features": tenant.features, "consents": tenant.consents,
            })
        };
        json!({
            "permitted_by": self.policies,
            "tenant": tenant(&case.tenant), "subject": case.subject, "roles": case.roles, "caller": case.caller, "networks": case.networks, "scopes": case.scopes,
            "owner": tenant(&case.owner), "resource_id": case.resource_id,
            "service": self.sent[0], "method": self.sent[1], "path": self.sent[2], "headers": self.headers,
            "not_in_directory": self.missing,
            "explain": self.explain(side),
        })
    }
}
