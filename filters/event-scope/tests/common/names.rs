//! Clusters and names that are made up, and what holds of all of them.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use std::rc::Rc;

use partywall_event_scope::kafka::session::{Access, Kind, Mapped, World};
use partywall_event_scope::scope::{Cluster, Scope};
use partywall_tenancy::{EventCluster, EventPrefix, Placed, TopicPattern};

use super::clusters::{cohort, partitions, plain, rule, shared, tenant};
use super::naive;

/// Ids of which some begin others, and some are what prefixes begin with.
pub const TENANTS: [&str; 10] =
    ["a", "acme", "acme-2", "acme-2-b", "franchise", "globex", "legacy", "north", "reference", "south"];
const PREFIXES: [&str; 12] = [
    "acme.",
    "acme_b.",
    "f.",
    "f_x_",
    "franchise.",
    "legacy.",
    "legacy_",
    "ops-",
    "reference.",
    "t.",
    "t.acme-2.",
    "x",
];
const COVERED: [&str; 14] = [
    "*",
    "a*",
    "audit",
    "audit-*",
    "audit-app",
    "audit-app-*",
    "fx",
    "orders",
    "orders*",
    "pool",
    "r*",
    "rates",
    "t",
    "t*",
];
const PLACED: [&str; 8] = ["acme.pool", "all", "f.orders", "legacy.fx", "pool", "reference.rates", "t", "t.acme.rates"];
const WORDS: [&str; 16] = [
    "",
    ".",
    "..",
    "a",
    "acme.orders",
    "audit",
    "audit-app",
    "audit-app-x",
    "audit-log",
    "fx",
    "orders",
    "orders-eu",
    "pool",
    "rates",
    "t",
    "zeta",
];

/// Chooses a number below another one.
pub struct Choices<'c>(pub &'c mut dyn FnMut(usize) -> usize);

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        (self.0)(n)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// Some, each one as likely as not.
    fn some<'a>(&mut self, list: &[&'a str]) -> Vec<&'a str> {
        list.iter().copied().filter(|_| self.below(2) == 0).collect()
    }

    /// A cluster; of those that contradict themselves there are enough.
    pub fn cluster(&mut self) -> EventCluster {
        let mut events = plain();
        let (head, tail) = (self.of(&["", "", "t.", "x-"]).to_owned(), self.of(&[".", ".", "_", ".x-"]).to_owned());
        events.prefix = EventPrefix { head, tail };
        let mut free = TENANTS.to_vec();
        for n in 0..self.below(3) {
            let tenants = match self.below(8) {
                0 => self.some(&["north", "south", "acme"]),
                _ => ["north", "south", "globex", "acme-2-b"][2 * n..][..2].to_vec(),
            };
            free.retain(|id| !tenants.contains(id));
            events.cohorts.push(cohort(&format!("cohort-{n}"), self.of(&PREFIXES), &tenants));
        }
        for _ in 0..self.below(3) {
            let id = free.remove(self.below(free.len()));
            events.own_prefixes.push((tenant(id), self.of(&PREFIXES).to_owned()));
        }
        events.own_prefixes.sort();
        events.topics.clear();
        if self.below(3) > 0 {
            events.topics.push(rule("all", "*", Placed::Own));
        }
        for n in 0..self.below(5) {
            let placed = self.placed(&events);
            let covered = match placed {
                Placed::Own | Placed::Denied => self.of(&COVERED),
                Placed::Partitions { .. } | Placed::Shared { .. } => self.of(&COVERED).trim_end_matches(['*', '-']),
            };
            if covered.is_empty() && !matches!(placed, Placed::Own | Placed::Denied) {
                continue;
            }
            events.topics.push(rule(&format!("rule-{n}"), covered, placed));
        }
        events
    }

    fn placed(&mut self, events: &EventCluster) -> Placed {
        match self.below(6) {
            0..=2 => Placed::Own,
            3 => Placed::Denied,
            4 => match self.below(4) {
                0 => shared(self.of(&PLACED), None),
                _ => {
                    let tenants = self.tenants(events);
                    shared(self.of(&PLACED), Some(&tenants))
                }
            },
            _ => {
                let mut first = 0;
                let mut before: Option<(&str, i32, i32)> = None;
                let mut ranges = Vec::new();
                for id in self.tenants(events) {
                    let in_one = before.is_some_and(|(other, ..)| {
                        let cohort = naive::cohort(events, &tenant(id));
                        cohort.is_some() && cohort == naive::cohort(events, &tenant(other))
                    });
                    let (from, count) = match before {
                        Some((_, from, count)) if in_one => (from, count),
                        _ => (first + i32::try_from(self.below(3)).unwrap(), 1 + i32::try_from(self.below(4)).unwrap()),
                    };
                    first = from + count - i32::from(self.below(20) == 0);
                    before = Some((id, from, count));
                    ranges.push((id, from, count));
                }
                partitions(self.of(&PLACED), &ranges)
            }
        }
    }

    /// Some tenants, mostly with all of their cohorts, and those next to each other.
    fn tenants(&mut self, events: &EventCluster) -> Vec<&'static str> {
        let mut tenants = self.some(&TENANTS);
        if self.below(10) > 0 {
            for cohort in &events.cohorts {
                tenants.retain(|id| !cohort.tenants.contains(&tenant(id)));
                if self.below(2) == 0 {
                    tenants.extend(TENANTS.iter().filter(|id| cohort.tenants.contains(&tenant(id))));
                }
            }
        }
        tenants
    }

    /// A name as a peer may send one: a tenant's or a broker's, with some prefix or none, or anything.
    pub fn name(&mut self, events: &EventCluster) -> Vec<u8> {
        let covered = events.topics.get(self.below(8)).and_then(|rule| match &rule.covers {
            TopicPattern::Named(name) => Some(name.clone().into_bytes()),
            TopicPattern::Begins(_) => None,
        });
        if let Some(name) = covered {
            return name;
        }
        let word = match self.below(5) {
            0 => self.of(&PLACED),
            1 => self.of(&COVERED).trim_end_matches('*'),
            _ => self.of(&WORDS),
        };
        let prefix = match self.below(9) {
            0 => self.of(&PREFIXES).to_owned(),
            1 | 2 => naive::prefix(events, &tenant(self.of(&TENANTS))),
            3 => (*self.of(&["_", "__", "acme", "acme-2", "/", "\0"])).to_owned(),
            _ => String::new(),
        };
        let tail = match self.below(16) {
            0 => "x".repeat(230 + self.below(25)),
            1 => (*self.of(&["\u{e9}", " ", "\n", ".", "-", "_"])).to_owned(),
            _ => String::new(),
        };
        let mut name = [prefix.as_bytes(), word.as_bytes(), tail.as_bytes()].concat();
        if self.below(16) == 0 && !name.is_empty() {
            let at = self.below(name.len());
            name[at] = u8::try_from(self.below(256)).unwrap();
        }
        name
    }
}

