//! What makes a program one that may be evaluated: it ends, and it refers to nothing that is not there.

use std::collections::HashSet;
use std::fmt;

use super::body::{ActionBody, Expression, List, Node, PolicyBody, ProgramBody, Scope};
use crate::{Place, Slice, Value};

/// The largest program that is read, in bytes.
pub(super) const MAX_SIZE: usize = 8 * 1024 * 1024;
/// The most policies, and the most actions.
pub(super) const MAX_POLICIES: usize = 16_384;
/// The most of anything else that a program lists.
pub(super) const MAX_LIST: usize = 262_144;
/// The most elements of all sets, records and lists together: each may name the same ones again.
const MAX_REFERENCES: usize = 4 * MAX_LIST;
/// How deep expressions nest, and values: evaluation descends into them.
const MAX_DEPTH: u16 = 192;

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
    /// A list that must be sorted is not, or holds something twice; says which.
    Order(&'static str),
    /// Something refers to what is not there or does not stand before it; says what, and its position.
    Reference(&'static str, usize),
    /// Expressions or values nest too deeply; says which, and its position.
    Depth(&'static str, usize),
    /// A policy id is empty or there twice.
    PolicyId(String),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("decision program ")?;
        match self {
            Self::TooLarge(n) => write!(f, "has {n} bytes, more than {MAX_SIZE}"),
            Self::Garbage => f.write_str("is unreadable"),
            Self::Format(n) => write!(f, "has format {n}, which this build does not read"),
            Self::TooMany(what) => write!(f, "has too many {what}"),
            Self::Order(what) => write!(f, "has {what} out of order or twice"),
            Self::Reference(what, at) => write!(f, "refers to nothing at {what} {at}"),
            Self::Depth(what, at) => write!(f, "nests deeper than {MAX_DEPTH} at {what} {at}"),
            Self::PolicyId(id) => write!(f, "has policy id `{id}` empty or twice"),
        }
    }
}

impl std::error::Error for ProgramError {}

/// What does not ask how large expressions are.
pub(super) fn before_nodes(body: &ProgramBody) -> Result<(), ProgramError> {
    for (what, count, most) in [
        ("policies", body.policies.len(), MAX_POLICIES),
        ("actions", body.actions.len(), MAX_POLICIES),
        ("texts", body.texts.len(), MAX_LIST),
        ("entities", body.entities.len(), MAX_LIST),
        ("values", body.values.len(), MAX_LIST),
        ("patterns", body.patterns.len(), MAX_LIST),
        ("lists", body.lists.len(), MAX_LIST),
        ("nodes", body.nodes.len(), MAX_LIST),
    ] {
        if count > most {
            return Err(ProgramError::TooMany(what));
        }
    }
    if !body.texts.is_sorted_by(|a, b| a < b) {
        return Err(ProgramError::Order("texts"));
    }
    if !body.entities.is_sorted_by(|a, b| a < b) {
        return Err(ProgramError::Order("entities"));
    }
    let texts = body.texts.len();
    let unnamed = body.entities.iter().position(|(kind, id)| !before(kind.0, texts) || !before(id.0, texts));
    unnamed.map_or(Ok(()), |at| Err(ProgramError::Reference("entity", at)))?;
    if let Some(at) = body.patterns.iter().position(Vec::is_empty) {
        return Err(ProgramError::Reference("pattern", at));
    }
    check_values(body)
}

/// What does.
pub(super) fn after_nodes(body: &ProgramBody, nodes: &Nodes) -> Result<(), ProgramError> {
    check_policies(body, &nodes.sizes)?;
    check_actions(&body.actions, body)
}

fn before(number: u32, len: usize) -> bool {
    usize::try_from(number).is_ok_and(|number| number < len)
}

fn known(value: Value, body: &ProgramBody) -> bool {
    match value {
        Value::Text(text) => before(text.0, body.texts.len()),
        Value::Entity(entity) => before(entity.0, body.entities.len()),
        _ => true,
    }
}

/// INVARIANT: what a set or a record holds stands before it, so values nest without end nowhere.
fn check_values(body: &ProgramBody) -> Result<(), ProgramError> {
    let mut depths: Vec<u16> = Vec::with_capacity(body.values.len());
    let mut references = 0usize;
    for (at, value) in body.values.iter().enumerate() {
        let bad = ProgramError::Reference("value", at);
        let depth = match value {
            Value::Set(slice) | Value::Record(slice) => depth_of(slice, &depths).ok_or(bad)?,
            value if known(*value, body) => 0,
            _ => return Err(bad),
        };
        references = references.saturating_add(elements(*value));
        if references > MAX_REFERENCES {
            return Err(ProgramError::TooMany("elements of sets and records"));
        }
        if depth > MAX_DEPTH {
            return Err(ProgramError::Depth("value", at));
        }
        if let Value::Record(slice) = value
            && !are_fields(*slice, body)
        {
            return Err(ProgramError::Order("fields of a record"));
        }
        depths.push(depth);
    }
    Ok(())
}

/// How deep the values of a slice nest; `None` when they do not all stand before.
fn depth_of(slice: &Slice, depths: &[u16]) -> Option<u16> {
    let within = depths.get(slice.range()).filter(|_| slice.place == Place::Program)?;
    Some(within.iter().max().map_or(1, |depth| depth.saturating_add(1)))
}

fn are_fields(slice: Slice, body: &ProgramBody) -> bool {
    let fields = body.values.get(slice.range()).unwrap_or_default();
    let (pairs, rest) = fields.as_chunks::<2>();
    let names: Vec<_> = pairs.iter().map(|[name, _]| name).collect();
    rest.is_empty() && are_names(names.iter().copied(), true)
}

fn are_names<'v>(names: impl Iterator<Item = &'v Value>, sorted: bool) -> bool {
    let texts: Option<Vec<_>> = names.map(|v| if let Value::Text(text) = v { Some(*text) } else { None }).collect();
    texts.is_some_and(|texts| !sorted || texts.is_sorted_by(|a, b| a < b))
}

