//! `events.yaml`: what tenants see of clusters of Kafka.
//!
//! Each cluster is a service, too: what may be done to its topics are the operations of it, and policies decide on them
//! as on requests.

mod brokers;
mod check;
mod identity;
mod new_topics;
mod prefixes;
mod ranges;
mod topics;

use partywall_tenancy::{BrokerAddresses, EventCluster, NewTopics, Recover, Service};

use crate::directory::data::Data;
use crate::directory::events::identity::Identity;
use crate::directory::events::prefixes::Prefixes;
use crate::directory::events::topics::Topic;
use crate::directory::fields::{Fields, Report, list};
use crate::directory::modes;
use crate::directory::service::ServiceEntry;
use crate::directory::tenant::TenantFile;
use crate::directory::values::{Scope, spiffe_id, word};
use crate::directory::yaml::{Located, Node, Value};

pub(crate) use check::check;

/// What `events.yaml` says.
#[derive(Debug, Default)]
pub(crate) struct EventsEntry<'s> {
    /// `clusters`.
    pub(crate) clusters: Vec<ClusterEntry<'s>>,
    /// The service of each.
    pub(crate) services: Vec<ServiceEntry<'s>>,
}

/// One of `clusters`, if what it says of itself is good.
#[derive(Debug)]
pub(crate) struct ClusterEntry<'s> {
    /// `cluster`.
    pub(crate) name: Located<'s, String>,
    region: String,
    identity: Identity<'s>,
    prefixes: Prefixes<'s>,
    brokers: BrokerAddresses,
    new_topics: NewTopics,
    topics: Vec<Topic<'s>>,
}

/// Reads the document of `events.yaml`.
pub(crate) fn read<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    data: &Data<'_>,
    report: &mut Report,
) -> EventsEntry<'s> {
    let Some(mut fields) = Fields::of(node, "the file of events", report) else { return EventsEntry::default() };
    let clusters = fields.required("clusters", "write `clusters: [{ cluster: shop-events, … }]`", report);
    fields.finish(report);
    let Some(node) = clusters else { return EventsEntry::default() };
    if let Value::List(items) = &node.value {
        if items.is_empty() {
            report.push(node.at.error("these are no clusters").help("write one, or take the file out"));
        } else if let Some(one_more) = items.get(EventCluster::MOST) {
            let message = format!("this is one cluster too many: a mesh has at most {}", EventCluster::MOST);
            report.push(one_more.at.error(message).help("split the mesh"));
        }
    }
    let read = list(node, "`clusters`", report, |item, report| Some(cluster(item, trust_domain, data, report)));
    let (clusters, services): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    EventsEntry {
        clusters: clusters.into_iter().flatten().collect(),
        services: services.into_iter().flatten().collect(),
    }
}

fn cluster<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    data: &Data<'_>,
    report: &mut Report,
) -> (Option<ClusterEntry<'s>>, Option<ServiceEntry<'s>>) {
    let Some(mut fields) = Fields::of(node, "a cluster", report) else { return (None, None) };
    let name = fields
        .required("cluster", "write `cluster: shop-events`", report)
        .and_then(|node| word(node, "the name of a cluster", report));
    let its_id = fields
        .required("spiffe_id", "write `spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy`", report)
        .and_then(|node| spiffe_id(node, trust_domain, report));
    let region =
        fields.required("region", "write `region: eu`", report).and_then(|node| word(node, "a region", report));
    let identity = fields
        .required(
            "identity",
            "write `identity: [{ uri: \"spiffe://mesh.example/tenant/{tenant}/sa/{workload}\" }]`",
            report,
        )
        .and_then(|node| identity::read(node, trust_domain, report));
    let prefixes = prefixes::read(&mut fields, report);
    let brokers = fields
        .required(
            "brokers",
            "write `brokers: as_they_are`, or where clients find them: `by_port`, `sni` or `listed`",
            report,
        )
        .and_then(|node| brokers::read(node, report));
    let new_topics = match fields.optional("new_topics") {
        Some(node) => new_topics::read(node, report),
        None => Some(NewTopics::default()),
    };
    let mode = modes::mode(&mut fields, report);
    let topics = fields.required("topics", "write `topics: [{ topic: \"*\" }]`", report);
    let topics = topics.map_or(vec![], |node| topics::read(node, data, report));
    fields.finish(report);
    let operations = topics::operations(&topics, report);
    let service = ServiceEntry {
        name: name.clone(),
        spiffe_id: its_id,
        clusters: Vec::new(),
        max_context_age: Some(Service::CONTEXT_AGE),
        recover: Some(Recover::Handle),
        own_tenant: None,
        act_for: None,
        mode,
        shadow_routes: None,
        callers: Vec::new(),
        platform: Vec::new(),
        without_context: None,
        tenantless: None,
        operations,
        routes: None,
        events: None,
    };
    let entry = || {
        Some(ClusterEntry {
            name: name?,
            region: region?.value,
            identity: identity?,
            prefixes: prefixes?,
            brokers: brokers?,
            new_topics: new_topics?,
            topics,
        })
    };
    (entry(), Some(service))
}

impl EventsEntry<'_> {
    /// Whether tokens of issuers show a tenant somewhere.
    pub(crate) fn reads_tokens(&self) -> bool {
        self.clusters.iter().any(|cluster| cluster.identity.token().is_some())
    }
}

impl ClusterEntry<'_> {
    /// As the bundle says it: cohorts are written out.
    pub(crate) fn to_cluster(&self, tenants: &[TenantFile<'_>]) -> EventCluster {
        let cohorts = self.prefixes.to_cohorts(tenants);
        let mut topics: Vec<_> = self.topics.iter().map(|topic| topic.to_rule(&cohorts)).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        EventCluster {
            name: self.name.value.clone(),
            region: self.region.clone(),
            identity: self.identity.shown.iter().map(|(shown, _)| shown.clone()).collect(),
            bound: self.identity.listener.as_ref().map(Scope::to_tenant_scope),
            prefix: self.prefixes.whole.clone(),
            own_prefixes: self.prefixes.to_own(),
            cohorts,
            brokers: self.brokers.clone(),
            topics,
            new_topics: self.new_topics.clone(),
        }
    }
}
