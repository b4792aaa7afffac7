//! WHAT a request is: telemetry in some carrier, something else that may go on, or nothing that may.

use serde::{Deserialize, Serialize};

use crate::carriers::{Cause, Kind, Refusal, Signal};
use crate::encodings::Encoding;

/// A place where telemetry comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The path without its query, segment by segment: `{index}` is the index that records without one go to, `*` at the
    /// end is any more.
    pub path: String,
    /// How it is written there.
    pub carrier: Form,
}

/// How telemetry is written at a route, as its content type tells more closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// OTLP logs: protobuf, JSON or gRPC.
    OtlpLogs,
    /// OTLP traces, likewise.
    OtlpTraces,
    /// OTLP metrics, likewise.
    OtlpMetrics,
    /// Pushes of Loki: protobuf under snappy, or JSON.
    Loki,
    /// `_bulk` of Elasticsearch and OpenSearch.
    Bulk,
    /// `event` of Splunk's HTTP event collector.
    HecEvent,
    /// `raw` of it.
    HecRaw,
    /// JSON, a record on each line.
    Ndjson,
    /// JSON, an array of records.
    JsonArray,
    /// Lines of text.
    Lines,
    /// Spans of Zipkin as JSON.
    Zipkin,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::OtlpLogs,
        Self::OtlpTraces,
        Self::OtlpMetrics,
        Self::Loki,
        Self::Bulk,
        Self::HecEvent,
        Self::HecRaw,
        Self::Ndjson,
        Self::JsonArray,
        Self::Lines,
        Self::Zipkin,
    ];

    /// As it is written in rules and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtlpLogs => "otlp_logs",
            Self::OtlpTraces => "otlp_traces",
            Self::OtlpMetrics => "otlp_metrics",
            Self::Loki => "loki",
            Self::Bulk => "bulk",
            Self::HecEvent => "hec_event",
            Self::HecRaw => "hec_raw",
            Self::Ndjson => "ndjson",
            Self::JsonArray => "json_array",
            Self::Lines => "lines",
            Self::Zipkin => "zipkin",
        }
    }
}

/// Requests that are no telemetry and go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    /// The method, upper case.
    pub method: String,
    /// The path without its query, exactly.
    pub path: String,
}

/// The head of a request, as far as it matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'h> {
    /// `:method`.
    pub method: &'h [u8],
    /// `:path`, with its query.
    pub path: &'h [u8],
    /// `content-type`, where it stands once.
    pub content_type: Option<&'h [u8]>,
    /// All values of `content-encoding`.
    pub content_encoding: &'h [&'h [u8]],
    /// All values of `grpc-encoding`.
    pub grpc_encoding: &'h [&'h [u8]],
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival<'h> {
    /// Telemetry.
    Telemetry {
        /// How it is told of in counts.
        form: Form,
        /// How it is written.
        kind: Kind,
        /// How its body is encoded.
        encoding: Encoding,
        /// The index that its path names.
        index: Option<&'h [u8]>,
        /// What of its path `*` stands for.
        rest: Option<&'h [u8]>,
    },
    /// Telemetry that cannot be read.
    Refused {
        /// How it is told of in counts.
        form: Form,
        /// For an answer in its client's terms.
        kind: Kind,
        /// Why.
        refusal: Refusal,
    },
    /// Something else that may go on.
    Passes,
    /// Something that may not.
    Unknown,
}

/// Where telemetry usually comes in, as its formats say.
pub fn usual() -> impl Iterator<Item = (&'static str, Form)> {
    USUAL.iter().copied()
}

