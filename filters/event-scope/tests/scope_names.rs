//! What tenants call things, and what these are at the broker: each kind of rule by example.

#[path = "common/clusters.rs"]
mod clusters;

use std::rc::Rc;

use clusters::{cohort, partitions, plain, rule, shared, tenant};
use partywall_event_scope::kafka::session::{Access, Address, Bound, Kind, Mapped, World};
use partywall_event_scope::scope::{Cluster, Counts, Scope};
use partywall_tenancy::{BrokerAddresses, EventCluster, NewTopics, Placed};

fn compiled(events: &EventCluster) -> Cluster {
    Cluster::new(events, Rc::default()).unwrap()
}

fn scope(events: &EventCluster, id: &str) -> Scope {
    compiled(events).scope(&tenant(id)).unwrap()
}

fn refused(change: impl FnOnce(&mut EventCluster)) -> String {
    let mut events = plain();
    change(&mut events);
    Cluster::new(&events, Rc::default()).unwrap_err()
}

/// The broker's name of a topic.
fn inward(scope: &Scope, name: &str) -> Result<String, Mapped> {
    let mut out = Vec::new();
    match scope.inward(Kind::Topic, name.as_bytes(), &mut out) {
        Mapped::Yes => Ok(String::from_utf8(out).unwrap()),
        other => {
            assert!(out.is_empty(), "{name}: {out:?}");
            Err(other)
        }
    }
}

/// What the tenant calls it, its rule and how far it may go.
fn outward(scope: &Scope, topic: &str) -> Option<(String, String, Access)> {
    let mut out = Vec::new();
    let seen = scope.outward(Kind::Topic, topic.as_bytes(), &mut out);
    assert!(seen || out.is_empty(), "{topic}");
    let (name, access) = (String::from_utf8(out).unwrap(), scope.access(topic.as_bytes()));
    assert_eq!(seen, access != Access::Foreign, "{topic}");
    let rule = scope.rule(topic.as_bytes());
    assert_eq!(seen, rule.is_some(), "{topic}");
    rule.map(|rule| (name, rule.to_owned(), access))
}

fn told(name: &str, rule: &str, access: Access) -> Option<(String, String, Access)> {
    Some((name.to_owned(), rule.to_owned(), access))
}

#[test]
fn a_tenant_has_what_it_likes_behind_its_prefix() {
    let acme = scope(&plain(), "acme");
    assert_eq!(acme.prefix(), "acme.");
    assert_eq!(inward(&acme, "orders"), Ok("acme.orders".to_owned()));
    assert_eq!(outward(&acme, "acme.orders"), told("orders", "all", Access::Own));
    for foreign in ["orders", "acme", "acme.", "acme-2.orders", "acme_orders", "rival.orders", "__consumer_offsets", ""]
    {
        assert_eq!(outward(&acme, foreign), None, "{foreign}");
    }
    for bad in ["", ".", "..", "a b", "a/b", "é"] {
        assert_eq!(inward(&acme, bad), Err(Mapped::Invalid), "{bad}");
    }
    assert_eq!(inward(&acme, &"a".repeat(244)).unwrap().len(), 249);
    assert_eq!(inward(&acme, &"a".repeat(245)), Err(Mapped::Invalid));
    assert_eq!(outward(&acme, &format!("acme.{}", "a".repeat(245))), None);
    assert_eq!((acme.topic_prefix(), acme.has_ranges(), acme.classic_only()), (Some("acme."), false, false));
}

