//! Plays cases, and counts which policies they reach.

use std::collections::BTreeMap;

use partywall_authorization::RouteSays;
use partywall_authorization::{Effect, Verdict};
use partywall_tenancy::{NameSet, Reason};
use serde::Serialize;

use crate::cases::{Case, Given};
use crate::lower::Parsed;
use crate::rehearsal::{Ask, Rehearsal, Settled};
use crate::sent::SentBody;

/// How one case ended.
#[derive(Debug, Serialize)]
pub(crate) struct Played {
    /// Its file and line.
    pub(crate) at: String,
    /// Its file alone.
    #[serde(skip)]
    pub(crate) file: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether it was decided as expected.
    pub(crate) passed: bool,
    /// What was expected, in words.
    pub(crate) expected: String,
    /// What was decided, in words.
    pub(crate) got: String,
    /// What every policy says that has something to say.
    pub(crate) why: Vec<String>,
}

/// How many cases reach one policy.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reached {
    /// The policy.
    pub(crate) policy: String,
    /// `permit` or `forbid`.
    pub(crate) effect: &'static str,
    /// Its file and line.
    pub(crate) at: String,
    /// Cases in which it is satisfied.
    pub(crate) satisfied: usize,
    /// Cases in which it could apply and is not satisfied.
    pub(crate) not_satisfied: usize,
}

/// Plays `cases`, all on one directory.
pub(crate) struct Player<'r> {
    rehearsal: &'r Rehearsal,
    places: BTreeMap<String, String>,
    reached: Vec<Reached>,
}

impl<'r> Player<'r> {
    /// Nothing played yet. `parsed` tells where the policies stand.
    pub(crate) fn new(rehearsal: &'r Rehearsal, parsed: &[Parsed<'_>]) -> Self {
        let places = places(parsed);
        let reached = rehearsal.policies().iter().map(|policy| Reached {
            policy: policy.id.clone(),
            effect: effect(policy.effect),
            at: places.get(&policy.id).cloned().unwrap_or_default(),
            satisfied: 0,
            not_satisfied: 0,
        });
        Self { rehearsal, reached: reached.collect(), places }
    }

    /// Plays one; with `other`, on the same directory under another overlay.
    pub(crate) fn play(&mut self, case: &Case<'_>, other: Option<&Rehearsal>) -> Played {
        let rehearsal = other.unwrap_or(self.rehearsal);
        let asked = ask(rehearsal, case).map(|ask| Ask {
            route: case.route,
            says: case.says.clone(),
            cell: case.cell.clone(),
            ..ask
        });
        let asked = match &case.topic {
            Some(topic) => asked.and_then(|ask| rehearsal.of_topic(&ask, topic)),
            None => asked,
        };
        let (settled, verdicts) = match asked {
            Ok(ask) => (rehearsal.decide(&ask), rehearsal.verdicts(&ask).unwrap_or_default()),
            // No policy is asked about nobody.
            Err(settled) => (settled, Vec::new()),
        };
        let mut why = Vec::new();
        for (policy, verdict) in &verdicts {
            let place = self.places.get(&policy.id).map_or("", String::as_str);
            let says = match verdict {
                Verdict::Satisfied => effect(policy.effect),
                Verdict::Error => "cannot be evaluated",
                Verdict::NotSatisfied => continue,
            };
            why.push(format!("{}: {says} ({place})", policy.id));
        }
        for (policy, verdict) in verdicts {
            if let Some(reached) = self.reached.iter_mut().find(|reached| reached.policy == policy.id) {
                match verdict {
                    Verdict::Satisfied => reached.satisfied += 1,
                    Verdict::NotSatisfied | Verdict::Error => reached.not_satisfied += 1,
                }
            }
        }
        if why.is_empty() {
            why.push(if settled.detail.is_empty() {
                "nothing more is known".to_owned()
            } else {
                settled.detail.clone().into_owned()
            });
        }
        Played {
            at: case.then.at.to_string(),
            file: case.then.at.file().to_owned(),
            name: case.name.value.clone(),
            passed: as_expected(case, &settled),
            expected: words(case.then.allow, case.then.reason, case.then.shadow, case.then.policy.as_deref()),
            got: words(settled.allowed(), settled.reason, settled.shadow, settled.policy.as_deref()),
            why,
        }
    }

    /// How often each policy was reached.
    pub(crate) fn reached(&self) -> &[Reached] {
        &self.reached
    }
}