const USUAL: [(&str, Form); 18] = [
    (Signal::Logs.path(), Form::OtlpLogs),
    (Signal::Traces.path(), Form::OtlpTraces),
    (Signal::Metrics.path(), Form::OtlpMetrics),
    (Signal::Logs.method(), Form::OtlpLogs),
    (Signal::Traces.method(), Form::OtlpTraces),
    (Signal::Metrics.method(), Form::OtlpMetrics),
    // https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
    ("/loki/api/v1/push", Form::Loki),
    ("/api/prom/push", Form::Loki),
    // https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
    ("/_bulk", Form::Bulk),
    ("/{index}/_bulk", Form::Bulk),
    // https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTinput
    ("/services/collector", Form::HecEvent),
    ("/services/collector/event", Form::HecEvent),
    ("/services/collector/event/1.0", Form::HecEvent),
    ("/services/collector/raw", Form::HecRaw),
    ("/services/collector/raw/1.0", Form::HecRaw),
    // https://zipkin.io/zipkin-api/#/default/post_spans
    ("/api/v2/spans", Form::Zipkin),
    ("/zipkin/api/v2/spans", Form::Zipkin),
    ("/spans", Form::Zipkin),
];

impl Route {
    /// Whether its path can be one.
    pub fn can_be(&self) -> bool {
        let Some(segments) = self.path.strip_prefix('/') else { return false };
        let mut rest = segments.split('/').peekable();
        while let Some(segment) = rest.next() {
            let fine = match segment {
                "*" => rest.peek().is_none(),
                "{index}" => true,
                plain => !plain.bytes().any(|byte| matches!(byte, b'*' | b'{' | b'}' | b'?' | b'%')),
            };
            if !fine {
                return false;
            }
        }
        segments.matches("{index}").count() <= 1
    }
}

/// What a request is.
pub fn arrival<'h>(routes: &[Route], passing: &[Passing], head: &Head<'h>) -> Arrival<'h> {
    let path = head.path.split(|byte| *byte == b'?').next().unwrap_or_default();
    // What two servers may read differently is nobody's route.
    if !is_canonical(path) {
        return Arrival::Unknown;
    }
    let own = |open: bool| {
        let mut routes = routes.iter().filter(move |route| route.path.ends_with("/*") == open);
        routes.find_map(|route| Some((route.carrier, fits(&route.path, path)?)))
    };
    // What a route leaves open is not there to take what a format is known by.
    let usual = || usual().find_map(|(template, form)| Some((form, fits(template, path)?)));
    let found = own(false).or_else(usual).or_else(|| own(true));
    if let Some((form, names)) = found
        && matches!(head.method, b"POST" | b"PUT")
    {
        return telemetry(form, names, head);
    }
    let listed = |one: &Passing| one.method.as_bytes() == head.method && one.path.as_bytes() == path;
    if passing.iter().any(listed) { Arrival::Passes } else { Arrival::Unknown }
}

/// What stands in a path where a template leaves something open.
#[derive(Clone, Copy, Default)]
struct Names<'p> {
    index: Option<&'p [u8]>,
    rest: Option<&'p [u8]>,
}

fn telemetry<'h>(form: Form, names: Names<'h>, head: &Head<'h>) -> Arrival<'h> {
    let encoding = Encoding::of(head.content_encoding.iter().copied());
    let (kind, encoding) = match (form, media(head)) {
        (Form::OtlpLogs, media) => otlp(Signal::Logs, media, head, encoding),
        (Form::OtlpTraces, media) => otlp(Signal::Traces, media, head, encoding),
        (Form::OtlpMetrics, media) => otlp(Signal::Metrics, media, head, encoding),
        (Form::Loki, Media::Json) => (Kind::LokiJson, encoding),
        // As Loki reads it: what is not JSON is protobuf, and that is a block of snappy, whether its head says so or not. Of
        // what its head says besides, Loki undoes some first.
        (Form::Loki, _) => (
            Kind::LokiBinary,
            encoding.and_then(|encoding| match encoding {
                Encoding::Identity | Encoding::Snappy => Ok(Encoding::Snappy),
                _ => Err(Refusal::new(Cause::Encoding, "a push of Loki in protobuf is encoded by snappy alone")),
            }),
        ),
        (Form::Bulk, _) => (Kind::Bulk, encoding),
        (Form::HecEvent, _) => (Kind::HecEvent, encoding),
        (Form::HecRaw, _) => (Kind::HecRaw, encoding),
        (Form::Ndjson, _) => (Kind::Ndjson, encoding),
        (Form::JsonArray, _) => (Kind::JsonArray, encoding),
        (Form::Lines, _) => (Kind::Lines, encoding),
        (Form::Zipkin, Media::Json | Media::Unsaid) => (Kind::Zipkin, encoding),
        (Form::Zipkin, _) => (Kind::Zipkin, Err(Refusal::undecodable("spans of Zipkin are JSON here"))),
    };
    match encoding {
        Ok(encoding) => Arrival::Telemetry { form, kind, encoding, index: names.index, rest: names.rest },
        Err(refusal) => Arrival::Refused { form, kind, refusal },
    }
}

