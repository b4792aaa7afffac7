//! What a client is told when its body goes no further: that it is not to send it again.

use partywall_json::{Cursor, write};

use super::Kind;
use super::bulk::Item;
use super::refusal::Refusal;
use super::wire::{write_bytes, write_varint};

/// INVALID_ARGUMENT of google.rpc.Code: <https://grpc.io/docs/guides/status-codes/>. Exporters of OTLP do not retry it.
const INVALID_ARGUMENT: u32 = 3;

/// An answer in the place of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// The value of `content-type`; nothing where there is no body.
    pub content_type: Option<&'static str>,
    /// What the answer says of the product that gives it, in a header; clients of Elasticsearch take no answer for good
    /// that lacks it (elasticsearch-py, `UnsupportedProductError`).
    pub product: Option<(&'static str, &'static str)>,
    /// The body.
    pub body: Vec<u8>,
    /// `grpc-status` and `grpc-message`, where it is gRPC.
    pub grpc: Option<(u32, String)>,
}

const JSON: Option<&str> = Some("application/json");
const PROTOBUF: Option<&str> = Some("application/x-protobuf");
const TEXT: Option<&str> = Some("text/plain; charset=utf-8");
const GRPC: Option<&str> = Some("application/grpc");

/// The answer that stops a client from sending a refused body again.
pub(super) fn refused(kind: Kind, refusal: &Refusal) -> Answer {
    let message = format!("the telemetry was refused: {refusal}");
    let mut body = Vec::new();
    let content_type = match kind {
        // https://opentelemetry.io/docs/specs/otlp/#failures: a google.rpc.Status, and 400 for what is not retried.
        Kind::OtlpBinary(_) => {
            body.push(1 << 3);
            write_varint(u64::from(INVALID_ARGUMENT), &mut body);
            write_bytes(2, message.as_bytes(), &mut body);
            PROTOBUF
        }
        Kind::OtlpJson(_) => {
            body.extend_from_slice(b"{\"code\":3,\"message\":");
            write(message.as_bytes(), &mut body);
            body.push(b'}');
            JSON
        }
        Kind::OtlpGrpc(..) => {
            return Answer {
                status: 200,
                content_type: GRPC,
                product: None,
                body,
                grpc: Some((INVALID_ARGUMENT, message)),
            };
        }
        Kind::Bulk => {
            const TYPE: &[u8] = b"{\"type\":\"illegal_argument_exception\",\"reason\":";
            body.extend_from_slice(b"{\"error\":{\"root_cause\":[");
            body.extend_from_slice(TYPE);
            write(message.as_bytes(), &mut body);
            body.extend_from_slice(b"}],\"type\":\"illegal_argument_exception\",\"reason\":");
            write(message.as_bytes(), &mut body);
            body.extend_from_slice(b"},\"status\":400}");
            JSON
        }
        // "Invalid data format", which clients of HEC do not retry.
        Kind::HecEvent | Kind::HecRaw => {
            body.extend_from_slice(b"{\"text\":\"Invalid data format\",\"code\":6}");
            JSON
        }
        Kind::LokiBinary | Kind::LokiJson | Kind::Zipkin | Kind::Ndjson | Kind::JsonArray | Kind::Lines => {
            body.extend_from_slice(message.as_bytes());
            body.push(b'\n');
            TEXT
        }
    };
    Answer { status: 400, content_type, product: product(kind), body, grpc: None }
}

/// The answer that a client takes as success, where no record of its body goes on.
pub(super) fn accepted(kind: Kind, items: &[Item]) -> Answer {
    let (status, content_type, body, grpc) = match kind {
        Kind::OtlpBinary(_) => (200, PROTOBUF, Vec::new(), None),
        Kind::OtlpJson(_) => (200, JSON, b"{}".to_vec(), None),
        Kind::OtlpGrpc(..) => (200, GRPC, vec![0; 5], Some((0, String::new()))),
        Kind::LokiBinary | Kind::LokiJson => (204, None, Vec::new(), None),
        Kind::Bulk => (200, JSON, bulk(items), None),
        Kind::HecEvent | Kind::HecRaw => (200, JSON, b"{\"text\":\"Success\",\"code\":0}".to_vec(), None),
        Kind::Zipkin => (202, None, Vec::new(), None),
        Kind::Ndjson | Kind::JsonArray | Kind::Lines => (200, None, Vec::new(), None),
    };
    Answer { status, content_type, product: product(kind), body, grpc }
}

fn product(kind: Kind) -> Option<(&'static str, &'static str)> {
    (kind == Kind::Bulk).then_some(("x-elastic-product", "Elasticsearch"))
}

/// An item for each action: clients count them.
fn bulk(items: &[Item]) -> Vec<u8> {
    let mut body = b"{\"took\":0,\"errors\":false,\"items\":[".to_vec();
    for (nth, item) in items.iter().enumerate() {
        if nth > 0 {
            body.push(b',');
        }
        noop(*item, &mut body);
    }
    body.extend_from_slice(b"]}");
    body
}

/// What is said of an action that did not go on.
fn noop(item: Item, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(item.action.name().as_bytes());
    out.extend_from_slice(b"\":{\"_index\":\"\",\"_id\":\"\",\"result\":\"noop\",\"status\":200}}");
}

/// A server's answer to a bulk request of which only some actions went on, with an item for each of the others where its
/// client expects it; `None` where it is no such answer.
pub(super) fn with_noops(items: &[Item], body: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    cursor.expect(b'{').ok()?;
    let mut out = Vec::with_capacity(body.len() + 80 * items.iter().filter(|item| !item.went).count());
    let mut written = 0;
    loop {
        let key = cursor.string().ok()?;
        cursor.expect(b':').ok()?;
        if key == b"items" {
            cursor.expect(b'[').ok()?;
            // What was copied so far ends behind the bracket.
            out.extend_from_slice(body.get(written..cursor.at())?);
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    out.push(b',');
                }
                if !item.went {
                    noop(*item, &mut out);
                    continue;
                }
                out.extend_from_slice(cursor.value(2).ok()?);
                // The last of the server's has none behind it.
                cursor.take(b',');
            }
            cursor.peek();
            written = cursor.at();
            cursor.expect(b']').ok()?;
        } else {
            cursor.value(1).ok()?;
        }
        if !cursor.take(b',') {
            break;
        }
    }
    cursor.expect(b'}').ok()?;
    cursor.end().ok()?;
    out.extend_from_slice(body.get(written..)?);
    (written > 0).then_some(out)
}
