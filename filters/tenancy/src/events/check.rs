//! Whether what a bundle says of clusters keeps tenants apart, whoever wrote it.

use std::collections::HashSet;

use crate::{
    BrokerAddresses, EventCluster, EventIdentity, EventPrefix, PartitionRange, Placed, Refusal, TenantId, Tenants,
    TopicPattern, TopicRule, UserForm, order,
};

impl EventCluster {
    /// The most clusters of a mesh.
    pub const MOST: usize = 64;
    /// The most rules of a cluster: each has up to six operations of its service, of which there may be 4,096.
    pub const MOST_RULES: usize = 600;
    /// The longest name of a topic, in bytes, as Kafka has it.
    pub const LONGEST: usize = 249;
    /// The longest prefix, in bytes: something is left for a name.
    pub const LONGEST_PREFIX: usize = 128;

    /// Why this is no name of a topic at a broker; `None` where it is one that clients may have.
    pub fn name_problem(name: &str) -> Option<&'static str> {
        if name.is_empty() || name.len() > Self::LONGEST {
            return Some("is not 1 to 249 characters");
        }
        if !name.bytes().all(of_names) {
            return Some("holds something beside `a-z A-Z 0-9 . _ -`");
        }
        if name == "." || name == ".." {
            return Some("is no name of a topic");
        }
        name.starts_with("__").then_some("begins with `__`, as the brokers' own topics do")
    }

    /// Whether all of them are written as they are read, and no prefix begins another.
    pub(crate) fn check(all: &[Self], tenants: &Tenants) -> Result<(), Refusal> {
        let wrong = |what: String| Err(Refusal::Inconsistent(what));
        if all.len() > Self::MOST {
            return wrong(format!("it has more than {} clusters of Kafka", Self::MOST));
        }
        if !all.is_sorted_by(|a, b| a.name < b.name) {
            return wrong("clusters of Kafka are not sorted, or one is there twice".to_owned());
        }
        for cluster in all {
            if let Some(problem) = cluster.problem(tenants) {
                return wrong(format!("cluster `{}` of Kafka {problem}", cluster.name));
            }
        }
        Ok(())
    }

    fn problem(&self, tenants: &Tenants) -> Option<String> {
        let own = &self.own_prefixes;
        if !own.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Some("has prefixes that are not sorted, or one twice".to_owned());
        }
        let cohorts = &self.cohorts;
        if !cohorts.iter().all(|c| !c.tenants.is_empty() && c.tenants.is_sorted_by(|a, b| a < b)) {
            return Some("has a cohort of nobody, or one that is not sorted".to_owned());
        }
        let mut members = HashSet::new();
        if let Some(tenant) = cohorts.iter().flat_map(|cohort| &cohort.tenants).find(|tenant| !members.insert(*tenant))
        {
            return Some(format!("has tenant `{tenant}` in two cohorts"));
        }
        if let Some((tenant, _)) = own.iter().find(|(tenant, _)| members.contains(tenant)) {
            return Some(format!("has a prefix for tenant `{tenant}`, which is in a cohort"));
        }
        let written = own.iter().map(|(_, prefix)| prefix).chain(cohorts.iter().map(|cohort| &cohort.prefix));
        if let Some(prefix) = written.into_iter().find(|prefix| EventPrefix::problem(prefix).is_some()) {
            return Some(format!("has the prefix `{prefix}`, which is none"));
        }
        if self.prefix.is_wrong() {
            return Some("has a prefix that is none".to_owned());
        }
        if let Some(clash) = self.prefix_clashes(|id| tenants.position(id).is_some()).first() {
            return Some(format!("has the prefix `{}`, which begins another or is begun by it", clash.prefix));
        }
        let identity = self.identity.iter().any(EventIdentity::is_wrong);
        if identity || (self.identity.is_empty() && self.bound.is_none()) {
            return Some("does not say how a client shows its tenant".to_owned());
        }
        if self.brokers.is_wrong() {
            return Some("has addresses of brokers that are none".to_owned());
        }
        let cohort_of =
            |tenant: &TenantId| cohorts.iter().position(|cohort| cohort.tenants.binary_search(tenant).is_ok());
        self.wrong_rule(&cohort_of).map(|rule| format!("has the rule `{}`, which is none, or there twice", rule.name))
    }

    fn wrong_rule(&self, cohort_of: &impl Fn(&TenantId) -> Option<usize>) -> Option<&TopicRule> {
        let rules = &self.topics;
        if let Some(one_more) = rules.get(Self::MOST_RULES) {
            return Some(one_more);
        }
        let mut patterns = HashSet::new();
        let mut places = HashSet::new();
        rules
            .iter()
            .find(|rule| {
                let pattern = match &rule.covers {
                    TopicPattern::Named(name) => (true, name),
                    TopicPattern::Begins(text) => (false, text),
                };
                !patterns.insert(pattern)
                    || rule.place().is_some_and(|topic| !places.insert(topic))
                    || rule.is_wrong(cohort_of)
            })
            .or_else(|| {
                rules.windows(2).find_map(|pair| match pair {
                    [a, b] if a.name >= b.name => Some(b),
                    _ => None,
                })
            })
    }
}

