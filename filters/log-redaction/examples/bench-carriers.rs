//! What it costs to go through bodies of telemetry with nobody who changes anything, beside copying them:
//! `cargo run --release -p partywall-log-redaction --example bench-carriers [NAME]`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it measures and tells")]

use std::hint::black_box;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use partywall_log_redaction::carriers::{Carrier, Change, Kind, Leaves, Limits, Place, Signal, Unit, Verdict};
use partywall_log_redaction::encodings::{Bounds, Decoder, Encoder, Encoding};
use prost::Message;
use serde_json::{Value, json};

/// As Envoy hands them on.
const PIECE: usize = 16 * 1024;
const SIZE: usize = 8 << 20;

/// Keeps all; of every text it sees its length alone.
struct Keep(usize);

impl Leaves for Keep {
    fn begin(&mut self, _: Unit) {}

    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        self.0 += place.path.len() + text.len();
        Change::Keep
    }

    fn end(&mut self) -> Verdict {
        Verdict::Keep
    }
}

/// Changes one text in each record.
struct Edit;

impl Leaves for Edit {
    fn begin(&mut self, _: Unit) {}

    fn leaf(&mut self, place: &Place<'_>, _: &[u8]) -> Change {
        if matches!(place.key, b"user.email" | b"user") {
            Change::Replace(b"[REDACTED:email]".to_vec())
        } else {
            Change::Keep
        }
    }

    fn end(&mut self) -> Verdict {
        Verdict::Keep
    }
}

fn main() {
    let only = std::env::args().nth(1);
    let logs = logs();
    let binary =
        repeated(&serde_json::from_value::<ExportLogsServiceRequest>(logs.clone()).expect("logs").encode_to_vec());
    let message = serde_json::from_value::<ExportLogsServiceRequest>(logs.clone()).expect("logs").encode_to_vec();
    let grpc = repeated(&[&[0][..], &u32::try_from(message.len()).expect("small").to_be_bytes(), &message].concat());
    let list = vec![logs["resourceLogs"][0].to_string(); SIZE / logs.to_string().len()].join(",");
    let json = format!("{{\"resourceLogs\":[{list}]}}").into_bytes();
    let record = document();
    let ndjson = repeated(format!("{record}\n").as_bytes());
    let array = format!("[{}]", vec![record.to_string(); SIZE / record.to_string().len()].join(",")).into_bytes();
    let bulk = repeated(format!("{{\"index\":{{\"_index\":\"logs-acme\"}}}}\n{record}\n").as_bytes());
    let hec = repeated(json!({"time": 1.5, "host": "h", "index": "main", "event": record}).to_string().as_bytes());
    let lines = repeated(LINE.as_bytes());
    let syslog = repeated(
        format!("<34>1 2026-01-01T00:00:00.003Z host app 12 ID47 [a@1 k=\"v\" user=\"ann\"] {LINE}").as_bytes(),
    );
    let entries: Vec<Value> = (0..500).map(|_| json!(["1700000000000000000", LINE.trim(), {"user": "ann"}])).collect();
    let stream = json!({"stream": {"app": "shop", "pod": "shop-1"}, "values": entries}).to_string();
    let loki = format!("{{\"streams\":[{}]}}", vec![stream.clone(); SIZE / stream.len()].join(",")).into_bytes();
    let loki_binary = repeated(&loki_message());
    let span = json!({"traceId": "5af7183fb1d4cf5f", "id": "352bff9a74ca9ad2", "name": "get /orders", "timestamp": 1,
        "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1"}, "tags": {"http.url": "/orders/17?page=2", "user": "ann"}});
    let zipkin = format!("[{}]", vec![span.to_string(); SIZE / span.to_string().len()].join(",")).into_bytes();

    let copy = rate(&binary, |piece, out| out.extend_from_slice(piece));
    println!("{:<22} {:>10} {:>10} {:>14}", "carrier", "keep, MB/s", "edit, MB/s", "of copying");
    println!("{:<22} {copy:>10.0}", "copying");
    for (name, kind, body) in [
        ("OTLP logs, binary", Kind::OtlpBinary(Signal::Logs), &binary),
        ("OTLP logs, gRPC", Kind::OtlpGrpc(Signal::Logs, Encoding::Identity), &grpc),
        ("OTLP logs, JSON", Kind::OtlpJson(Signal::Logs), &json),
        ("Loki, binary", Kind::LokiBinary, &loki_binary),
        ("Loki, JSON", Kind::LokiJson, &loki),
        ("bulk", Kind::Bulk, &bulk),
        ("HEC", Kind::HecEvent, &hec),
        ("NDJSON", Kind::Ndjson, &ndjson),
        ("JSON array", Kind::JsonArray, &array),
        ("Zipkin", Kind::Zipkin, &zipkin),
        ("lines", Kind::Lines, &lines),
        ("syslog", Kind::Lines, &syslog),
    ] {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let run = |leaves: &mut dyn Leaves| {
            let mut carrier = Carrier::new(kind, Limits::default());
            rate(body, |piece, out| {
                if carrier.push(piece, false, leaves, out).is_err() || piece.is_empty() {
                    carrier = Carrier::new(kind, Limits::default());
                }
            })
        };
        let (keep, edit) = (run(&mut Keep(0)), run(&mut Edit));
        println!("{name:<22} {keep:>10.0} {edit:>10.0} {:>13.0}%", keep / copy * 100.0);
    }
    if only.is_some() {
        return;
    }
    let text = varied();
    println!("\n{:<22} {:>10} {:>10} {:>10}", "encoding", "read, MB/s", "write", "ratio");
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Snappy, Encoding::SnappyFramed, Encoding::Zstd] {
        let folded = if encoding == Encoding::Zstd {
            ruzstd::encoding::compress_to_vec(&*text, ruzstd::encoding::CompressionLevel::Fastest)
        } else {
            let mut folded = Vec::new();
            Encoder::new(encoding).push(&text, true, &mut folded).expect("it fits");
            folded
        };
        let best = |run: &mut dyn FnMut()| {
            let once = |run: &mut dyn FnMut()| {
                let start = Instant::now();
                run();
                text.len() as f64 / start.elapsed().as_secs_f64() / 1e6
            };
            (0..5).map(|_| once(run)).fold(0.0, f64::max)
        };
        let bounds = Bounds { ratio: usize::MAX, block: 64 << 20, ..Bounds::default() };
        let read = best(&mut || {
            let (mut decoder, mut size) = (Decoder::new(encoding, bounds), 0);
            for piece in folded.chunks(PIECE) {
                decoder
                    .push(piece, false, &mut |text| {
                        size += black_box(text).len();
                        Ok(())
                    })
                    .expect("good");
            }
            decoder
                .push(b"", true, &mut |text| {
                    size += text.len();
                    Ok(())
                })
                .expect("good");
            assert_eq!(size, text.len());
        });
        let write = best(&mut || {
            let (mut encoder, mut out) = (Encoder::new(encoding), Vec::new());
            for piece in text.chunks(PIECE) {
                encoder.push(piece, false, &mut out).expect("good");
            }
            encoder.push(b"", true, &mut out).expect("good");
            black_box(&out);
        });
        println!("{encoding:<22?} {read:>10.0} {write:>10.0} {:>10.1}", text.len() as f64 / folded.len() as f64);
    }
}

