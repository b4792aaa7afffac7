//! Compares a program with Cedar on requests that take every branch of this very program.

pub(super) mod domain;
mod nodes;
mod pieces;
mod search;

use std::collections::BTreeMap;

use partywall_authorization::{
    Expression, Names, Outcome, PolicyBody, Program, ProgramError, RequestFacts, RequestWorld, Scratch, Verdict,
};
use partywall_tenancy::Service;

use super::oracle::{Oracle, Ruling};
use super::{Parsed, Translated};
use crate::diagnostic::Diagnostic;

pub use domain::Case;
pub(crate) use domain::SCOPES_OF_TENANTS;

/// How many policies Cedar evaluates when all of them are compared together: about a second's work.
const MOST_EVALUATIONS: usize = 250_000;

/// How a program was compared with Cedar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Policies in the program.
    pub policies: usize,
    /// Branches: two for each scope and each condition that is asked for its truth.
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
    /// The node that asks, or [`PRINCIPAL_SCOPE`](partywall_authorization::PRINCIPAL_SCOPE) or
    /// [`RESOURCE_SCOPE`](partywall_authorization::RESOURCE_SCOPE).
    pub node: Expression,
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
    let names = Names::of(&program);
    let mut coverage = Coverage { policies: translated.program.policies.len(), ..Coverage::default() };
    let (mut warnings, mut errors, mut cases) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (at, policy) in translated.program.policies.iter().enumerate() {
        let origin = &parsed[at];
        let found = search::search(services, translated.policies[at].as_ref(), &program, &names, at);
        coverage.branches += found.branches;
        coverage.taken += found.branches - found.impossible.len() - found.unknown;
        if found.unknown > 0 {
            let message = "no request was found for every branch of this policy, so it cannot be compared with Cedar";
            let help = "split it into several policies, or take out comparisons that contradict each other";
            errors.push(origin.source.error_at(origin.offset, message).help(help));
            continue;
        }
        let never: Vec<Expression> = found.impossible.iter().map(|(node, _)| *node).collect();
        for (node, outcome) in found.impossible {
            coverage.impossible.push(Branch { policy: at, node, outcome });
            // Where a part has settled the whole, the part is told; where a policy applies to nothing, nothing is.
            let by_part = nodes::parts(&translated.program, node).iter().any(|part| never.contains(part));
            if by_part || found.cases.is_empty() {
                continue;
            }
            let (line, column) = origin.source.position(translated.place(origin, node));
            let message = format!("this is never {outcome}");
            let help = "what is asked before it, or the types of its two sides, have settled it: take one of them out";
            warnings.push(origin.source.warning(line, column, message).help(help));
        }
        let alone = Oracle::new([translated.policies[at].clone()]).map_err(|e| vec![internal(e)])?;
        for case in found.cases {
            compare_one(&program, &names, policy, &alone, &case.facts()).map_err(|e| vec![differ(&e, &case)])?;
            cases.insert(format!("{case:?}"), case);
        }
    }
    coverage.requests = cases.len();
    let all = Oracle::new(translated.policies.iter().cloned()).map_err(|e| vec![internal(e)])?;
    let step = 1 + coverage.policies * cases.len() / MOST_EVALUATIONS;
    for case in cases.values().step_by(step) {
        compare(&program, &names, &all, &case.facts()).map_err(|e| vec![differ(&e, case)])?;
    }
    if errors.is_empty() { Ok((coverage, warnings)) } else { Err(super::position::sorted(errors)) }
}

/// Asks the program and Cedar about one policy.
fn compare_one(
    program: &Program,
    names: &Names,
    policy: &PolicyBody,
    alone: &Oracle,
    facts: &RequestFacts<'_>,
) -> Result<(), String> {
    let cedar = alone.ask(facts)?;
    let (world, action) = world(program, names, facts)?;
    let ours = match program.applicable(action).find(|p| p.id == policy.id) {
        Some(policy) => program.evaluate(policy, &world, &|_, _| ()),
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

fn world<'a>(
    program: &Program,
    names: &'a Names,
    facts: &'a RequestFacts<'_>,
) -> Result<(RequestWorld<'a>, partywall_authorization::ActionIndex), String> {
    let action = program.find_entity("Action", facts.action).and_then(|action| program.action(action));
    let action = action.ok_or_else(|| format!("the program knows no action `{}`", facts.action))?;
    Ok((RequestWorld::new(facts, names).ok_or("the principal has too many roles")?, action))
}

/// Asks the program, in both of its ways, and Cedar. An error tells the difference.
pub fn compare(program: &Program, names: &Names, oracle: &Oracle, facts: &RequestFacts<'_>) -> Result<Ruling, String> {
    let cedar = oracle.ask(facts)?;
    let (world, action) = world(program, names, facts)?;
    let ours = Ruling::from(program.answer(action, &world));
    if ours != cedar {
        return Err(format!("{ours:?}, but {cedar:?}"));
    }
    let (outcome, errors) = program.decide(action, &world, &Scratch::default());
    let (allowed, by) = match outcome {
        Outcome::Permitted(policy) => (true, Some(policy)),
        Outcome::Forbidden(policy) => (false, Some(policy)),
        Outcome::NotPermitted | Outcome::TooMuch => (false, None),
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
    use partywall_authorization::{Binary, Node, Scope, Value, Variable};
    use partywall_tenancy::{Operation, SpiffeId};

    use super::super::{parse, translate};
    use super::*;
    use crate::diagnostic::Source;

    fn services() -> Vec<Service> {
        let operation = Operation::new("GET", "/orders", "orders:list", "Order");
        vec![Service::new("orders", SpiffeId::parse("spiffe://mesh.example/orders").unwrap(), vec![operation])]
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
        // The scope, both comparisons, and whether one of them holds.
        assert_eq!((coverage.policies, coverage.branches, coverage.taken), (1, 8, 8));
        assert_eq!(coverage.impossible, []);
    }

    #[test]
    fn whatever_is_wrong_cedar_disagrees() {
        let sources = [Source::new("a.cedar", POLICY)];
        let parsed = parse(&sources).0;
        let right = translate(&services(), &parsed).unwrap();
        let mut wrong = Vec::new();
        for (at, node) in right.program.nodes.iter().enumerate() {
            let others = match *node {
                Node::Any(list) => vec![Node::All(list)],
                Node::Binary(Binary::Equal, ..) => {
                    vec![Node::Value(Value::Bool(true)), Node::Value(Value::Bool(false))]
                }
                Node::Variable(Variable::Principal) => vec![Node::Variable(Variable::Resource)],
                _ => Vec::new(),
            };
            for other in others {
                let mut program = right.program.clone();
                program.nodes[at] = other;
                wrong.push(program);
            }
        }
        let role = right.program.policies[0].principal;
        let Scope::In(role) = role else { panic!("{role:?}") };
        for scope in [Scope::Any, Scope::Equal(role)] {
            let mut program = right.program.clone();
            program.policies[0].principal = scope;
            wrong.push(program);
        }
        assert_eq!(wrong.len(), 9);
        for program in wrong {
            let found = cover(&services(), &parsed, &Translated { program, ..right.clone() }).unwrap_err();
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
        assert_eq!(translated.program.actions[0].policies.remove(1), 1);
        assert!(cover(&services(), &parsed, &translated).is_err());
    }
}
