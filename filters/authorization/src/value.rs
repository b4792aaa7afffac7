//! Values of Cedar, small enough to be copied: texts, entities and lists stand for themselves by number.

use serde::{Deserialize, Serialize};

use crate::extension::Network;

/// The number of a text. Those of a program come first, in the order of [`ProgramBody::texts`](crate::ProgramBody),
/// then those of a [`World`](crate::World).
///
/// INVARIANT: equal texts have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Text(pub u32);

/// The number of an entity, likewise: those that a program names come first.
///
/// INVARIANT: equal entities have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity(pub u32);

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Cedar's `Bool`.
    Bool(bool),
    /// Cedar's `Long`.
    Long(i64),
    /// Cedar's `String`.
    Text(Text),
    /// An entity.
    Entity(Entity),
    /// A set: its elements, in no order, perhaps repeated.
    Set(Slice),
    /// A record: names and values by turns, sorted by name.
    Record(Slice),
    /// `decimal`, in ten thousandths.
    Decimal(i64),
    /// `datetime`, in milliseconds since the Unix epoch.
    Datetime(i64),
    /// `duration`, in milliseconds.
    Duration(i64),
    /// `ipaddr`.
    Ip(Network),
}

/// Values that lie one after another.
///
/// Equality of two slices is that of their places. Sets and records are compared by the evaluator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Where they lie.
    pub place: Place,
    /// The first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// Where values lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In [`ProgramBody::values`](crate::ProgramBody).
    Program,
    /// In the [`World`](crate::World).
    World,
    /// In what one evaluation made.
    Scratch,
}

impl Slice {
    /// The same place as a range of positions.
    pub fn range(self) -> std::ops::Range<usize> {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::try_from(self.len).unwrap_or(usize::MAX))
    }
}
