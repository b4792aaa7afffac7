//! What makes a program one that may be evaluated: it ends, and it refers to nothing that is not there.

use std::collections::HashSet;
use std::fmt;

use super::body::{ActionBody, Effect, Operand, PolicyBody, ProgramBody, Target, Test};

/// The largest program that is read, in bytes.
pub(super) const MAX_SIZE: usize = 8 * 1024 * 1024;
/// The most policies.
pub(super) const MAX_POLICIES: usize = 16_384;
/// The most actions.
pub(super) const MAX_ACTIONS: usize = 16_384;
/// The most nodes of all policies together: a decision takes no more steps than this.
pub(super) const MAX_NODES: usize = 65_536;
/// The most attributes on one path.
pub(super) const MAX_ATTRIBUTES: usize = 8;

/// Why bytes are no decision program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// Larger than the bound; carries the size in bytes.
    TooLarge(usize),
    /// Not a program, cut short, or followed by something else.
    Garbage,
    /// A format this build does not read; carries the format found.
    Format(u16),
    /// More of something than the bound; says what.
    TooMany(&'static str),
    /// A policy id is empty or there twice.
    PolicyId(String),
    /// A `forbid` stands behind a `permit`, so that it could be evaluated too late.
    ForbidAfterPermit(String),
    /// A policy jumps backward, to itself or out of its nodes: its evaluation might not end.
    Jump {
        /// The policy.
        policy: String,
        /// The node that jumps; none for the entry.
        node: Option<usize>,
    },
    /// Actions are not sorted, or one is there twice.
    Actions(String),
    /// An action names policies that are not there, or not in ascending order.
    Applicable(String),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(n) => write!(f, "decision program has {n} bytes, more than {MAX_SIZE}"),
            Self::Garbage => f.write_str("decision program is unreadable"),
            Self::Format(n) => write!(f, "decision program has format {n}, which this build does not read"),
            Self::TooMany(what) => write!(f, "decision program has too many {what}"),
            Self::PolicyId(id) => write!(f, "policy id `{id}` is empty or there twice"),
            Self::ForbidAfterPermit(id) => write!(f, "policy `{id}` forbids but stands behind one that permits"),
            Self::Jump { policy, node: Some(node) } => {
                write!(f, "policy `{policy}` does not jump forward at node {node}")
            }
            Self::Jump { policy, node: None } => write!(f, "policy `{policy}` begins outside its nodes"),
            Self::Actions(name) => write!(f, "action `{name}` is out of order or there twice"),
            Self::Applicable(name) => write!(f, "action `{name}` names policies that are not there or out of order"),
        }
    }
}

impl std::error::Error for ProgramError {}

pub(super) fn check(body: &ProgramBody) -> Result<(), ProgramError> {
    let nodes: usize = body.policies.iter().map(|p| p.nodes.len()).sum();
    for (what, count, most) in [
        ("policies", body.policies.len(), MAX_POLICIES),
        ("actions", body.actions.len(), MAX_ACTIONS),
        ("nodes", nodes, MAX_NODES),
    ] {
        if count > most {
            return Err(ProgramError::TooMany(what));
        }
    }
    let mut ids = HashSet::new();
    for policy in &body.policies {
        if policy.id.is_empty() || !ids.insert(policy.id.as_str()) {
            return Err(ProgramError::PolicyId(policy.id.clone()));
        }
        check_policy(policy)?;
    }
    if let Some(late) = forbid_after_permit(&body.policies) {
        return Err(ProgramError::ForbidAfterPermit(late.id.clone()));
    }
    check_actions(&body.actions, body.policies.len())
}

