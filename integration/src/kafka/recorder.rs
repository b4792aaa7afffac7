//! A broker that keeps nothing and looks closely: every frame that reaches it has to be one that `kafka-protocol`
//! understands to its last byte.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, BrokerId, MetadataResponse, RequestHeader, RequestKind, SaslAuthenticateResponse, SaslHandshakeResponse,
    TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::frames::NAME;

/// The largest request that it reads, in bytes.
const LARGEST: usize = 1 << 20;

/// What it saw.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// How many frames came, of each API.
    pub frames: std::collections::BTreeMap<i16, usize>,
    /// What was not understood.
    pub wrong: Vec<String>,
    /// Names of topics, groups or transactions that came without a tenant's prefix.
    pub bare: Vec<String>,
}

/// One that runs until the process ends.
#[derive(Clone)]
pub struct Recorder {
    /// Where it listens.
    pub port: u16,
    recorded: Arc<Mutex<Recorded>>,
    topics: Arc<Vec<String>>,
    prefix: Arc<str>,
    nonsense: Arc<AtomicBool>,
}

impl Recorder {
    /// Starts one that has these topics. Names of those that the requests of [`frames`](super::frames) ask for have to come
    /// with `prefix`.
    pub fn start(topics: &[&str], prefix: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let recorder = Self {
            port: listener.local_addr()?.port(),
            recorded: Arc::default(),
            topics: Arc::new(topics.iter().map(|topic| (*topic).to_owned()).collect()),
            prefix: prefix.into(),
            nonsense: Arc::default(),
        };
        let all = recorder.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let one = all.clone();
                thread::spawn(move || one.serve(stream));
            }
        });
        Ok(recorder)
    }

    /// From now on it answers what it keeps silent about, with what is no answer.
    pub fn talk_nonsense(&self) {
        self.nonsense.store(true, Ordering::Relaxed);
    }

    /// What it saw so far.
    pub fn recorded(&self) -> Recorded {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        // What comes behind a request that was not answered cannot be either.
        let mut silent = false;
        loop {
            let mut length = [0; 4];
            match read(&mut stream, &mut length) {
                Ok(4) => {}
                Ok(0) => return,
                Ok(part) => return self.wrong(format!("{part} bytes of a length: {length:?}")),
                Err(_) => return,
            }
            let size = i32::from_be_bytes(length);
            let Some(size) = usize::try_from(size).ok().filter(|size| *size <= LARGEST) else {
                return self.wrong(format!("a frame of {size} bytes"));
            };
            let mut frame = vec![0; size];
            match read(&mut stream, &mut frame) {
                Ok(part) if part == size => {}
                Ok(part) => return self.wrong(format!("{part} bytes of a frame of {size}: {}", frame.escape_ascii())),
                Err(_) => return,
            }
            match self.answer(&frame) {
                Ok(answer) if silent || answer.is_empty() => silent = true,
                Ok(answer) if stream.write_all(&answer).is_ok() => {}
                Ok(_) => return,
                Err(error) => return self.wrong(format!("{error:#}: {}", frame.escape_ascii())),
            }
        }
    }

    fn wrong(&self, what: String) {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).wrong.push(what);
    }

    /// Reads a frame, and gives what is answered.
    fn answer(&self, frame: &[u8]) -> Result<Vec<u8>> {
        ensure!(frame.len() >= 8, "a frame of {} bytes", frame.len());
        let (api, version) = (i16::from_be_bytes([frame[0], frame[1]]), i16::from_be_bytes([frame[2], frame[3]]));
        let said = understand(api, version, frame)?;
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        *recorded.frames.entry(api).or_default() += 1;
        // What members of groups of other kinds tell each other nobody understands: Kafka Connect's, say.
        let is_opaque = matches!(api, 11 | 14) && !said.contains("consumer");
        let is_bare = |(at, _)| !said[..at].ends_with(&*self.prefix);
        if !is_opaque && said.match_indices(NAME).any(is_bare) {
            recorded.bare.push(format!("{api} {version}: {said}"));
        }
        drop(recorded);
        let correlation = &frame[4..8];
        let mut body = BytesMut::new();
        match api {
            3 => self.metadata(version).encode(&mut body, version)?,
            17 => SaslHandshakeResponse::default().encode(&mut body, version)?,
            36 => SaslAuthenticateResponse::default().encode(&mut body, version)?,
            18 if version == 0 => body.extend([0; 6]),
            _ if !self.nonsense.load(Ordering::Relaxed) => return Ok(Vec::new()),
            // Not always the same.
            _ => body.extend(frame.iter().rev().take(24)),
        }
        // Version 1 of the header has tags: none.
        let tags = (api == 3 && version > 8) || (api == 36 && version > 1);
        let rest = [correlation, if tags { &[0][..] } else { &[] }, &body].concat();
        Ok([&u32::try_from(rest.len())?.to_be_bytes()[..], &rest].concat())
    }

    fn metadata(&self, version: i16) -> MetadataResponse {
        let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(1));
        let topics = self.topics.iter().zip(1u128..).map(|(name, id)| {
            let topic = MetadataResponseTopic::default()
                .with_name(Some(TopicName(StrBytes::from_string(name.clone()))))
                .with_partitions(vec![partition.clone()]);
            if version > 9 { topic.with_topic_id(uuid::Uuid::from_u128(id)) } else { topic }
        });
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(1))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(self.port.into());
        MetadataResponse::default().with_brokers(vec![broker]).with_topics(topics.collect())
    }
}

/// Reads until `into` is full or the stream ends; how much there was.
fn read(stream: &mut TcpStream, into: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match stream.read(&mut into[done..])? {
            0 => break,
            more => done += more,
        }
    }
    Ok(done)
}

/// What a request says, in words, if it is one and nothing else. Of what is newer than the reader it is the bytes.
///
/// # Errors
///
/// What is wrong with it.
pub fn understand(api: i16, version: i16, frame: &[u8]) -> Result<String> {
    let as_it_is = || Ok(frame.escape_ascii().to_string());
    let Ok(key) = ApiKey::try_from(api) else {
        ensure!(matches!(api, 88 | 89 | 93 | 94), "no API {api}");
        return as_it_is();
    };
    let versions = key.valid_versions();
    if version > versions.max {
        return as_it_is();
    }
    ensure!(version >= versions.min, "version {version}");
    let mut bytes = Bytes::copy_from_slice(frame);
    let read = (|| -> Result<RequestKind> {
        RequestHeader::decode(&mut bytes, key.request_header_version(version)).context("the header")?;
        RequestKind::decode(key, &mut bytes, version).context("the body")
    })();
    match read {
        Ok(request) if bytes.is_empty() => Ok(format!("{request:?}")),
        Ok(_) => bail!("{} bytes behind it", bytes.len()),
        Err(error) => {
            let why = format!("{error:#}").to_lowercase();
            // Some messages are newer than the reader, too; and texts are bytes on the wire: those that are nobody's name are
            // the broker's affair.
            let is_unread = why.contains("version not supported by this message") || why.contains("utf-8");
            if is_unread { as_it_is() } else { Err(error) }
        }
    }
}
