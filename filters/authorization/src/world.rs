//! What policies are evaluated against.

use crate::{Entity, Slice, Text, Value};

/// One request, and the entities around it.
pub trait World {
    /// `principal`, `action`, `resource`, or the record `context`.
    fn variable(&self, variable: Variable) -> Value;

    /// An attribute of an entity.
    fn attribute(&self, entity: Entity, name: Text) -> Lookup;

    /// A tag of an entity.
    fn tag(&self, entity: Entity, name: Text) -> Lookup;

    /// Whether `child` is a proper descendant of `ancestor`.
    fn is_in(&self, child: Entity, ancestor: Entity) -> bool;

    /// The type of an entity, whether the program names it or not.
    fn kind(&self, entity: Entity) -> Option<Text>;

    /// A text that the program does not hold.
    fn text(&self, text: Text) -> Option<&str>;

    /// One of the values that lie in the world.
    fn value(&self, at: usize) -> Option<Value>;

    /// Whether a set that lies in the world holds a text, where that is known without going through its elements.
    fn holds(&self, _set: Slice, _text: &str) -> Option<bool> {
        None
    }

    /// The proper ancestors of principal or resource, each once. Only those that the program names matter.
    fn ancestors(&self, entity: Entity) -> &[Entity];

    /// The tenant of the principal, where `principal.tenant` is always there and an entity.
    fn tenant(&self) -> Option<Entity>;
}

/// What is known under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This.
    Found(Value),
    /// The entity has nothing under the name.
    Missing,
    /// There is no such entity.
    NoEntity,
}

/// A variable of Cedar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Variable {
    /// Who acts.
    Principal,
    /// What is attempted.
    Action,
    /// On what.
    Resource,
    /// Under which facts.
    Context,
}
