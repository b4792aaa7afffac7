//! Why a body, or a record of it, does not go on.

use std::fmt;

use partywall_json::Fault;

/// The kind of a refusal: few, as a metric wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It is not what it says it is.
    Undecodable,
    /// It ends too early.
    Truncated,
    /// It, or a unit of it, is larger than what is held.
    TooLarge,
    /// It unfolds to far more than telemetry does.
    Ratio,
    /// It nests too deeply.
    Depth,
    /// It is encoded in a way that is not read here, or more than once.
    Encoding,
    /// A length in it contradicts another.
    Length,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Undecodable, Self::Truncated, Self::TooLarge, Self::Ratio, Self::Depth, Self::Encoding, Self::Length];

    /// Its name, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::Ratio => "ratio",
            Self::Depth => "depth",
            Self::Encoding => "encoding",
            Self::Length => "length",
        }
    }
}

/// Why something does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub cause: Cause,
    /// What is wrong, in words, and nothing that a peer wrote.
    pub what: &'static str,
}

impl Refusal {
    pub(crate) const fn new(cause: Cause, what: &'static str) -> Self {
        Self { cause, what }
    }

    pub(crate) const fn undecodable(what: &'static str) -> Self {
        Self::new(Cause::Undecodable, what)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.name(), self.what)
    }
}

impl std::error::Error for Refusal {}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Invalid(what) => Self::undecodable(what),
            Fault::Cut => Self::new(Cause::Truncated, "the JSON ends too early"),
            Fault::TooDeep => Self::new(Cause::Depth, "the JSON nests too deeply"),
            Fault::TooLarge => Self::new(Cause::TooLarge, "a value of the JSON is larger than what is held of it"),
            Fault::Twice => Self::undecodable("an object of the JSON has a key twice"),
            Fault::Unknown => Self::undecodable("the JSON has a key that is not known there"),
            Fault::Kind => Self::undecodable("a value of the JSON is of another kind than what must stand there"),
        }
    }
}
