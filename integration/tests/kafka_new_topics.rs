//! What bounds a tenant's topics: Kafka's own error for each, and how many there are, whoever was asked before.

use std::time::Duration;

use partywall_integration::kafka::{Brokers, Client, Options, Scoped, ScopedOptions};
use partywall_integration::wait;
use serde_json::{Value, json};

/// How many topics a tenant may have.
const COUNT: usize = 5;
const CLUSTER: &str = "    new_topics: { partitions: 6, replication: [1, 2], retention: 1d, count: 5, configs: [cleanup.policy] \
                       }\n    topics: [{ topic: \"*\" }]\n";

fn asks(scoped: &Scoped, tenant: &str, asked: &Value) -> Vec<String> {
    let (at, settings, asked) = (scoped.bootstrap(), scoped.rdkafka(tenant).unwrap(), asked.to_string());
    let mut all = vec![&*at, &*asked];
    all.extend(settings.iter().map(|setting| &**setting));
    let ran = Client::python_program("admin_librdkafka").unwrap().run(&all, "").unwrap();
    ran.succeeds().unwrap().lines().map(str::to_owned).collect()
}

/// How many topics there are at the broker.
fn there(brokers: &Brokers, tenant: &str) -> usize {
    let told = brokers.tool("TopicCommand", &["--list"]).unwrap().succeeds().unwrap();
    told.lines().filter(|line| line.starts_with(&format!("{tenant}."))).count()
}

#[test]
fn what_bounds_a_topic_is_told_by_kafkas_own_error() {
    let brokers = Brokers::start(&Options { name: "kafka-new-topics", ..Options::default() }).unwrap();
    // Each worker counts for itself, and hears of what others made with its next answer.
    let options = ScopedOptions { name: "kafka-new-topics", cluster: CLUSTER, workers: 1, ..ScopedOptions::default() };
    let mut scoped = Scoped::start(&options, &brokers).unwrap();
    let day = "86400000";
    let cases = [
        (json!({ "create": "orders", "partitions": 6, "replicas": 1, "configs": { "retention.ms": day } }), "done"),
        (json!({ "create": "orders", "partitions": 1 }), "TOPIC_ALREADY_EXISTS"),
        (json!({ "create": "plain" }), "done"),
        (json!({ "create": "wide", "partitions": 7 }), "POLICY_VIOLATION"),
        (json!({ "create": "copied", "partitions": 1, "replicas": 3 }), "POLICY_VIOLATION"),
        // Within the bound, and more than there are brokers: that one says the broker.
        (json!({ "create": "copied", "partitions": 1, "replicas": 2 }), "INVALID_REPLICATION_FACTOR"),
        (json!({ "create": "kept", "configs": { "retention.ms": "86400001" } }), "POLICY_VIOLATION"),
        (json!({ "create": "kept", "configs": { "retention.ms": "-1" } }), "POLICY_VIOLATION"),
        (json!({ "create": "set", "configs": { "max.message.bytes": "1000" } }), "POLICY_VIOLATION"),
        (json!({ "create": "compacted", "configs": { "cleanup.policy": "compact" } }), "done"),
        (json!({ "create": "or ders" }), "TOPIC_EXCEPTION"),
        (json!({ "create": "x".repeat(245) }), "TOPIC_EXCEPTION"),
        (json!({ "grow": "plain", "to": 6 }), "done"),
        (json!({ "grow": "plain", "to": 7 }), "POLICY_VIOLATION"),
        (json!({ "grow": "globex.orders", "to": 2 }), "UNKNOWN_TOPIC_OR_PART"),
        (json!({ "set": "plain", "configs": { "retention.ms": "1000" } }), "done"),
        (json!({ "set": "plain", "configs": { "retention.ms": "86400001" } }), "POLICY_VIOLATION"),
        (json!({ "set": "plain", "configs": { "segment.ms": "1000" } }), "POLICY_VIOLATION"),
    ];
    let asked: Vec<Value> = cases.iter().map(|(asked, _)| asked.clone()).collect();
    let told = asks(&scoped, "acme", &json!(asked));
    for ((asked, wanted), told) in cases.iter().zip(&told) {
        assert_eq!(told, wanted, "{asked}");
    }
    assert_eq!(told.len(), cases.len());
    assert_eq!(there(&brokers, "acme"), 3, "what was denied is not there");

    // Two more fit, whoever asks; another tenant has its own count.
    let made = |scoped: &Scoped, tenant: &str, names: &[&str]| {
        let asked: Vec<Value> = names.iter().map(|name| json!({ "create": name })).collect();
        asks(scoped, tenant, &json!(asked))
    };
    assert_eq!(made(&scoped, "acme", &["four", "five", "six"]), ["done", "done", "POLICY_VIOLATION"]);
    assert_eq!(made(&scoped, "globex", &["one"]), ["done"]);
    let create = ["--create", "--topic", "seven"];
    let java = scoped.tool("acme", "TopicCommand", &create, "").unwrap();
    assert!(java.status != Some(0) && java.errors.contains("PolicyViolationException"), "{java:?}");
    assert_eq!(there(&brokers, "acme"), COUNT);

    // As soon as the broker lists it no more, there is room for another, and for one.
    assert_eq!(asks(&scoped, "acme", &json!([{ "delete": "four" }])), ["done"]);
    let again = wait::until(Duration::from_secs(10), || (made(&scoped, "acme", &["again"]) == ["done"]).then_some(()));
    again.expect("there is room");
    assert_eq!(made(&scoped, "acme", &["eight"]), ["POLICY_VIOLATION"]);

    // Whoever knew how many there are is gone.
    scoped.restart().unwrap();
    let java = scoped.tool("globex", "TopicCommand", &["--create", "--topic", "two"], "").unwrap();
    java.succeeds().expect("Kafka's own client makes its topics as if nothing had been");
    assert_eq!(made(&scoped, "acme", &["nine", "ten"]), ["POLICY_VIOLATION"; 2]);
    let java = scoped.tool("acme", "TopicCommand", &create, "").unwrap();
    assert!(java.status != Some(0) && java.errors.contains("PolicyViolationException"), "{java:?}");
    assert_eq!(there(&brokers, "acme"), COUNT);
}