const LINE: &str =
    "2026-01-01T00:00:00Z INFO shop order 17 paid by user 4711 in 12 ms from 10.0.0.1, next step is billing\n";

fn repeated(one: &[u8]) -> Vec<u8> {
    one.repeat(SIZE / one.len() + 1)
}

/// The best of five runs in pieces; an empty piece tells that the body ended.
fn rate(body: &[u8], mut push: impl FnMut(&[u8], &mut Vec<u8>)) -> f64 {
    let mut best: f64 = 0.0;
    let mut out = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        for piece in body.chunks(PIECE) {
            out.clear();
            push(piece, &mut out);
            black_box(&out);
        }
        best = best.max(body.len() as f64 / start.elapsed().as_secs_f64() / 1e6);
        push(b"", &mut out);
    }
    best
}

/// Records whose numbers differ, since what is all the same folds to nothing.
fn varied() -> Vec<u8> {
    let (mut out, mut state) = (Vec::new(), 1_u64);
    let mut next = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    while out.len() < SIZE {
        let level = ["INFO", "WARN", "ERROR", "DEBUG"][next(4) as usize];
        let what = ["order paid", "signed in", "cache miss", "retrying upstream"][next(4) as usize];
        let line = format!(
            "{{\"time\":\"2026-01-01T00:00:{:02}.{:03}Z\",\"level\":\"{level}\",\"message\":\"{what}\",\"user\":\"u{}\",\"took\":{},\"trace\":\"{:08x}{:08x}\"}}\n",
            next(60),
            next(1000),
            next(100_000),
            next(2000),
            next(1 << 31),
            next(1 << 31)
        );
        out.extend_from_slice(line.as_bytes());
    }
    out
}

fn document() -> Value {
    json!({"@timestamp": "2026-01-01T00:00:00Z", "message": LINE.trim(), "log.level": "INFO", "user": "ann@example.com",
        "http": {"request": {"method": "GET", "path": "/orders/17"}, "response": {"status_code": 200, "bytes": 1532}},
        "service.name": "shop", "tags": ["a", "b"]})
}

/// A resource with 500 records.
fn logs() -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let record = json!({"timeUnixNano": "1700000000000000000", "observedTimeUnixNano": "1700000000000000001",
        "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": LINE.trim()},
        "attributes": [text("http.request.method", "GET"), text("url.path", "/orders/17"),
            {"key": "http.response.status_code", "value": {"intValue": "200"}},
            text("user.email", "ann@example.com"), text("code.filepath", "/srv/shop/src/orders.rs")],
        "droppedAttributesCount": 0, "flags": 1, "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174", "eventName": ""});
    json!({"resourceLogs": [{"resource": {"attributes": [text("service.name", "shop"), text("host.name", "h-1")],
        "droppedAttributesCount": 0, "entityRefs": []},
        "scopeLogs": [{"scope": {"name": "lib", "version": "1", "attributes": [], "droppedAttributesCount": 0},
        "logRecords": vec![record; 500], "schemaUrl": ""}], "schemaUrl": ""}]})
}

/// A stream with 500 entries.
fn loki_message() -> Vec<u8> {
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
    let pair = [field(1, b"user"), field(2, b"ann")].concat();
    let entry = [field(1, &[8, 1]), field(2, LINE.trim().as_bytes()), field(3, &pair)].concat();
    let entries = field(2, &entry).repeat(500);
    field(1, &[field(1, b"{app=\"shop\", pod=\"shop-1\"}"), entries].concat())
}
