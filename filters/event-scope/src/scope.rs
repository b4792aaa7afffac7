//! What a tenant sees of a cluster of Kafka: topics, partitions, groups, transactional ids, clients and brokers.
//!
//! ```text
//! bundle ─► EventCluster ─► Cluster::new, once ─► Cluster ─► scope(tenant), for each connection ─► Scope: World
//!
//! tenant says   ─► rule that covers it ─► the broker's name       inward
//! tenant reads  ◄─ rule, if it is that ◄─ the broker's name       outward; nothing of others comes back
//! ```
//!
//! All of it is total: whatever bytes a peer sends are a name, or are denied.

mod bounds;
mod brokers;
mod cohorts;
mod counts;
mod names;
mod prefixes;
mod topics;
mod world;

use std::rc::Rc;

use partywall_tenancy::{BrokerAddresses, EventCluster, NewTopics, TenantId};

pub use counts::{Counts, Kept};
pub use world::Seen;

use prefixes::Prefixes;
use topics::Topics;

/// A cluster, compiled from what the bundle says of it. Clones share it.
#[derive(Clone, Debug)]
pub struct Cluster {
    tables: Rc<Tables>,
    counts: Rc<Counts>,
}

#[derive(Debug)]
struct Tables {
    name: Box<str>,
    prefixes: Prefixes,
    topics: Topics,
    brokers: BrokerAddresses,
    new_topics: NewTopics,
}

impl Cluster {
    /// Compiles it; an error says what contradicts itself, in words for whoever wrote it. `counts` is where topics of
    /// this cluster are counted: the same one for each bundle.
    ///
    /// It takes time for each tenant that is named, once for each bundle.
    pub fn new(events: &EventCluster, counts: Rc<Counts>) -> Result<Self, String> {
        let at = |problem: String| format!("cluster `{}`: {problem}", events.name);
        let prefixes = Prefixes::new(events).map_err(at)?;
        let topics = Topics::new(events).map_err(at)?;
        cohorts::check(events, topics.rules()).map_err(at)?;
        brokers::check(&events.brokers).map_err(at)?;
        let tables = Tables {
            name: events.name.as_str().into(),
            prefixes,
            topics,
            brokers: events.brokers.clone(),
            new_topics: events.new_topics.clone(),
        };
        Ok(Self { tables: Rc::new(tables), counts })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.tables.name
    }

    /// What `tenant` sees; `None` where its prefix would begin another's, or another's its. Whether there is such a
    /// tenant, and whether it may act, is asked elsewhere.
    #[must_use]
    pub fn scope(&self, tenant: &TenantId) -> Option<Scope> {
        let prefix = self.tables.prefixes.of(tenant)?;
        let topics = &self.tables.topics;
        let (ranged, holds_placed) = (topics.has_ranges(tenant), topics.is_any_placed_within(&prefix));
        let (tables, counts) = (Rc::clone(&self.tables), Rc::clone(&self.counts));
        Some(Scope { tables, counts, tenant: tenant.clone(), prefix, ranged, holds_placed })
    }

    /// Whether partitions are counted anew for any tenant: to whom is not known yet, groups of the classic protocol
    /// alone are offered then.
    #[must_use]
    pub fn has_ranges(&self) -> bool {
        self.tables.topics.has_any_ranges()
    }
}

/// What a tenant sees of a cluster: the [`World`](crate::kafka::session::World) of its sessions. Made in time that grows
/// with the logarithm of what the cluster has; it holds no table of its own.
#[derive(Clone, Debug)]
pub struct Scope {
    tables: Rc<Tables>,
    counts: Rc<Counts>,
    tenant: TenantId,
    /// What stands before its names.
    prefix: Rc<str>,
    /// Whether it has partitions of some topic.
    ranged: bool,
    /// Whether rules give to others what begins with its prefix.
    holds_placed: bool,
}

impl Scope {
    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// What stands before its names: its own, or its cohort's.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of the rule that covers what the tenant calls `name`, whether that leaves it to the tenant or not: it
    /// stands in the path of the topic's operations, `/<action>/<rule>/{topic}`.
    #[must_use]
    pub fn rule_of(&self, name: &[u8]) -> Option<&str> {
        self.tables.topics.covering(name).map(|rule| &*rule.name)
    }
}
