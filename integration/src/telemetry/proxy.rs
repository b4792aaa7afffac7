//! An Envoy before a collector: each listener takes mutual TLS, HTTP/1.1 and HTTP/2, and leads to the same collector.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rcgen::SanType;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::collector::Collector;
use super::sent::{Names, Plan};
use crate::bootstrap::Bootstrap;
use crate::certificates::{Workload, uri};
use crate::envoy::{Envoy, Start};
use crate::mesh::unique;
use crate::ports::{free, local};
use crate::process::Process;
use crate::roots::secret;
use crate::site::{MESH, Site, compile, tenancy};
use crate::variant::{copy, turn};
use crate::{artefacts, cli, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// The environment of the proxy: that of a workload of the sample.
const ENVIRONMENT: &str = "orders";
/// The tenants whose workloads send.
pub const TENANTS: [&str; 2] = ["acme", "globex"];

/// Where a program sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The one with the filter.
    Guarded,
    /// One without: what is sent there arrives as it is.
    Open,
}

/// Who gets records of other tenants that are kept back: a port of loopback.
#[derive(Clone, Copy, Debug)]
pub enum Quarantine {
    /// That speaks HTTP/1.1.
    Http(u16),
    /// That speaks HTTP/2, as gRPC has it.
    Grpc(u16),
}

/// What is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Names the folder under `target/mesh`, which is made anew.
    pub name: &'a str,
    /// `redaction.yaml` of the tenancy directory.
    pub redaction: &'a str,
    /// Where records of other tenants go that are kept back.
    pub quarantine: Option<Quarantine>,
    /// What all bodies of a worker may hold, in bytes, if it is said.
    pub memory: Option<u32>,
    /// The service whose app sends to a listener of its own sidecar, in the clear.
    pub workload: Option<&'a str>,
    /// Whether a filter `access_log` stands before it; the log has what it says.
    pub access_log: bool,
}

/// An Envoy that runs until this is dropped.
pub struct Proxy {
    /// The Envoy.
    pub envoy: Envoy,
    /// Keys, certificates and the compiled directory.
    pub site: Site,
    guarded: u16,
    outbound: u16,
    open: u16,
    names: BTreeMap<String, Names>,
    _bundles: Process,
}

impl Proxy {
    /// Starts it before `collector`, and waits until every worker decides.
    pub fn start(options: &Options<'_>, collector: &Collector) -> Result<Self> {
        let _turn = turn();
        let site = Site::prepare(options.name, |_| ())?;
        let directory = site.directory.join("tenancy");
        copy(&tenancy(), &directory)?;
        fs::write(directory.join("redaction.yaml"), options.redaction)?;
        // By what a workload of one tenant is known.
        let (mesh, certificate) = (directory.join("mesh.yaml"), "    # - certificate: { uri:");
        let text = fs::read_to_string(&mesh)?;
        ensure!(text.contains(certificate), "mesh.yaml has no `{certificate}`");
        fs::write(&mesh, text.replacen(certificate, "    - certificate: { uri:", 1))?;
        compile(&directory, &site.keys(), &site.bundles(), None)?;
        symlink(artefacts::redaction_module()?, site.directory.join("etc/partywall-redaction.wasm"))?;
        let tls = site.directory.join("etc/tls");
        let own = vec![SanType::DnsName("localhost".try_into()?), SanType::IpAddress(IpAddr::from([127, 0, 0, 1]))];
        site.certificates.issue(own)?.write(&tls, "collector")?;
        // A service of the directory that serves both tenants.
        site.certificates.of(Workload::Invoices).write(&tls, "shared")?;
        for tenant in TENANTS {
            let id = format!("spiffe://mesh.example/tenant/{tenant}/sa/web");
            site.certificates.issue(vec![uri(&id)?])?.write(&tls, tenant)?;
        }
        let [guarded, open, outbound, admin] = free()?;
        let ports = [guarded, open, outbound, admin, collector.http, collector.grpc, site.ports.bundles];
        let apart = options.quarantine.map(|(Quarantine::Http(port) | Quarantine::Grpc(port))| port);
        let all = ports.into_iter().chain(apart).collect();
        let mut serving = cli::serve(&site.bundles(), &site.keys(), site.ports.bundles)?;
        let bundles = Process::start("bundles", &mut serving, &site.directory.join("logs"))?;
        let names = names(&site)?;
        let mut envoy = Envoy::start(Start {
            name: "collector",
            bootstrap: Bootstrap::rendered(bootstrap(ports, options), all).installed_in(&site.directory.join("etc")),
            admin: Some(admin),
            environment: site.environment(ENVIRONMENT)?,
            directory: &site.directory,
        })?;
        envoy.wait_until_ready()?;
        let mut proxy = Self { envoy, site, guarded, outbound, open, names, _bundles: bundles };
        proxy.wait_for_policy()?;
        Ok(proxy)
    }

