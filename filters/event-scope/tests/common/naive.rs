//! What a bundle's rules mean, written as one would say it: each question looks at each rule. It shares no line with
//! what is compiled, and is what that is compared with.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use partywall_event_scope::kafka::session::{Access, Mapped};
use partywall_tenancy::{EventCluster, Placed, TenantId, TenantScope, TopicPattern, TopicRule};

/// What a tenant has of a topic of the broker.
#[derive(Debug, PartialEq, Eq)]
pub struct Has<'e> {
    pub name: String,
    pub rule: &'e str,
    pub access: Access,
    pub range: Option<(i32, i32)>,
}

pub fn is_topic(name: &[u8]) -> bool {
    let legal = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    !name.is_empty()
        && name.len() < 250
        && name != b"."
        && name != b".."
        && name.iter().all(|byte| legal.contains(byte))
}

/// The prefix that is written out for a tenant, or that of the template.
pub fn prefix(events: &EventCluster, tenant: &TenantId) -> String {
    for cohort in &events.cohorts {
        if cohort.tenants.contains(tenant) {
            return cohort.prefix.clone();
        }
    }
    for (own, prefix) in &events.own_prefixes {
        if own == tenant {
            return prefix.clone();
        }
    }
    format!("{}{tenant}{}", events.prefix.head, events.prefix.tail)
}

pub fn cohort<'e>(events: &'e EventCluster, tenant: &TenantId) -> Option<&'e str> {
    events.cohorts.iter().find(|cohort| cohort.tenants.contains(tenant)).map(|cohort| cohort.name.as_str())
}

fn written(events: &EventCluster) -> Vec<&String> {
    events.own_prefixes.iter().map(|(_, prefix)| prefix).chain(events.cohorts.iter().map(|c| &c.prefix)).collect()
}

fn collide(one: &str, other: &str) -> bool {
    let (one, other) = (one.replace('_', "."), other.replace('_', "."));
    one.starts_with(&other) || other.starts_with(&one)
}

/// Whether a tenant sees anything at all.
pub fn is_apart(events: &EventCluster, tenant: &TenantId) -> bool {
    let has_one = events.own_prefixes.iter().any(|(own, _)| own == tenant) || cohort(events, tenant).is_some();
    has_one || !written(events).into_iter().any(|other| collide(&prefix(events, tenant), other))
}

/// The rule that covers a name.
pub fn rule<'e>(events: &'e EventCluster, name: &[u8]) -> Option<&'e TopicRule> {
    let mut best: Option<(usize, &TopicRule)> = None;
    for rule in &events.topics {
        let exact = match &rule.covers {
            TopicPattern::Named(named) if named.as_bytes() == name => 1000,
            TopicPattern::Begins(text) if name.starts_with(text.as_bytes()) => text.len(),
            _ => continue,
        };
        if best.is_none_or(|(before, _)| exact > before) {
            best = Some((exact, rule));
        }
    }
    best.map(|(_, rule)| rule)
}

fn is_pool(events: &EventCluster, name: &str) -> bool {
    events.topics.iter().any(|rule| matches!(&rule.placed, Placed::Partitions { topic, .. } if topic == name))
}

fn range(rule: &TopicRule, tenant: &TenantId) -> Option<(i32, i32)> {
    let Placed::Partitions { ranges, .. } = &rule.placed else { return None };
    ranges.iter().find(|range| range.tenant == *tenant).map(|range| (range.first, range.count))
}

fn reads(rule: &TopicRule, tenant: &TenantId) -> bool {
    match &rule.placed {
        Placed::Shared { readers: TenantScope::All, .. } => true,
        Placed::Shared { readers: TenantScope::Only(only), .. } => only.iter().any(|reader| reader == tenant),
        _ => false,
    }
}

pub fn inward(events: &EventCluster, tenant: &TenantId, name: &[u8]) -> Result<(String, Access), Mapped> {
    if !is_topic(name) {
        return Err(Mapped::Invalid);
    }
    let prefix = prefix(events, tenant);
    let own = prefix.clone() + std::str::from_utf8(name).unwrap();
    let Some(rule) = rule(events, name) else { return Err(Mapped::Denied) };
    match &rule.placed {
        Placed::Denied => Err(Mapped::Denied),
        Placed::Own if is_pool(events, &own) => Err(Mapped::Denied),
        Placed::Own if own.len() > 249 => Err(Mapped::Invalid),
        Placed::Own => Ok((own, Access::Own)),
        Placed::Partitions { topic, .. } if range(rule, tenant).is_some() => Ok((topic.clone(), Access::Part)),
        Placed::Partitions { .. } => Err(Mapped::Denied),
        // Its owner, by whose prefix it is called, has it by its own name.
        Placed::Shared { topic, .. } if topic.starts_with(&prefix) => match *topic == own && !is_pool(events, topic) {
            true => Ok((own, Access::Own)),
            false => Err(Mapped::Denied),
        },
        Placed::Shared { topic, .. } if reads(rule, tenant) => Ok((topic.clone(), Access::Read)),
        Placed::Shared { .. } => Err(Mapped::Denied),
    }
}

