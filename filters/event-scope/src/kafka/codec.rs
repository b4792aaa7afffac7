//! A codec that splices: it walks a frame once by the table in `kafka/table`, asks an [`Editor`] about each marked
//! place, and gives the frame back as runs of it with the edited places between.
//!
//! ```text
//! frame    ┆ header ┆ len acme. topic ┆ ... 1 MB of records ... ┆ len topic ┆ ... ┆
//!               │        │                       │                   │
//! Splice     borrowed   owned                 borrowed             owned      borrowed
//! ```
//!
//! What it promises:
//!
//! - A frame is understood to its last byte or refused with a [`Problem`]: no length below -1, no
//!   null where none may be, no varint over five bytes, no count that the bytes present cannot hold, no version outside
//!   of the table, no tags out of order.
//! - Unknown tagged fields are cut out, known ones are walked like all others. What is inside of records is not looked
//!   at.
//! - Nothing is allocated for what a frame promises. What is allocated grows with what is edited, at most 16 bytes for
//!   each edit and what the editor wrote; a frame that is kept costs nothing.
//! - Where nothing is edited and no tag is unknown, every byte comes back as it was.
//!
//! A frame that ends with records, as a Produce or a Fetch of one partition, need not be there as a whole: it is walked to
//! its records, and the [`Rest`] goes on as it comes.
//!
//! Plain frames of producers and consumers, nearly all that there are, need no walk: a `Program`, made from the same table
//! once, skips what lies between names and writes what goes on at once. Whatever is not plain is walked.
//!
//! Strings are bytes here: whether a name is one that a tenant may have is the editor's to say.

mod answer;
mod edit;
mod frames;
mod header;
mod input;
mod layout;
#[allow(dead_code, reason = "the build script uses the names and shapes")]
mod mark;
mod merge;
mod plain;
mod problem;
mod rest;
mod splice;
mod walk;
mod within;

pub use answer::{Reach, answer};
pub use edit::{Editor, Place, Value, Verdict};
pub use frames::{FrameError, Frames, begun};
pub use header::RequestHeader;
pub(crate) use input::Input;
pub use layout::Api;
pub use mark::{Mark, Marks};
pub use merge::merge;
pub(crate) use plain::{Names, Program, Sink};
pub use problem::{Problem, WalkError};
pub use rest::Rest;
pub use splice::{Scratch, Splice};
pub use walk::{request, request_begun, response, response_begun};
pub use within::merge_within;
