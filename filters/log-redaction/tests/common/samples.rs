//! A body for each carrier, in which `z-q` stands in many places.
#![allow(dead_code, unreachable_pub, reason = "each test takes its part")]

use partywall_log_redaction::carriers::{Kind, Signal};
use prost::Message;

use crate::kinds::wire;
use crate::telemetry::Random;

pub fn sample(kind: Kind, random: &mut Random) -> Vec<u8> {
    match kind {
        Kind::OtlpBinary(Signal::Logs) => random.logs().encode_to_vec(),
        Kind::OtlpBinary(Signal::Traces) => random.traces().encode_to_vec(),
        Kind::OtlpBinary(Signal::Metrics) => random.metrics().encode_to_vec(),
        Kind::OtlpJson(Signal::Logs) => serde_json::to_vec(&random.logs()).unwrap(),
        Kind::OtlpJson(Signal::Traces) => serde_json::to_vec(&random.traces()).unwrap(),
        Kind::OtlpJson(Signal::Metrics) => serde_json::to_vec(&random.metrics()).unwrap(),
        Kind::OtlpGrpc(signal, _) => {
            let message = sample(Kind::OtlpBinary(signal), random);
            [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat()
        }
        Kind::LokiBinary => {
            let words = r#"[{"labels":"{app=\"z-q\", pod=`p z-q`}","entries":[["line z-q",{"k":"z-q"}],["b",{}]]},
                {"labels":"{z-q=\"x\\x41\"}","entries":[]}]"#;
            wire(kind, words)
        }
        Kind::LokiJson => br#"{"streams": [{"stream":{"app":"z-q"},"values":[["17","a z-q",{"k":"z-q"}] , ["18","\u007a-q"]]}, {"values":[],"stream":{}}],"more":["z-q"]}"#
            .to_vec(),
        Kind::Bulk => b"{\"index\":{\"_index\":\"z-q\",\"_id\":\"1\"}}\n{\"a\":\"z-q\",\"b\":[\"z-q\",2]}\n{\"delete\":{\"_id\":\"z-q\"}}\n{\"update\":{}}\r\n{\"doc\":{\"z-q\":1}}\r\n"
            .to_vec(),
        Kind::HecEvent => br#"{"time":1,"event":{"a":"z-q"},"fields":{"f":"z-q"}} {"event":"z-q","index":"m"}{"event":1}"#.to_vec(),
        Kind::HecRaw | Kind::Lines => b"<34>1 2003-10-11T22:14:15Z z-q.example su 1 ID [z-q@1 k=\"a z-q\\\"\" l=\"\"][b c=\"d\"] z-q\n<13>Oct 11 22:14:15 z-q su[1]: z-q\nplain z-q\r\n{\"j\":\"\\u007a-q\"}\nlast z-q"
            .to_vec(),
        Kind::Ndjson => b"{\"a\":\"z-q\",\"z-q\":{\"b\":[\"z-q\",null,\"\\u007a\\u0071\"]}}\n\n\"z-q\"\n[{\"c\":1.5e3},\"z-q\"]\n{\"d\":true}"
            .to_vec(),
        Kind::JsonArray => br#"[ {"a":"z-q"} , ["z-q",{"z-q":"\u007a-q"}],7 , "z-q" ]"#.to_vec(),
        Kind::Zipkin => br#"[{"traceId":"5af7183fb1d4cf5f","id":"352bff9a74ca9ad2","name":"z-q","localEndpoint":{"serviceName":"z-q","ipv4":"10.0.0.1"},"annotations":[{"timestamp":1,"value":"z-q"}],"tags":{"z-q":"z-q"}}]"#
            .to_vec(),
    }
}
