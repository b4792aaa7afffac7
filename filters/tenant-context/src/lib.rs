//! WHO is calling: from everything a request brings to one verified tenant, or a denial.
//!
//! ```text
//!            ┌ edge      JWT (proves) + host (selects) ──────► TenantContext, root minted
//! request ─► │ inbound   root context + caller's SPIFFE ID ──► TenantContext, handle minted
//!  take_out  │ outbound  handle in tracestate ───────────────► the same root, sent on
//!            └ egress    ────────────────────────────────────► nothing of ours leaves
//! ```
//!
//! Pure: the clock, randomness, the peer's identity and the host's signature check come in as
//! arguments. Everything a peer sends is bytes, bounded, and read in one way only; what could
//! be read in two ways is `ambiguous_request`.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

mod ambiguity;
mod combine;
mod edge;
mod host;
mod inbound;
pub mod jwt;
mod outbound;
mod rejection;
mod request;
mod root;
mod slot;
mod take_out;
mod trace;

pub use ambiguity::check as check_unambiguous;
pub use edge::{EdgeSources, establish as establish_edge};
pub use inbound::{Inbound, establish as establish_inbound};
pub use outbound::{Handed, Outbound, recover};
pub use rejection::Rejection;
pub use request::{Headers, Request, Single};
pub use root::{MAX_TOKEN, ROOT_LIFETIME, RootSigner};
pub use slot::{Handle, LINGER, Occupancy, Record, SlotKeys, candidates, occupancy};
pub use take_out::{CONTEXT, PRINCIPAL, TENANT, TakenOut, is_identity_header, take_out};
pub use trace::{TraceParent, TraceState};

/// Where in the mesh a filter stands. Mandatory in its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The way into the mesh: credentials are proved here.
    Edge,
    /// In front of a service.
    Inbound,
    /// Behind a service, towards other services of the directory.
    Outbound,
    /// The way out of the mesh.
    Egress,
}