/// What a case asks for, or why nobody may ask it.
fn ask(rehearsal: &Rehearsal, case: &Case<'_>) -> Result<Ask, Settled> {
    match &case.given {
        Given::Shows(shown) => {
            let mut shown = shown.clone();
            shown.headers.extend(case.headers.iter().cloned());
            shown.address = case.from.map(|from| from.to_string()).unwrap_or_default();
            let ask = rehearsal.establish(&shown, &case.service.value, &case.method, &case.path, &case.region)?;
            Ok(Ask { body: SentBody::Whole(case.body.clone()), time: case.time, ..ask })
        }
        Given::Workload(caller) => {
            let tenant = rehearsal.without_context(caller, case).ok_or_else(|| rehearsal.platform(caller, case))?;
            rehearsal.called_by(caller, &case.service.value, &tenant)?;
            let ask = proved(case, &tenant, &caller.to_string(), &[], NameSet::default());
            Ok(Ask { caller: Some(caller.clone()), ..ask })
        }
        Given::Proved { tenant, subject, roles, scopes, caller, .. } => {
            // The proxy of a cluster takes whoever shows a tenant, and asks for no list.
            if let (Some(caller), None) = (caller, &case.topic) {
                rehearsal.called_by(caller, &case.service.value, tenant)?;
            }
            let ask = proved(case, tenant, subject, roles, rehearsal.networks(case.from));
            Ok(Ask { scopes: scopes.clone(), caller: caller.clone(), ..ask })
        }
    }
}

/// What somebody asks for who was proved.
fn proved(case: &Case<'_>, tenant: &str, subject: &str, roles: &[String], networks: NameSet) -> Ask {
    Ask {
        tenant: tenant.to_owned(),
        subject: subject.to_owned(),
        roles: roles.to_vec(),
        owner: None,
        service: case.service.value.clone(),
        method: case.method.clone(),
        path: case.path.clone(),
        headers: case.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        body: SentBody::Whole(case.body.clone()),
        route: None,
        says: RouteSays::default(),
        region: case.region.clone(),
        cell: case.cell.clone(),
        time: case.time,
        caller: None,
        networks,
        scopes: Vec::new(),
    }
}

fn as_expected(case: &Case<'_>, settled: &Settled) -> bool {
    case.then.allow == settled.allowed()
        && case.then.shadow == settled.shadow
        && case.then.reason.is_none_or(|reason| settled.reason == Some(reason))
        && case.then.policy.as_ref().is_none_or(|policy| settled.policy.as_ref() == Some(policy))
}

fn words(allow: bool, reason: Option<Reason>, shadow: Option<Reason>, policy: Option<&str>) -> String {
    let mut words = String::from(if allow { "allow" } else { "deny" });
    shadow.iter().for_each(|reason| words.push_str(&format!(" in shadow of {reason}")));
    reason.iter().for_each(|reason| words.push_str(&format!(", reason {reason}")));
    policy.iter().for_each(|policy| words.push_str(&format!(", policy {policy}")));
    words
}

/// The effect of a policy, in Cedar's word.
pub(crate) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Permit => "permit",
        Effect::Forbid => "forbid",
    }
}

/// File and line of each policy, by its id.
pub(crate) fn places(parsed: &[Parsed<'_>]) -> BTreeMap<String, String> {
    let place = |policy: &Parsed<'_>| format!("{}:{}", policy.source.path(), policy.source.position(policy.offset).0);
    parsed.iter().map(|policy| (policy.id().to_owned(), place(policy))).collect()
}
