//! JSON as it is on the wire (RFC 8259), strictly: what two readers could read differently is refused.
//!
//! ```text
//! chunks ──► Pieces ──► whole values, each of bounded size ──► rewrite(value, shape, editor) ──► what may go on
//! ```
//!
//! A [`Shape`] says what may stand where. What it does not name is refused, or left out; of two equal keys none is taken.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

mod cursor;
mod pieces;
mod rewrite;
mod scan;
mod shape;
mod text;

pub use cursor::Cursor;
pub use pieces::Pieces;
pub use rewrite::{Edit, Outcome, Rest, Verdict, rewrite};
pub use scan::{Leaps, Scan};
pub use shape::{Field, Shape, field};
pub use text::{decode, write};

use std::fmt;

/// How deeply arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON.
    Invalid(&'static str),
    /// It ends too early.
    Cut,
    /// It nests more than 64 levels deep.
    TooDeep,
    /// A value in it, or all of it, is larger than what is held.
    TooLarge,
    /// An object has a key twice.
    Twice,
    /// It holds a key that is not known.
    Unknown,
    /// Something is of another kind than what must stand there, as a number for a name.
    Kind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid(what) => what,
            Self::Cut => "the JSON ends too early",
            Self::TooDeep => "the JSON nests more than 64 levels deep",
            Self::TooLarge => "a value of the JSON is larger than what is held of it",
            Self::Twice => "an object of the JSON has a key twice",
            Self::Unknown => "the JSON has a key that is not known there",
            Self::Kind => "a value of the JSON is of another kind than what must stand there",
        })
    }
}