    /// What a program is told that is a workload of `sender`, or one that both tenants share, and sends to `listener`.
    pub fn plan(&self, listener: Listener, sender: Option<&str>, compression: &str) -> Plan {
        let tls = |name: &str| self.site.directory.join("etc/tls").join(name).display().to_string();
        let (port, who) =
            (if listener == Listener::Guarded { self.guarded } else { self.open }, sender.unwrap_or("shared"));
        Plan {
            url: format!("https://localhost:{port}"),
            ca: tls("ca.pem"),
            certificate: tls(&format!("{who}.pem")),
            key: tls(&format!("{who}.key")),
            run: unique(),
            sender: sender.map(str::to_owned),
            tenants: sender.map_or_else(|| TENANTS.map(str::to_owned).to_vec(), |tenant| vec![tenant.to_owned()]),
            names: self.names.clone(),
            compression: compression.to_owned(),
        }
    }

    /// The log's lines of a run: each request that came in.
    pub fn lines(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["run"] == run).collect()
    }

    /// Where the listener with the filter is.
    pub fn guarded(&self) -> SocketAddr {
        local(self.guarded)
    }

    /// Where the app sends to whose sidecar has the filter.
    pub fn outbound(&self) -> SocketAddr {
        local(self.outbound)
    }

    fn log(&self) -> PathBuf {
        self.site.directory.join("logs/collector.out")
    }

    /// Each worker gets a bundle at its own time, and the main thread before them has a VM, too.
    fn wait_for_policy(&mut self) -> Result<()> {
        const VMS: usize = 3;
        let ready = wait::until(PATIENCE, || {
            let all = self.envoy.errors().lines().filter(|line| line.contains("is in force")).count() >= VMS;
            // And an overlay: a tenth of a second later.
            all.then(|| std::thread::sleep(Duration::from_millis(1500)))
        });
        self.envoy.check_alive()?;
        ready.with_context(|| format!("not every worker has a bundle:\n{}", self.envoy.errors()))
    }
}

/// What each tenant is called; the command turns the fingerprints back.
fn names(site: &Site) -> Result<BTreeMap<String, Names>> {
    let environment = site.environment(ENVIRONMENT)?;
    let key = environment.iter().find(|(name, _)| name == "PARTYWALL_FINGERPRINT");
    let key = &key.context("the proxy has no key of fingerprints")?.1;
    let (epoch, _) = key.split_once(':').context("a key is `id:base64url`")?;
    let (mut names, directory) = (BTreeMap::new(), tenancy());
    let file = site.keys().join(format!("{ENVIRONMENT}.env"));
    for tenant in TENANTS {
        let mac = hmac(&secret(key)?, &[b"partywall tenant fingerprint\0", tenant.as_bytes()].concat());
        let hex: String = mac[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let fingerprint = format!("t{epoch}_{hex}");
        let asked = [&fingerprint, cli::text(&directory)?, "--fingerprint-key", cli::text(&file)?];
        let told = cli::run(&[&["who"][..], &asked].concat())?;
        ensure!(told.contains(tenant), "{fingerprint} is not {tenant}'s: {told}");
        let host = format!("{tenant}.shop.example");
        names.insert(tenant.into(), Names { id: tenant.into(), fingerprint, host });
    }
    Ok(names)
}

/// HMAC-SHA256 (RFC 2104) under a key of at most a block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36), text].concat());
    Sha256::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
}

fn bootstrap([guarded, open, outbound, admin, http, grpc, bundles]: [u16; 7], options: &Options<'_>) -> String {
    let access_log = if options.access_log { access_log() } else { String::new() };
    let filters = access_log + &filter("role: inbound", options);
    let of_app = options.workload.map_or(String::new(), |service| {
        let filter = filter(&format!("role: outbound\n{OWN}service: {service}"), options);
        listener("outbound", outbound, "OUTBOUND", "", &filter)
    });
    let listeners = listener("guarded", guarded, "INBOUND", MUTUAL_TLS, &filters)
        + &listener("open", open, "INBOUND", MUTUAL_TLS, "")
        + &of_app;
    let quarantine = options.quarantine.map_or(String::new(), |quarantine| match quarantine {
        Quarantine::Http(port) => cluster("quarantine", port, ""),
        Quarantine::Grpc(port) => cluster("quarantine", port, OVER_HTTP2),
    });
    let clusters = quarantine
        + &cluster("collector", http, "")
        + &cluster("collector-grpc", grpc, OVER_HTTP2)
        + &cluster("partywall-bundles", bundles, "");
    format!(
        "node: {{ id: collector-proxy, cluster: collector }}\nadmin:\n  address:\n    socket_address: {{ address: 127.0.0.1, \
         port_value: {admin} }}\n{STATS}static_resources:\n  listeners:\n{listeners}  clusters:\n{clusters}"
    )
}

