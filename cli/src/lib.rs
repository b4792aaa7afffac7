//! The `partywall` command as a library: the binary is a thin main, tests and fuzzers call in here.
//!
//! ```text
//! verbs/   one file per verb: arguments in, words and an exit status out
//!   │
//!   ├─ directory   the tenancy directory, checked, every mistake with its place
//!   ├─ lower       its policies, as a decision program
//!   ├─ compile     both, as a signed bundle
//!   ├─ candidates  the same, tried out beside the bundle in force
//!   ├─ overlay     overlay.yaml, as a signed overlay
//!   ├─ prove       claims about its policies, by a solver
//!   ├─ render      Envoy's configuration, with what `deployment` says of places
//!   ├─ material    a directory or a bundle, as something that decides
//!   ├─ recorded    access logs, as decisions that were made
//!   ├─ audit       the same logs, as a chain that must be whole
//!   ├─ redact      text, line by line, without what is personal or secret
//!   ├─ redaction   what a bundle says of telemetry, in words
//!   ├─ openapi     the document of an API, as operations of a service
//!   └─ mistakes    all of them in a directory or a file, for tests and fuzzers
//! ```

mod admin;
mod arguments;
mod audit;
mod candidates;
mod cases;
mod cedar_files;
mod clusters;
pub mod command;
mod compile;
mod credentials;
mod deployment;
pub mod diagnostic;
mod difference;
pub mod directory;
mod exit;
mod files;
mod grants;
mod history;
mod keys;
pub mod lower;
mod material;
pub mod mistakes;
mod modes;
mod moves;
mod nearest;
mod openapi;
mod overlay;
mod prints;
mod prove;
mod recorded;
mod records;
mod redact;
mod redaction;
mod rehearsal;
mod render;
mod replay;
mod revisions;
mod schema;
mod sent;
mod server;
mod shares;
mod show;
mod slices;
mod time;
mod unverified;
mod verbs;
