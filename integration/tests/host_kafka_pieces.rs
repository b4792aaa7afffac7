//! `kafka_scope` in the counting host: whatever the pieces are in which bytes come, the same goes on. Of much that comes at
//! once the module reads the first bytes alone, and puts back as little as it can; of 32 KiB and less it reads all.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, GroupId, HeartbeatRequest,
    HeartbeatResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, RequestHeader, RequestKind,
    ResponseHeader, ResponseKind, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use partywall_integration::artefacts;
use partywall_integration::host::sample::{Place, brokers_with};
use partywall_integration::host::{Host, Way};
use partywall_integration::served::served;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::variant::Variant;
use serde_json::json;
use uuid::Uuid;

const EVENTS: &str = r#"clusters:
  - cluster: bench
    spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy
    region: eu
    identity: [{ listener: all }]
    brokers: as_they_are
    topics: [{ topic: "*" }]
"#;
const CEDAR: &str = r#"
@id("own-topics")
permit (principal, action in [Action::"events:produce", Action::"events:consume", Action::"events:describe"], resource);
@id("nobody-writes-rates")
forbid (principal, action == Action::"events:produce", resource == Topic::"rates");
@id("nobody-reads-debts")
forbid (principal, action == Action::"events:consume", resource == Topic::"debts");
"#;
/// What clients ask for: some may not be written, read or be called so, and one is not there.
const TOPICS: [&str; 6] = ["orders", "orders", "lines", "rates", "debts", "a b"];
/// How many connections there are, each with a seed of its own.
const CONNECTIONS: u64 = 300;
/// And that many in which something is damaged.
const DAMAGED: u64 = 150;
/// Of so many bytes that come at once all are read.
const SMALL: usize = 32 << 10;
/// The largest read.
const LARGEST: usize = 400 << 10;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Some size, of which there are as many small ones as large ones.
    fn size(&mut self, most: usize) -> usize {
        let bits = self.below(most.ilog2() as usize + 1);
        (1 << bits) + self.below(1 << bits)
    }

    /// Records that look like nothing that a frame begins with, and differ from place to place.
    fn records(&mut self, pool: &Bytes) -> Bytes {
        let size = match self.below(6) {
            0 => self.below(300),
            1 | 2 => self.size(16 << 10),
            3 | 4 => 60_000 + self.below(9_000),
            _ => self.below(300 << 10),
        };
        let from = self.below(pool.len() - size);
        pool.slice(from..from + size)
    }
}

fn name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The id of a topic, as the client or the broker calls it.
fn id(topic: &str) -> Uuid {
    let of = topic.strip_prefix("acme.").unwrap_or(topic).bytes();
    Uuid::from_u128(of.fold(77, |all, byte| all * 257 + u128::from(byte)))
}

fn framed(header: &impl Encodable, header_version: i16, body: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut frame = BytesMut::zeroed(4);
    header.encode(&mut frame, header_version).unwrap();
    body(&mut frame);
    let length = u32::try_from(frame.len() - 4).unwrap().to_be_bytes();
    frame[..4].copy_from_slice(&length);
    frame.to_vec()
}

/// What a client says.
struct Client<'a> {
    random: &'a mut Random,
    pool: &'a Bytes,
    correlation: i32,
}

