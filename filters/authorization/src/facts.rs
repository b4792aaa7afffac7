//! What is known about a request, as the generated Cedar schema names it.

use std::cell::{Cell, OnceCell};

use partywall_tenancy::{NameSet, Tenant};

use crate::names::Kind;
use crate::{Entity, Id, Lookup, Names, Place, Slice, Text, Value, Variable, World};

/// The facts of one request:
///
/// ```text
/// principal  User::"<tenant>/<subject>"  in Role::"<role>"…   .tenant
/// action     Action::"<action>"
/// resource   <resource_type>::"<resource_id>"                 .tenant
/// context                                                     .service  Workload::"<SPIFFE ID>"
/// .tenant    Tenant::"<id>"                                   .tier .residency .status, and the sets .features .consents
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The principal's tenant.
    pub tenant: &'a Tenant,
    /// The principal's name within its tenant.
    pub subject: &'a str,
    /// The principal's roles.
    pub roles: &'a [String],
    /// What is attempted, as `invoices:read`.
    pub action: &'a str,
    /// The type of the resource, as `Invoice`.
    pub resource_type: &'a str,
    /// The resource's id.
    pub resource_id: Id<'a>,
    /// The resource's tenant.
    pub owner: &'a Tenant,
    /// The SPIFFE ID of the service called.
    pub service: &'a str,
}

/// The most roles that policies name and one principal has.
const MOST_ROLES: usize = 64;

/// Places of what a request adds to the entities and texts of a program.
const PRINCIPAL: u32 = 0;
const RESOURCE: u32 = 1;
const TENANT: u32 = 2;
const OWNER: u32 = 3;
const SERVICE: u32 = 4;
const ACTION: u32 = 5;
/// So many texts has a tenant; those of the owner follow those of the principal's.
const OF_TENANT: u32 = 3;
/// Behind the texts of the two tenants: the name of the context's one field.
const SERVICE_NAME: u32 = 2 * OF_TENANT;
/// The texts of the two tenants.
const TEXTS: usize = SERVICE_NAME as usize;
/// Behind it: the names of the features and consents of the principal's tenant, then of the owner's.
const NAMES: u32 = SERVICE_NAME + 1;
/// Of each of the four sets there are places for so many.
const SPAN: u32 = 1 << 16;
/// The sets of one tenant.
const SETS: u32 = 2;

/// Places of values: name and value of the context's one field, then the elements of the four sets.
const CONTEXT: u32 = 2;

/// The facts of one request in the numbers of one program. Most policies ask for few of them, so what is costly to
/// find is found when it is asked for.
#[derive(Debug)]
pub struct RequestWorld<'a> {
    facts: &'a RequestFacts<'a>,
    names: &'a Names,
    principal: OnceCell<Entity>,
    action: OnceCell<Entity>,
    resource: Entity,
    /// The type of the resource, if policies name it.
    resource_kind: Option<Text>,
    tenant: Entity,
    owner: Entity,
    roles: [Entity; MOST_ROLES],
    has_roles: usize,
    service: OnceCell<Entity>,
    /// Tier, residency and status of the principal's tenant, then of the owner.
    texts: [Cell<Option<Text>>; TEXTS],
}

impl<'a> RequestWorld<'a> {
    /// Looks up what the program names. `None` when the principal has more than 64 roles that policies name.
    pub fn new(facts: &'a RequestFacts<'a>, names: &'a Names) -> Option<Self> {
        let more = |nth: u32| Entity(names.entities.saturating_add(nth));
        let named = |kind: &Kind, id, nth| kind.entity(id).unwrap_or(more(nth));
        let tenant = named(&names.tenants, Id::plain(facts.tenant.id.as_str()), TENANT);
        let same = std::ptr::eq(facts.owner, facts.tenant) || facts.owner.id == facts.tenant.id;
        let owner = if same { tenant } else { named(&names.tenants, Id::plain(facts.owner.id.as_str()), OWNER) };
        let kind = names.kind(facts.resource_type);
        let mut world = Self {
            principal: OnceCell::new(),
            action: OnceCell::new(),
            resource: kind.map_or(more(RESOURCE), |kind| named(kind, facts.resource_id, RESOURCE)),
            resource_kind: kind.and_then(|kind| kind.name),
            tenant,
            owner,
            roles: [Entity(0); MOST_ROLES],
            has_roles: 0,
            service: OnceCell::new(),
            texts: [const { Cell::new(None) }; TEXTS],
            facts,
            names,
        };
        // Put in where they stay: what is copied is a good part of a decision.
        for role in facts.roles.iter().filter_map(|role| names.roles.entity(Id::plain(role))) {
            if !world.roles().contains(&role) {
                *world.roles.get_mut(world.has_roles)? = role;
                world.has_roles += 1;
            }
        }
        Some(world)
    }

