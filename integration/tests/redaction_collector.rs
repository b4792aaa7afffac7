//! The proxy that `partywall render envoy --role collector` writes, with the rules of `envoy-config/redaction`: what is
//! shipped lets telemetry through, redacted, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use axum::http::Request;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use partywall_integration::bootstrap::Bootstrap;
use partywall_integration::certificates::{Identity, uri};
use partywall_integration::envoy::{Envoy, Start};
use partywall_integration::http2::{self, Tls, text};
use partywall_integration::mesh::unique;
use partywall_integration::ports::{free, local};
use partywall_integration::process::Process;
use partywall_integration::raw::{Response, mutual_tls};
use partywall_integration::site::{Site, compile, tenancy};
use partywall_integration::telemetry::{Arrival, Collector};
use partywall_integration::variant::copy;
use partywall_integration::{artefacts, cli, raw, wait};
use prost::Message;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);
const MAIL: &str = "ada@example.com";

struct Proxy {
    envoy: Envoy,
    site: Site,
    collector: Collector,
    quarantine: Collector,
    /// Where clients come in, by the port that they know.
    ports: [(u16, u16); 4],
    acme: Identity,
    _bundles: Process,
}

impl Proxy {
    fn start() -> Self {
        let site = Site::prepare("redaction-collector", |_| ()).unwrap();
        let (directory, etc) = (site.directory.join("tenancy"), site.directory.join("etc"));
        copy(&tenancy(), &directory).unwrap();
        let shipped = artefacts::root().join("envoy-config/redaction");
        fs::copy(shipped.join("redaction.yaml"), directory.join("redaction.yaml")).unwrap();
        let mesh = fs::read_to_string(directory.join("mesh.yaml")).unwrap();
        let certificate = "    # - certificate: { uri:";
        assert!(mesh.contains(certificate));
        fs::write(directory.join("mesh.yaml"), mesh.replacen(certificate, "    - certificate: { uri:", 1)).unwrap();
        compile(&directory, &site.keys(), &site.bundles(), None).unwrap();
        symlink(artefacts::redaction_module().unwrap(), etc.join("partywall-redaction.wasm")).unwrap();
        let issue = |id: &str| site.certificates.issue(vec![uri(id).unwrap()]).unwrap();
        issue("spiffe://mesh.example/ns/telemetry/sa/otel").write(&etc.join("tls"), "otel").unwrap();
        let acme = issue("spiffe://mesh.example/tenant/acme/sa/web");
        let (collector, quarantine) = (Collector::start().unwrap(), Collector::start().unwrap());
        let [admin, a, b, c, d] = free().unwrap();
        let ports = [(4317, a), (4318, b), (3100, c), (9200, d)];
        let mut bootstrap = Bootstrap::read("redaction/otel.yaml").unwrap();
        for (known, port) in ports {
            bootstrap = bootstrap.address("0.0.0.0", known, port).unwrap();
        }
        let behind = [
            ("127.0.0.1", 9901, admin),
            ("otel-collector", 4317, collector.grpc),
            ("otel-collector", 4318, collector.http),
            ("loki", 3100, collector.http),
            ("elasticsearch", 9200, collector.http),
            ("quarantine", 4318, quarantine.http),
            ("bundles", 8400, site.ports.bundles),
        ];
        for (name, known, port) in behind {
            bootstrap = bootstrap.address(name, known, port).unwrap();
        }
        // Beside it the filter of access logs, and its format.
        let of_logs = |file: &str| -> Value {
            let text = fs::read_to_string(shipped.join("access-logs").join(file)).unwrap();
            serde_saphyr::from_str(&text).unwrap()
        };
        let filter = format!("- {}\n                  # partywall: begin\n", of_logs("filter.yaml")["http_filters"][0]);
        bootstrap = bootstrap.replace("# partywall: begin\n", &filter).unwrap();
        let format = of_logs("json.yaml")["access_log"][0].to_string();
        bootstrap = bootstrap
            .replace("access_log: &access_log\n", &format!("access_log: &access_log\n                  - {format}\n"))
            .unwrap();
        let mut serving = cli::serve(&site.bundles(), &site.keys(), site.ports.bundles).unwrap();
        let bundles = Process::start("bundles", &mut serving, &site.directory.join("logs")).unwrap();
        let mut envoy = Envoy::start(Start {
            name: "otel",
            bootstrap: bootstrap.installed_in(&etc),
            admin: Some(admin),
            environment: site.environment("orders").unwrap(),
            directory: &site.directory,
        })
        .unwrap();
        envoy.wait_until_ready().unwrap();
        let mut proxy = Self { envoy, site, collector, quarantine, ports, acme, _bundles: bundles };
        proxy.wait_for_policy();
        proxy
    }

