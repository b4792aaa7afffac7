//! Topics by their ids (Fetch from version 13 on) where one worker of the proxy learned a name and another one is asked.

use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{FetchRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use partywall_integration::kafka::wire::Wire;
use partywall_integration::kafka::{Brokers, Client, Options, Scoped, ScopedOptions};
use partywall_integration::ports::local;
use partywall_integration::{raw, wait};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(20);
/// So many connections are of both workers: that all of these are of one happens once in 30,000 times.
const CONNECTIONS: usize = 16;
/// Kafka's UNKNOWN_TOPIC_ID.
const UNKNOWN: i16 = 100;

fn wire(scoped: &Scoped, tenant: &str) -> Wire {
    let identity = scoped.client(tenant).unwrap();
    Wire::over(raw::dial(local(scoped.port), Some(&identity), PATIENCE).unwrap(), "by-id")
}

/// The id of a topic, as the tenant's metadata says.
fn id(scoped: &Scoped, tenant: &str, topic: &str) -> Uuid {
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(topic.to_owned()))));
    let asked = MetadataRequest::default().with_topics(Some(vec![topic]));
    let told = wire(scoped, tenant).ask(12, &asked).unwrap().message.unwrap();
    told.topics[0].topic_id
}

/// The error, and the records, of a fetch of partition 0 by id. The connection has asked nothing before.
fn fetch(wire: &mut Wire, version: i16, id: Uuid) -> (i16, Vec<u8>) {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic_id(id).with_partitions(vec![partition]);
    let asked = FetchRequest::default().with_max_wait_ms(200).with_max_bytes(1 << 20).with_topics(vec![topic]);
    let told = wire.ask(version, &asked).unwrap().message.unwrap();
    let Some(partition) = told.responses.first().and_then(|topic| topic.partitions.first()) else {
        return (told.error_code, Vec::new());
    };
    (partition.error_code, partition.records.as_ref().map(|records| records.to_vec()).unwrap_or_default())
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// How many connections each worker had.
fn workers(scoped: &Scoped) -> [f64; 2] {
    ["0", "1"].map(|worker| {
        let labels = [("envoy_worker_id", worker), ("envoy_listener_address", &*format!("127.0.0.1_{}", scoped.port))];
        scoped.envoy.metric("envoy_listener_worker_downstream_cx_total", &labels).unwrap()
    })
}

#[test]
fn a_name_that_one_worker_learned_all_know() {
    let brokers = Brokers::start(&Options { name: "kafka-topic-ids", ..Options::default() }).unwrap();
    let mut scoped =
        Scoped::start(&ScopedOptions { name: "kafka-topic-ids", ..ScopedOptions::default() }, &brokers).unwrap();
    for tenant in ["acme", "globex"] {
        scoped.tool(tenant, "TopicCommand", &["--create", "--topic", "orders"], "").unwrap().succeeds().unwrap();
        let record = format!("of {tenant}\n");
        scoped.kcat(tenant, &["-P", "-t", "orders"], &record).unwrap().succeeds().unwrap();
    }
    let (acme, globex) = (id(&scoped, "acme", "orders"), id(&scoped, "globex", "orders"));
    assert_ne!(acme, globex);

    // Of a proxy that was started anew nobody has learned anything: it learns, and says to ask again.
    scoped.restart().unwrap();
    let mut first = wire(&scoped, "acme");
    assert_eq!(fetch(&mut first, 13, acme), (UNKNOWN, Vec::new()));
    let learned = wait::until(PATIENCE, || Some(fetch(&mut first, 13, acme).1).filter(|records| !records.is_empty()));
    assert!(holds(&learned.expect("it is known by now"), "of acme"));

    let before = workers(&scoped);
    let (nobodys, mut unlike) = (Uuid::from_u64_pair(3, 4), Vec::new());
    for at in 0..CONNECTIONS {
        // Whichever worker it is: the first request of the connection is answered.
        let version = if at % 2 == 0 { 13 } else { 17 };
        let (error, records) = fetch(&mut wire(&scoped, "acme"), version, acme);
        assert!(error == 0 && holds(&records, "of acme") && !holds(&records, "globex"), "{at}: {error}");
        // Another tenant's, whose name this proxy knows, is as what nobody has, however often it is asked for.
        let mut stranger = wire(&scoped, "globex");
        for id in [acme, nobodys, acme, nobodys] {
            unlike.push(fetch(&mut stranger, version, id));
        }
    }
    assert!(unlike.iter().all(|told| *told == (UNKNOWN, Vec::new())), "{unlike:?}");
    let after = workers(&scoped);
    let each: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    println!("connections of each worker: {each:?}");
    assert!(each.iter().all(|connections| *connections >= 1.0), "{each:?}");

    // Kafka's own client, which asks by id.
    for round in 0..2 {
        for tenant in ["acme", "globex"] {
            let read = ["--topic", "orders", "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"];
            let told = scoped.tool(tenant, "consumer.ConsoleConsumer", &read, "").unwrap().succeeds().unwrap();
            assert_eq!(told, format!("of {tenant}\n"), "{round}");
        }
    }

    // A new topic of an old name has an id of its own, and the old one is nobody's.
    scoped.tool("acme", "TopicCommand", &["--delete", "--topic", "orders"], "").unwrap().succeeds().unwrap();
    let made = || {
        let ran = scoped.tool("acme", "TopicCommand", &["--create", "--topic", "orders"], "").unwrap();
        (ran.status == Some(0)).then_some(())
    };
    wait::until(PATIENCE, made).expect("the name is free");
    let to = ["-b", &*brokers.bootstrap(), "-P", "-t", "acme.orders"];
    Client::kcat().unwrap().run(&to, "of acme anew\n").unwrap().succeeds().unwrap();
    let anew = wait::until(PATIENCE, || Some(id(&scoped, "acme", "orders")).filter(|id| !id.is_nil())).expect("an id");
    assert_ne!(anew, acme);
    for at in 0..CONNECTIONS {
        let (error, records) = fetch(&mut wire(&scoped, "acme"), 13, anew);
        assert!(error == 0 && holds(&records, "of acme anew"), "{at}: {error}");
        assert_eq!(fetch(&mut wire(&scoped, "acme"), 13, acme), (UNKNOWN, Vec::new()));
        assert_eq!(fetch(&mut wire(&scoped, "globex"), 13, anew), (UNKNOWN, Vec::new()));
    }
}
