//! What a cluster cannot know by itself: tenants, the names of others, and what datasets ask for.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use partywall_event_scope::scope::Cluster;
use partywall_tenancy::{EventCluster, EventWorld, PrefixClash, TenantId, TopicPattern};

use crate::directory::events::ranges::Ranges;
use crate::directory::events::topics::{PlaceEntry, Shared, Topic};
use crate::directory::events::{ClusterEntry, EventsEntry};
use crate::directory::fields::Report;
use crate::directory::mesh::MeshEntry;
use crate::directory::retired::Retired;
use crate::directory::tenant::TenantFile;
use crate::directory::values::{Scope, is_known};
use crate::directory::yaml::{At, Located};
use crate::nearest::nearest;

/// Reports what does not fit the rest of the directory. `known` are the ids of all tenants, sorted, and `former` those
/// that were tenants once.
pub(crate) fn check(
    events: &EventsEntry<'_>,
    mesh: &MeshEntry<'_>,
    tenants: &[TenantFile<'_>],
    (known, former): (&[TenantId], &[Retired<'_>]),
    report: &mut Report,
) {
    let former: HashSet<&str> = former.iter().map(|former| former.tenant.value.as_str()).collect();
    for entry in &events.clusters {
        let cluster = entry.to_cluster(tenants);
        let around = Around { entry, cluster: &cluster, known, former: &former };
        let before = report.errors();
        entry.strangers(known, report);
        around.cohorts(tenants, report);
        around.prefixes(report);
        around.topics(report);
        around.last_word(before, report);
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
    former: &'a HashSet<&'a str>,
}

impl<'a, 's> Around<'a, 's> {
    /// Whether names may lie at the brokers behind this id: those of a former tenant are nobody else's.
    fn is_tenant(&self, id: &str) -> bool {
        self.former.contains(id) || self.known.binary_search_by(|tenant| tenant.as_str().cmp(id)).is_ok()
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
        for topic in &self.entry.topics {
            match &topic.place {
                PlaceEntry::Partitions(ranges) => self.ranges(ranges, &members, report),
                PlaceEntry::Shared(Shared { readers: Scope::Only(readers), .. }) => self.readers(readers, report),
                _ => {}
            }
        }
    }

    /// INVARIANT: those of a cohort see the same partitions.
    fn ranges(&self, ranges: &Ranges<'_>, members: &HashMap<&TenantId, &str>, report: &mut Report) {
        for tenant in ranges.tenants() {
            if let Some(cohort) = members.get(&tenant.value) {
                let message = format!("`{}` is in the cohort `{cohort}`, which sees the same partitions", tenant.value);
                report.push(
                    tenant.at.error(message).help(format!("write `cohorts: {{ {cohort}: 0-3 }}` beside `ranges`")),
                );
            }
        }
        for name in ranges.cohorts() {
            let of_cluster = || self.entry.prefixes.cohorts.iter().map(|(name, _)| name.value.as_str());
            if !of_cluster().any(|cohort| cohort == name.value) {
                let diagnostic = name.at.error(format!("`{}` is no cohort of this cluster", name.value));
                report.push(diagnostic.help(match nearest(&name.value, of_cluster()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("add `{0}: \"{0}.\"` to `cohorts` of the cluster", name.value),
                }));
            }
        }
    }

    /// INVARIANT: those of a cohort read the same.
    fn readers(&self, readers: &[Located<'_, TenantId>], report: &mut Report) {
        let named: HashSet<&TenantId> = readers.iter().map(|reader| &reader.value).collect();
        for cohort in &self.cluster.cohorts {
            let reads = readers.iter().find(|reader| cohort.tenants.binary_search(&reader.value).is_ok());
            let other = cohort.tenants.iter().find(|tenant| !named.contains(tenant));
            if let (Some(reads), Some(other)) = (reads, other) {
                let (one, cohort) = (&reads.value, &cohort.name);
                let message =
                    format!("`{one}` reads this and `{other}` does not, and both are of the cohort `{cohort}`");
                report.push(reads.at.error(message).help("name all of a cohort in `readers`, or none"));
            }
        }
    }

    /// What the broker's proxy itself has to say, where nothing else was found.
    fn last_word(&self, before: usize, report: &mut Report) {
        if report.errors() > before {
            return;
        }
        if let Err(problem) = Cluster::new(self.cluster, Rc::default()) {
            let help = "mend what it says; the broker's proxy would refuse the cluster";
            report.push(self.entry.name.at.error(problem).help(help));
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
                PlaceEntry::Own => too_long(topic, longest, report),
                PlaceEntry::Denied => {}
                PlaceEntry::Partitions(ranges) => {
                    self.of_nobody(&ranges.topic, None, "", report);
                }
                PlaceEntry::Shared(shared) => {
                    let meant = ", or, if its owner is to share it, write `owner`";
                    self.of_nobody(&shared.topic, shared.owner.as_ref(), meant, report);
                    owner_reads(shared, report);
                }
            }
            self.kept(topic, report);
        }
    }

    /// INVARIANT: what many see is in nobody's world, but in that of an owner who is named.
    fn of_nobody(
        &self,
        topic: &Located<'_, String>,
        owner: Option<&Located<'_, TenantId>>,
        or_else: &str,
        report: &mut Report,
    ) {
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
                report.push(topic.at.error(message).help(format!("name a topic that is in nobody's prefix{or_else}")));
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

    /// How long the longest prefix of any tenant is.
    fn longest_prefix(&self) -> usize {
        let prefix = &self.cluster.prefix;
        let id = self.known.iter().map(|id| id.as_str().len()).max().unwrap_or_default();
        let of_rest = prefix.head.len() + id + prefix.tail.len();
        let own = self.cluster.own_prefixes.iter().map(|(_, prefix)| prefix.len());
        let cohorts = self.cluster.cohorts.iter().map(|cohort| cohort.prefix.len());
        own.chain(cohorts).chain([of_rest]).max().unwrap_or_default()
    }
}

fn too_long(topic: &Topic<'_>, prefix: usize, report: &mut Report) {
    let length = match topic.covers() {
        TopicPattern::Named(name) => name.len(),
        TopicPattern::Begins(begin) => begin.len() + 1,
    };
    let whole = prefix + length;
    if whole > EventCluster::LONGEST {
        let message = format!("this topic behind the longest prefix, of {prefix} characters, has {whole} characters");
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
