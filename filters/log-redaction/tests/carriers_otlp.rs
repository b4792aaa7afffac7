//! Messages of OTLP, made up: what is spliced is what prost decodes, changes and encodes; what nobody changed goes on byte
//! by byte; both in the binary and in the JSON form, whatever the pieces.

#[path = "common/messages.rs"]
mod messages;
#[path = "common/script.rs"]
mod script;
#[path = "common/telemetry.rs"]
mod telemetry;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use partywall_log_redaction::carriers::{Body, Carrier, Kind, Limits, Signal};
use partywall_log_redaction::encodings::{self, Bounds, Encoder, Encoding};
use prost::Message;
use script::{Answer, Ending, Script};
use serde_json::Value;
use telemetry::Random;

const LONG: &str = "[what stands for it is longer than what was there]";

/// `z-q` is replaced wherever it stands, by something longer or by nothing.
fn answers(to: &str) -> Vec<Answer> {
    vec![Answer { text: Some("z-q".into()), to: Some(to.into()), ..Answer::default() }]
}

fn through(kind: Kind, body: &[u8], size: usize, script: &mut Script) -> Vec<u8> {
    let (mut carrier, mut out) = (Carrier::new(kind, Limits::default()), Vec::new());
    for piece in body.chunks(size) {
        carrier.push(piece, false, script, &mut out).unwrap();
    }
    carrier.push(b"", true, script, &mut out).unwrap();
    out
}

/// The same in a value that serde made of a message.
fn replaced(value: &mut Value, to: &str) {
    match value {
        Value::String(text) => *text = text.replace("z-q", to),
        Value::Array(items) => items.iter_mut().for_each(|item| replaced(item, to)),
        Value::Object(members) => members.values_mut().for_each(|member| replaced(member, to)),
        _ => {}
    }
}

fn check<M: Message + std::fmt::Debug + Default + PartialEq + serde::Serialize + serde::de::DeserializeOwned>(
    signal: Signal,
    make: impl Fn(&mut Random) -> M,
) {
    let mut random = Random(42);
    let mut changed = 0;
    for nth in 0..300 {
        let message = make(&mut random);
        let (binary, json) = (message.encode_to_vec(), serde_json::to_vec(&message).unwrap());
        let size = 1 + random.below(binary.len() + 1);
        let kinds = [(Kind::OtlpBinary(signal), &binary), (Kind::OtlpJson(signal), &json)];
        for (kind, body) in kinds {
            for looks in [false, true] {
                let mut script = Script::default();
                script.looks = looks;
                assert_eq!(&through(kind, body, size, &mut script), body, "{nth} {kind:?}");
            }
        }
        for to in [LONG, "", "x"] {
            let mut value = serde_json::to_value(&message).unwrap();
            let same: M = serde_json::from_value(value.clone()).unwrap();
            assert!(same == message, "serde takes {nth} for what it is");
            replaced(&mut value, to);
            let expected: M = serde_json::from_value(value.clone()).unwrap();
            changed += usize::from(expected != message);
            let mut script = Script::new(answers(to), Vec::new());
            let out = through(Kind::OtlpBinary(signal), &binary, size, &mut script);
            let out = M::decode(&*out).unwrap_or_else(|error| panic!("{nth}: {error}"));
            assert!(out == expected, "{nth}, to `{to}`:\n{out:?}\n{expected:?}");
            let mut script = Script::new(answers(to), Vec::new());
            let out = through(Kind::OtlpJson(signal), &json, size, &mut script);
            assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), value, "{nth}, to `{to}`");
        }
    }
    assert!(changed > 300, "{changed}");
}

#[test]
fn logs_are_spliced_as_prost_changes_them() {
    check(Signal::Logs, Random::logs);
}

#[test]
fn spans_are_spliced_as_prost_changes_them() {
    check(Signal::Traces, Random::traces);
}

#[test]
fn metrics_are_spliced_as_prost_changes_them() {
    check(Signal::Metrics, Random::metrics);
}

