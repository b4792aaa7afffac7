//! One tenant: it writes and reads, and does what comes to its mind in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};
use kafka_protocol::records::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record, RecordBatchDecoder};
use uuid::Uuid;

use super::books::Books;
use super::names::{LEDGER, Names, TOPICS, Tenant};
use super::watch::Watch;
use super::{Dial, Report};
use crate::kafka::wire::{Wire, batch};

/// How often something is asked again that may be there later.
const PATIENCE: usize = 200;
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(20);

/// A tenant of a run, while it plays.
pub(super) struct Player {
    pub(super) at: usize,
    pub(super) names: Arc<Names>,
    pub(super) random: Random,
    pub(super) report: Report,
    dial: Dial,
    batch: usize,
    books: Books,
    watch: Option<Watch>,
    wire: Option<Wire>,
    versions: BTreeMap<i16, (i16, i16)>,
    pub(super) ids: BTreeMap<String, Uuid>,
    /// What the next request says that is another's, and that may be said back: nobody learns of it what it did not know.
    pub(super) said: Vec<Vec<u8>>,
}

impl Player {
    pub(super) fn new(at: usize, dial: Dial, names: Arc<Names>, seed: u64, batch: usize) -> Self {
        Self {
            at,
            names,
            random: Random(seed),
            report: Report::default(),
            dial,
            batch,
            books: Books::default(),
            watch: None,
            wire: None,
            versions: BTreeMap::new(),
            ids: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// Writes so many records, and what else comes; reads all of it at the end.
    pub(super) fn play(mut self, each: usize, written: &AtomicU64, made: &Barrier) -> Result<Report> {
        let begun = self.begin();
        made.wait();
        begun?;
        let mut left = each;
        while left > 0 {
            match self.random.below(100) {
                0..50 => {
                    let took = self.produce(left)?;
                    left -= took.min(left);
                    written.fetch_add(took as u64, Ordering::Relaxed);
                }
                50..65 => self.fetch_somewhere()?,
                65..92 => self.ask()?,
                _ => self.be_hostile()?,
            }
        }
        self.read_all()?;
        self.report.searched = self.watch.as_ref().map_or(0, Watch::searched);
        Ok(self.report)
    }

    pub(super) fn tenant(&self) -> &Tenant {
        &self.names.tenants[self.at]
    }

    fn begin(&mut self) -> Result<()> {
        self.watch = Some(Watch::of(&self.names, self.at)?);
        self.connect()?;
        let offered = self.go::<ApiVersionsRequest>("ApiVersions", Some(3), |_| {
            let software = StrBytes::from_static_str("leak");
            let request = ApiVersionsRequest::default();
            request.with_client_software_name(software.clone()).with_client_software_version(software)
        })?;
        let offered = offered.context("no versions were offered")?;
        self.versions = offered.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        let topics = TOPICS.map(|(name, partitions)| creatable(name, partitions)).to_vec();
        self.go::<CreateTopicsRequest>("CreateTopics", None, |_| {
            CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(30_000)
        })?;
        for (name, partitions) in self.places() {
            self.wait_for(&name, partitions)?;
        }
        Ok(())
    }

    /// The topics that it writes to, with their partitions.
    pub(super) fn places(&self) -> Vec<(String, i32)> {
        let own = TOPICS.iter().filter(|(name, _)| *name != LEDGER).map(|(name, count)| ((*name).to_owned(), *count));
        own.chain(self.tenant().ranged.iter().map(|ranged| (ranged.name.clone(), ranged.partitions))).collect()
    }

    fn connect(&mut self) -> Result<()> {
        let dial = self.dial.clone();
        let stream = dial(ANSWER).with_context(|| format!("{} cannot connect", self.tenant().id))?;
        self.wire = Some(Wire::over(stream, &format!("client-of-{}", self.tenant().mark)));
        Ok(())
    }

    /// A connection that nobody else uses, on which an answer is waited for so long.
    pub(super) fn another(&self, patience: Duration) -> Result<Wire> {
        Ok(Wire::over((self.dial)(patience)?, "another"))
    }

    /// Sends one request in a version that both know, and searches what comes back.
    pub(super) fn go<R: Request>(
        &mut self,
        name: &'static str,
        version: Option<i16>,
        build: impl FnOnce(i16) -> R,
    ) -> Result<Option<R::Response>> {
        let range = match version {
            Some(version) => (version, version),
            None => {
                let Some((least, most)) = self.versions.get(&R::KEY).copied() else {
                    self.said.clear();
                    return Ok(None);
                };
                (least.max(R::VERSIONS.min), most.min(R::VERSIONS.max))
            }
        };
        if range.0 > range.1 {
            self.said.clear();
            return Ok(None);
        }
        let version = range.0 + self.random.below((range.1 - range.0 + 1) as usize) as i16;
        let request = build(version);
        let wire = self.wire.as_mut().context("not connected")?;
        let frame = wire.frame(version, &request).with_context(|| format!("{name} {version} cannot be written"))?;
        *self.report.asked.entry(name).or_default() += 1;
        let answer = wire.send(&frame).and_then(|()| wire.answer_to::<R>(version));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.report.wrong.push(format!("{}: {name} {version}: {error:#}", self.tenant().id));
                if self.report.wrong.len() > 50 {
                    bail!("too much goes wrong: {:#?}", self.report.wrong);
                }
                self.said.clear();
                self.connect()?;
                return Ok(None);
            }
        };
        self.search(&format!("{name} {version}"), &answer.bytes)?;
        self.said.clear();
        self.report.unread += u64::from(answer.message.is_err());
        Ok(answer.message.ok())
    }

