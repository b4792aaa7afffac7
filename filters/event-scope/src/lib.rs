//! Events: topics, partitions, groups and transactional ids of tenants that share a broker. Bytes in, bytes out: it
//! knows no host, no clock and no socket.
//!
//! ```text
//! client ─► kafka::session::Session ─► broker           a connection, kept in its tenant's world
//!                │ walks each frame by
//!                ▼
//! bytes ──► kafka::codec::Frames ──► kafka::codec::request / response ──► Splice: runs of the frame, edited places
//!                                        │        ▲
//!                                      Place    Verdict      an Editor decides about each marked place, in wire order
//!                                        ▼        │
//! ```
//!
//! What a session calls a `World` is a [`scope::Scope`]: what a tenant sees of a cluster, as the bundle says. Kafka's REST
//! APIs ([`rest`]) go by the same worlds. [`cloudevents`] are events without a cluster.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

pub mod cloudevents;
pub mod kafka;
mod memory;
pub mod rest;
pub mod scope;
mod topic_ids;

pub use memory::Memory;
pub use partywall_json::Fault;
pub use topic_ids::TopicIds;
