//! How what is kept back is written to a quarantine: as it came, or where that speaks one protocol alone, in that one.
//!
//! OTLP is the same message over HTTP and gRPC, so that either is made of the other without reading it
//! (<https://opentelemetry.io/docs/specs/otlp/>).

use partywall_log_redaction::carriers::{Kind, call_of, message_of};
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

/// `body` for `authority`. `None` where the quarantine has no way to take such a request.
pub(super) fn written(like: &Like<'_>, body: Vec<u8>, protocol: Protocol, authority: &str) -> Option<Letter> {
    // The query may hold what its collector knows the client by.
    let path = like.path.split('?').next().unwrap_or_default();
    let (path, content_type, coding, grpc, body) = match (protocol, like.kind) {
        (Protocol::AsReceived | Protocol::Grpc, Kind::OtlpGrpc(_, coding)) => {
            (path, like.content_type, coding.written().name(), true, body)
        }
        (Protocol::Http, Kind::OtlpGrpc(signal, coding)) => {
            let (message, encoded) = message_of(&body)?;
            let coding = if encoded { coding.written().name() } else { None };
            (signal.path(), "application/x-protobuf", coding, false, message.to_vec())
        }
        (Protocol::Grpc, Kind::OtlpBinary(signal)) => {
            let coding = like.encoding.written().name();
            (signal.method(), "application/grpc", coding, true, call_of(&body, coding.is_some())?)
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
