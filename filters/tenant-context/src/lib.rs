//! WHO is calling: from everything a request brings to one verified tenant, or a denial.
//!
//! ```text
//!            ┌ edge      sources: proving + selecting ───────► TenantContext, root signed
//! request ─► │ inbound   root context + caller's SPIFFE ID ──► TenantContext, handle minted
//!  take_out  │ outbound  handle, trace, act-for, own tenant ─► the same root, or one signed here
//!            └ egress    ────────────────────────────────────► nothing of ours leaves
//! ```
//!
//! Pure: the clock, randomness, the peer's identity and the host's signature check come in as
//! arguments. Everything a peer sends is bytes, bounded, and read in one way only; what could
//! be read in two ways is `ambiguous_request`.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

mod ambiguity;
mod baggage;
mod combine;
mod edge;
mod event_client;
mod event_context;
mod fetched;
mod inbound;
pub mod jwt;
mod outbound;
mod pass;
mod platform;
mod rejection;
mod request;
mod root;
mod sender;
mod shares;
mod signed;
mod slot;
mod sources;
mod standing;
mod take_out;
mod template;
mod trace;

pub use ambiguity::check as check_unambiguous;
pub use baggage::{Baggage, take_out as take_out_baggage};
pub use edge::{Established, establish as establish_edge};
pub use event_client::{Shown, event_client};
pub use event_context::{EventContext, EventNames, EventProof, verify_event};
pub use fetched::FetchedKeys;
pub use inbound::establish as establish_inbound;
pub use outbound::{Carried, Handed, Outbound, Waiting, recover};
pub use pass::{Pass, PassKeys};
pub use platform::caller as platform_caller;
pub use rejection::Rejection;
pub use request::{Headers, Request, Single};
pub use root::{MAX_TOKEN, ROOT_LIFETIME, RootMemo, RootSigner};
pub use sender::{Sender, own_telemetry, telemetry_sender};
pub use slot::{Handle, LINGER, Occupancy, Record, SlotKeys, TRACE_SLOTS, candidates, occupancy, trace_candidates};
pub use sources::{Evidence, Peer, Where, api_key_digest, named_in};
pub use standing::{Passage, Standing};
pub use take_out::{ACT_FOR, CELL, CONTEXT, FEATURES, PRINCIPAL, TENANT, TIER, TakenOut, is_identity_header, take_out};
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
