//! Carriers by name, and their bodies in words.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use partywall_log_redaction::carriers::{Kind, Signal};
use partywall_log_redaction::encodings::Encoding;
use prost::Message;

/// All of them, with their folders.
pub fn kinds() -> Vec<(&'static str, Kind)> {
    vec![
        ("otlp-logs", Kind::OtlpBinary(Signal::Logs)),
        ("otlp-traces", Kind::OtlpBinary(Signal::Traces)),
        ("otlp-metrics", Kind::OtlpBinary(Signal::Metrics)),
        ("otlp-json-logs", Kind::OtlpJson(Signal::Logs)),
        ("otlp-json-traces", Kind::OtlpJson(Signal::Traces)),
        ("otlp-json-metrics", Kind::OtlpJson(Signal::Metrics)),
        ("otlp-grpc-logs", Kind::OtlpGrpc(Signal::Logs, Encoding::Gzip)),
        ("loki", Kind::LokiBinary),
        ("loki-json", Kind::LokiJson),
        ("bulk", Kind::Bulk),
        ("hec", Kind::HecEvent),
        ("hec-raw", Kind::HecRaw),
        ("ndjson", Kind::Ndjson),
        ("json-array", Kind::JsonArray),
        ("lines", Kind::Lines),
        ("zipkin", Kind::Zipkin),
    ]
}

/// What a body in words is on the wire: OTLP's binary form and Loki's are written as JSON.
pub fn wire(kind: Kind, words: &str) -> Vec<u8> {
    match kind {
        Kind::OtlpBinary(Signal::Logs) => serde_json::from_str::<Logs>(words).expect("logs").encode_to_vec(),
        Kind::OtlpBinary(Signal::Traces) => serde_json::from_str::<Traces>(words).expect("spans").encode_to_vec(),
        Kind::OtlpBinary(Signal::Metrics) => {
            let metrics = serde_json::from_str::<Metrics>(words).expect("metrics");
            let mut scopes = metrics.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            // What serde cannot read there it leaves out, and says nothing.
            assert!(scopes.all(|scope| scope.metrics.iter().all(|metric| metric.data.is_some())), "{words}");
            metrics.encode_to_vec()
        }
        Kind::OtlpGrpc(signal, _) => {
            let message = wire(Kind::OtlpBinary(signal), words);
            let size = u32::try_from(message.len()).unwrap().to_be_bytes();
            [&[0][..], &size, &message].concat()
        }
        Kind::LokiBinary => push(words).encode_to_vec(),
        _ => words.as_bytes().to_vec(),
    }
}

/// What is the same for a reader: of messages what they decode to.
pub fn same(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::OtlpBinary(Signal::Logs) => format!("{:?}", Logs::decode(bytes)),
        Kind::OtlpBinary(Signal::Traces) => format!("{:?}", Traces::decode(bytes)),
        Kind::OtlpBinary(Signal::Metrics) => format!("{:?}", Metrics::decode(bytes)),
        Kind::OtlpGrpc(signal, _) if bytes.len() > 4 => {
            let size = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
            assert_eq!(size, bytes.len() - 5, "one message of gRPC");
            format!("{} {}", bytes[0], same(Kind::OtlpBinary(signal), &bytes[5..]))
        }
        Kind::LokiBinary => format!("{:?}", Push::decode(bytes)),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Loki's messages, as prost reads them.
#[derive(Clone, PartialEq, Message)]
pub struct Push {
    #[prost(message, repeated, tag = "1")]
    pub streams: Vec<Stream>,
}
#[derive(Clone, PartialEq, Message)]
pub struct Stream {
    #[prost(string, tag = "1")]
    pub labels: String,
    #[prost(message, repeated, tag = "2")]
    pub entries: Vec<Entry>,
    #[prost(uint64, tag = "3")]
    pub hash: u64,
}
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Time>,
    #[prost(string, tag = "2")]
    pub line: String,
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<Pair>,
}
#[derive(Clone, PartialEq, Message)]
pub struct Time {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}
#[derive(Clone, PartialEq, Message)]
pub struct Pair {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `[{"labels": "{a=\"b\"}", "entries": [["a line", {"k": "v"}]]}]`.
fn push(words: &str) -> Push {
    let all: serde_json::Value = serde_json::from_str(words).expect("streams");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let entry = |entry: &serde_json::Value| Entry {
        timestamp: Some(Time { seconds: 1_700_000_000, nanos: 7 }),
        line: text(&entry[0]),
        metadata: entry[1]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| Pair { name: name.clone(), value: text(value) })
            .collect(),
    };
    let stream = |stream: &serde_json::Value| Stream {
        labels: text(&stream["labels"]),
        entries: stream["entries"].as_array().expect("entries").iter().map(entry).collect(),
        hash: 0,
    };
    Push { streams: all.as_array().expect("streams").iter().map(stream).collect() }
}
