//! Two tenants at one broker, through the filter in a real Envoy, with real clients: each in a world of its own.

use std::time::{Duration, Instant};

use partywall_integration::kafka::{Brokers, Client, Options, Ran, Scoped, ScopedOptions};

/// The promise: from the command to the first denial.
const LIVE: Duration = Duration::from_millis(1500);

fn start(name: &str, options: ScopedOptions<'_>) -> (Brokers, Scoped) {
    let brokers = Brokers::start(&Options { name, ..Options::default() }).unwrap();
    let scoped = Scoped::start(&ScopedOptions { name, ..options }, &brokers).unwrap();
    (brokers, scoped)
}

fn kcat(scoped: &Scoped, tenant: &str, arguments: &[&str], input: &str) -> Ran {
    let settings = scoped.rdkafka(tenant).unwrap();
    let at = scoped.bootstrap();
    let mut all = vec!["-b", &*at];
    settings.iter().for_each(|setting| all.extend(["-X", setting]));
    all.extend(arguments);
    Client::kcat().unwrap().run(&all, input).unwrap()
}

fn java(scoped: &Scoped, tenant: &str, tool: &str, arguments: &[&str], input: &str) -> Ran {
    let (at, config) = (scoped.bootstrap(), scoped.java(tenant).unwrap());
    let config = config.display().to_string();
    let all = [&["--bootstrap-server", &*at, "--command-config", &*config], arguments].concat();
    Client::tool(tool).unwrap().run(&all, input).unwrap()
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
        java(&scoped, tenant, "TopicCommand", &create, "").succeeds().unwrap();
        let record = format!("of {tenant} by kcat\n");
        kcat(&scoped, tenant, &["-P", "-t", "orders"], &record).succeeds().unwrap();
        let record = format!("of {tenant} by java\n");
        java(&scoped, tenant, "ConsoleProducer", &["--topic", "orders"], &record).succeeds().unwrap();
    }
    for tenant in ["acme", "globex"] {
        let expected = [format!("of {tenant} by java"), format!("of {tenant} by kcat")];
        let told = kcat(&scoped, tenant, &["-C", "-t", "orders", "-e", "-q"], "").succeeds().unwrap();
        assert_eq!(lines(&told), expected, "{tenant}, kcat");
        let group = ["--topic", "orders", "--group", "readers", "--from-beginning"];
        let enough = ["--max-messages", "2", "--timeout-ms", "30000"];
        let read = [&group[..], &enough].concat();
        let told = java(&scoped, tenant, "consumer.ConsoleConsumer", &read, "").succeeds().unwrap();
        assert_eq!(lines(&told), expected, "{tenant}, java");
        let told = java(&scoped, tenant, "TopicCommand", &["--list"], "").succeeds().unwrap();
        assert_eq!(lines(&told), ["orders"], "{tenant} sees its own alone");
        let told = java(&scoped, tenant, "consumer.group.ConsumerGroupCommand", &["--list"], "");
        assert_eq!(lines(&told.succeeds().unwrap()), ["readers"]);
    }
    let there = brokers.tool("TopicCommand", &["--list", "--exclude-internal"]).unwrap().succeeds().unwrap();
    assert_eq!(lines(&there), ["acme.orders", "globex.orders"]);
    let metric = |decision| scoped.envoy.metric("partywall_event_scope_decisions_total", &[("decision", decision)]);
    assert!(metric("allow").unwrap() > 10.0);
    assert_eq!(metric("deny").unwrap(), 0.0, "{:?}", scoped.told());
}