impl Client<'_> {
    fn topics(&mut self) -> Vec<&'static str> {
        let mut topics: Vec<&str> = Vec::new();
        let few = 1 + self.random.below(3) * self.random.below(2);
        for _ in 0..few {
            // Mostly what it may do.
            let topic = TOPICS[if self.random.chance(70) { 0 } else { self.random.below(TOPICS.len()) }];
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        topics
    }

    fn partitions(&mut self) -> i32 {
        if self.random.chance(75) { 1 } else { 1 + self.random.below(3) as i32 }
    }

    fn request(&mut self) -> Vec<u8> {
        let by_id = self.random.chance(50);
        let (version, asked) = match self.random.below(10) {
            0..4 => (if by_id { 13 } else { 9 }, RequestKind::Produce(self.produce(by_id))),
            4..8 => (if by_id { 18 } else { 12 }, RequestKind::Fetch(self.fetch(by_id))),
            8 => {
                let topics = self.topics();
                (12, RequestKind::Metadata(metadata(&topics)))
            }
            _ if self.random.chance(50) => (3, RequestKind::ApiVersions(ApiVersionsRequest::default())),
            _ => {
                let group = GroupId(StrBytes::from_static_str("readers"));
                (4, RequestKind::Heartbeat(HeartbeatRequest::default().with_group_id(group)))
            }
        };
        self.frame(version, &asked)
    }

    fn frame(&mut self, version: i16, asked: &RequestKind) -> Vec<u8> {
        self.correlation += 1;
        let key = asked_key(asked);
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("bench")));
        framed(&header, key.request_header_version(version), |frame| asked.encode(frame, version).unwrap())
    }

    fn produce(&mut self, by_id: bool) -> ProduceRequest {
        let mut topics = Vec::new();
        for topic in self.topics() {
            let partitions = (0..self.partitions()).map(|index| {
                let records = self.random.records(self.pool);
                PartitionProduceData::default().with_index(index).with_records(Some(records))
            });
            let data = TopicProduceData::default().with_partition_data(partitions.collect());
            topics.push(if by_id { data.with_topic_id(id(topic)) } else { data.with_name(name(topic)) });
        }
        let acks = [1, -1, 1, 0][self.random.below(4)];
        ProduceRequest::default().with_acks(acks).with_topic_data(topics)
    }

    fn fetch(&mut self, by_id: bool) -> FetchRequest {
        let mut topics = Vec::new();
        for topic in self.topics() {
            let partitions = (0..self.partitions()).map(|index| FetchPartition::default().with_partition(index));
            let asked = FetchTopic::default().with_partitions(partitions.collect());
            topics.push(if by_id { asked.with_topic_id(id(topic)) } else { asked.with_topic(name(topic)) });
        }
        FetchRequest::default().with_session_epoch(-1).with_topics(topics)
    }
}

fn metadata(topics: &[&str]) -> MetadataRequest {
    let topics = topics.iter().map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))));
    MetadataRequest::default().with_topics(Some(topics.collect()))
}

fn asked_key(asked: &RequestKind) -> ApiKey {
    match asked {
        RequestKind::Produce(_) => ApiKey::Produce,
        RequestKind::Fetch(_) => ApiKey::Fetch,
        RequestKind::Metadata(_) => ApiKey::Metadata,
        RequestKind::ApiVersions(_) => ApiKey::ApiVersions,
        _ => ApiKey::Heartbeat,
    }
}

/// What a broker answers to a frame, which is without its length; nothing to what nobody waits for.
fn answer(frame: &[u8], random: &mut Random, records: &mut dyn FnMut(&mut Random) -> Bytes) -> Option<Vec<u8>> {
    let (api, version) = (i16::from_be_bytes([frame[0], frame[1]]), i16::from_be_bytes([frame[2], frame[3]]));
    let key = ApiKey::try_from(api).unwrap();
    let mut rest = Bytes::copy_from_slice(frame);
    let header = RequestHeader::decode(&mut rest, key.request_header_version(version)).unwrap();
    let asked = RequestKind::decode(key, &mut rest, version).unwrap();
    assert!(rest.is_empty(), "{} bytes behind a request", rest.len());
    let told = match asked {
        RequestKind::Produce(asked) if asked.acks == 0 => return None,
        RequestKind::Produce(asked) => {
            let topics = asked.topic_data.into_iter().map(|topic| {
                let partitions = topic.partition_data.iter();
                let partitions = partitions.map(|data| PartitionProduceResponse::default().with_index(data.index));
                let told = TopicProduceResponse::default().with_name(topic.name).with_topic_id(topic.topic_id);
                told.with_partition_responses(partitions.collect())
            });
            ResponseKind::Produce(ProduceResponse::default().with_responses(topics.collect()))
        }
        RequestKind::Fetch(asked) => {
            let topics = asked.topics.into_iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let aborted = if random.chance(10) { random.below(300) } else { 0 };
                    PartitionData::default()
                        .with_partition_index(partition.partition)
                        .with_aborted_transactions(Some(vec![AbortedTransaction::default(); aborted]))
                        .with_records(Some(records(random)))
                });
                let told = FetchableTopicResponse::default().with_partitions(partitions.collect());
                told.with_topic(topic.topic).with_topic_id(topic.topic_id)
            });
            ResponseKind::Fetch(FetchResponse::default().with_responses(topics.collect()))
        }
        RequestKind::Metadata(asked) => {
            let topics = asked.topics.unwrap_or_default().into_iter().map(|topic| {
                // By its id, where that is all that is asked of: all of these are acme's.
                let all = TOPICS.iter().find(|name| id(name) == topic.topic_id);
                let called = topic.name.or_else(|| all.map(|topic| name(&format!("acme.{topic}"))));
                let of = called.as_ref().map_or(topic.topic_id, |called| id(called));
                MetadataResponseTopic::default().with_name(called).with_topic_id(of)
            });
            ResponseKind::Metadata(MetadataResponse::default().with_topics(topics.collect()))
        }
        RequestKind::ApiVersions(_) => ResponseKind::ApiVersions(ApiVersionsResponse::default()),
        _ => ResponseKind::Heartbeat(HeartbeatResponse::default()),
    };
    let header = ResponseHeader::default().with_correlation_id(header.correlation_id);
    Some(framed(&header, key.response_header_version(version), |frame| told.encode(frame, version).unwrap()))
}

