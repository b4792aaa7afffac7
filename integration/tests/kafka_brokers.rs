//! Three brokers behind one proxy: clients find each, and go on where a partition's leader is another one.

use std::time::Duration;

use kafka_protocol::messages::MetadataRequest;
use partywall_integration::kafka::wire::Wire;
use partywall_integration::kafka::{Brokers, Options, Scoped, ScopedOptions};
use partywall_integration::ports::local;
use partywall_integration::{raw, wait};

/// How long brokers may take to agree on another leader on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn lines(told: &str) -> Vec<String> {
    let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn clients_go_on_when_a_leader_moves() {
    let mut brokers = Brokers::start(&Options { name: "kafka-three", brokers: 3, ..Options::default() }).unwrap();
    let scoped = Scoped::start(&ScopedOptions { name: "kafka-three", ..ScopedOptions::default() }, &brokers).unwrap();
    let mut wanted = Vec::new();
    for tenant in ["acme", "globex"] {
        let topic = format!("{tenant}.orders");
        let create = ["--create", "--topic", &topic, "--partitions", "3", "--replication-factor", "3"];
        brokers.tool("TopicCommand", &create).unwrap().succeeds().unwrap();
        for partition in 0..3 {
            let record = format!("{tenant} {partition} before\n");
            let to = ["-P", "-t", "orders", "-p", &partition.to_string()];
            scoped.kcat(tenant, &to, &record).unwrap().succeeds().unwrap();
        }
    }
    // Each partition has another leader, so that all three brokers were found through the proxy.
    let listed = scoped.kcat("acme", &["-L", "-t", "orders"], "").unwrap().succeeds().unwrap();
    for id in 1..=3 {
        assert!(listed.contains(&format!("broker {id} at 127.0.0.1:")), "{listed}");
        assert!(listed.contains(&format!("leader {id},")), "{listed}");
    }

    brokers.stop(1);
    let moved = wait::until(PATIENCE, || {
        let told = scoped.kcat("acme", &["-L", "-t", "orders"], "").unwrap().told;
        let all = (0..3).all(|partition| told.contains(&format!("partition {partition}, leader")));
        (all && !told.contains("leader 2,") && !told.contains("leader -1")).then_some(())
    });
    moved.expect("another broker leads");
    for tenant in ["acme", "globex"] {
        for partition in 0..3 {
            let record = format!("{tenant} {partition} after\n");
            let to = ["-P", "-t", "orders", "-p", &partition.to_string()];
            scoped.kcat(tenant, &to, &record).unwrap().succeeds().unwrap();
            wanted.extend([format!("{tenant} {partition} before"), format!("{tenant} {partition} after")]);
        }
        let told = scoped.kcat(tenant, &["-C", "-t", "orders", "-e", "-q"], "").unwrap().succeeds().unwrap();
        let own: Vec<String> = wanted.iter().filter(|line| line.starts_with(tenant)).cloned().collect();
        assert_eq!(lines(&told), lines(&own.join("\n")), "{tenant}");
    }
    brokers.restart(1).unwrap();
    let listed = || scoped.kcat("globex", &["-L"], "").unwrap().told;
    let back = wait::until(PATIENCE, || listed().contains("broker 2 at").then_some(()));
    back.expect("the broker is told of again");
}

/// Who asks for no answer gets none, and what is denied is dropped: nothing of it reaches the broker, and the connection
/// goes on.
#[test]
fn what_asks_for_no_answer_is_dropped_where_it_is_denied() {
    let brokers = Brokers::start(&Options { name: "kafka-acks", ..Options::default() }).unwrap();
    let cluster = "    topics: [{ topic: \"*\" }, { topic: \"secret-*\", deny: true }]\n";
    let options = ScopedOptions { name: "kafka-acks", cluster, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    for topic in ["acme.orders", "acme.secret-plans"] {
        brokers.tool("TopicCommand", &["--create", "--topic", topic]).unwrap().succeeds().unwrap();
    }
    // Clients of Kafka look before whether they may; this one does not.
    let identity = scoped.client("acme").unwrap();
    let stream = raw::dial(local(scoped.port), Some(&identity), PATIENCE).unwrap();
    let mut wire = Wire::over(stream, "careless");
    for number in 0..20 {
        for topic in ["secret-plans", "orders"] {
            let frame = wire.produce(topic, 0, &[format!("{number}")]).unwrap();
            wire.send(&frame).unwrap();
        }
    }
    let all = MetadataRequest::default().with_topics(None);
    let told = wire.ask(9, &all).unwrap().message.unwrap();
    assert_eq!(told.topics.len(), 1, "the connection goes on, and the next answer is that to the next request");
    let end = |topic: &str| {
        let told = brokers.tool("GetOffsetShell", &["--topic", topic]).unwrap().succeeds().unwrap();
        told.trim().rsplit(':').next().unwrap_or_default().to_owned()
    };
    let came = wait::until(PATIENCE, || (end("acme.orders") == "20").then_some(()));
    came.expect("what is permitted comes");
    assert_eq!(end("acme.secret-plans"), "0");
    let denied = scoped.told().into_iter().filter(|line| line["decision"] == "deny").count();
    assert!(denied > 0 && scoped.told().iter().all(|line| line["decision"] != "end"), "{:?}", scoped.told());
}
