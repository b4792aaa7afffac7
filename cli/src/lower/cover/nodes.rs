//! The branches of a policy: what its evaluation asks, and what must have been answered before.

use partywall_authorization::{
    Expression, Node, PRINCIPAL_SCOPE, PolicyBody, ProgramBody, RESOURCE_SCOPE, Scope, Unary, Value,
};

/// Something that is asked for a truth, and the answers that lead to it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) node: Expression,
    /// What was asked on the way, and what had to come out. All of it, in order.
    pub(super) way: Vec<(Expression, bool)>,
}

/// What is asked for a truth: the scopes, the condition, and whatever `&&`, `||`, `!` and `if` look at. What no request
/// changes has one outcome and is none of them.
pub(super) fn asked(program: &ProgramBody, policy: &PolicyBody) -> Vec<Asked> {
    let (mut found, mut way) = (Vec::new(), Vec::new());
    for (scope, node) in [(policy.principal, PRINCIPAL_SCOPE), (policy.resource, RESOURCE_SCOPE)] {
        if scope != Scope::Any {
            found.push(Asked { node, way: way.clone() });
            way.push((node, true));
        }
    }
    if let Some(condition) = policy.condition {
        truth(program, condition, &way, &mut found);
    }
    found.retain(|asked| !is_constant(program, asked.node));
    found
}

/// `at` is asked for its truth when `way` was gone.
fn truth(program: &ProgramBody, at: Expression, way: &[(Expression, bool)], found: &mut Vec<Asked>) {
    found.push(Asked { node: at, way: way.to_vec() });
    inner(program, at, way, found);
}

fn inner(program: &ProgramBody, at: Expression, way: &[(Expression, bool)], found: &mut Vec<Asked>) {
    match program.nodes[at as usize] {
        Node::All(_) | Node::Any(_) => {
            let goes_on = matches!(program.nodes[at as usize], Node::All(_));
            let mut way = way.to_vec();
            for part in children(program, at) {
                truth(program, part, &way, found);
                way.push((part, goes_on));
            }
        }
        Node::Unary(Unary::Not, of) => truth(program, of, way, found),
        Node::If(test, yes, no) => {
            truth(program, test, way, found);
            for (branch, outcome) in [(yes, true), (no, false)] {
                let way: Vec<_> = way.iter().copied().chain([(test, outcome)]).collect();
                inner(program, branch, &way, found);
            }
        }
        _ => children(program, at).into_iter().for_each(|child| inner(program, child, way, found)),
    }
}

/// In which ways a condition comes out as wanted.
pub(super) enum Ways {
    /// It is asked as it is.
    Asked,
    /// It is written out, and that is what is wanted, or not.
    Settled(bool),
    /// All of these must come out so.
    AllOf(Vec<(Expression, bool)>),
    /// All of one of these lists.
    OneOf(Vec<Vec<(Expression, bool)>>),
}

/// Takes a condition apart, once.
pub(super) fn ways(program: &ProgramBody, (at, wanted): (Expression, bool)) -> Ways {
    match program.nodes.get(at as usize) {
        Some(Node::Value(Value::Bool(value))) => Ways::Settled(*value == wanted),
        Some(Node::Unary(Unary::Not, of)) => Ways::AllOf(vec![(*of, !wanted)]),
        Some(Node::All(_) | Node::Any(_)) => {
            let goes_on = matches!(program.nodes[at as usize], Node::All(_));
            let parts = children(program, at);
            if wanted == goes_on {
                return Ways::AllOf(parts.into_iter().map(|part| (part, goes_on)).collect());
            }
            let ends_with = |n: usize| {
                let before = parts[..n].iter().map(|part| (*part, goes_on));
                before.chain([(parts[n], !goes_on)]).collect()
            };
            Ways::OneOf((0..parts.len()).map(ends_with).collect())
        }
        Some(Node::If(test, yes, no)) => {
            Ways::OneOf(vec![vec![(*test, true), (*yes, wanted)], vec![(*test, false), (*no, wanted)]])
        }
        _ => Ways::Asked,
    }
}

/// Every node of a condition.
pub(super) fn reachable(program: &ProgramBody, condition: Option<Expression>) -> Vec<Expression> {
    let (mut found, mut open) = (Vec::new(), Vec::from_iter(condition));
    while let Some(at) = open.pop() {
        found.push(at);
        open.extend(children(program, at));
    }
    found
}

/// What `&&`, `||` and `!` put together.
pub(super) fn parts(program: &ProgramBody, at: Expression) -> Vec<Expression> {
    match program.nodes.get(at as usize) {
        Some(Node::All(_) | Node::Any(_) | Node::Unary(Unary::Not, _)) => children(program, at),
        _ => Vec::new(),
    }
}

/// Whether no request makes a difference.
fn is_constant(program: &ProgramBody, at: Expression) -> bool {
    let varies = |at: &Expression| matches!(program.nodes.get(*at as usize), Some(Node::Variable(_)));
    (at as usize) < program.nodes.len() && !reachable(program, Some(at)).iter().any(varies)
}

/// What a node refers to.
pub(super) fn children(program: &ProgramBody, at: Expression) -> Vec<Expression> {
    match program.nodes[at as usize] {
        Node::Value(_) | Node::Variable(_) => Vec::new(),
        Node::If(test, yes, no) => vec![test, yes, no],
        Node::All(list) | Node::Any(list) | Node::Set(list) | Node::Record(_, list) | Node::Call(_, list) => {
            program.lists[list.start as usize..(list.start + list.len) as usize].to_vec()
        }
        Node::Binary(_, left, right) => vec![left, right],
        Node::Unary(_, of) | Node::Attribute(of, _) | Node::Has(of, _) | Node::Like(of, _) | Node::Is(of, _) => {
            vec![of]
        }
    }
}
