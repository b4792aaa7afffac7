//! Clusters as a bundle has them, written shortly.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use partywall_tenancy::{
    BrokerAddresses, EventCluster, EventCohort, EventPrefix, NewTopics, PartitionRange, Placed, TenantId, TenantScope,
    TopicPattern, TopicRule,
};

pub fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

/// One in which each tenant has what it likes behind `<tenant>.`.
pub fn plain() -> EventCluster {
    EventCluster {
        name: "shop-events".to_owned(),
        region: "eu".to_owned(),
        identity: Vec::new(),
        bound: None,
        prefix: EventPrefix { head: String::new(), tail: ".".to_owned() },
        own_prefixes: Vec::new(),
        cohorts: Vec::new(),
        brokers: BrokerAddresses::AsTheyAre,
        topics: vec![rule("all", "*", Placed::Own)],
        new_topics: NewTopics::default(),
    }
}

/// `orders` covers that, `orders*` what begins so.
pub fn rule(name: &str, covers: &str, placed: Placed) -> TopicRule {
    let covers = match covers.strip_suffix('*') {
        Some(text) => TopicPattern::Begins(text.to_owned()),
        None => TopicPattern::Named(covers.to_owned()),
    };
    TopicRule { name: name.to_owned(), covers, placed }
}

pub fn cohort(name: &str, prefix: &str, tenants: &[&str]) -> EventCohort {
    let tenants = tenants.iter().copied().map(tenant).collect();
    EventCohort { name: name.to_owned(), prefix: prefix.to_owned(), tenants }
}

pub fn shared(topic: &str, readers: Option<&[&str]>) -> Placed {
    let readers =
        readers.map_or(TenantScope::All, |only| TenantScope::Only(only.iter().copied().map(tenant).collect()));
    Placed::Shared { topic: topic.to_owned(), readers }
}

/// Each with its first partition and how many.
pub fn partitions(topic: &str, ranges: &[(&str, i32, i32)]) -> Placed {
    let ranges =
        ranges.iter().map(|(id, first, count)| PartitionRange { tenant: tenant(id), first: *first, count: *count });
    Placed::Partitions { topic: topic.to_owned(), ranges: ranges.collect() }
}