impl EventPrefix {
    /// Why this stands before no names; `None` where it does. It begins with a letter or digit, so that no name behind
    /// it is one of the brokers' own, and ends where a name may be told from it.
    pub fn problem(prefix: &str) -> Option<&'static str> {
        if prefix.is_empty() || prefix.len() > EventCluster::LONGEST_PREFIX {
            return Some("is not 1 to 128 characters");
        }
        if !prefix.bytes().all(of_names) {
            return Some("holds something beside `a-z A-Z 0-9 . _ -`");
        }
        if !prefix.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return Some("does not begin with a letter or digit");
        }
        (!prefix.ends_with(['.', '_'])).then_some("does not end with `.` or `_`")
    }

    /// INVARIANT: what is behind the tenant's id begins with what no id has, so that no prefix begins another.
    fn is_wrong(&self) -> bool {
        let longest = self.head.len().saturating_add(63).saturating_add(self.tail.len());
        longest > EventCluster::LONGEST_PREFIX
            || !self.tail.starts_with(['.', '_'])
            || Self::problem(&["a", self.head.as_str(), self.tail.as_str()].concat()).is_some()
            || !(self.head.is_empty() || self.head.starts_with(|first: char| first.is_ascii_alphanumeric()))
    }
}

impl EventIdentity {
    fn is_wrong(&self) -> bool {
        match self {
            Self::UriSan { template } | Self::DnsSan { template } => template.matches("{tenant}").count() != 1,
            Self::Workload { workloads } => workloads.is_empty() || !workloads.is_sorted_by(|(a, _), (b, _)| a < b),
            Self::User { template } => UserForm::parse(template).is_none(),
            Self::Token => false,
        }
    }
}

impl BrokerAddresses {
    fn is_wrong(&self) -> bool {
        match self {
            Self::AsTheyAre => false,
            Self::Listed(list) => list.is_empty() || !list.is_sorted_by(|(a, ..), (b, ..)| a < b),
            Self::ByPort { first, most, .. } => first.checked_add(*most).is_none(),
            Self::Sni { head, tail, .. } => head.is_empty() && tail.is_empty(),
        }
    }
}

impl TopicRule {
    /// The broker's name of the topic that it names for all.
    fn place(&self) -> Option<&str> {
        match &self.placed {
            Placed::Partitions { topic, .. } | Placed::Shared { topic, .. } => Some(topic),
            Placed::Own | Placed::Denied => None,
        }
    }

    fn is_wrong(&self, cohort_of: &impl Fn(&TenantId) -> Option<usize>) -> bool {
        let named = matches!(self.covers, TopicPattern::Named(_));
        let placed = match &self.placed {
            Placed::Own | Placed::Denied => true,
            Placed::Partitions { topic, ranges } => {
                named && EventCluster::name_problem(topic).is_none() && PartitionRange::apart(ranges, cohort_of)
            }
            Placed::Shared { topic, .. } => named && EventCluster::name_problem(topic).is_none(),
        };
        let segment = |b: u8| of_names(b) || b == b'*';
        !placed || self.name.is_empty() || !self.name.bytes().all(segment)
    }
}

