//! Two tenants at one broker, through the filter in a real Envoy, with real clients: each in a world of its own.

use std::time::{Duration, Instant};

use partywall_integration::kafka::{Brokers, Options, Scoped, ScopedOptions, Socket, framed};
use partywall_integration::play::LIVE;

fn start(name: &str, options: ScopedOptions<'_>) -> (Brokers, Scoped) {
    let brokers = Brokers::start(&Options { name, ..Options::default() }).unwrap();
    let scoped = Scoped::start(&ScopedOptions { name, ..options }, &brokers).unwrap();
    (brokers, scoped)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn lines(told: &str) -> Vec<String> {
    let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn two_tenants_have_topics_of_one_name() {
    let (brokers, scoped) = start("kafka-scope", ScopedOptions::default());
    for tenant in ["acme", "globex"] {
        let create = ["--create", "--topic", "orders", "--partitions", "2"];
        scoped.tool(tenant, "TopicCommand", &create, "").unwrap().succeeds().unwrap();
        let record = format!("of {tenant} by kcat\n");
        scoped.kcat(tenant, &["-P", "-t", "orders"], &record).unwrap().succeeds().unwrap();
        let record = format!("of {tenant} by java\n");
        scoped.tool(tenant, "ConsoleProducer", &["--topic", "orders"], &record).unwrap().succeeds().unwrap();
    }
    for tenant in ["acme", "globex"] {
        let expected = [format!("of {tenant} by java"), format!("of {tenant} by kcat")];
        let told = scoped.kcat(tenant, &["-C", "-t", "orders", "-e", "-q"], "").unwrap().succeeds().unwrap();
        assert_eq!(lines(&told), expected, "{tenant}, kcat");
        let group = ["--topic", "orders", "--group", "readers", "--from-beginning"];
        let enough = ["--max-messages", "2", "--timeout-ms", "30000"];
        let read = [&group[..], &enough].concat();
        let told = scoped.tool(tenant, "consumer.ConsoleConsumer", &read, "").unwrap().succeeds().unwrap();
        assert_eq!(lines(&told), expected, "{tenant}, java");
        let told = scoped.tool(tenant, "TopicCommand", &["--list"], "").unwrap().succeeds().unwrap();
        assert_eq!(lines(&told), ["orders"], "{tenant} sees its own alone");
        let told = scoped.tool(tenant, "consumer.group.ConsumerGroupCommand", &["--list"], "").unwrap();
        assert_eq!(lines(&told.succeeds().unwrap()), ["readers"]);
    }
    let there = brokers.tool("TopicCommand", &["--list", "--exclude-internal"]).unwrap().succeeds().unwrap();
    assert_eq!(lines(&there), ["acme.orders", "globex.orders"]);
    let metric = |decision| scoped.envoy.metric("partywall_event_scope_decisions_total", &[("decision", decision)]);
    assert!(metric("allow").unwrap() > 10.0);
    assert_eq!(metric("deny").unwrap(), 0.0, "{:?}", scoped.told());
}

/// What a record's header says of its trace.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn what_a_policy_denies_is_told_by_kafkas_own_error() {
    let policy = "@id(\"all\")\npermit (principal, action in [Action::\"events:produce\", Action::\"events:consume\", \
                  Action::\"events:describe\", Action::\"events:create\"], resource);\n@id(\"nobody-writes-rates\")\n\
                  forbid (principal, action == Action::\"events:produce\", resource == Topic::\"rates\");\n";
    let cluster = "    new_topics: { partitions: 12, replication: [1, 3] }\n    topics: [{ topic: \"*\" }, { topic: \
                   secrets, deny: true }]\n";
    let (_brokers, scoped) = start("kafka-scope-denied", ScopedOptions { policy, cluster, ..ScopedOptions::default() });
    for topic in ["orders", "rates"] {
        let create = ["--create", "--topic", topic, "--partitions", "1"];
        scoped.tool("acme", "TopicCommand", &create, "").unwrap().succeeds().unwrap();
    }
    let denied = |tenant, topic| {
        let header = format!("traceparent={TRACE}");
        let ran = scoped.kcat(tenant, &["-P", "-t", topic, "-H", &header], "one\n").unwrap();
        assert_ne!(ran.status, Some(0), "{topic}: {ran:?}");
        ran.errors
    };
    let told = denied("acme", "rates");
    assert!(told.contains("Topic authorization failed"), "{told}");
    let told = denied("acme", "secrets");
    assert!(told.contains("Topic authorization failed"), "{told}");
    scoped.kcat("acme", &["-P", "-t", "orders"], "one\n").unwrap().succeeds().unwrap();
    // What there is of another tenant's is as what there is not.
    let told = scoped.kcat("globex", &["-C", "-t", "orders", "-e", "-q"], "").unwrap();
    assert!(told.errors.contains("Unknown topic") || told.errors.contains("not available"), "{told:?}");
    let line = scoped.told().into_iter().find(|line| line["policy"] == "nobody-writes-rates").unwrap();
    assert_eq!(
        (&line["decision"], &line["reason"], &line["api"]),
        (&"deny".into(), &"policy_denied".into(), &"Produce".into())
    );
    assert_eq!(line["traceparent"], TRACE);
    assert!(line["tenant"].as_str().unwrap().starts_with('t') && !line.to_string().contains("acme"), "{line}");
}

#[test]
fn a_suspended_tenant_is_refused_at_its_next_request() {
    let (_brokers, scoped) = start("kafka-scope-live", ScopedOptions::default());
    for tenant in ["acme", "globex"] {
        let create = ["--create", "--topic", "orders", "--partitions", "1"];
        scoped.tool(tenant, "TopicCommand", &create, "").unwrap().succeeds().unwrap();
    }
    let mut acme = Socket::connect(&scoped, Some("acme"));
    let mut globex = Socket::connect(&scoped, Some("globex"));
    assert!(acme.metadata().is_some() && globex.metadata().is_some());
    let given = scoped.tenant("suspend", "acme").unwrap();
    let refused = loop {
        let asked = Instant::now();
        match acme.metadata() {
            Some(answer) if !holds(&answer, b"orders") => break asked,
            None => break asked,
            Some(_) => assert!(asked < given + LIVE, "it is served still"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    println!("refused {:?} after the command", refused - given);
    assert!(acme.metadata().is_none(), "it was told, and its connection is over");
    assert!(holds(&globex.metadata().unwrap(), b"orders"), "another tenant goes on");
    // New connections as well, on whichever worker: each takes up a bundle at a tick of its own, within the
    // time that is promised.
    std::thread::sleep((given + LIVE).saturating_duration_since(Instant::now()));
    assert!(!holds(&Socket::connect(&scoped, Some("acme")).metadata().unwrap_or_default(), b"orders"));
    let told = scoped.told();
    assert!(told.iter().any(|line| line["decision"] == "end" && line["reason"] == "tenant_suspended"), "{told:?}");
}

#[test]
fn hostile_bytes_end_their_own_connection_and_no_other() {
    let plugin = "largest: 1048576\nmemory: 8388608";
    let (_brokers, mut scoped) =
        start("kafka-scope-hostile", ScopedOptions { plugin, workers: 1, ..ScopedOptions::default() });
    let create = ["--create", "--topic", "orders", "--partitions", "1"];
    scoped.tool("globex", "TopicCommand", &create, "").unwrap().succeeds().unwrap();
    let mut other = Socket::connect(&scoped, Some("globex"));
    let metadata = Socket::metadata_request();
    let mut cases: Vec<(String, Vec<u8>, bool)> = [
        ("a length of -1", vec![0xff; 4]),
        ("a length of 0", vec![0; 4]),
        ("the largest length", [&i32::MAX.to_be_bytes()[..], b"x"].concat()),
        ("100 MB promised", [&(100_i32 << 20).to_be_bytes()[..], &[0; 64]].concat()),
        ("a million topics promised", framed(&[0, 3, 0, 4, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff])),
        ("an unknown api", framed(&[0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff])),
        ("no client id's end", framed(&[0, 3, 0, 4, 0, 0, 0, 1, 0, 9, b'a'])),
        ("what is no Kafka", b"GET / HTTP/1.1\r\nhost: kafka\r\n\r\n".to_vec()),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes, false))
    .into();
    // The client sends no more: at every byte of a request, and behind one.
    cases
        .extend((0..=metadata.len()).map(|cut| (format!("the end after {cut} bytes"), metadata[..cut].to_vec(), true)));
    for (name, bytes, ends) in &cases {
        let mut wire = Socket::connect(&scoped, Some("acme"));
        wire.send(bytes);
        if *ends {
            wire.end();
        }
        let answer = wire.read_to_end();
        let whole = *ends && bytes.len() == metadata.len();
        // A broker may end before it answers who ended.
        assert!(answer.is_empty() || whole, "{name}: {} bytes", answer.len());
        assert!(holds(&other.metadata().unwrap_or_else(|| panic!("{name}: another connection ended")), b"orders"));
    }
    // A flood that is never answered: more than may be outstanding.
    let mut flood = Socket::connect(&scoped, Some("acme"));
    let _ = flood.try_send(&metadata.repeat(20_000));
    // And stashes: connections that hold what makes no whole frame, beyond the tenant's share of memory.
    let mut held: Vec<Socket> = (0..12).map(|_| Socket::connect(&scoped, Some("acme"))).collect();
    for wire in &mut held {
        let _ = wire.try_send(&[&(1_000_000_i32).to_be_bytes()[..], &vec![0; 900_000]].concat());
    }
    assert!(holds(&other.metadata().expect("another tenant goes on"), b"orders"));
    let ended = |reason| scoped.envoy.metric("partywall_event_scope_connections_ended_total", &[("reason", reason)]);
    assert!(ended("memory").unwrap() >= 1.0, "{:?}", scoped.told());
    assert!(ended("frame").unwrap() >= 4.0 && ended("malformed").unwrap() >= 3.0);
    scoped.envoy.check_alive().unwrap();
    assert!(!scoped.envoy.errors().contains("panicked"), "{}", scoped.envoy.errors());
}
