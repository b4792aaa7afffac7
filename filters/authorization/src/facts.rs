//! What is known about a request, as the generated Cedar schema names it.

use std::cell::{Cell, OnceCell};

use partywall_tenancy::{Attributes, NameSet, Tenant, UnixSeconds};

use crate::names::{Field, Kind};
use crate::{Entity, Id, Lookup, Names, Place, Slice, Text, Value, Variable, World};

/// The facts of one request:
///
/// ```text
/// principal  User::"<tenant>/<subject>"  in Role::"<role>"…   .tenant
/// action     Action::"<action>"
/// resource   <resource_type>::"<resource_id>"                 .tenant .dataset .classification
/// context                                                     .service .caller  Workload::"<SPIFFE ID>", .purpose,
///                                                             .scope .time, and the sets .networks .scopes
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
    /// The SPIFFE ID of the workload that calls it; empty where nobody knows.
    pub caller: &'a str,
    /// What the operation says of its data.
    pub attributes: &'a Attributes,
    /// When it is decided.
    pub time: UnixSeconds,
    /// The networks that the client called from; empty where nobody knows.
    pub networks: &'a NameSet,
    /// The scopes of the credential.
    pub scopes: &'a [String],
}

/// The most roles that policies name and one principal has.
const MOST_ROLES: usize = 64;
/// The most scopes of one credential, where policies ask for them.
pub const MOST_SCOPES: usize = 64;

/// Places of what a request adds to the entities and texts of a program.
const PRINCIPAL: u32 = 0;
const RESOURCE: u32 = 1;
const TENANT: u32 = 2;
const OWNER: u32 = 3;
const SERVICE: u32 = 4;
const ACTION: u32 = 5;
const CALLER: u32 = 6;
/// So many texts has a tenant; those of the owner follow those of the principal's.
const OF_TENANT: u32 = 3;
/// Behind the texts of the two tenants: those of the operation.
const DATASET: u32 = 2 * OF_TENANT;
const CLASSIFICATION: u32 = DATASET + 1;
const PURPOSE: u32 = CLASSIFICATION + 1;
const SCOPE: u32 = PURPOSE + 1;
/// Behind these: the names of the context's fields, where policies name them not.
pub(crate) const FIELD_NAMES: u32 = SCOPE + 1;
/// The texts of the two tenants and of the operation.
const TEXTS: usize = FIELD_NAMES as usize;
/// Behind them: the names of the features and consents of the principal's tenant, then of the owner's, then of the
/// networks, then the scopes.
const NAMES: u32 = FIELD_NAMES + FIELDS;
/// Of each of the six sets there are places for so many.
const SPAN: u32 = 1 << 16;
/// The sets of one tenant.
const SETS: u32 = 2;
/// The sets behind those of the two tenants.
const NETWORKS: u32 = 2 * SETS;
const SCOPES: u32 = NETWORKS + 1;

/// The fields of the context.
const FIELDS: u32 = crate::names::FIELDS.len() as u32;
/// Places of values: names and values of the context's fields by turns, then the elements of the six sets.
const CONTEXT: u32 = 2 * FIELDS;

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
    /// Tier, residency and status of the principal's tenant, then of the owner; then what the operation says.
    texts: [Cell<Option<Text>>; TEXTS],
}

impl<'a> RequestWorld<'a> {
    /// Looks up what the program names. `None` when the principal has more than 64 roles that policies name, or its
    /// credential more than 64 scopes, and policies ask for scopes.
    pub fn new(facts: &'a RequestFacts<'a>, names: &'a Names) -> Option<Self> {
        if names.scopes.is_some() && facts.scopes.len() > MOST_SCOPES {
            return None;
        }
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
        let set = |nth: u32, names: &NameSet| Lookup::Found(set_at(nth + if own { 0 } else { SETS }, names.len()));
        match Some(name) {
            tier if tier == self.names.tier => text(0),
            residency if residency == self.names.residency => text(1),
            status if status == self.names.status => text(2),
            features if features == self.names.features => set(0, &tenant.features),
            consents if consents == self.names.consents => set(1, &tenant.consents),
            _ => Lookup::Missing,
        }
    }

