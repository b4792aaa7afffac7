//! Clusters of Kafka: what each tenant sees of them, told by the signed bundle.
//!
//! ```text
//! tenant says             rule             at the broker
//! orders            ─►    own         ─►   acme.orders             the prefix of the tenant, or of its cohort
//! telemetry, 0..4   ─►    partitions  ─►   telemetry, 12..16       a range of a topic that many share
//! rates             ─►    shared      ─►   reference.rates         for reading
//! secrets           ─►    denied
//! ```

mod check;
mod identity;
mod prefixes;

use serde::{Deserialize, Serialize};

pub use identity::UserForm;
pub use prefixes::{EventWorld, PrefixClash};

use crate::{SpiffeId, TenantId, TenantScope};

/// A cluster of Kafka. Its actions on topics are operations of the service of the same name, whose method is
/// [`EventCluster::METHOD`]: policies decide on them as on requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCluster {
    /// Its name, and that of the service.
    pub name: String,
    /// The region where its brokers keep what is written.
    pub region: String,
    /// How a client shows which tenant it is; a listener may name it besides, see [`EventCluster::bound`].
    pub identity: Vec<EventIdentity>,
    /// The tenants that a listener may be bound to by its configuration.
    pub bound: Option<TenantScope>,
    /// What stands before the names of a tenant that has no prefix of its own and is in no cohort.
    pub prefix: EventPrefix,
    /// Prefixes of tenants that have one of their own, sorted by tenant.
    pub own_prefixes: Vec<(TenantId, String)>,
    /// Tenants that see the same topics, groups and transactional ids.
    pub cohorts: Vec<EventCohort>,
    /// Where clients find brokers.
    pub brokers: BrokerAddresses,
    /// What topics there are, sorted by [`TopicRule::name`]. Of those that cover a name, the most exact counts.
    pub topics: Vec<TopicRule>,
    /// What a topic that a tenant makes may have.
    pub new_topics: NewTopics,
}

impl EventCluster {
    /// The method of its operations; their paths are `/<action>/<rule>/{topic}`, as `/events:produce/orders/{topic}`.
    pub const METHOD: &'static str = "KAFKA";

    /// The actions that change nothing of a topic.
    pub const READING: [&'static str; 2] = ["events:consume", "events:describe"];
}

/// How a client shows its tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventIdentity {
    /// By a URI of its certificate, as `spiffe://mesh.example/tenant/{tenant}/sa/{workload}`.
    UriSan {
        /// The template; a parameter stands for one whole segment.
        template: String,
    },
    /// By a DNS name of its certificate, as `{tenant}.clients.example`.
    DnsSan {
        /// The template; `{tenant}` stands for one label.
        template: String,
    },
    /// By its SPIFFE ID, which is one of these callers'; each is of one tenant.
    Workload {
        /// The caller and its tenant, sorted.
        workloads: Vec<(SpiffeId, TenantId)>,
    },
    /// By the user of SASL PLAIN or SCRAM, once the broker believed it.
    User {
        /// `{tenant}`, with at most one `{user}` before or behind it, parted by a character that no tenant id has.
        template: String,
    },
    /// By a token of SASL OAUTHBEARER, of an issuer of the bundle.
    Token,
}

/// A prefix with a tenant in it: what stands before the tenant's id, and what behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPrefix {
    /// Before it; mostly empty.
    pub head: String,
    /// Behind it; begins with `.` or `_`, which no tenant id has, so that no prefix begins another.
    pub tail: String,
}

impl EventPrefix {
    /// The prefix of `tenant`.
    pub fn of(&self, tenant: &TenantId) -> String {
        [self.head.as_str(), tenant.as_str(), self.tail.as_str()].concat()
    }
}

/// Tenants with one world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCohort {
    /// Its name.
    pub name: String,
    /// What stands before its names.
    pub prefix: String,
    /// Who is in it, sorted. A tenant is in one cohort of a cluster at most.
    pub tenants: Vec<TenantId>,
}

/// Where clients find brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BrokerAddresses {
    /// Where the brokers say: the mesh takes it from there.
    AsTheyAre,
    /// Each at its own; a broker that is not listed is not told of. Sorted by id.
    Listed(Vec<(i32, String, u16)>),
    /// All at this host, at the port `first` plus the broker's id, up to the id `most`.
    ByPort {
        /// The host.
        host: String,
        /// The port of broker 0.
        first: u16,
        /// The largest id that there is.
        most: u16,
    },
    /// Each at a name of its own, by which a listener's SNI tells them apart, all at one port.
    Sni {
        /// Of the name, what stands before the broker's id.
        head: String,
        /// And behind it.
        tail: String,
        /// The port.
        port: u16,
    },
}

/// Some topics, by what tenants call them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRule {
    /// Its name: it stands in the paths of the service's operations, as `/events:produce/<rule>/{topic}`.
    pub name: String,
    /// Which topics it covers.
    pub covers: TopicPattern,
    /// What they are at the broker.
    pub placed: Placed,
}

/// Which topics a rule covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TopicPattern {
    /// The one of this name.
    Named(String),
    /// Those whose names begin so; with an empty text all.
    Begins(String),
}

/// What a tenant's topic is at the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placed {
    /// Its own: the tenant's prefix and its name.
    Own,
    /// Partitions of a topic that several tenants share. The rule names one topic.
    Partitions {
        /// The broker's name of it.
        topic: String,
        /// Which partitions are whose, sorted by tenant; no two have the same, but for those of one cohort, who have all
        /// of them the same.
        ranges: Vec<PartitionRange>,
    },
    /// A topic that these tenants may read and nobody writes through the filter, but its owner by its own name. The rule
    /// names one topic.
    Shared {
        /// The broker's name of it.
        topic: String,
        /// Who reads.
        readers: TenantScope,
    },
    /// Nobody's.
    Denied,
}

/// Partitions of a tenant: those from `first` on, so many. The tenant counts them from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRange {
    /// Whose they are.
    pub tenant: TenantId,
    /// The broker's number of the first.
    pub first: i32,
    /// How many.
    pub count: i32,
}

/// What a topic that a tenant makes, or changes, may have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopics {
    /// Whether topics may be made at all.
    pub allowed: bool,
    /// Whether asking for a topic may make it.
    pub automatic: bool,
    /// The most partitions; what the broker thinks best (-1) is within it.
    pub partitions: Option<i32>,
    /// The least and the most replicas; likewise.
    pub replication: Option<(i16, i16)>,
    /// The longest retention, in milliseconds: without end is longer.
    pub retention: Option<i64>,
    /// The most topics of a tenant, or of a cohort.
    pub count: Option<u32>,
    /// The configurations that may be set beside retention, sorted; `None` for all.
    pub configs: Option<Vec<String>>,
}
