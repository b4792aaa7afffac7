//! Decisions of a small mesh, from the outside.

use partywall_authorization::{
    ActionBody, Authorization, Decision, Effect, Literal, Node, Operand, Path, PolicyBody, Program, ProgramBody, Query,
    Root, Target, Test, authorize,
};
use partywall_tenancy::{
    Operation, Owner, ProvedBy, Reason, Recover, Service, SpiffeId, Tenant, TenantContext, TenantId, TenantStatus,
};

fn tenant(id: &str) -> Tenant {
    let id = TenantId::parse(id).unwrap();
    Tenant { id, tier: "gold".into(), status: TenantStatus::Active, residency: "eu".into() }
}

fn context(tenant: &str, roles: &[&str]) -> TenantContext {
    TenantContext {
        tenant: TenantId::parse(tenant).unwrap(),
        tier: "gold".into(),
        region: "eu".into(),
        principal: "ann".into(),
        roles: roles.iter().map(|r| (*r).into()).collect(),
        scopes: vec![],
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: 0,
        caller: None,
    }
}

fn service() -> Service {
    let operation = |method: &str, path: &str, action: &str, id: Option<&str>, owner| Operation {
        method: method.into(),
        path: path.into(),
        action: action.into(),
        resource: "Order".into(),
        id: id.map(Into::into),
        owner,
        anonymous: false,
    };
    Service {
        name: "orders".into(),
        spiffe_id: SpiffeId::parse("spiffe://mesh.example/ns/shop/sa/orders").unwrap(),
        clusters: vec![],
        callers: vec![],
        max_context_age: 120,
        recover: Recover::Handle,
        own_tenant: None,
        act_for: None,
        operations: vec![
            operation("GET", "/orders/{id}", "orders:read", Some("id"), Owner::Unseen),
            operation("GET", "/tenants/{tenant}/orders", "orders:list", None, Owner::Path("tenant".into())),
            operation("DELETE", "/orders/{id}", "orders:delete", Some("id"), Owner::Unseen),
        ],
    }
}

fn path(root: Root, attributes: &[&str]) -> Operand {
    Operand::Path(Path { root, attributes: attributes.iter().map(|a| (*a).into()).collect() })
}

fn entity(kind: &str, id: &str) -> Operand {
    Operand::Literal(Literal::Entity { kind: kind.into(), id: id.into() })
}

fn policy(id: &str, effect: Effect, test: Option<Test>) -> PolicyBody {
    let nodes = test.map(|test| Node { test, on_true: Target::Satisfied, on_false: Target::NotSatisfied });
    let entry = if nodes.is_some() { Target::Node(0) } else { Target::Satisfied };
    PolicyBody { id: id.into(), effect, annotations: vec![], entry, nodes: nodes.into_iter().collect() }
}

/// Everything may be listed; viewers read, but not order 42; a policy that cannot be evaluated forbids deleting.
fn body() -> ProgramBody {
    let viewer = Test::In(path(Root::Principal, &[]), entity("Role", "viewer"));
    let policies = vec![
        policy("secret", Effect::Forbid, Some(Test::Equal(path(Root::Resource, &[]), entity("Order", "42")))),
        policy("broken", Effect::Forbid, Some(Test::IsTrue(path(Root::Context, &["nothing"])))),
        policy("viewers", Effect::Permit, Some(viewer)),
        policy("anybody", Effect::Permit, None),
    ];
    let action = |name: &str, policies: &[u32]| ActionBody { name: name.into(), policies: policies.to_vec() };
    let actions = vec![action("orders:delete", &[1]), action("orders:list", &[1, 3]), action("orders:read", &[0, 2])];
    ProgramBody { format: ProgramBody::FORMAT, policies, actions }
}

fn authorization() -> Authorization {
    Authorization::from_parts(Program::new(body()).unwrap(), &[service()]).unwrap()
}

#[track_caller]
fn denied(roles: &[&str], method: &str, path: &str, expected: (Reason, Option<&str>, u32)) {
    let (policy, context, tenant) = (authorization(), context("acme", roles), tenant("acme"));
    let query = Query { context: &context, tenant: &tenant, service: "orders", method, path };
    match authorize(&policy, &query) {
        Decision::Deny { reason, policy, errors, .. } => assert_eq!((reason, policy, errors), expected),
        allowed => panic!("{allowed:?}"),
    }
}

#[test]
fn allows_by_the_policy_that_permits() {
    let (policy, context, tenant) = (authorization(), context("acme", &["viewer"]), tenant("acme"));
    let ask = |path| {
        authorize(&policy, &Query { context: &context, tenant: &tenant, service: "orders", method: "GET", path })
    };
    assert_eq!(ask("/orders/7"), Decision::Allow { policy: "viewers", errors: 0 });
    assert_eq!(ask("/orders/7?id=42"), Decision::Allow { policy: "viewers", errors: 0 });
    // A forbid that cannot be evaluated does not forbid, and is counted.
    assert_eq!(ask("/tenants/acme/orders"), Decision::Allow { policy: "anybody", errors: 1 });
}

#[test]
fn denies_by_default_and_by_forbid() {
    denied(&[], "GET", "/orders/7", (Reason::PolicyDenied, None, 0));
    denied(&["viewer"], "GET", "/orders/42", (Reason::PolicyDenied, Some("secret"), 0));
    denied(&["viewer"], "GET", "/orders/%34%32", (Reason::PolicyDenied, Some("secret"), 0));
    denied(&["viewer"], "DELETE", "/orders/7", (Reason::PolicyDenied, None, 1));
}

#[test]
fn no_policy_lifts_the_invariants() {
    denied(&["viewer"], "GET", "/nothing", (Reason::ResourceUnmapped, None, 0));
    denied(&["viewer"], "PATCH", "/orders/7", (Reason::ResourceUnmapped, None, 0));
    denied(&["viewer"], "GET", "/tenants/globex/orders", (Reason::ResourceForeign, None, 0));
    denied(&["viewer"], "GET", "/tenants/%61cme/orders", (Reason::ResourceForeign, None, 0));
    denied(&["viewer"], "GET", "/tenants/ACME/orders", (Reason::ResourceForeign, None, 0));
    let (policy, context) = (authorization(), context("acme", &["viewer"]));
    for (tenant, service, expected) in
        [(tenant("globex"), "orders", Reason::TenantConflict), (tenant("acme"), "invoices", Reason::ResourceUnmapped)]
    {
        let query = Query { context: &context, tenant: &tenant, service, method: "GET", path: "/orders/7" };
        assert!(
            matches!(authorize(&policy, &query), Decision::Deny { reason, .. } if reason == expected),
            "{expected}"
        );
        assert_eq!(policy.answer(&query), None);
    }
}

#[test]
fn the_answer_names_every_determining_policy() {
    let (policy, context, tenant) = (authorization(), context("acme", &["viewer"]), tenant("acme"));
    let query =
        Query { context: &context, tenant: &tenant, service: "orders", method: "GET", path: "/tenants/acme/orders" };
    let answer = policy.answer(&query).unwrap();
    assert!(answer.allowed);
    assert_eq!(answer.determining.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["anybody"]);
    assert_eq!(answer.errors.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["broken"]);
}

#[test]
fn an_operation_whose_action_the_program_lacks_is_refused() {
    let mut body = body();
    body.actions.pop();
    let refusal = Authorization::from_parts(Program::new(body).unwrap(), &[service()]).unwrap_err();
    let expected = "contradicts itself: service `orders`: the program knows no action `orders:read`";
    assert_eq!(refusal.to_string(), expected);
}
