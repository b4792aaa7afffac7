//! `envoy-config/redaction` in a real Envoy: each file is one that Envoy takes, and what the access logs print is nothing
//! that a client wrote.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use partywall_integration::bootstrap::Bootstrap;
use partywall_integration::certificates::{Certificates, Identity, uri};
use partywall_integration::envoy::{Envoy, Start};
use partywall_integration::ports::{free, local};
use partywall_integration::raw::Request;
use partywall_integration::{artefacts, cli, wait};
use serde_json::{Value, json};

const KEY: &str = "k-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PUBLIC_KEY: &str = "bundle-1:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const PATIENCE: Duration = Duration::from_secs(20);
/// What a client writes into its request, and what must be in no log.
const MARKS: [&str; 8] =
    ["m-path", "m-query", "m-host", "m-agent", "m-referer", "m-header", "M-METHOD", "m-request-id"];
/// What stands in its certificate.
const NAME: &str = "m-workload";

/// A folder with what the files name: module and certificates.
struct Here {
    folder: PathBuf,
    certificates: Certificates,
}

impl Here {
    fn new(name: &str) -> Self {
        let folder = artefacts::target().join("mesh").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("logs")).unwrap();
        let certificates = Certificates::make().unwrap();
        certificates.write(&folder.join("etc/tls")).unwrap();
        symlink(artefacts::module().unwrap(), folder.join("etc/partywall.wasm")).unwrap();
        symlink(artefacts::redaction_module().unwrap(), folder.join("etc/partywall-redaction.wasm")).unwrap();
        let here = Self { folder, certificates };
        here.issue("otel", "spiffe://mesh.example/ns/telemetry/sa/otel");
        here
    }

    fn issue(&self, name: &str, id: &str) -> Identity {
        let identity = self.certificates.issue(vec![uri(id).unwrap()]).unwrap();
        let (certificate, key) = identity.pem();
        fs::write(self.folder.join("etc/tls").join(format!("{name}.pem")), certificate).unwrap();
        fs::write(self.folder.join("etc/tls").join(format!("{name}.key")), key).unwrap();
        identity
    }

    fn environment() -> Vec<(String, String)> {
        let keys = ["FINGERPRINT", "SHARED_STATE", "AUDIT_CHAIN", "REDACTION_KEYS"];
        let keys = keys.iter().map(|name| (format!("PARTYWALL_{name}"), KEY.to_owned()));
        keys.chain([("PARTYWALL_BUNDLE_KEYS".to_owned(), PUBLIC_KEY.to_owned())]).collect()
    }

    /// What Envoy says of a configuration without running it; `Err` where it refuses it.
    fn validate(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, text.replace("/etc/partywall", &self.folder.join("etc").display().to_string())).unwrap();
        let mut command = Command::new(artefacts::envoy().unwrap());
        command.args(["--mode", "validate", "--log-level", "warning", "--config-path"]).arg(&path);
        let ran = command.env_clear().envs(Self::environment()).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        // What Envoy takes with a warning, as a field that will go, is not right either.
        let warned = told.lines().find(|line| line.contains("eprecated") || line.contains("unknown field"));
        match (ran.status.success(), warned) {
            (true, None) => Ok(()),
            _ => Err(told),
        }
    }
}

fn shipped(file: &str) -> String {
    fs::read_to_string(artefacts::root().join("envoy-config").join(file)).unwrap()
}

fn document(file: &str) -> Value {
    serde_saphyr::from_str(&shipped(file)).unwrap()
}

#[test]
fn envoy_takes_the_proxy_of_a_collector() {
    let here = Here::new("redaction-validate");
    let text = shipped("redaction/otel.yaml");
    here.validate("otel.yaml", &text).unwrap();
    // It would tell.
    let field = "failure_policy: FAIL_RELOAD";
    let refused = here.validate("mistyped.yaml", &text.replacen(field, "failure_polcy: FAIL_RELOAD", 1));
    assert!(refused.is_err_and(|why| why.contains("failure_polcy")));
    // And so would the module.
    let role = here.validate("role.yaml", &text.replace("role: inbound", "role: sideways"));
    assert!(role.is_err_and(|why| why.contains("expected `inbound` or `outbound`")));
    let cluster = here.validate("no-cluster.yaml", &text.replace("cluster: loki-http,", "cluster: loky-http,"));
    assert!(cluster.is_err_and(|why| why.contains("loky-http")));
}

