//! Grants and shares that let nobody across: actions within the ceilings of `mesh.yaml` that policies forbid to every
//! operator of another tenant, or of which no request shows whose the resource is.
//!
//! Goes through every request that can make a difference, as [`reach`](super::reach) does, with an owner who is another
//! tenant than the operator's. Where that were too many nothing is said.

use std::collections::BTreeSet;

use partywall_authorization::{
    ActionIndex, Effect, Id, Names, PolicyBody, Program, RequestFacts, RequestWorld, Verdict,
};
use partywall_tenancy::{Attributes, GrantCeilings, NameSet, Owner, Share, Tenant, TenantScope, TenantStatus};

use super::cover::domain::Named;
use super::reach::{Apart, Asking, shape};
use super::{Parsed, Vocabulary};

/// Why a grant of an action lets nobody across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Useless {
    /// No request for the action shows an owner.
    Unseen,
    /// These policies forbid it, whoever asks and whose the resource is.
    Forbidden(BTreeSet<String>),
}

/// The actions of `ceilings` of which every grant is useless. `parsed` are the policies of `program`, in its order.
pub(crate) fn useless(
    vocabulary: &Vocabulary<'_>,
    parsed: &[Parsed<'_>],
    program: &Program,
    ceilings: &GrantCeilings,
) -> Vec<(String, Useless)> {
    let search = Search { vocabulary, parsed, program, names: Names::of(program), ceilings };
    ceilings.actions.iter().filter_map(|action| Some((action.clone(), search.hindrance(action)?))).collect()
}

/// The same of a share: its actions, for what is of its owners.
pub(crate) fn of_share(
    vocabulary: &Vocabulary<'_>,
    parsed: &[Parsed<'_>],
    program: &Program,
    share: &Share,
) -> Vec<(String, Useless)> {
    let Share { actions, owners, .. } = share.clone();
    let as_granted = GrantCeilings { longest: 0, actions, tenants: TenantScope::Only(owners), at_once: 0 };
    useless(vocabulary, parsed, program, &as_granted)
}

struct Search<'a> {
    vocabulary: &'a Vocabulary<'a>,
    parsed: &'a [Parsed<'a>],
    program: &'a Program,
    names: Names,
    ceilings: &'a GrantCeilings,
}

/// What a request asks for, whoever asks.
struct Target<'a> {
    action: &'a str,
    service: &'a str,
    resource: &'a str,
    attributes: &'a Attributes,
}

impl Search<'_> {
    /// What always hinders a grant of `action`; `None` where nothing does, or it is not known.
    fn hindrance(&self, action: &str) -> Option<Useless> {
        let index = self.program.find_entity("Action", action).and_then(|entity| self.program.action(entity))?;
        let operations = self.vocabulary.services.iter().flat_map(|s| s.operations.iter().map(move |o| (s, o)));
        let crossed = operations.filter(|(_, o)| o.action == action && matches!(o.owner, Owner::Shown { .. }));
        let targets: Vec<Target<'_>> = crossed
            .map(|(s, o)| Target {
                action,
                service: s.spiffe_id.as_str(),
                resource: &o.resource,
                attributes: &o.attributes,
            })
            .collect();
        if targets.is_empty() {
            return Some(Useless::Unseen);
        }
        let (named, forbids) = self.forbids(index);
        // At another time, or from elsewhere, it may be otherwise.
        if named.iter().any(|named| named.asks_circumstances()) {
            return None;
        }
        let pairs = self.pairs();
        let asking = Asking::of(named.iter());
        let role_sets = asking.role_sets(&[pairs.len(), targets.len(), forbids.len().max(1)])?;
        let mut by = BTreeSet::new();
        for roles in &role_sets {
            for (tenant, owner) in &pairs {
                for target in &targets {
                    let names = asking.subjects.iter().flat_map(|s| asking.ids.iter().map(move |id| (s, id)));
                    for (subject, id) in names {
                        let facts = RequestFacts {
                            tenant,
                            subject,
                            roles,
                            action: target.action,
                            resource_type: target.resource,
                            resource_id: Id::plain(id),
                            owner,
                            service: target.service,
                            attributes: target.attributes,
                            time: 0,
                            networks: NameSet::none(),
                            caller: "",
                            scopes: &[],
                        };
                        // One request that is let across is enough.
                        by.insert(self.forbidden(&forbids, &facts)?.to_owned());
                    }
                }
            }
        }
        (!by.is_empty()).then_some(Useless::Forbidden(by))
    }

    /// The policies that can forbid the action, and what they name.
    fn forbids(&self, action: ActionIndex) -> (Vec<Named>, Vec<&PolicyBody>) {
        let forbids: Vec<_> = self.program.applicable(action).filter(|p| p.effect == Effect::Forbid).collect();
        let all = self.program.body().policies.iter().zip(self.parsed);
        let applies = all.filter(|(policy, _)| forbids.iter().any(|forbid| forbid.id == policy.id));
        (applies.map(|(_, parsed)| Named::in_policy(parsed.tree())).collect(), forbids)
    }

    /// Operators' tenants and owners, two of each shape: the operator may be of the owner's.
    fn pairs(&self) -> Vec<(&Tenant, &Tenant)> {
        let apart = Apart::of(self.parsed, self.program);
        let mut seen = BTreeSet::new();
        let mut fresh = |tenant: &&Tenant| {
            let shape = shape(tenant, &apart);
            seen.insert((shape.clone(), false)) || seen.insert((shape, true))
        };
        let active = self.vocabulary.tenants.iter().filter(|tenant| tenant.status == TenantStatus::Active);
        let tenants: Vec<&Tenant> = active.filter(&mut fresh).collect();
        let crossed = |tenant: &&&Tenant| self.ceilings.tenants.contains(&tenant.id);
        let owners = tenants.iter().filter(crossed);
        owners.flat_map(|owner| tenants.iter().filter(|t| t.id != owner.id).map(|t| (*t, *owner))).collect()
    }

    fn forbidden<'p>(&self, forbids: &[&'p PolicyBody], facts: &RequestFacts<'_>) -> Option<&'p str> {
        let world = RequestWorld::new(facts, &self.names)?;
        let says = |policy: &&&PolicyBody| self.program.evaluate(policy, &world, &|_, _| ()) == Verdict::Satisfied;
        forbids.iter().find(says).map(|policy| policy.id.as_str())
    }
}
