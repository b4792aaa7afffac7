//! Decisions of a small mesh, from the outside.

use partywall_authorization::{
    Across, ActionBody, Authorization, Call, Decision, Effect, Entity, Node, PolicyBody, Program, ProgramBody, Query,
    Scope, Text, Variable, authorize, authorize_across, authorize_shared,
};
use partywall_tenancy::{
    GrantId, Leave, NameSet, Operation, Owner, ProvedBy, Reason, Residency, Service, SpiffeId, Tenant, TenantContext,
    TenantId, TenantStatus,
};

fn tenant(id: &str) -> Tenant {
    let id = TenantId::parse(id).unwrap();
    Tenant {
        id,
        tier: "gold".into(),
        status: TenantStatus::Active,
        residency: "eu".into(),
        cell: None,
        features: NameSet::default(),
        consents: NameSet::default(),
    }
}

fn context(tenant: &str, roles: &[&str]) -> TenantContext {
    TenantContext {
        tenant: TenantId::parse(tenant).unwrap(),
        tier: "gold".into(),
        region: "eu".into(),
        principal: "ann".into(),
        roles: roles.iter().map(|r| (*r).into()).collect(),
        scopes: vec![],
        networks: NameSet::default(),
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: 0,
        caller: None,
    }
}

fn service() -> Service {
    let operation = |method: &str, path: &str, action: &str, id: Option<&str>, owner| Operation {
        id: id.map(Into::into),
        owner,
        ..Operation::new(method, path, action, "Order")
    };
    Service::new(
        "orders",
        SpiffeId::parse("spiffe://mesh.example/ns/shop/sa/orders").unwrap(),
        vec![
            operation("GET", "/orders/{id}", "orders:read", Some("id"), Owner::Unseen),
            operation("GET", "/tenants/{tenant}/orders", "orders:list", None, Owner::path("tenant")),
            operation("DELETE", "/orders/{id}", "orders:delete", Some("id"), Owner::Unseen),
        ],
    )
}

const TEXTS: [&str; 9] =
    ["42", "Action", "Order", "Role", "nothing", "orders:delete", "orders:list", "orders:read", "viewer"];

fn text(text: &str) -> Text {
    Text(TEXTS.binary_search(&text).unwrap() as u32)
}

const ENTITIES: [(&str, &str); 5] = [
    ("Action", "orders:delete"),
    ("Action", "orders:list"),
    ("Action", "orders:read"),
    ("Order", "42"),
    ("Role", "viewer"),
];

fn entity(kind: &str, id: &str) -> Entity {
    Entity(ENTITIES.iter().position(|named| *named == (kind, id)).unwrap() as u32)
}

fn policy(id: &str, effect: Effect) -> PolicyBody {
    PolicyBody {
        id: id.into(),
        effect,
        annotations: vec![],
        principal: Scope::Any,
        resource: Scope::Any,
        tenant: None,
        condition: None,
    }
}

/// Everything may be listed; viewers read, but not order 42; a policy that cannot be evaluated forbids deleting.
fn body() -> ProgramBody {
    let policies = vec![
        PolicyBody { resource: Scope::Equal(entity("Order", "42")), ..policy("secret", Effect::Forbid) },
        PolicyBody { condition: Some(1), ..policy("broken", Effect::Forbid) },
        PolicyBody { principal: Scope::In(entity("Role", "viewer")), ..policy("viewers", Effect::Permit) },
        policy("anybody", Effect::Permit),
    ];
    let action =
        |name: &str, policies: &[u32]| ActionBody { action: entity("Action", name), policies: policies.to_vec() };
    ProgramBody {
        format: ProgramBody::FORMAT,
        texts: TEXTS.iter().map(ToString::to_string).collect(),
        entities: ENTITIES.iter().map(|(kind, id)| (text(kind), text(id))).collect(),
        nodes: vec![Node::Variable(Variable::Context), Node::Attribute(0, text("nothing"))],
        policies,
        actions: vec![action("orders:delete", &[1]), action("orders:list", &[1, 3]), action("orders:read", &[0, 2])],
        ..ProgramBody::default()
    }
}