#[test]
fn groups_transactions_and_clients_stand_behind_the_prefix_too() {
    let acme = scope(&plain(), "acme");
    for kind in [Kind::Group, Kind::Transaction] {
        for (name, wanted) in
            [("billing", Some("acme.billing")), ("grüppe 1/2", Some("acme.grüppe 1/2")), ("a\nb", None)]
        {
            let mut out = Vec::new();
            let mapped = acme.inward(kind, name.as_bytes(), &mut out);
            assert_eq!((mapped == Mapped::Yes).then_some(&*out), wanted.map(str::as_bytes), "{name}");
            let Some(wanted) = wanted else { continue };
            out.clear();
            assert!(acme.outward(kind, wanted.as_bytes(), &mut out));
            assert_eq!(out, name.as_bytes());
        }
        let mut out = Vec::new();
        assert!(!acme.outward(kind, b"acme-2.billing", &mut out) && !acme.outward(kind, b"acme.a\nb", &mut out));
        assert_eq!(acme.inward(kind, &[0xff], &mut out), Mapped::Invalid);
        assert_eq!(acme.inward(kind, &[b'a'; 32_763], &mut out), Mapped::Invalid, "longer than a string");
        assert!(out.is_empty());
        assert_eq!(acme.inward(kind, &[b'a'; 32_762], &mut out), Mapped::Yes);
    }
    for (id, sent) in
        [(Some(&b"app"[..]), "acme.app"), (None, "acme."), (Some(b"a\0b"), "acme."), (Some(&[0xff]), "acme.")]
    {
        let mut out = Vec::new();
        acme.client(id, &mut out);
        assert_eq!(out, sent.as_bytes(), "{id:?}");
    }
    let mut out = Vec::new();
    assert!(acme.client_outward(b"acme.app", &mut out) && !acme.client_outward(b"rival.app", &mut out));
    assert_eq!(out, b"app");
}

#[test]
fn tenants_of_a_cohort_see_the_same_and_others_have_prefixes_of_their_own() {
    let mut events = plain();
    events.cohorts = vec![cohort("franchise", "franchise.", &["north", "south"])];
    events.own_prefixes = vec![(tenant("initech"), "legacy_".to_owned())];
    let cluster = compiled(&events);
    for (id, prefix) in [("north", "franchise."), ("south", "franchise."), ("initech", "legacy_"), ("acme", "acme.")] {
        let scope = cluster.scope(&tenant(id)).unwrap();
        assert_eq!(scope.prefix(), prefix);
        assert_eq!(inward(&scope, "orders"), Ok(format!("{prefix}orders")));
        assert_eq!(scope.tenant().as_str(), id);
    }
    // Whose prefix would be, or begin, that of others sees nothing.
    for id in ["franchise", "legacy"] {
        assert!(cluster.scope(&tenant(id)).is_none(), "{id}");
    }
}

#[test]
fn the_most_exact_rule_counts() {
    let mut events = plain();
    events.topics = vec![
        rule("all", "*", Placed::Own),
        rule("audit", "audit-*", Placed::Denied),
        rule("audit-app", "audit-app-*", Placed::Own),
        rule("secret", "audit-app-secret", Placed::Denied),
        rule("zeta", "zeta", Placed::Own),
    ];
    let acme = scope(&events, "acme");
    for (name, rule, own) in [
        ("orders", "all", true),
        ("audit", "all", true),
        ("audit-", "audit", false),
        ("audit-log", "audit", false),
        ("audit-app", "audit", false),
        ("audit-app-log", "audit-app", true),
        ("audit-app-secret", "secret", false),
        ("audit-app-secrets", "audit-app", true),
        ("audit-b", "audit", false),
        ("zeta", "zeta", true),
        ("zetas", "all", true),
    ] {
        assert_eq!(acme.rule_of(name.as_bytes()), Some(rule), "{name}");
        let topic = format!("acme.{name}");
        let placed = if own { Ok(topic.clone()) } else { Err(Mapped::Denied) };
        assert_eq!(inward(&acme, name), placed, "{name}");
        assert_eq!(outward(&acme, &topic), if own { told(name, rule, Access::Own) } else { None }, "{name}");
    }
    events.topics.remove(0);
    let acme = scope(&events, "acme");
    assert_eq!((inward(&acme, "orders"), acme.rule_of(b"orders")), (Err(Mapped::Denied), None));
    assert_eq!(outward(&acme, "acme.orders"), None);
}

