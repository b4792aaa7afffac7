//! Programs that nobody compiled, and requests that nobody should send: no panic, an end, and a denial when in doubt.
#![allow(missing_docs)]

use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, PolicySet, Request};
use partywall_authorization::{
    Id, Names, Outcome, Program, ProgramBody, ProgramError, RequestFacts, RequestWorld, Scratch, Verdict,
};
use partywall_cli::lower::any::Compiled;
use partywall_tenancy::{NameSet, Tenant, TenantId, TenantStatus};

const POLICIES: &str = r#"
    @id("a") @owner("team")
    permit (principal in Role::"viewer", action in [Action::"read", Action::"list"], resource is Order)
    when { principal.tenant.tier like "g*d" && [principal.tenant, Tenant::"acme"].contains(resource.tenant) }
    unless { {tier: principal.tenant.tier, n: 1} == {n: 1, tier: "silver"} };
    @id("b")
    forbid (principal, action == Action::"read", resource == Order::"42")
    when { (if context has service.owner then 1 + 2 * 3 else -4) < 7 || ip("10.0.0.1").isInRange(ip("10.0.0.0/8")) };
"#;

fn compiled(policies: &str) -> Compiled {
    let set = PolicySet::from_str(policies).unwrap();
    let actions = ["Action::\"read\"", "Action::\"list\""].map(|action| EntityUid::from_str(action).unwrap());
    Compiled::new(&set, &actions, &Entities::empty()).unwrap()
}

fn tenant() -> Tenant {
    let id = TenantId::parse("acme").unwrap();
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

fn evaluate(program: &Program) -> usize {
    let (tenant, roles) = (tenant(), ["viewer".to_owned()]);
    let facts = RequestFacts {
        tenant: &tenant,
        subject: "ann",
        roles: &roles,
        action: "read",
        resource_type: "Order",
        resource_id: Id::plain("42"),
        owner: &tenant,
        service: "spiffe://mesh.example/orders",
        attributes: partywall_tenancy::Attributes::none(),
        time: 0,
        networks: NameSet::none(),
        caller: "",
        scopes: &[],
    };
    let names = Names::of(program);
    let Some(world) = RequestWorld::new(&facts, &names) else { return 0 };
    let mut said = 0;
    for policy in &program.body().policies {
        said += usize::from(program.evaluate(policy, &world, &|_, _| ()) != Verdict::NotSatisfied);
    }
    if let Some(action) = program.find_entity("Action", "read").and_then(|action| program.action(action)) {
        let (outcome, _) = program.decide(action, &world, &Scratch::default());
        said += usize::from(outcome != Outcome::NotPermitted);
    }
    said
}

#[test]
fn whatever_byte_is_changed_it_is_refused_or_it_ends() {
    let bytes = compiled(POLICIES).program().body().write().unwrap();
    assert_eq!(evaluate(&Program::read(&bytes).unwrap()), 3);
    let (mut read, mut refused) = (0, 0);
    for at in 0..bytes.len() {
        for value in 0..=u8::MAX {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            match Program::read(&bytes) {
                Ok(program) => {
                    evaluate(&program);
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(Program::read(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(Program::read(&[&bytes[..], &[0]].concat()).unwrap_err(), ProgramError::Garbage);
    println!("{read} read, {refused} refused");
    assert!(read > 1000 && refused > 1000);
}

#[test]
fn what_refers_to_nothing_or_forward_is_refused() {
    use partywall_authorization::{Binary, Entity, List, Node, Place, Slice, Text, Unary, Value};
    let good = compiled(POLICIES).program().body().clone();
    let with = |change: &dyn Fn(&mut ProgramBody)| {
        let mut body = good.clone();
        change(&mut body);
        Program::new(body).unwrap_err()
    };
    let node = |node: Node| with(&move |body| body.nodes[3] = node);
    for bad in [
        node(Node::Unary(Unary::Not, 3)),
        node(Node::Unary(Unary::Not, 9999)),
        node(Node::Binary(Binary::Equal, 0, u32::MAX)),
        node(Node::If(0, 1, 4)),
        node(Node::Attribute(0, Text(9999))),
        node(Node::Value(Value::Entity(Entity(9999)))),
        node(Node::Value(Value::Set(Slice { place: Place::Program, start: 0, len: u32::MAX }))),
        node(Node::Value(Value::Set(Slice { place: Place::World, start: 0, len: 0 }))),
        node(Node::Value(Value::Set(Slice { place: Place::Scratch, start: 0, len: 0 }))),
        node(Node::Set(List { start: u32::MAX, len: 1 })),
        node(Node::Like(0, 9999)),
    ] {
        assert_eq!(bad, ProgramError::Reference("node", 3));
    }
    let itself = with(&|body| {
        let start = u32::try_from(body.values.len()).unwrap();
        body.values.push(Value::Set(Slice { place: Place::Program, start, len: 1 }));
    });
    assert!(matches!(itself, ProgramError::Reference("value", _)), "{itself}");
    assert_eq!(with(&|body| body.texts.reverse()), ProgramError::Order("texts"));
    assert_eq!(with(&|body| body.entities.reverse()), ProgramError::Order("entities"));
    assert_eq!(with(&|body| body.policies[1].id = "policy0".into()), ProgramError::PolicyId("policy0".into()));
    assert_eq!(with(&|body| body.policies[1].condition = Some(9999)), ProgramError::Reference("policy", 1));
    assert_eq!(with(&|body| body.actions[0].policies = vec![9]), ProgramError::Reference("action", 0));
    assert_eq!(with(&|body| body.actions[0].policies = vec![1, 0]), ProgramError::Order("policies of an action"));
    let deep = with(&|body| {
        for _ in 0..300 {
            let last = u32::try_from(body.nodes.len() - 1).unwrap();
            body.nodes.push(Node::Unary(Unary::Not, last));
        }
    });
    assert!(matches!(deep, ProgramError::Depth("node", _)), "{deep}");
    // Nodes that share others do little to read and much to evaluate.
    let doubled = with(&|body| {
        for _ in 0..40 {
            let last = u32::try_from(body.nodes.len() - 1).unwrap();
            body.nodes.push(Node::Binary(Binary::Equal, last, last));
        }
        body.policies[0].condition = Some(u32::try_from(body.nodes.len() - 1).unwrap());
    });
    assert_eq!(doubled, ProgramError::TooMany("evaluations"));
}

/// A `forbid` that would take too long is none that does not forbid.
#[test]
fn a_request_that_takes_too_long_is_denied() {
    let policies = "permit (principal, action, resource);\n\
                    forbid (principal, action, resource) when { context.a.containsAll(context.b) };";
    let compiled = compiled(policies);
    let uid = |text: &str| EntityUid::from_str(text).unwrap();
    let ask = |size: usize| {
        let numbers = |from: usize| (from..from + size).collect::<Vec<_>>();
        // Nothing of the second is in the first but what stands last.
        let context = serde_json::json!({ "a": numbers(0), "b": numbers(1) });
        let context = Context::from_json_value(context, None).unwrap();
        let request =
            Request::new(uid("User::\"a\""), uid("Action::\"read\""), uid("Doc::\"a\""), context, None).unwrap();
        compiled.ask(&request, &Entities::empty()).unwrap().allowed
    };
    assert!(ask(100), "it does not hold, so nothing forbids");
    assert!(!ask(3000));
}
