//! Real exporters before a real Envoy: what is personal, secret or another tenant's reaches no collector, the rest does, and
//! no exporter is the worse for it.
//!
//! Each program (`integration/telemetry/`) sends twice: once by a listener without the filter, where every mark must arrive,
//! so that it is known to have been sent; and once by the one with it.

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use partywall_integration::telemetry::proxy::{Options, Quarantine};
use partywall_integration::telemetry::sent::{send, told};
use partywall_integration::telemetry::{Collector, Listener, Proxy};
use partywall_integration::wait;
use serde_json::{Value, json};

/// What the directory says of telemetry.
const REDACTION: &str = r#"
detectors: { without: [coordinates] }
replace: { default: mask }
tenants:
  templates:
    - { slots: [index], template: "logs-{tenant}-*" }
    - { path: "**.url.path", template: "/t/{tenant}/*" }
    - { path: "**.messaging.destination.name", template: "{tenant}.*" }
  foreign: drop
  unattributed: keep-masked
# By which clients of Elasticsearch ask what it is.
passing: [{ method: GET, path: / }]
"#;

/// Who sends, and how it compresses.
const SENDERS: [(Option<&str>, &str); 3] = [(None, "gzip"), (Some("acme"), "none"), (Some("globex"), "deflate")];

struct Stage {
    proxy: Proxy,
    collector: Collector,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let collector = Collector::start().unwrap();
    let options = Options { name: "redaction-exporters", redaction: REDACTION, ..Options::default() };
    Stage { proxy: Proxy::start(&options, &collector).unwrap(), collector }
});