/// What was held to the laws.
#[derive(Debug, Default)]
pub struct Held {
    pub clusters: u64,
    pub contradicting: u64,
    pub without_scope: u64,
    pub placed: u64,
    pub seen: u64,
    pub denied: u64,
    pub shared_by_two: u64,
    pub partitions: u64,
}

/// Holds a cluster to the laws, for two tenants and some names.
pub fn hold(events: &EventCluster, names: usize, choices: &mut Choices<'_>, held: &mut Held) {
    held.clusters += 1;
    let compiled = Cluster::new(events, Rc::default());
    assert_eq!(compiled.is_err(), naive::contradicts(events), "{events:#?}\nis {:?}", compiled.err());
    let Ok(cluster) = compiled else {
        held.contradicting += 1;
        return;
    };
    let (one, other) = (choices.of(&TENANTS), choices.of(&TENANTS));
    let scopes = [one, other].map(|id| {
        let scope = cluster.scope(&tenant(id));
        assert_eq!(scope.is_some(), naive::is_apart(events, &tenant(id)), "{id} of {events:#?}");
        scope
    });
    let [Some(scope), Some(second)] = scopes else {
        held.without_scope += 1;
        return;
    };
    for _ in 0..names {
        let name = choices.name(events);
        as_it_is_written(events, &scope, &name, held);
        there_and_back(&scope, &name, held);
        apart(events, &scope, &second, &name, held);
    }
}

fn topic(scope: &Scope, name: &[u8]) -> Result<Vec<u8>, Mapped> {
    inward(scope, Kind::Topic, name)
}

fn inward(scope: &Scope, kind: Kind, name: &[u8]) -> Result<Vec<u8>, Mapped> {
    let mut out = b"before ".to_vec();
    let mapped = scope.inward(kind, name, &mut out);
    let new = out.strip_prefix(b"before ").expect("what was there before stays").to_vec();
    if mapped == Mapped::Yes {
        return Ok(new);
    }
    assert!(new.is_empty());
    Err(mapped)
}

fn outward(scope: &Scope, kind: Kind, name: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"before ".to_vec();
    let seen = scope.outward(kind, name, &mut out);
    let new = out.strip_prefix(b"before ").expect("what was there before stays").to_vec();
    assert!(seen || new.is_empty());
    seen.then_some(new)
}

