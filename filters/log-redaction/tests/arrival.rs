//! What a request is, by its head.

use partywall_log_redaction::arrival::{Arrival, Form, Head, Passing, Route, arrival, usual};
use partywall_log_redaction::carriers::{Cause, Kind, Signal};
use partywall_log_redaction::encodings::Encoding;

fn routes() -> Vec<Route> {
    let route = |path: &str, carrier| Route { path: path.into(), carrier };
    vec![route("/ingest", Form::Ndjson), route("/app/{index}/logs", Form::JsonArray), route("/raw/*", Form::Lines)]
}

fn of<'h>(method: &'h str, path: &'h str, media: &'h str, encodings: &'h [&'h [u8]]) -> Arrival<'h> {
    let head = Head {
        method: method.as_bytes(),
        path: path.as_bytes(),
        content_type: (!media.is_empty()).then_some(media.as_bytes()),
        content_encoding: if media.contains("grpc") { &[] } else { encodings },
        grpc_encoding: if media.contains("grpc") { encodings } else { &[] },
    };
    let passing = [Passing { method: "GET".into(), path: "/ready".into() }];
    arrival(&routes(), &passing, &head)
}

fn telemetry(arrival: Arrival<'_>) -> (Kind, Encoding) {
    match arrival {
        Arrival::Telemetry { kind, encoding, .. } => (kind, encoding),
        other => panic!("{other:?}"),
    }
}

#[test]
fn telemetry_is_known_by_its_path_and_content_type() {
    let plain = Encoding::Identity;
    let cases = [
        ("/v1/logs", "application/x-protobuf", "", Kind::OtlpBinary(Signal::Logs), plain),
        ("/v1/traces", "application/json; charset=utf-8", "gzip", Kind::OtlpJson(Signal::Traces), Encoding::Gzip),
        ("/v1/metrics?x=1", "Application/JSON", "", Kind::OtlpJson(Signal::Metrics), plain),
        ("/loki/api/v1/push", "application/json", "gzip", Kind::LokiJson, Encoding::Gzip),
        // Loki takes what is not JSON for protobuf, under snappy whether the head says so or not.
        ("/loki/api/v1/push", "text/plain", "", Kind::LokiBinary, Encoding::Snappy),
        ("/loki/api/v1/push", "application/x-protobuf", "snappy", Kind::LokiBinary, Encoding::Snappy),
        ("/_bulk", "application/x-ndjson", "", Kind::Bulk, plain),
        ("/orders/_bulk", "application/vnd.elasticsearch+x-ndjson; compatible-with=8", "", Kind::Bulk, plain),
        ("/services/collector", "", "", Kind::HecEvent, plain),
        ("/services/collector/raw?channel=1", "", "zstd", Kind::HecRaw, Encoding::Zstd),
        ("/api/v2/spans", "application/json", "", Kind::Zipkin, plain),
        ("/ingest", "", "", Kind::Ndjson, plain),
        ("/raw/a/b", "", "", Kind::Lines, plain),
    ];
    for (path, media, encoded, kind, encoding) in cases {
        let encoded = [encoded.as_bytes()];
        assert_eq!(telemetry(of("POST", path, media, &encoded)), (kind, encoding), "{path}");
    }
    let grpc =
        of("POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc", &[b"gzip"]);
    assert_eq!(telemetry(grpc), (Kind::OtlpGrpc(Signal::Traces, Encoding::Gzip), plain));
}

#[test]
fn the_index_of_a_path_is_told() {
    for (path, wanted) in [("/orders-acme/_bulk", "orders-acme"), ("/app/x/logs", "x")] {
        let Arrival::Telemetry { index, .. } = of("PUT", path, "", &[]) else { panic!("{path}") };
        assert_eq!(index, Some(wanted.as_bytes()));
    }
    assert!(matches!(of("POST", "/_bulk", "", &[]), Arrival::Telemetry { index: None, .. }));
}