/// INVARIANT: every jump leads forward, so a policy takes at most as many steps as it has nodes.
fn check_policy(policy: &PolicyBody) -> Result<(), ProgramError> {
    let bad_jump = |node| Err(ProgramError::Jump { policy: policy.id.clone(), node });
    let leads_on = |target, least: usize| match target {
        Target::Node(to) => usize::try_from(to).is_ok_and(|to| to >= least && to < policy.nodes.len()),
        Target::Satisfied | Target::NotSatisfied => true,
    };
    if !leads_on(policy.entry, 0) {
        return bad_jump(None);
    }
    for (at, node) in policy.nodes.iter().enumerate() {
        if !leads_on(node.on_true, at + 1) || !leads_on(node.on_false, at + 1) {
            return bad_jump(Some(at));
        }
        let too_deep = |o: &Operand| matches!(o, Operand::Path(p) if p.attributes.len() > MAX_ATTRIBUTES);
        let deep = match &node.test {
            Test::Equal(left, right) | Test::In(left, right) => too_deep(left) || too_deep(right),
            Test::IsTrue(operand) => too_deep(operand),
        };
        if deep {
            return Err(ProgramError::TooMany("attributes on a path"));
        }
    }
    Ok(())
}

/// INVARIANT: a decision that stops at the first satisfied policy has asked every `forbid` before any `permit`.
fn forbid_after_permit(policies: &[PolicyBody]) -> Option<&PolicyBody> {
    policies.iter().skip_while(|p| p.effect == Effect::Forbid).find(|p| p.effect == Effect::Forbid)
}