    fn field(&self, field: Field) -> Value {
        match field {
            Field::Service => {
                let service = || self.named(&self.names.workloads, Id::plain(self.facts.service), SERVICE);
                Value::Entity(*self.service.get_or_init(service))
            }
            // INVARIANT: equal ids are one entity, also where no policy names it: a service may call itself.
            Field::Caller if self.facts.caller == self.facts.service => self.field(Field::Service),
            Field::Caller => Value::Entity(self.named(&self.names.workloads, Id::plain(self.facts.caller), CALLER)),
            Field::Purpose => Value::Text(self.number(PURPOSE)),
            Field::Scope => Value::Text(self.number(SCOPE)),
            Field::Time => Value::Datetime(i64::try_from(self.facts.time.saturating_mul(1000)).unwrap_or(i64::MAX)),
            Field::Networks => set_at(NETWORKS, self.facts.networks.len()),
            Field::Scopes => set_at(SCOPES, self.facts.scopes.len()),
        }
    }

    /// Features and consents of the principal's tenant, then of the owner; then the networks, then the scopes.
    fn set(&self, nth: u32) -> Option<Set<'_>> {
        match nth {
            0 => Some(Set::Names(&self.facts.tenant.features)),
            1 => Some(Set::Names(&self.facts.tenant.consents)),
            2 => Some(Set::Names(&self.facts.owner.features)),
            3 => Some(Set::Names(&self.facts.owner.consents)),
            NETWORKS => Some(Set::Names(self.facts.networks)),
            SCOPES => Some(Set::Texts(self.facts.scopes)),
            _ => None,
        }
    }

    /// The text at this place: tier, residency and status of the principal's tenant, then of the owner; what the
    /// operation says; then the names of their features and consents, of the networks, and the scopes.
    fn at(&self, place: u32) -> Option<&str> {
        if let Some(name) = place.checked_sub(NAMES) {
            return self.set(name / SPAN)?.get(usize::try_from(name % SPAN).ok()?);
        }
        let tenant = match place {
            0..OF_TENANT => self.facts.tenant,
            OF_TENANT..DATASET => self.facts.owner,
            DATASET => return Some(&self.facts.attributes.dataset),
            CLASSIFICATION => return Some(&self.facts.attributes.classification),
            PURPOSE => return Some(&self.facts.attributes.purpose),
            SCOPE => return Some(self.facts.attributes.scope.name()),
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
        if let Some(first) = (0..place.min(FIELD_NAMES)).find(|before| self.at(*before) == Some(text)) {
            return first;
        }
        let Some(name) = place.checked_sub(NAMES) else { return place };
        // Its own set as well: nobody promises that a credential has a scope once.
        let before = (0..=name / SPAN).find_map(|set| {
            let nth = u32::try_from(self.set(set)?.position(text)?).ok()?;
            Some(NAMES + SPAN * set + nth)
        });
        before.unwrap_or(place)
    }
}

/// A set of texts.
enum Set<'a> {
    Names(&'a NameSet),
    /// In whatever order, and perhaps more than once.
    Texts(&'a [String]),
}

impl<'a> Set<'a> {
    fn get(self, nth: usize) -> Option<&'a str> {
        match self {
            Self::Names(names) => names.get(nth),
            Self::Texts(texts) => texts.get(nth).map(String::as_str),
        }
    }

    fn position(self, text: &str) -> Option<usize> {
        match self {
            Self::Names(names) => names.position(text),
            Self::Texts(texts) => texts.iter().position(|one| one == text),
        }
    }
}

/// The nth set, which holds so many texts, as a value.
fn set_at(nth: u32, len: usize) -> Value {
    let len = u32::try_from(len).unwrap_or(SPAN).min(SPAN);
    Value::Set(Slice { place: Place::World, start: CONTEXT + SPAN * nth, len })
}

