//! Topics: which rule covers what a tenant calls one, and which rules stand behind a broker's name.

use std::collections::BTreeSet;

use partywall_tenancy::{EventCluster, PartitionRange, Placed, TenantId, TenantScope, TopicPattern, TopicRule, order};

use super::names;

/// The rules of a cluster, compiled.
#[derive(Debug)]
pub(super) struct Topics {
    rules: Vec<Rule>,
    /// Names that rules cover, sorted, each with its rule.
    named: Vec<(Box<str>, u32)>,
    /// What names begin with that rules cover, sorted.
    begins: Vec<Begins>,
    /// Names at the broker that rules give to others than their owner, sorted.
    placed: Vec<(Box<str>, u32)>,
    /// Tenants that have partitions of some topic, sorted.
    ranged: Vec<TenantId>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Box<str>,
    pub(super) to: To,
}

/// What topics of a rule are at the broker.
#[derive(Debug)]
pub(super) enum To {
    /// The tenant's, behind its prefix.
    Own,
    /// Partitions of this one, by tenant.
    Partitions { called: Box<str>, topic: Box<str>, ranges: Vec<PartitionRange> },
    /// This one, for reading.
    Shared { called: Box<str>, topic: Box<str>, readers: Readers },
    /// Nobody's.
    Denied,
}

/// Who reads.
#[derive(Debug)]
pub(super) enum Readers {
    All,
    /// Sorted.
    Only(Vec<TenantId>),
}

#[derive(Debug)]
struct Begins {
    text: Box<str>,
    rule: u32,
    /// The longest other one that this one begins with.
    within: Option<usize>,
}

impl Readers {
    fn contains(&self, tenant: &TenantId) -> bool {
        match self {
            Readers::All => true,
            Readers::Only(only) => only.binary_search(tenant).is_ok(),
        }
    }
}

impl Rule {
    /// Which partitions `tenant` has, where it has some.
    pub(super) fn range(&self, tenant: &TenantId) -> Option<&PartitionRange> {
        let To::Partitions { ranges, .. } = &self.to else { return None };
        ranges.binary_search_by(|range| range.tenant.cmp(tenant)).ok().and_then(|at| ranges.get(at))
    }

    /// Whether it shares its topic with `tenant`.
    pub(super) fn is_read_by(&self, tenant: &TenantId) -> bool {
        matches!(&self.to, To::Shared { readers, .. } if readers.contains(tenant))
    }
}

impl Topics {
    pub(super) fn new(events: &EventCluster) -> Result<Self, String> {
        let (mut rules, mut named, mut begins, mut placed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut ranged: Vec<TenantId> = Vec::new();
        for rule in &events.topics {
            let number = u32::try_from(rules.len()).map_err(|_| "too many rules for topics".to_owned())?;
            match &rule.covers {
                TopicPattern::Named(name) => named.push((Box::from(name.as_str()), number)),
                TopicPattern::Begins(text) => {
                    begins.push(Begins { text: text.as_str().into(), rule: number, within: None })
                }
            }
            let compiled = compiled(rule)?;
            match &compiled.to {
                To::Partitions { topic, ranges, .. } => {
                    placed.push((topic.clone(), number));
                    ranged.extend(ranges.iter().map(|range| range.tenant.clone()));
                }
                To::Shared { topic, .. } => placed.push((topic.clone(), number)),
                To::Own | To::Denied => {}
            }
            rules.push(compiled);
        }
        order::sort(&mut ranged);
        ranged.dedup();
        order::sort(&mut named);
        order::sort_by(&mut begins, |one: &Begins, other| one.text.cmp(&other.text));
        order::sort(&mut placed);
        let twice = pairs(&named).find(|((one, _), (other, _))| one == other).map(|((name, _), _)| name);
        if let Some(name) = twice {
            return Err(format!("topic `{name}`: two rules cover it, and neither is more exact"));
        }
        let twice = pairs(&begins).find(|(one, other)| one.text == other.text).map(|(one, _)| &one.text);
        if let Some(text) = twice {
            return Err(format!("topics `{text}*`: two rules cover them, and neither is more exact"));
        }
        nest(&mut begins);
        let mut seen = BTreeSet::new();
        if let Some(rule) = rules.iter().find(|rule| !seen.insert(&rule.name)) {
            return Err(format!("topic rule `{}`: two have this name, by which policies know them", rule.name));
        }
        // INVARIANT: a tenant has one name at most for a topic of the broker, and a partition is of one tenant.
        if let Some(((topic, _), _)) = pairs(&placed).find(|((one, _), (other, _))| one == other) {
            return Err(format!("topic `{topic}` of the broker: two rules give it to tenants"));
        }
        Ok(Self { rules, named, begins, placed, ranged })
    }

    /// The rule that covers what a tenant calls so: the most exact one.
    pub(super) fn covering(&self, name: &[u8]) -> Option<&Rule> {
        if let Ok(at) = self.named.binary_search_by(|(other, _)| other.as_bytes().cmp(name)) {
            return self.named.get(at).and_then(|(_, rule)| self.rule(*rule));
        }
        // Whatever begins `name` begins the last one before it as well, or is it.
        let at = self.begins.partition_point(|begins| begins.text.as_bytes() <= name);
        let mut next = at.checked_sub(1);
        while let Some(begins) = next.and_then(|at| self.begins.get(at)) {
            if name.starts_with(begins.text.as_bytes()) {
                return self.rule(begins.rule);
            }
            next = begins.within;
        }
        None
    }

    /// The rule that gives this topic of the broker to others than its owner.
    pub(super) fn placed(&self, topic: &[u8]) -> Option<&Rule> {
        let at = self.placed.binary_search_by(|(other, _)| other.as_bytes().cmp(topic)).ok()?;
        self.placed.get(at).and_then(|(_, rule)| self.rule(*rule))
    }

    /// Whether a topic begins so that rules give to others than its owner.
    pub(super) fn is_any_placed_within(&self, prefix: &str) -> bool {
        let at = self.placed.partition_point(|(other, _)| **other < *prefix);
        self.placed.get(at).is_some_and(|(topic, _)| topic.starts_with(prefix))
    }

    /// Whether `tenant` has partitions of some topic.
    pub(super) fn has_ranges(&self, tenant: &TenantId) -> bool {
        self.ranged.binary_search(tenant).is_ok()
    }

    /// Whether anybody has.
    pub(super) fn has_any_ranges(&self) -> bool {
        !self.ranged.is_empty()
    }

    /// Whether tenants have topics of their own.
    pub(super) fn has_own(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.to, To::Own))
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn rule(&self, number: u32) -> Option<&Rule> {
        usize::try_from(number).ok().and_then(|number| self.rules.get(number))
    }
}