fn check_actions(actions: &[ActionBody], policies: usize) -> Result<(), ProgramError> {
    let mut before: Option<&str> = None;
    for action in actions {
        if before.is_some_and(|b| b >= action.name.as_str()) {
            return Err(ProgramError::Actions(action.name.clone()));
        }
        before = Some(&action.name);
        let in_range = action.policies.last().is_none_or(|last| usize::try_from(*last).is_ok_and(|l| l < policies));
        if !in_range || !action.policies.is_sorted_by(|a, b| a < b) {
            return Err(ProgramError::Applicable(action.name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Literal, Node, Path, Program, Root};

    fn policy(id: &str, effect: Effect, nodes: Vec<Node>) -> PolicyBody {
        let entry = if nodes.is_empty() { Target::Satisfied } else { Target::Node(0) };
        PolicyBody { id: id.into(), effect, annotations: vec![], entry, nodes }
    }

    fn node(on_true: Target, on_false: Target) -> Node {
        let operand = || Operand::Literal(Literal::Bool(true));
        Node { test: Test::Equal(operand(), operand()), on_true, on_false }
    }

    fn body(policies: Vec<PolicyBody>) -> ProgramBody {
        ProgramBody { format: ProgramBody::FORMAT, policies, actions: vec![] }
    }

    #[test]
    fn reads_what_was_written_and_nothing_else() {
        let nodes = vec![node(Target::Node(1), Target::NotSatisfied), node(Target::Satisfied, Target::NotSatisfied)];
        let mut written = body(vec![policy("a", Effect::Permit, nodes)]);
        written.actions = vec![ActionBody { name: "read".into(), policies: vec![0] }];
        let bytes = written.write().unwrap();
        assert_eq!(Program::read(&bytes).unwrap().body(), &written);
        for length in 0..bytes.len() {
            assert!(Program::read(&bytes[..length]).is_err(), "cut at {length}");
        }
        assert_eq!(Program::read(&[&bytes[..], &[0]].concat()), Err(ProgramError::Garbage));
        assert_eq!(Program::read(&vec![0; MAX_SIZE + 1]), Err(ProgramError::TooLarge(MAX_SIZE + 1)));
        written.format = 9;
        assert_eq!(Program::read(&written.write().unwrap()), Err(ProgramError::Format(9)));
    }

    #[test]
    fn flipped_bytes_never_panic_and_never_make_a_program_that_does_not_end() {
        let nodes = vec![node(Target::Node(1), Target::NotSatisfied), node(Target::Satisfied, Target::NotSatisfied)];
        let mut written = body(vec![policy("a", Effect::Permit, nodes)]);
        written.actions = vec![ActionBody { name: "read".into(), policies: vec![0] }];
        let bytes = written.write().unwrap();
        for at in 0..bytes.len() {
            for value in 0..=u8::MAX {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                if let Ok(program) = Program::read(&bytes) {
                    assert!(program.body().policies.iter().all(|p| check_policy(p).is_ok()));
                }
            }
        }
    }

    #[test]
    fn jumps_lead_forward_only() {
        let bad = |nodes: Vec<Node>, node| {
            let error = ProgramError::Jump { policy: "a".into(), node };
            assert_eq!(check(&body(vec![policy("a", Effect::Permit, nodes)])), Err(error));
        };
        let end = Target::Satisfied;
        bad(vec![node(Target::Node(0), end)], Some(0));
        bad(vec![node(end, Target::Node(0))], Some(0));
        bad(vec![node(Target::Node(1), end), node(end, Target::Node(0))], Some(1));
        bad(vec![node(end, Target::Node(1))], Some(0));
        bad(vec![node(end, Target::Node(u32::MAX))], Some(0));
        let mut outside = policy("a", Effect::Permit, vec![]);
        outside.entry = Target::Node(0);
        assert_eq!(check(&body(vec![outside])), Err(ProgramError::Jump { policy: "a".into(), node: None }));
    }

    #[test]
    fn policies_have_ids_and_an_order() {
        let (permit, forbid) = (policy("a", Effect::Permit, vec![]), policy("b", Effect::Forbid, vec![]));
        assert_eq!(check(&body(vec![forbid.clone(), permit.clone()])), Ok(()));
        let late = check(&body(vec![permit.clone(), forbid]));
        assert_eq!(late, Err(ProgramError::ForbidAfterPermit("b".into())));
        assert_eq!(check(&body(vec![permit.clone(), permit])), Err(ProgramError::PolicyId("a".into())));
        let nameless = policy("", Effect::Permit, vec![]);
        assert_eq!(check(&body(vec![nameless])), Err(ProgramError::PolicyId(String::new())));
    }

    #[test]
    fn actions_are_sorted_and_name_policies_that_are_there() {
        let with = |actions: &[(&str, &[u32])]| {
            let mut body = body(vec![policy("a", Effect::Permit, vec![]), policy("b", Effect::Permit, vec![])]);
            let action =
                |(name, policies): &(&str, &[u32])| ActionBody { name: (*name).into(), policies: policies.to_vec() };
            body.actions = actions.iter().map(action).collect();
            check(&body)
        };
        assert_eq!(with(&[("a", &[]), ("b", &[0, 1])]), Ok(()));
        assert_eq!(with(&[("b", &[]), ("a", &[])]), Err(ProgramError::Actions("a".into())));
        assert_eq!(with(&[("a", &[]), ("a", &[])]), Err(ProgramError::Actions("a".into())));
        assert_eq!(with(&[("a", &[2])]), Err(ProgramError::Applicable("a".into())));
        assert_eq!(with(&[("a", &[1, 0])]), Err(ProgramError::Applicable("a".into())));
        assert_eq!(with(&[("a", &[1, 1])]), Err(ProgramError::Applicable("a".into())));
    }

    #[test]
    fn everything_is_bounded() {
        let end = Target::Satisfied;
        let many = (0..=MAX_POLICIES).map(|n| policy(&n.to_string(), Effect::Permit, vec![])).collect();
        assert_eq!(check(&body(many)), Err(ProgramError::TooMany("policies")));
        let long = policy("a", Effect::Permit, vec![node(end, end); MAX_NODES + 1]);
        assert_eq!(check(&body(vec![long])), Err(ProgramError::TooMany("nodes")));
        let mut actions = body(vec![]);
        actions.actions = vec![ActionBody { name: "a".into(), policies: vec![] }; MAX_ACTIONS + 1];
        assert_eq!(check(&actions), Err(ProgramError::TooMany("actions")));
        let deep = Path { root: Root::Principal, attributes: vec!["a".into(); MAX_ATTRIBUTES + 1] };
        let deep = Node { test: Test::IsTrue(Operand::Path(deep)), on_true: end, on_false: end };
        let deep = check(&body(vec![policy("a", Effect::Permit, vec![deep])]));
        assert_eq!(deep, Err(ProgramError::TooMany("attributes on a path")));
    }
}