/// What the sidecar of an app needs beside what it has.
#[test]
fn envoy_takes_the_second_net_in_a_sidecar() {
    let here = Here::new("redaction-outbound");
    let (mut sidecar, more) = (document("bootstraps/orders.yaml"), document("redaction/outbound.yaml"));
    for part in ["listeners", "clusters"] {
        let all = sidecar["static_resources"][part].as_array_mut().unwrap();
        all.extend(more[part].as_array().unwrap().clone());
    }
    here.validate("orders.json", &sidecar.to_string()).unwrap();
    let configuration =
        more.pointer("/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config");
    let schema: Value = serde_json::from_str(&cli::run(&["schema", "log-redaction"]).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&configuration.unwrap()["configuration"]["value"]));
}

/// Takes what Envoy sends by gRPC, and answers as little as keeps it going: that it may be HTTP/2 at all.
struct Recorder {
    port: u16,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let keeps = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, keeps) = (stream.unwrap(), Arc::clone(&keeps));
                thread::spawn(move || {
                    // SETTINGS, and that theirs are taken (RFC 9113, section 6.5).
                    let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]);
                    let mut bytes = [0; 16384];
                    while let Ok(read @ 1..) = stream.read(&mut bytes) {
                        keeps.lock().unwrap().extend_from_slice(&bytes[..read]);
                    }
                });
            }
        });
        Self { port, seen }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// An Envoy with one listener over mutual TLS, these fields in its connection manager, and a filter that writes filter state as ours do.
fn logging(here: &Here, name: &str, fields: &Value, [port, admin, grpc]: [u16; 3]) -> Envoy {
    let at = |port: u16| format!("{{ address: 127.0.0.1, port_value: {port} }}");
    let state: String = ["log.path", "log.headers", "tenant", "decision", "reason", "redaction"]
        .iter()
        .map(|name| {
            format!(
                "- {{ object_key: wasm.partywall.{name}, factory_key: envoy.string, format_string: {{ text_format_source: {{ \
                 inline_string: state-of-{name} }} }} }}\n                        "
            )
        })
        .collect();
    let fields: String =
        fields.as_object().unwrap().iter().map(|(name, value)| format!("{name}: {value}\n                ")).collect();
    let text = format!(
        r#"admin: {{ address: {{ socket_address: {} }} }}
static_resources:
  listeners:
    - name: logged
      address: {{ socket_address: {} }}
      filter_chains:
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: true
              common_tls_context:
                tls_certificates:
                  - certificate_chain: {{ filename: /etc/partywall/tls/otel.pem }}
                    private_key: {{ filename: /etc/partywall/tls/otel.key }}
                validation_context: {{ trusted_ca: {{ filename: /etc/partywall/tls/ca.pem }} }}
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: logged
                {fields}
                route_config:
                  virtual_hosts:
                    - {{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200 }} }}] }}
                http_filters:
                  - name: envoy.filters.http.set_filter_state
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config
                      on_request_headers:
                        {state}
                  - name: envoy.filters.http.router
                    typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
{}{}"#,
        at(admin),
        at(port),
        cluster("otel-logs", &at(grpc)),
        cluster("access-logs", &at(grpc)),
    );
    let bootstrap = Bootstrap::rendered(text, vec![port, admin, grpc]).installed_in(&here.folder.join("etc"));
    let mut envoy = Envoy::start(Start {
        name,
        bootstrap,
        admin: Some(admin),
        environment: Here::environment(),
        directory: &here.folder,
    })
    .unwrap();
    envoy.wait_until_ready().unwrap();
    envoy
}

fn cluster(name: &str, at: &str) -> String {
    format!(
        r#"    - name: {name}
      connect_timeout: 2s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: {{ http2_protocol_options: {{}} }}
      load_assignment:
        cluster_name: {name}
        endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {at} }} }} }}] }}]
"#
    )
}

/// What is written of a request whose every part is marked, by a connection manager with these fields.
fn logged(name: &str, fields: &Value) -> Vec<u8> {
    let here = Here::new(&format!("redaction-{name}"));
    let client = here.issue("client", &format!("spiffe://mesh.example/tenant/{NAME}/sa/web"));
    let recorder = Recorder::start();
    let [port, admin] = free().unwrap();
    let envoy = logging(&here, name, fields, [port, admin, recorder.port]);
    for method in ["GET", "M-METHOD"] {
        let request = Request::new(method, "/m-path/1?m-query=1")
            .header("host", "m-host.example")
            .header("user-agent", "m-agent")
            .header("referer", "https://m-referer.example/")
            .header("x-m-header", "m-header")
            .header("cookie", "m-header")
            .header("authorization", "Bearer m-header")
            .header("x-request-id", "m-request-id")
            .header("traceparent", "00-m-header")
            .header("connection", "close");
        // A method that HTTP/1.1 does not know, Envoy refuses with 400, and writes a line all the same.
        let _ = request.send_as(&client, local(port)).unwrap();
    }
    let out = here.folder.join("logs").join(format!("{name}.out"));
    let written = || [fs::read(&out).unwrap_or_default(), recorder.seen.lock().unwrap().clone()].concat();
    // All that there is to come: loggers by gRPC send what they have once a second.
    let whole = wait::until(PATIENCE, || contains(&written(), "state-of-redaction").then_some(()));
    assert!(whole.is_some(), "{}", envoy.errors());
    thread::sleep(Duration::from_millis(1500));
    written()
}

