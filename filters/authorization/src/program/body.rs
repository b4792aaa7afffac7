//! The form in which a decision program travels in a bundle.

use serde::{Deserialize, Serialize};

/// A decision program as written. [`Program::read`](super::Program::read) makes it one that can be trusted to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramBody {
    /// Format of this body: [`ProgramBody::FORMAT`].
    pub format: u16,
    /// All policies: every `forbid` stands before every `permit`.
    pub policies: Vec<PolicyBody>,
    /// Every action of the schema, sorted by name.
    pub actions: Vec<ActionBody>,
}

/// One policy. Its action scope was resolved into [`ActionBody::policies`], the rest is its nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyBody {
    /// Its id, as access logs print it.
    pub id: String,
    /// What it does when it is satisfied.
    pub effect: Effect,
    /// Its annotations (`@owner("team")`), sorted by name.
    pub annotations: Vec<(String, String)>,
    /// Where evaluation begins.
    pub entry: Target,
    /// Its condition. Jumps lead forward only.
    pub nodes: Vec<Node>,
}

/// The policies that can apply to one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionBody {
    /// Its Cedar name, as `invoices:read`.
    pub name: String,
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

/// One step of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What is asked.
    pub test: Test,
    /// Where to go when it holds.
    pub on_true: Target,
    /// Where to go when it does not.
    pub on_false: Target,
}

/// A question about the facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// Both are the same value.
    Equal(Operand, Operand),
    /// The first entity is the second one or a descendant of it.
    In(Operand, Operand),
    /// It is `true`.
    IsTrue(Operand),
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The condition holds.
    Satisfied,
    /// The condition does not hold.
    NotSatisfied,
    /// Go on with this node of the same policy.
    Node(u32),
}

/// One side of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// A value written in the policy.
    Literal(Literal),
    /// A value of the request.
    Path(Path),
}

/// A value written in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Literal {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Long(i64),
    /// A string.
    Text(String),
    /// An entity, as `Role::"viewer"`.
    Entity {
        /// Its type.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// A way through the facts, as `principal.tenant.tier`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Where it begins.
    pub root: Root,
    /// The attributes it follows.
    pub attributes: Vec<String>,
}

/// A variable of Cedar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// Who acts.
    Principal,
    /// What is attempted.
    Action,
    /// On what.
    Resource,
    /// Under which facts.
    Context,
}

impl ProgramBody {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 1;

    /// The bytes for [`BundleBody::program`](partywall_tenancy::BundleBody::program).
    /// `None` when they cannot be written.
    pub fn write(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }
}