/// The tables say what the text of the rules says.
fn as_it_is_written(events: &EventCluster, scope: &Scope, name: &[u8], held: &mut Held) {
    let shown = || format!("{} of {} in {events:#?}", name.escape_ascii(), scope.tenant());
    let id = scope.tenant();
    assert_eq!(scope.prefix(), naive::prefix(events, id));
    assert_eq!(scope.rule_of(name), naive::rule(events, name).map(|rule| &*rule.name), "{}", shown());
    let wanted = naive::inward(events, id, name).map(|(topic, _)| topic.into_bytes());
    let found = topic(scope, name);
    assert_eq!(found, wanted, "{}", shown());
    held.placed += u64::from(found.is_ok());
    held.denied += u64::from(found.is_err());
    // The same bytes, and what they are at the broker, as the broker's.
    for topic in [Some(name.to_vec()), found.ok()].into_iter().flatten() {
        let wanted = naive::outward(events, id, &topic);
        let seen = scope.seen(&topic);
        assert_eq!(
            seen.map(|s| (s.name, s.rule, s.access, s.range)),
            wanted.as_ref().map(|w| (w.name.as_bytes(), w.rule, w.access, w.range)),
            "{}",
            shown()
        );
        assert_eq!(outward(scope, Kind::Topic, &topic), wanted.as_ref().map(|w| w.name.clone().into_bytes()));
        assert_eq!(scope.access(&topic), wanted.as_ref().map_or(Access::Foreign, |w| w.access));
        assert_eq!(scope.rule(&topic), wanted.as_ref().map(|w| w.rule));
        held.seen += u64::from(wanted.is_some());
    }
}

/// What goes in comes back, and is a name of the broker's.
fn there_and_back(scope: &Scope, name: &[u8], held: &mut Held) {
    for kind in [Kind::Topic, Kind::Group, Kind::Transaction] {
        if let Ok(placed) = inward(scope, kind, name) {
            assert_eq!(outward(scope, kind, &placed).as_deref(), Some(name));
            assert!(kind != Kind::Topic || naive::is_topic(&placed) && !placed.starts_with(b"__"));
        }
        if let Some(seen) = outward(scope, kind, name) {
            assert_eq!(inward(scope, kind, &seen).as_deref(), Ok(name));
        }
    }
    let mut client = Vec::new();
    scope.client(Some(name), &mut client);
    let mut own = Vec::new();
    assert!(client.starts_with(scope.prefix().as_bytes()) && scope.client_outward(&client, &mut own));
    assert!(own == name || own.is_empty());
    let Ok(topic) = topic(scope, name) else { return };
    for partition in [i32::MIN, -1, 0, 1, 2, 3, 7, 100, i32::MAX] {
        if let Some(brokers) = scope.partition_inward(&topic, partition) {
            assert_eq!(scope.partition_outward(&topic, brokers), Some(partition));
        }
        if let Some(own) = scope.partition_outward(&topic, partition) {
            assert_eq!(scope.partition_inward(&topic, own), Some(partition));
            held.partitions += u64::from(scope.access(&topic) == Access::Part);
        }
    }
}

/// Two tenants see nothing of each other, or all where they are of one cohort.
fn apart(events: &EventCluster, one: &Scope, other: &Scope, name: &[u8], held: &mut Held) {
    let cohort = naive::cohort(events, one.tenant());
    let same = one.tenant() == other.tenant() || cohort.is_some() && cohort == naive::cohort(events, other.tenant());
    for kind in [Kind::Topic, Kind::Group, Kind::Transaction] {
        if same {
            assert_eq!(inward(one, kind, name), inward(other, kind, name));
            assert_eq!(outward(one, kind, name), outward(other, kind, name));
            assert_eq!(one.access(name), other.access(name));
            continue;
        }
        let Ok(placed) = inward(one, kind, name) else { continue };
        let Some(also) = outward(other, kind, &placed) else {
            assert!(kind != Kind::Topic || other.access(&placed) == Access::Foreign);
            continue;
        };
        // Somebody gave it to both.
        let shown = || format!("{} and {} see {} in {events:#?}", one.tenant(), other.tenant(), placed.escape_ascii());
        assert_eq!(kind, Kind::Topic, "{}, the other as {}", shown(), also.escape_ascii());
        held.shared_by_two += 1;
        match (one.access(&placed), other.access(&placed)) {
            (Access::Part, Access::Part) => {
                for partition in 0..100 {
                    let both = [one, other].map(|scope| scope.partition_outward(&placed, partition));
                    assert!(both.contains(&None), "{partition}: {}", shown());
                }
            }
            (Access::Own, Access::Read) | (Access::Read, Access::Own | Access::Read | Access::Part) => {}
            (Access::Part, Access::Read) => {}
            (access, theirs) => panic!("{access:?} and {theirs:?}: {}", shown()),
        }
    }
    if !same {
        let mut client = Vec::new();
        one.client(Some(name), &mut client);
        assert!(!other.client_outward(&client, &mut Vec::new()), "{}", client.escape_ascii());
    }
}