/// Records are left out, their scopes and resources where none is left, and others are told something.
#[test]
fn records_are_left_out_and_told() {
    let mut random = Random(7);
    let (mut gone, mut left) = (0, 0);
    for nth in 0..400 {
        let message = random.logs();
        let mut expected = message.clone();
        for resource in &mut expected.resource_logs {
            for scope in &mut resource.scope_logs {
                let before = scope.log_records.len();
                scope.log_records.retain(|record| record.severity_text != "drop me");
                gone += before - scope.log_records.len();
                left += scope.log_records.len();
                if before > 0 && scope.log_records.is_empty() {
                    scope.schema_url = "GONE".into();
                }
                for record in &mut scope.log_records {
                    record.attributes.retain(|attribute| attribute.key != "user");
                    let value = serde_json::json!({"key": "user", "value": {"stringValue": "told"}});
                    record.attributes.push(serde_json::from_value(value).unwrap());
                }
            }
            let before = resource.scope_logs.len();
            resource.scope_logs.retain(|scope| scope.schema_url != "GONE");
            if before > 0 && resource.scope_logs.is_empty() {
                resource.schema_url = "GONE".into();
            }
        }
        expected.resource_logs.retain(|resource| resource.schema_url != "GONE");
        let json = serde_json::to_vec(&message).unwrap();
        let endings = vec![
            Ending { unit: "record".into(), text: Some("drop me".into()), drop: true, ..Ending::default() },
            Ending { unit: "record".into(), tags: [("user".into(), "told".into())].into(), ..Ending::default() },
        ];
        // Only the severity says that a record goes.
        let mut other = message.clone();
        for record in other.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records) {
            let severity = std::mem::take(&mut record.severity_text);
            let mut value = serde_json::to_value(&*record).unwrap();
            dropless(&mut value);
            *record = serde_json::from_value(value).unwrap();
            record.severity_text = severity;
        }
        for record in expected.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records)
        {
            let mut value = serde_json::to_value(&*record).unwrap();
            dropless(&mut value);
            *record = serde_json::from_value(value).unwrap();
        }
        let mut script = Script::new(Vec::new(), endings.clone());
        let out = through(Kind::OtlpBinary(Signal::Logs), &other.encode_to_vec(), 50, &mut script);
        let out = Logs::decode(&*out).unwrap();
        assert_eq!(out, expected, "{nth}");
        let json_of_other = serde_json::to_vec(&other).unwrap();
        let mut script = Script::new(Vec::new(), endings);
        let out = through(Kind::OtlpJson(Signal::Logs), &json_of_other, 50, &mut script);
        assert_eq!(
            serde_json::from_slice::<Logs>(&out).unwrap(),
            expected,
            "{nth}: {}",
            String::from_utf8_lossy(&json)
        );
    }
    assert!(gone > 30 && left > 300, "{gone} {left}");
}

fn dropless(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("drop me", "stay"),
        Value::Array(items) => items.iter_mut().for_each(dropless),
        Value::Object(members) => members.values_mut().for_each(dropless),
        _ => {}
    }
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn encode(encoding: Encoding, text: &[u8]) -> Vec<u8> {
    if encoding == Encoding::Zstd {
        return ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest);
    }
    let mut out = Vec::new();
    Encoder::new(encoding).push(text, true, &mut out).unwrap();
    out
}

#[test]
fn messages_of_grpc_keep_their_encoding_or_say_that_they_have_none() {
    let mut random = Random(5);
    for nth in 0..60 {
        let message = random.logs();
        let plain = message.encode_to_vec();
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Snappy, Encoding::SnappyFramed] {
            let kind = Kind::OtlpGrpc(Signal::Logs, encoding);
            let body = [frame(1, &encode(encoding, &plain)), frame(0, &plain)].concat();
            let out = through(kind, &body, 1 + random.below(200), &mut Script::default());
            assert_eq!(out, body, "{nth} {encoding:?}");
            let out = through(kind, &body, 17, &mut Script::new(answers(LONG), Vec::new()));
            let mut script = Script::new(answers(LONG), Vec::new());
            let expected = through(Kind::OtlpBinary(Signal::Logs), &plain, 1000, &mut script);
            let (mut rest, mut count) = (&out[..], 0);
            while !rest.is_empty() {
                let size = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
                let mut text = Vec::new();
                if rest[0] == 1 {
                    encodings::decode(encoding, &rest[5..5 + size], Bounds::default(), &mut text).unwrap();
                } else {
                    text.extend_from_slice(&rest[5..5 + size]);
                }
                assert_eq!(text, expected, "{nth} {encoding:?}");
                rest = &rest[5 + size..];
                count += 1;
            }
            assert_eq!(count, 2);
        }
    }
}

#[test]
fn encoded_bodies_go_through_and_come_out_as_they_are_said_to() {
    let mut random = Random(9);
    for nth in 0..40 {
        let plain = random.traces().encode_to_vec();
        let kind = Kind::OtlpBinary(Signal::Traces);
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Snappy] {
            let wire = encode(encoding, &plain);
            for to in [None, Some(LONG)] {
                let answers = to.map(answers).unwrap_or_default();
                let mut script = Script::new(answers.clone(), Vec::new());
                let expected = through(kind, &plain, 1000, &mut Script::new(answers, Vec::new()));
                let mut body = Body::new(kind, encoding, Limits::default(), Bounds::default());
                let mut out = Vec::new();
                for piece in wire.chunks(1 + random.below(300)) {
                    body.push(piece, false, &mut script, &mut out).unwrap();
                }
                body.push(b"", true, &mut script, &mut out).unwrap();
                let mut text = Vec::new();
                encodings::decode(encoding.written(), &out, Bounds::default(), &mut text).unwrap();
                assert_eq!(text, expected, "{nth} {encoding:?}");
                if encoding == Encoding::Snappy && expected == plain {
                    assert_eq!(out, wire, "a block that nobody changed");
                }
            }
        }
    }
}
