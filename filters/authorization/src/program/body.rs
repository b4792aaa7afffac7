//! The form in which a decision program travels in a bundle.

use serde::{Deserialize, Serialize};

use crate::{Entity, Text, Value, Variable};

/// A decision program as written. [`Program::read`](super::Program::read) makes it one that can be trusted to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramBody {
    /// Format of this body: [`ProgramBody::FORMAT`].
    pub format: u16,
    /// Every text that policies name, sorted: strings, attributes, types and ids of entities.
    pub texts: Vec<String>,
    /// Type and id of every entity that policies name, sorted.
    pub entities: Vec<(Text, Text)>,
    /// The contents of the sets and records that are written out in policies.
    pub values: Vec<Value>,
    /// Patterns of `like`: what stands before, between and behind the wildcards.
    pub patterns: Vec<Vec<String>>,
    /// Lists that expressions refer to.
    pub lists: Vec<Expression>,
    /// The conditions of all policies. Whatever an expression refers to stands before it.
    pub nodes: Vec<Node>,
    /// All policies, in the order in which they are reported.
    pub policies: Vec<PolicyBody>,
    /// Every action, sorted by entity, and the policies that can apply to it.
    pub actions: Vec<ActionBody>,
}

/// One policy. Its action scope was resolved into [`ActionBody::policies`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyBody {
    /// Its id, as access logs print it.
    pub id: String,
    /// What it does when it is satisfied.
    pub effect: Effect,
    /// Its annotations (`@owner("team")`), sorted by name.
    pub annotations: Vec<(String, String)>,
    /// What its scope asks of the principal.
    pub principal: Scope,
    /// What its scope asks of the resource.
    pub resource: Scope,
    /// The tenant whose principals alone can satisfy it: the condition begins with that comparison.
    pub tenant: Option<Entity>,
    /// Its condition, if it has one.
    pub condition: Option<Expression>,
}

/// The policies that can apply to one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionBody {
    /// The action.
    pub action: Entity,
    /// Positions in [`ProgramBody::policies`], ascending.
    pub policies: Vec<u32>,
}

/// What a satisfied policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Denies, whatever is permitted.
    Forbid,
    /// Allows, unless something forbids.
    Permit,
}

/// What a scope asks of principal or resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Nothing.
    Any,
    /// `== E`
    Equal(Entity),
    /// `in E`
    In(Entity),
    /// `is T`
    Is(Text),
    /// `is T in E`
    IsIn(Text, Entity),
}

/// The position of a [`Node`].
pub type Expression = u32;

/// One step of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Node {
    /// What is written out in the policy.
    Value(Value),
    /// `principal`, `action`, `resource`, `context`.
    Variable(Variable),
    /// `if a then b else c`
    If(Expression, Expression, Expression),
    /// `a && b && …`
    All(List),
    /// `a || b || …`
    Any(List),
    /// `op a`
    Unary(Unary, Expression),
    /// `a op b`
    Binary(Binary, Expression, Expression),
    /// `a.name`
    Attribute(Expression, Text),
    /// `a has name.name…`: the names are values.
    Has(Expression, NameList),
    /// `a like "…"`: the position of the pattern.
    Like(Expression, u32),
    /// `a is T`
    Is(Expression, Text),
    /// `[a, b, …]`
    Set(List),
    /// `{name: a, …}`: names, which are values, and expressions of as many fields, sorted by name.
    Record(NameList, List),
    /// `ip(a).isInRange(b)` as `isInRange(ip(a), b)`.
    Call(Function, List),
}

/// Expressions that lie one after another in [`ProgramBody::lists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// The first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// Texts that lie one after another in [`ProgramBody::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameList {
    /// The first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unary {
    /// `!`
    Not,
    /// `-`
    Negate,
    /// `.isEmpty()`
    IsEmpty,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binary {
    /// `==`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `in`
    In,
    /// `.contains()`
    Contains,
    /// `.containsAll()`
    ContainsAll,
    /// `.containsAny()`
    ContainsAny,
    /// `.getTag()`
    GetTag,
    /// `.hasTag()`
    HasTag,
}

/// A function of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the function of Cedar that has its name")]
pub enum Function {
    Decimal,
    LessThan,
    LessThanOrEqual,
    GreaterThan,
    GreaterThanOrEqual,
    Ip,
    IsIpv4,
    IsIpv6,
    IsLoopback,
    IsMulticast,
    IsInRange,
    Datetime,
    Duration,
    Offset,
    DurationSince,
    ToDate,
    ToTime,
    ToMilliseconds,
    ToSeconds,
    ToMinutes,
    ToHours,
    ToDays,
}

impl ProgramBody {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 2;

    /// The bytes for [`BundleBody::program`](partywall_tenancy::BundleBody::program).
    /// `None` when they cannot be written.
    pub fn write(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }
}
