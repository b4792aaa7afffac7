//! The shop of the sample mesh, as values.

use partywall_tenancy::{
    Attributes, NameSet, Operation, Owner, Recover, Service, SpiffeId, Tenant, TenantId, TenantStatus,
};

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
            method: method.into(),
            path: path.into(),
            when: vec![],
            hold: 0,
            action: action.into(),
            resource: resource.into(),
            id: id.map(Into::into),
            owner: owner.map_or(Owner::Unseen, Owner::path),
            anonymous: false,
            response: None,
            attributes: Attributes::default(),
        }
    };
    let service = |name: &str, operations| Service {
        name: name.into(),
        spiffe_id: SpiffeId::parse(&format!("spiffe://mesh.example/ns/shop/sa/{name}")).unwrap(),
        clusters: vec![name.into()],
        callers: vec![],
        max_context_age: 120,
        recover: Recover::Handle,
        own_tenant: None,
        act_for: None,
        platform: vec![],
        without_context: None,
        tenantless: false,
        operations,
        routes: None,
        events: None,
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
