//! Random policies and requests: the program and Cedar's own authorizer must agree on every one.

mod lower_support;
mod random;

use std::fmt::Write as _;

use lower_support::{services, tenants};
use partywall_authorization::{Names, Program, RequestWorld};
use partywall_cli::diagnostic::Source;
use partywall_cli::lower::cover::{Branch, Case, compare};
use partywall_cli::lower::oracle::Oracle;
use partywall_cli::lower::{Coverage, Vocabulary, lower, parse, translate};
use partywall_tenancy::{Attributes, NameSet, Scope, Tenant, TenantId, TenantStatus};
use random::Random;

const SETS: usize = 2_000;
const REQUESTS: usize = 10;

const TENANTS: &[&str] = &["acme", "globex", "initech"];
const SUBJECTS: &[&str] = &["ann", "bob", "a/b", "é"];
// One is called like a tenant: an id says nothing without its type.
const ROLES: &[&str] = &["viewer", "accountant", "odd \\\"role\\\"", "acme"];
const TEXTS: &[&str] = &["suspended", "gold", "silver", "eu", "us", ""];
/// Of features and consents; some are no text of any policy, and some are what a tier is called.
const NAMES: &[&str] = &["analytics", "export", "unnamed-1", "unnamed-2"];
const IDS: &[&str] = &["1", "2", "latest", "%31"];
const ACTIONS: &[&str] = &["invoices:read", "invoices:delete", "invoices:list", "orders:read", "orders:list"];
/// Around the times that policies write.
const TIMES: [u64; 6] = [0, 1_798_131_600, 1_798_135_199, 1_798_135_200, 1_798_135_201, 1_798_156_800];
const SERVICES: &[&str] = &["spiffe://mesh.example/ns/shop/sa/invoices", "spiffe://mesh.example/ns/shop/sa/orders"];

/// Who calls: nobody who is known, a service, a service itself, somebody whom no policy names.
const CALLERS: &[&str] = &["", SERVICES[0], SERVICES[1], "spiffe://mesh.example/ns/other/sa/unnamed"];

fn entity(random: &mut Random, kind: &str) -> String {
    match kind {
        "User" => format!("User::\"{}/{}\"", random.of(TENANTS), random.of(SUBJECTS)),
        "Role" => format!("Role::\"{}\"", random.of(ROLES)),
        "Tenant" => format!("Tenant::\"{}\"", random.of(TENANTS)),
        "Workload" => format!("Workload::\"{}\"", random.of(&CALLERS[..3])),
        "Action" => format!("Action::\"{}\"", random.of(ACTIONS)),
        kind => format!("{kind}::\"{}\"", random.of(IDS)),
    }
}

fn resource(random: &mut Random) -> String {
    let kind = random.of(&["Invoice", "Order"]);
    entity(random, kind)
}

