//! The few frames of Kafka that the bench speaks, written by hand, of one topic and one partition: Produce in version 9 and
//! Fetch in version 12, which name it, and versions 13 and 18, which say its id.

use anyhow::{Context, Result, bail, ensure};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Records go up.
    Produce,
    /// Records come down.
    Fetch,
}

impl Api {
    /// Its word in names of figures.
    pub fn word(self) -> &'static str {
        match self {
            Api::Produce => "produce",
            Api::Fetch => "fetch",
        }
    }
}

/// What a topic is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic<'a> {
    /// By its name, as clients did up to Kafka 3.
    Name(&'a str),
    /// By its id, as those of today do.
    Id([u8; 16]),
}

impl Topic<'_> {
    /// Which version calls it so.
    fn version(self, api: Api) -> u8 {
        match (api, self) {
            (Api::Produce, Topic::Name(_)) => 9,
            (Api::Produce, Topic::Id(_)) => 13,
            (Api::Fetch, Topic::Name(_)) => 12,
            (Api::Fetch, Topic::Id(_)) => 18,
        }
    }

    /// As it stands in a frame, but for a length.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Topic::Name(name) => name.as_bytes(),
            Topic::Id(id) => id,
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        if let Topic::Name(name) = self {
            varint(out, name.len() + 1);
        }
        out.extend(self.bytes());
    }
}

/// Of a whole request and of a whole response, where the correlation id stands.
pub const CORRELATION_OF_REQUEST: usize = 8;
/// Of a response.
pub const CORRELATION_OF_RESPONSE: usize = 4;
/// From the end of a Fetch, where its partition says how many bytes it takes.
const WANTED_FROM_END: usize = 9;

/// A request with its length and without a correlation id yet.
pub fn request(api: Api, topic: Topic<'_>, records: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, 0, u8::from(api == Api::Fetch), 0, topic.version(api)];
    out.extend([0; 4]);
    out.extend(b"\0\x05bench\0");
    match api {
        Api::Produce => {
            // No transaction, one acknowledgement, 30 s, one topic of one partition: 0.
            out.extend([0, 0, 1]);
            out.extend(30_000_i32.to_be_bytes());
            out.push(2);
            topic.put(&mut out);
            out.extend([2, 0, 0, 0, 0]);
            varint(&mut out, records.len() + 1);
            out.extend(records);
            out.extend([0; 3]);
        }
        Api::Fetch => {
            // A consumer, where that is said to all, that waits at most half a second for a byte, and takes 50 MB; no session.
            if matches!(topic, Topic::Name(_)) {
                out.extend([0xff; 4]);
            }
            for number in [500, 1, 50 << 20] {
                out.extend(i32::to_be_bytes(number));
            }
            out.extend([0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 2]);
            topic.put(&mut out);
            out.extend([2, 0, 0, 0, 0]);
            // No epoch of a leader, from the beginning, no last epoch, no start of a log.
            out.extend([0xff; 4]);
            out.extend([0; 8]);
            out.extend([0xff; 4]);
            out.extend([0xff; 8]);
            out.extend((records.len() as i32).to_be_bytes());
            // Tags, nothing forgotten, no rack, tags.
            out.extend([0, 0, 1, 1, 0]);
        }
    }
    sized(out)
}

/// The response with its length and without a correlation id yet.
pub fn response(api: Api, topic: Topic<'_>, records: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend([0; 5]);
    match api {
        Api::Produce => {
            out.push(2);
            topic.put(&mut out);
            out.extend([2, 0, 0, 0, 0, 0, 0]);
            out.extend([0; 8 + 8 + 8]);
            // No errors of records, no message, tags; not throttled.
            out.extend([1, 0, 0, 0]);
            out.extend([0; 5]);
        }
        Api::Fetch => {
            out.extend([0; 4 + 2 + 4]);
            out.push(2);
            topic.put(&mut out);
            out.extend([2, 0, 0, 0, 0, 0, 0]);
            out.extend([0; 8 + 8 + 8]);
            out.push(1);
            out.extend([0xff; 4]);
            varint(&mut out, records.len() + 1);
            out.extend(records);
            out.extend([0; 3]);
        }
    }
    sized(out)
}