    /// Each worker gets a bundle at its own time, so that many answers in a row must be right.
    fn wait_for_policy(&mut self) {
        let mut in_a_row = 0;
        let ready = wait::until(PATIENCE, || {
            let well = self.post(4318, "/v1/logs", "warm", logs(&["warm"])).is_ok_and(|answer| answer.status == 200);
            in_a_row = if well { in_a_row + 1 } else { 0 };
            (in_a_row == 30).then_some(())
        });
        self.envoy.check_alive().unwrap();
        assert!(ready.is_some(), "{}", self.envoy.errors());
    }

    fn port(&self, known: u16) -> u16 {
        self.ports.iter().find(|(one, _)| *one == known).unwrap().1
    }

    /// As a workload of acme.
    fn post(&self, known: u16, path: &str, run: &str, body: Value) -> anyhow::Result<Response> {
        let body = body.to_string();
        let request = raw::Request::new("POST", path)
            .header("host", "otel")
            .header("content-type", "application/json")
            .header("content-length", body.len().to_string())
            .header("user-agent", format!("exporter of {MAIL}"))
            .header("x-run", run)
            .header("connection", "close");
        mutual_tls(local(self.port(known)), &self.acme, &[request.bytes(), body.into_bytes()].concat())
    }

    /// What reached the collector of a run: one request.
    fn arrived(&self, run: &str) -> Arrival {
        let mut of_run = self.collector.of(run);
        assert_eq!(of_run.len(), 1, "{run}: {of_run:?}");
        of_run.remove(0)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.out()).unwrap()
    }

    fn out(&self) -> PathBuf {
        self.site.directory.join("logs/otel.out")
    }
}

/// Records of logs, as OTLP writes them in JSON.
fn logs(bodies: &[&str]) -> Value {
    let records: Vec<Value> = bodies.iter().map(|body| json!({ "body": { "stringValue": body } })).collect();
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] })
}

fn has(arrival: &Arrival, text: &str) -> bool {
    arrival.read.texts.iter().any(|one| one.contains(text))
}

#[test]
fn the_proxy_that_is_shipped_keeps_what_may_not_be_written_down() {
    let proxy = Proxy::start();
    over_http(&proxy);
    over_grpc(&proxy);
    others(&proxy);
    no_telemetry(&proxy);
    told(&proxy);
}

/// OTLP at its own port and at that of gRPC, and Loki.
fn over_http(proxy: &Proxy) {
    let loki = json!({ "streams": [{ "stream": { "app": "web" }, "values": [["1700000000000000000", format!("to {MAIL}")]] }] });
    let otlp = || logs(&[&format!("mail {MAIL}")]);
    let all =
        [(4318, "/v1/logs", otlp(), 200), (4317, "/v1/logs", otlp(), 200), (3100, "/loki/api/v1/push", loki, 204)];
    for (port, path, body, status) in all {
        let run = unique();
        assert_eq!(proxy.post(port, path, &run, body).unwrap().status, status, "{port} {path}");
        let arrival = proxy.arrived(&run);
        assert_eq!(arrival.path, path);
        assert!(has(&arrival, "[REDACTED:email:") && !has(&arrival, MAIL), "{:?}", arrival.read.texts);
    }
}