/// Whole frames, out of bytes as they come.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn next(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let frame = rest.get(..u32::from_be_bytes(*length) as usize)?.to_vec();
        self.0.drain(..4 + frame.len());
        Some(frame)
    }
}

/// One connection, and all that came out of it.
struct Passing<'a> {
    host: &'a mut Host,
    connection: u32,
    /// To the broker and to the client.
    out: [Vec<u8>; 2],
    closed: bool,
    /// How often the host was asked for what.
    calls: BTreeMap<&'static str, u32>,
}

impl<'a> Passing<'a> {
    fn new(host: &'a mut Host) -> Self {
        let connection = host.connect().unwrap();
        Self { host, connection, out: Default::default(), closed: false, calls: BTreeMap::new() }
    }

    /// Says how much had gone on before.
    fn pass(&mut self, way: Way, mut bytes: &[u8], mut size: impl FnMut() -> usize) -> usize {
        let out = &mut self.out[usize::from(way == Way::Up)];
        let before = out.len();
        while !bytes.is_empty() && !self.closed {
            let (read, rest) = bytes.split_at(size().clamp(1, bytes.len()));
            let passed = self.host.data(self.connection, way, read).unwrap();
            out.extend(passed.bytes);
            (self.closed, bytes) = (passed.closed, rest);
            for (name, times) in passed.cost.calls {
                *self.calls.entry(name).or_default() += times;
            }
        }
        before
    }
}

/// How many bytes come at once: mostly many, some few, and some one by one.
fn read(random: &mut Random) -> usize {
    match random.below(10) {
        0 => 1 + random.below(3),
        1 => random.size(4 << 10),
        2 | 3 => SMALL + random.below(4 << 10),
        _ => random.below(LARGEST) + 1,
    }
}

fn hosts(name: &str) -> [Host; 2] {
    let variant = Variant::prepare(name, &[]).unwrap();
    variant.append("events.yaml", EVENTS).unwrap();
    variant.append("policies/bench.cedar", CEDAR).unwrap();
    let site = &variant.site;
    compile(&variant.tenancy(""), &site.keys(), &site.bundles(), Some(FIRST_REVISION + 1)).unwrap();
    let served = served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (module, keys) = (artefacts::module().unwrap(), site.keys());
    let place = Place { module: &module, keys: &keys, served: &served, secrets: &[], now };
    [(); 2].map(|()| brokers_with(&place, "bench", "acme", json!({})).unwrap())
}

/// A connection over which the same is said in large reads and in small ones, in one way with damage.
fn connection(hosts: &mut [Host; 2], seed: u64, pool: &Bytes, damage: Option<Way>) {
    let mut random = Random(seed);
    let mut client = Client { random: &mut random, pool, correlation: 0 };
    let mut asked = Vec::new();
    for _ in 0..2 + client.random.below(9) {
        asked.extend(client.request());
    }
    if damage == Some(Way::Down) {
        harm(&mut asked, &mut random);
    }
    let [large, small] = hosts;
    let (mut large, mut small) = (Passing::new(large), Passing::new(small));
    let (mut heard, mut answers) = (Frames::default(), VecDeque::new());
    let mut rest = &asked[..];
    while (!rest.is_empty() || !answers.is_empty()) && !small.closed {
        // What comes until the broker says something, which may end anywhere; and all of it at last.
        let some = rest.len().min(1 + random.below(700 << 10));
        let (piece, behind) = rest.split_at(some);
        rest = behind;
        large.pass(Way::Down, piece, || read(&mut random));
        let from = small.pass(Way::Down, piece, || SMALL);
        heard.0.extend(&small.out[0][from..]);
        if damage == Some(Way::Down) {
            continue;
        }
        while let Some(frame) = heard.next() {
            let told = answer(&frame, &mut random, &mut |random| random.records(pool));
            answers.extend(told.into_iter().flatten());
        }
        let most = if rest.is_empty() { answers.len() } else { random.below(answers.len() + 1) };
        let mut told: Vec<u8> = answers.drain(..most).collect();
        if damage.is_some() && !told.is_empty() {
            harm(&mut told, &mut random);
        }
        large.pass(Way::Up, &told, || read(&mut random));
        small.pass(Way::Up, &told, || SMALL);
    }
    for (way, (large, small)) in ["broker", "client"].iter().zip(large.out.iter().zip(&small.out)) {
        // What came before the damage in one read is gone with it.
        let both = large.len().min(small.len());
        let is_same = if damage.is_some() { large[..both] == small[..both] } else { large == small };
        let same = || large.iter().zip(small).take_while(|(one, other)| one == other).count();
        assert!(is_same, "{seed}, to the {way}: {} and {} bytes, {} alike", large.len(), small.len(), same());
    }
    assert_eq!(large.closed, small.closed, "{seed}");
    assert!(damage.is_some() || !large.closed, "{seed}: {}", large.host.world().log().join("\n"));
}

