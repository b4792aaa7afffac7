//! What no request in this directory reaches: policies that nobody satisfies, permits that a `forbid` always beats,
//! tenants to whom nothing is permitted.
//!
//! Goes through every request that can make a difference, with the tenants as they are: the names that a policy
//! writes, and one other of each kind. Where that were too many nothing is said, so that what is said is so.

use std::collections::{BTreeMap, BTreeSet};

use partywall_authorization::{
    ActionIndex, Effect, Id, Names, PolicyBody, Program, RequestFacts, RequestWorld, Verdict,
};
use partywall_tenancy::{Attributes, NameSet, Tenant, TenantId, TenantStatus};

use super::cover::domain::Named;
use super::{Parsed, Vocabulary};
use crate::diagnostic::Diagnostic;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Unreached {
    /// Warnings about policies, at their places.
    pub(crate) policies: Vec<Diagnostic>,
    /// Active tenants to whom nothing is permitted.
    pub(crate) tenants: Vec<TenantId>,
}

/// What requests can differ by besides tenants and operations: the names that policies write, and one other of each.
pub(super) struct Asking {
    pub(super) subjects: Vec<String>,
    pub(super) ids: Vec<String>,
    roles: Vec<String>,
}

impl Asking {
    /// What the policies that name these can tell apart.
    pub(super) fn of<'n>(named: impl Iterator<Item = &'n Named> + Clone) -> Self {
        let of =
            |names: fn(&Named) -> &BTreeSet<String>| named.clone().flat_map(names).cloned().collect::<BTreeSet<_>>();
        let with_other = |names: BTreeSet<String>| names.into_iter().chain(["~".to_owned()]).collect();
        let (subjects, ids) = (with_other(of(|n| &n.subjects)), with_other(of(|n| &n.ids)));
        Self { subjects, ids, roles: of(|n| &n.roles).into_iter().collect() }
    }

    /// Every combination of roles; `None` where going through them, `times` over, takes too long.
    pub(super) fn role_sets(&self, times: &[usize]) -> Option<Vec<Vec<String>>> {
        let sets = (self.roles.len() <= MOST_ROLES).then(|| 1usize << self.roles.len())?;
        let counts = times.iter().copied().chain([self.subjects.len(), self.ids.len(), sets]);
        counts.into_iter().try_fold(1, usize::checked_mul).filter(|all| *all <= MOST)?;
        let has = |set: usize| self.roles.iter().enumerate().filter(move |(n, _)| set >> n & 1 == 1);
        Some((0..sets).map(|set| has(set).map(|(_, role)| role.clone()).collect()).collect())
    }
}

/// The most evaluations for one policy: a tenth of a second's work.
const MOST: usize = 200_000;
/// The most roles whose combinations are gone through.
const MOST_ROLES: usize = 10;

/// Looks for them. `parsed` are the policies of `program`, in its order.
pub(crate) fn unreached(vocabulary: &Vocabulary<'_>, parsed: &[Parsed<'_>], program: &Program) -> Unreached {
    let names = Names::of(program);
    let named: Vec<Named> = parsed.iter().map(|policy| Named::in_policy(policy.tree())).collect();
    let confined = confined(parsed);
    let apart = Apart::of(parsed, program);
    let shape = |tenant: &Tenant| shape(tenant, &apart);
    let active = || vocabulary.tenants.iter().filter(|tenant| tenant.status == TenantStatus::Active);
    let shapes: BTreeMap<Shape, &Tenant> = active().map(|tenant| (shape(tenant), tenant)).collect();
    let tenants: Vec<&Tenant> = shapes.into_values().collect();
    let foreign = foreign(vocabulary.tenants);
    let any =
        vocabulary.tenants.iter().filter(|t| apart.ids.contains(t.id.as_str()) || tenants.contains(t)).chain(&foreign);
    let any = any.collect();
    let search = Search { vocabulary, program, names: &names, named: &named, confined: &confined, tenants, any };
    let mut found = Unreached::default();
    let (mut reached, mut certain) = (BTreeSet::new(), true);
    for (at, policy) in program.body().policies.iter().enumerate() {
        let Some(seen) = search.policy(at, policy) else {
            certain &= policy.effect == Effect::Forbid;
            continue;
        };
        if policy.effect == Effect::Permit {
            reached.extend(seen.permitted.iter().cloned());
        }
        let origin = &parsed[at];
        let (line, column) = origin.source.position(origin.offset);
        let warning = |message: String, help: String| origin.source.warning(line, column, message).help(help);
        if !seen.satisfied {
            let message = format!("no request in this directory satisfies `{}`", policy.id);
            found.policies.push(warning(message, search.help(at)));
        } else if policy.effect == Effect::Permit && seen.permitted.is_empty() {
            let message = format!("wherever `{}` permits, a `forbid` beats it", policy.id);
            let by = seen.beaten_by.into_iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            found.policies.push(warning(message, format!("look at {by}, or take this policy out")));
        }
    }
    if certain {
        let permitted = search.tenants.iter().filter(|tenant| reached.contains(&tenant.id));
        let shapes: BTreeSet<Shape> = permitted.map(|tenant| shape(tenant)).collect();
        found.tenants = active().filter(|t| !shapes.contains(&shape(t))).map(|tenant| tenant.id.clone()).collect();
    }
    found
}

