//! Which policies are asked is no matter of what is decided: many policies of one action, told apart by tenant, role,
//! type and resource, decide as they do one by one, and as Cedar does.
#![allow(missing_docs)]

mod lower_support;
mod random;

use std::fmt::Write as _;

use lower_support::{services, tenants};
use partywall_authorization::{
    Entity, Id, Lookup, Names, Outcome, Program, RequestFacts, RequestWorld, Scratch, Text, Value, Variable, World,
};
use partywall_cli::diagnostic::Source;
use partywall_cli::lower::oracle::Oracle;
use partywall_cli::lower::{parse, translate};
use partywall_tenancy::{NameSet, Tenant};
use random::Random;

const TENANTS: &[&str] = &["acme", "globex", "initech"];
const ROLES: &[&str] = &["viewer", "clerk", "buyer", "auditor"];
const ACTIONS: &[(&str, &str)] = &[("invoices:read", "Invoice"), ("orders:read", "Order")];

/// A world that does not tell the principal's tenant.
struct Untold<'a>(&'a RequestWorld<'a>);

impl World for Untold<'_> {
    fn variable(&self, variable: Variable) -> Value {
        self.0.variable(variable)
    }
    fn attribute(&self, entity: Entity, name: Text) -> Lookup {
        self.0.attribute(entity, name)
    }
    fn tag(&self, entity: Entity, name: Text) -> Lookup {
        self.0.tag(entity, name)
    }
    fn is_in(&self, child: Entity, ancestor: Entity) -> bool {
        self.0.is_in(child, ancestor)
    }
    fn kind(&self, entity: Entity) -> Option<Text> {
        self.0.kind(entity)
    }
    fn text(&self, text: Text) -> Option<&str> {
        self.0.text(text)
    }
    fn value(&self, at: usize) -> Option<Value> {
        self.0.value(at)
    }
    fn ancestors(&self, entity: Entity) -> &[Entity] {
        self.0.ancestors(entity)
    }
    fn tenant(&self) -> Option<Entity> {
        None
    }
}

fn policies(random: &mut Random, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        if random.chance(40) {
            let _ = writeln!(text, "@tenant(\"{}\")", random.of(TENANTS));
        }
        let effect = if random.chance(80) { "permit" } else { "forbid" };
        let principal = match random.below(4) {
            0 => "principal".into(),
            1 => format!("principal == User::\"{}/ann\"", random.of(TENANTS)),
            2 => format!("principal is User in Role::\"{}\"", random.of(ROLES)),
            _ => format!("principal in Role::\"{}\"", random.of(ROLES)),
        };
        let kind = random.of(&["Invoice", "Order"]);
        let resource = match random.below(5) {
            0 => "resource".into(),
            1 => format!("resource == {kind}::\"{}\"", random.below(4)),
            2 => format!("resource is {kind} in {kind}::\"{}\"", random.below(4)),
            _ => format!("resource is {kind}"),
        };
        // Most do not hold, so that the many do not all say the same.
        let _ = writeln!(
            text,
            "{effect} ({principal}, action, {resource}) when {{ principal.tenant.tier == \"{}\" }};",
            random.of(&["gold", "silver", "bronze", "iron", "tin"])
        );
    }
    text
}

fn facts<'a>(
    tenant: &'a Tenant,
    subject: &'a str,
    roles: &'a [String],
    action: &'a str,
    resource_type: &'a str,
    id: &'a str,
) -> RequestFacts<'a> {
    RequestFacts {
        tenant,
        subject,
        roles,
        action,
        resource_type,
        resource_id: Id::plain(id),
        owner: tenant,
        service: "spiffe://mesh.example/ns/shop/sa/orders",
        attributes: partywall_tenancy::Attributes::none(),
        time: 0,
        networks: NameSet::none(),
        caller: "",
        scopes: &[],
    }
}

