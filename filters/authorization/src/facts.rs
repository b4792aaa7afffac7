//! What is known about a request, as the generated Cedar schema names it.

use partywall_tenancy::Tenant;

use crate::{Entity, Id, Path, Root, Value};

/// The facts a program asks for.
pub trait Facts {
    /// The value at `path`; `None` when there is none.
    fn value(&self, path: &Path) -> Option<Value<'_>>;

    /// Whether `child` is a proper descendant of `ancestor`.
    fn is_in(&self, child: &Entity<'_>, ancestor: &Entity<'_>) -> bool;
}

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

impl<'a> RequestFacts<'a> {
    /// The principal.
    pub fn principal(&self) -> Entity<'a> {
        Entity::new("User", Id::in_tenant(self.tenant.id.as_str(), self.subject))
    }

    /// The resource.
    pub fn resource(&self) -> Entity<'a> {
        Entity::new(self.resource_type, self.resource_id)
    }
}

impl Facts for RequestFacts<'_> {
    fn value(&self, path: &Path) -> Option<Value<'_>> {
        let (first, rest) = match path.attributes.split_first() {
            Some((first, rest)) => (Some(first.as_str()), rest),
            None => (None, &[][..]),
        };
        match (path.root, first) {
            (Root::Principal, None) => Some(Value::Entity(self.principal())),
            (Root::Principal, Some("tenant")) => of_tenant(self.tenant, rest),
            (Root::Action, None) => Some(Value::Entity(Entity::new("Action", Id::plain(self.action)))),
            (Root::Resource, None) => Some(Value::Entity(self.resource())),
            (Root::Resource, Some("tenant")) => of_tenant(self.owner, rest),
            (Root::Context, Some("service")) if rest.is_empty() => {
                Some(Value::Entity(Entity::new("Workload", Id::plain(self.service))))
            }
            _ => None,
        }
    }

    fn is_in(&self, child: &Entity<'_>, ancestor: &Entity<'_>) -> bool {
        // What is quickest to answer goes first.
        ancestor.kind == "Role"
            && self.roles.iter().any(|role| Id::plain(role) == ancestor.id)
            && *child == self.principal()
    }
}

fn of_tenant<'a>(tenant: &'a Tenant, attributes: &[String]) -> Option<Value<'a>> {
    match attributes {
        [] => Some(Value::Entity(Entity::new("Tenant", Id::plain(tenant.id.as_str())))),
        [one] if one == "tier" => Some(Value::Text(&tenant.tier)),
        [one] if one == "residency" => Some(Value::Text(&tenant.residency)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_tenancy::{TenantId, TenantStatus};

    fn tenant(id: &str, tier: &str) -> Tenant {
        let id = TenantId::parse(id).unwrap();
        Tenant { id, tier: tier.into(), status: TenantStatus::Active, residency: "eu".into() }
    }

    fn path(root: Root, attributes: &[&str]) -> Path {
        Path { root, attributes: attributes.iter().map(|a| (*a).into()).collect() }
    }

    fn with(check: impl FnOnce(RequestFacts<'_>)) {
        check(RequestFacts {
            tenant: &tenant("acme", "gold"),
            subject: "ann",
            roles: &["viewer".into(), "acme".into()],
            action: "orders:read",
            resource_type: "Order",
            resource_id: Id::of_segment("7"),
            owner: &tenant("globex", "silver"),
            service: "spiffe://mesh.example/ns/shop/sa/orders",
        });
    }

    #[test]
    fn values_are_where_the_schema_has_them() {
        let entity = |kind, id| Some(Value::Entity(Entity::new(kind, Id::plain(id))));
        with(|facts| {
            for (root, attributes, value) in [
                (Root::Principal, &[][..], entity("User", "acme/ann")),
                (Root::Principal, &["tenant"], entity("Tenant", "acme")),
                (Root::Principal, &["tenant", "tier"], Some(Value::Text("gold"))),
                (Root::Principal, &["tenant", "residency"], Some(Value::Text("eu"))),
                (Root::Action, &[], entity("Action", "orders:read")),
                (Root::Resource, &[], entity("Order", "7")),
                (Root::Resource, &["tenant"], entity("Tenant", "globex")),
                (Root::Resource, &["tenant", "tier"], Some(Value::Text("silver"))),
                (Root::Context, &["service"], entity("Workload", "spiffe://mesh.example/ns/shop/sa/orders")),
                (Root::Context, &[], None),
                (Root::Context, &["service", "tenant"], None),
                (Root::Action, &["tenant"], None),
                (Root::Principal, &["tier"], None),
                (Root::Principal, &["tenant", "size"], None),
                (Root::Principal, &["tenant", "tier", "size"], None),
            ] {
                assert_eq!(facts.value(&path(root, attributes)), value, "{root:?} {attributes:?}");
            }
        });
    }

    #[test]
    fn only_the_principal_is_in_something_and_only_in_its_roles() {
        let entity = |kind, id| Entity::new(kind, Id::plain(id));
        with(|facts| {
            assert!(facts.is_in(&facts.principal(), &entity("Role", "viewer")));
            assert!(facts.is_in(&entity("User", "acme/ann"), &entity("Role", "viewer")));
            assert!(!facts.is_in(&facts.principal(), &entity("Role", "accountant")));
            assert!(!facts.is_in(&facts.principal(), &entity("Tenant", "acme")));
            assert!(!facts.is_in(&entity("User", "acme/bob"), &entity("Role", "viewer")));
            assert!(!facts.is_in(&facts.resource(), &entity("Role", "viewer")));
        });
    }
}
