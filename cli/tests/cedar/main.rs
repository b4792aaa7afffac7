//! Any policies, entities and requests of Cedar: the program and Cedar's own authorizer must agree on every one.
//!
//! `PARTYWALL_COMPARISONS=1000000` makes it a long run, `PARTYWALL_SEED` another one.
#![allow(missing_docs)]

mod generate;
#[path = "../random/mod.rs"]
mod random;

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, PolicyId, PolicySet, Request, SlotId};
use partywall_cli::lower::any::{Compiled, oracle};
use random::Random;

const COMPARISONS: usize = 20_000;
const REQUESTS: usize = 10;

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

fn uid(text: &str) -> EntityUid {
    EntityUid::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The policies, each under its `@id`, and two links of each template.
fn set(random: &mut Random, policies: &generate::Policies) -> PolicySet {
    let parsed = PolicySet::from_str(&policies.text).unwrap_or_else(|e| panic!("{e:?}\n{}", policies.text));
    let mut set = PolicySet::new();
    for policy in parsed.policies() {
        let id = PolicyId::new(policy.annotation("id").unwrap());
        set.add(policy.new_id(id)).unwrap();
    }
    for template in parsed.templates() {
        let id = template.annotation("id").unwrap().to_owned();
        set.add_template(template.new_id(PolicyId::new(&id))).unwrap();
        let (_, principal, resource) = policies.templates.iter().find(|(of, ..)| *of == id).unwrap();
        for nth in 0..2 {
            let mut slots = HashMap::new();
            if *principal {
                slots.insert(SlotId::principal(), uid(&generate::link(random)));
            }
            if *resource {
                slots.insert(SlotId::resource(), uid(&generate::link(random)));
            }
            set.link(PolicyId::new(&id), PolicyId::new(format!("{id}-{nth}")), slots).unwrap();
        }
    }
    set
}

#[test]
fn the_program_is_cedar_whatever_the_policies() {
    let seed = number("PARTYWALL_SEED", 0x0ced_a5ee_d5ee_d001);
    let wanted = usize::try_from(number("PARTYWALL_COMPARISONS", COMPARISONS as u64)).unwrap();
    println!("PARTYWALL_SEED={seed}");
    let mut random = Random(seed);
    let actions: Vec<EntityUid> = generate::actions().iter().map(|action| uid(action)).collect();
    let (mut compared, mut allowed, mut forbidden, mut with_errors) = (0, 0, 0, 0);
    while compared < wanted {
        let count = 1 + random.below(5);
        let policies = generate::policies(&mut random, count);
        let set = set(&mut random, &policies);
        let entities = generate::entities(&mut random);
        let entities = Entities::from_json_value(entities, None).unwrap();
        let compiled = Compiled::new(&set, &actions, &entities).unwrap_or_else(|e| panic!("{e:?}\n{}", policies.text));
        for _ in 0..REQUESTS {
            let (principal, action, resource) = generate::request(&mut random);
            let context = Context::from_json_value(generate::attributes(&mut random), None).unwrap();
            let request = Request::new(uid(&principal), uid(&action), uid(&resource), context, None).unwrap();
            let (ours, theirs) = (compiled.ask(&request, &entities), oracle(&set, &request, &entities));
            assert_eq!(ours.as_ref(), Ok(&theirs), "PARTYWALL_SEED={seed}\n{}\n{request}", policies.text);
            compared += 1;
            allowed += usize::from(theirs.allowed);
            forbidden += usize::from(!theirs.allowed && !theirs.determining.is_empty());
            with_errors += usize::from(!theirs.errors.is_empty());
        }
        if compared % 100_000 == 0 {
            println!("{compared} of {wanted}");
        }
    }
    println!("{compared} compared, 0 differ: {allowed} allowed, {forbidden} forbidden, {with_errors} with errors");
    // A generator that only ever denies would prove nothing.
    assert!(allowed > compared / 10 && forbidden > compared / 20 && with_errors > compared / 20);
}
