//! What a frame costs, spliced by the codec and decoded, changed and encoded by `kafka-protocol`, without a host:
//! `cargo run --release -p partywall-event-scope --example bench-codec`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures and tells")]

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchResponse, MetadataResponse, ProduceRequest, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use partywall_event_scope::kafka::codec::{Editor, Mark, Marks, Place, Scratch, Verdict, request, response};

const PREFIX: &str = "acme.";

/// Puts the prefix before topics, or takes it off.
struct Rename {
    on: bool,
}

impl Editor for Rename {
    fn marks(&self) -> Marks {
        const { Marks::of(&[Mark::Topic]) }
    }

    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        let Some(name) = place.bytes().filter(|_| place.mark == Mark::Topic) else { return Verdict::Keep };
        if self.on {
            new.extend_from_slice(PREFIX.as_bytes());
            new.extend_from_slice(name);
        } else {
            let Some(bare) = name.strip_prefix(PREFIX.as_bytes()) else { return Verdict::Drop(1) };
            new.extend_from_slice(bare);
        }
        Verdict::Replace
    }
}

/// A frame, and what `kafka-protocol` does with it.
struct Subject {
    name: &'static str,
    frame: Vec<u8>,
    /// API and version of a response.
    way: Option<(i16, i16)>,
    peer: fn(Bytes, &mut BytesMut),
}

fn main() {
    let subjects = [
        Subject { name: "Produce, 1 KB", frame: produce(1 << 10), way: None, peer: peer_produce },
        Subject { name: "Produce, 64 KB", frame: produce(64 << 10), way: None, peer: peer_produce },
        Subject { name: "Fetch response, 64 KB", frame: fetch(64 << 10), way: Some((1, 12)), peer: peer_fetch },
        Subject { name: "Metadata, 1000 topics", frame: metadata(), way: Some((3, 12)), peer: peer_metadata },
    ];
    println!(
        "{:<22} {:>8} {:>12} {:>12} {:>12} {:>12} {:>7}",
        "frame", "bytes", "keep, ns", "rename, ns", "and join, ns", "peer, ns", "ratio"
    );
    for subject in &subjects {
        let (frame, mut scratch, mut out) = (&subject.frame, Scratch::default(), Vec::new());
        let mut walk = |editor: &mut dyn Editor, join: bool| {
            let splice = match subject.way {
                None => request(frame, editor, &mut scratch),
                Some((api, version)) => response(api, version, frame, editor, &mut scratch),
            };
            let splice = splice.expect("a good frame");
            out.clear();
            if join {
                splice.append_to(&mut out);
            }
            splice.size()
        };
        let on = subject.way.is_none();
        let keep = time(frame.len(), || walk(&mut (), false));
        let rename = time(frame.len(), || walk(&mut Rename { on }, false));
        let join = time(frame.len(), || walk(&mut Rename { on }, true));
        let bytes = Bytes::from(frame.clone());
        let mut encoded = BytesMut::new();
        let peer = time(frame.len(), || {
            encoded.clear();
            (subject.peer)(bytes.clone(), &mut encoded);
            encoded.len()
        });
        // Both must have made the same frame.
        let mut renamed = Vec::new();
        let editor = &mut Rename { on };
        let splice = match subject.way {
            None => request(frame, editor, &mut scratch),
            Some((api, version)) => response(api, version, frame, editor, &mut scratch),
        };
        splice.expect("a good frame").append_to(&mut renamed);
        assert_eq!(renamed.get(4..), Some(&encoded[..]), "{}", subject.name);
        println!(
            "{:<22} {:>8} {keep:>12.0} {rename:>12.0} {join:>12.0} {peer:>12.0} {:>7.1}",
            subject.name,
            frame.len(),
            peer / join
        );
    }
    println!("\nratio: `kafka-protocol` over rename and join. Best of five rounds each.");
}

