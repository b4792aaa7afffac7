//! A broker that keeps nothing: it answers each request at once, so that a proxy is what is measured.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use uuid::Uuid;

use super::load::METADATA;
use super::wire::{Api, CORRELATION_OF_RESPONSE, Topic, asked, response};

/// A thousand threads of this size are no burden.
const STACK: usize = 256 << 10;
/// The smallest and the largest request that it reads, in bytes.
const LEAST: usize = 20;
const LARGEST: usize = 8 << 20;

/// The id of its topic.
const ID: [u8; 16] = *b"topic of a bench";

/// The first bytes of a question for topics' ids.
const ASKS_IDS: [u8; 4] = [0, 3, 0, METADATA as u8];

/// What it answers with.
struct Answers {
    topic: &'static str,
    metadata: Vec<u8>,
    /// Of each API, for each name of the topic and each size of records.
    all: Vec<(Api, Topic<'static>, usize, Vec<u8>)>,
}

/// Starts one for `topic`, which answers a Fetch with the records of the size that it asks for. Gives its port.
pub(super) fn start(topic: &'static str, sizes: &[Vec<u8>]) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let mut answers = Answers { topic, metadata: metadata(topic, port)?, all: Vec::new() };
    for called in answers.topics() {
        answers.all.push((Api::Produce, called, 0, response(Api::Produce, called, &[])));
        let fetched = |records: &Vec<u8>| (Api::Fetch, called, records.len(), response(Api::Fetch, called, records));
        answers.all.extend(sizes.iter().map(fetched));
    }
    let answers = Arc::new(answers);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = answers.clone();
            let started = thread::Builder::new().stack_size(STACK).spawn(move || {
                if let Err(error) = answers.answer(stream)
                    && error.downcast_ref::<std::io::Error>().is_none()
                {
                    eprintln!("the broker: {error:#}");
                }
            });
            if started.is_err() {
                return;
            }
        }
    });
    Ok(port)
}

/// Says where it is, and what the topic's id is; without a correlation id yet.
fn metadata(topic: &'static str, port: u16) -> Result<Vec<u8>> {
    let here = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(port.into());
    let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(1));
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str(topic))))
        .with_topic_id(Uuid::from_bytes(ID))
        .with_partitions(vec![partition]);
    let told = MetadataResponse::default().with_brokers(vec![here]).with_topics(vec![topic]);
    // Length, correlation id and the tags of the header.
    let mut body = BytesMut::zeroed(4 + 4 + 1);
    told.encode(&mut body, METADATA)?;
    let length = i32::try_from(body.len() - 4)?.to_be_bytes();
    body[..4].copy_from_slice(&length);
    Ok(body.to_vec())
}

impl Answers {
    fn topics(&self) -> [Topic<'static>; 2] {
        [Topic::Name(self.topic), Topic::Id(ID)]
    }

    /// Until the other side goes, which is an error of its connection.
    fn answer(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        let (mut frame, mut length) = (Vec::new(), [0; 4]);
        let mut out = Vec::new();
        loop {
            reader.read_exact(&mut length)?;
            let size = u32::from_be_bytes(length) as usize;
            ensure!((LEAST..=LARGEST).contains(&size), "a request of {size} bytes");
            if frame.len() < size {
                frame.resize(size, 0);
            }
            let frame = &mut frame[..size];
            reader.read_exact(frame)?;
            let (called, answer) = self.answer_to(frame)?;
            // Of whatever the proxy makes of the client's name, it has to be this.
            let head = &frame[..frame.len().min(100)];
            let name = called.bytes();
            ensure!(head.windows(name.len()).any(|bytes| bytes == name), "a request of another topic");
            out.clear();
            out.extend_from_slice(answer);
            out[CORRELATION_OF_RESPONSE..CORRELATION_OF_RESPONSE + 4].copy_from_slice(&frame[4..8]);
            writer.write_all(&out)?;
        }
    }

    /// How the topic is called in it, and the answer.
    fn answer_to(&self, frame: &[u8]) -> Result<(Topic<'static>, &[u8])> {
        if frame.starts_with(&ASKS_IDS) {
            return Ok((Topic::Name(self.topic), &self.metadata));
        }
        let asked = asked(frame, &self.topics())?;
        let is_it = |(api, topic, size, _): &&(Api, Topic<'_>, usize, Vec<u8>)| (*api, *topic, *size) == asked;
        let (_, _, _, answer) = self
            .all
            .iter()
            .find(is_it)
            .with_context(|| format!("a fetch of {} bytes, which were not made before", asked.2))?;
        Ok((asked.1, answer))
    }
}