/// How many elements a set or record says it has.
fn elements(value: Value) -> usize {
    match value {
        Value::Set(slice) | Value::Record(slice) => usize::try_from(slice.len).unwrap_or(usize::MAX),
        _ => 0,
    }
}

/// How much else a node says it refers to.
fn references(node: &Node) -> usize {
    let len = |len: u32| usize::try_from(len).unwrap_or(usize::MAX);
    match *node {
        Node::Value(value) => elements(value),
        Node::All(parts) | Node::Any(parts) | Node::Set(parts) | Node::Call(_, parts) => len(parts.len),
        Node::Has(_, path) => len(path.len),
        Node::Record(fields, parts) => len(fields.len).saturating_add(len(parts.len)),
        _ => 0,
    }
}

/// The nodes that were checked, from the first on.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// What they refer to, all together.
    references: usize,
    /// How many evaluations each takes at most.
    sizes: Vec<usize>,
    depths: Vec<u16>,
}

impl Nodes {
    /// Checks as many more as `budget` says, and takes them off it with what they refer to. Says whether all were
    /// checked.
    ///
    /// INVARIANT: a node refers to earlier nodes only, so evaluation ends.
    pub(super) fn check(&mut self, body: &ProgramBody, budget: &mut usize) -> Result<bool, ProgramError> {
        let Self { references: all, sizes, depths } = self;
        for (at, node) in body.nodes.iter().enumerate().skip(sizes.len()) {
            if *budget == 0 {
                break;
            }
            let children = children(node, body).ok_or(ProgramError::Reference("node", at))?;
            let more = references(node);
            *all = all.saturating_add(more);
            if *all > MAX_REFERENCES {
                return Err(ProgramError::TooMany("references"));
            }
            *budget = budget.saturating_sub(more.saturating_add(1));
            let (mut size, mut depth) = (1usize, 0u16);
            for child in children {
                let child = usize::try_from(child).unwrap_or(usize::MAX);
                let (Some(s), Some(d)) = (sizes.get(child), depths.get(child)) else {
                    return Err(ProgramError::Reference("node", at));
                };
                size = size.saturating_add(*s);
                depth = depth.max(d.saturating_add(1));
            }
            if depth > MAX_DEPTH {
                return Err(ProgramError::Depth("node", at));
            }
            sizes.push(size);
            depths.push(depth);
        }
        Ok(sizes.len() >= body.nodes.len())
    }
}

/// The expressions of a node; `None` when it refers to anything else that is not there.
fn children(node: &Node, body: &ProgramBody) -> Option<Vec<Expression>> {
    let list = |list: List| {
        let range = Slice { place: Place::Program, start: list.start, len: list.len }.range();
        body.lists.get(range).map(<[_]>::to_vec)
    };
    let names = |start, len| {
        let range = Slice { place: Place::Program, start, len }.range();
        body.values.get(range)
    };
    match *node {
        Node::Value(Value::Set(slice) | Value::Record(slice)) => {
            let there = slice.place == Place::Program && body.values.get(slice.range()).is_some();
            let record = matches!(node, Node::Value(Value::Record(_)));
            (there && (!record || are_fields(slice, body))).then(Vec::new)
        }
        Node::Value(value) => known(value, body).then(Vec::new),
        Node::Variable(_) => Some(Vec::new()),
        Node::If(test, yes, no) => Some(vec![test, yes, no]),
        Node::All(parts) | Node::Any(parts) | Node::Set(parts) | Node::Call(_, parts) => list(parts),
        Node::Unary(_, of) => Some(vec![of]),
        Node::Binary(_, left, right) => Some(vec![left, right]),
        Node::Attribute(of, name) | Node::Is(of, name) => before(name.0, body.texts.len()).then(|| vec![of]),
        Node::Has(of, path) => names(path.start, path.len)
            .is_some_and(|path| !path.is_empty() && are_names(path.iter(), false))
            .then(|| vec![of]),
        Node::Like(of, pattern) => before(pattern, body.patterns.len()).then(|| vec![of]),
        Node::Record(fields, parts) => {
            let sorted = names(fields.start, fields.len).is_some_and(|fields| are_names(fields.iter(), true));
            if sorted && fields.len == parts.len { list(parts) } else { None }
        }
    }
}

