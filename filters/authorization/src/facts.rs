//! What is known about a request, as the generated Cedar schema names it.

use partywall_tenancy::Tenant;

use crate::{Entity, Id, Lookup, Names, Text, Value, Variable, World};

/// The facts of one request:
///
/// ```text
/// principal  User::"<tenant>/<subject>"  in Role::"<role>"…   .tenant
/// action     Action::"<action>"
/// resource   <resource_type>::"<resource_id>"                 .tenant
/// context                                                     .service  Workload::"<SPIFFE ID>"
/// .tenant    Tenant::"<id>"                                   .tier .residency
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
const NOTHING: u32 = 6;
/// Behind the texts of the two tenants: the name of the context's one field.
const SERVICE_NAME: u32 = 4;

/// The facts of one request in the numbers of one program.
#[derive(Debug)]
pub struct RequestWorld<'a> {
    facts: &'a RequestFacts<'a>,
    names: &'a Names,
    principal: Entity,
    action: Entity,
    resource: Entity,
    tenant: Entity,
    owner: Entity,
    roles: [Entity; MOST_ROLES],
    has_roles: usize,
    context: [Value; 2],
}

impl<'a> RequestWorld<'a> {
    /// Looks up what the program names. `None` when the principal has more than 64 roles that policies name.
    pub fn new(facts: &'a RequestFacts<'a>, names: &'a Names) -> Option<Self> {
        let more = |nth: u32| Entity(names.entities.saturating_add(nth));
        let named = |kind, id, nth| names.entity(kind, id).unwrap_or(more(nth));
        let tenant = named("Tenant", Id::plain(facts.tenant.id.as_str()), TENANT);
        let same = facts.owner.id == facts.tenant.id;
        let owner = if same { tenant } else { named("Tenant", Id::plain(facts.owner.id.as_str()), OWNER) };
        let service = named("Workload", Id::plain(facts.service), SERVICE);
        let mut roles = [more(NOTHING); MOST_ROLES];
        let mut has_roles = 0;
        for role in facts.roles.iter().filter_map(|role| names.entity("Role", Id::plain(role))) {
            if !roles.iter().take(has_roles).any(|known| *known == role) {
                *roles.get_mut(has_roles)? = role;
                has_roles += 1;
            }
        }
        Some(Self {
            principal: named("User", Id::in_tenant(facts.tenant.id.as_str(), facts.subject), PRINCIPAL),
            action: named("Action", Id::plain(facts.action), ACTION),
            resource: named(facts.resource_type, facts.resource_id, RESOURCE),
            tenant,
            owner,
            roles,
            has_roles,
            context: [Value::Text(names.service.unwrap_or(names.more_text(SERVICE_NAME))), Value::Entity(service)],
            facts,
            names,
        })
    }

    fn roles(&self) -> &[Entity] {
        self.roles.get(..self.has_roles).unwrap_or_default()
    }

    fn of_tenant(&self, tenant: &Tenant, name: Text) -> Lookup {
        let text = |at: u32| Lookup::Found(Value::Text(self.number(at)));
        let principals = std::ptr::eq(tenant, self.facts.tenant);
        match Some(name) {
            tier if tier == self.names.tier => text(if principals { 0 } else { 2 }),
            residency if residency == self.names.residency => text(if principals { 1 } else { 3 }),
            _ => Lookup::Missing,
        }
    }

    /// The text at this place: tier and residency of the principal's tenant, then of the owner.
    fn at(&self, place: u32) -> Option<&str> {
        let (tenant, owner) = (self.facts.tenant, self.facts.owner);
        [&tenant.tier, &tenant.residency, &owner.tier, &owner.residency]
            .get(usize::try_from(place).ok()?)
            .map(|t| &***t)
    }

    /// INVARIANT: of texts that the program does not name, equal ones get the number of the first.
    fn number(&self, place: u32) -> Text {
        let text = self.at(place).unwrap_or_default();
        self.names.text(text).unwrap_or_else(|| {
            let first = (0..place).find(|before| self.at(*before) == Some(text));
            self.names.more_text(first.unwrap_or(place))
        })
    }
}

impl World for RequestWorld<'_> {
    fn variable(&self, variable: Variable) -> Value {
        match variable {
            Variable::Principal => Value::Entity(self.principal),
            Variable::Action => Value::Entity(self.action),
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
        let tenant = if entity == self.principal {
            self.tenant
        } else if entity == self.resource {
            self.owner
        } else {
            return Lookup::NoEntity;
        };
        if Some(name) == self.names.tenant { Lookup::Found(Value::Entity(tenant)) } else { Lookup::Missing }
    }

    fn tag(&self, entity: Entity, _: Text) -> Lookup {
        let known = [self.principal, self.resource, self.tenant, self.owner].contains(&entity);
        if known { Lookup::Missing } else { Lookup::NoEntity }
    }

    fn is_in(&self, child: Entity, ancestor: Entity) -> bool {
        child == self.principal && self.roles().contains(&ancestor)
    }

    fn kind(&self, entity: Entity) -> Option<Text> {
        match entity.0.checked_sub(self.names.entities) {
            _ if entity == self.principal => self.names.kind("User"),
            _ if entity == self.resource => self.names.kind(self.facts.resource_type),
            Some(TENANT | OWNER) => self.names.kind("Tenant"),
            Some(SERVICE) => self.names.kind("Workload"),
            Some(ACTION) => self.names.kind("Action"),
            _ => None,
        }
    }

    fn text(&self, text: Text) -> Option<&str> {
        self.at(text.0.checked_sub(self.names.texts)?)
    }

    fn values(&self) -> &[Value] {
        &self.context
    }

    fn ancestors(&self, entity: Entity) -> &[Entity] {
        if entity == self.principal { self.roles() } else { &[] }
    }

    fn tenant(&self) -> Option<Entity> {
        Some(self.tenant)
    }
}
