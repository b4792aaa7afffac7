//! What is gone through: lines, attributes and bodies, made from fixed seeds. In one of a hundred there is something to find.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use partywall_log_redaction::carriers::{Kind, Signal};
use prost::Message;
use serde_json::{Map, Value, json};

use super::labelled::random::Random;
use super::labelled::{noise, set};

/// A text, and the name of its field before it.
pub(crate) type Text = (Vec<u8>, Vec<u8>);

/// How large a body is, in bytes.
const BODY: usize = 4 << 20;

/// Lines without a field's name.
pub(crate) fn lines(bytes: usize) -> Vec<Text> {
    let mut random = Random::new(0x5eed_0001);
    let told: Vec<String> = set().into_iter().filter(|line| !line.spans.is_empty()).map(|line| line.text).collect();
    let mut size = 0;
    let line = |nth: usize| {
        let line = match nth % 100 {
            99 => told[nth / 100 % told.len()].clone(),
            _ => noise::line(&mut random, nth / 3 * 7 + nth % 3),
        };
        (Vec::new(), line.into_bytes())
    };
    (0..)
        .map(line)
        .take_while(|(_, line)| {
            size += line.len();
            size < bytes
        })
        .collect()
}

/// Names and values of attributes as OpenTelemetry's conventions have them.
fn attribute(random: &mut Random, nth: usize) -> (&'static str, String) {
    match nth % 20 {
        0 => ("http.request.method", random.pick(&["GET", "POST", "PUT", "DELETE"]).to_owned()),
        1 => ("url.path", format!("/api/orders/{}", random.below(100_000))),
        2 => ("http.response.status_code", (200 + random.below(300)).to_string()),
        3 => ("server.address", format!("checkout-{}.shop.svc.cluster.local", random.below(9))),
        4 => ("thread.name", format!("http-nio-8080-exec-{}", random.below(64))),
        5 => ("code.function.name", "com.example.shop.Orders.store".to_owned()),
        6 => {
            ("k8s.pod.name", format!("checkout-{}-{}", random.hex(10), random.from(b"bcdfghjklmnpqrstvwxz2456789", 5)))
        }
        7 => ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0".to_owned()),
        8 => ("db.query.text", format!("SELECT id, total FROM orders WHERE shop = {}", random.below(900))),
        9 => ("messaging.destination.name", "orders-events".to_owned()),
        10 => ("http.request.body.size", random.below(90_000).to_string()),
        11 => ("deployment.environment.name", "production".to_owned()),
        12 => ("log.logger", "com.example.shop.checkout".to_owned()),
        13 => (
            "request.id",
            format!("{}-{}-4{}-a{}-{}", random.hex(8), random.hex(4), random.hex(3), random.hex(3), random.hex(12)),
        ),
        14 => ("error.type", "java.net.SocketTimeoutException".to_owned()),
        15 => ("network.protocol.version", "1.1".to_owned()),
        16 => ("duration_ms", format!("{}.{:03}", random.below(900), random.below(1000))),
        17 => ("container.image.tag", format!("1.{}.{}", random.below(20), random.below(100))),
        18 => ("cart.items", random.below(40).to_string()),
        _ => ("feature_flag.key", "new-checkout".to_owned()),
    }
}

pub(crate) fn attributes(bytes: usize) -> Vec<Text> {
    let (mut random, mut size) = (Random::new(0x5eed_0002), 0);
    let one = |nth: usize| {
        let (key, value) = match nth % 100 {
            99 => ("user.email", format!("customer{}@example.com", random.below(5000))),
            _ => attribute(&mut random, nth),
        };
        (key.as_bytes().to_vec(), value.into_bytes())
    };
    (0..)
        .map(one)
        .take_while(|(_, value)| {
            size += value.len();
            size < bytes
        })
        .collect()
}

/// Bodies of each carrier, with their names.
pub(crate) fn all() -> Vec<(&'static str, Kind, Vec<u8>)> {
    let texts: Vec<String> = lines(BODY).into_iter().map(|(_, line)| String::from_utf8(line).unwrap()).collect();
    let logs: Vec<Value> = cut(&texts, 250, BODY).map(|lines| otlp(&lines)).collect();
    let message = |resource: &Value| {
        let request = json!({"resourceLogs": [resource]});
        serde_json::from_value::<ExportLogsServiceRequest>(request).unwrap().encode_to_vec()
    };
    let list: Vec<String> = logs.iter().map(Value::to_string).collect();
    let mut random = Random::new(0x5eed_0003);
    let documents: Vec<String> = texts.iter().enumerate().map(|(nth, line)| document(&mut random, nth, line)).collect();
    let streams: Vec<String> = cut(&texts, 500, BODY).map(|lines| stream(&lines)).collect();
    let bulk = documents.iter().map(|document| format!("{{\"index\":{{\"_index\":\"logs-shop\"}}}}\n{document}\n"));
    vec![
        ("OTLP", Kind::OtlpBinary(Signal::Logs), logs.iter().flat_map(message).collect()),
        ("OTLP JSON", Kind::OtlpJson(Signal::Logs), format!("{{\"resourceLogs\":[{}]}}", list.join(",")).into_bytes()),
        ("Loki", Kind::LokiJson, format!("{{\"streams\":[{}]}}", streams.join(",")).into_bytes()),
        ("Loki binary", Kind::LokiBinary, cut(&texts, 500, BODY).flat_map(|lines| push(&lines)).collect()),
        ("_bulk", Kind::Bulk, first(bulk)),
        ("NDJSON", Kind::Ndjson, first(documents.iter().map(|document| format!("{document}\n")))),
        ("lines", Kind::Lines, first(texts.iter().filter(|line| !line.contains('\n')).map(|line| format!("{line}\n")))),
    ]
}

fn first(parts: impl Iterator<Item = String>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        if out.len() > BODY {
            break;
        }
        out.extend_from_slice(part.as_bytes());
    }
    out
}

/// Texts in groups, until there are so many bytes of them.
fn cut(texts: &[String], size: usize, bytes: usize) -> impl Iterator<Item = Vec<&str>> {
    let mut all = 0;
    texts.chunks(size).map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>()).take_while(move |texts| {
        all += texts.iter().map(|text| text.len() + 300).sum::<usize>();
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
