//! What bounds a tenant's topics: Kafka's own error for each, and how many there are, whoever was asked before.

use std::time::Duration;

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use partywall_integration::kafka::wire::Wire;
use partywall_integration::kafka::{Brokers, Client, Options, Scoped, ScopedOptions};
use partywall_integration::ports::local;
use partywall_integration::{raw, wait};
use serde_json::{Value, json};

/// How many topics a tenant may have.
const COUNT: usize = 5;
/// So many connections are of both workers, several of each.
const CONNECTIONS: usize = 16;
const CLUSTER: &str = "    new_topics: { partitions: 6, replication: [1, 2], retention: 1d, count: 5, configs: [cleanup.policy] \
                       }\n    topics: [{ topic: \"*\" }]\n";

fn asks(scoped: &Scoped, tenant: &str, asked: &Value) -> Vec<String> {
    let (at, settings, asked) = (scoped.bootstrap(), scoped.rdkafka(tenant).unwrap(), asked.to_string());
    let mut all = vec![&*at, &*asked];
    all.extend(settings.iter().map(|setting| &**setting));
    let ran = Client::python_program("admin_librdkafka").unwrap().run(&all, "").unwrap();
    ran.succeeds().unwrap().lines().map(str::to_owned).collect()
}

/// The error for a topic of acme's, asked for on a connection of its own.
fn create_by_hand(scoped: &Scoped, name: &str, partitions: i32) -> i16 {
    let identity = scoped.client("acme").unwrap();
    let stream = raw::dial(local(scoped.port), Some(&identity), Duration::from_secs(20)).unwrap();
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let asked = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    Wire::over(stream, "by-hand").ask(5, &asked).unwrap().message.unwrap().topics[0].error_code
}

/// How many topics there are at the broker.
fn there(brokers: &Brokers, tenant: &str) -> usize {
    let told = brokers.tool("TopicCommand", &["--list"]).unwrap().succeeds().unwrap();
    told.lines().filter(|line| line.starts_with(&format!("{tenant}."))).count()
}

#[test]
fn what_bounds_a_topic_is_told_by_kafkas_own_error() {
    let brokers = Brokers::start(&Options { name: "kafka-new-topics", ..Options::default() }).unwrap();
    let options = ScopedOptions { name: "kafka-new-topics", cluster: CLUSTER, ..ScopedOptions::default() };
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

    // Workers count together: both know how many there are, and of what all of them are asked for one is made.
    assert_eq!(asks(&scoped, "acme", &json!([{ "delete": "again" }])), ["done"]);
    let gone = wait::until(Duration::from_secs(10), || (there(&brokers, "acme") == COUNT - 1).then_some(()));
    gone.expect("it is gone");
    for at in 0..CONNECTIONS {
        assert_eq!(create_by_hand(&scoped, &format!("wide-{at}"), 7), 44);
    }
    let answers: Vec<i16> = (0..CONNECTIONS).map(|at| create_by_hand(&scoped, &format!("last-{at}"), 1)).collect();
    assert!(answers.iter().filter(|code| **code == 0).count() == 1, "{answers:?}");
    assert_eq!(there(&brokers, "acme"), COUNT);
}
