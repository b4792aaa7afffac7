//! Prefixes of which one begins another: what one world calls `x.orders` would be another one's `orders`.
//!
//! Kafka's metrics write `_` where a name has `.`, so that the two count as one character here.

use std::cmp::Ordering;

use crate::{EventCluster, TenantId, order};

/// Who sees the names behind a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventWorld<'a> {
    /// A tenant, by its id.
    Tenant(&'a str),
    /// A cohort, by its name.
    Cohort(&'a str),
    /// Every tenant whose prefix is the cluster's.
    Rest,
}

/// Two worlds of which one would see names of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixClash<'a> {
    /// One with a prefix of its own, which can be changed.
    pub world: EventWorld<'a>,
    /// Its prefix.
    pub prefix: &'a str,
    /// The other one.
    pub other: EventWorld<'a>,
    /// Whether only Kafka's metrics would take one for the other.
    pub in_metrics: bool,
}

/// Finds whose a name is, for tenants of which somebody else knows whether they are there.
struct Worlds<'a, K> {
    cluster: &'a EventCluster,
    /// Members of cohorts, sorted.
    members: Vec<&'a TenantId>,
    is_tenant: K,
}

impl<'a, K: Fn(&str) -> bool> Worlds<'a, K> {
    fn of(cluster: &'a EventCluster, is_tenant: K) -> Self {
        let mut members: Vec<&TenantId> = cluster.cohorts.iter().flat_map(|cohort| &cohort.tenants).collect();
        order::sort(&mut members);
        Self { cluster, members, is_tenant }
    }

    /// The prefixes that are not made of a tenant's id.
    fn written(&self) -> impl Iterator<Item = (EventWorld<'a>, &'a str)> + use<'a, K> {
        let EventCluster { own_prefixes, cohorts, .. } = self.cluster;
        let own = own_prefixes.iter().map(|(tenant, prefix)| (EventWorld::Tenant(tenant.as_str()), prefix.as_str()));
        own.chain(cohorts.iter().map(|cohort| (EventWorld::Cohort(&cohort.name), cohort.prefix.as_str())))
    }

    /// Whether there is such a tenant, and its prefix is made of its id.
    fn is_of_the_rest(&self, id: &str) -> bool {
        let own = &self.cluster.own_prefixes;
        (self.is_tenant)(id)
            && own.binary_search_by(|(tenant, _)| tenant.as_str().cmp(id)).is_err()
            && self.members.binary_search_by(|tenant| tenant.as_str().cmp(id)).is_err()
    }

    /// A tenant of the rest whose prefix `text` begins with, or which begins with `text`.
    ///
    /// INVARIANT: this asks about one id, or none, and misses nobody: an id has no `.`, and the cluster's prefix goes on
    /// with one, so both have to have their first one behind the head at the same place.
    fn rest_beside(&self, text: &'a str) -> Option<EventWorld<'a>> {
        let (head, tail) = (&self.cluster.prefix.head, &self.cluster.prefix.tail);
        if begins(head, text) {
            return Some(EventWorld::Rest);
        }
        if !begins(text, head) {
            return None;
        }
        let rest = text.get(head.len()..)?;
        let id = rest.split(['.', '_']).next()?;
        let behind = rest.get(id.len()..)?;
        let touch = begins(behind, tail) || begins(tail, behind);
        (touch && self.is_of_the_rest(id)).then_some(EventWorld::Tenant(id))
    }
}

