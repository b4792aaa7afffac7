//! Clusters of Kafka, in words.

use std::collections::{HashMap, HashSet};

use partywall_tenancy::{
    Attributes, BrokerAddresses, EventCluster, EventCohort, EventIdentity, EventWorld, NewTopics, Operation,
    PartitionRange, Placed, Service, SpiffeId, Tenant, TenantId, TenantScope, TopicPattern, TopicRule,
};

/// More of a list are counted, not listed.
pub(crate) const NAMES: usize = 20;
const ALL: &str = "all tenants";

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

/// Something that a cluster says of itself.
pub(crate) struct Said {
    words: String,
    /// What follows the words, any number of it.
    list: Vec<String>,
    rest: String,
}

impl Said {
    fn words(words: String) -> Self {
        Self { words, list: Vec::new(), rest: String::new() }
    }

    fn of_list<T>(words: String, list: &[T], one: impl Fn(&T) -> String) -> Self {
        Self { words, list: list.iter().map(one).collect(), rest: String::new() }
    }

    fn of_scope(words: String, scope: &TenantScope) -> Self {
        match scope {
            TenantScope::All => Self { list: vec![ALL.to_owned()], ..Self::words(words) },
            TenantScope::Only(list) => Self::of_list(words, list, ToString::to_string),
        }
    }

    /// In one line, with so much of its list at most.
    pub(crate) fn line(&self, most: usize) -> String {
        [&self.words, some(&self.list, most, String::clone).as_str(), &self.rest].concat()
    }

    /// What of it `others` do not say.
    pub(crate) fn beyond(self, others: &[Self]) -> Option<Self> {
        let same: Vec<&Self> = others.iter().filter(|other| other.words == self.words).collect();
        if same.is_empty() {
            return Some(self);
        }
        let there: HashSet<&String> = same.iter().flat_map(|other| &other.list).collect();
        let list: Vec<String> = self.list.into_iter().filter(|one| !there.contains(one)).collect();
        (!list.is_empty()).then_some(Self { list, ..self })
    }
}

/// What a cluster says of itself, a line each. `service` is that of the same name.
pub(crate) fn lines(cluster: &EventCluster, service: Option<&Service>) -> Vec<String> {
    said(cluster, service).iter().map(|said| said.line(NAMES)).collect()
}

/// What a cluster says of itself, piece by piece. `service` is that of the same name.
pub(crate) fn said(cluster: &EventCluster, service: Option<&Service>) -> Vec<Said> {
    let EventCluster { region, identity, bound, prefix, own_prefixes, cohorts, brokers, topics, new_topics, .. } =
        cluster;
    let proxy = |service: &Service| Said::words(format!("the proxy is {}", service.spiffe_id));
    let mut all: Vec<Said> = service.into_iter().map(proxy).collect();
    all.push(Said::words(format!("keeps data in {region}")));
    all.extend(identity.iter().map(shows));
    all.extend(bound.iter().map(|scope| Said::of_scope("a listener may be bound to ".to_owned(), scope)));
    all.push(Said::words(format!("names behind {}{{tenant}}{}", prefix.head, prefix.tail)));
    if !own_prefixes.is_empty() {
        let one = |(tenant, prefix): &(TenantId, String)| format!("{tenant} behind {prefix}");
        all.push(Said::of_list("names of ".to_owned(), own_prefixes, one));
    }
    all.extend(cohorts.iter().map(|EventCohort { name, prefix, tenants }| {
        Said::of_list(format!("names of the cohort {name} behind {prefix}: "), tenants, ToString::to_string)
    }));
    all.push(finds(brokers));
    all.push(Said::words(new_words(new_topics)));
    all.extend(topics.iter().map(|rule| {
        let rest = service.map_or_else(String::new, |service| touches(rule, service));
        Said { rest, ..makes(rule) }
    }));
    if topics.iter().any(|rule| matches!(rule.placed, Placed::Partitions { .. })) {
        let words = "WHO HAS PARTITIONS OF A TOPIC is offered groups of the classic protocol alone: in the others the broker assigns";
        all.push(Said::words(words.to_owned()));
    }
    all
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

/// What a rule makes of topics, in one line.
pub(crate) fn rule(rule: &TopicRule) -> String {
    makes(rule).line(NAMES)
}

fn makes(rule: &TopicRule) -> Said {
    let TopicRule { name, covers, placed } = rule;
    let covers = match covers {
        TopicPattern::Named(topic) => topic.clone(),
        TopicPattern::Begins(begin) => format!("{begin}*"),
    };
    let called = if *name == covers { String::new() } else { format!(" (rule {name})") };
    let topic = format!("topic {covers}{called} is ");
    match placed {
        Placed::Own => Said::words(topic + "the tenant's own"),
        Placed::Denied => Said::words(topic + "DENIED to everyone"),
        Placed::Shared { topic: of, readers } => {
            Said::of_scope(format!("{topic}{of} of the broker, read by "), readers)
        }
        Placed::Partitions { topic: of, ranges } => {
            let one = |range: &PartitionRange| {
                let last = i64::from(range.first) + i64::from(range.count) - 1;
                format!("{} {}-{last}", range.tenant, range.first)
            };
            Said::of_list(format!("{topic}partitions of {of} of the broker: "), ranges, one)
        }
    }
}

fn shows(identity: &EventIdentity) -> Said {
    Said::words(match identity {
        EventIdentity::UriSan { template } => format!("a tenant by certificate URI {template}"),
        EventIdentity::DnsSan { template } => format!("a tenant by certificate DNS name {template}"),
        EventIdentity::Workload { workloads } => {
            let one = |(id, tenant): &(SpiffeId, TenantId)| format!("{id} is of {tenant}");
            return Said::of_list("a tenant by workload: ".to_owned(), workloads, one);
        }
        EventIdentity::User { template } => format!("a tenant by SASL user {template}"),
        EventIdentity::Token => "a tenant by token of an issuer (SASL OAUTHBEARER)".to_owned(),
    })
}

fn finds(brokers: &BrokerAddresses) -> Said {
    Said::words(match brokers {
        BrokerAddresses::AsTheyAre => "brokers as they say themselves".to_owned(),
        BrokerAddresses::Listed(list) => {
            let one = |(id, host, port): &(i32, String, u16)| format!("{id} at {host}:{port}");
            return Said::of_list("brokers ".to_owned(), list, one);
        }
        BrokerAddresses::ByPort { host, first, most } => {
            format!("brokers 0 to {most} at {host}, ports {first} to {}", u32::from(*first) + u32::from(*most))
        }
        BrokerAddresses::Sni { head, tail, port } => format!("brokers each at {head}{{id}}{tail}:{port}"),
    })
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

fn scope_words(scope: &TenantScope) -> String {
    match scope {
        TenantScope::All => ALL.to_owned(),
        TenantScope::Only(list) => names(list),
    }
}

/// Tenants by their names; of many, how many more there are.
pub(crate) fn names(tenants: &[TenantId]) -> String {
    some(tenants, NAMES, ToString::to_string)
}

/// The first `most` of a list, and how many more there are.
fn some<T>(all: &[T], most: usize, one: impl Fn(&T) -> String) -> String {
    let told = all.iter().take(most).map(one).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(most) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}