impl PartitionRange {
    /// INVARIANT: no partition is of two tenants, but of those of one cohort, who have all of them the same.
    fn apart(ranges: &[Self], cohort_of: &impl Fn(&TenantId) -> Option<usize>) -> bool {
        let good = |range: &Self| range.first >= 0 && range.count > 0 && range.first.checked_add(range.count).is_some();
        let mut by_first: Vec<&Self> = ranges.iter().collect();
        order::sort_by(&mut by_first, |one, other| one.first.cmp(&other.first));
        !ranges.is_empty()
            && ranges.is_sorted_by(|a, b| a.tenant < b.tenant)
            && ranges.iter().all(good)
            && by_first.is_sorted_by(|a, b| {
                let same = a.first == b.first && a.count == b.count;
                let cohort = || cohort_of(&a.tenant).is_some_and(|cohort| cohort_of(&b.tenant) == Some(cohort));
                a.first.saturating_add(a.count) <= b.first || (same && cohort())
            })
    }
}

fn of_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventCohort, NewTopics, SpiffeId, Tenant, TenantScope, TenantStatus};

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn tenants() -> Tenants {
        let tenant = |name: &str| Tenant {
            id: id(name),
            tier: "gold".into(),
            status: TenantStatus::Active,
            residency: "eu".into(),
            cell: None,
            features: crate::NameSet::default(),
            consents: crate::NameSet::default(),
        };
        Tenants::pack(["acme", "globex", "hooli", "initech"].map(tenant)).unwrap()
    }

    fn range(tenant: &str, first: i32, count: i32) -> PartitionRange {
        PartitionRange { tenant: id(tenant), first, count }
    }

    fn rule(name: &str, placed: Placed) -> TopicRule {
        TopicRule { name: name.into(), covers: TopicPattern::Named(name.into()), placed }
    }

    fn shared(topic: &str) -> Placed {
        Placed::Shared { topic: topic.into(), readers: TenantScope::All }
    }

    fn good() -> EventCluster {
        let ranges = vec![range("acme", 0, 4), range("globex", 4, 2), range("hooli", 4, 2)];
        EventCluster {
            name: "shop-events".into(),
            region: "eu".into(),
            identity: vec![EventIdentity::User { template: "{tenant}.{user}".into() }],
            bound: None,
            prefix: EventPrefix { head: String::new(), tail: ".".into() },
            own_prefixes: vec![(id("initech"), "legacy.".into())],
            cohorts: vec![EventCohort {
                name: "franchise".into(),
                prefix: "franchise.".into(),
                tenants: vec![id("globex"), id("hooli")],
            }],
            brokers: BrokerAddresses::Listed(vec![(0, "a".into(), 1), (1, "b".into(), 1)]),
            topics: vec![
                rule("rates", shared("reference.rates")),
                rule("telemetry", Placed::Partitions { topic: "telemetry-all".into(), ranges }),
            ],
            new_topics: NewTopics::default(),
        }
    }

    fn refused(change: impl FnOnce(&mut EventCluster)) -> bool {
        let mut cluster = good();
        change(&mut cluster);
        EventCluster::check(&[cluster], &tenants()).is_err()
    }

    fn ranges(of: &mut EventCluster) -> &mut Vec<PartitionRange> {
        let Placed::Partitions { ranges, .. } = &mut of.topics[1].placed else { panic!("the rule with ranges") };
        ranges
    }

    #[test]
    fn what_could_mix_two_worlds_is_refused() {
        assert_eq!(EventCluster::check(&[good()], &tenants()), Ok(()));
        for (what, refused) in [
            ("a prefix that begins another's", refused(|of| of.own_prefixes[0].1 = "acme.x.".into())),
            ("to Kafka's metrics", refused(|of| of.cohorts[0].prefix = "legacy_".into())),
            ("a prefix as ids could go on", refused(|of| of.prefix.tail = "-x.".into())),
            ("a prefix of the brokers' own", refused(|of| of.own_prefixes[0].1 = "__x.".into())),
            ("none", refused(|of| of.own_prefixes[0].1 = String::new())),
            ("a head of the brokers' own", refused(|of| of.prefix.head = "_".into())),
            ("prefixes out of order", refused(|of| of.own_prefixes.insert(0, (id("initech-2"), "x.".into())))),
            ("a cohort out of order", refused(|of| of.cohorts[0].tenants.reverse())),
            ("a cohort of nobody", refused(|of| of.cohorts[0].tenants.clear())),
            ("a cohort's tenant with a prefix", refused(|of| of.own_prefixes[0].0 = id("hooli"))),
            (
                "a tenant of two cohorts",
                refused(|of| {
                    let two = EventCohort { name: "x".into(), prefix: "x.".into(), tenants: vec![id("hooli")] };
                    of.cohorts.push(two);
                }),
            ),
            ("a range over another", refused(|of| ranges(of)[0].count = 5)),
            ("a range of two, in no cohort", refused(|of| ranges(of)[0] = range("acme", 4, 2))),
            ("a part of the cohort's range", refused(|of| ranges(of)[2].count = 1)),
            ("ranges out of order", refused(|of| ranges(of).reverse())),
            ("a range of nothing", refused(|of| ranges(of)[0].count = 0)),
            ("a range before the first", refused(|of| ranges(of)[0].first = -1)),
            ("a range beyond all", refused(|of| ranges(of)[1].count = i32::MAX)),
            ("no range", refused(|of| ranges(of).clear())),
            ("one topic in two rules", refused(|of| of.topics[0].placed = shared("telemetry-all"))),
            ("a topic of the brokers' own", refused(|of| of.topics[0].placed = shared("__consumer_offsets"))),
            ("a topic that is none", refused(|of| of.topics[0].placed = shared("a/b"))),
            ("many as one", refused(|of| of.topics[0].covers = TopicPattern::Begins("rates".into()))),
            ("one pattern twice", refused(|of| of.topics[0].covers = TopicPattern::Named("telemetry".into()))),
            ("a name with a slash", refused(|of| of.topics[0].name = "a/b".into())),
            ("rules out of order", refused(|of| of.topics.reverse())),
            (
                "too many rules",
                refused(|of| of.topics = (0..=600).map(|n| rule(&format!("{n:03}"), Placed::Own)).collect()),
            ),
        ] {
            assert!(refused, "{what}");
        }
    }

    #[test]
    fn who_shows_nobody_is_refused() {
        let workload =
            |name: &str, tenant: &str| (SpiffeId::parse(&format!("spiffe://mesh.example/{name}")).unwrap(), id(tenant));
        let template = |template: &str| template.to_owned();
        for way in [
            EventIdentity::UriSan { template: template("spiffe://mesh.example/x") },
            EventIdentity::DnsSan { template: template("{tenant}.{tenant}.example") },
            EventIdentity::User { template: template("{tenant}-{user}") },
            EventIdentity::Workload { workloads: vec![] },
            EventIdentity::Workload { workloads: vec![workload("a", "acme"), workload("a", "globex")] },
        ] {
            assert!(refused(|of| of.identity = vec![way.clone()]), "{way:?}");
        }
        assert!(refused(|of| of.identity.clear()));
        assert!(!refused(|of| {
            of.identity.clear();
            of.bound = Some(TenantScope::All);
        }));
    }

    #[test]
    fn lists_are_as_they_are_read() {
        assert!(refused(|of| of.brokers = BrokerAddresses::Listed(vec![(1, "a".into(), 1), (1, "b".into(), 1)])));
        assert!(refused(|of| of.brokers = BrokerAddresses::ByPort { host: "a".into(), first: 65_000, most: 600 }));
        let named = |name: &str| EventCluster { name: name.into(), ..good() };
        assert!(EventCluster::check(&[named("a"), named("b")], &tenants()).is_ok());
        for two in [[named("b"), named("a")], [named("a"), named("a")]] {
            assert!(EventCluster::check(&two, &tenants()).is_err());
        }
        let many: Vec<_> = (0..=EventCluster::MOST).map(|n| named(&format!("c{n:03}"))).collect();
        assert!(EventCluster::check(&many, &tenants()).is_err());
    }
}
