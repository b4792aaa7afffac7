//! Whether what a bundle says of clusters keeps tenants apart, whoever wrote it.

use std::collections::HashSet;

use crate::{
    BrokerAddresses, EventCluster, EventIdentity, EventPrefix, PartitionRange, Placed, Refusal, Tenants, TopicPattern,
    TopicRule, UserForm,
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
        self.wrong_rule().map(|rule| format!("has the rule `{}`, which is none, or there twice", rule.name))
    }

    fn wrong_rule(&self) -> Option<&TopicRule> {
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
                !patterns.insert(pattern) || rule.place().is_some_and(|topic| !places.insert(topic)) || rule.is_wrong()
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

    fn is_wrong(&self) -> bool {
        let named = matches!(self.covers, TopicPattern::Named(_));
        let placed = match &self.placed {
            Placed::Own | Placed::Denied => true,
            Placed::Partitions { topic, ranges } => {
                named && EventCluster::name_problem(topic).is_none() && PartitionRange::apart(ranges)
            }
            Placed::Shared { topic, .. } => named && EventCluster::name_problem(topic).is_none(),
        };
        let segment = |b: u8| of_names(b) || b == b'*';
        !placed || self.name.is_empty() || !self.name.bytes().all(segment)
    }
}

impl PartitionRange {
    /// INVARIANT: no partition is of two tenants.
    fn apart(ranges: &[Self]) -> bool {
        let good = |range: &Self| range.first >= 0 && range.count > 0 && range.first.checked_add(range.count).is_some();
        let mut by_first: Vec<&Self> = ranges.iter().collect();
        by_first.sort_by_key(|range| range.first);
        !ranges.is_empty()
            && ranges.is_sorted_by(|a, b| a.tenant < b.tenant)
            && ranges.iter().all(good)
            && by_first.is_sorted_by(|a, b| a.first.saturating_add(a.count) <= b.first)
    }
}

fn of_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}
