//! The shop of the sample mesh, as values.

use partywall_tenancy::{NameSet, Operation, Owner, Service, SpiffeId, Tenant, TenantId, TenantStatus};

/// acme (gold, eu), globex (silver, us), initech (bronze, eu).
pub(crate) fn tenants() -> Vec<Tenant> {
    let tenant = |id: &str, tier: &str, residency: &str| Tenant {
        id: TenantId::parse(id).unwrap(),
        tier: tier.into(),
        status: TenantStatus::Active,
        residency: residency.into(),
        cell: None,
        features: NameSet::default(),
        consents: NameSet::default(),
    };
    vec![tenant("acme", "gold", "eu"), tenant("globex", "silver", "us"), tenant("initech", "bronze", "eu")]
}

/// invoices and orders.
pub(crate) fn services() -> Vec<Service> {
    let operation = |http: &str, action: &str, resource: &str, id: Option<&str>, owner: Option<&str>| {
        let (method, path) = http.split_once(' ').unwrap();
        Operation {
            id: id.map(Into::into),
            owner: owner.map_or(Owner::Unseen, Owner::path),
            ..Operation::new(method, path, action, resource)
        }
    };
    let service = |name: &str, operations| Service {
        clusters: vec![name.into()],
        ..Service::new(name, SpiffeId::parse(&format!("spiffe://mesh.example/ns/shop/sa/{name}")).unwrap(), operations)
    };
    let invoices = vec![
        operation("GET /invoices/{id}", "invoices:read", "Invoice", Some("id"), None),
        operation("DELETE /invoices/{id}", "invoices:delete", "Invoice", Some("id"), None),
        operation("GET /tenants/{tenant}/invoices", "invoices:list", "Invoice", None, Some("tenant")),
    ];
    let orders = vec![
        operation("GET /orders/{id}", "orders:read", "Order", Some("id"), None),
        operation("GET /tenants/{tenant}/orders", "orders:list", "Order", None, Some("tenant")),
    ];
    vec![service("invoices", invoices), service("orders", orders)]
}
