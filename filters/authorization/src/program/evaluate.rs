//! Evaluation of expressions, as Cedar's interpreter does it: from left to right, and an error ends the policy.

use std::cell::{Cell, RefCell};

use super::Program;
use super::body::{Binary, Effect, Expression, List, NameList, Node, PolicyBody, Scope, Unary};
use super::{functions, lists};
use crate::{Entity, Lookup, Place, Slice, Text, Value, Variable, World};

/// What one policy says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its scope and its condition hold.
    Satisfied,
    /// One of them does not.
    NotSatisfied,
    /// A value was missing or of another type, or a number was too large. As in Cedar the policy then counts as not
    /// there, a `forbid` too; strict validation at compile time is what keeps this from happening.
    Error,
}

/// What [`Program::evaluate`] tells in the place of a node about the principal's scope.
pub const PRINCIPAL_SCOPE: Expression = Expression::MAX;
/// The same about the resource's scope.
pub const RESOURCE_SCOPE: Expression = Expression::MAX - 1;

/// Evaluation ended with an error of Cedar's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// `None` in expressions that look something up.
pub(super) type Outcome<T = Value> = Result<T, Failed>;

/// Steps of one decision, at most: comparisons of elements and evaluated nodes. Far more than any policy that was
/// compiled takes; the bound is for values of requests that are large and compared with each other.
const STEPS: u32 = 1 << 20;

/// Memory for sets and records that policies put together. It is kept, so that decisions allocate nothing.
#[derive(Debug, Default)]
pub struct Scratch(RefCell<Vec<Value>>);

/// What a policy asks of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    principal: Scope,
    resource: Scope,
    condition: Option<Expression>,
}

impl Asked {
    pub(super) fn of(policy: &PolicyBody) -> Self {
        Self { principal: policy.principal, resource: policy.resource, condition: policy.condition }
    }

    /// The same without what the [`Index`](super::index::Index) has settled before it hands the policy out: the type of
    /// the resource, and under which of its ancestors or itself the principal's scope stands.
    pub(super) fn behind_index(policy: &PolicyBody) -> Self {
        let principal = match (policy.tenant, policy.principal) {
            (None, Scope::In(_)) => Scope::Any,
            (_, scope) => scope,
        };
        let resource = match policy.resource {
            Scope::Is(_) => Scope::Any,
            Scope::IsIn(_, ancestor) => Scope::In(ancestor),
            scope => scope,
        };
        Self { principal, resource, condition: policy.condition }
    }
}

/// One evaluation: a program, a world and the memory for what is put together.
pub(super) struct Evaluation<'a, W> {
    pub(super) program: &'a Program,
    pub(super) world: &'a W,
    pub(super) scratch: &'a Scratch,
    steps: Cell<u32>,
    /// Sees each boolean that a node gave.
    observe: Option<&'a dyn Fn(Expression, bool)>,
}

impl<'a, W: World> Evaluation<'a, W> {
    pub(super) fn new(program: &'a Program, world: &'a W, scratch: &'a Scratch) -> Self {
        Self { program, world, scratch, steps: Cell::new(STEPS), observe: None }
    }

    /// Whether some evaluation was not brought to its end.
    pub(super) fn exhausted(&self) -> bool {
        self.steps.get() == 0
    }

