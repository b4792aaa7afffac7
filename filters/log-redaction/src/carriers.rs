//! HOW telemetry is written: a body piece by piece, every leaf of it handed out, what is answered spliced in.
//!
//! ```text
//! pieces ──► Carrier ──► one unit at a time, held whole ──► Leaves: begin, leaf …, end ──► edits ──► what may go on
//! ```
//!
//! What no answer changed goes on byte by byte as it came. What cannot be read is refused, or left out where a format
//! has records on lines of their own; nothing goes on that was not understood.

mod answer;
mod body;
mod bulk;
mod counts;
mod document;
mod items;
mod leaves;
mod lines;
mod loki;
mod message;
mod otlp;
mod path;
mod records;
mod refusal;
mod schema;
mod splice;
mod text;
mod walk;
mod wire;

pub use answer::Answer;
pub use body::Body;
pub use bulk::{Action, Item};
pub use counts::Counts;
pub use leaves::{Change, Leaves, Part, Place, Slot, Tag, Unit, Verdict};
pub use otlp::Signal;
pub use otlp::grpc::{call_of, message_of};
pub use refusal::{Cause, Refusal};

use crate::encodings::Encoding;
use bulk::Bulk;
use document::To;
use items::Root;
use loki::tables::PUSH;
use otlp::binary::Binary;
use otlp::grpc::Grpc;
use records::{FIELDS, Form, HEC, Ndjson, Values, ZIPKIN};
use text::Text;
use walk::Desk;

/// What is held at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a record that stands for itself: a line, document, event.
    pub record: usize,
    /// Bytes of what has records in it: a resource of OTLP, a stream of Loki, a message of gRPC.
    pub block: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record: 1 << 20, block: 4 << 20 }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OTLP over HTTP, `application/x-protobuf`.
    OtlpBinary(Signal),
    /// OTLP over HTTP, `application/json`.
    OtlpJson(Signal),
    /// OTLP over gRPC, with its `grpc-encoding`.
    OtlpGrpc(Signal, Encoding),
    /// `/loki/api/v1/push`, `application/x-protobuf`. Its encoding is [`Encoding::Snappy`], whatever its header says.
    LokiBinary,
    /// `/loki/api/v1/push`, `application/json`.
    LokiJson,
    /// `_bulk` of Elasticsearch and OpenSearch.
    Bulk,
    /// `/services/collector/event` of Splunk.
    HecEvent,
    /// `/services/collector/raw` of Splunk.
    HecRaw,
    /// Records that are JSON, one on each line.
    Ndjson,
    /// Records that are JSON, in an array.
    JsonArray,
    /// Lines of text, of syslog, of JSON.
    Lines,
    /// `/api/v2/spans` of Zipkin, `application/json`.
    Zipkin,
}

impl Kind {
    /// The answer for a body that is refused: one after which its client does not send it again.
    pub fn refused(self, refusal: &Refusal) -> Answer {
        answer::refused(self, refusal)
    }
}

/// The reader of one body.
#[derive(Debug)]
pub struct Carrier {
    kind: Kind,
    reader: Reader,
    desk: Desk,
    /// After a refusal nothing more is read.
    refused: Option<Refusal>,
}

#[derive(Debug)]
enum Reader {
    Binary(Binary),
    Grpc(Grpc),
    Values(Values),
    Ndjson(Ndjson),
    Bulk(Bulk),
    Text(Text),
}

impl Carrier {
    /// Ready for a body of that kind, which is not encoded.
    pub fn new(kind: Kind, limits: Limits) -> Self {
        let Limits { record, block } = limits;
        let reader = match kind {
            Kind::OtlpBinary(signal) => Reader::Binary(Binary::new(signal.schema(), block)),
            Kind::OtlpJson(signal) => {
                let (camel, snake) = signal.list();
                let form = Form::Resource(signal.schema());
                Reader::Values(Values::new(Root::Member(camel, snake), form, block))
            }
            Kind::OtlpGrpc(signal, encoding) => Reader::Grpc(Grpc::new(signal.schema(), encoding, block)),
            Kind::LokiBinary => Reader::Binary(Binary::new(&PUSH, block)),
            Kind::LokiJson => Reader::Values(Values::new(Root::Member("streams", "streams"), Form::Stream, block)),
            Kind::Bulk => Reader::Bulk(Bulk::new(record)),
            Kind::HecEvent => {
                Reader::Values(Values::new(Root::Sequence, Form::Document(&HEC, To::Member("fields")), record))
            }
            Kind::JsonArray => Reader::Values(Values::new(Root::Array, Form::Document(&FIELDS, To::Root), record)),
            Kind::Zipkin => {
                Reader::Values(Values::new(Root::Array, Form::Document(&ZIPKIN, To::Member("tags")), record))
            }
            Kind::Ndjson => Reader::Ndjson(Ndjson::new(record)),
            Kind::HecRaw | Kind::Lines => Reader::Text(Text::new(record)),
        };
        Self { kind, reader, desk: Desk::default(), refused: None }
    }

    /// Reads a piece, the last one where it is the `end`, and appends to `out` what may go on.
    ///
    /// # Errors
    ///
    /// Why nothing more may go on; asked again it says the same.
    pub fn push(&mut self, bytes: &[u8], end: bool, leaves: &mut dyn Leaves, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let desk = &mut self.desk;
        let before = out.len();
        let read = match &mut self.reader {
            Reader::Binary(reader) => reader.push(bytes, end, leaves, desk, out),
            Reader::Grpc(reader) => reader.push(bytes, end, leaves, desk, out),
            Reader::Values(reader) => reader.push(bytes, end, leaves, desk, out),
            Reader::Ndjson(reader) => reader.push(bytes, end, leaves, desk, out),
            Reader::Bulk(reader) => reader.push(bytes, end, leaves, desk, out),
            Reader::Text(reader) => reader.push(bytes, end, leaves, desk, out),
        };
        if read.is_err() {
            // Of a piece that is refused nothing goes on, though its first records were good.
            out.truncate(before);
        }
        self.refused = read.err();
        read
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        match &self.reader {
            Reader::Binary(reader) => reader.held(),
            Reader::Grpc(reader) => reader.held(),
            Reader::Values(reader) => reader.held(),
            Reader::Ndjson(reader) => reader.held(),
            Reader::Bulk(reader) => reader.held(),
            Reader::Text(reader) => reader.held(),
        }
    }

    /// What became of the records so far.
    pub fn counts(&self) -> &Counts {
        &self.desk.counts
    }

    /// Of a bulk request each action, and whether it went on.
    pub fn items(&self) -> &[Item] {
        match &self.reader {
            Reader::Bulk(reader) => reader.items(),
            _ => &[],
        }
    }

    /// What a server answered to a bulk request of which only some actions went on, with an item for each of the others,
    /// in its place; `None` where the answer is of another kind, or has items of its own for these.
    pub fn answered(&self, body: &[u8]) -> Option<Vec<u8>> {
        answer::with_noops(self.items(), body)
    }

    /// Whether an answer to it lacks items that its client waits for.
    pub fn lacks_items(&self) -> bool {
        self.items().iter().any(|item| !item.went)
    }

    /// The answer that its client takes as success, where no record of it goes on ([`Counts::nothing_left`]).
    pub fn accepted(&self) -> Answer {
        answer::accepted(self.kind, self.items())
    }
}
