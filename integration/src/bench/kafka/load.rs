//! Clients that send one request after the other, so many under way at a time.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::wire::{Api, CORRELATION_OF_REQUEST, CORRELATION_OF_RESPONSE, Topic, request, response};
use crate::kafka::wire::Wire;

/// How long a proxy may be silent.
const PATIENCE: Duration = Duration::from_secs(20);
/// The version of Metadata that says what id a topic has.
pub(super) const METADATA: i16 = 12;

/// Requests of one kind, and what answers each.
pub(super) struct Kind {
    request: Vec<u8>,
    response: Vec<u8>,
    /// Up to where a response has to be that one: behind the error code of its partition. A broker that keeps what it
    /// gets says where, and records take long to compare.
    same: usize,
}

impl Kind {
    /// Of this API and of `records`, of what the client calls `topic`.
    pub(super) fn new(api: Api, topic: Topic<'_>, records: &[u8]) -> Self {
        let down = if api == Api::Fetch { records } else { &[] };
        let response = response(api, topic, down);
        let name = topic.bytes();
        let at = response.windows(name.len()).position(|bytes| bytes == name).unwrap_or(0);
        // A count, the partition and the code.
        Self { request: request(api, topic, records), same: at + name.len() + 1 + 4 + 2, response }
    }
}

/// The id of a topic, as the broker behind the proxy says: so the proxy knows it, too.
pub(super) fn id(address: SocketAddr, topic: &str) -> Result<[u8; 16]> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let asked = MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(topic.to_owned()))));
    let asked = MetadataRequest::default().with_topics(Some(vec![asked]));
    let told = Wire::over(Box::new(stream), "bench").ask(METADATA, &asked)?.message?;
    let topic = told.topics.first().context("metadata without topics")?;
    ensure!(topic.error_code == 0 && !topic.topic_id.is_nil(), "a topic without an id: {topic:?}");
    Ok(topic.topic_id.into_bytes())
}

/// What some requests took.
pub(super) struct Took {
    /// All of them.
    pub(super) all: Duration,
    /// Each, where they were alone under way.
    pub(super) each: Vec<Duration>,
}

/// Connections to one proxy.
pub(super) struct Clients(Vec<Client>);

struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
    correlation: i32,
    buffer: Vec<u8>,
}

impl Clients {
    /// So many.
    pub(super) fn connect(address: SocketAddr, count: usize) -> Result<Self> {
        let connect = || -> Result<Client> {
            let writer = TcpStream::connect(address)?;
            writer.set_nodelay(true)?;
            writer.set_read_timeout(Some(PATIENCE))?;
            let reader = BufReader::new(writer.try_clone()?);
            Ok(Client { writer, reader, correlation: 0, buffer: Vec::new() })
        };
        Ok(Self((0..count).map(|_| connect()).collect::<Result<_>>()?))
    }

    /// Sends `requests` of a kind over each connection, `window` of them under way at a time.
    pub(super) fn drive(&mut self, kind: &Kind, requests: usize, window: usize) -> Result<Took> {
        let began = Instant::now();
        let each = thread::scope(|scope| {
            let drive = |client| scope.spawn(move || Client::drive(client, kind, requests, window));
            let all: Vec<_> = self.0.iter_mut().map(drive).collect();
            let mut each = Vec::new();
            for one in all {
                each.extend(one.join().ok().context("a client panicked")??);
            }
            Ok::<_, anyhow::Error>(each)
        })?;
        Ok(Took { all: began.elapsed(), each })
    }

    /// As many, each of which is answered a request before the next one comes: no queue of anybody's runs over.
    pub(super) fn greet(address: SocketAddr, count: usize, kind: &Kind) -> Result<Self> {
        let mut all = Self(Vec::with_capacity(count));
        for nth in 0..count {
            let mut one = Self::connect(address, 1)?;
            one.drive(kind, 1, 1).with_context(|| format!("connection {nth}"))?;
            all.0.append(&mut one.0);
        }
        Ok(all)
    }
}

impl Client {
    fn drive(&mut self, kind: &Kind, requests: usize, window: usize) -> Result<Vec<Duration>> {
        let mut request = kind.request.clone();
        let mut each = Vec::new();
        let (mut sent, mut answered) = (0, 0);
        let first = self.correlation;
        let mut began = Instant::now();
        while answered < requests {
            while sent < requests && sent - answered < window {
                let correlation = first.wrapping_add(sent as i32);
                request[CORRELATION_OF_REQUEST..CORRELATION_OF_REQUEST + 4].copy_from_slice(&correlation.to_be_bytes());
                if window == 1 {
                    began = Instant::now();
                }
                self.writer.write_all(&request)?;
                sent += 1;
            }
            self.receive(kind, first.wrapping_add(answered as i32))?;
            answered += 1;
            if window == 1 {
                each.push(began.elapsed());
            }
        }
        self.correlation = first.wrapping_add(sent as i32);
        Ok(each)
    }

    fn receive(&mut self, kind: &Kind, correlation: i32) -> Result<()> {
        self.buffer.resize(kind.response.len(), 0);
        self.reader.read_exact(&mut self.buffer[..4])?;
        let expected = &kind.response;
        if self.buffer[..4] != expected[..4] {
            let other = i32::from_be_bytes([self.buffer[0], self.buffer[1], self.buffer[2], self.buffer[3]]);
            let mut told = vec![0; other.clamp(0, 200) as usize];
            self.reader.read_exact(&mut told)?;
            bail!("a response of {other} bytes rather than {}: {told:?}", expected.len() - 4);
        }
        self.reader.read_exact(&mut self.buffer[4..])?;
        let (before, after) = (CORRELATION_OF_RESPONSE, CORRELATION_OF_RESPONSE + 4);
        ensure!(self.buffer[before..after] == correlation.to_be_bytes(), "a response to another request");
        ensure!(
            self.buffer[after..kind.same] == expected[after..kind.same],
            "a response that is not the broker's: {:?} rather than {:?}",
            &self.buffer[after..kind.same],
            &expected[after..kind.same]
        );
        Ok(())
    }
}