    pub(super) fn observed(self, observe: &'a dyn Fn(Expression, bool)) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// What a policy says; the caller has checked that it applies to the action.
    pub(super) fn verdict(&self, policy: &Asked) -> Verdict {
        if !self.within(Variable::Principal, policy.principal, PRINCIPAL_SCOPE)
            || !self.within(Variable::Resource, policy.resource, RESOURCE_SCOPE)
        {
            return Verdict::NotSatisfied;
        }
        let Some(condition) = policy.condition else { return Verdict::Satisfied };
        self.scratch.0.borrow_mut().clear();
        match self.truth(condition) {
            Ok(true) => Verdict::Satisfied,
            Ok(false) => Verdict::NotSatisfied,
            Err(Failed) => Verdict::Error,
        }
    }

    /// One condition by itself.
    pub(super) fn holds(&self, policy: &PolicyBody, at: Expression) -> Option<bool> {
        match at {
            PRINCIPAL_SCOPE => Some(self.within(Variable::Principal, policy.principal, at)),
            RESOURCE_SCOPE => Some(self.within(Variable::Resource, policy.resource, at)),
            at => self.truth(at).ok(),
        }
    }

    fn within(&self, variable: Variable, scope: Scope, at: Expression) -> bool {
        if scope == Scope::Any {
            return true;
        }
        let Value::Entity(entity) = self.world.variable(variable) else { return false };
        let holds = match scope {
            Scope::Any => true,
            Scope::Equal(named) => entity == named,
            Scope::In(ancestor) => self.is_in(entity, ancestor),
            Scope::Is(kind) => self.kind(entity) == Some(kind),
            Scope::IsIn(kind, ancestor) => self.kind(entity) == Some(kind) && self.is_in(entity, ancestor),
        };
        if let Some(observe) = self.observe {
            observe(at, holds);
        }
        holds
    }

    /// INVARIANT: a node refers to earlier ones only, and how deep that goes was bounded when the program was read.
    fn value(&self, at: Expression) -> Outcome {
        self.step()?;
        // What most conditions are made of comes first and by itself: the rest needs a large frame.
        match self.program.node(at).ok_or(Failed)? {
            Node::Value(value) => Ok(*value),
            Node::Variable(variable) => Ok(self.world.variable(*variable)),
            Node::Attribute(of, name) => match self.value(*of)? {
                Value::Entity(entity) => found(self.world.attribute(entity, *name)),
                of => found(self.field(of, *name)?),
            },
            node => self.value_of(node),
        }
    }

    #[inline(never)]
    fn value_of(&self, node: &Node) -> Outcome {
        match *node {
            // `value` has answered these.
            Node::Value(_) | Node::Variable(_) | Node::Attribute(..) => Err(Failed),
            Node::If(test, yes, no) => self.value(if self.truth(test)? { yes } else { no }),
            Node::All(parts) => self.all(parts).map(Value::Bool),
            Node::Any(parts) => {
                for part in self.list(parts) {
                    if self.truth(*part)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Node::Unary(Unary::Not, of) => self.truth(of).map(|truth| Value::Bool(!truth)),
            Node::Unary(operator, of) => self.unary(operator, self.value(of)?),
            Node::Binary(operator, left, right) => self.binary(operator, self.value(left)?, self.value(right)?),
            Node::Has(of, names) => self.has(self.value(of)?, names).map(Value::Bool),
            Node::Like(of, pattern) => {
                let Value::Text(text) = self.value(of)? else { return Err(Failed) };
                let parts = self.program.pattern(pattern).ok_or(Failed)?;
                self.text(text).map(|text| Value::Bool(lists::is_like(text, parts)))
            }
            Node::Is(of, kind) => {
                let Value::Entity(entity) = self.value(of)? else { return Err(Failed) };
                Ok(Value::Bool(self.kind(entity) == Some(kind)))
            }
            Node::Set(parts) => {
                let elements = self.list(parts);
                self.build(elements.len(), elements.iter().map(|element| self.value(*element))).map(Value::Set)
            }
            Node::Record(names, parts) => {
                let names = self.program.values().get(names.range()).ok_or(Failed)?;
                let fields = self.list(parts);
                let flat = names.iter().zip(fields).flat_map(|(name, field)| [Ok(*name), self.value(*field)]);
                self.build(names.len().saturating_add(fields.len()), flat).map(Value::Record)
            }
            Node::Call(function, arguments) => functions::call(self, function, self.list(arguments)),
        }
    }

    fn all(&self, parts: List) -> Outcome<bool> {
        for part in self.list(parts) {
            if !self.truth(*part)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value of a node that must be a boolean.
    fn truth(&self, at: Expression) -> Outcome<bool> {
        let truth = match self.program.node(at).ok_or(Failed)? {
            // What most conditions are made of is asked without putting it into a value first.
            Node::All(parts) => {
                self.step()?;
                self.all(*parts)?
            }
            Node::Binary(Binary::Equal, left, right) => {
                self.step()?;
                self.equal(self.value(*left)?, self.value(*right)?)?
            }
            _ => {
                let Value::Bool(truth) = self.value(at)? else { return Err(Failed) };
                truth
            }
        };
        if let Some(observe) = self.observe {
            observe(at, truth);
        }
        Ok(truth)
    }

    pub(super) fn argument(&self, arguments: &[Expression], at: usize) -> Outcome {
        self.value(*arguments.get(at).ok_or(Failed)?)
    }

    fn unary(&self, operator: Unary, value: Value) -> Outcome {
        match (operator, value) {
            (Unary::Negate, Value::Long(value)) => value.checked_neg().map(Value::Long).ok_or(Failed),
            (Unary::IsEmpty, Value::Set(set)) => Ok(Value::Bool(set.len == 0)),
            _ => Err(Failed),
        }
    }

    fn binary(&self, operator: Binary, left: Value, right: Value) -> Outcome {
        let long = |value: Option<i64>| value.map(Value::Long).ok_or(Failed);
        match (operator, left, right) {
            (Binary::Equal, left, right) => self.equal(left, right).map(Value::Bool),
            (Binary::Less, left, right) => ordered(left, right).map(|(a, b)| Value::Bool(a < b)),
            (Binary::LessEqual, left, right) => ordered(left, right).map(|(a, b)| Value::Bool(a <= b)),
            (Binary::Add, Value::Long(a), Value::Long(b)) => long(a.checked_add(b)),
            (Binary::Subtract, Value::Long(a), Value::Long(b)) => long(a.checked_sub(b)),
            (Binary::Multiply, Value::Long(a), Value::Long(b)) => long(a.checked_mul(b)),
            (Binary::In, Value::Entity(child), Value::Entity(ancestor)) => Ok(Value::Bool(self.is_in(child, ancestor))),
            (Binary::In, Value::Entity(child), Value::Set(set)) => self.is_in_one(child, set).map(Value::Bool),
            (Binary::Contains, Value::Set(set), value) => self.contains(set, value).map(Value::Bool),
            (Binary::ContainsAll, Value::Set(set), Value::Set(part)) => self.contains_all(set, part).map(Value::Bool),
            (Binary::ContainsAny, Value::Set(set), Value::Set(part)) => self.contains_any(set, part).map(Value::Bool),
            (Binary::GetTag, Value::Entity(entity), Value::Text(name)) => found(self.world.tag(entity, name)),
            (Binary::HasTag, Value::Entity(entity), Value::Text(name)) => {
                Ok(Value::Bool(matches!(self.world.tag(entity, name), Lookup::Found(_))))
            }
            _ => Err(Failed),
        }
    }

    fn has(&self, mut value: Value, names: NameList) -> Outcome<bool> {
        for name in self.program.values().get(names.range()).ok_or(Failed)? {
            let Value::Text(name) = *name else { return Err(Failed) };
            match self.field(value, name)? {
                Lookup::Found(inner) => value = inner,
                Lookup::Missing | Lookup::NoEntity => return Ok(false),
            }
        }
        Ok(true)
    }

    /// An attribute of an entity or a field of a record.
    fn field(&self, of: Value, name: Text) -> Outcome<Lookup> {
        match of {
            Value::Entity(entity) => Ok(self.world.attribute(entity, name)),
            Value::Record(record) => {
                for at in (0..record.len).step_by(2) {
                    self.step()?;
                    if self.element(record, at)? == Value::Text(name) {
                        return self.element(record, at.saturating_add(1)).map(Lookup::Found);
                    }
                }
                Ok(Lookup::Missing)
            }
            _ => Err(Failed),
        }
    }

    pub(super) fn is_in(&self, child: Entity, ancestor: Entity) -> bool {
        child == ancestor || self.world.is_in(child, ancestor)
    }

    pub(super) fn kind(&self, entity: Entity) -> Option<Text> {
        self.program.entity(entity).map(|(kind, _)| kind).or_else(|| self.world.kind(entity))
    }

    pub(super) fn text(&self, text: Text) -> Outcome<&'a str> {
        self.program.text(text).or_else(|| self.world.text(text)).ok_or(Failed)
    }

    /// One of the values of a slice.
    pub(super) fn element(&self, slice: Slice, at: u32) -> Outcome {
        let at = usize::try_from(slice.start.saturating_add(at)).unwrap_or(usize::MAX);
        let value = match slice.place {
            Place::Program => self.program.values().get(at).copied(),
            Place::World => self.world.value(at),
            Place::Scratch => self.scratch.0.borrow().get(at).copied(),
        };
        value.ok_or(Failed)
    }

    pub(super) fn step(&self) -> Outcome<()> {
        let left = self.steps.get().checked_sub(1).ok_or(Failed)?;
        self.steps.set(left);
        Ok(())
    }

    fn list(&self, list: List) -> &'a [Expression] {
        self.program.list(list)
    }

    /// Puts values together. Those of inner sets and records lie before them.
    fn build(&self, len: usize, values: impl Iterator<Item = Outcome>) -> Outcome<Slice> {
        // The place is taken first: evaluating an element may put values of its own behind it.
        let start = {
            let mut scratch = self.scratch.0.borrow_mut();
            let start = scratch.len();
            scratch.resize(start.saturating_add(len), Value::Bool(false));
            start
        };
        for (at, value) in (start..).zip(values) {
            let value = value?;
            if let Some(place) = self.scratch.0.borrow_mut().get_mut(at) {
                *place = value;
            }
        }
        let number = |n: usize| u32::try_from(n).map_err(|_| Failed);
        Ok(Slice { place: Place::Scratch, start: number(start)?, len: number(len)? })
    }
}

/// What is not there cannot be read.
fn found(lookup: Lookup) -> Outcome {
    match lookup {
        Lookup::Found(value) => Ok(value),
        Lookup::Missing | Lookup::NoEntity => Err(Failed),
    }
}

/// Two values that have an order, as numbers.
fn ordered(left: Value, right: Value) -> Outcome<(i64, i64)> {
    match (left, right) {
        (Value::Long(a), Value::Long(b))
        | (Value::Datetime(a), Value::Datetime(b))
        | (Value::Duration(a), Value::Duration(b)) => Ok((a, b)),
        _ => Err(Failed),
    }
}

impl NameList {
    fn range(self) -> std::ops::Range<usize> {
        Slice { place: Place::Program, start: self.start, len: self.len }.range()
    }
}

impl Effect {
    /// Both, in the order in which policies are asked.
    pub(super) const BOTH: [Self; 2] = [Self::Forbid, Self::Permit];
}
