//! A client of Kafka that sends what it is told, in any version, and keeps each byte that comes back. It reads and writes
//! messages with `kafka-protocol`, which shares nothing with the filter.

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{MetadataRequest, ProduceRequest, RequestHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::raw::Stream;

/// The largest response that is read.
const LARGEST: usize = 64 << 20;

/// One connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    correlation: i32,
    client: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer<T> {
    /// The message, or why it could not be read as one: some versions are newer than the reader.
    pub message: Result<T>,
    /// All of it, as it came, behind its length.
    pub bytes: Bytes,
}

impl Wire {
    /// Speaks over `stream`, and calls itself `client`.
    pub fn over(stream: Box<dyn Stream>, client: &str) -> Self {
        Self { stream, correlation: 0, client: client.to_owned() }
    }

    /// Asks, and waits for what comes back.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<Answer<R::Response>> {
        let frame = self.frame(version, request)?;
        self.send(&frame)?;
        self.answer_to::<R>(version)
    }

    /// The next request as it stands on the wire, with its length; nothing is sent.
    pub fn frame<R: Request>(&mut self, version: i16, request: &R) -> Result<Vec<u8>> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_string(self.client.clone())));
        let mut body = BytesMut::new();
        header.encode(&mut body, R::header_version(version))?;
        request.encode(&mut body, version)?;
        let length = i32::try_from(body.len())?;
        Ok([&length.to_be_bytes(), &body[..]].concat())
    }

    /// A Produce of values to partition 0 of a topic, in version 9.
    pub fn produce(&mut self, topic: &str, acks: i16, values: &[String]) -> Result<Vec<u8>> {
        let records = batch(values, (-1, -1, -1, false))?;
        let data = PartitionProduceData::default().with_records(Some(records));
        let topic = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        self.frame(9, &request)
    }

    /// The topics that it sees; `None` where the connection ends.
    ///
    /// # Panics
    ///
    /// What comes is no answer.
    pub fn topics(&mut self) -> Option<Vec<String>> {
        let all = MetadataRequest::default().with_topics(None);
        let told = self.ask(9, &all).ok()?.message.expect("metadata");
        Some(told.topics.into_iter().filter_map(|topic| Some(topic.name?.to_string())).collect())
    }

    /// Sends bytes, whatever they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }

    /// The next frame that comes, without its length.
    pub fn receive(&mut self) -> Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).context("the connection ended")?;
        let length = usize::try_from(i32::from_be_bytes(length)).context("a length below zero")?;
        if length > LARGEST {
            bail!("a response of {length} bytes");
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).context("the connection ended within a response")?;
        Ok(Bytes::from(bytes))
    }

    /// What comes back to the last request that was made, which was sent.
    pub fn answer_to<R: Request>(&mut self, version: i16) -> Result<Answer<R::Response>> {
        let bytes = self.receive()?;
        let correlation = bytes.get(..4).and_then(|four| four.try_into().ok()).map(i32::from_be_bytes);
        if correlation != Some(self.correlation) {
            bail!("a response to {correlation:?} where one to {} was due", self.correlation);
        }
        let mut rest = bytes.slice(4..);
        // Version 1 of the header has tags: none.
        if R::Response::header_version(version) > 0 {
            rest = rest.slice(1..);
        }
        let message = R::Response::decode(&mut rest, version);
        let message = message.and_then(|message| match rest.len() {
            0 => Ok(message),
            left => bail!("{left} bytes behind the message"),
        });
        Ok(Answer { message, bytes })
    }
}

/// One batch of records of a producer (id, epoch, first sequence, whether in a transaction).
pub(super) fn batch(values: &[String], (id, epoch, first, transactional): (i64, i16, i32, bool)) -> Result<Bytes> {
    // Of today: brokers remove what is old.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let timestamp = i64::try_from(now)?;
    let records = values.iter().zip(0i32..).map(|(value, at)| Record {
        transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: id,
        producer_epoch: epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(at),
        sequence: first + at,
        timestamp,
        key: Some(Bytes::copy_from_slice(value.as_bytes())),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: [(StrBytes::from_static_str("whose"), Some(Bytes::copy_from_slice(value.as_bytes())))]
            .into_iter()
            .collect(),
    });
    let records: Vec<Record> = records.collect();
    let mut encoded = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut encoded, &records, &options)?;
    Ok(encoded.freeze())
}