    /// Searches what came, but for what was said by the tenant itself just now.
    pub(super) fn search(&mut self, within: &str, bytes: &[u8]) -> Result<()> {
        let mark = self.tenant().mark.clone();
        let ids = self.names.ids_of_others(&mark);
        // Kafka makes ids of members from what a client calls itself there: they are said back byte by byte.
        let called = format!("{}client-of-{mark}", self.tenant().prefix).into_bytes();
        let watch = self.watch.as_mut().context("nobody watches")?;
        watch.learn(ids)?;
        let mut bytes = std::borrow::Cow::Borrowed(bytes);
        // The longest first: one may stand in another.
        self.said.sort_by_key(|said| std::cmp::Reverse(said.len()));
        for said in std::iter::once(&called).chain(&self.said).filter(|said| !said.is_empty()) {
            blot(&mut bytes, said);
        }
        if let Some(found) = watch.search(within, &bytes) {
            self.report.found.push(found);
        }
        Ok(())
    }

    fn wait_for(&mut self, name: &str, partitions: i32) -> Result<()> {
        for _ in 0..PATIENCE {
            let asked = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
            let told = self.go::<MetadataRequest>("Metadata", Some(12), |_| {
                MetadataRequest::default().with_topics(Some(vec![asked]))
            })?;
            let topic = told.and_then(|told| told.topics.into_iter().next()).context("Metadata tells of no topic")?;
            if topic.error_code == 0 && topic.partitions.len() == partitions as usize {
                let mark = self.tenant().mark.clone();
                // What tenants share is nobody's alone.
                if self.tenant().ranged.as_ref().is_none_or(|ranged| ranged.name != name) {
                    self.names.learn(topic.topic_id, &mark);
                }
                self.ids.insert(name.to_owned(), topic.topic_id);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{}: the topic {name} does not come to have {partitions} partitions", self.tenant().id)
    }

    /// Writes a batch; how many records it had.
    fn produce(&mut self, most: usize) -> Result<usize> {
        let places = self.places();
        let (name, partitions) = self.random.one_of(&places).clone();
        let partition = self.random.below(partitions as usize) as i32;
        let count = 1 + self.random.below(self.batch.min(most));
        let numbers = self.books.numbers(count);
        let values = numbers.iter().map(|number| self.value(*number, &name, partition)).collect::<Vec<_>>();
        let records = batch(&values, (NO_PRODUCER_ID, NO_PRODUCER_EPOCH, -1, false))?;
        let id = self.ids.get(&name).copied().unwrap_or_default();
        let acks = if self.random.chance(50) { 1 } else { -1 };
        for _ in 0..PATIENCE {
            let data = PartitionProduceData::default().with_index(partition).with_records(Some(records.clone()));
            let told = self.go::<ProduceRequest>("Produce", None, |version| {
                let topic = TopicProduceData::default().with_partition_data(vec![data]);
                let topic = if version > 12 { topic.with_topic_id(id) } else { topic.with_name(topic_name(&name)) };
                ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![topic])
            })?;
            let told = told.as_ref().and_then(|told| told.responses.first()?.partition_responses.first());
            let told =
                told.ok_or_else(|| anyhow!("no answer to what was written to {name}: {:?}", self.report.wrong))?;
            match told.error_code {
                0 => {
                    if let Err(wrong) = self.books.took(&name, partition, told.base_offset, numbers) {
                        self.report.wrong.push(format!("{}: {wrong}", self.tenant().id));
                    }
                    self.report.written += count as u64;
                    return Ok(count);
                }
                // Not known yet, no leader yet, an id that is not known yet.
                3 | 5 | 6 | 100 => std::thread::sleep(Duration::from_millis(20)),
                code => bail!("{}: {name} {partition} is not written to: error {code}", self.tenant().id),
            }
        }
        bail!("{}: {name} {partition} does not come to be written to", self.tenant().id)
    }

    fn value(&self, number: u64, topic: &str, partition: i32) -> String {
        let Tenant { id, mark, .. } = self.tenant();
        format!("{mark} {id} {topic} {partition} {number}")
    }

    fn fetch_somewhere(&mut self) -> Result<()> {
        let places = self.places();
        let (name, partitions) = self.random.one_of(&places).clone();
        let partition = self.random.below(partitions as usize) as i32;
        let end = self.books.end(&name, partition);
        let from = self.random.below(end as usize + 1) as i64;
        self.fetch(&name, partition, from).map(|_| ())
    }

    /// Reads from an offset on; the offset behind what came.
    fn fetch(&mut self, name: &str, partition: i32, from: i64) -> Result<i64> {
        let id = self.ids.get(name).copied().unwrap_or_default();
        let most = 1 << (10 + self.random.below(11));
        let asked = FetchPartition::default().with_partition(partition).with_fetch_offset(from);
        let asked = asked.with_partition_max_bytes(most);
        let told = self.go::<FetchRequest>("Fetch", None, |version| {
            let topic = FetchTopic::default().with_partitions(vec![asked]);
            let topic = if version > 12 { topic.with_topic_id(id) } else { topic.with_topic(topic_name(name)) };
            let request = FetchRequest::default().with_max_wait_ms(10).with_min_bytes(1).with_max_bytes(1 << 20);
            let request = if version > 6 { request.with_session_epoch(-1) } else { request };
            request.with_topics(vec![topic])
        })?;
        let Some(told) = told else { return Ok(from) };
        let mut next = from;
        for topic in told.responses {
            for part in topic.partitions {
                for record in records(part.records.unwrap_or_default())? {
                    if record.offset >= from && !record.control {
                        self.check(name, partition, &record);
                        next = next.max(record.offset + 1);
                    }
                }
            }
        }
        Ok(next)
    }

    fn check(&mut self, name: &str, partition: i32, record: &Record) {
        self.report.read += 1;
        let number = self.books.at(name, partition, record.offset);
        let wanted = number.map(|number| self.value(number, name, partition));
        if record.value.as_deref() != wanted.as_ref().map(String::as_bytes) {
            let got = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
            let id = &self.tenant().id;
            self.report.wrong.push(format!("{id}: {name} {partition} at {}: {got}, not {wanted:?}", record.offset));
        }
    }

    fn read_all(&mut self) -> Result<()> {
        for (name, partition) in self.books.all() {
            let end = self.books.end(&name, partition);
            let mut next = 0;
            let mut idle = 0;
            while next < end && idle < PATIENCE {
                let now = self.fetch(&name, partition, next)?;
                idle = if now == next { idle + 1 } else { 0 };
                next = now;
            }
            if next != end {
                let id = &self.tenant().id;
                self.report.wrong.push(format!("{id}: {name} {partition} ends at {next}, not {end}"));
            }
        }
        Ok(())
    }
}

/// A topic to be made.
pub(super) fn creatable(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default().with_name(topic_name(name)).with_num_partitions(partitions).with_replication_factor(1)
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The records of all whole batches: a broker may cut the last one off.
fn records(mut bytes: Bytes) -> Result<Vec<Record>> {
    let mut all = Vec::new();
    while let Some(length) = bytes.get(8..12).and_then(|four| four.try_into().ok()).map(i32::from_be_bytes) {
        let size = 12 + usize::try_from(length)?;
        if size > bytes.len() {
            break;
        }
        all.extend(RecordBatchDecoder::decode(&mut bytes.split_to(size))?.records);
    }
    Ok(all)
}

/// Covers `what` wherever it stands.
fn blot(bytes: &mut std::borrow::Cow<'_, [u8]>, what: &[u8]) {
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| rest.windows(what.len()).position(|part| part == what)) {
        bytes.to_mut()[from + at..from + at + what.len()].fill(b' ');
        from += at + what.len();
    }
}

/// Numbers that look random (splitmix64), the same for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}