fn authorization() -> Authorization {
    Authorization::from_parts(Program::new(body()).unwrap(), &[service()]).unwrap()
}

#[track_caller]
fn denied(roles: &[&str], method: &str, path: &str, expected: (Reason, Option<&str>, u32)) {
    let (policy, context, tenant) = (authorization(), context("acme", roles), tenant("acme"));
    let query = Query {
        context: &context,
        tenant: &tenant,
        service: "orders",
        call: Call::plain(method, path),
        region: "",
        time: 0,
    };
    match authorize(&policy, &query) {
        Decision::Deny { reason, policy, errors, .. } => assert_eq!((reason, policy, errors), expected),
        allowed => panic!("{allowed:?}"),
    }
}

#[test]
fn allows_by_the_policy_that_permits() {
    let (policy, context, tenant) = (authorization(), context("acme", &["viewer"]), tenant("acme"));
    let ask = |path| {
        authorize(
            &policy,
            &Query {
                context: &context,
                tenant: &tenant,
                service: "orders",
                call: Call::plain("GET", path),
                region: "",
                time: 0,
            },
        )
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
        let query = Query {
            context: &context,
            tenant: &tenant,
            service,
            call: Call::plain("GET", "/orders/7"),
            region: "",
            time: 0,
        };
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
    let query = Query {
        context: &context,
        tenant: &tenant,
        service: "orders",
        call: Call::plain("GET", "/tenants/acme/orders"),
        region: "",
        time: 0,
    };
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

#[test]
fn a_grant_lets_one_cross_and_do_what_it_says() {
    let (policy, context, own) = (authorization(), context("acme", &[]), tenant("acme"));
    let grant = Leave::Grant(GrantId::new([7; 16]));
    let ask = |method: &str, path: &str| {
        let query = Query {
            context: &context,
            tenant: &own,
            service: "orders",
            call: Call::plain(method, path),
            region: "",
            time: 0,
        };
        authorize_across(&policy, &query, |crossing| {
            (crossing.owner == "globex" && crossing.action == "orders:list").then(|| (grant.clone(), tenant("globex")))
        })
    };
    // `broken` cannot be evaluated, which is counted here, too.
    assert_eq!(ask("GET", "/tenants/globex/orders"), Across::Granted { leave: grant.clone(), errors: 1 });
    let foreign =
        |path| matches!(ask("GET", path), Across::Decided(Decision::Deny { reason: Reason::ResourceForeign, .. }));
    assert!(foreign("/tenants/initech/orders"));
    assert!(foreign("/tenants/%67lobex/orders"), "an owner in another spelling is another owner");
    let own = ask("GET", "/tenants/acme/orders");
    assert_eq!(own, Across::Decided(Decision::Allow { policy: "anybody", errors: 1 }), "nobody needs a grant at home");
    let other = ask("GET", "/orders/7");
    assert!(matches!(other, Across::Decided(Decision::Deny { reason: Reason::PolicyDenied, .. })));
}

#[test]
fn no_grant_is_heard_over_a_policy_that_forbids() {
    let mut body = body();
    body.policies.push(PolicyBody {
        principal: Scope::In(entity("Role", "viewer")),
        ..policy("viewers-stay-at-home", Effect::Forbid)
    });
    body.actions[1].policies = vec![1, 3, 4];
    let policy = Authorization::from_parts(Program::new(body).unwrap(), &[service()]).unwrap();
    let (context, own) = (context("acme", &["viewer"]), tenant("acme"));
    let path = "/tenants/globex/orders";
    let query = Query {
        context: &context,
        tenant: &own,
        service: "orders",
        call: Call::plain("GET", path),
        region: "",
        time: 0,
    };
    match authorize_across(&policy, &query, |_| Some((Leave::Grant(GrantId::new([7; 16])), tenant("globex")))) {
        Across::Kept(Decision::Deny { policy, .. }) => assert_eq!(policy, Some("viewers-stay-at-home")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_grant_for_one_tenant_opens_no_other() {
    let (policy, context, own) = (authorization(), context("acme", &[]), tenant("acme"));
    let query = Query {
        context: &context,
        tenant: &own,
        service: "orders",
        call: Call::plain("GET", "/tenants/globex/orders"),
        region: "",
        time: 0,
    };
    let across = authorize_across(&policy, &query, |_| Some((Leave::Grant(GrantId::new([7; 16])), tenant("initech"))));
    assert!(matches!(across, Across::Kept(Decision::Deny { reason: Reason::ResourceForeign, .. })));
}

#[test]
fn nobody_writes_by_a_share() {
    let share = || Leave::Share { name: "s".into() };
    let (context, own) = (context("acme", &[]), tenant("acme"));
    let ask = |of_operation: &str, method: &str, given: Leave| {
        let mut service = service();
        service.operations.iter_mut().for_each(|operation| {
            if operation.action == "orders:list" {
                operation.method = of_operation.into();
            }
        });
        let policy = Authorization::from_parts(Program::new(body()).unwrap(), &[service]).unwrap();
        let call = Call::plain(method, "/tenants/globex/orders");
        let query = Query { context: &context, tenant: &own, service: "orders", call, region: "", time: 0 };
        // Whoever gives leave may be wrong about it.
        match authorize_across(&policy, &query, |_| Some((given, tenant("globex")))) {
            Across::Granted { .. } => "crosses",
            Across::Decided(Decision::Deny { reason: Reason::ResourceForeign, .. }) => "foreign",
            _ => "something else",
        }
    };
    for method in ["GET", "HEAD"] {
        assert_eq!(ask(method, method, share()), "crosses", "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        assert_eq!(ask(method, method, share()), "foreign", "{method}");
        assert_eq!(ask(method, method, Leave::Grant(GrantId::new([7; 16]))), "crosses", "{method} by a grant");
    }
}

#[test]
fn what_a_tenant_shares_unnamed_is_read_where_its_owner_may_be_too() {
    let mut service = service();
    let read = &mut service.operations[0];
    (read.attributes.residency, read.attributes.needs_consent) = (Residency::Owners, true);
    read.attributes.purpose = "analytics".into();
    let policy = Authorization::from_parts(Program::new(body()).unwrap(), &[service]).unwrap();
    let of = |id: &str, residency: &str, consents: &[&str]| Tenant {
        residency: residency.into(),
        consents: NameSet::new(consents).unwrap(),
        ..tenant(id)
    };
    let ask = |roles: &[&str], reader: &[&str], owner: &Tenant| {
        let (context, tenant) = (context("acme", roles), of("acme", "eu", reader));
        let call = Call::plain("GET", "/orders/7");
        let query = Query { context: &context, tenant: &tenant, service: "orders", call, region: "eu", time: 0 };
        match authorize_shared(&policy, &query, owner) {
            Decision::Allow { .. } => None,
            Decision::Deny { reason, .. } => Some(reason),
        }
    };
    let (given, viewer) = (&["analytics"][..], &["viewer"][..]);
    assert_eq!(ask(viewer, given, &of("globex", "eu", given)), None);
    assert_eq!(ask(viewer, given, &of("globex", "eu", &[])), Some(Reason::Consent), "the owner's");
    assert_eq!(ask(viewer, &[], &of("globex", "eu", given)), Some(Reason::Consent), "the reader's");
    assert_eq!(ask(viewer, given, &of("globex", "us", given)), Some(Reason::Residency), "the owner's");
    // It stands in for no permit.
    assert_eq!(ask(&[], given, &of("globex", "eu", given)), Some(Reason::PolicyDenied));
}