/// Nanoseconds of one call, the best of five rounds.
fn time(size: usize, mut call: impl FnMut() -> usize) -> f64 {
    let calls = (20_000_000 / (size + 2000)).max(20);
    let round = |call: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        for _ in 0..calls {
            std::hint::black_box(call());
        }
        start.elapsed().as_secs_f64() * 1e9 / calls as f64
    };
    (0..5).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

fn name(n: usize, prefix: &str) -> TopicName {
    TopicName(StrBytes::from_string(format!("{prefix}orders-{n}")))
}

fn produce(size: usize) -> Vec<u8> {
    let mut out = BytesMut::from([0, 0, 0, 9, 0, 0, 0, 7, 0, 3, b'a', b'p', b'p', 0].as_slice());
    let partition = PartitionProduceData::default().with_index(3).with_records(Some(Bytes::from(vec![7; size])));
    let topic = TopicProduceData::default().with_name(name(1, "")).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(1).with_timeout_ms(1000).with_topic_data(vec![topic]);
    request.encode(&mut out, 9).expect("a good request");
    out.to_vec()
}

fn peer_produce(mut bytes: Bytes, out: &mut BytesMut) {
    out.extend_from_slice(&bytes.split_to(14));
    let mut request = ProduceRequest::decode(&mut bytes, 9).expect("a good request");
    for topic in &mut request.topic_data {
        topic.name = TopicName(StrBytes::from_string(format!("{PREFIX}{}", &*topic.name)));
    }
    request.encode(out, 9).expect("a good request");
}

fn fetch(size: usize) -> Vec<u8> {
    let mut out = BytesMut::from([0, 0, 0, 7, 0].as_slice());
    let partition =
        |n| PartitionData::default().with_partition_index(n).with_records(Some(Bytes::from(vec![7; size / 4])));
    let topic = FetchableTopicResponse::default().with_topic(name(1, PREFIX));
    let response =
        FetchResponse::default().with_responses(vec![topic.with_partitions((0..4).map(partition).collect())]);
    response.encode(&mut out, 12).expect("a good response");
    out.to_vec()
}

fn bare(name: &TopicName) -> Option<TopicName> {
    name.strip_prefix(PREFIX).map(|bare| TopicName(StrBytes::from_string(bare.to_owned())))
}

fn peer_fetch(mut bytes: Bytes, out: &mut BytesMut) {
    out.extend_from_slice(&bytes.split_to(5));
    let mut response = FetchResponse::decode(&mut bytes, 12).expect("a good response");
    response.responses.retain_mut(|topic| bare(&topic.topic).map(|bare| topic.topic = bare).is_some());
    response.encode(out, 12).expect("a good response");
}

fn metadata() -> Vec<u8> {
    let mut out = BytesMut::from([0, 0, 0, 7, 0].as_slice());
    let partition = |n: i32| {
        let replicas = vec![1.into(), 2.into(), 3.into()];
        let partition = MetadataResponsePartition::default().with_partition_index(n).with_leader_id(1.into());
        partition.with_replica_nodes(replicas.clone()).with_isr_nodes(replicas)
    };
    // Every tenth is of another tenant.
    let topic = |n| {
        let topic = MetadataResponseTopic::default().with_partitions((0..6).map(partition).collect());
        topic.with_name(Some(name(n, if n % 10 == 0 { "globex." } else { PREFIX })))
    };
    let response = MetadataResponse::default().with_topics((0..1000).map(topic).collect());
    response.encode(&mut out, 12).expect("a good response");
    out.to_vec()
}

fn peer_metadata(mut bytes: Bytes, out: &mut BytesMut) {
    out.extend_from_slice(&bytes.split_to(5));
    let mut response = MetadataResponse::decode(&mut bytes, 12).expect("a good response");
    response.topics.retain_mut(|topic| match topic.name.as_ref().and_then(bare) {
        Some(bare) => {
            topic.name = Some(bare);
            true
        }
        None => false,
    });
    response.encode(out, 12).expect("a good response");
}
