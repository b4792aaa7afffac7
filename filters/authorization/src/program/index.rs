//! Which policies are asked: those whose scope can hold for this principal and this resource.

use super::body::{ActionBody, Effect, PolicyBody, Scope};
use partywall_tenancy::order;

use crate::{Entity, Text, Value, Variable, World};

/// So many are gone through faster than they are searched.
const FEW: usize = 8;

/// The policies of one action. Each stands under one key, or among those that are asked always.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    forbids: Keyed,
    permits: Keyed,
}

#[derive(Clone, Debug, Default)]
struct Keyed {
    always: Vec<One>,
    by_tenant: Lists<Entity>,
    by_principal: Lists<Entity>,
    by_resource: Lists<Entity>,
}

/// A policy, behind the type that its scope asks of the resource, if it does. Lists are sorted by that.
type One = (Option<Text>, u32);

/// Policies by key. All of them lie in one row, so that a decision touches little memory.
#[derive(Clone, Debug)]
struct Lists<K> {
    /// Sorted, each with where its policies begin and end.
    keys: Vec<(K, u32, u32)>,
    policies: Vec<One>,
}

impl Index {
    /// The policies that apply to `action`, by what tells most of them apart.
    pub(super) fn of(action: &ActionBody, policies: &[PolicyBody]) -> Self {
        let applying = action.policies.iter().filter_map(|at| Some((*at, policies.get(usize::try_from(*at).ok()?)?)));
        let of = |effect| applying.clone().filter(move |(_, policy)| policy.effect == effect);
        Self { forbids: Keyed::of(of(Effect::Forbid)), permits: Keyed::of(of(Effect::Permit)) }
    }

    /// Hands each policy of `effect` that can hold to `ask`, until that says that it is settled.
    pub(super) fn each(&self, effect: Effect, world: &impl World, ask: impl FnMut(u32) -> bool) {
        match effect {
            Effect::Forbid => self.forbids.each(world, ask),
            Effect::Permit => self.permits.each(world, ask),
        };
    }
}

impl Keyed {
    fn of<'p>(policies: impl Iterator<Item = (u32, &'p PolicyBody)>) -> Self {
        let mut always = Vec::new();
        let (mut by_tenant, mut by_principal, mut by_resource) = (Vec::new(), Vec::new(), Vec::new());
        for (at, policy) in policies {
            let one = match policy.resource {
                Scope::Is(kind) | Scope::IsIn(kind, _) => (Some(kind), at),
                Scope::Any | Scope::Equal(_) | Scope::In(_) => (None, at),
            };
            match (policy.tenant, policy.principal, policy.resource) {
                (Some(tenant), ..) => by_tenant.push((tenant, one)),
                (None, Scope::Equal(entity) | Scope::In(entity) | Scope::IsIn(_, entity), _) => {
                    by_principal.push((entity, one));
                }
                (None, _, Scope::Equal(entity) | Scope::In(entity) | Scope::IsIn(_, entity)) => {
                    by_resource.push((entity, one));
                }
                (None, ..) => always.push(one),
            }
        }
        order::sort(&mut always);
        Self {
            always,
            by_tenant: Lists::of(by_tenant),
            by_principal: Lists::of(by_principal),
            by_resource: Lists::of(by_resource),
        }
    }

    /// Says whether it is settled.
    fn each(&self, world: &impl World, mut ask: impl FnMut(u32) -> bool) -> bool {
        let Value::Entity(resource) = world.variable(Variable::Resource) else { return false };
        let kind = world.kind(resource);
        let mut any = |list: &[One]| {
            let (of_any, of_kind) = that_fit(list, kind);
            of_any.iter().chain(of_kind).any(|(of, at)| (of.is_none() || *of == kind) && ask(*at))
        };
        if any(&self.always) {
            return true;
        }
        if !self.by_tenant.keys.is_empty() {
            let settled = match world.tenant() {
                Some(tenant) => any(self.by_tenant.under(tenant)),
                // A world that knows no tenants leaves the comparison to the condition.
                None => self.by_tenant.keys.iter().any(|(tenant, ..)| any(self.by_tenant.under(*tenant))),
            };
            if settled {
                return true;
            }
        }
        for (lists, variable) in [(&self.by_principal, Variable::Principal), (&self.by_resource, Variable::Resource)] {
            if lists.keys.is_empty() {
                continue;
            }
            let Value::Entity(entity) = world.variable(variable) else { continue };
            // Those under the entity itself and under each of its ancestors.
            if any(lists.under(entity)) || world.ancestors(entity).iter().any(|ancestor| any(lists.under(*ancestor))) {
                return true;
            }
        }
        false
    }
}

/// The part for resources of any type, and the one that holds all for resources of `kind`.
fn that_fit(list: &[One], kind: Option<Text>) -> (&[One], &[One]) {
    if list.len() <= FEW {
        return (list, &[]);
    }
    let (of_any, of_some) = list.split_at_checked(list.partition_point(|(of, _)| of.is_none())).unwrap_or((list, &[]));
    let from = of_some.partition_point(|(of, _)| *of < kind);
    let rest = of_some.get(from..).unwrap_or_default();
    let count = rest.partition_point(|(of, _)| *of == kind);
    (of_any, rest.get(..count).unwrap_or_default())
}

impl<K> Default for Lists<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), policies: Vec::new() }
    }
}

impl<K: Copy + Ord> Lists<K> {
    fn of(mut keyed: Vec<(K, One)>) -> Self {
        order::sort(&mut keyed);
        let mut keys: Vec<(K, u32, u32)> = Vec::new();
        for (end, (key, _)) in (1u32..).zip(&keyed) {
            match keys.last_mut() {
                Some(last) if last.0 == *key => last.2 = end,
                _ => keys.push((*key, end.saturating_sub(1), end)),
            }
        }
        Self { keys, policies: keyed.into_iter().map(|(_, one)| one).collect() }
    }

    fn under(&self, key: K) -> &[One] {
        let found = if self.keys.len() <= FEW {
            self.keys.iter().find(|(k, ..)| *k == key)
        } else {
            self.keys.binary_search_by_key(&key, |(k, ..)| *k).ok().and_then(|at| self.keys.get(at))
        };
        let Some((_, start, end)) = found else { return &[] };
        let range = usize::try_from(*start).unwrap_or(0)..usize::try_from(*end).unwrap_or(0);
        self.policies.get(range).unwrap_or_default()
    }
}
