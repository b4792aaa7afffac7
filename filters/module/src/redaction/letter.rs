//! How what is kept back is written to a quarantine: as it came, or where that speaks one protocol alone, in that one.
//!
//! OTLP is the same message over HTTP and gRPC, so that either is made of the other without reading it
//! (<https://opentelemetry.io/docs/specs/otlp/>).

use partywall_log_redaction::carriers::{Kind, Signal};
use partywall_log_redaction::encodings::Encoding;

use crate::config::Protocol;

/// What came.
pub(super) struct Like<'l> {
    pub(super) path: &'l str,
    pub(super) content_type: &'l str,
    pub(super) kind: Kind,
    pub(super) encoding: Encoding,
}

/// What goes on of it.
pub(super) struct Letter {
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Whether it is a call of gRPC.
    pub(super) grpc: bool,
}

/// The head of a message of gRPC: whether it is folded, and its length.
const HEAD: usize = 5;

/// `body` for `authority`. `None` where the quarantine has no way to take such a request.
pub(super) fn written(like: &Like<'_>, body: Vec<u8>, protocol: Protocol, authority: &str) -> Option<Letter> {
    // The query may hold what its collector knows the client by.
    let path = like.path.split('?').next().unwrap_or_default();
    let (path, content_type, coding, grpc, body) = match (protocol, like.kind) {
        (Protocol::AsReceived | Protocol::Grpc, Kind::OtlpGrpc(_, coding)) => {
            (path, like.content_type, coding.written().name(), true, body)
        }
        (Protocol::Http, Kind::OtlpGrpc(signal, coding)) => {
            let (head, message) = body.split_first_chunk::<HEAD>()?;
            let [folded, length @ ..] = *head;
            if u32::from_be_bytes(length) as usize != message.len() {
                return None;
            }
            let coding = if folded == 0 { None } else { coding.written().name() };
            (of(signal).0, "application/x-protobuf", coding, false, message.to_vec())
        }
        (Protocol::Grpc, Kind::OtlpBinary(signal)) => {
            let coding = like.encoding.written().name();
            let length = u32::try_from(body.len()).ok()?.to_be_bytes();
            let framed = [&[u8::from(coding.is_some())][..], &length, &body].concat();
            (of(signal).1, "application/grpc", coding, true, framed)
        }
        (Protocol::Grpc, _) => return None,
        (Protocol::AsReceived | Protocol::Http, _) => {
            (path, like.content_type, like.encoding.written().name(), false, body)
        }
    };
    let mut headers = vec![(":method", "POST"), (":path", path), (":authority", authority)];
    headers.extend(Some(content_type).filter(|media| !media.is_empty()).map(|media| ("content-type", media)));
    if grpc {
        headers.push(("te", "trailers"));
    }
    headers.extend(coding.map(|name| (if grpc { "grpc-encoding" } else { "content-encoding" }, name)));
    let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    Some(Letter { headers, body, grpc })
}

/// Where it is sent to over HTTP, and over gRPC.
fn of(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Logs => ("/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
        Signal::Traces => ("/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        Signal::Metrics => ("/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
    }
}
