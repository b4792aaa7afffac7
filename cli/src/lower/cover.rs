//! Compares a program with Cedar on requests that take every branch of this very program.

mod domain;
mod search;

use std::collections::BTreeMap;

use partywall_authorization::{Outcome, PolicyBody, Program, ProgramError, RequestFacts, Verdict};
use partywall_tenancy::Service;

use super::oracle::{Oracle, Ruling};
use super::{Parsed, Translated};
use crate::diagnostic::Diagnostic;

pub use domain::Case;

/// How many policies Cedar evaluates when all of them are compared together: about a second's work.
const MOST_EVALUATIONS: usize = 250_000;

/// How a program was compared with Cedar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Policies in the program.
    pub policies: usize,
    /// Branches: two for each comparison.
    pub branches: usize,
    /// Branches that at least one request took.
    pub taken: usize,
    /// Branches that no request can take, as the search went through all that matter.
    pub impossible: Vec<Branch>,
    /// Requests on which Cedar and the program were asked, and agreed.
    pub requests: usize,
}

/// One outcome of one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Position of the policy in the program.
    pub policy: usize,
    /// Position of the comparison among its nodes.
    pub node: usize,
    /// The outcome.
    pub outcome: bool,
}

/// Takes every branch and asks Cedar on the way. Also warns of branches that no request can take.
///
/// Each policy is compared by itself on the requests that take its branches. All policies together
/// are compared on the same requests, or on a part of them spread evenly where that were too many.
pub(super) fn cover(
    services: &[Service],
    parsed: &[Parsed<'_>],
    translated: &Translated,
) -> Result<(Coverage, Vec<Diagnostic>), Vec<Diagnostic>> {
    let program = Program::new(translated.program.clone()).map_err(|e| vec![unfit(&e)])?;
    let mut coverage = Coverage { policies: translated.program.policies.len(), ..Coverage::default() };
    let (mut warnings, mut errors, mut cases) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (at, policy) in translated.program.policies.iter().enumerate() {
        let origin = &parsed[translated.origins[at]];
        let found = search::search(services, &translated.program, at);
        coverage.branches += 2 * policy.nodes.len();
        coverage.taken += found.taken;
        if found.gave_up {
            let message = "no request was found for every branch of this policy, so it cannot be compared with Cedar";
            let help = "split it into several policies, or take out comparisons that contradict each other";
            errors.push(origin.source.error_at(origin.offset, message).help(help));
            continue;
        }
        for (node, outcome) in found.impossible {
            coverage.impossible.push(Branch { policy: at, node, outcome });
            let (line, column) = origin.source.position(translated.offsets[at][node]);
            let message = format!("this is never {outcome}");
            let help = "what is asked before it, or the types of its two sides, have settled it: take one of them out";
            warnings.push(origin.source.warning(line, column, message).help(help));
        }
        let alone = Oracle::new([origin.policy.clone()]).map_err(|e| vec![internal(e)])?;
        for case in found.cases {
            compare_one(&program, policy, &alone, &case.facts()).map_err(|e| vec![differ(&e, &case)])?;
            cases.insert(format!("{case:?}"), case);
        }
    }
    coverage.requests = cases.len();
    let all = Oracle::new(parsed.iter().map(|p| p.policy.clone())).map_err(|e| vec![internal(e)])?;
    let step = 1 + coverage.policies * cases.len() / MOST_EVALUATIONS;
    for case in cases.values().step_by(step) {
        compare(&program, &all, &case.facts()).map_err(|e| vec![differ(&e, case)])?;
    }
    if errors.is_empty() { Ok((coverage, warnings)) } else { Err(super::position::sorted(errors)) }
}

/// Asks the program and Cedar about one policy.
fn compare_one(program: &Program, policy: &PolicyBody, alone: &Oracle, facts: &RequestFacts<'_>) -> Result<(), String> {
    let cedar = alone.ask(facts)?;
    let action =
        program.action(facts.action).ok_or_else(|| format!("the program knows no action `{}`", facts.action))?;
    let ours = match program.applicable(action).find(|p| p.id == policy.id) {
        Some(policy) => policy.evaluate(facts),
        None => Verdict::NotSatisfied,
    };
    let theirs = if !cedar.errors.is_empty() {
        Verdict::Error
    } else if cedar.determining.is_empty() {
        Verdict::NotSatisfied
    } else {
        Verdict::Satisfied
    };
    if ours == theirs { Ok(()) } else { Err(format!("policy `{}` is {ours:?}, in Cedar {theirs:?}", policy.id)) }
}

/// Asks the program, in both of its ways, and Cedar. An error tells the difference.
pub fn compare(program: &Program, oracle: &Oracle, facts: &RequestFacts<'_>) -> Result<Ruling, String> {
    let cedar = oracle.ask(facts)?;
    let action =
        program.action(facts.action).ok_or_else(|| format!("the program knows no action `{}`", facts.action))?;
    let ours = Ruling::from(program.answer(action, facts));
    if ours != cedar {
        return Err(format!("{ours:?}, but {cedar:?}"));
    }
    let (outcome, errors) = program.decide(action, facts);
    let (allowed, by) = match outcome {
        Outcome::Permitted(policy) => (true, Some(policy)),
        Outcome::Forbidden(policy) => (false, Some(policy)),
        Outcome::NotPermitted => (false, None),
    };
    let names_one = by.map_or(cedar.determining.is_empty(), |policy| cedar.determining.contains(&policy.id));
    // A decision that was settled early has not met the errors behind it.
    let counted = usize::try_from(errors)
        .is_ok_and(|e| if by.is_none() { e == cedar.errors.len() } else { e <= cedar.errors.len() });
    if allowed != cedar.allowed || !names_one || !counted {
        return Err(format!("the decision is {outcome:?} with {errors} errors, but {cedar:?}"));
    }
    Ok(cedar)
}

fn unfit(error: &ProgramError) -> Diagnostic {
    match error {
        ProgramError::TooMany(_) => Diagnostic::of_file("policies", error.to_string())
            .help("give the entities of long lists a role, and join policies that differ in one comparison"),
        _ => internal(error.to_string()),
    }
}

fn differ(what: &str, case: &Case) -> Diagnostic {
    internal(format!("program and Cedar differ: {what}; asked: {case:?}"))
}

fn internal(message: String) -> Diagnostic {
    Diagnostic::of_file("(internal)", message)
        .help("this is a defect of partywall, not of the policies: please report it with them")
}

#[cfg(test)]
mod tests {
    use partywall_tenancy::{Operation, Owner, Recover, SpiffeId};

    use super::super::{parse, translate};
    use super::*;
    use crate::diagnostic::Source;

    fn services() -> Vec<Service> {
        let operation = Operation {
            method: "GET".into(),
            path: "/orders".into(),
            action: "orders:list".into(),
            resource: "Order".into(),
            id: None,
            owner: Owner::Unseen,
            anonymous: false,
        };
        vec![Service {
            name: "orders".into(),
            spiffe_id: SpiffeId::parse("spiffe://mesh.example/orders").unwrap(),
            clusters: vec![],
            callers: vec![],
            max_context_age: 60,
            recover: Recover::Handle,
            own_tenant: None,
            act_for: None,
            operations: vec![operation],
        }]
    }

    const POLICY: &str = r#"
        permit (principal in Role::"viewer", action, resource)
        when { principal.tenant.tier == "gold" || principal.tenant == resource.tenant };
    "#;

    #[test]
    fn every_branch_is_taken() {
        let sources = [Source::new("a.cedar", POLICY)];
        let parsed = parse(&sources).0;
        let translated = translate(&services(), &parsed).unwrap();
        let (coverage, warnings) = cover(&services(), &parsed, &translated).unwrap();
        assert!(warnings.is_empty(), "{warnings:#?}");
        assert_eq!((coverage.policies, coverage.branches, coverage.taken), (1, 6, 6));
        assert_eq!((coverage.impossible, coverage.requests), (vec![], 4));
    }

    #[test]
    fn whatever_branch_is_wrong_cedar_disagrees() {
        let sources = [Source::new("a.cedar", POLICY)];
        let parsed = parse(&sources).0;
        for node in 0..3 {
            let mut translated = translate(&services(), &parsed).unwrap();
            let node = &mut translated.program.policies[0].nodes[node];
            std::mem::swap(&mut node.on_true, &mut node.on_false);
            let found = cover(&services(), &parsed, &translated).unwrap_err();
            assert_eq!(found[0].path, "(internal)");
            assert!(found[0].message.starts_with("program and Cedar differ"), "{}", found[0]);
        }
    }

    #[test]
    fn a_policy_that_lost_its_action_is_a_difference() {
        let sources =
            [Source::new("a.cedar", "permit (principal, action, resource);\nforbid (principal, action, resource);")];
        let parsed = parse(&sources).0;
        let mut translated = translate(&services(), &parsed).unwrap();
        assert_eq!(translated.program.actions[0].policies.remove(0), 0);
        assert!(cover(&services(), &parsed, &translated).is_err());
    }
}