#[test]
fn partitions_are_counted_from_nought() {
    let mut events = plain();
    let ranges = partitions("telemetry-all", &[("acme", 12, 4), ("globex", 0, 12), ("max", i32::MAX - 1, 1)]);
    events.topics.push(rule("telemetry", "telemetry", ranges));
    let cluster = compiled(&events);
    let acme = cluster.scope(&tenant("acme")).unwrap();
    assert!(cluster.has_ranges() && acme.has_ranges() && acme.classic_only());
    assert_eq!(inward(&acme, "telemetry"), Ok("telemetry-all".to_owned()));
    assert_eq!(outward(&acme, "telemetry-all"), told("telemetry", "telemetry", Access::Part));
    assert_eq!(outward(&acme, "acme.telemetry"), None, "the rule hides what was there before");
    let pool = b"telemetry-all";
    for (own, brokers) in [(0, 12), (3, 15)] {
        assert_eq!(acme.partition_inward(pool, own), Some(brokers));
        assert_eq!(acme.partition_outward(pool, brokers), Some(own));
    }
    for partition in [-1, 4, 12, i32::MAX, i32::MIN] {
        assert_eq!(acme.partition_inward(pool, partition), None, "{partition}");
    }
    for partition in [-1, 0, 11, 16, i32::MAX, i32::MIN] {
        assert_eq!(acme.partition_outward(pool, partition), None, "{partition}");
    }
    assert_eq!(acme.partition_inward(b"acme.orders", 77), Some(77));
    assert_eq!(acme.partition_outward(b"globex.orders", 0), None);
    let last = cluster.scope(&tenant("max")).unwrap();
    assert_eq!(last.partition_inward(pool, 0), Some(i32::MAX - 1));
    // Who has none has no such topic.
    let other = cluster.scope(&tenant("initech")).unwrap();
    assert_eq!((inward(&other, "telemetry"), outward(&other, "telemetry-all")), (Err(Mapped::Denied), None));
    assert!(!other.has_ranges() && !other.classic_only());
}

#[test]
fn a_shared_topic_is_its_owners_and_read_by_some() {
    let mut events = plain();
    events.topics.push(rule("rates", "fx", shared("reference.rates", Some(&["acme", "globex"]))));
    events.topics.push(rule("news", "news", shared("news.all", None)));
    let cluster = compiled(&events);
    let acme = cluster.scope(&tenant("acme")).unwrap();
    assert_eq!(inward(&acme, "fx"), Ok("reference.rates".to_owned()));
    assert_eq!(outward(&acme, "reference.rates"), told("fx", "rates", Access::Read));
    assert_eq!(outward(&acme, "news.all"), told("news", "news", Access::Read));
    let initech = cluster.scope(&tenant("initech")).unwrap();
    assert_eq!((inward(&initech, "fx"), outward(&initech, "reference.rates")), (Err(Mapped::Denied), None));
    // The owner has it by its own name, not by the other one.
    let reference = cluster.scope(&tenant("reference")).unwrap();
    assert_eq!(inward(&reference, "rates"), Ok("reference.rates".to_owned()));
    assert_eq!(outward(&reference, "reference.rates"), told("rates", "all", Access::Own));
    assert_eq!(inward(&reference, "fx"), Err(Mapped::Denied));
    // Also where both are the same.
    events.topics = vec![rule("rates", "rates", shared("reference.rates", None))];
    let reference = scope(&events, "reference");
    assert_eq!(inward(&reference, "rates"), Ok("reference.rates".to_owned()));
    assert_eq!(outward(&reference, "reference.rates"), told("rates", "rates", Access::Own));
    assert_eq!(reference.topic_prefix(), None, "no pattern where no topic is its own");
}

#[test]
fn a_pool_is_nobodys_whatever_it_is_called() {
    let mut events = plain();
    events.topics.push(rule("t", "t", partitions("acme.pool", &[("acme", 0, 2), ("globex", 2, 2)])));
    let acme = scope(&events, "acme");
    assert_eq!(inward(&acme, "pool"), Err(Mapped::Denied));
    assert_eq!(outward(&acme, "acme.pool"), told("t", "t", Access::Part));
    assert_eq!(inward(&acme, "t"), Ok("acme.pool".to_owned()));
}