fn otlp(
    signal: Signal,
    media: Media,
    head: &Head<'_>,
    encoding: Result<Encoding, Refusal>,
) -> (Kind, Result<Encoding, Refusal>) {
    const OTHER: &str = "OTLP is `application/x-protobuf`, `application/json` or `application/grpc`";
    match media {
        Media::Protobuf => (Kind::OtlpBinary(signal), encoding),
        Media::Json => (Kind::OtlpJson(signal), encoding),
        Media::Grpc => match (Encoding::of(head.grpc_encoding.iter().copied()), encoding) {
            (Ok(messages), Ok(Encoding::Identity)) => (Kind::OtlpGrpc(signal, messages), Ok(Encoding::Identity)),
            (Ok(messages), Ok(_)) => {
                let why = Refusal::new(Cause::Encoding, "messages of gRPC are encoded one by one, and not their body");
                (Kind::OtlpGrpc(signal, messages), Err(why))
            }
            (Err(why), _) | (_, Err(why)) => (Kind::OtlpGrpc(signal, Encoding::Identity), Err(why)),
        },
        Media::Unsaid | Media::Other => (Kind::OtlpBinary(signal), Err(Refusal::undecodable(OTHER))),
    }
}

/// What a content type says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
    Grpc,
    Unsaid,
    Other,
}

fn media(head: &Head<'_>) -> Media {
    let Some(said) = head.content_type else { return Media::Unsaid };
    let name = said.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    match name.as_slice() {
        b"" => Media::Unsaid,
        b"application/x-protobuf" | b"application/protobuf" => Media::Protobuf,
        b"application/json" => Media::Json,
        b"application/grpc" | b"application/grpc+proto" => Media::Grpc,
        _ => Media::Other,
    }
}

/// Whether all servers read this path alike.
fn is_canonical(path: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\' | b'#' | b';');
    let Some(segments) = path.strip_prefix(b"/") else { return false };
    let mut segments = segments.split(|byte| *byte == b'/');
    path.iter().all(plain) && (path == b"/" || segments.all(|segment| !matches!(segment, b"" | b"." | b"..")))
}

/// What a template leaves open of `path`, if it fits.
fn fits<'p>(template: &str, path: &'p [u8]) -> Option<Names<'p>> {
    let (mut wanted, mut given) = (template.split('/'), path.split(|byte| *byte == b'/'));
    let (mut names, mut read) = (Names::default(), 0);
    loop {
        let (wanted, given) = (wanted.next(), given.next());
        match (wanted, given) {
            (None, None) => return Some(names),
            (Some("*"), Some(_)) => return Some(Names { rest: path.get(read..), ..names }),
            (Some("{index}"), Some(segment)) => names.index = Some(segment),
            (Some(plain), Some(segment)) if plain.as_bytes() == segment => {}
            _ => return None,
        }
        // With the slash behind it.
        read += given.map_or(0, |segment| segment.len() + 1);
    }
}