impl Stage {
    /// Lets a program send by both listeners as each sender; says all that is wrong at once.
    #[track_caller]
    fn holds(&self, program: &str, argument: &str) {
        let mut wrong = Vec::new();
        for (sender, compression) in SENDERS {
            let who = sender.unwrap_or("shared");
            for listener in [Listener::Open, Listener::Guarded] {
                let found = self.wrong(listener, program, argument, sender, compression);
                wrong.extend(found.into_iter().map(|what| format!("{who}, {listener:?}: {what}")));
            }
        }
        assert!(wrong.is_empty(), "{program} {argument}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
    }

    fn wrong(
        &self,
        listener: Listener,
        program: &str,
        argument: &str,
        sender: Option<&str>,
        compression: &str,
    ) -> Vec<String> {
        let plan = self.proxy.plan(listener, sender, compression);
        let sent = match send(program, argument, &plan) {
            Ok(sent) => sent,
            Err(error) => return vec![format!("{error:#}")],
        };
        // Each mark stands in the list once: enough of them, or the program tells of nothing.
        assert!(sent.secrets.len() > 9 && sent.gone.len() > 4 && sent.kept.len() > 4, "{sent:?}");
        let found = sent.look_in(&self.collector.of(&plan.run)).unwrap();
        let mut wrong = sent.failures();
        wrong.extend(all("could not be read", &found.damage));
        wrong.extend(all("is missing", &sent.missing(&sent.kept, &found)));
        wrong.extend(sent.torn(&found));
        if listener == Listener::Open {
            wrong.extend(all("was not sent", &sent.missing(&sent.secrets, &found)));
            wrong.extend(all("was not sent", &sent.missing(&sent.gone, &found)));
        } else {
            wrong.extend(all("leaked", &sent.arrived(&sent.secrets, &found)));
            wrong.extend(all("leaked, of another tenant's record", &sent.arrived(&sent.gone, &found)));
        }
        wrong
    }
}

fn all<T: Display>(what: &str, of: &[T]) -> Vec<String> {
    of.iter().map(|one| format!("{what}: {one}")).collect()
}

#[test]
fn opentelemetry_over_http() {
    STAGE.holds("otlp", "http");
}

#[test]
fn opentelemetry_over_grpc() {
    STAGE.holds("otlp", "grpc");
}

#[test]
fn batches_of_an_app_over_http() {
    STAGE.holds("batches", "http");
}

#[test]
fn batches_of_an_app_over_grpc() {
    STAGE.holds("batches", "grpc");
}

#[test]
fn otlp_that_no_sdk_of_python_writes() {
    STAGE.holds("bare", "protobuf");
}

#[test]
fn otlp_that_no_sdk_of_python_writes_over_grpc() {
    STAGE.holds("bare", "grpc");
}

#[test]
fn otlp_in_json() {
    STAGE.holds("bare", "json");
}

#[test]
fn loki_an_entry_a_push() {
    STAGE.holds("loki", "plain");
}

#[test]
fn loki_with_structured_metadata() {
    STAGE.holds("loki", "folded");
}

#[test]
fn loki_in_protobuf_and_snappy() {
    STAGE.holds("loki", "protobuf");
}

#[test]
fn elasticsearch_in_bulk() {
    STAGE.holds("bulk", "elasticsearch");
}

#[test]
fn opensearch_in_bulk() {
    STAGE.holds("bulk", "opensearch");
}

#[test]
fn zipkin() {
    STAGE.holds("others", "zipkin");
}

#[test]
fn splunk_event_collector() {
    STAGE.holds("others", "hec");
}

/// Records that name another tenant go to a collector of their own, without what is personal, and all others do not.
#[test]
fn quarantined_records_reach_a_collector_of_their_own() {
    let (collector, apart) = (Collector::start().unwrap(), Collector::start().unwrap());
    let redaction = REDACTION.replace("foreign: drop", "foreign: quarantine");
    let options = Options {
        name: "redaction-quarantine",
        redaction: &redaction,
        quarantine: Some(Quarantine::Http(apart.http)),
        ..Options::default()
    };
    let proxy = Proxy::start(&options, &collector).unwrap();
    let mut wrong = Vec::new();
    for (program, argument) in [("otlp", "http"), ("loki", "folded"), ("bulk", "elasticsearch"), ("others", "hec")] {
        for (sender, compression) in SENDERS {
            let plan = proxy.plan(Listener::Guarded, sender, compression);
            let sent = send(program, argument, &plan).unwrap();
            let found = sent.look_in(&collector.of(&plan.run)).unwrap();
            // It is sent after the answer to its client, and says nothing of whom it is of.
            let look = || sent.look_in(&apart.of("")).unwrap();
            let there = || Some(look()).filter(|found| sent.missing(&sent.gone, found).is_empty());
            let kept_apart = wait::until(Duration::from_secs(10), there).unwrap_or_else(look);
            let personal: Vec<_> = sent.secrets.iter().filter(|mark| !mark.is_name()).cloned().collect();
            let mut new = sent.failures();
            new.extend(all("could not be read", &[found.damage.clone(), kept_apart.damage.clone()].concat()));
            new.extend(all("is missing", &sent.missing(&sent.kept, &found)));
            new.extend(all("leaked", &sent.arrived(&sent.secrets, &found)));
            new.extend(all("leaked, of another tenant's record", &sent.arrived(&sent.gone, &found)));
            new.extend(all("is not kept apart", &sent.missing(&sent.gone, &kept_apart)));
            new.extend(all("is kept apart with its record", &sent.arrived(&personal, &kept_apart)));
            new.extend(all("is kept apart, and nobody's else", &sent.arrived(&sent.kept, &kept_apart)));
            let who = sender.unwrap_or("shared");
            wrong.extend(new.into_iter().map(|what| format!("{program} {argument}, {who}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// What each sender of a body that no collector takes hears, and that it sends it once.
#[test]
fn refused_bodies_are_not_sent_again() {
    let plan = STAGE.proxy.plan(Listener::Guarded, Some("acme"), "none");
    let outcomes: Value = serde_json::from_str(&told("refused", &[], &plan).unwrap()).unwrap();
    let otlp = json!([400, "application/x-protobuf", 3]);
    let expected = json!({
        "exporter http": "FAILURE", "exporter http, after": "SUCCESS",
        "exporter grpc": "FAILURE", "exporter grpc, after": "SUCCESS",
        "logs, protobuf": otlp, "traces, protobuf": otlp, "metrics, protobuf": otlp,
        "logs, JSON": [400, "application/json", 3],
        "logs, cut gzip": otlp, "logs, unknown encoding": otlp,
        "loki, protobuf": 400, "loki, JSON": 400,
        "hec": [400, 6], "zipkin": 400,
        "logs, gRPC": "INVALID_ARGUMENT", "trace, gRPC": "INVALID_ARGUMENT", "metrics, gRPC": "INVALID_ARGUMENT",
        "elasticsearch": [400, "illegal_argument_exception"],
    });
    let mut wrong = Vec::new();
    for (name, outcome) in expected.as_object().unwrap() {
        if outcomes[name] != *outcome {
            wrong.push(format!("{name}: {} instead of {outcome}", outcomes[name]));
        }
    }
    // An exporter that tries again waits a second before.
    for name in ["exporter http, seconds", "exporter grpc, seconds"] {
        if outcomes[name].as_f64().is_none_or(|seconds| seconds > 5.0) {
            wrong.push(format!("{name}: {}", outcomes[name]));
        }
    }
    // A body of each kind came in once; of both exporters two, and the second went on. A client of HTTP/1.1 that is answered
    // while it still sends may see its connection end before it reads the answer: it asks once more.
    let count = expected.as_object().unwrap().len();
    let logged = || Some(STAGE.proxy.lines(&plan.run)).filter(|lines| lines.len() >= count);
    let lines = wait::until(Duration::from_secs(5), logged).unwrap_or_else(|| STAGE.proxy.lines(&plan.run));
    if !(count..=count + 1).contains(&lines.len()) {
        wrong.push(format!("{} requests instead of {count}: {lines:#?}", lines.len()));
    }
    let arrived = STAGE.collector.of(&plan.run);
    if arrived.len() != 2 {
        let paths: Vec<&str> = arrived.iter().map(|one| one.path.as_str()).collect();
        wrong.push(format!("{} requests reached the collector: {paths:?}", arrived.len()));
    }
    assert!(wrong.is_empty(), "{}\n{outcomes:#}", wrong.join("\n"));
}
