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
use crate::{artefacts, wait};

/// How long Kroxylicious may take to start on a busy machine.
const STARTUP: Duration = Duration::from_secs(60);
/// What clients call the topic, and what it is at the broker.
pub(super) const TOPIC: &str = "orders";
/// As the prefix of the tenant makes it.
pub(super) const AT_BROKER: &str = "acme.orders";

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Envoy's `tcp_proxy` alone.
    Alone,
    /// With a module that does nothing.
    NoOp,
    /// Kroxylicious with its filter for tenants.
    Kroxylicious,
}

impl What {
    /// Its word in names of figures.
    pub(super) fn word(self) -> &'static str {
        match self {
            What::Alone => "tcp_proxy",
            What::NoOp => "no-op",
            What::Kroxylicious => "kroxylicious",
        }
    }

    /// What its clients call the topic.
    pub(super) fn topic(self) -> &'static str {
        match self {
            What::Alone | What::NoOp => AT_BROKER,
            What::Kroxylicious => TOPIC,
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
    /// Starts it before the broker at this port; files of it go into the directory, under `name`.
    pub(super) fn start(what: What, name: &str, directory: &Path, broker: u16) -> Result<Self> {
        fs::create_dir_all(directory.join("logs"))?;
        match what {
            What::Kroxylicious => kroxylicious(name, directory, broker),
            What::Alone => envoy(what, name, directory, broker, ""),
            What::NoOp => {
                let module = directory.join("no-op.wasm");
                fs::write(&module, wat::parse_str(include_str!("../no-op.wat"))?)?;
                envoy(what, name, directory, broker, &NO_OP.replace("MODULE", &module.to_string_lossy()))
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
"#;

const NO_OP: &str = r#"            - name: envoy.filters.network.wasm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm
                config:
                  name: no-op
                  vm_config: { runtime: envoy.wasm.runtime.v8, code: { local: { filename: MODULE } } }
"#;

fn envoy(what: What, name: &str, directory: &Path, broker: u16, filter: &str) -> Result<Proxy> {
    let [listener, admin] = free()?;
    let bootstrap = Bootstrap::of(&BOOTSTRAP.replace("FILTER", filter))
        .address("listener", 1, listener)?
        .address("admin", 1, admin)?
        .address("broker", 1, broker)?;
    let start = Start { name, bootstrap, admin: Some(admin), environment: Vec::new(), directory };
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
