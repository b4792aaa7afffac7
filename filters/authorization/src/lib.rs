//! MAY they: from an established tenant context to one decision. It knows no host and no clock.
//!
//! ```text
//! Query: context, tenant, service, call
//!   │
//!   ├─ Operations   method + path + conditions ──► operation   none: resource_unmapped
//!   ├─ owner        what every place of the request shows      another tenant: resource_foreign
//!   ├─ attributes   feature, residency, clearance, consent     feature_off, residency, clearance, consent
//!   └─ Program      Cedar policies, lowered by the CLI         policy_denied, or allow
//! ```
//!
//! All steps before the last are invariants: no policy can lift them, and the second only a grant or share
//! ([`authorize_across`]). [`Authorization`] is built once per bundle; [`authorize()`] then allocates nothing and
//! always ends.
//!
//! [`guard`] judges what comes back, where an operation says where the owner stands in its responses.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

mod authorize;
mod call;
mod called;
pub mod extension;
mod facts;
pub mod guard;
mod id;
mod names;
mod operations;
mod platform;
mod program;
mod request_size;
pub mod retention;
mod routes;
mod rules;
mod table;
mod value;
mod world;

pub use authorize::{Across, Authorization, Decision, Query, authorize, authorize_across, authorize_shared};
pub use call::{Body, Call};
pub use called::{GRPC, ROUTE, called};
pub use facts::{MOST_SCOPES, RequestFacts, RequestWorld};
pub use id::Id;
pub use names::Names;
pub use operations::{Found, OperationError, OperationProblem, Operations};
pub use platform::{authorize_platform, is_platform};
pub use program::{
    ActionBody, ActionIndex, Answer, Binary, Effect, Expression, Function, List, NameList, Node, Outcome,
    PRINCIPAL_SCOPE, PolicyBody, Program, ProgramBody, ProgramError, RESOURCE_SCOPE, Reading, Scope, Scratch, Unary,
    Verdict,
};
pub use request_size::{Counted, RequestBytes, TooLarge};
pub use routes::RouteSays;
pub use rules::is_region;
pub use value::{Entity, Place, Slice, Text, Value};
pub use world::{Lookup, Variable, World};
