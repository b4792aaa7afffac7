//! What is told about one request.

use partywall_authorization::{Effect, Verdict};
use partywall_tenancy::{Cell, TenantId};
use serde::Serialize;
use serde_json::json;

use super::nearby::Change;
use crate::cases::{effect, places};
use crate::command::{say, say_json};
use crate::exit::{Exit, Failure, Outcome};
use crate::lower::Parsed;
use crate::recorded::Record;
use crate::rehearsal::{Ask, Rehearsal, Settled};
use crate::time::rfc3339;

/// Everything that is told.
pub(super) struct Explained {
    settled: Settled,
    facts: Vec<(&'static str, String)>,
    says: Vec<Says>,
    changes: Vec<Change>,
}

/// A policy that has something to say.
#[derive(Serialize)]
struct Says {
    policy: String,
    says: &'static str,
    /// Whether it is one of those that settle the request.
    settles: bool,
    at: String,
}

impl Explained {
    /// Looks at one request. `changes` tries what would turn the answer.
    pub(super) fn of(
        rehearsal: &Rehearsal,
        parsed: &[Parsed<'_>],
        ask: &Ask,
        changes: impl FnOnce() -> Result<Vec<Change>, Failure>,
    ) -> Result<Self, Failure> {
        let settled = rehearsal.decide(ask);
        let verdicts = rehearsal.verdicts(ask).unwrap_or_default();
        let forbidden = verdicts.iter().any(|(p, v)| *v == Verdict::Satisfied && p.effect == Effect::Forbid);
        let places = places(parsed);
        let says = verdicts.iter().filter_map(|(policy, verdict)| {
            let says = match verdict {
                Verdict::Satisfied => effect(policy.effect),
                Verdict::Error => "cannot be evaluated",
                Verdict::NotSatisfied => return None,
            };
            let counts = *verdict == Verdict::Satisfied && (policy.effect == Effect::Forbid) == forbidden;
            let at = places.get(&policy.id).cloned().unwrap_or_default();
            Some(Says { policy: policy.id.clone(), says, settles: counts, at })
        });
        let says = says.collect();
        Ok(Self { facts: facts(rehearsal, ask), settled, says, changes: changes()? })
    }

    /// Whether it may pass.
    pub(super) fn allowed(&self) -> bool {
        self.settled.allowed()
    }

    /// Prints it, beside what a log recorded.
    pub(super) fn tell(&self, recorded: Option<&Record>, as_json: bool) -> Outcome {
        let decision = if self.allowed() { "allow" } else { "deny" };
        let reason = self.settled.reason.map(|reason| reason.code());
        let shadow = self.settled.shadow.map(|reason| reason.code());
        if as_json {
            let facts: serde_json::Map<_, _> =
                self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            return say_json(&json!({
                "decision": decision,
                "reason": reason,
                "shadow": shadow,
                "policy": self.settled.policy,
                "detail": self.settled.detail,
                "facts": facts,
                "policies": self.says,
                "changes": self.changes,
                "recorded": recorded,
            }));
        }
        if let Some(record) = recorded {
            let (time, revision) = (rfc3339(record.time), record.revision);
            say(format_args!("recorded at {time} under revision {revision}: {}; decided now:", record.outcome()));
        }
        let why = |reason: &str| format!("{reason}: {}", self.settled.detail);
        let reason = match (reason, shadow) {
            (Some(reason), _) => format!(", {}", why(reason)),
            (None, Some(shadow)) => format!(", in shadow; it would be denied, {}", why(shadow)),
            (None, None) => String::new(),
        };
        say(format_args!("{}{reason}\n", decision.to_uppercase()));
        self.facts.iter().for_each(|(name, value)| say(format_args!("  {name:<10} {value}")));
        say("\npolicies that have something to say");
        if self.says.is_empty() {
            say("  none");
        }
        for Says { policy, says, settles, at } in &self.says {
            let so = if *settles { ", settles it" } else { "" };
            say(format_args!("  {policy:<30} {says}{so}, {at}"));
        }
        let other = if self.settled.permitted() { "deny it" } else { "allow it" };
        say(format_args!("\nchanges of one thing that would {other}"));
        if self.changes.is_empty() {
            say(
                "  none of those that were tried: roles, subject, owner, status, tier, residency, features, consents, networks, scopes, caller, cell, overlay",
            );
        }
        for Change { change, policy, .. } in &self.changes {
            let by = policy.as_ref().map_or_else(String::new, |policy| format!(" ({policy})"));
            say(format_args!("  {change}{by}"));
        }
        Ok(Exit::Fine)
    }
}

/// What is known, as policies name it.
fn facts(rehearsal: &Rehearsal, ask: &Ask) -> Vec<(&'static str, String)> {
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let id = TenantId::parse(&ask.tenant).ok();
    let tenant = id.as_ref().and_then(|id| rehearsal.tenant(id));
    let mut facts = vec![
        ("request", format!("{} {} at {}", ask.method, ask.path, ask.service)),
        ("principal", format!("User::\"{}/{}\"", ask.tenant, ask.subject)),
        ("roles", or_none(ask.roles.join(", "))),
        ("tenant", ask.tenant.clone()),
    ];
    if let Some(tenant) = tenant {
        facts.push(("tier", tenant.tier.to_string()));
        facts.push(("residency", tenant.residency.to_string()));
        facts.extend(cell(tenant.cell.as_ref(), ask.cell.as_deref()).map(|cell| ("cell", cell)));
        facts.push(("status", tenant.status.name().to_owned()));
        facts.push(("features", or_none(tenant.features.iter().collect::<Vec<_>>().join(", "))));
        let withdrawn = id.as_ref().map(|id| rehearsal.withdrawn_consents(id)).unwrap_or_default();
        let without =
            if withdrawn.is_empty() { String::new() } else { format!("; withdrawn: {}", withdrawn.join(", ")) };
        facts.push(("consents", or_none(tenant.consents.iter().collect::<Vec<_>>().join(", ")) + &without));
    }
    if let Some(owner) = &ask.owner {
        facts.push(("owner", format!("{owner}: by policies alone; a sidecar takes it for {}", ask.tenant)));
    }
    if let Some((action, kind, id)) = rehearsal.operation(ask) {
        facts.push(("action", format!("Action::\"{action}\"")));
        facts.push(("resource", format!("{kind}::\"{id}\"")));
    }
    if let Some(share) = rehearsal.share(ask).filter(|_| ask.owner.is_none()) {
        facts.push(("crosses", format!("{share}; in place of a permit")));
    }
    if let Some(Ok(Some(sharer))) = id.as_ref().map(|id| rehearsal.sharer(ask, id)) {
        facts.push(("shared by", format!("{}; it is asked, too, and no mode lifts what is denied", sharer.id)));
    }
    facts.extend(rehearsal.attributes(ask));
    facts.extend(ask.time.map(|time| ("time", rfc3339(time))));
    if rehearsal.reads_caller() || ask.caller.is_some() {
        facts.push(("caller", ask.caller.as_ref().map_or_else(|| "nobody known".to_owned(), ToString::to_string)));
    }
    if rehearsal.reads_scopes() || !ask.scopes.is_empty() {
        facts.push(("scopes", or_none(ask.scopes.join(", "))));
    }
    if rehearsal.reads_networks() || !ask.networks.is_empty() {
        facts.push(("networks", or_none(ask.networks.iter().collect::<Vec<_>>().join(", "))));
    }
    facts
}

/// The cell that serves the tenant, and the one that decides; nothing where there are no cells.
fn cell(cell: Option<&Cell>, here: Option<&str>) -> Option<String> {
    let of = match cell {
        Some(Cell::In(name)) => name.to_string(),
        Some(Cell::Moving { from, to }) => format!("on its way from {from} to {to}"),
        None => here.map(|_| "none".to_owned())?,
    };
    Some(here.map_or_else(|| of.clone(), |here| format!("{of}; decided in {here}")))
}
