//! WHAT may be written down.
//!
//! So far one carrier, the access log: the path of a request, without what must not stand there.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

mod path;

pub use path::redact_path;