impl World for RequestWorld<'_> {
    fn variable(&self, variable: Variable) -> Value {
        match variable {
            Variable::Principal => Value::Entity(self.principal()),
            Variable::Action => Value::Entity(self.action()),
            Variable::Resource => Value::Entity(self.resource),
            Variable::Context => Value::Record(Slice { place: Place::World, start: 0, len: CONTEXT }),
        }
    }

    fn attribute(&self, entity: Entity, name: Text) -> Lookup {
        if entity == self.tenant {
            return self.of_tenant(self.facts.tenant, name);
        }
        if entity == self.owner {
            return self.of_tenant(self.facts.owner, name);
        }
        let is_resource = entity == self.resource;
        let tenant = if entity == self.principal() {
            self.tenant
        } else if is_resource {
            self.owner
        } else {
            return Lookup::NoEntity;
        };
        match Some(name) {
            name if name == self.names.tenant => Lookup::Found(Value::Entity(tenant)),
            name if is_resource && name == self.names.dataset => Lookup::Found(Value::Text(self.number(DATASET))),
            name if is_resource && name == self.names.classification => {
                Lookup::Found(Value::Text(self.number(CLASSIFICATION)))
            }
            _ => Lookup::Missing,
        }
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
            Some(SERVICE | CALLER) => self.names.workloads.name,
            Some(ACTION) => self.names.actions.name,
            _ => None,
        }
    }

    fn text(&self, text: Text) -> Option<&str> {
        self.at(text.0.checked_sub(self.names.texts)?)
    }

    fn value(&self, at: usize) -> Option<Value> {
        if let Some((name, field)) = self.names.context.get(at / 2) {
            return Some(if at.is_multiple_of(2) { Value::Text(*name) } else { self.field(*field) });
        }
        let place = NAMES.checked_add(u32::try_from(at).ok()?.checked_sub(CONTEXT)?)?;
        self.at(place)?;
        Some(Value::Text(self.number(place)))
    }

    fn holds(&self, set: Slice, text: &str) -> Option<bool> {
        let texts = self.set(set.start.checked_sub(CONTEXT)? / SPAN)?;
        Some(texts.position(text).is_some())
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
            caller: "",
            attributes: Attributes::none(),
            time: 0,
            networks: &NameSet::new(["eu", "q", "x"]).unwrap(),
            scopes: &["write", "q", "gold", "write"].map(str::to_owned),
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
        let Value::Set(networks) = world.field(Field::Networks) else { panic!("no set of networks") };
        for value in networks.range().map(|at| world.value(at).unwrap()) {
            let Value::Text(text) = value else { panic!("{value:?}") };
            found.push((value, world.text(text).unwrap().to_owned()));
        }
        let Value::Set(scopes) = world.field(Field::Scopes) else { panic!("no set of scopes") };
        for value in scopes.range().map(|at| world.value(at).unwrap()) {
            let Value::Text(text) = value else { panic!("{value:?}") };
            found.push((value, world.text(text).unwrap().to_owned()));
        }
        assert!(world.holds(networks, "q").unwrap() && !world.holds(networks, "gold").unwrap());
        assert!(world.holds(scopes, "gold").unwrap() && !world.holds(scopes, "eu").unwrap());
        assert_eq!(found.len(), 1 + 3 + 3 + 1 + 2 + 1 + 3 + 4);
        for (value, text) in &found {
            for (other, same) in &found {
                assert_eq!(value == other, text == same, "{text} and {same}: {found:?}");
            }
        }
        // Behind the last element, and in no set at all, there is nothing.
        let first = CONTEXT as usize;
        let span = SPAN as usize;
        for at in
            [first + 3, first + span + 3, first + 4 * span + 3, first + 5 * span + 4, first + 6 * span, usize::MAX]
        {
            assert_eq!(world.value(at), None, "{at}");
        }
    }

    #[test]
    fn a_workload_is_one_entity_whether_it_calls_or_is_called() {
        let program = Program::new(ProgramBody::default()).unwrap();
        let (names, own) = (Names::of(&program), tenant("acme", "gold", &[], &[]));
        let called_by = |caller| {
            let facts = RequestFacts {
                tenant: &own,
                subject: "ann",
                roles: &[],
                action: "read",
                resource_type: "Order",
                resource_id: Id::plain("1"),
                owner: &own,
                service: "orders",
                caller,
                attributes: Attributes::none(),
                time: 0,
                networks: NameSet::none(),
                scopes: &[],
            };
            let world = RequestWorld::new(&facts, &names).unwrap();
            world.field(Field::Service) == world.field(Field::Caller)
        };
        assert!(called_by("orders") && !called_by("invoices") && !called_by(""));
    }

    #[test]
    fn more_scopes_than_can_be_decided_about_are_no_world_where_policies_ask_for_scopes() {
        let named = |texts: &[&str]| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            Names::of(&Program::new(ProgramBody { texts, ..ProgramBody::default() }).unwrap())
        };
        let (asking, others) = (named(&["scopes"]), named(&["tier"]));
        let own = tenant("acme", "gold", &[], &[]);
        let known = |scopes: usize, names: &Names| {
            let scopes: Vec<String> = (0..scopes).map(|nth| format!("s{nth}")).collect();
            let facts = RequestFacts {
                tenant: &own,
                subject: "ann",
                roles: &[],
                action: "read",
                resource_type: "Order",
                resource_id: Id::plain("1"),
                owner: &own,
                service: "orders",
                caller: "",
                attributes: Attributes::none(),
                time: 0,
                networks: NameSet::none(),
                scopes: &scopes,
            };
            RequestWorld::new(&facts, names).is_some()
        };
        assert!(known(64, &asking) && !known(65, &asking) && known(65, &others));
    }
}
