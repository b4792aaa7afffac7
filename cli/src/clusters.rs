//! Clusters of Kafka, in words.

use std::collections::HashMap;

use partywall_tenancy::{
    Attributes, BrokerAddresses, EventCluster, EventCohort, EventIdentity, EventWorld, NewTopics, Operation,
    PartitionRange, Placed, Service, SpiffeId, Tenant, TenantId, TenantScope, TopicPattern, TopicRule,
};

/// More tenants are counted, not listed.
const NAMES: usize = 20;

/// What stands before the names of each tenant.
pub(crate) struct Prefixes<'c> {
    cluster: &'c EventCluster,
    written: HashMap<&'c TenantId, &'c str>,
}

impl<'c> Prefixes<'c> {
    /// Those of a cluster.
    pub(crate) fn of_cluster(cluster: &'c EventCluster) -> Self {
        let own = cluster.own_prefixes.iter().map(|(tenant, prefix)| (tenant, prefix.as_str()));
        let of = |cohort: &'c EventCohort| cohort.tenants.iter().map(|tenant| (tenant, cohort.prefix.as_str()));
        Self { cluster, written: own.chain(cluster.cohorts.iter().flat_map(of)).collect() }
    }

    /// That of a tenant: its own, its cohort's, or the one with its id.
    pub(crate) fn of(&self, tenant: &TenantId) -> String {
        self.written.get(tenant).map_or_else(|| self.cluster.prefix.of(tenant), |prefix| (*prefix).to_owned())
    }
}

/// The workloads that clusters know as clients of one tenant.
pub(crate) fn workloads(clusters: &[EventCluster]) -> impl Iterator<Item = &SpiffeId> {
    let known = clusters.iter().flat_map(|cluster| &cluster.identity).filter_map(|way| match way {
        EventIdentity::Workload { workloads } => Some(workloads),
        _ => None,
    });
    known.flatten().map(|(workload, _)| workload)
}

/// Whether groups of the classic protocol alone are offered by a cluster to tenants that have ranges.
pub(crate) fn has_ranges(cluster: &EventCluster) -> bool {
    cluster.topics.iter().any(|rule| matches!(rule.placed, Placed::Partitions { .. }))
}

/// What tenants see of each other's at a cluster, each in words: policies are not asked whose it is.
pub(crate) fn across(cluster: &EventCluster, tenants: &[Tenant]) -> Vec<String> {
    let name = &cluster.name;
    let is_tenant = |id: &str| tenants.binary_search_by(|tenant| tenant.id.as_str().cmp(id)).is_ok();
    let cohort = |cohort: &EventCohort| {
        let tenants = names(&cohort.tenants);
        format!("the cohort {} of {name}: topics, groups and transactional ids are the same for {tenants}", cohort.name)
    };
    let shared = cluster.topics.iter().filter_map(|rule| {
        let Placed::Shared { topic, readers } = &rule.placed else { return None };
        let EventWorld::Tenant(owner) = cluster.world_of(topic, is_tenant)? else { return None };
        let readers = scope_words(readers);
        Some(format!("the topic {topic} of {name}, which is {owner}'s, read-only: {readers} may read it"))
    });
    cluster.cohorts.iter().map(cohort).chain(shared).collect()
}

/// What a cluster says of itself, a line each. `service` is that of the same name.
pub(crate) fn lines(cluster: &EventCluster, service: Option<&Service>) -> Vec<String> {
    let EventCluster { region, identity, bound, prefix, own_prefixes, cohorts, brokers, topics, new_topics, .. } =
        cluster;
    let mut lines: Vec<String> = service.iter().map(|service| format!("the proxy is {}", service.spiffe_id)).collect();
    lines.push(format!("keeps data in {region}"));
    lines.extend(identity.iter().map(identity_words));
    lines.extend(bound.iter().map(|scope| format!("a listener may be bound to {}", scope_words(scope))));
    lines.push(format!("names behind {}{{tenant}}{}", prefix.head, prefix.tail));
    lines.extend(own_prefixes.iter().take(NAMES).map(|(tenant, prefix)| format!("names of {tenant} behind {prefix}")));
    if let Some(more) = own_prefixes.len().checked_sub(NAMES).filter(|more| *more > 0) {
        lines.push(format!("names of {more} more tenants behind prefixes of their own"));
    }
    lines.extend(cohorts.iter().map(|EventCohort { name, prefix, tenants }| {
        format!("names of the cohort {name} behind {prefix}: {}", names(tenants))
    }));
    lines.push(format!("brokers {}", brokers_words(brokers)));
    lines.push(new_words(new_topics));
    lines.extend(
        topics.iter().map(|one| rule(one) + &service.map_or_else(String::new, |service| touches(one, service))),
    );
    if has_ranges(cluster) {
        lines.push(
            "WHO HAS PARTITIONS OF A TOPIC is offered groups of the classic protocol alone: in the others the broker assigns"
                .to_owned(),
        );
    }
    lines
}

