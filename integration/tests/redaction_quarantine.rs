//! Records of other tenants in exports over gRPC, from before a collector and from behind an app: they reach a quarantine, as
//! calls that it can read or, where it speaks HTTP alone, as posts, and what it says of them is counted.

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Request};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use partywall_integration::certificates::{Identity, uri};
use partywall_integration::http2::{self, App, Reply, Seen, Tls, text};
use partywall_integration::mesh::unique;
use partywall_integration::ports::free;
use partywall_integration::telemetry::proxy::{Options, Quarantine};
use partywall_integration::telemetry::unfold::unfold;
use partywall_integration::telemetry::{Arrival, Collector, Proxy};
use partywall_integration::{grpc, wait};
use prost::Message;

const REDACTION: &str = "tenants: { foreign: quarantine, unattributed: keep-masked }\n";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const PATIENCE: Duration = Duration::from_secs(15);
/// What the quarantine takes no record with: it says so behind its answer, or in its head.
const UNAVAILABLE: &str = "refuse in trailers";
const EXHAUSTED: &str = "refuse in headers";

struct Stage<Q = App> {
    proxy: Proxy,
    collector: Collector,
    quarantine: Q,
    acme: Identity,
}

/// One whose quarantine speaks gRPC alone, and one whose speaks HTTP alone.
static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let [port] = free().unwrap();
    Stage::new("redaction-quarantine-grpc", App::start(port, answered).unwrap(), Quarantine::Grpc(port))
});
static POSTED: LazyLock<Stage<Collector>> = LazyLock::new(|| {
    let quarantine = Collector::start().unwrap();
    let by = Quarantine::Http(quarantine.http);
    Stage::new("redaction-quarantine-http", quarantine, by)
});

impl<Q> Stage<Q> {
    fn new(name: &str, quarantine: Q, by: Quarantine) -> Self {
        let collector = Collector::start().unwrap();
        let options = Options {
            name,
            redaction: REDACTION,
            quarantine: Some(by),
            workload: Some("invoices"),
            ..Options::default()
        };
        let proxy = Proxy::start(&options, &collector).unwrap();
        let name = uri("spiffe://mesh.example/tenant/acme/sa/web").unwrap();
        let acme = proxy.site.certificates.issue(vec![name]).unwrap();
        Self { proxy, collector, quarantine, acme }
    }
}

fn answered(seen: &Seen) -> Reply {
    let mut reply = grpc::reply(&[b""]);
    if contains(&seen.body, UNAVAILABLE) {
        reply.trailers.insert("grpc-status", HeaderValue::from_static("14"));
    } else if contains(&seen.body, EXHAUSTED) {
        reply.headers.insert("grpc-status", HeaderValue::from_static("8"));
        (reply.body, reply.trailers) = (vec![], HeaderMap::new());
    }
    reply
}

impl<Q> Stage<Q> {
    /// Calls a method as a workload of acme; says whether it was answered well.
    fn call(&self, path: &str, run: &str, encoding: &str, message: &[u8]) -> bool {
        let (folded, message) = match encoding {
            "deflate" => (1, miniz_oxide::deflate::compress_to_vec_zlib(message, 6)),
            _ => (0, message.to_vec()),
        };
        let framed = [&[folded][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
        let request = Request::post(format!("https://collector{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-encoding", encoding)
            .header("authorization", "Bearer of-acme")
            .header("x-run", run)
            .body(())
            .unwrap();
        let tls = Tls { sni: Some("collector"), client: Some(self.acme.for_rustls()) };
        let answer = http2::send(self.proxy.guarded(), Some(tls), request, &[&framed], None).unwrap();
        let status = if answer.headers_only { &answer.headers } else { &answer.trailers };
        answer.status == 200 && text(status, "grpc-status") == "0"
    }

    /// What reached the collector of a run: one call.
    fn arrived(&self, run: &str) -> Arrival {
        let mut of_run = self.collector.of(run);
        assert_eq!(of_run.len(), 1, "{run}: {of_run:?}");
        of_run.remove(0)
    }

    /// Posts to a path as a workload of acme; says how it was answered.
    fn post(&self, path: &str, run: &str, (media, encoding): (&str, &str), body: &[u8]) -> u16 {
        let request = Request::post(format!("https://collector{path}"))
            .header("content-type", media)
            .header("content-encoding", encoding)
            .header("authorization", "Bearer of-acme")
            .header("x-run", run)
            .body(())
            .unwrap();
        let tls = Tls { sni: Some("collector"), client: Some(self.acme.for_rustls()) };
        http2::send(self.proxy.guarded(), Some(tls), request, &[body], None).unwrap().status
    }

    fn counted(&self, outcome: &str) -> f64 {
        let labels = [("carrier", "otlp_logs"), ("outcome", outcome)];
        self.proxy.envoy.metric("partywall_log_redaction_quarantined_total", &labels).unwrap_or(0.0)
    }
}

impl Stage {
    /// The one call to the quarantine with `mark` in its message, and the message.
    fn apart(&self, mark: &str) -> (Seen, Vec<u8>) {
        let with_mark = || {
            let all = self.quarantine.seen("").into_iter().map(|seen| (message(&seen), seen));
            let found: Vec<_> = all.filter(|(message, _)| contains(message, mark)).collect();
            (!found.is_empty()).then_some(found)
        };
        let mut found = wait::until(PATIENCE, with_mark).expect("the quarantine");
        assert_eq!(found.len(), 1, "{found:?}");
        let (message, seen) = found.remove(0);
        (seen, message)
    }
}

fn any(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Any::StringValue(text.to_owned())) })
}

