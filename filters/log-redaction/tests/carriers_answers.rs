//! What a client is told: that it is not to send a refused body again, or that all is well where nothing is left.

#[path = "common/kinds.rs"]
mod kinds;
#[path = "common/script.rs"]
mod script;

use kinds::kinds;
use partywall_log_redaction::carriers::{Action, Carrier, Cause, Item, Kind, Limits, Refusal, Signal};
use partywall_log_redaction::encodings::Encoding;
use prost::Message;
use script::{Ending, Script};
use serde_json::{Value, json};

const REFUSAL: Refusal = Refusal { cause: Cause::Length, what: "a \"field\" is too long" };

/// google/rpc/status.proto.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[test]
fn a_refusal_is_final_in_the_words_of_each_format() {
    let words = "the telemetry was refused: length: a \"field\" is too long";
    for (name, kind) in kinds() {
        let answer = kind.refused(&REFUSAL);
        let json = || serde_json::from_slice::<Value>(&answer.body).unwrap();
        match kind {
            Kind::OtlpGrpc(..) => {
                assert_eq!((answer.status, answer.content_type), (200, Some("application/grpc")));
                assert_eq!(answer.grpc, Some((3, words.to_owned())));
                continue;
            }
            Kind::OtlpBinary(_) => {
                assert_eq!(answer.content_type, Some("application/x-protobuf"));
                let status = Status { code: 3, message: words.into() };
                assert_eq!(Status::decode(&*answer.body), Ok(status));
            }
            Kind::OtlpJson(_) => assert_eq!(json(), json!({"code": 3, "message": words})),
            Kind::Bulk => {
                assert_eq!(json()["error"]["reason"], words);
                assert_eq!(json()["error"]["root_cause"][0]["type"], "illegal_argument_exception");
                assert_eq!(json()["status"], 400);
            }
            Kind::HecEvent | Kind::HecRaw => assert_eq!(json()["code"], 6),
            _ => assert_eq!(answer.body, format!("{words}\n").into_bytes()),
        }
        // Clients of Elasticsearch take what lacks it for another product's.
        let product = matches!(kind, Kind::Bulk).then_some(("x-elastic-product", "Elasticsearch"));
        assert_eq!(answer.product, product, "{name}");
        // 429 and 5xx would be sent again.
        assert_eq!(answer.status, 400, "{name}");
    }
}

#[test]
fn where_nothing_is_left_the_client_hears_that_all_is_well() {
    let drop_all = vec![Ending { unit: "record".into(), drop: true, ..Ending::default() }];
    let body = b"{\"index\":{}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"1\"}}\n{\"create\":{}}\nno json\n";
    let (mut carrier, mut out) = (Carrier::new(Kind::Bulk, Limits::default()), Vec::new());
    assert!(!carrier.counts().nothing_left());
    carrier.push(body, true, &mut Script::new(Vec::new(), drop_all), &mut out).unwrap();
    assert!(out.is_empty() && carrier.counts().nothing_left());
    let item = |action| Item { action, went: false };
    assert_eq!(carrier.items(), [item(Action::Index), item(Action::Delete), item(Action::Create)]);
    let answer = carrier.accepted();
    assert_eq!(answer.product, Some(("x-elastic-product", "Elasticsearch")));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let noop = json!({"_index": "", "_id": "", "result": "noop", "status": 200});
    assert_eq!(told["items"], json!([{"index": noop}, {"delete": noop}, {"create": noop}]));
    assert_eq!((answer.status, &told["errors"]), (200, &json!(false)));

    for (kind, status, body) in [
        (Kind::OtlpBinary(Signal::Logs), 200, &b""[..]),
        (Kind::OtlpJson(Signal::Logs), 200, b"{}"),
        (Kind::OtlpGrpc(Signal::Logs, Encoding::Gzip), 200, &[0; 5]),
        (Kind::LokiBinary, 204, b""),
        (Kind::HecEvent, 200, b"{\"text\":\"Success\",\"code\":0}"),
        (Kind::Zipkin, 202, b""),
    ] {
        let answer = Carrier::new(kind, Limits::default()).accepted();
        assert_eq!((answer.status, &*answer.body), (status, body), "{kind:?}");
    }
}

#[test]
fn of_a_bulk_request_that_went_on_in_part_a_client_hears_of_every_action() {
    let secret = Ending { unit: "record".into(), text: Some("secret".into()), drop: true, ..Ending::default() };
    let body = b"{\"index\":{}}\n{\"a\":\"secret\"}\n{\"create\":{}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"1\"}}\n\
        {\"index\":{}}\n{\"a\":\"secret\"}\n";
    let (mut carrier, mut out) = (Carrier::new(Kind::Bulk, Limits::default()), Vec::new());
    carrier.push(body, true, &mut Script::new(Vec::new(), vec![secret]), &mut out).unwrap();
    assert!(carrier.lacks_items());
    let went: Vec<_> = carrier.items().iter().map(|item| item.went).collect();
    assert_eq!(went, [false, true, true, false]);
    let server = br#"{ "took" : 3, "errors" : true, "items" : [ {"create":{"status":409}} , {"delete":{"status":200}} ], "x":[] }"#;
    let told: Value = serde_json::from_slice(&carrier.answered(server).unwrap()).unwrap();
    let noop = json!({"_index": "", "_id": "", "result": "noop", "status": 200});
    let items = json!([{"index": noop}, {"create": {"status": 409}}, {"delete": {"status": 200}}, {"index": noop}]);
    assert_eq!(told, json!({"took": 3, "errors": true, "items": items, "x": []}));

    // An answer of another kind stays as it is.
    for other in [
        &br#"{"error":{"type":"x"},"status":400}"#[..],
        br#"{"items":[{"create":{}}]}"#,
        br#"{"items":[{"create":{}},{"delete":{}},{"index":{}}]}"#,
        br#"{"items":[{"create":{}},{"delete":{}}]"#,
        br#"{"items":[{"create":{}},{"delete":{}}]} x"#,
        br#"{"items":{}}"#,
        br#"[]"#,
        b"",
    ] {
        assert_eq!(carrier.answered(other), None, "{}", other.escape_ascii());
    }
}

#[test]
fn what_was_refused_stays_refused() {
    let (mut carrier, mut out) = (Carrier::new(Kind::JsonArray, Limits::default()), Vec::new());
    let mut script = Script::default();
    let refusal = carrier.push(b"[{}, {]", false, &mut script, &mut out).unwrap_err();
    assert_eq!(carrier.push(b"", true, &mut script, &mut out), Err(refusal));
    assert!(out.is_empty(), "of a piece that is refused nothing goes on");
}
