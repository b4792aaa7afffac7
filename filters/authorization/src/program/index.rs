//! Which policies are asked: those whose scope can hold for this principal and this resource.

use super::body::{ActionBody, Effect, PolicyBody, Scope};
use crate::{Entity, Text, Value, Variable, World};

/// The policies of one action. Each stands under one key, or among those that are asked always.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    forbids: Keyed,
    permits: Keyed,
}

#[derive(Clone, Debug, Default)]
struct Keyed {
    always: Vec<u32>,
    by_tenant: Vec<(Entity, Vec<u32>)>,
    by_principal: Vec<(Entity, Vec<u32>)>,
    by_resource: Vec<(Entity, Vec<u32>)>,
    by_kind: Vec<(Text, Vec<u32>)>,
}

impl Index {
    /// The policies that apply to `action`, by what tells most of them apart.
    pub(super) fn of(action: &ActionBody, policies: &[PolicyBody]) -> Self {
        let mut index = Self::default();
        for at in &action.policies {
            let Some(policy) = usize::try_from(*at).ok().and_then(|at| policies.get(at)) else { continue };
            let keyed = match policy.effect {
                Effect::Forbid => &mut index.forbids,
                Effect::Permit => &mut index.permits,
            };
            keyed.add(policy, *at);
        }
        index
    }

    /// Hands each policy of `effect` that can hold to `ask`, until that says that it is settled.
    pub(super) fn each(&self, effect: Effect, world: &impl World, ask: &mut dyn FnMut(u32) -> bool) {
        match effect {
            Effect::Forbid => self.forbids.each(world, ask),
            Effect::Permit => self.permits.each(world, ask),
        };
    }
}

impl Keyed {
    fn add(&mut self, policy: &PolicyBody, at: u32) {
        match (policy.tenant, policy.principal, policy.resource) {
            (Some(tenant), ..) => add(&mut self.by_tenant, tenant, at),
            (None, Scope::Equal(entity) | Scope::In(entity) | Scope::IsIn(_, entity), _) => {
                add(&mut self.by_principal, entity, at);
            }
            (None, _, Scope::Equal(entity) | Scope::In(entity) | Scope::IsIn(_, entity)) => {
                add(&mut self.by_resource, entity, at);
            }
            (None, _, Scope::Is(kind)) => add(&mut self.by_kind, kind, at),
            (None, ..) => self.always.push(at),
        }
    }

    /// Says whether it is settled.
    fn each(&self, world: &impl World, ask: &mut dyn FnMut(u32) -> bool) -> bool {
        if self.always.iter().any(|at| ask(*at)) {
            return true;
        }
        if !self.by_tenant.is_empty() {
            let settled = match world.tenant() {
                Some(tenant) => under(&self.by_tenant, tenant).iter().any(|at| ask(*at)),
                // A world that knows no tenants leaves the comparison to the condition.
                None => self.by_tenant.iter().flat_map(|(_, list)| list).any(|at| ask(*at)),
            };
            if settled {
                return true;
            }
        }
        if by_entity(&self.by_principal, Variable::Principal, world, ask)
            || by_entity(&self.by_resource, Variable::Resource, world, ask)
        {
            return true;
        }
        if self.by_kind.is_empty() {
            return false;
        }
        let Value::Entity(resource) = world.variable(Variable::Resource) else { return false };
        world.kind(resource).is_some_and(|kind| under(&self.by_kind, kind).iter().any(|at| ask(*at)))
    }
}

/// Those under the entity itself and under each of its ancestors.
fn by_entity(
    list: &[(Entity, Vec<u32>)],
    variable: Variable,
    world: &impl World,
    ask: &mut dyn FnMut(u32) -> bool,
) -> bool {
    if list.is_empty() {
        return false;
    }
    let Value::Entity(entity) = world.variable(variable) else { return false };
    let ancestors = world.ancestors(entity).iter().copied();
    std::iter::once(entity).chain(ancestors).any(|key| under(list, key).iter().any(|at| ask(*at)))
}

fn under<K: Copy + Ord>(list: &[(K, Vec<u32>)], key: K) -> &[u32] {
    let found = list.binary_search_by_key(&key, |(k, _)| *k).ok().and_then(|at| list.get(at));
    found.map_or(&[], |(_, list)| list)
}

fn add<K: Copy + Ord>(list: &mut Vec<(K, Vec<u32>)>, key: K, policy: u32) {
    match list.binary_search_by_key(&key, |(k, _)| *k) {
        Ok(at) => list.get_mut(at).into_iter().for_each(|(_, list)| list.push(policy)),
        Err(at) => list.insert(at, (key, vec![policy])),
    }
}