/// A comparison that is mostly well typed; `wild` ones have attributes that are not there and types that do not fit.
fn comparison(random: &mut Random, wild: bool) -> String {
    if wild && random.chance(25) {
        let path = |random: &mut Random| {
            random
                .of(&[
                    "principal.nosuch",
                    "resource.tenant.nosuch.deeper",
                    "context.nosuch",
                    "principal.tenant.tier",
                    "principal.tenant.tier.size",
                    "principal.tenant",
                    "action",
                    "principal",
                    "context.service",
                    "context.caller",
                    "resource.tenant.residency",
                ])
                .to_owned()
        };
        let (left, right) = (path(random), path(random));
        return match random.below(6) {
            0 => left,
            5 => format!("principal in {}", entity(random, "Tenant")),
            1 => format!("{left} == {right}"),
            2 => format!("{left} in {right}"),
            3 => format!("{left} in [{}, {}]", entity(random, "Role"), entity(random, "Tenant")),
            _ => format!("{left} == {}", random.of(&["1", "true", "\"gold\"", "Role::\"viewer\""])),
        };
    }
    if random.chance(25) {
        return of_sets(random, wild);
    }
    match random.below(16) {
        0 | 1 => format!("principal in {}", entity(random, "Role")),
        2 => format!("principal in [{}, {}]", entity(random, "Role"), entity(random, "Role")),
        3 => format!("principal == {}", entity(random, "User")),
        4 => format!("principal.tenant == {}", entity(random, "Tenant")),
        5 => "principal.tenant == resource.tenant".into(),
        6 => format!("{}.tenant.tier == \"{}\"", random.of(&["principal", "resource"]), random.of(TEXTS)),
        7 => "principal.tenant.residency == resource.tenant.residency".into(),
        8 => format!("\"{}\" == {}.tenant.residency", random.of(TEXTS), random.of(&["principal", "resource"])),
        9 => match random.below(3) {
            0 => format!("context.service == {}", entity(random, "Workload")),
            1 => format!("context.caller {} {}", random.of(&["==", "!="]), entity(random, "Workload")),
            _ => "context.caller == context.service".into(),
        },
        11 => {
            let of = |random: &mut Random| random.of(&["principal", "resource"]);
            let texts = ["\"active\"", "\"suspended\"", "\"gold\"", "principal.tenant.tier", "resource.tenant.status"];
            format!("{}.tenant.status {} {}", of(random), random.of(&["==", "!="]), random.of(&texts))
        }
        12 => {
            let texts = [
                "\"gold\"",
                "\"eu\"",
                "\"\"",
                "principal.tenant.tier",
                "resource.classification",
                "context.purpose",
                "\"tenant\"",
                "\"global-read\"",
            ];
            let left = random.of(&["resource.dataset", "resource.classification", "context.purpose", "context.scope"]);
            let right = std::iter::repeat_with(|| random.of(&texts)).find(|right| *right != left).unwrap();
            format!("{left} {} {right}", random.of(&["==", "!="]))
        }
        13 => format!("context.time {} datetime(\"2026-12-24T18:00:00Z\")", random.of(&["<", "<=", ">", "=="])),
        14 => {
            let hours = random.of(&["8h", "17h", "18h"]);
            format!("context.time.toTime() {} duration(\"{hours}\")", random.of(&["<", ">=", "=="]))
        }
        10 => format!("action {} {}", random.of(&["==", "in"]), entity(random, "Action")),
        _ => random.of(&["true", "false", "1 == 1", "\"a\" == \"b\"", "Role::\"viewer\" == Role::\"viewer\""]).into(),
    }
}

/// Something about features, consents, networks and scopes.
fn of_sets(random: &mut Random, wild: bool) -> String {
    fn set(random: &mut Random) -> String {
        if random.chance(25) {
            return random.of(&["context.networks", "context.scopes"]).to_owned();
        }
        let (whose, which) = (random.of(&["principal", "resource"]), random.of(&["features", "consents"]));
        format!("{whose}.tenant.{which}")
    }
    // A text that is not written out may be any: then there are too many requests to go through for some of these.
    fn text(random: &mut Random, wild: bool) -> String {
        match random.below(4) {
            0 | 1 if !wild => format!("\"{}\"", random.of(&NAMES[..2])),
            0 => "principal.tenant.tier".into(),
            1 => "resource.tenant.status".into(),
            2 => format!("\"{}\"", random.of(TEXTS)),
            _ => format!("\"{}\"", random.of(&NAMES[..2])),
        }
    }
    fn other(random: &mut Random, wild: bool) -> String {
        match random.below(3) {
            0 => set(random),
            _ => {
                let count = 1 + random.below(3);
                format!("[{}]", (0..count).map(|_| text(random, wild)).collect::<Vec<_>>().join(", "))
            }
        }
    }
    let held = set(random);
    // That a set holds itself takes no request to be seen.
    let with = std::iter::repeat_with(|| other(random, wild)).find(|with| *with != held).unwrap();
    match random.below(if wild { 9 } else { 7 }) {
        0 | 1 => format!("{held}.contains({})", text(random, wild)),
        2 => format!("{held}.containsAll({with})"),
        3 => format!("{with}.containsAll({held})"),
        4 => format!("{}.containsAny({})", held, with),
        5 => format!("{held} {} {with}", random.of(&["==", "!="])),
        6 => format!("{held}.isEmpty()"),
        7 => format!("principal.tenant has {}", random.of(&["consents", "features", "nosuch"])),
        _ => format!("{held}.contains({})", random.of(&["1", "principal", "Role::\"viewer\"", "context.service"])),
    }
}