impl EventCluster {
    /// The worlds of which one would see names of another, of all tenants that `is_tenant` knows. O(n log n) in the
    /// prefixes that are written out, however many tenants there are.
    pub fn prefix_clashes<'a>(&'a self, is_tenant: impl Fn(&str) -> bool) -> Vec<PrefixClash<'a>> {
        let worlds = Worlds::of(self, is_tenant);
        let mut written: Vec<_> = worlds.written().collect();
        order::sort_by(&mut written, |(_, a), (_, b)| alike(a, b));
        let mut found = Vec::new();
        // Those that begin the one looked at, each within the one before it.
        let mut around: Vec<(EventWorld<'a>, &'a str)> = Vec::new();
        for (world, prefix) in written {
            while around.last().is_some_and(|(_, outer)| !begins(prefix, outer)) {
                around.pop();
            }
            if let Some((other, outer)) = around.last().copied() {
                let in_metrics = !prefix.starts_with(outer);
                found.push(PrefixClash { world, prefix, other, in_metrics });
            }
            if let Some(other) = worlds.rest_beside(prefix) {
                let of_rest = match other {
                    EventWorld::Tenant(id) => [&self.prefix.head, id, &self.prefix.tail].concat(),
                    _ => self.prefix.head.clone(),
                };
                let in_metrics = !prefix.starts_with(&of_rest) && !of_rest.starts_with(prefix);
                found.push(PrefixClash { world, prefix, other, in_metrics });
            }
            around.push((world, prefix));
        }
        found
    }

    /// The world that a broker's name would be seen in, of all tenants that `is_tenant` knows; Kafka's metrics are to
    /// tell it from those names, too. O(n) in the prefixes that are written out.
    pub fn world_of<'a>(&'a self, name: &'a str, is_tenant: impl Fn(&str) -> bool) -> Option<EventWorld<'a>> {
        let worlds = Worlds::of(self, is_tenant);
        let written = worlds.written().find(|(_, prefix)| begins(name, prefix)).map(|(world, _)| world);
        written.or_else(|| {
            let (head, tail) = (&self.prefix.head, &self.prefix.tail);
            let rest = name.get(head.len()..).filter(|_| begins(name, head))?;
            let id = rest.split(['.', '_']).next()?;
            let seen = begins(rest.get(id.len()..)?, tail) && worlds.is_of_the_rest(id);
            seen.then_some(EventWorld::Tenant(id))
        })
    }
}

fn plain(byte: u8) -> u8 {
    if byte == b'_' { b'.' } else { byte }
}

fn alike(a: &str, b: &str) -> Ordering {
    a.bytes().map(plain).cmp(b.bytes().map(plain))
}

