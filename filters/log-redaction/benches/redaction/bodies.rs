//! Bodies of each carrier, made of the lines and attributes of `texts`.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use partywall_log_redaction::carriers::{Kind, Signal};
use prost::Message;
use serde_json::{Map, Value, json};

use super::labelled::noise;
use super::labelled::random::Random;
use super::texts::{attribute, lines};

/// How many lines a resource or a stream has, and about how many bytes stand there beside each.
const IN_OTLP: (usize, usize) = (250, 600);
const IN_LOKI: (usize, usize) = (500, 30);

/// Bodies of each carrier, with their names, each of some `size` bytes.
pub(crate) fn all(size: usize) -> Vec<(&'static str, Kind, Vec<u8>)> {
    let texts: Vec<String> = lines(size).into_iter().map(|(_, line)| String::from_utf8(line).unwrap()).collect();
    let logs: Vec<Value> = cut(&texts, IN_OTLP, size).map(|lines| otlp(&lines)).collect();
    let message = |resource: &Value| {
        let request = json!({"resourceLogs": [resource]});
        serde_json::from_value::<ExportLogsServiceRequest>(request).unwrap().encode_to_vec()
    };
    let list: Vec<String> = logs.iter().map(Value::to_string).collect();
    let mut random = Random::new(0x5eed_0003);
    let documents: Vec<String> = texts.iter().enumerate().map(|(nth, line)| document(&mut random, nth, line)).collect();
    let streams: Vec<String> = cut(&texts, IN_LOKI, size).map(|lines| stream(&lines)).collect();
    let bulk = documents.iter().map(|document| format!("{{\"index\":{{\"_index\":\"logs-shop\"}}}}\n{document}\n"));
    vec![
        ("OTLP", Kind::OtlpBinary(Signal::Logs), logs.iter().flat_map(message).collect()),
        ("OTLP JSON", Kind::OtlpJson(Signal::Logs), format!("{{\"resourceLogs\":[{}]}}", list.join(",")).into_bytes()),
        ("Loki", Kind::LokiJson, format!("{{\"streams\":[{}]}}", streams.join(",")).into_bytes()),
        ("Loki binary", Kind::LokiBinary, cut(&texts, IN_LOKI, size).flat_map(|lines| push(&lines)).collect()),
        ("_bulk", Kind::Bulk, first(size, bulk)),
        ("NDJSON", Kind::Ndjson, first(size, documents.iter().map(|document| format!("{document}\n")))),
        (
            "lines",
            Kind::Lines,
            first(size, texts.iter().filter(|line| !line.contains('\n')).map(|line| format!("{line}\n"))),
        ),
    ]
}

fn first(size: usize, parts: impl Iterator<Item = String>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        if out.len() > size {
            break;
        }
        out.extend_from_slice(part.as_bytes());
    }
    out
}

/// Texts in groups of `count`, until there are so many bytes of them, each with `beside` more.
fn cut(texts: &[String], (count, beside): (usize, usize), bytes: usize) -> impl Iterator<Item = Vec<&str>> {
    let mut all = 0;
    texts.chunks(count).map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>()).take_while(move |texts| {
        all += texts.iter().map(|text| text.len() + beside).sum::<usize>();
        all < bytes
    })
}

/// A resource with a record for each line, with six attributes.
fn otlp(lines: &[&str]) -> Value {
    let mut random = Random::new(lines.len() as u64);
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let record = |(nth, line): (usize, &&str)| {
        let mut attributes: Vec<Value> = Vec::new();
        for more in 0..6 {
            let (key, value) = attribute(&mut random, nth * 6 + more);
            attributes.push(text(key, &value));
        }
        json!({"timeUnixNano": "1700000000000000000", "observedTimeUnixNano": "1700000000000000001",
            "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": line}, "attributes": attributes,
            "droppedAttributesCount": 0, "flags": 1, "traceId": random.hex(32), "spanId": random.hex(16), "eventName": ""})
    };
    let records: Vec<Value> = lines.iter().enumerate().map(record).collect();
    json!({"resource": {"attributes": [text("service.name", "shop"), text("host.name", "h-1")],
        "droppedAttributesCount": 0, "entityRefs": []},
        "scopeLogs": [{"scope": {"name": "lib", "version": "1", "attributes": [], "droppedAttributesCount": 0},
        "logRecords": records, "schemaUrl": ""}], "schemaUrl": ""})
}

/// A document of ECS with five attributes.
fn document(random: &mut Random, nth: usize, line: &str) -> String {
    let mut all = Map::new();
    all.insert("@timestamp".to_owned(), noise::stamp(random).into());
    all.insert("log.level".to_owned(), "INFO".into());
    all.insert("message".to_owned(), line.into());
    all.insert("service".to_owned(), json!({"name": "checkout", "version": "1.14.2"}));
    all.insert("trace.id".to_owned(), random.hex(32).into());
    for more in 0..5 {
        let (key, value) = attribute(random, nth * 5 + more);
        let value = value.parse::<i64>().map_or_else(|_| value.clone().into(), Value::from);
        all.insert(key.to_owned(), value);
    }
    Value::Object(all).to_string()
}

fn stream(lines: &[&str]) -> String {
    let entries: Vec<Value> = lines.iter().map(|line| json!(["1700000000000000000", line, {"user": "4711"}])).collect();
    json!({"stream": {"app": "shop", "pod": "shop-1"}, "values": entries}).to_string()
}

/// The same as a message of Loki's.
fn push(lines: &[&str]) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut out = vec![number << 3 | 2];
        let mut size = bytes.len();
        while size >= 0x80 {
            out.push(size as u8 | 0x80);
            size >>= 7;
        }
        out.push(size as u8);
        out.extend_from_slice(bytes);
        out
    };
    let pair = [field(1, b"user"), field(2, b"4711")].concat();
    let entry = |line: &&str| field(2, &[field(1, &[8, 1]), field(2, line.as_bytes()), field(3, &pair)].concat());
    let entries: Vec<u8> = lines.iter().flat_map(entry).collect();
    field(1, &[field(1, b"{app=\"shop\", pod=\"shop-1\"}"), entries].concat())
}