/// What it touches besides, as its operations say it.
fn touches(rule: &TopicRule, service: &Service) -> String {
    let of_rule = |operation: &&Operation| operation.path.split('/').nth(2) == Some(&rule.name);
    let Some(operation) = service.operations.iter().find(of_rule) else { return String::new() };
    let Attributes { dataset, classification, purpose, feature, .. } = &operation.attributes;
    let feature = feature.as_ref().map_or("", |feature| feature.name.as_str());
    [("dataset", dataset.as_str()), ("", classification), ("for", purpose), ("feature", feature)]
        .into_iter()
        .filter(|(_, word)| !word.is_empty())
        .map(|(what, word)| if what.is_empty() { format!(", {word}") } else { format!(", {what} {word}") })
        .collect()
}

/// What a rule makes of topics.
pub(crate) fn rule(rule: &TopicRule) -> String {
    let TopicRule { name, covers, placed } = rule;
    let covers = match covers {
        TopicPattern::Named(topic) => topic.clone(),
        TopicPattern::Begins(begin) => format!("{begin}*"),
    };
    let called = if *name == covers { String::new() } else { format!(" (rule {name})") };
    let placed = match placed {
        Placed::Own => "the tenant's own".to_owned(),
        Placed::Denied => "DENIED to everyone".to_owned(),
        Placed::Shared { topic, readers } => format!("{topic} of the broker, read by {}", scope_words(readers)),
        Placed::Partitions { topic, ranges } => {
            format!("partitions of {topic} of the broker: {}", ranges_words(ranges))
        }
    };
    format!("topic {covers}{called} is {placed}")
}

fn identity_words(identity: &EventIdentity) -> String {
    match identity {
        EventIdentity::UriSan { template } => format!("a tenant by certificate URI {template}"),
        EventIdentity::DnsSan { template } => format!("a tenant by certificate DNS name {template}"),
        EventIdentity::Workload { workloads } => {
            let one = |(id, tenant): &(_, TenantId)| format!("{id} is of {tenant}");
            let more = workloads.len().checked_sub(NAMES).filter(|more| *more > 0);
            let told: Vec<String> = workloads.iter().take(NAMES).map(one).collect();
            let more = more.map_or_else(String::new, |more| format!(", and {more} more"));
            format!("a tenant by workload: {}{more}", told.join(", "))
        }
        EventIdentity::User { template } => format!("a tenant by SASL user {template}"),
        EventIdentity::Token => "a tenant by token of an issuer (SASL OAUTHBEARER)".to_owned(),
    }
}

fn brokers_words(brokers: &BrokerAddresses) -> String {
    match brokers {
        BrokerAddresses::AsTheyAre => "as they say themselves".to_owned(),
        BrokerAddresses::Listed(list) => {
            let one = |(id, host, port): &(i32, String, u16)| format!("{id} at {host}:{port}");
            list.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        BrokerAddresses::ByPort { host, first, most } => {
            format!("0 to {most} at {host}, ports {first} to {}", u32::from(*first) + u32::from(*most))
        }
        BrokerAddresses::Sni { head, tail, port } => format!("each at {head}{{id}}{tail}:{port}"),
    }
}

fn new_words(new: &NewTopics) -> String {
    if !new.allowed {
        return "nobody makes topics".to_owned();
    }
    let mut bounds = Vec::new();
    bounds.extend(new.partitions.map(|most| format!("up to {most} partitions")));
    bounds.extend(new.replication.map(|(least, most)| format!("{least} to {most} replicas")));
    bounds.extend(new.retention.map(|most| format!("retention up to {} s", most / 1000)));
    bounds.extend(new.count.map(|most| format!("up to {most} of them")));
    bounds.push(match &new.configs {
        None => "ANY CONFIGURATION".to_owned(),
        Some(none) if none.is_empty() => "no other configuration".to_owned(),
        Some(some) => some.join(", "),
    });
    if new.automatic {
        bounds.push("by asking for one, too".to_owned());
    }
    format!("tenants make topics: {}", bounds.join(", "))
}

fn ranges_words(ranges: &[PartitionRange]) -> String {
    let one = |range: &PartitionRange| {
        let last = i64::from(range.first) + i64::from(range.count) - 1;
        format!("{} {}-{last}", range.tenant, range.first)
    };
    let told: Vec<String> = ranges.iter().take(NAMES).map(one).collect();
    match ranges.len().checked_sub(NAMES).filter(|more| *more > 0) {
        Some(more) => format!("{}, and {more} more", told.join(", ")),
        None => told.join(", "),
    }
}

fn scope_words(scope: &TenantScope) -> String {
    match scope {
        TenantScope::All => "all tenants".to_owned(),
        TenantScope::Only(list) => names(list),
    }
}

fn names(tenants: &[TenantId]) -> String {
    let told: Vec<&str> = tenants.iter().take(NAMES).map(TenantId::as_str).collect();
    match tenants.len().checked_sub(NAMES).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", told.join(", ")),
        None => told.join(", "),
    }
}