#[test]
fn what_a_route_leaves_open_is_told() {
    let Arrival::Telemetry { rest, .. } = of("POST", "/raw/a/b?c", "", &[]) else { panic!() };
    assert_eq!(rest, Some(&b"a/b"[..]));
    let open = [Route { path: "/*".into(), carrier: Form::Lines }];
    let head = Head { method: b"POST", path: b"/v1/logs", content_type: Some(b"application/json"), ..Head::default() };
    let Arrival::Telemetry { kind, .. } = arrival(&open, &[], &head) else { panic!() };
    assert_eq!(kind, Kind::OtlpJson(Signal::Logs), "an open route does not take what a format is known by");
}

#[test]
fn what_nobody_listed_may_not_go_on() {
    assert_eq!(of("GET", "/ready", "", &[]), Arrival::Passes);
    assert_eq!(of("GET", "/ready?all", "", &[]), Arrival::Passes);
    let unknown = [
        ("POST", "/ready"),
        ("HEAD", "/ready"),
        ("GET", "/_search"),
        ("GET", "/v1/logs"),
        ("DELETE", "/_bulk"),
        ("POST", "/v1/logs/"),
        ("POST", "//v1/logs"),
        ("POST", "/x/../v1/logs"),
        ("POST", "/./_bulk"),
        ("POST", "/v1%2flogs"),
        ("POST", "/%3Clogs%3E/_bulk"),
        ("POST", "/v1/logs;x"),
        ("POST", "v1/logs"),
        ("POST", "/a/b/_bulk"),
        ("POST", "/raw"),
        ("POST", ""),
    ];
    for (method, path) in unknown {
        assert_eq!(of(method, path, "application/json", &[]), Arrival::Unknown, "{method} {path}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_its_own_terms() {
    let told = |arrival| match arrival {
        Arrival::Refused { kind, refusal, .. } => (kind, refusal.cause),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(of("POST", "/v1/logs", "text/plain", &[])), (Kind::OtlpBinary(Signal::Logs), Cause::Undecodable));
    assert_eq!(told(of("POST", "/v1/logs", "", &[])).1, Cause::Undecodable);
    assert_eq!(told(of("POST", "/_bulk", "", &[b"br"])), (Kind::Bulk, Cause::Encoding));
    assert_eq!(told(of("POST", "/_bulk", "", &[b"gzip, gzip"])).1, Cause::Encoding);
    // Loki would undo it before snappy.
    assert_eq!(told(of("POST", "/loki/api/v1/push", "", &[b"gzip"])), (Kind::LokiBinary, Cause::Encoding));
    assert_eq!(told(of("POST", "/loki/api/v1/push", "", &[b"deflate"])).1, Cause::Encoding);
    assert_eq!(told(of("POST", "/api/v2/spans", "application/x-protobuf", &[])), (Kind::Zipkin, Cause::Undecodable));
    let grpc = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let brotli = told(of("POST", grpc, "application/grpc", &[b"br"]));
    assert_eq!(brotli, (Kind::OtlpGrpc(Signal::Logs, Encoding::Identity), Cause::Encoding));
    let twice = Head {
        method: b"POST",
        path: grpc.as_bytes(),
        content_type: Some(b"application/grpc"),
        content_encoding: &[b"gzip"],
        grpc_encoding: &[],
    };
    assert_eq!(told(arrival(&[], &[], &twice)).1, Cause::Encoding, "a body of gRPC that is encoded as a whole");
}

#[test]
fn routes_can_be_or_not() {
    let can = |path: &str| Route { path: path.into(), carrier: Form::Lines }.can_be();
    for (path, _) in usual() {
        assert!(can(path), "{path}");
    }
    for path in ["", "x", "/a*", "/*/a", "/{index}/{index}", "/{name}/a", "/a?b", "/a%20b"] {
        assert!(!can(path), "{path}");
    }
}