fn access_log(file: &str) -> Value {
    document(&format!("redaction/access-logs/{file}.yaml"))
}

#[test]
fn access_logs_print_nothing_that_a_client_wrote() {
    for file in ["json", "opentelemetry", "als"] {
        let written = logged(file, &access_log(file));
        let has = |text: &str| contains(&written, text);
        for name in ["log.path", "log.headers", "tenant", "decision", "reason", "redaction"] {
            assert!(has(&format!("state-of-{name}")), "{file} has no {name}");
        }
        for mark in MARKS {
            assert!(!has(mark), "{file} has {mark}");
        }
        // What the file says of itself: Envoy's own service is told the names in certificates, whatever is configured.
        assert_eq!(has(NAME), file == "als", "{file}");
    }
}

/// Why `als.yaml` is not the logger of HTTP; and what is looked for above would be found.
#[test]
fn envoys_service_for_http_is_always_told_the_path() {
    let mut http = access_log("als");
    http["access_log"][0]["name"] = json!("envoy.access_loggers.http_grpc");
    http["access_log"][0]["typed_config"]["@type"] =
        json!("type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig");
    let written = logged("http-als", &http);
    for mark in ["m-path", "m-query", "m-host", "m-agent", "m-referer", NAME] {
        assert!(contains(&written, mark), "{mark} was not sent");
    }
}

/// Who shows no certificate, or one of another trust domain, does not come as far as the filter.
#[test]
fn nobody_comes_in_without_a_name_of_the_mesh() {
    let here = Here::new("redaction-names");
    let [http, admin] = free().unwrap();
    let mut bootstrap = Bootstrap::read("redaction/otel.yaml").unwrap().address("127.0.0.1", 9901, admin).unwrap();
    for port in [4317, 3100, 9200] {
        let [other] = free().unwrap();
        bootstrap = bootstrap.address("0.0.0.0", port, other).unwrap();
    }
    for (name, port) in [("otel-collector", 4317), ("otel-collector", 4318), ("loki", 3100), ("elasticsearch", 9200)] {
        bootstrap = bootstrap.address(name, port, admin).unwrap();
    }
    bootstrap = bootstrap.address("quarantine", 4318, admin).unwrap().address("bundles", 8400, admin).unwrap();
    bootstrap = bootstrap.address("0.0.0.0", 4318, http).unwrap().installed_in(&here.folder.join("etc"));
    let mut envoy = Envoy::start(Start {
        name: "otel",
        bootstrap,
        admin: Some(admin),
        environment: Here::environment(),
        directory: &here.folder,
    })
    .unwrap();
    envoy.wait_until_ready().unwrap();
    let request = Request::new("POST", "/v1/logs")
        .header("host", "otel")
        .header("content-type", "application/json")
        .header("content-length", "2")
        .header("connection", "close");
    let bytes = [request.bytes(), b"{}".to_vec()].concat();
    let send = |id: &str| partywall_integration::raw::mutual_tls(local(http), &here.issue("client", id), &bytes);
    // Nothing is known yet, so nothing passes: but the filter said so.
    let answer = send("spiffe://mesh.example/tenant/acme/sa/web").unwrap();
    assert_eq!((answer.status, answer.reason().as_str()), (503, "unavailable"));
    let log = here.folder.join("logs/otel.out");
    let line = || serde_json::from_str::<Value>(fs::read_to_string(&log).ok()?.lines().next()?).ok();
    let line = wait::until(PATIENCE, line).unwrap();
    assert_eq!((&line["decision"], &line["reason"]), (&json!("deny"), &json!("policy_unavailable")));
    assert!(send("spiffe://other.example/tenant/acme/sa/web").is_err());
    let nobody = partywall_integration::raw::tls(local(http), None, None, &bytes);
    assert!(nobody.is_err(), "{nobody:?}");
    let counted = envoy.metric("partywall_log_redaction_denied_total", &[("reason", "policy_unavailable")]).unwrap();
    assert_eq!(counted, 1.0);
}
