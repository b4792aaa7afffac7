//! What is in telemetry: every text, and the ids by which traces are joined.
//!
//! OTLP is read by `opentelemetry-proto` and prost, Loki's protobuf by its published messages and prost, JSON by
//! serde_json.

use anyhow::{Context, Result, bail, ensure};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric};
use prost::Message;
use serde::Serialize;
use serde_json::{Deserializer, Value};

use super::unfold::snappy;

/// A span, its ids in hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace: String,
    /// The span.
    pub span: String,
    /// The span above it; empty where there is none.
    pub parent: String,
    /// Trace and span of what it links to.
    pub links: Vec<(String, String)>,
}

/// What was found in one body.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Every text and every name.
    pub texts: Vec<String>,
    /// Every span.
    pub spans: Vec<Span>,
    /// Trace and span that logs and exemplars point to.
    pub pointers: Vec<(String, String)>,
}

/// The signals of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Signal {
    Logs,
    Traces,
    Metrics,
}

impl Signal {
    /// Which one a path of OTLP is of, over HTTP or gRPC.
    pub fn of(path: &str) -> Option<Self> {
        let of = |service: &str| format!("/opentelemetry.proto.collector.{service}/Export");
        match path {
            "/v1/logs" => Some(Self::Logs),
            "/v1/traces" => Some(Self::Traces),
            "/v1/metrics" => Some(Self::Metrics),
            _ if path == of("logs.v1.LogsService") => Some(Self::Logs),
            _ if path == of("trace.v1.TraceService") => Some(Self::Traces),
            _ if path == of("metrics.v1.MetricsService") => Some(Self::Metrics),
            _ => None,
        }
    }
}

/// A message of OTLP.
pub fn otlp(signal: Signal, bytes: &[u8]) -> Result<Read> {
    match signal {
        Signal::Logs => logs(&ExportLogsServiceRequest::decode(bytes)?),
        Signal::Traces => traces(&ExportTraceServiceRequest::decode(bytes)?),
        Signal::Metrics => metrics(&ExportMetricsServiceRequest::decode(bytes)?),
    }
}

/// The same in the mapping to JSON that OTLP has of its own (OpenTelemetry Protocol Specification, JSON Protobuf
/// Encoding).
pub fn otlp_json(signal: Signal, bytes: &[u8]) -> Result<Read> {
    match signal {
        Signal::Logs => logs(&serde_json::from_slice(bytes)?),
        Signal::Traces => traces(&serde_json::from_slice(bytes)?),
        Signal::Metrics => metrics(&serde_json::from_slice(bytes)?),
    }
}

fn logs(request: &ExportLogsServiceRequest) -> Result<Read> {
    let mut read = of(request)?;
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    let records = scopes.flat_map(|scope| &scope.log_records);
    read.pointers = records.map(|record| (hex(&record.trace_id), hex(&record.span_id))).collect();
    Ok(read)
}

fn traces(request: &ExportTraceServiceRequest) -> Result<Read> {
    let mut read = of(request)?;
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    for span in scopes.flat_map(|scope| &scope.spans) {
        read.spans.push(Span {
            trace: hex(&span.trace_id),
            span: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        });
    }
    Ok(read)
}

fn metrics(request: &ExportMetricsServiceRequest) -> Result<Read> {
    let mut read = of(request)?;
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let exemplars = scopes.flat_map(|scope| &scope.metrics).flat_map(exemplars);
    read.pointers = exemplars.map(|exemplar| (hex(&exemplar.trace_id), hex(&exemplar.span_id))).collect();
    Ok(read)
}

fn exemplars(metric: &Metric) -> Vec<&Exemplar> {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Some(Data::Sum(sum)) => sum.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Some(Data::Histogram(all)) => all.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Some(Data::ExponentialHistogram(all)) => all.data_points.iter().flat_map(|point| &point.exemplars).collect(),
        Some(Data::Summary(_)) | None => Vec::new(),
    }
}

fn of(message: &impl Serialize) -> Result<Read> {
    let mut read = Read::default();
    texts(&serde_json::to_value(message)?, &mut read.texts);
    Ok(read)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `logproto.PushRequest`, as Loki's repository has it in pkg/push/push.proto.
#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<Stream>,
}

