//! A workload that reads Kafka through its own sidecar, as a consumer does that acts for whom it read.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::Brokers;
use crate::ports::{free, local};
use crate::site::MESH;
use crate::variant::Variant;

/// The workload whose sidecar it is.
const WORKLOAD: &str = "invoices";

/// A listener of the sidecar, before the first broker.
#[derive(Clone, Copy, Debug)]
pub struct Outlet<'a> {
    /// The cluster of `events.yaml` that it is: clients are led back here for each broker.
    pub cluster: &'a str,
    /// Whose connections come in.
    pub tenant: &'a str,
    /// More lines of the plugin configuration.
    pub plugin: &'a str,
}

/// Gives the sidecar these listeners; says where the workload finds each.
pub fn outlets(variant: &mut Variant, brokers: &Brokers, all: &[Outlet<'_>]) -> Result<Vec<String>> {
    const BEFORE: &str = "  clusters:\n    - name: app\n";
    let (mut listeners, mut events) = (String::new(), String::from("clusters:\n"));
    let mut places = Vec::new();
    for (at, outlet) in (0u16..).zip(all) {
        let [port] = free()?;
        let written = 19_092 + at;
        variant.stands_for(WORKLOAD, "127.0.0.1", written, port);
        listeners += &listener(outlet, written);
        write!(
            events,
            "  - cluster: {0}\n    spiffe_id: spiffe://mesh.example/ns/events/sa/{0}\n    region: eu\n    identity: [{{ listener: \
             [{1}] }}]\n    brokers: {{ listed: {{ 1: \"127.0.0.1:{port}\" }} }}\n    topics: [{{ topic: \"*\" }}]\n",
            outlet.cluster, outlet.tenant
        )?;
        places.push(local(port).to_string());
    }
    variant.append("events.yaml", &events)?;
    let policy = "@id(\"reads\")\npermit (principal, action in [Action::\"events:consume\", Action::\"events:describe\"], \
                  resource);\n";
    variant.append("policies/events.cedar", policy)?;
    variant.envoy(WORKLOAD, BEFORE, &format!("{listeners}{BEFORE}"))?;
    variant.cluster(WORKLOAD, "kafka", brokers.port(0, 0)).context("the cluster of brokers")?;
    Ok(places)
}

fn listener(outlet: &Outlet<'_>, port: u16) -> String {
    let Outlet { cluster, tenant, plugin } = outlet;
    let more: String = plugin.lines().fold(String::new(), |all, line| all + "                      " + line + "\n");
    format!(
        r#"    - name: {cluster}
      address:
        socket_address: {{ address: 127.0.0.1, port_value: {port} }}
      traffic_direction: OUTBOUND
      filter_chains:
        - filters:
            - name: partywall.kafka_scope
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm
                config:
                  name: {cluster}
                  root_id: kafka_scope
                  failure_policy: FAIL_RELOAD
                  vm_config:
                    vm_id: partywall-data
                    runtime: envoy.wasm.runtime.v8
                    code: {{ local: {{ filename: /etc/partywall/partywall.wasm }} }}
                    environment_variables:
                      host_env_keys: [PARTYWALL_BUNDLE_KEYS, PARTYWALL_FINGERPRINT, PARTYWALL_SHARED_STATE]
                  configuration:
                    "@type": type.googleapis.com/google.protobuf.Struct
                    value:
                      mesh: {MESH}
                      cluster: {cluster}
                      tenant: {tenant}
                      bundle: {{ cluster: partywall-bundles, path: /tenancy.events.bundle, overlay_path: /tenancy.overlay }}
                      trusted_keys: {{ env: PARTYWALL_BUNDLE_KEYS }}
                      secrets: {{ fingerprint: PARTYWALL_FINGERPRINT, shared_state: PARTYWALL_SHARED_STATE }}
{more}            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: kafka
                cluster: kafka
"#
    )
}
