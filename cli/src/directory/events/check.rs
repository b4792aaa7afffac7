//! What a cluster cannot know by itself: tenants, the names of others, and what datasets ask for.

use std::collections::HashMap;

use partywall_tenancy::{EventCluster, EventWorld, PrefixClash, TenantId, TopicPattern};

use crate::directory::events::topics::{PlaceEntry, Shared, Topic};
use crate::directory::events::{ClusterEntry, EventsEntry};
use crate::directory::fields::Report;
use crate::directory::mesh::MeshEntry;
use crate::directory::tenant::TenantFile;
use crate::directory::values::{Scope, is_known};
use crate::directory::yaml::{At, Located};
use crate::nearest::nearest;

/// Reports what does not fit the rest of the directory. `known` are the ids of all tenants, sorted.
pub(crate) fn check(
    events: &EventsEntry<'_>,
    mesh: &MeshEntry<'_>,
    tenants: &[TenantFile<'_>],
    known: &[TenantId],
    report: &mut Report,
) {
    for entry in &events.clusters {
        let cluster = entry.to_cluster(tenants);
        let around = Around { entry, cluster: &cluster, known };
        entry.strangers(known, report);
        around.cohorts(tenants, report);
        around.prefixes(report);
        around.topics(report);
        if let Some(at) = entry.identity.token().filter(|_| mesh.issuers.is_empty() && mesh.issuers_whole) {
            let diagnostic = at.error("`token` shows a tenant here, but there is no issuer whose tokens could be one");
            report.push(diagnostic.help("add an issuer to `issuers` of mesh.yaml, or take `token` out"));
        }
    }
}

impl ClusterEntry<'_> {
    /// Tenants that are named and not there.
    fn strangers(&self, known: &[TenantId], report: &mut Report) {
        let mut ask = |tenant: &Located<'_, TenantId>| is_known(tenant, known, report);
        self.identity.workloads.iter().for_each(|(_, tenant)| ask(tenant));
        self.prefixes.own.iter().for_each(|(tenant, _)| ask(tenant));
        for topic in &self.topics {
            match &topic.place {
                PlaceEntry::Partitions(ranges) => ranges.tenants().for_each(&mut ask),
                PlaceEntry::Shared(shared) => shared.owner.iter().for_each(&mut ask),
                PlaceEntry::Own | PlaceEntry::Denied => {}
            }
        }
        let readers = self.topics.iter().filter_map(|topic| match &topic.place {
            PlaceEntry::Shared(shared) => Some(&shared.readers),
            _ => None,
        });
        self.identity.listener.iter().chain(readers).for_each(|scope| scope.check(known, report));
    }
}

/// A cluster, as written and as the bundle would say it.
struct Around<'a, 's> {
    entry: &'a ClusterEntry<'s>,
    cluster: &'a EventCluster,
    known: &'a [TenantId],
}

impl<'a, 's> Around<'a, 's> {
    fn is_tenant(&self, id: &str) -> bool {
        self.known.binary_search_by(|tenant| tenant.as_str().cmp(id)).is_ok()
    }

    /// A cohort has tenants, and those see its names and no others.
    fn cohorts(&self, tenants: &[TenantFile<'_>], report: &mut Report) {
        for (name, _) in &self.entry.prefixes.cohorts {
            if self.cluster.cohorts.iter().any(|cohort| cohort.name == name.value) {
                continue;
            }
            let diagnostic = name.at.error(format!("no tenant is of the cohort `{}`", name.value));
            let all = tenants.iter().filter_map(|file| file.cohort.as_deref());
            report.push(diagnostic.help(match nearest(&name.value, all) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write `cohort: {}` in the records of its tenants, or in a profile", name.value),
            }));
        }
        let members: HashMap<&TenantId, &str> = self
            .cluster
            .cohorts
            .iter()
            .flat_map(|cohort| cohort.tenants.iter().map(|tenant| (tenant, cohort.name.as_str())))
            .collect();
        for (tenant, _) in &self.entry.prefixes.own {
            if let Some(cohort) = members.get(&tenant.value) {
                let message = format!("`{}` is in the cohort `{cohort}`, and has the prefix of that", tenant.value);
                report.push(tenant.at.error(message).help("take one of the two out"));
            }
        }
    }

    /// INVARIANT: no world has names that are another one's, nor such as Kafka's metrics would count as those.
    fn prefixes(&self, report: &mut Report) {
        for PrefixClash { world, prefix, other, in_metrics } in self.cluster.prefix_clashes(|id| self.is_tenant(id)) {
            let Some(at) = self.prefix_place(world) else { continue };
            let (its, theirs) = (shown(world), shown(other));
            let message = if in_metrics {
                format!(
                    "prefix `{prefix}` of {its} and the one of {theirs} are one to Kafka's metrics, where `.` and `_` are the same"
                )
            } else {
                format!(
                    "prefix `{prefix}` of {its} begins as the one of {theirs}, so that one would see names of the other"
                )
            };
            report.push(at.error(message).help("write another one, as `legacy.`"));
        }
    }