/// What a broker is asked: the API, by what the topic is called in that version, of those in `topics`, and how many bytes
/// of records it is to answer with. `frame` is without its length.
pub(super) fn asked<'t>(frame: &[u8], topics: &[Topic<'t>]) -> Result<(Api, Topic<'t>, usize)> {
    let of = |api, version| topics.iter().copied().find(|topic| topic.version(api) == version);
    let (api, topic) = match frame.first_chunk() {
        Some([0, 0, 0, version]) => (Api::Produce, of(Api::Produce, *version)),
        Some([0, 1, 0, version]) => (Api::Fetch, of(Api::Fetch, *version)),
        other => bail!("a request that the bench does not send: {other:?}"),
    };
    let topic = topic.context("a version that the bench does not send")?;
    match api {
        Api::Produce => Ok((api, topic, 0)),
        Api::Fetch => {
            let wanted = frame.len().checked_sub(WANTED_FROM_END).and_then(|at| frame.get(at..)?.first_chunk());
            let wanted = wanted.map_or(0, |wanted| u32::from_be_bytes(*wanted));
            ensure!(wanted <= 50 << 20, "a fetch of {wanted} bytes");
            Ok((api, topic, wanted as usize))
        }
    }
}

/// A batch of one record, `size` bytes all in all and at least 80, as brokers of Kafka take it.
pub fn records(size: usize) -> Vec<u8> {
    // Attributes, deltas and lengths of the record, by the size of its value; no key, no headers.
    let record = |value: usize| {
        let mut record = vec![0, 0, 0, 1];
        zigzag(&mut record, value);
        record.resize(record.len() + value, b'r');
        record.push(0);
        let mut sized = Vec::with_capacity(record.len() + 5);
        zigzag(&mut sized, record.len());
        sized.extend(record);
        sized
    };
    const HEAD: usize = 61;
    let mut value = size.saturating_sub(HEAD);
    while HEAD + record(value).len() > size && value > 0 {
        value -= 1;
    }
    let record = record(value);
    let mut summed = vec![0; 2 + 4];
    // Both timestamps, no producer.
    summed.extend([0; 16]);
    summed.extend([0xff; 8 + 2 + 4]);
    summed.extend(1_i32.to_be_bytes());
    summed.extend(record);
    let mut batch = vec![0; 8];
    batch.extend((4 + 1 + 4 + summed.len() as i32).to_be_bytes());
    batch.extend([0, 0, 0, 0, 2]);
    batch.extend(crc32c(&summed).to_be_bytes());
    batch.extend(summed);
    batch
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

fn sized(mut frame: Vec<u8>) -> Vec<u8> {
    let length = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        out.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(out: &mut Vec<u8>, value: usize) {
    varint(out, value * 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_reads_what_it_is_asked() {
        let topics = [Topic::Name("orders"), Topic::Id([7; 16])];
        for topic in topics {
            let asked = |api, records: &[u8]| asked(&request(api, topic, records)[4..], &topics).unwrap();
            assert_eq!(asked(Api::Produce, &records(200)), (Api::Produce, topic, 0));
            assert_eq!(asked(Api::Fetch, &[0; 1000]), (Api::Fetch, topic, 1000));
        }
        assert!(asked(&[0, 3, 0, 0], &topics).is_err());
        assert!(asked(&request(Api::Fetch, topics[1], &[])[4..], &topics[..1]).is_err());
    }

    #[test]
    fn batches_have_their_size_and_sum() {
        for size in [200, 1 << 10, 64 << 10] {
            let batch = records(size);
            // The length of a value can grow by a byte where its size does.
            assert!((size - 2..=size).contains(&batch.len()), "{} for {size}", batch.len());
        }
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