/// For each policy the tenant to which `@tenant` confines it.
fn confined(parsed: &[Parsed<'_>]) -> Vec<Option<String>> {
    parsed.iter().map(|policy| policy.policy.annotation("tenant").map(str::to_owned)).collect()
}

/// What tells tenants apart besides tier and residency.
pub(super) struct Apart {
    /// Those that a policy names.
    ids: BTreeSet<String>,
    /// Whether policies ask for features, and for consents.
    features: bool,
    consents: bool,
}

impl Apart {
    /// What the policies of `program` ask.
    pub(super) fn of(parsed: &[Parsed<'_>], program: &Program) -> Self {
        let named = parsed.iter().flat_map(|policy| Named::in_policy(policy.tree()).tenants);
        let asked = |name| program.find_text(name).is_some();
        Self {
            ids: named.chain(confined(parsed).into_iter().flatten()).collect(),
            features: asked("features"),
            consents: asked("consents"),
        }
    }
}

/// Tier, residency and, where policies ask for them, features, consents and the id.
pub(super) type Shape = (String, String, Vec<String>, Vec<String>, Option<String>);

/// Tenants that no directory has, one of each status, and one that consents to nothing: consents are withdrawn.
fn foreign(tenants: &[Tenant]) -> Vec<Tenant> {
    let Ok(id) = TenantId::parse("of-no-directory") else { return Vec::new() };
    let like = tenants.first().map(|tenant| Tenant { id, ..tenant.clone() });
    let each = like.iter().flat_map(|tenant| TenantStatus::ALL.map(|status| Tenant { status, ..tenant.clone() }));
    each.chain(like.iter().map(|tenant| Tenant { consents: NameSet::default(), ..tenant.clone() })).collect()
}

pub(super) fn shape(tenant: &Tenant, apart: &Apart) -> Shape {
    let id = apart.ids.contains(tenant.id.as_str()).then(|| tenant.id.to_string());
    let names = |asked: bool, set: &NameSet| set.iter().filter(|_| asked).map(str::to_owned).collect();
    let (features, consents) = (names(apart.features, &tenant.features), names(apart.consents, &tenant.consents));
    (tenant.tier.to_string(), tenant.residency.to_string(), features, consents, id)
}

struct Search<'a> {
    vocabulary: &'a Vocabulary<'a>,
    program: &'a Program,
    names: &'a Names,
    named: &'a [Named],
    confined: &'a [Option<String>],
    /// One active tenant of each shape.
    tenants: Vec<&'a Tenant>,
    /// The same, and others whatever their status: what a `forbid` guards against though it is built in.
    any: Vec<&'a Tenant>,
}

#[derive(Default)]
struct Seen {
    satisfied: bool,
    /// One tenant of each shape to whom it permits something that no `forbid` beats.
    permitted: BTreeSet<TenantId>,
    beaten_by: BTreeSet<String>,
}

impl Search<'_> {
    /// What becomes of one policy; `None` where there are too many requests to go through.
    fn policy(&self, at: usize, policy: &PolicyBody) -> Option<Seen> {
        let operations = self.operations(policy);
        // What a `forbid` names makes a difference, too.
        let mut concerned = vec![at];
        if policy.effect == Effect::Permit {
            let beside = |other: &&(usize, &PolicyBody)| other.1.effect == Effect::Forbid;
            let all: Vec<_> = self.program.body().policies.iter().enumerate().collect();
            let applies = |id: &str| operations.iter().any(|o| self.program.applicable(o.index).any(|p| p.id == id));
            concerned.extend(all.iter().filter(beside).filter(|(_, forbid)| applies(&forbid.id)).map(|(at, _)| *at));
        }
        // At another time, or from elsewhere, it may be otherwise.
        if concerned.iter().map(|at| &self.named[*at]).any(|named| named.asks_circumstances()) {
            return None;
        }
        let asking = Asking::of(concerned.iter().map(|at| &self.named[*at]));
        // A `forbid` may say again what is built in: that is no mistake.
        let guards = policy.effect == Effect::Forbid;
        let tenants = if guards { &self.any } else { &self.tenants };
        let owners = if guards { tenants.len() } else { 1 };
        let role_sets = asking.role_sets(&[tenants.len(), owners, operations.len(), concerned.len()])?;
        let mut seen = Seen::default();
        for roles in &role_sets {
            for (tenant, owner) in tenants.iter().flat_map(|t| self.owners(t, guards).map(move |owner| (*t, owner))) {
                for operation in &operations {
                    for subject in &asking.subjects {
                        for id in &asking.ids {
                            let facts = RequestFacts {
                                tenant,
                                subject,
                                roles,
                                action: operation.action,
                                resource_type: operation.resource,
                                resource_id: Id::plain(id),
                                owner,
                                service: operation.service,
                                attributes: operation.attributes,
                                time: 0,
                                networks: NameSet::none(),
                                caller: "",
                                scopes: &[],
                            };
                            self.ask(policy, operation.index, &facts, &mut seen);
                        }
                    }
                }
            }
        }
        Some(seen)
    }

    /// Whose a resource can be.
    fn owners<'t>(&'t self, tenant: &'t Tenant, anybodys: bool) -> impl Iterator<Item = &'t Tenant> {
        let others = self.any.iter().copied().filter(move |other| anybodys && other.id != tenant.id);
        std::iter::once(tenant).chain(others)
    }

    fn ask(&self, policy: &PolicyBody, action: ActionIndex, facts: &RequestFacts<'_>, seen: &mut Seen) {
        let Some(world) = RequestWorld::new(facts, self.names) else { return };
        if self.program.evaluate(policy, &world, &|_, _| ()) != Verdict::Satisfied {
            return;
        }
        seen.satisfied = true;
        if policy.effect == Effect::Forbid || seen.permitted.contains(&facts.tenant.id) {
            return;
        }
        let forbids = self.program.applicable(action).filter(|other| other.effect == Effect::Forbid);
        let mut beaten = false;
        for forbid in forbids {
            if self.program.evaluate(forbid, &world, &|_, _| ()) == Verdict::Satisfied {
                beaten = true;
                seen.beaten_by.insert(forbid.id.clone());
            }
        }
        if !beaten {
            seen.permitted.insert(facts.tenant.id.clone());
        }
    }

    /// The operations that a policy can apply to.
    fn operations(&self, policy: &PolicyBody) -> Vec<Reachable<'_>> {
        let mut found: Vec<Reachable<'_>> = Vec::new();
        for service in self.vocabulary.services {
            let own = found.len();
            for operation in &service.operations {
                let index = self.program.find_entity("Action", &operation.action);
                let Some(index) = index.and_then(|entity| self.program.action(entity)) else { continue };
                let same = |known: &Reachable<'_>| {
                    known.action == operation.action
                        && known.resource == operation.resource
                        && known.attributes == &operation.attributes
                };
                let applies = self.program.applicable(index).any(|applicable| applicable.id == policy.id);
                if applies && !found.iter().skip(own).any(same) {
                    found.push(Reachable {
                        service: service.spiffe_id.as_str(),
                        action: &operation.action,
                        resource: &operation.resource,
                        attributes: &operation.attributes,
                        index,
                    });
                }
            }
        }
        found
    }

    fn help(&self, at: usize) -> String {
        let status = |id: &str| self.vocabulary.tenants.iter().find(|t| t.id.as_str() == id).map(|t| t.status);
        match &self.confined[at] {
            Some(id) if status(id).is_some_and(|status| status != TenantStatus::Active) => {
                format!("its `@tenant(\"{id}\")` is not active; take the policy out, or let the tenant act again")
            }
            _ => "no tenant, operation, role or name of the directory makes all of it true: take it out, or mend it"
                .to_owned(),
        }
    }
}

struct Reachable<'a> {
    service: &'a str,
    action: &'a str,
    resource: &'a str,
    attributes: &'a Attributes,
    index: ActionIndex,
}