#[derive(Clone, PartialEq, Message)]
struct Stream {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// A push of Loki's in protobuf, folded as it travels; and the bytes of it, unfolded.
pub fn loki(bytes: &[u8]) -> Result<(Vec<u8>, Read)> {
    let bytes = snappy(bytes)?;
    let request = PushRequest::decode(&bytes[..])?;
    let mut read = Read::default();
    for stream in request.streams {
        ensure!(!stream.entries.is_empty(), "a stream without an entry");
        ensure!(stream.labels.starts_with('{') && stream.labels.ends_with('}'), "labels `{}`", stream.labels);
        read.texts.push(stream.labels);
        for entry in stream.entries {
            read.texts.push(entry.line);
            read.texts.extend(entry.metadata.into_iter().flat_map(|pair| [pair.name, pair.value]));
        }
    }
    Ok((bytes, read))
}

/// JSON values, one after the other, with or without lines between; gives them, too.
pub fn json(bytes: &[u8]) -> Result<(Vec<Value>, Read)> {
    let values: Vec<Value> = Deserializer::from_slice(bytes).into_iter().collect::<Result<_, _>>()?;
    let mut read = Read::default();
    values.iter().for_each(|value| texts(value, &mut read.texts));
    // A line of Loki's, or a message, may hold JSON in its turn.
    let within: Vec<Value> = read.texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    within.iter().for_each(|value| texts(value, &mut read.texts));
    Ok((values, read))
}

/// Lines of text; those that are JSON are read as that, too.
pub fn lines(bytes: &[u8]) -> Result<Read> {
    let text = std::str::from_utf8(bytes)?;
    let mut read = Read::default();
    for line in text.lines() {
        read.texts.push(line.to_owned());
        if let Ok(value) = serde_json::from_str(line) {
            texts(&value, &mut read.texts);
        }
    }
    Ok(read)
}

/// Spans of Zipkin's, version 2 (<https://zipkin.io/zipkin-api/zipkin2-api.yaml>).
pub fn zipkin(bytes: &[u8]) -> Result<Read> {
    let (values, mut read) = json(bytes)?;
    let [Value::Array(spans)] = &values[..] else { bail!("no array of spans") };
    for span in spans {
        let id = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
        let one = Span { trace: id("traceId"), span: id("id"), parent: id("parentId"), links: Vec::new() };
        ensure!(!one.trace.is_empty() && !one.span.is_empty(), "a span without ids: {span}");
        read.spans.push(one);
    }
    Ok(read)
}

/// What Elasticsearch answers to a bulk request, and what stood in it.
pub fn bulk(bytes: &[u8]) -> Result<(Vec<Value>, Read)> {
    ensure!(bytes.ends_with(b"\n"), "a bulk request ends with a newline");
    let (lines, read) = json(bytes)?;
    let (mut items, mut lines) = (Vec::new(), lines.into_iter());
    while let Some(line) = lines.next() {
        let action = line.as_object().filter(|action| action.len() == 1).and_then(|action| action.iter().next());
        let (kind, said) = action.with_context(|| format!("`{line}` is no action"))?;
        let (status, result) = match kind.as_str() {
            "index" | "create" => (201, "created"),
            "update" => (200, "updated"),
            "delete" => (200, "deleted"),
            other => bail!("`{other}` is no action"),
        };
        if kind != "delete" {
            let document = lines.next().with_context(|| format!("`{kind}` has no document"))?;
            ensure!(document.is_object(), "`{document}` is no document");
        }
        let id = said["_id"].as_str().unwrap_or("made-by-server");
        let item = serde_json::json!({
            "_index": said["_index"], "_id": id, "_version": 1, "result": result, "status": status, "_seq_no": 0,
            "_primary_term": 1, "_shards": { "total": 1, "successful": 1, "failed": 0 },
        });
        items.push(Value::Object([(kind.clone(), item)].into_iter().collect()));
    }
    ensure!(!items.is_empty(), "a bulk request without an action");
    Ok((items, read))
}

/// All texts, names and numbers in it.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => {
            for (name, value) in members {
                found.push(name.clone());
                texts(value, found);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