fn check_policies(body: &ProgramBody, sizes: &[usize]) -> Result<(), ProgramError> {
    let mut ids = HashSet::new();
    let mut work = 0usize;
    for (at, policy) in body.policies.iter().enumerate() {
        if policy.id.is_empty() || !ids.insert(policy.id.as_str()) {
            return Err(ProgramError::PolicyId(policy.id.clone()));
        }
        let bad = ProgramError::Reference("policy", at);
        if !scopes_known(policy, body) {
            return Err(bad);
        }
        if let Some(condition) = policy.condition {
            let size = usize::try_from(condition).ok().and_then(|at| sizes.get(at)).ok_or(bad)?;
            work = work.saturating_add(*size);
        }
    }
    // Nodes may be shared, so the work is not bounded by how many there are.
    if work > 2 * MAX_LIST { Err(ProgramError::TooMany("evaluations")) } else { Ok(()) }
}

fn scopes_known(policy: &PolicyBody, body: &ProgramBody) -> bool {
    let entity = |entity: crate::Entity| before(entity.0, body.entities.len());
    let kind = |kind: crate::Text| before(kind.0, body.texts.len());
    let scope = |scope| match scope {
        Scope::Any => true,
        Scope::Equal(of) | Scope::In(of) => entity(of),
        Scope::Is(of) => kind(of),
        Scope::IsIn(of, within) => kind(of) && entity(within),
    };
    scope(policy.principal) && scope(policy.resource) && policy.tenant.is_none_or(entity)
}

fn check_actions(actions: &[ActionBody], body: &ProgramBody) -> Result<(), ProgramError> {
    if !actions.is_sorted_by(|a, b| a.action < b.action) {
        return Err(ProgramError::Order("actions"));
    }
    for (at, action) in actions.iter().enumerate() {
        let last = action.policies.last().is_none_or(|last| before(*last, body.policies.len()));
        if !before(action.action.0, body.entities.len()) || !last {
            return Err(ProgramError::Reference("action", at));
        }
        if !action.policies.is_sorted_by(|a, b| a < b) {
            return Err(ProgramError::Order("policies of an action"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Program;

    fn refused(body: ProgramBody) -> Option<ProgramError> {
        Program::new(body).err()
    }

    fn nodes(parts: Node) -> Option<ProgramError> {
        let mut body = ProgramBody { format: ProgramBody::FORMAT, lists: vec![0; MAX_LIST], ..ProgramBody::default() };
        body.nodes.push(Node::Value(Value::Bool(true)));
        body.nodes.extend(std::iter::repeat_n(parts, 10));
        refused(body)
    }

    #[test]
    fn lists_that_are_named_again_and_again_take_no_time() {
        let all = |len: usize| Node::All(List { start: 0, len: u32::try_from(len).unwrap() });
        assert_eq!(nodes(all(MAX_LIST / 3)), None);
        assert_eq!(nodes(all(MAX_LIST)), Some(ProgramError::TooMany("references")));
    }

    #[test]
    fn sets_that_hold_the_same_again_and_again_take_no_time() {
        let half = MAX_LIST / 2;
        let mut values = vec![Value::Bool(true); half];
        let set = |len: usize| Slice { place: Place::Program, start: 0, len: u32::try_from(len).unwrap() };
        values.extend(std::iter::repeat_n(Value::Set(set(half)), 9));
        let body = ProgramBody { format: ProgramBody::FORMAT, values, ..ProgramBody::default() };
        assert_eq!(refused(body), Some(ProgramError::TooMany("elements of sets and records")));
    }

    #[test]
    fn a_part_is_as_long_as_its_lists() {
        let mut body = ProgramBody { lists: vec![0; 100], ..ProgramBody::default() };
        body.nodes.push(Node::Value(Value::Bool(true)));
        body.nodes.extend(std::iter::repeat_n(Node::Any(List { start: 0, len: 99 }), 10));
        let (mut checked, mut parts) = (Nodes::default(), 0);
        while !checked.check(&body, &mut 100).unwrap() {
            parts += 1;
        }
        assert_eq!(parts, 9, "and the last");
    }
}
