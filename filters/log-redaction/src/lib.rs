//! WHAT may be written down.
//!
//! [`carriers`] hand out what telemetry holds, [`detect`] finds in it what is personal or secret, and [`redactor`] decides
//! what becomes of it, by [`fields`], [`replace`] and [`tenants`]. Of Envoy's own access log: the path of a request, without
//! what must not stand there, and a decision with what it was decided on, and what a candidate would decide otherwise.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

pub mod arrival;
pub mod carriers;
mod chain;
mod compared;
pub mod detect;
pub mod encodings;
mod explain;
pub mod fields;
mod hash;
mod logged;
mod path;
mod pieces;
#[cfg(test)]
mod random;
pub mod redactor;
pub mod replace;
mod slice;
mod target;
pub mod tenants;

pub use chain::{
    CHAIN_VERSION, Chain, EVENT, End, Event, Fields, Finding, Gap, Known, Link, LinkError, MAX_RANGES, OF_EVENT,
    Pruned, Ranges, Seen, Verifier, Why, Word, of_event,
};
pub use compared::{CANDIDATE_VERSION, Change, Compared, Side};
pub use explain::{Asked, Asking, Decided, EXPLAIN_VERSION, Names, OTHER_SCOPES, TOO_MANY_SCOPES};
pub use path::redact_path;
pub use slice::{Sealed, SealedKeys, Slice, SliceBounds, SliceError};
pub use target::Target;