/// What makes labels of what stands in names of counters.
const STATS: &str = r#"stats_config:
  stats_tags:
    - { tag_name: carrier, regex: "(carrier=\\.=(.*?);\\.;)" }
    - { tag_name: detector, regex: "(detector=\\.=(.*?);\\.;)" }
    - { tag_name: action, regex: "(action=\\.=(.*?);\\.;)" }
    - { tag_name: outcome, regex: "(outcome=\\.=(.*?);\\.;)" }
"#;

/// Its place in the filter, by spaces: what a `log_redaction` has that others have not.
const OWN: &str = "                            ";

fn filter(place: &str, options: &Options<'_>) -> String {
    let memory = options.memory.map_or(String::new(), |bytes| format!("{OWN}memory: {bytes}\n"));
    let quarantine = options.quarantine.map_or(String::new(), |quarantine| {
        let protocol = match quarantine {
            Quarantine::Http(_) => "http",
            Quarantine::Grpc(_) => "grpc",
        };
        format!("{OWN}quarantine: {{ cluster: quarantine, protocol: {protocol} }}\n")
    });
    wasm("log_redaction", &format!("{OWN}{place}\n{quarantine}{memory}"))
}

fn access_log() -> String {
    wasm("access_log", &format!("{OWN}headers: [User-Agent, referer]\n"))
}

fn wasm(root_id: &str, own: &str) -> String {
    format!(
        r#"                  - name: partywall.{root_id}
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        name: partywall.{root_id}
                        root_id: {root_id}
                        failure_policy: FAIL_RELOAD
                        vm_config:
                          vm_id: partywall-data
                          runtime: envoy.wasm.runtime.v8
                          code: {{ local: {{ filename: /etc/partywall/partywall-redaction.wasm }} }}
                          environment_variables:
                            host_env_keys: [PARTYWALL_BUNDLE_KEYS, PARTYWALL_FINGERPRINT]
                        configuration:
                          "@type": type.googleapis.com/google.protobuf.Struct
                          value:
{own}                            mesh: {MESH}
                            bundle: {{ cluster: partywall-bundles, path: /tenancy.redaction.bundle, overlay_path: /tenancy.overlay }}
                            trusted_keys: {{ env: PARTYWALL_BUNDLE_KEYS }}
                            secrets: {{ fingerprint: PARTYWALL_FINGERPRINT }}
"#
    )
}

/// Who comes in shows a certificate.
const MUTUAL_TLS: &str = r#"        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: true
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
                  - certificate_chain: { filename: /etc/partywall/tls/collector.pem }
                    private_key: { filename: /etc/partywall/tls/collector.key }
                validation_context:
                  trusted_ca: { filename: /etc/partywall/tls/ca.pem }
          filters:
"#;

fn listener(name: &str, port: u16, direction: &str, tls: &str, filter: &str) -> String {
    let chain = if tls.is_empty() { "        - filters:\n" } else { tls };
    format!(
        r#"    - name: {name}
      address:
        socket_address: {{ address: 127.0.0.1, port_value: {port} }}
      traffic_direction: {direction}
      per_connection_buffer_limit_bytes: 1048576
      filter_chains:
{chain}            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: {name}
                normalize_path: false
                merge_slashes: false
                path_with_escaped_slashes_action: KEEP_UNCHANGED
                access_log:
                  - name: envoy.access_loggers.stdout
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
                      log_format:
                        json_format:
                          run: "%REQ(X-RUN)%"
                          path: "%REQ(:PATH)%"
                          status: "%RESPONSE_CODE%"
                          grpc: "%GRPC_STATUS_NUMBER%"
                          details: "%RESPONSE_CODE_DETAILS%"
                          flags: "%RESPONSE_FLAGS%"
                          decision: "%FILTER_STATE(wasm.partywall.decision:PLAIN)%"
                          reason: "%FILTER_STATE(wasm.partywall.reason:PLAIN)%"
                          detail: "%FILTER_STATE(wasm.partywall.detail:PLAIN)%"
                          redaction: "%FILTER_STATE(wasm.partywall.redaction:PLAIN)%"
                          upstream: "%UPSTREAM_HOST%"
                          logged_path: "%FILTER_STATE(wasm.partywall.log.path:PLAIN)%"
                          logged_headers: "%FILTER_STATE(wasm.partywall.log.headers:PLAIN)%"
                route_config:
                  name: {name}
                  virtual_hosts:
                    - name: collector
                      domains: ["*"]
                      routes:
                        - match:
                            prefix: /
                            headers: [{{ name: content-type, string_match: {{ prefix: application/grpc }} }}]
                          route: {{ cluster: collector-grpc, timeout: 30s }}
                        - match: {{ prefix: / }}
                          route: {{ cluster: collector, timeout: 30s }}
                http_filters:
{filter}                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"#
    )
}

const OVER_HTTP2: &str = r#"      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
"#;

fn cluster(name: &str, port: u16, options: &str) -> String {
    format!(
        r#"    - name: {name}
      type: STATIC
      connect_timeout: 2s
{options}      load_assignment:
        cluster_name: {name}
        endpoints:
          - lb_endpoints:
              - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}
"#
    )
}
