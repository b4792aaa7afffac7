//! The `partywall` command as a library: the binary is a thin main, tests and fuzzers call in here.
//!
//! ```text
//! verbs/   one file per verb: arguments in, words and an exit status out
//!   │
//!   ├─ directory   the tenancy directory, checked, every mistake with its place
//!   ├─ lower       its policies, as a decision program
//!   ├─ compile     both, as a signed bundle
//!   ├─ prove       claims about its policies, by a solver
//!   └─ overlay     overlay.yaml, as a signed overlay
//! ```

mod cases;
mod cedar_files;
pub mod command;
mod compile;
pub mod diagnostic;
pub mod directory;
mod exit;
mod files;
mod grants;
mod keys;
pub mod lower;
mod nearest;
mod overlay;
mod prove;
mod records;
mod rehearsal;
mod schema;
mod server;
mod show;
mod slices;
mod time;
mod unverified;
mod verbs;