#[test]
fn brokers_are_found_where_the_bundle_says() {
    let at = |brokers: BrokerAddresses, id: i32| {
        let events = EventCluster { brokers, ..plain() };
        let mut host = Vec::new();
        let address = scope(&events, "acme").address(id, &mut host);
        (address, String::from_utf8(host).unwrap())
    };
    let hidden = (Address::Hide, String::new());
    assert_eq!(at(BrokerAddresses::AsTheyAre, 7), (Address::Keep, String::new()));
    let listed = BrokerAddresses::Listed(vec![(1, "one".to_owned(), 9092), (3, "three".to_owned(), 9093)]);
    assert_eq!(at(listed.clone(), 3), (Address::At(9093), "three".to_owned()));
    assert_eq!(at(listed, 2), hidden);
    let ports = BrokerAddresses::ByPort { host: "proxy".to_owned(), first: 9100, most: 5 };
    assert_eq!(at(ports.clone(), 0), (Address::At(9100), "proxy".to_owned()));
    assert_eq!(at(ports.clone(), 5), (Address::At(9105), "proxy".to_owned()));
    for id in [6, -1, 70_000] {
        assert_eq!(at(ports.clone(), id), hidden, "{id}");
    }
    let sni = BrokerAddresses::Sni { head: "b".to_owned(), tail: ".kafka.example".to_owned(), port: 9093 };
    assert_eq!(at(sni.clone(), 12), (Address::At(9093), "b12.kafka.example".to_owned()));
    assert_eq!(at(sni, -1), hidden);
}

