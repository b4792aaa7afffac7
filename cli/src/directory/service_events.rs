//! `events` of a service: a REST API of Kafka, or CloudEvents.

use partywall_event_scope::cloudevents::{Source, is_type};
use partywall_tenancy::{CloudEvents, RestVersion, ServiceEvents, SpiffeId};

use crate::directory::fields::{Fields, Report, choice, list, once_each, text, texts};
use crate::directory::service::ServiceEntry;
use crate::directory::values::{duration, spiffe_id, word};
use crate::directory::yaml::{At, Located, Node};

/// `events`, as far as it could be read.
#[derive(Debug)]
pub(crate) struct EventsEntry<'s> {
    /// Where it stands.
    pub(crate) at: At<'s>,
    /// Of a REST API, the cluster behind it.
    pub(crate) cluster: Option<Located<'s, String>>,
    /// Who delivers events.
    pub(crate) deliveries: Vec<Located<'s, SpiffeId>>,
    /// All of it, if it is good.
    pub(crate) events: Option<ServiceEvents>,
}

/// Which REST API of Kafka.
pub(crate) const VERSIONS: &[(&str, RestVersion)] = &[("v2", RestVersion::V2), ("v3", RestVersion::V3)];

/// Reads `events`.
pub(crate) fn read<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<EventsEntry<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "`events`", report)?;
    let rest = fields.optional("rest");
    let cluster = fields.optional("cluster");
    let cloudevents = fields.optional("cloudevents");
    fields.finish(report);
    let mut entry = EventsEntry { at, cluster: None, deliveries: Vec::new(), events: None };
    match (rest, cluster, cloudevents) {
        (Some(rest), Some(cluster), None) => {
            let version = choice(rest, "`rest`", VERSIONS, report);
            entry.cluster = word(cluster, "a cluster", report);
            let cluster = entry.cluster.as_ref().map(|cluster| cluster.value.clone());
            entry.events = version.zip(cluster).map(|(version, cluster)| ServiceEvents::Rest { version, cluster });
        }
        (None, None, Some(node)) => {
            let (events, deliveries) = cloud_events(node, trust_domain, report);
            (entry.events, entry.deliveries) = (events.map(ServiceEvents::CloudEvents), deliveries);
        }
        _ => {
            report.push(
                at.error("`events` says neither one API nor the other")
                    .help("write `{ rest: v2, cluster: shop-events }`, or `{ cloudevents: { … } }`"),
            );
        }
    }
    Some(entry)
}

fn cloud_events<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    report: &mut Report,
) -> (Option<CloudEvents>, Vec<Located<'s, SpiffeId>>) {
    let Some(mut fields) = Fields::of(node, "`cloudevents`", report) else { return (None, Vec::new()) };
    let mut good = true;
    let mut begin = |name: &'static str, report: &mut Report| {
        let node = fields.optional(name)?;
        let read = template(node, name, report);
        good &= read.is_some();
        read
    };
    let (source, subject) = (begin("source", report), begin("subject", report));
    let types = fields.optional("types").map_or(vec![], |node| texts(node, "a type", report));
    for one in &types {
        if !is_type(&one.value) {
            let message = format!("`{}` is no type of events", one.value);
            report.push(one.at.error(message).help("write printable ASCII, with `*` at its end or nowhere: `order.*`"));
            good = false;
        }
    }
    let context =
        fields.optional("context").map(|node| duration(node, "`context`", 1..=CloudEvents::LONGEST_CONTEXT, report));
    let deliveries = fields.optional("deliveries").map_or(vec![], |node| {
        list(node, "`deliveries`", report, |item, report| spiffe_id(item, trust_domain, report))
    });
    fields.finish(report);
    good &= context != Some(None);
    let deliveries = once_each(deliveries, "workload", report);
    let events = good.then(|| CloudEvents {
        source,
        subject,
        types: types.iter().map(|one| one.value.clone()).collect(),
        context: context.flatten(),
        deliveries: deliveries.iter().map(|one| one.value.clone()).collect(),
    });
    (events, deliveries)
}

fn template(node: Node<'_>, name: &str, report: &mut Report) -> Option<String> {
    let read = text(node, name, report)?;
    match Source::parse(&read.value) {
        Ok(_) => Some(read.value),
        Err(why) => {
            // What is wrong, and what to write instead.
            let (what, help) = why.split_once(": ").unwrap_or((why, "write `/tenants/{tenant}/`"));
            report.add(read.at.error(format!("`{name}` {what}")).help(help))
        }
    }
}

/// Reports what does not fit the rest of the directory; `clusters` are the names in events.yaml.
pub(crate) fn check(service: &ServiceEntry<'_>, clusters: &[String], report: &mut Report) {
    let Some(entry) = &service.events else { return };
    if let Some(cluster) = &entry.cluster
        && !clusters.contains(&cluster.value)
    {
        let message = format!("there is no cluster `{}`", cluster.value);
        report.push(cluster.at.error(message).help("name one of `clusters` in events.yaml"));
    }
    for delivery in &entry.deliveries {
        if !service.callers.iter().any(|caller| caller.spiffe_id.value == delivery.value) {
            let message = format!("`{}` is no caller of this service", delivery.value);
            report
                .push(delivery.at.error(message).help("list it in `callers`, with the tenants whose events it brings"));
        }
    }
    if service.tenantless.is_some() {
        let message = "a service of no tenant gets no events of tenants";
        report.push(entry.at.error(message).help("take `events` out, or `tenantless`"));
    }
}
