//! What stands between clients and broker: Envoys that differ in one network filter, each with one worker, and
//! Kroxylicious.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bootstrap::Bootstrap;
use crate::envoy::{Envoy, Start};
use crate::ports::{free, local};
use crate::process::Process;
use crate::site::{FIRST_REVISION, Site, compile};
use crate::variant::Variant;
use crate::{artefacts, cli, wait};

/// How long Kroxylicious may take to start on a busy machine.
const STARTUP: Duration = Duration::from_secs(60);
/// What clients call the topic, and what it is at the broker.
pub const TOPIC: &str = "orders";
/// As the prefix of the tenant makes it.
pub const AT_BROKER: &str = "acme.orders";

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Envoy's `tcp_proxy` alone.
    Alone,
    /// With a module that does nothing.
    NoOp,
    /// With root id `kafka_scope`, for a tenant whose listener it is.
    Ours,
    /// Kroxylicious with its filter for tenants.
    Kroxylicious,
}

impl What {
    /// Its word in names of figures.
    pub(super) fn word(self) -> &'static str {
        match self {
            What::Alone => "tcp_proxy",
            What::NoOp => "no-op",
            What::Ours => "ours",
            What::Kroxylicious => "kroxylicious",
        }
    }

    /// What its clients call the topic.
    pub(super) fn topic(self) -> &'static str {
        match self {
            What::Alone | What::NoOp => AT_BROKER,
            What::Ours | What::Kroxylicious => TOPIC,
        }
    }
}

/// One of them, before a broker.
pub(super) struct Proxy {
    /// What it is.
    pub(super) what: What,
    /// Where clients connect.
    pub(super) address: SocketAddr,
    running: Running,
}

enum Running {
    Envoy(Envoy),
    Java(Process),
}

impl Proxy {
    /// Starts it before the broker at this port; files of it are called `name`.
    pub(super) fn start(what: What, name: &str, policy: &Policy, broker: u16) -> Result<Self> {
        let module = policy.directory().join("no-op.wasm");
        match what {
            What::Kroxylicious => kroxylicious(name, policy.directory(), broker),
            What::Alone => envoy(what, name, policy, broker, ""),
            What::Ours => envoy(what, name, policy, broker, OURS),
            What::NoOp => {
                fs::write(&module, wat::parse_str(include_str!("../no-op.wat"))?)?;
                envoy(what, name, policy, broker, &NO_OP.replace("MODULE", &module.to_string_lossy()))
            }
        }
    }

    /// The time that all of its threads have been on a CPU.
    pub(super) fn cpu(&self) -> Result<Duration> {
        match &self.running {
            Running::Envoy(envoy) => envoy.cpu(),
            Running::Java(process) => process.cpu(),
        }
    }

    /// Its resident set, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        match &self.running {
            Running::Envoy(envoy) => envoy.resident(),
            Running::Java(process) => process.resident(),
        }
    }

    /// What it complained of.
    pub(super) fn errors(&self) -> String {
        match &self.running {
            Running::Envoy(envoy) => envoy.errors(),
            Running::Java(process) => process.errors(),
        }
    }
}

/// What ours is to enforce: a tenancy directory with one cluster, whose topics are all the tenant's own.
pub(super) struct Policy {
    site: Site,
    port: u16,
    _serve: Process,
}

const EVENTS: &str = r#"clusters:
  - cluster: bench
    spiffe_id: spiffe://mesh.example/ns/events/sa/kafka-proxy
    region: eu
    identity: [{ listener: all }]
    brokers: as_they_are
    topics: [{ topic: "*" }]
"#;

const CEDAR: &str = r#"
@id("topics-of-the-bench")
permit (
    principal,
    action in [Action::"events:produce", Action::"events:consume", Action::"events:describe"],
    resource
);
"#;

impl Policy {
    /// Compiles it in a site of this name.
    pub(super) fn compile(name: &str) -> Result<Site> {
        let variant = Variant::prepare(name, &[])?;
        variant.append("events.yaml", EVENTS)?;
        variant.append("policies/bench.cedar", CEDAR)?;
        let tenancy = variant.tenancy("");
        let site = variant.site;
        compile(&tenancy, &site.keys(), &site.bundles(), Some(FIRST_REVISION + 1))?;
        Ok(site)
    }

    /// Compiles it and serves it.
    pub(super) fn serve() -> Result<Self> {
        let site = Self::compile("bench-kafka")?;
        let [port] = free()?;
        let mut serve = cli::serve(&site.bundles(), &site.keys(), port)?;
        let _serve = Process::start("bundles", &mut serve, &site.directory.join("logs"))?;
        Ok(Self { site, port, _serve })
    }