/// Changes a bit near the beginning, where more than records stand.
fn harm(bytes: &mut [u8], random: &mut Random) {
    let at = random.below(bytes.len().min(4 << 10));
    bytes[at] ^= 1 << random.below(8);
}

fn pool() -> Bytes {
    let mut random = Random(0);
    (0..1 << 17).flat_map(|_| (random.below(usize::MAX) as u64).to_be_bytes()).collect::<Vec<u8>>().into()
}

#[test]
fn the_same_goes_on_however_much_comes_at_once() {
    let (mut hosts, pool) = (hosts("host-kafka-pieces"), pool());
    for seed in 1..=CONNECTIONS {
        connection(&mut hosts, seed, &pool, None);
    }
    // The same was decided, and told.
    let [large, small] = hosts.map(|mut host| {
        host.tick(1_000).unwrap();
        let mut log = host.world().log().to_vec();
        log.sort();
        (log, host.world().metrics().to_vec())
    });
    assert!(large.0.iter().any(|line| line.contains("nobody-writes-rates")), "{:#?}", large.0);
    assert_eq!(large, small);
}

/// What a read of four answers of 64 KB takes, after some reads like it, and then a read of one: how often the host is asked
/// for bytes, and puts some.
fn four_and_one(host: &mut Host, pool: &Bytes, by_id: bool) -> [[u32; 2]; 2] {
    let mut random = Random(1);
    let mut client = Client { random: &mut random, pool, correlation: 0 };
    let partition = vec![FetchPartition::default()];
    let topic = FetchTopic::default().with_partitions(partition);
    let topic = if by_id { topic.with_topic_id(id("orders")) } else { topic.with_topic(name("orders")) };
    let fetch = RequestKind::Fetch(FetchRequest::default().with_session_epoch(-1).with_topics(vec![topic]));
    let mut passing = Passing::new(host);
    let mut last = [[0; 2]; 2];
    let learn = RequestKind::Metadata(metadata(&["orders"]));
    for (asked, version, times) in [(learn, 12, 1), (fetch, if by_id { 18 } else { 12 }, 3 * 4 + 1)] {
        let frames: Vec<_> = (0..times).map(|_| client.frame(version, &asked)).collect();
        let from = passing.pass(Way::Down, &frames.concat(), || usize::MAX);
        let mut heard = Frames(passing.out[0][from..].to_vec());
        let large = pool.slice(..64 << 10);
        let answers: Vec<_> = std::iter::from_fn(|| heard.next())
            .map(|frame| answer(&frame, &mut Random(2), &mut |_| large.clone()).unwrap())
            .collect();
        for answers in answers.chunks(4) {
            passing.calls.clear();
            passing.pass(Way::Up, &answers.concat(), || usize::MAX);
            let took = ["get_buffer", "set_buffer"].map(|name| passing.calls.get(name).copied().unwrap_or(0));
            last = [last[1], took];
        }
    }
    assert!(!passing.closed);
    last
}

#[test]
fn of_records_no_more_is_read_than_has_to_be_put_back() {
    let ([mut host, _], pool) = (hosts("host-kafka-answers"), pool());
    // The beginning of each, and the end of the last one; nothing is put back.
    assert_eq!(four_and_one(&mut host, &pool, true), [[5, 0], [2, 0]]);
    // All at once: of four, the beginnings and the records before the last one are put. Of one, the beginning.
    assert_eq!(four_and_one(&mut host, &pool, false), [[1, 7], [2, 1]]);
}

#[test]
fn damage_ends_a_connection_however_much_comes_at_once() {
    let (mut hosts, pool) = (hosts("host-kafka-damage"), pool());
    for seed in 1..=DAMAGED {
        connection(&mut hosts, seed, &pool, Some(if seed % 2 == 0 { Way::Down } else { Way::Up }));
    }
}