/// It goes on as gRPC.
fn over_grpc(proxy: &Proxy) {
    let any = |text: String| Some(AnyValue { value: Some(Any::StringValue(text)) });
    let record = LogRecord {
        body: any(format!("mail {MAIL}")),
        attributes: vec![KeyValue { key: "kept".into(), value: any("as it is".into()) }],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let message =
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
    let message = message.encode_to_vec();
    let framed = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
    let (run, path) = (unique(), "/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    let request = Request::post(format!("https://otel{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-run", &run)
        .body(())
        .unwrap();
    let tls = Tls { sni: Some("otel"), client: Some(proxy.acme.for_rustls()) };
    let answer = http2::send(local(proxy.port(4317)), Some(tls), request, &[&framed], None).unwrap();
    let status = if answer.headers_only { &answer.headers } else { &answer.trailers };
    assert_eq!((answer.status, text(status, "grpc-status").as_str()), (200, "0"));
    let arrival = proxy.arrived(&run);
    assert_eq!(arrival.path, path);
    assert!(has(&arrival, "[REDACTED:email:") && !has(&arrival, MAIL) && has(&arrival, "as it is"));
}

/// A record of another tenant goes to the quarantine, masked, and nowhere else.
fn others(proxy: &Proxy) {
    let foreign = format!("tenant=globex, mail {MAIL}");
    let run = unique();
    assert_eq!(proxy.post(4318, "/v1/logs", &run, logs(&["own", &foreign])).unwrap().status, 200);
    let arrival = proxy.arrived(&run);
    assert!(has(&arrival, "own") && !has(&arrival, "globex"), "{:?}", arrival.read.texts);
    let kept = wait::until(PATIENCE, || proxy.quarantine.of("").pop()).unwrap();
    assert_eq!(kept.path, "/v1/logs");
    assert!(has(&kept, "[REDACTED:email:") && !has(&kept, MAIL) && !has(&kept, "own"), "{:?}", kept.read.texts);
}

fn no_telemetry(proxy: &Proxy) {
    let run = unique();
    let answer = proxy.post(4318, "/admin/reload", &run, json!({})).unwrap();
    assert_eq!((answer.status, answer.reason().as_str()), (403, "forbidden"));
    assert_eq!(proxy.collector.of(&run).len(), 0);
    // It is listed under `passing`.
    let request = raw::Request::get("/").header("host", "es").header("connection", "close");
    assert_eq!(request.send_as(&proxy.acme, local(proxy.port(9200))).unwrap().status, 200);
    // The listener that has the filter of access logs.
    let path = raw::Request::get(&format!("/v1/none?mail={MAIL}&tenant=globex")).header("host", "otel");
    let path = path.header("user-agent", format!("exporter of {MAIL}")).header("connection", "close");
    assert_eq!(path.send_as(&proxy.acme, local(proxy.port(4317))).unwrap().status, 403);
}

/// Counters have the labels that the bootstrap gives them, and the log has what happened and no more.
fn told(proxy: &Proxy) {
    let metric = |name: &str, labels: &[(&str, &str)]| {
        proxy.envoy.metric(&format!("partywall_log_redaction_{name}_total"), labels).unwrap()
    };
    assert!(metric("found", &[("carrier", "otlp_logs"), ("detector", "email"), ("action", "mask")]) >= 3.0);
    assert!(metric("requests", &[("carrier", "loki"), ("outcome", "forwarded")]) >= 1.0);
    assert!(metric("records", &[("carrier", "otlp_logs"), ("outcome", "dropped")]) >= 1.0);
    assert!(metric("denied", &[("reason", "resource_unmapped")]) >= 2.0);
    let sent = || metric("quarantined", &[("carrier", "otlp_logs"), ("outcome", "sent")]) >= 1.0;
    assert!(wait::until(PATIENCE, || sent().then_some(())).is_some());
    thread::sleep(Duration::from_millis(500));
    let log = proxy.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let summaries = lines.iter().filter_map(|line| line["redaction"].as_str());
    let of_others =
        summaries.filter_map(|text| serde_json::from_str::<Value>(text).ok()).find(|one| one["dropped"] == 1);
    assert_eq!(of_others.unwrap()["records"], 2);
    let denied = lines.iter().find(|line| line["path"].as_str().is_some_and(|path| path.starts_with("/v1/none")));
    let denied = denied.unwrap();
    assert!(denied["headers"].to_string().contains("[REDACTED:email:"), "{denied:#}");
    assert_eq!(denied["reason"], "resource_unmapped");
    for mark in [MAIL, "globex", "tenant/acme", "mesh.example"] {
        assert!(!log.contains(mark), "{mark}");
    }
}
