//! Puts a program together: everything is numbered as it comes, and sorted when all of it is there.

use std::collections::HashMap;

use partywall_authorization::{
    ActionBody, Entity, Expression, Function, List, NameList, Node, PolicyBody, ProgramBody, Scope, Slice, Text, Value,
};

/// A program that grows.
#[derive(Debug, Default)]
pub(super) struct Builder {
    texts: Numbered<String>,
    entities: Numbered<(Text, Text)>,
    patterns: Numbered<Vec<String>>,
    body: ProgramBody,
    /// For each node the byte of its file at which it stands.
    places: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Numbered<T> {
    all: Vec<T>,
    known: HashMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { all: Vec::new(), known: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Numbered<T> {
    fn number(&mut self, item: T) -> u32 {
        if let Some(number) = self.known.get(&item) {
            return *number;
        }
        let number = count(self.all.len());
        self.all.push(item.clone());
        self.known.insert(item, number);
        number
    }
}

/// Everything that is numbered is bounded far below this, by the reader of programs.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Builder {
    pub(super) fn text(&mut self, text: &str) -> Text {
        Text(self.texts.number(text.to_owned()))
    }

    pub(super) fn entity(&mut self, kind: &str, id: &str) -> Entity {
        let name = (self.text(kind), self.text(id));
        Entity(self.entities.number(name))
    }

    pub(super) fn pattern(&mut self, parts: Vec<String>) -> u32 {
        self.patterns.number(parts)
    }

    pub(super) fn node(&mut self, node: Node, place: Option<usize>) -> Expression {
        self.places.push(place);
        self.body.nodes.push(node);
        count(self.body.nodes.len() - 1)
    }

    pub(super) fn list(&mut self, parts: &[Expression]) -> List {
        let start = count(self.body.lists.len());
        self.body.lists.extend(parts);
        List { start, len: count(parts.len()) }
    }

    pub(super) fn names(&mut self, names: impl Iterator<Item = Text>) -> NameList {
        let start = self.body.values.len();
        self.body.values.extend(names.map(Value::Text));
        NameList { start: count(start), len: count(self.body.values.len() - start) }
    }

    pub(super) fn values(&mut self, values: &[Value]) -> Slice {
        let start = count(self.body.values.len());
        self.body.values.extend(values);
        Slice { place: partywall_authorization::Place::Program, start, len: count(values.len()) }
    }

    /// What a node writes out, if it does.
    pub(super) fn constant(&self, at: Expression) -> Option<Value> {
        match self.body.nodes.get(usize::try_from(at).ok()?)? {
            Node::Value(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of a constant.
    pub(super) fn text_of(&self, text: Text) -> &str {
        usize::try_from(text.0).ok().and_then(|at| self.texts.all.get(at)).map_or("", String::as_str)
    }

    pub(super) fn policy(&mut self, policy: PolicyBody) {
        self.body.policies.push(policy);
    }

    pub(super) fn action(&mut self, action: Entity, policies: Vec<u32>) {
        self.body.actions.push(ActionBody { action, policies });
    }

    /// The program, with texts, entities and actions sorted. The fields of records came in the order of their names,
    /// which is that of their numbers by now.
    pub(super) fn finish(mut self) -> (ProgramBody, Vec<Option<usize>>) {
        let texts = ranks(&self.texts.all);
        let text = |Text(number): Text| Text(texts[number as usize]);
        let named: Vec<_> = self.entities.all.iter().map(|(kind, id)| (text(*kind), text(*id))).collect();
        let entities = ranks(&named);
        let entity = |Entity(number): Entity| Entity(entities[number as usize]);
        let mut body = std::mem::take(&mut self.body);
        body.format = ProgramBody::FORMAT;
        body.texts = self.texts.all;
        body.texts.sort();
        body.entities = named;
        body.entities.sort();
        body.patterns = self.patterns.all;
        let value = |value: &mut Value| match value {
            Value::Text(of) => *of = text(*of),
            Value::Entity(of) => *of = entity(*of),
            _ => {}
        };
        body.values.iter_mut().for_each(value);
        for node in &mut body.nodes {
            match node {
                Node::Value(of) => value(of),
                Node::Attribute(_, name) | Node::Is(_, name) => *name = text(*name),
                _ => {}
            }
        }
        for policy in &mut body.policies {
            for scope in [&mut policy.principal, &mut policy.resource] {
                match scope {
                    Scope::Any => {}
                    Scope::Equal(of) | Scope::In(of) => *of = entity(*of),
                    Scope::Is(kind) => *kind = text(*kind),
                    Scope::IsIn(kind, of) => (*kind, *of) = (text(*kind), entity(*of)),
                }
            }
            policy.tenant = policy.tenant.map(entity);
        }
        body.actions.iter_mut().for_each(|action| action.action = entity(action.action));
        body.actions.sort_by_key(|action| action.action);
        (body, self.places)
    }
}

/// For each item its place when all are sorted.
fn ranks<T: Ord>(items: &[T]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| items[*a].cmp(&items[*b]));
    let mut ranks = vec![0; items.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = count(rank);
    }
    ranks
}

/// The function of Cedar that has this name.
pub(super) fn function(name: &str) -> Option<Function> {
    Some(match name {
        "decimal" => Function::Decimal,
        "lessThan" => Function::LessThan,
        "lessThanOrEqual" => Function::LessThanOrEqual,
        "greaterThan" => Function::GreaterThan,
        "greaterThanOrEqual" => Function::GreaterThanOrEqual,
        "ip" => Function::Ip,
        "isIpv4" => Function::IsIpv4,
        "isIpv6" => Function::IsIpv6,
        "isLoopback" => Function::IsLoopback,
        "isMulticast" => Function::IsMulticast,
        "isInRange" => Function::IsInRange,
        "datetime" => Function::Datetime,
        "duration" => Function::Duration,
        "offset" => Function::Offset,
        "durationSince" => Function::DurationSince,
        "toDate" => Function::ToDate,
        "toTime" => Function::ToTime,
        "toMilliseconds" => Function::ToMilliseconds,
        "toSeconds" => Function::ToSeconds,
        "toMinutes" => Function::ToMinutes,
        "toHours" => Function::ToHours,
        "toDays" => Function::ToDays,
        _ => return None,
    })
}