    fn named(&self, kind: &Kind, id: Id<'_>, nth: u32) -> Entity {
        kind.entity(id).unwrap_or(Entity(self.names.entities.saturating_add(nth)))
    }

    fn principal(&self) -> Entity {
        *self.principal.get_or_init(|| {
            let id = Id::in_tenant(self.facts.tenant.id.as_str(), self.facts.subject);
            self.named(&self.names.users, id, PRINCIPAL)
        })
    }

    fn action(&self) -> Entity {
        *self.action.get_or_init(|| self.named(&self.names.actions, Id::plain(self.facts.action), ACTION))
    }

    fn roles(&self) -> &[Entity] {
        self.roles.get(..self.has_roles).unwrap_or_default()
    }

    fn of_tenant(&self, tenant: &Tenant, name: Text) -> Lookup {
        let own = std::ptr::eq(tenant, self.facts.tenant);
        let first = if own { 0 } else { OF_TENANT };
        let text = |nth: u32| Lookup::Found(Value::Text(self.number(first + nth)));
        let set = |nth: u32, names: &NameSet| {
            let start = CONTEXT + SPAN * (nth + if own { 0 } else { SETS });
            let len = u32::try_from(names.len()).unwrap_or(SPAN).min(SPAN);
            Lookup::Found(Value::Set(Slice { place: Place::World, start, len }))
        };
        match Some(name) {
            tier if tier == self.names.tier => text(0),
            residency if residency == self.names.residency => text(1),
            status if status == self.names.status => text(2),
            features if features == self.names.features => set(0, &tenant.features),
            consents if consents == self.names.consents => set(1, &tenant.consents),
            _ => Lookup::Missing,
        }
    }

    /// Features and consents of the principal's tenant, then of the owner.
    fn set(&self, nth: u32) -> Option<&NameSet> {
        match nth {
            0 => Some(&self.facts.tenant.features),
            1 => Some(&self.facts.tenant.consents),
            2 => Some(&self.facts.owner.features),
            3 => Some(&self.facts.owner.consents),
            _ => None,
        }
    }

    /// The text at this place: tier, residency and status of the principal's tenant, then of the owner; then the names
    /// of their features and consents.
    fn at(&self, place: u32) -> Option<&str> {
        if let Some(name) = place.checked_sub(NAMES) {
            return self.set(name / SPAN)?.get(usize::try_from(name % SPAN).ok()?);
        }
        let tenant = match place {
            0..OF_TENANT => self.facts.tenant,
            OF_TENANT..SERVICE_NAME => self.facts.owner,
            _ => return None,
        };
        Some(match place % OF_TENANT {
            0 => &tenant.tier,
            1 => &tenant.residency,
            _ => tenant.status.name(),
        })
    }

    /// INVARIANT: of texts that the program does not name, equal ones get the number of the first.
    fn number(&self, place: u32) -> Text {
        let known = usize::try_from(place).ok().and_then(|place| self.texts.get(place));
        if let Some(number) = known.and_then(Cell::get) {
            return number;
        }
        let text = self.at(place).unwrap_or_default();
        let number = self.names.text(text).unwrap_or_else(|| self.names.more_text(self.first(text, place)));
        if let Some(known) = known {
            known.set(Some(number));
        }
        number
    }

    /// The first place of a text that also stands at `place`.
    fn first(&self, text: &str, place: u32) -> u32 {
        if let Some(first) = (0..place.min(SERVICE_NAME)).find(|before| self.at(*before) == Some(text)) {
            return first;
        }
        let Some(name) = place.checked_sub(NAMES) else { return place };
        // A set holds a name once, so only those before it are looked into.
        let before = (0..name / SPAN).find_map(|set| {
            let nth = u32::try_from(self.set(set)?.position(text)?).ok()?;
            Some(NAMES + SPAN * set + nth)
        });
        before.unwrap_or(place)
    }
}