#[test]
fn topics_are_made_within_bounds() {
    let mut events = plain();
    events.new_topics = NewTopics { allowed: true, count: Some(2), partitions: Some(3), ..NewTopics::default() };
    let counts = Rc::new(Counts::default());
    let cluster = Cluster::new(&events, Rc::clone(&counts)).unwrap();
    let acme = cluster.scope(&tenant("acme")).unwrap();
    acme.told(1);
    assert!(acme.allows(b"acme.a", Bound::Partitions(3)) && !acme.allows(b"acme.a", Bound::Partitions(4)));
    assert!(acme.allows(b"acme.a", Bound::New) && !acme.allows(b"acme.b", Bound::New));
    // The next bundle knows it still, and so does the next connection.
    let next = Cluster::new(&events, counts).unwrap().scope(&tenant("acme")).unwrap();
    assert!(!next.allows(b"acme.b", Bound::New));
    assert!(cluster.scope(&tenant("globex")).unwrap().allows(b"globex.a", Bound::New));
    next.told(0);
    assert!(acme.allows(b"acme.b", Bound::New));
    // What a broker makes by the way is not counted.
    for (count, automatic, made) in [(None, true, true), (Some(2), true, false), (None, false, false)] {
        events.new_topics = NewTopics { allowed: true, count, automatic, ..NewTopics::default() };
        assert_eq!(scope(&events, "acme").auto_create(), made, "{count:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let own = |one: &str, other: &str| {
        let both = vec![(tenant("acme"), one.to_owned()), (tenant("globex"), other.to_owned())];
        refused(|events| events.own_prefixes = both)
    };
    for (said, error) in [
        (own("a.", "a."), "prefix `a.` begins `a.`, with `.` and `_` taken for the same"),
        (own("a.", "a.b."), "prefix `a.` begins `a.b.`"),
        (own("a_b.", "a."), "prefix `a.` begins `a.b.`"),
        (own("a", ""), "prefix ``: has 1 to 248 of"),
        (own("__a.", "b."), "prefix `__a.`: `__` begins the names of the broker's own topics"),
        (own("a/", "b."), "prefix `a/`: has 1 to 248 of"),
        (
            refused(|events| events.prefix.tail = "-".to_owned()),
            "prefix `{tenant}-`: behind `{tenant}` stands `.` or `_`",
        ),
        (refused(|events| events.prefix.tail = String::new()), "prefix `{tenant}`: behind"),
        (refused(|events| events.prefix.head = "é".to_owned()), "prefix `éa.`"),
        (
            refused(|events| events.cohorts = vec![cohort("a", "a.", &["acme"]), cohort("b", "b.", &["acme"])]),
            "tenant `acme` has the prefixes `a.` and `b.`",
        ),
        (refused(|events| events.topics.push(rule("b", "*", Placed::Denied))), "topics `*`: two rules cover them"),
        (
            refused(|events| events.topics.extend([rule("a", "a", Placed::Own), rule("b", "a", Placed::Own)])),
            "topic `a`: two rules cover it",
        ),
        (refused(|events| events.topics.push(rule("all", "a", Placed::Own))), "topic rule `all`: two have this name"),
        (
            refused(|events| events.topics.push(rule("a", "a/b", Placed::Own))),
            "topic rule `a`: `a/b` is no name of topics",
        ),
        (
            refused(|events| events.topics.push(rule("a", "a*", shared("b", None)))),
            "topic rule `a`: has to name one topic",
        ),
        (
            refused(|events| events.topics.push(rule("a", "a", shared("__consumer_offsets", None)))),
            "topic rule `a`: `__consumer_offsets` is the broker's own",
        ),
        (
            refused(|events| events.topics.push(rule("a", "a", partitions("p", &[("acme", 0, 4), ("globex", 3, 2)])))),
            "topic rule `a`: tenants `acme` and `globex` would have the same partitions",
        ),
        (
            refused(|events| events.topics.push(rule("a", "a", partitions("p", &[("acme", 0, 4), ("globex", 0, 4)])))),
            "topic rule `a`: tenants `acme` and `globex` would have the same partitions",
        ),
        (
            refused(|events| events.topics.push(rule("a", "a", partitions("p", &[("acme", 0, 4), ("acme", 4, 4)])))),
            "topic rule `a`: tenant `acme` has two ranges",
        ),
        (
            refused(|events| events.topics.push(rule("a", "a", partitions("p", &[("acme", i32::MAX, 1)])))),
            "topic rule `a`: tenant `acme` has 1 partitions from 2147483647 on: no such partitions",
        ),
        (
            refused(|events| {
                events.topics.push(rule("a", "a", shared("p", Some(&["acme"]))));
                events.topics.push(rule("b", "b", partitions("p", &[("acme", 0, 1)])));
            }),
            "topic `p` of the broker: tenant `acme` has two names for it",
        ),
        (
            refused(|events| {
                events.topics.extend([rule("a", "a", shared("p", None)), rule("b", "b", shared("p", Some(&["acme"])))]);
            }),
            "topic `p` of the broker: one rule shares it with all, and others too",
        ),
        (
            refused(|events| {
                events.cohorts = vec![cohort("franchise", "f.", &["north", "south"])];
                events.topics.push(rule("a", "a", shared("p", Some(&["north"]))));
            }),
            "topic rule `a`: `north` and `south` are of the cohort `franchise`, so that it gives both the same",
        ),
        (
            refused(|events| {
                events.brokers = BrokerAddresses::ByPort { host: "proxy".to_owned(), first: 65_000, most: 600 };
            }),
            "brokers from port 65000 on: 600 more are beyond 65535",
        ),
        (
            refused(|events| events.brokers = BrokerAddresses::Listed(vec![(1, "a b".to_owned(), 9092)])),
            "broker 1 at `a b`: no such address",
        ),
    ] {
        let rest = said.strip_prefix("cluster `shop-events`: ").unwrap();
        assert!(rest.starts_with(error), "{said}\nnot\n{error}");
    }
    // A cohort has one range, which its tenants share.
    let mut events = plain();
    events.cohorts = vec![cohort("franchise", "f.", &["north", "south"])];
    events.topics.push(rule("a", "a", partitions("p", &[("acme", 4, 4), ("north", 0, 4), ("south", 0, 4)])));
    assert_eq!(scope(&events, "south").partition_inward(b"p", 3), Some(3));
}