/// Whether `text` begins with `start`.
fn begins(text: &str, start: &str) -> bool {
    text.len() >= start.len() && text.bytes().zip(start.bytes()).all(|(a, b)| plain(a) == plain(b))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{BrokerAddresses, EventCohort, EventPrefix, NewTopics};

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn cluster(prefix: (&str, &str), own: &[(&str, &str)], cohorts: &[(&str, &str, &[&str])]) -> EventCluster {
        let mut own_prefixes: Vec<_> = own.iter().map(|(tenant, prefix)| (id(tenant), (*prefix).to_owned())).collect();
        order::sort(&mut own_prefixes);
        EventCluster {
            name: "shop-events".into(),
            region: "eu".into(),
            identity: vec![],
            bound: None,
            prefix: EventPrefix { head: prefix.0.into(), tail: prefix.1.into() },
            own_prefixes,
            cohorts: cohorts
                .iter()
                .map(|(name, prefix, tenants)| EventCohort {
                    name: (*name).into(),
                    prefix: (*prefix).into(),
                    tenants: tenants.iter().map(|tenant| id(tenant)).collect(),
                })
                .collect(),
            brokers: BrokerAddresses::AsTheyAre,
            topics: vec![],
            new_topics: NewTopics::default(),
        }
    }

    fn clashes(cluster: &EventCluster, tenants: &[&str]) -> Vec<String> {
        let shown = |clash: PrefixClash<'_>| format!("{clash:?}");
        cluster.prefix_clashes(|id| tenants.contains(&id)).into_iter().map(shown).collect()
    }

    #[test]
    fn what_begins_another_is_found_and_what_only_looks_alike() {
        let tenants = ["acme", "globex", "initech"];
        let good = cluster(("", "."), &[("initech", "legacy.")], &[("franchise", "franchise.", &["globex"])]);
        assert_eq!(clashes(&good, &tenants), [] as [&str; 0]);
        // Where there is no tenant of that id, the prefix is anybody's to have.
        assert_eq!(clashes(&good, &["acme", "legacy"]).len(), 1);
        // Its own id, and that of one whose prefix is another, are nobody's.
        let own = cluster(("", "."), &[("acme", "acme."), ("globex", "initech."), ("initech", "x.")], &[]);
        assert_eq!(clashes(&own, &tenants), [] as [&str; 0]);
        for (prefix, in_metrics) in
            [("acme.", false), ("acme.x.", false), ("acme_", true), ("acme_x.", true), ("legacy.", false)]
        {
            let of = cluster(("", "."), &[("initech", prefix), ("globex", "legacy.a.")], &[]);
            let found = of.prefix_clashes(|id| tenants.contains(&id));
            assert_eq!(found.len(), 1, "{prefix}");
            assert_eq!(found[0].in_metrics, in_metrics, "{prefix}");
        }
        // All of those whose prefix is the cluster's.
        let head = cluster(("t.x-", "."), &[("initech", "t.")], &[]);
        assert_eq!(head.prefix_clashes(|_| false)[0].other, EventWorld::Rest);
    }

    #[test]
    fn names_are_of_whose_prefix_begins_them() {
        let of = cluster(("t-", ".e."), &[("initech", "legacy.")], &[("franchise", "f_", &["globex"])]);
        let tenants = |id: &str| ["acme", "globex", "initech"].contains(&id);
        for (name, world) in [
            ("t-acme.e.orders", Some(EventWorld::Tenant("acme"))),
            ("t-acme_e_orders", Some(EventWorld::Tenant("acme"))),
            ("t-globex.e.orders", None),
            ("t-acme.f.orders", None),
            ("t-hooli.e.orders", None),
            ("legacy.orders", Some(EventWorld::Tenant("initech"))),
            ("f.orders", Some(EventWorld::Cohort("franchise"))),
            ("reference.rates", None),
            ("", None),
        ] {
            assert_eq!(of.world_of(name, tenants), world, "{name}");
        }
    }

    /// Against all pairs of prefixes, written out.
    #[test]
    fn nobody_is_missed() {
        let pieces = ["a", "b", ".", "_", "-", "ab"];
        let mut state = 7_u64;
        let mut next = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % n
        };
        let (mut some, mut none) = (0, 0);
        for _ in 0..20_000 {
            let mut text = |most: usize| -> String { (0..next(most + 1)).map(|_| pieces[next(6)]).collect() };
            let head = text(2);
            let tail = format!(".{}", text(1));
            let tenants = ["a", "b", "ab", "ba", "aab"];
            let mut own = BTreeSet::new();
            for tenant in ["a", "ab"] {
                own.insert((tenant, format!("{}.", text(3))));
            }
            let cohort = format!("{}_", text(3));
            let own: Vec<_> = own.iter().map(|(tenant, prefix)| (*tenant, prefix.as_str())).collect();
            let of = cluster((&head, &tail), &own, &[("c", &cohort, &["ba"])]);
            let mut prefixes: Vec<(String, bool)> =
                own.iter().map(|(_, prefix)| ((*prefix).to_owned(), true)).collect();
            prefixes.push((cohort.clone(), true));
            prefixes.extend(["b", "aab"].map(|tenant| (of.prefix.of(&id(tenant)), false)));
            let clash = prefixes.iter().enumerate().any(|(n, (a, written))| {
                let others = prefixes.iter().take(n);
                others.into_iter().any(|(b, other)| (*written || *other) && (begins(a, b) || begins(b, a)))
            });
            let found = of.prefix_clashes(|id| tenants.contains(&id));
            // What begins the head begins whoever may come.
            assert_eq!(!found.is_empty(), clash, "{of:?}");
            if clash { some += 1 } else { none += 1 }
        }
        assert!(some > 1_000 && none > 1_000, "{some} {none}");
    }
}