    fn prefix_place(&self, world: EventWorld<'_>) -> Option<At<'s>> {
        let prefixes = &self.entry.prefixes;
        match world {
            EventWorld::Tenant(id) => {
                prefixes.own.iter().find(|(tenant, _)| tenant.value.as_str() == id).map(|(_, prefix)| prefix.at)
            }
            EventWorld::Cohort(name) => {
                prefixes.cohorts.iter().find(|(cohort, _)| cohort.value == name).map(|(_, prefix)| prefix.at)
            }
            EventWorld::Rest => None,
        }
    }

    fn topics(&self, report: &mut Report) {
        let longest = self.longest_prefix();
        for topic in &self.entry.topics {
            match &topic.place {
                PlaceEntry::Own => too_long(topic, &longest, report),
                PlaceEntry::Denied => {}
                PlaceEntry::Partitions(ranges) => self.of_nobody(&ranges.topic, None, report),
                PlaceEntry::Shared(shared) => {
                    self.of_nobody(&shared.topic, shared.owner.as_ref(), report);
                    owner_reads(shared, report);
                }
            }
            self.kept(topic, report);
        }
    }

    /// INVARIANT: what many see is in nobody's world, but in that of an owner who is named.
    fn of_nobody(&self, topic: &Located<'_, String>, owner: Option<&Located<'_, TenantId>>, report: &mut Report) {
        let name = &topic.value;
        let world = self.cluster.world_of(name, |id| self.is_tenant(id));
        let meant = owner.map(|owner| EventWorld::Tenant(owner.value.as_str()));
        match (world, owner) {
            (world, Some(owner)) if world != meant => {
                let message = format!("the broker's topic `{name}` is not one of `{}`", owner.value);
                report.push(owner.at.error(message).help("name the tenant whose prefix it has, or take `owner` out"));
            }
            (Some(world), None) => {
                let message = format!("the broker's topic `{name}` is one of {}", shown(world));
                report.push(topic.at.error(message).help(match world {
                    EventWorld::Tenant(id) => format!(
                        "name a topic that is in nobody's prefix, or, of a topic that is `shared` and meant so, write `owner: {id}`"
                    ),
                    _ => "name a topic that is in nobody's prefix".to_owned(),
                }));
            }
            _ => {}
        }
        if let Some(owner) = owner.filter(|_| world == meant) {
            let diagnostic = topic.at.note(format!("others read a topic of `{}`", owner.value));
            report.push(diagnostic.help("they are those in `readers`"));
        }
    }

    /// INVARIANT: what is read of a dataset with `retention` is no older, where tenants make topics. Brokers delete what
    /// is; nothing in a record is looked at.
    fn kept(&self, topic: &Topic<'_>, report: &mut Report) {
        let Some(retention) = &topic.attributes.retention else { return };
        let millis = i64::from(retention.age) * 1000;
        let new_topics = &self.entry.new_topics;
        let made = matches!(topic.place, PlaceEntry::Own) && new_topics.allowed;
        if made && new_topics.retention.is_none_or(|longest| longest > millis) {
            let dataset = &topic.attributes.dataset;
            let message =
                format!("dataset `{dataset}` has `retention`, and topics that tenants make may keep records longer");
            let help = format!("write `retention: {}s`, or less, in `new_topics`", retention.age);
            report.push(topic.pattern.at.error(message).help(help));
        }
    }

    /// The longest prefix of any tenant.
    fn longest_prefix(&self) -> String {
        let prefix = &self.cluster.prefix;
        let of_rest = self.known.iter().max_by_key(|id| id.as_str().len()).map(|id| prefix.of(id));
        let own = self.cluster.own_prefixes.iter().map(|(_, prefix)| prefix.clone());
        let cohorts = self.cluster.cohorts.iter().map(|cohort| cohort.prefix.clone());
        own.chain(cohorts).chain(of_rest).max_by_key(String::len).unwrap_or_default()
    }
}

fn too_long(topic: &Topic<'_>, prefix: &str, report: &mut Report) {
    let length = match topic.to_rule().covers {
        TopicPattern::Named(name) => name.len(),
        TopicPattern::Begins(begin) => begin.len() + 1,
    };
    let whole = prefix.len() + length;
    if whole > EventCluster::LONGEST {
        let message = format!("topic `{}` behind the prefix `{prefix}` is {whole} characters", topic.pattern.value);
        let help = format!("the longest name of Kafka has {}: write a shorter name or prefix", EventCluster::LONGEST);
        report.push(topic.pattern.at.error(message).help(help));
    }
}

/// A tenant calls a topic by one name.
fn owner_reads(shared: &Shared<'_>, report: &mut Report) {
    let (Some(owner), Scope::Only(readers)) = (&shared.owner, &shared.readers) else { return };
    if let Some(reader) = readers.iter().find(|reader| reader.value == owner.value) {
        let message = format!("`{}` owns this topic, and reads it by the name that it has for it", owner.value);
        report.push(reader.at.error(message).help("take it out of `readers`"));
    }
}

fn shown(world: EventWorld<'_>) -> String {
    match world {
        EventWorld::Tenant(id) => format!("tenant `{id}`"),
        EventWorld::Cohort(name) => format!("the cohort `{name}`"),
        EventWorld::Rest => "every tenant without a prefix of its own".to_owned(),
    }
}
