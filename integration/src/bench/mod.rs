//! What things cost: in a real Envoy by the CPU time of its worker, and in the counting host by instructions.
//!
//! ```text
//! context      everything about the tenant context: what is measured, in which order
//!   algorithms   one issuer with a key for each algorithm; tokens, signed before they are needed
//!   roots        root contexts, signed as the edge signs them
//!   issuers      tenancy directories with many issuers
//!   proxies      Envoys that differ in the filter alone, with an app that answers at once
//!   rounds       the same requests to each of them, in turn; medians
//! policy       decisions, by the program and by Cedar's interpreter
//! scale        10 to 100,000 tenants: bundle, memory, load, requests while a bundle comes into force
//! suspension   from `partywall tenant suspend` to the first denial, under load
//! guard        what the response guard costs, by the size of the body
//! limits       one tenant at ten times its limit, and what another notices
//! kafka        what a proxy of Kafka's protocol costs, ours and others
//! redaction    what log redaction costs: detection alone, and whole bodies by carrier
//! cpu          the CPU time of a thread
//! figures      what comes of it: a table, and target/bench/<name>.json
//! ```

pub mod algorithms;
pub mod context;
pub mod cpu;
pub mod figures;
pub mod guard;
pub mod issuers;
pub mod kafka;
pub mod limits;
pub mod policy;
pub mod proxies;
pub mod redaction;
pub mod roots;
pub mod rounds;
pub mod scale;
pub mod suspension;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often each case is measured; the median counts.
    pub rounds: usize,
    /// Requests of each case in each round.
    pub requests: usize,
}

/// What must hold of a figure.
#[derive(Debug)]
pub struct Bound {
    /// In words, with the figure.
    pub what: String,
    /// Whether it does.
    pub kept: bool,
}