fn of_tenant(tenant: &str) -> Vec<KeyValue> {
    vec![KeyValue { key: "tenant.id".into(), value: any(tenant) }]
}

/// Log records, each of a tenant.
fn logs(records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(tenant, text): &(&str, &str)| LogRecord {
        body: any(text),
        attributes: of_tenant(tenant),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: records.iter().map(record).collect(), ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// The message of a call, whose frame must be whole.
fn message(seen: &Seen) -> Vec<u8> {
    let (head, rest) = seen.body.split_first_chunk::<5>().unwrap();
    let [folded, length @ ..] = *head;
    assert_eq!(rest.len(), u32::from_be_bytes(length) as usize);
    let coding = text(&seen.headers, "grpc-encoding");
    unfold(if folded == 0 { "" } else { &coding }, rest).unwrap()
}

fn texts(message: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(message).unwrap();
    let records = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs).flat_map(|scope| &scope.log_records);
    let text = |record: &LogRecord| match record.body.clone()?.value? {
        Any::StringValue(text) => Some(text),
        _ => None,
    };
    records.filter_map(text).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn has(arrival: &Arrival, text: &str) -> bool {
    arrival.read.texts.iter().any(|one| one.contains(text))
}

#[test]
fn before_a_collector_records_of_others_are_a_call_of_their_own() {
    for encoding in ["identity", "deflate"] {
        let (run, mark) = (unique(), unique());
        let theirs = format!("theirs {mark}, of bob@example.com");
        let export = logs(&[("acme", "mine, of ann@example.com"), ("globex", &theirs)]);
        assert!(STAGE.call(LOGS, &run, encoding, &export), "{encoding}");
        let arrival = STAGE.arrived(&run);
        assert!(has(&arrival, "mine, of [REDACTED:email:") && !has(&arrival, "theirs"), "{:?}", arrival.read.texts);
        let (kept, told) = STAGE.apart(&mark);
        let told = texts(&told);
        assert!(told.len() == 1 && told[0].starts_with(&format!("theirs {mark}, of [REDACTED:email")), "{told:?}");
        // Nothing of the first call's head but what says what it is.
        assert_eq!(kept.path, LOGS);
        assert_eq!(text(&kept.headers, "content-type"), "application/grpc");
        assert_eq!(text(&kept.headers, "te"), "trailers");
        for gone in ["authorization", "x-run", "content-encoding"] {
            assert!(!kept.headers.contains_key(gone), "{gone}: {:?}", kept.headers);
        }
    }
}

#[test]
fn spans_of_others_as_well() {
    let (run, mark) = (unique(), unique());
    let span = |tenant: &str, name: &str| Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        attributes: of_tenant(tenant),
        ..Span::default()
    };
    let spans = vec![span("acme", "mine"), span("globex", &format!("theirs {mark}"))];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    assert!(STAGE.call(TRACES, &run, "identity", &ExportTraceServiceRequest { resource_spans }.encode_to_vec()));
    let arrival = STAGE.arrived(&run);
    assert!(has(&arrival, "mine") && !has(&arrival, "theirs"), "{:?}", arrival.read.texts);
    let (kept, told) = STAGE.apart(&mark);
    let told = ExportTraceServiceRequest::decode(&told[..]).unwrap();
    assert_eq!(kept.path, TRACES);
    assert_eq!(told.resource_spans[0].scope_spans[0].spans.len(), 1, "{told:?}");
}

/// The collector gets an empty export, which it answers.
#[test]
fn an_export_of_others_alone_reaches_the_quarantine() {
    let (run, mark) = (unique(), unique());
    assert!(STAGE.call(LOGS, &run, "identity", &logs(&[("globex", &mark), ("globex", "and more")])));
    assert_eq!(texts(&STAGE.apart(&mark).1), [mark.as_str(), "and more"]);
    assert!(!has(&STAGE.arrived(&run), &mark));
}

/// Tenants share the service, so a record that names one and mentions another is nobody's.
#[test]
fn behind_an_app_likewise() {
    let (run, mark) = (unique(), unique());
    let export = logs(&[("acme", "one"), ("globex", "two"), ("acme", &format!("{mark} at globex.shop.example"))]);
    let headers = [("x-run", run.as_str())];
    let call = grpc::call(STAGE.proxy.outbound(), "collector", LOGS, &headers, &export).unwrap();
    assert_eq!((call.answer.status, call.status.as_str()), (200, "0"));
    let arrival = STAGE.arrived(&run);
    assert!(has(&arrival, "one") && has(&arrival, "two") && !has(&arrival, &mark), "{:?}", arrival.read.texts);
    let (kept, told) = STAGE.apart(&mark);
    assert_eq!((kept.path.as_str(), texts(&told).len()), (LOGS, 1));
}

/// The status of HTTP is 200 whatever became of a call.
#[test]
fn a_call_that_the_quarantine_refuses_is_counted_as_failed() {
    for (refused, failed) in [("taken", 0.0), (UNAVAILABLE, 1.0), (EXHAUSTED, 1.0)] {
        let (run, mark, before) = (unique(), unique(), STAGE.counted("failed"));
        let sent = STAGE.counted("sent");
        let theirs = format!("{mark} {refused}");
        assert!(STAGE.call(LOGS, &run, "identity", &logs(&[("globex", &theirs)])));
        STAGE.apart(&mark);
        let counted = || (STAGE.counted("failed") - before, STAGE.counted("sent") - sent);
        // Other tests send meanwhile, and none of theirs fails.
        let right = || Some(()).filter(|()| counted().0 == failed && (failed > 0.0 || counted().1 >= 1.0));
        assert!(wait::until(PATIENCE, right).is_some(), "{refused}: {:?}", counted());
    }
}

/// It gets neither frames nor what belongs to them.
#[test]
fn a_quarantine_that_speaks_http_alone_gets_calls_as_posts() {
    for encoding in ["identity", "deflate"] {
        let (run, mark) = (unique(), unique());
        let theirs = format!("theirs {mark}, of bob@example.com");
        assert!(POSTED.call(LOGS, &run, encoding, &logs(&[("acme", "mine"), ("globex", &theirs)])), "{encoding}");
        assert!(has(&POSTED.arrived(&run), "mine"));
        let kept = || POSTED.quarantine.of("").into_iter().find(|arrival| has(arrival, &mark));
        let kept = wait::until(PATIENCE, kept).expect("the quarantine");
        assert_eq!((kept.path.as_str(), &kept.damage), ("/v1/logs", &None));
        assert!(
            has(&kept, &format!("theirs {mark}, of [REDACTED:email")) && !has(&kept, "mine"),
            "{:?}",
            kept.read.texts
        );
        let header = |name: &str| kept.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
        assert_eq!(header("content-type"), Some("application/x-protobuf"));
        assert_eq!(header("content-encoding"), Some(encoding).filter(|encoding| *encoding != "identity"));
        for gone in ["authorization", "x-run", "te", "grpc-encoding"] {
            assert_eq!(header(gone), None, "{gone}");
        }
    }
    let counted = || (POSTED.counted("sent"), POSTED.counted("failed"));
    assert!(wait::until(PATIENCE, || Some(()).filter(|()| counted() == (2.0, 0.0))).is_some(), "{:?}", counted());
}

#[test]
fn a_quarantine_that_speaks_grpc_alone_gets_posts_of_protobuf_as_calls_and_nothing_else() {
    for encoding in ["identity", "deflate"] {
        let (run, mark) = (unique(), unique());
        let export = logs(&[("acme", "mine"), ("globex", &mark)]);
        let body =
            if encoding == "deflate" { miniz_oxide::deflate::compress_to_vec_zlib(&export, 6) } else { export.clone() };
        assert_eq!(STAGE.post("/v1/logs", &run, ("application/x-protobuf", encoding), &body), 200, "{encoding}");
        let (kept, told) = STAGE.apart(&mark);
        assert_eq!((kept.path.as_str(), texts(&told)), (LOGS, vec![mark]));
        assert_eq!(text(&kept.headers, "content-type"), "application/grpc");
        assert_eq!(text(&kept.headers, "te"), "trailers");
    }
    // Counted apart from what other tests send: of another carrier.
    let failed = || {
        let labels = [("carrier", "loki"), ("outcome", "failed")];
        STAGE.proxy.envoy.metric("partywall_log_redaction_quarantined_total", &labels).unwrap_or(0.0)
    };
    let (run, mark) = (unique(), unique());
    let push = format!(r#"{{"streams":[{{"stream":{{"tenant":"globex"}},"values":[["1","{mark}"]]}}]}}"#);
    STAGE.post("/loki/api/v1/push", &run, ("application/json", "identity"), push.as_bytes());
    assert!(wait::until(PATIENCE, || Some(()).filter(|()| failed() == 1.0)).is_some(), "{} failed", failed());
    assert!(!STAGE.quarantine.seen("").iter().any(|seen| contains(&seen.body, &mark)));
}