    fn directory(&self) -> &Path {
        &self.site.directory
    }
}

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: admin, port_value: 1 } } }
static_resources:
  listeners:
    - name: kafka
      address: { socket_address: { address: listener, port_value: 1 } }
      filter_chains:
        - filters:
FILTER            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: kafka
                cluster: kafka
  clusters:
    - name: kafka
      type: STATIC
      connect_timeout: 1s
      # A thousand connections at a time are measured.
      circuit_breakers: { thresholds: [{ max_connections: 10000, max_pending_requests: 10000 }] }
      load_assignment:
        cluster_name: kafka
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: broker, port_value: 1 } } }
    - name: partywall-bundles
      type: STATIC
      connect_timeout: 1s
      load_assignment:
        cluster_name: partywall-bundles
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: bundles, port_value: 1 } } }
"#;

const NO_OP: &str = r#"            - name: envoy.filters.network.wasm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm
                config:
                  name: no-op
                  vm_config: { runtime: envoy.wasm.runtime.v8, code: { local: { filename: MODULE } } }
"#;

const OURS: &str = r#"            - name: envoy.filters.network.wasm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm
                config:
                  name: partywall.kafka_scope
                  root_id: kafka_scope
                  failure_policy: FAIL_RELOAD
                  vm_config:
                    vm_id: partywall-data
                    runtime: envoy.wasm.runtime.v8
                    code: { local: { filename: /etc/partywall/partywall.wasm } }
                    environment_variables:
                      host_env_keys: [PARTYWALL_BUNDLE_KEYS, PARTYWALL_FINGERPRINT, PARTYWALL_SHARED_STATE]
                  configuration:
                    "@type": type.googleapis.com/google.protobuf.Struct
                    value:
                      mesh: 3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11
                      cluster: bench
                      tenant: acme
                      bundle: { cluster: partywall-bundles, path: /tenancy.events.bundle, overlay_path: /tenancy.overlay }
                      trusted_keys: { env: PARTYWALL_BUNDLE_KEYS }
                      secrets: { fingerprint: PARTYWALL_FINGERPRINT, shared_state: PARTYWALL_SHARED_STATE }
"#;

fn envoy(what: What, name: &str, policy: &Policy, broker: u16, filter: &str) -> Result<Proxy> {
    let [listener, admin] = free()?;
    let bootstrap = Bootstrap::rendered(BOOTSTRAP.replace("FILTER", filter), Vec::new())
        .address("listener", 1, listener)?
        .address("admin", 1, admin)?
        .address("broker", 1, broker)?
        .address("bundles", 1, policy.port)?
        .installed_in(&policy.directory().join("etc"));
    let environment = policy.site.environment("orders")?;
    let start = Start { name, bootstrap, admin: Some(admin), environment, directory: policy.directory() };
    let mut envoy = Envoy::start_with(start, 1)?;
    envoy.wait_until_ready()?;
    Ok(Proxy { what, address: local(listener), running: Running::Envoy(envoy) })
}

/// A virtual cluster is a tenant to it, and its name the prefix. The first port is for clients that begin, the next
/// one is that of broker 1.
const KROXYLICIOUS: &str = r#"
virtualClusters:
  - name: acme
    targetCluster: { bootstrapServers: "127.0.0.1:BROKER" }
    gateways:
      - name: default
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:LISTENER
          nodeIdRanges: [{ name: brokers, start: 1, end: 1 }]
filterDefinitions:
  - name: tenants
    type: MultiTenantTransformationFilterFactory
    config: { prefixResourceNameSeparator: "." }
defaultFilters: [tenants]
"#;

fn kroxylicious(name: &str, directory: &Path, broker: u16) -> Result<Proxy> {
    // Two in a row.
    let listener = wait::until(STARTUP, || free().ok().filter(|[one, next]| one + 1 == *next))
        .context("no two free ports in a row")?[0];
    let text = KROXYLICIOUS.replace("BROKER", &broker.to_string()).replace("LISTENER", &listener.to_string());
    let config = directory.join(format!("{name}.yaml"));
    fs::write(&config, text)?;
    let mut command = Command::new("java");
    command.args(["-Xmx1g", "-cp"]).arg(artefacts::kroxylicious()?.join("*"));
    command.arg(crate::kafka::program("Kroxylicious.java")).arg(config);
    let mut process = Process::start(name, &mut command, &directory.join("logs"))?;
    let mut ended = None;
    let open = wait::until(STARTUP, || {
        ended = process.check_alive().err();
        (ended.is_some() || TcpStream::connect(local(listener)).is_ok()).then_some(())
    });
    match ended {
        Some(error) => Err(error),
        None => {
            open.with_context(|| format!("Kroxylicious does not listen: {}", process.errors()))?;
            Ok(Proxy { what: What::Kroxylicious, address: local(listener), running: Running::Java(process) })
        }
    }
}