fn condition(random: &mut Random, wild: bool, depth: usize) -> String {
    if depth == 0 || random.chance(30) {
        return comparison(random, wild);
    }
    let operator = random.of(&[" && ", " || "]);
    let parts: Vec<_> = (0..2 + random.below(2)).map(|_| condition(random, wild, depth - 1)).collect();
    format!("({})", parts.join(operator))
}

fn policy(random: &mut Random, wild: bool) -> String {
    let principal = match random.below(6) {
        // Never true, as no user is a role.
        0 if wild => format!("principal == {}", entity(random, "Role")),
        0 => format!("principal == {}", entity(random, "User")),
        1 | 2 => format!("principal in {}", entity(random, "Role")),
        _ => "principal".into(),
    };
    let action = match random.below(5) {
        0 => format!("action == {}", entity(random, "Action")),
        1 => format!("action in [{}, {}]", entity(random, "Action"), entity(random, "Action")),
        2 => format!("action in {}", entity(random, "Action")),
        _ => "action".into(),
    };
    let resource = match random.below(6) {
        0 => format!("resource == {}", resource(random)),
        1 => format!("resource in {}", resource(random)),
        _ => "resource".into(),
    };
    let effect = if random.chance(70) { "permit" } else { "forbid" };
    let mut text = format!("{effect} ({principal}, {action}, {resource})");
    for _ in 0..random.below(3) {
        let _ = write!(text, " when {{ {} }}", condition(random, wild, 3));
    }
    text + ";\n"
}

fn tenant(id: &str, random: &mut Random) -> Tenant {
    Tenant {
        id: TenantId::parse(id).unwrap(),
        tier: random.of(TEXTS).into(),
        status: TenantStatus::ALL[random.below(3)],
        residency: random.of(TEXTS).into(),
        cell: None,
        features: names(random),
        consents: names(random),
    }
}

fn names(random: &mut Random) -> NameSet {
    NameSet::new(TEXTS.iter().chain(NAMES).filter(|_| random.chance(30))).unwrap()
}

fn request(random: &mut Random) -> Case {
    let principals = random.of(TENANTS);
    let tenant = tenant(principals, random);
    let owner = random.of(TENANTS);
    let action = random.of(ACTIONS);
    Case {
        owner: if owner == principals { tenant.clone() } else { self::tenant(owner, random) },
        tenant,
        subject: random.of(SUBJECTS).into(),
        roles: ["viewer", "accountant", "odd \"role\"", "acme"]
            .iter()
            .filter(|_| random.chance(40))
            .map(|r| (*r).into())
            .collect(),
        action: action.into(),
        resource_type: if action.starts_with("invoices") { "Invoice" } else { "Order" }.into(),
        resource_id: random.of(IDS).into(),
        service: random.of(SERVICES).into(),
        attributes: Attributes {
            dataset: random.of(TEXTS).into(),
            classification: random.of(TEXTS).into(),
            purpose: random.of(TEXTS).into(),
            scope: [Scope::Tenant, Scope::GlobalRead][random.below(2)],
            ..Attributes::default()
        },
        time: TIMES[random.below(TIMES.len())],
        caller: random.of(CALLERS).into(),
        networks: names(random),
        scopes: names(random).iter().map(str::to_owned).collect(),
    }
}

