//! One Envoy with one worker, and a listener for each filter that bodies are sent through.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::bodies::ROUTES;
use super::sink::Sink;
use crate::bootstrap::Bootstrap;
use crate::envoy::{Envoy, Start};
use crate::ports::{free, local};
use crate::process::Process;
use crate::site::{MESH, Site, compile, tenancy};
use crate::{artefacts, cli, variant};

/// How many tenants the directory has beside those of the sample.
const TENANTS: usize = 5_000;
/// Whose environment it has, and whose telemetry it is.
const WORKLOAD: &str = "invoices";

/// What bodies go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A module that is not asked about bodies.
    NoOp,
    /// One that takes each piece out and puts it back.
    PassThrough,
    /// `log_redaction`.
    Ours,
}

impl Filter {
    /// All, in the order in which they are measured.
    pub(super) const ALL: [Self; 3] = [Self::NoOp, Self::PassThrough, Self::Ours];

    /// As figures name it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NoOp => "no-op",
            Self::PassThrough => "pass-through",
            Self::Ours => "ours",
        }
    }

    /// Its module, put into `etc`, and its configuration as JSON.
    fn installed(self, etc: &Path) -> Result<String> {
        let module = match self {
            Self::NoOp => wat::parse_str(include_str!("../no-op.wat"))?,
            Self::PassThrough => wat::parse_str(include_str!("../pass-through.wat"))?,
            Self::Ours => fs::read(artefacts::redaction_module()?)?,
        };
        fs::write(etc.join(format!("{}.wasm", self.word())), module)?;
        let bundle = serde_json::json!({
            "cluster": "partywall-bundles", "path": "/tenancy.redaction.bundle",
            "overlay_path": "/tenancy.overlay",
        });
        let ours = serde_json::json!({
            "role": "outbound", "service": WORKLOAD, "mesh": MESH, "bundle": bundle,
            "trusted_keys": { "env": "PARTYWALL_BUNDLE_KEYS" }, "secrets": { "fingerprint": "PARTYWALL_FINGERPRINT" },
        });
        Ok(if self == Self::Ours { ours.to_string() } else { String::new() })
    }
}

/// What is started.
pub(super) struct Started {
    /// The Envoy.
    pub(super) envoy: Envoy,
    /// Where the filters listen, by [`Filter::ALL`].
    pub(super) filters: [u16; 3],
    /// Where the module of `benches/redaction` does.
    pub(super) detection: u16,
    _bundles: Process,
}

/// Starts it before `sink`.
pub(super) fn start(sink: &Sink) -> Result<Started> {
    let site = Site::prepare("bench-redaction", |_| ())?;
    let directory = site.directory.join("tenancy");
    variant::copy(&tenancy(), &directory)?;
    let said = fs::read_to_string(directory.join("redaction.yaml"))?;
    fs::write(directory.join("redaction.yaml"), format!("{said}\n{ROUTES}\n"))?;
    let tenants = (0..TENANTS)
        .map(|n| format!(r#"{{"tenant":"customer-{n:06}","tier":"gold","status":"active","residency":"eu"}}"#));
    fs::write(directory.join("tenants/many.ndjson"), tenants.map(|line| line + "\n").collect::<String>())?;
    compile(&directory, &site.keys(), &site.bundles(), None)?;
    let mut serving = cli::serve(&site.bundles(), &site.keys(), site.ports.bundles)?;
    let bundles = Process::start("bundles", &mut serving, &site.directory.join("logs"))?;

    let etc = site.directory.join("etc");
    let [no_op, pass_through, ours, detection, admin] = free()?;
    let filters = [no_op, pass_through, ours];
    let mut listeners = String::new();
    for (filter, port) in Filter::ALL.into_iter().zip(filters) {
        let configuration = filter.installed(&etc)?;
        let root = if filter == Filter::Ours { "log_redaction" } else { "" };
        let module = etc.join(filter.word()).with_extension("wasm");
        listeners += &listener(filter.word(), port, &module, root, &configuration)?;
    }
    let module = artefacts::from_variable("PARTYWALL_BENCH_DETECTION")?;
    listeners += &listener("detection", detection, &module, "", "")?;
    let clusters = cluster("sink", sink.http, "")
        + &cluster("sink-grpc", sink.grpc, OVER_HTTP2)
        + &cluster("partywall-bundles", site.ports.bundles, "");
    let text = format!(
        "node: {{ id: bench, cluster: bench }}\nadmin: {{ address: {} }}\nstatic_resources:\n  listeners:\n{listeners}  \
         clusters:\n{clusters}",
        address(admin)
    );
    let ports = vec![no_op, pass_through, ours, detection, admin, sink.http, sink.grpc, site.ports.bundles];
    let how = Start {
        name: "redaction",
        bootstrap: Bootstrap::rendered(text, ports),
        admin: Some(admin),
        environment: site.environment(WORKLOAD)?,
        directory: &site.directory,
    };
    let mut envoy = Envoy::start_with(how, 1)?;
    envoy.wait_until_ready()?;
    Ok(Started { envoy, filters, detection, _bundles: bundles })
}

fn address(port: u16) -> String {
    format!("{{ socket_address: {{ address: {}, port_value: {port} }} }}", local(port).ip())
}

fn listener(name: &str, port: u16, module: &Path, root: &str, configuration: &str) -> Result<String> {
    let (configuration, module) = (serde_json::to_string(configuration)?, module.to_str().context("a path")?);
    Ok(format!(
        r#"  - name: {name}
    address: {address}
    traffic_direction: OUTBOUND
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          route_config:
            virtual_hosts:
            - name: sink
              domains: ["*"]
              routes:
              - match:
                  prefix: /
                  headers: [{{ name: content-type, string_match: {{ prefix: application/grpc }} }}]
                route: {{ cluster: sink-grpc }}
              - match: {{ prefix: / }}
                route: {{ cluster: sink }}
          http_filters:
          - name: envoy.filters.http.wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: {name}
                root_id: "{root}"
                vm_config:
                  vm_id: {name}
                  runtime: envoy.wasm.runtime.v8
                  code: {{ local: {{ filename: "{module}" }} }}
                  environment_variables: {{ host_env_keys: [PARTYWALL_BUNDLE_KEYS, PARTYWALL_FINGERPRINT] }}
                configuration: {{ "@type": type.googleapis.com/google.protobuf.StringValue, value: {configuration} }}
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
"#,
        address = address(port)
    ))
}

const OVER_HTTP2: &str = r#"    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
"#;

fn cluster(name: &str, port: u16, options: &str) -> String {
    format!(
        r#"  - name: {name}
    type: STATIC
    connect_timeout: 2s
{options}    load_assignment:
      cluster_name: {name}
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {} }} }}] }}]
"#,
        address(port)
    )
}