impl World for RequestWorld<'_> {
    fn variable(&self, variable: Variable) -> Value {
        match variable {
            Variable::Principal => Value::Entity(self.principal()),
            Variable::Action => Value::Entity(self.action()),
            Variable::Resource => Value::Entity(self.resource),
            Variable::Context => Value::Record(crate::Slice { place: crate::Place::World, start: 0, len: 2 }),
        }
    }

    fn attribute(&self, entity: Entity, name: Text) -> Lookup {
        if entity == self.tenant {
            return self.of_tenant(self.facts.tenant, name);
        }
        if entity == self.owner {
            return self.of_tenant(self.facts.owner, name);
        }
        let tenant = if entity == self.principal() {
            self.tenant
        } else if entity == self.resource {
            self.owner
        } else {
            return Lookup::NoEntity;
        };
        if Some(name) == self.names.tenant { Lookup::Found(Value::Entity(tenant)) } else { Lookup::Missing }
    }

    fn tag(&self, entity: Entity, _: Text) -> Lookup {
        let known = [self.principal(), self.resource, self.tenant, self.owner].contains(&entity);
        if known { Lookup::Missing } else { Lookup::NoEntity }
    }

    fn is_in(&self, child: Entity, ancestor: Entity) -> bool {
        child == self.principal() && self.roles().contains(&ancestor)
    }

    fn kind(&self, entity: Entity) -> Option<Text> {
        match entity.0.checked_sub(self.names.entities) {
            _ if entity == self.principal() => self.names.users.name,
            _ if entity == self.resource => self.resource_kind,
            Some(TENANT | OWNER) => self.names.tenants.name,
            Some(SERVICE) => self.names.workloads.name,
            Some(ACTION) => self.names.actions.name,
            _ => None,
        }
    }

    fn text(&self, text: Text) -> Option<&str> {
        self.at(text.0.checked_sub(self.names.texts)?)
    }

    fn value(&self, at: usize) -> Option<Value> {
        match u32::try_from(at).ok()? {
            0 => Some(Value::Text(self.names.service.unwrap_or(self.names.more_text(SERVICE_NAME)))),
            1 => {
                let service = || self.named(&self.names.workloads, Id::plain(self.facts.service), SERVICE);
                Some(Value::Entity(*self.service.get_or_init(service)))
            }
            at => {
                let place = NAMES.checked_add(at.checked_sub(CONTEXT)?)?;
                self.at(place)?;
                Some(Value::Text(self.number(place)))
            }
        }
    }

    fn holds(&self, set: Slice, text: &str) -> Option<bool> {
        let names = self.set(set.start.checked_sub(CONTEXT)? / SPAN)?;
        Some(names.contains(text))
    }

    fn ancestors(&self, entity: Entity) -> &[Entity] {
        if entity == self.principal() { self.roles() } else { &[] }
    }

    fn tenant(&self) -> Option<Entity> {
        Some(self.tenant)
    }
}

#[cfg(test)]
mod tests {
    use partywall_tenancy::{TenantId, TenantStatus};

    use super::*;
    use crate::{Program, ProgramBody};

    fn tenant(id: &str, tier: &str, features: &[&str], consents: &[&str]) -> Tenant {
        Tenant {
            id: TenantId::parse(id).unwrap(),
            tier: tier.into(),
            status: TenantStatus::Active,
            residency: "eu".into(),
            cell: None,
            features: NameSet::new(features).unwrap(),
            consents: NameSet::new(consents).unwrap(),
        }
    }

    #[test]
    fn equal_texts_have_one_number_wherever_they_stand() {
        let texts = ["consents", "features", "named", "tenant", "tier"].map(str::to_owned).to_vec();
        let program = Program::new(ProgramBody { texts, ..ProgramBody::default() }).unwrap();
        let names = Names::of(&program);
        let own = tenant("acme", "gold", &["gold", "named", "x"], &["eu", "x", "y"]);
        let other = tenant("globex", "y", &["x", "z"], &["z"]);
        let facts = RequestFacts {
            tenant: &own,
            subject: "ann",
            roles: &[],
            action: "read",
            resource_type: "Order",
            resource_id: Id::plain("1"),
            owner: &other,
            service: "orders",
        };
        let world = RequestWorld::new(&facts, &names).unwrap();
        let mut found: Vec<(Value, String)> = Vec::new();
        for (of, names_of) in [(&own, ["tier", "features", "consents"]), (&other, ["tier", "features", "consents"])] {
            for name in names_of {
                let value = match world.of_tenant(of, program.find_text(name).unwrap()) {
                    Lookup::Found(value) => value,
                    other => panic!("{name}: {other:?}"),
                };
                let values = match value {
                    Value::Set(set) => set.range().map(|at| world.value(at).unwrap()).collect(),
                    value => vec![value],
                };
                for value in values {
                    let Value::Text(text) = value else { panic!("{value:?}") };
                    let text = names
                        .text("named")
                        .filter(|named| *named == text)
                        .map_or_else(|| world.text(text).unwrap().to_owned(), |_| "named".to_owned());
                    found.push((value, text));
                }
            }
        }
        assert_eq!(found.len(), 1 + 3 + 3 + 1 + 2 + 1);
        for (value, text) in &found {
            for (other, same) in &found {
                assert_eq!(value == other, text == same, "{text} and {same}: {found:?}");
            }
        }
        // Behind the last element, and in no set at all, there is nothing.
        for at in [2 + 3, 2 + SPAN as usize + 3, 2 + 4 * SPAN as usize, usize::MAX] {
            assert_eq!(world.value(at), None, "{at}");
        }
    }
}
