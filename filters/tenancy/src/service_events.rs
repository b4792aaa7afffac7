//! What of a service's requests are events, and what they have to be.

use serde::{Deserialize, Serialize};

use crate::SpiffeId;

/// What a service speaks besides plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceEvents {
    /// A REST API of Kafka.
    Rest {
        /// Which.
        version: RestVersion,
        /// The cluster behind it: [`crate::EventCluster::name`].
        cluster: String,
    },
    /// CloudEvents over HTTP.
    CloudEvents(CloudEvents),
}

/// Which REST API of Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestVersion {
    /// `/topics`, `/consumers`.
    V2,
    /// `/v3/clusters`.
    V3,
}

/// What events that a service gets have to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvents {
    /// What `source` begins with, as `/tenants/{tenant}/`.
    pub source: Option<String>,
    /// What `subject` begins with, likewise.
    pub subject: Option<String>,
    /// The types that there may be; with a `*` behind, what they begin with. Empty for all.
    pub types: Vec<String>,
    /// How many seconds the context lasts that events get which are sent here; `None` where they get none.
    pub context: Option<u32>,
    /// Who may bring an event without the request that caused it, if it has such a context.
    pub deliveries: Vec<SpiffeId>,
}

impl CloudEvents {
    /// The longest that a context may last, in seconds: a week.
    pub const LONGEST_CONTEXT: u32 = 7 * 24 * 3600;
}