fn compiled(rule: &TopicRule) -> Result<Rule, String> {
    let at = |problem: String| format!("topic rule `{}`: {problem}", rule.name);
    let called = match &rule.covers {
        TopicPattern::Named(name) if names::is_topic(name.as_bytes()) => Some(Box::from(name.as_str())),
        TopicPattern::Named(name) => return Err(at(no_topic(name))),
        TopicPattern::Begins(text) if names::is_legal(text.as_bytes()) => None,
        TopicPattern::Begins(text) => return Err(at(no_topic(text))),
    };
    let one = || called.clone().ok_or_else(|| at("has to name one topic, not those that begin so".to_owned()));
    let placed = |topic: &str| match topic.as_bytes() {
        name if !names::is_topic(name) => Err(at(no_topic(topic))),
        name if names::is_internal(name) => Err(at(format!("`{topic}` is the broker's own"))),
        _ => Ok(Box::from(topic)),
    };
    let to = match &rule.placed {
        Placed::Own => To::Own,
        Placed::Denied => To::Denied,
        Placed::Shared { topic, readers } => {
            let readers = match readers {
                TenantScope::All => Readers::All,
                TenantScope::Only(only) => {
                    let mut only = only.clone();
                    order::sort(&mut only);
                    only.dedup();
                    Readers::Only(only)
                }
            };
            To::Shared { called: one()?, topic: placed(topic)?, readers }
        }
        Placed::Partitions { topic, ranges } => {
            let ranges = checked(ranges).map_err(at)?;
            To::Partitions { called: one()?, topic: placed(topic)?, ranges }
        }
    };
    Ok(Rule { name: rule.name.as_str().into(), to })
}

/// The ranges by tenant.
fn checked(ranges: &[PartitionRange]) -> Result<Vec<PartitionRange>, String> {
    let whole =
        |range: &&PartitionRange| range.first < 0 || range.count < 1 || range.first.checked_add(range.count).is_none();
    if let Some(PartitionRange { tenant, first, count }) = ranges.iter().find(whole) {
        return Err(format!("tenant `{tenant}` has {count} partitions from {first} on: no such partitions"));
    }
    let mut sorted = ranges.to_vec();
    order::sort_by(&mut sorted, |one, other| (one.first, one.count).cmp(&(other.first, other.count)));
    // Tenants of a cohort have the same, as they have all else.
    let overlap = |(one, other): &(&PartitionRange, &PartitionRange)| {
        let same = (one.first, one.count) == (other.first, other.count);
        !same && one.first.saturating_add(one.count) > other.first
    };
    if let Some((one, other)) = pairs(&sorted).find(overlap) {
        return Err(format!("tenants `{}` and `{}` would have the same partitions", one.tenant, other.tenant));
    }
    order::sort_by(&mut sorted, |one, other| one.tenant.cmp(&other.tenant));
    if let Some((one, _)) = pairs(&sorted).find(|(one, other)| one.tenant == other.tenant) {
        return Err(format!("tenant `{}` has two ranges", one.tenant));
    }
    Ok(sorted)
}

/// Says of each which other one is the longest that it begins with.
fn nest(sorted: &mut [Begins]) {
    let mut open: Vec<usize> = Vec::new();
    for at in 0..sorted.len() {
        let Some(text) = sorted.get(at).map(|begins| begins.text.clone()) else { return };
        while open.last().and_then(|last| sorted.get(*last)).is_some_and(|last| !text.starts_with(&*last.text)) {
            open.pop();
        }
        if let Some(begins) = sorted.get_mut(at) {
            begins.within = open.last().copied();
        }
        open.push(at);
    }
}

fn no_topic(name: &str) -> String {
    format!("`{}` is no name of topics: it has up to 249 of `a-z A-Z 0-9 . _ -`", name.escape_debug())
}

pub(super) fn pairs<T>(sorted: &[T]) -> impl Iterator<Item = (&T, &T)> {
    sorted.iter().zip(sorted.iter().skip(1))
}