/// Whatever name leads to the topic.
pub fn outward<'e>(events: &'e EventCluster, tenant: &TenantId, topic: &[u8]) -> Option<Has<'e>> {
    let mut names: Vec<&[u8]> = Vec::new();
    names.extend(topic.strip_prefix(prefix(events, tenant).as_bytes()));
    for rule in &events.topics {
        if let TopicPattern::Named(name) = &rule.covers {
            names.push(name.as_bytes());
        }
    }
    names.sort_unstable();
    names.dedup();
    names.retain(|name| inward(events, tenant, name).is_ok_and(|(placed, _)| placed.as_bytes() == topic));
    assert!(names.len() < 2, "{tenant} has {} names for {}", names.len(), topic.escape_ascii());
    let name = names.pop()?;
    let (_, access) = inward(events, tenant, name).unwrap();
    let rule = rule(events, name).unwrap();
    let range = range(rule, tenant).filter(|_| access == Access::Part);
    Some(Has { name: String::from_utf8(name.to_vec()).unwrap(), rule: &rule.name, access, range })
}

/// What two rules, tenants or prefixes say against each other, for each pair of them.
pub fn contradicts(events: &EventCluster) -> bool {
    let prefixes = written(events);
    let twice = |n: usize| prefixes.iter().skip(n + 1).any(|other| collide(prefixes[n], other));
    let of = |tenant: &TenantId| {
        let own = events.own_prefixes.iter().filter(|(own, _)| own == tenant).count();
        own + events.cohorts.iter().flat_map(|cohort| &cohort.tenants).filter(|other| *other == tenant).count()
    };
    let mut tenants: Vec<&TenantId> = events.own_prefixes.iter().map(|(tenant, _)| tenant).collect();
    tenants.extend(events.cohorts.iter().flat_map(|cohort| &cohort.tenants));
    if (0..prefixes.len()).any(twice) || tenants.iter().any(|tenant| of(tenant) > 1) {
        return true;
    }
    for (n, rule) in events.topics.iter().enumerate() {
        if events.topics.iter().skip(n + 1).any(|other| other.covers == rule.covers || other.name == rule.name) {
            return true;
        }
        if events.topics.iter().skip(n + 1).any(|other| doubles(rule, other)) || ranges_meet(events, rule) {
            return true;
        }
        for cohort in &events.cohorts {
            let given = |tenant| (range(rule, tenant), reads(rule, tenant));
            if cohort.tenants.iter().any(|tenant| given(tenant) != given(&cohort.tenants[0])) {
                return true;
            }
        }
    }
    false
}

fn ranges_meet(events: &EventCluster, rule: &TopicRule) -> bool {
    let Placed::Partitions { ranges, .. } = &rule.placed else { return false };
    ranges.iter().enumerate().any(|(n, one)| {
        ranges.iter().skip(n + 1).any(|other| {
            let apart = one.first + one.count <= other.first || other.first + other.count <= one.first;
            let cohort = cohort(events, &one.tenant);
            let same = (one.first, one.count) == (other.first, other.count)
                && cohort.is_some()
                && cohort == self::cohort(events, &other.tenant);
            one.tenant == other.tenant || (!apart && !same)
        })
    })
}

/// Whether both give the same topic of the broker to one tenant.
fn doubles(one: &TopicRule, other: &TopicRule) -> bool {
    let (Some(to), Some(also)) = (placed(one), placed(other)) else { return false };
    if to != also {
        return false;
    }
    let (Some(one), Some(other)) = (receivers(one), receivers(other)) else { return true };
    one.iter().any(|tenant| other.contains(tenant))
}

fn placed(rule: &TopicRule) -> Option<&str> {
    match &rule.placed {
        Placed::Shared { topic, .. } | Placed::Partitions { topic, .. } => Some(topic),
        Placed::Own | Placed::Denied => None,
    }
}

/// `None` for all.
fn receivers(rule: &TopicRule) -> Option<Vec<&TenantId>> {
    match &rule.placed {
        Placed::Shared { readers: TenantScope::All, .. } => None,
        Placed::Shared { readers: TenantScope::Only(only), .. } => Some(only.iter().collect()),
        Placed::Partitions { ranges, .. } => Some(ranges.iter().map(|range| &range.tenant).collect()),
        Placed::Own | Placed::Denied => Some(Vec::new()),
    }
}