fn seed() -> u64 {
    let given = std::env::var("PARTYWALL_SEED").ok();
    given.map_or(0x05ee_d0fc_a5e5, |seed| seed.parse().expect("PARTYWALL_SEED must be a number"))
}

#[test]
fn the_program_is_cedar() {
    let seed = seed();
    println!("PARTYWALL_SEED={seed}");
    let services = services();
    let mut random = Random(seed);
    let (mut compared, mut allowed, mut forbidden, mut with_errors) = (0, 0, 0, 0);
    for _ in 0..SETS {
        let wild = random.chance(40);
        let count = 1 + random.below(6);
        let text: String = (0..count).map(|_| policy(&mut random, wild)).collect();
        let sources = [Source::new("random.cedar", text.as_str())];
        let (parsed, errors) = parse(&sources);
        assert!(errors.is_empty(), "{}\n{text}", errors[0]);
        let translated = translate(&services, &parsed).unwrap_or_else(|e| panic!("{}\n{text}", e[0]));
        let program = Program::read(&translated.program.write().unwrap()).unwrap();
        let names = Names::of(&program);
        let oracle = Oracle::new(translated.policies).unwrap();
        for _ in 0..REQUESTS {
            let case = request(&mut random);
            let ruling =
                compare(&program, &names, &oracle, &case.facts()).unwrap_or_else(|e| panic!("{e}\n{case:#?}\n{text}"));
            compared += 1;
            allowed += usize::from(ruling.allowed);
            forbidden += usize::from(!ruling.allowed && !ruling.determining.is_empty());
            with_errors += usize::from(!ruling.errors.is_empty());
        }
    }
    println!("{compared} compared, 0 differ: {allowed} allowed, {forbidden} forbidden, {with_errors} with errors");
    // A generator that only ever denies would prove nothing.
    assert!(compared == SETS * REQUESTS && allowed > 2_000 && forbidden > 2_000 && with_errors > 1_000);
}

#[test]
fn what_passes_validation_is_covered_branch_by_branch() {
    let seed = seed();
    println!("PARTYWALL_SEED={seed}");
    let (tenants, services) = (tenants(), services());
    let vocabulary = Vocabulary { tenants: &tenants, services: &services, networks: None, clusters: &[] };
    let mut random = Random(seed);
    let (mut sets, mut branches, mut taken, mut impossible, mut requests) = (0, 0, 0, 0, 0);
    for _ in 0..300 {
        let count = 1 + random.below(4);
        let text: String = (0..count).map(|_| policy(&mut random, false)).collect();
        match lower(&vocabulary, &[Source::new("random.cedar", text.as_str())]) {
            Ok(lowered) => {
                let coverage = lowered.coverage;
                assert_eq!(coverage.taken + coverage.impossible.len(), coverage.branches, "{text}");
                let program = Program::new(lowered.program).unwrap();
                for _ in 0..200 {
                    takes_nothing_impossible(&program, &coverage, &request(&mut random), &text);
                }
                sets += 1;
                branches += coverage.branches;
                taken += coverage.taken;
                impossible += coverage.impossible.len();
                requests += coverage.requests;
            }
            Err(found) => panic!("{}\n{text}", found[0]),
        }
    }
    println!("{sets} sets: {branches} branches, {taken} taken, {impossible} impossible, by {requests} requests");
    assert!(taken > 5_000);
}

fn takes_nothing_impossible(program: &Program, coverage: &Coverage, case: &Case, text: &str) {
    let names = Names::of(program);
    let facts = case.facts();
    let world = RequestWorld::new(&facts, &names).unwrap();
    let action = program.action(program.find_entity("Action", facts.action).unwrap()).unwrap();
    for applicable in program.applicable(action) {
        let at = program.body().policies.iter().position(|p| p.id == applicable.id).unwrap();
        program.evaluate(applicable, &world, &|node, outcome| {
            let branch = Branch { policy: at, node, outcome };
            assert!(!coverage.impossible.contains(&branch), "{branch:?} was taken by {case:#?}\n{text}");
        });
    }
}