#[test]
fn the_index_loses_no_policy_and_lets_none_through() {
    let (tenants, services) = (tenants(), services());
    let mut random = Random(0x1de7);
    let (mut allowed, mut denied) = (0, 0);
    for _ in 0..150 {
        let count = 1 + random.below(60);
        let text = policies(&mut random, count);
        let sources = [Source::new("random.cedar", text.as_str())];
        let (parsed, errors) = parse(&sources);
        assert!(errors.is_empty(), "{}\n{text}", errors[0]);
        let translated = translate(&services, &parsed).unwrap();
        let program = Program::new(translated.program).unwrap();
        let (names, oracle) = (Names::of(&program), Oracle::new(translated.policies).unwrap());
        for _ in 0..20 {
            let (action, kind) = ACTIONS[random.below(2)];
            let roles: Vec<String> = ROLES.iter().filter(|_| random.chance(30)).map(|r| (*r).into()).collect();
            let (tenant, id) = (&tenants[random.below(3)], random.below(5).to_string());
            let subject = random.of(&["ann", "bob"]);
            let facts = facts(tenant, subject, &roles, action, kind, &id);
            let world = RequestWorld::new(&facts, &names).unwrap();
            let action = program.action(program.find_entity("Action", action).unwrap()).unwrap();
            let theirs = oracle.ask(&facts).unwrap();
            let permits = |outcome: Outcome<'_>| matches!(outcome, Outcome::Permitted(_));
            let scratch = Scratch::default();
            assert_eq!(permits(program.decide(action, &world, &scratch).0), theirs.allowed, "{facts:?}\n{text}");
            let untold = Untold(&world);
            assert_eq!(permits(program.decide(action, &untold, &scratch).0), theirs.allowed, "{facts:?}\n{text}");
            assert_eq!(program.answer(action, &world).allowed, theirs.allowed, "{facts:?}\n{text}");
            allowed += usize::from(theirs.allowed);
            denied += usize::from(!theirs.allowed);
        }
    }
    assert!(allowed > 500 && denied > 500, "{allowed} allowed, {denied} denied");
}

/// Program and Cedar are asked about the same rewritten policy, so what `@tenant` means is said here in full.
#[test]
fn a_policy_of_one_tenant_is_none_of_another() {
    let text = "@tenant(\"acme\") @id(\"viewers\")\n\
                permit (principal in Role::\"viewer\", action, resource is Order);\n\
                @tenant(\"acme\") @id(\"too-large\")\n\
                permit (principal, action, resource is Order) when { 9223372036854775807 + 1 == 0 };\n";
    let sources = [Source::new("a.cedar", text)];
    let (parsed, _) = parse(&sources);
    let translated = translate(&services(), &parsed).unwrap();
    let program = Program::new(translated.program).unwrap();
    let (names, oracle) = (Names::of(&program), Oracle::new(translated.policies).unwrap());
    let (tenants, viewer) = (tenants(), ["viewer".to_owned()]);
    // What another tenant's policy cannot evaluate is no error here: its tenant is asked first.
    for (tenant, roles, allowed, errors) in
        [(0, &viewer[..], true, 1), (0, &[], false, 1), (1, &viewer, false, 0), (2, &viewer, false, 0)]
    {
        let facts = facts(&tenants[tenant], "ann", roles, "orders:read", "Order", "1");
        let world = RequestWorld::new(&facts, &names).unwrap();
        let action = program.action(program.find_entity("Action", "orders:read").unwrap()).unwrap();
        let answer = program.answer(action, &world);
        assert_eq!((answer.allowed, answer.errors.len()), (allowed, errors), "{facts:?}");
        let theirs = oracle.ask(&facts).unwrap();
        assert_eq!((theirs.allowed, theirs.errors.len()), (allowed, errors), "{facts:?}");
        let outcome = program.decide(action, &world, &Scratch::default()).0;
        assert_eq!(matches!(outcome, Outcome::Permitted(_)), allowed, "{facts:?}");
    }
}
