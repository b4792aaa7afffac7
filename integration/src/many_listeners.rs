//! One Envoy with many doors: a listener for each directory, all of one VM, each with a bundle of its own. Routes go by
//! the header `x-case-service`, and by `x-case-route` to one with these metadata.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::bootstrap::Bootstrap;
use crate::certificates::Workload;
use crate::cli;
use crate::envoy::{Envoy, Start};
use crate::ports::{free, local};
use crate::raw::Request;
use crate::site::{MESH, Site};
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(60);
/// As many ports as there can be: one for each listener, and two more.
const MOST: usize = 32;
/// A port that was free is taken by somebody else now and then, before Envoy has made machine code of the module.
const TRIES: usize = 3;
/// Stands for the port of the first listener, until there is one.
const FIRST: u16 = 20_000;

/// A listener.
#[derive(Clone, Debug)]
pub struct Door {
    /// The name of the directory, under which its bundles are served.
    pub directory: String,
    /// The services that its routes lead to.
    pub services: Vec<String>,
    /// What metadata of routes say; `x-case-route` is the position of one.
    pub said: Vec<Value>,
    /// The service whose sidecar it is; the edge where there is none.
    pub sidecar_of: Option<String>,
}

/// What is served, by its path.
pub type Files = HashMap<String, Vec<u8>>;

/// The running Envoy with its bundle server.
pub struct Doors {
    /// The Envoy.
    pub envoy: Envoy,
    /// Where each door is.
    pub addresses: Vec<SocketAddr>,
    _server: Runtime,
}

impl Doors {
    /// Starts an Envoy with these doors, all of whose clusters lead to `app`, and a server for `files`; waits until
    /// each of them decides: the Envoy has one worker, so one answer says it.
    pub fn start(site: &Site, doors: &[Door], app: u16, files: Files) -> Result<Self> {
        let files = Arc::new(files);
        let mut left = TRIES;
        loop {
            left -= 1;
            match Self::try_start(site, doors, app, files.clone()) {
                Err(error) if left > 0 && format!("{error:#}").contains("a port busy") => {}
                started => return started,
            }
        }
    }

    fn try_start(site: &Site, doors: &[Door], app: u16, files: Arc<Files>) -> Result<Self> {
        let ports = free::<MOST>()?;
        let [admin, server, rest @ ..] = ports;
        if doors.len() > rest.len() {
            bail!("{} listeners are more than {}", doors.len(), rest.len());
        }
        let runtime = Runtime::new()?;
        serve(&runtime, server, files)?;
        let path = site.directory.join("doors.plain.yaml");
        std::fs::write(&path, text(doors))?;
        let mut bootstrap = Bootstrap::read(cli::text(&path)?)?
            .address("admin", 9901, admin)?
            .address("bundles", 8400, server)?
            .address("app", 8080, app)?;
        for (port, at) in rest.iter().zip(FIRST..).take(doors.len()) {
            bootstrap = bootstrap.address("0.0.0.0", at, *port)?;
        }
        let how = Start {
            name: "doors",
            bootstrap: bootstrap.installed_in(&site.directory.join("etc")),
            admin: Some(admin),
            environment: site.environment("edge")?,
            directory: &site.directory,
        };
        let mut envoy = Envoy::start_with(how, 1)?;
        envoy.wait_until_ready()?;
        let addresses: Vec<_> = rest.iter().take(doors.len()).map(|port| local(*port)).collect();
        for (door, address) in doors.iter().zip(&addresses) {
            let decides = || {
                let probe = Request::get("/ready-yet").header("host", "ready");
                let probe = probe.header("x-case-service", door.services.first().cloned().unwrap_or_default());
                let answer = match door.sidecar_of {
                    Some(_) => probe.send_as(site.certificates.of(Workload::Edge), *address),
                    None => probe.send(*address),
                };
                answer.ok().filter(|answer| answer.status != 503)
            };
            wait::until(PATIENCE, decides)
                .with_context(|| format!("{} has no bundle:\n{}", door.directory, envoy.errors()))?;
        }
        Ok(Self { envoy, addresses, _server: runtime })
    }
}

fn serve(runtime: &Runtime, port: u16, files: Arc<Files>) -> Result<()> {
    let listener = runtime.block_on(TcpListener::bind(local(port))).context("cannot listen")?;
    let router = Router::new().fallback(move |request: AxumRequest| {
        let found = files.get(request.uri().path()).cloned();
        async move { found.map_or((StatusCode::NOT_FOUND, Vec::new()), |bytes| (StatusCode::OK, bytes)) }
    });
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Where the bundle of a door is served.
pub fn bundle_path(door: &Door) -> String {
    let audience = if door.sidecar_of.is_some() { "workload" } else { "edge" };
    format!("/{}/tenancy.{audience}.bundle", door.directory)
}

/// The same on disk, in a folder that holds what `partywall compile` wrote for each directory.
pub fn bundle_file(folder: &std::path::Path, door: &Door) -> PathBuf {
    folder.join(bundle_path(door).trim_start_matches('/'))
}

fn text(doors: &[Door]) -> String {
    let mut services: Vec<&str> = doors.iter().flat_map(|door| &door.services).map(String::as_str).collect();
    services.sort_unstable();
    services.dedup();
    let listeners: String = doors.iter().zip(FIRST..).map(|(door, port)| listener(door, port)).collect();
    let clusters: String = services.iter().map(|name| cluster(name, "app", 8080)).collect();
    format!(
        "admin: {{ address: {{ socket_address: {{ address: admin, port_value: 9901 }} }} }}\nstatic_resources:\n  \
         listeners:\n{listeners}  clusters:\n{clusters}{}{TAGS}",
        cluster("partywall-bundles", "bundles", 8400)
    )
}

/// As in the sample: labels stand in the names of metrics.
const TAGS: &str = r#"stats_config:
  stats_tags:
    - { tag_name: role, regex: "(role=\\.=(.*?);\\.;)" }
    - { tag_name: reason, regex: "(reason=\\.=(.*?);\\.;)" }
"#;

fn cluster(name: &str, address: &str, port: u16) -> String {
    format!(
        "    - name: {name}\n      type: STATIC\n      connect_timeout: 2s\n      load_assignment:\n        cluster_name: \
         {name}\n        endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: {address}, \
         port_value: {port} }} }} }} }}] }}]\n"
    )
}

fn listener(door: &Door, port: u16) -> String {
    let (role, hop, tls) = match door.sidecar_of {
        Some(_) => ("inbound", "orders", TLS),
        None => ("edge", "edge", ""),
    };
    let service = door.sidecar_of.as_ref().map_or(String::new(), |name| format!("service: {name}, "));
    // A directory may have several sidecars.
    let of = door.sidecar_of.as_ref().map_or(String::new(), |name| format!("-{name}"));
    let routes: String = door.services.iter().map(|name| routes(name, &door.said)).collect();
    LISTENER
        .replace("${port}", &port.to_string())
        .replace("${name}", &format!("{}-{role}{of}", door.directory))
        .replace("${tls}", tls)
        .replace("${hop}", hop)
        .replace("${role}", role)
        .replace("${service}", &service)
        .replace("${mesh}", MESH)
        .replace("${bundle}", &bundle_path(door))
        .replace("${routes}", &routes)
}

/// By a header, since cases ask for the same paths of several services.
fn routes(service: &str, said: &[Value]) -> String {
    let route = |at: Option<(usize, &Value)>| {
        let (by, metadata) = at.map_or_else(Default::default, |(at, said)| {
            let by = format!(", {{ name: x-case-route, string_match: {{ exact: \"{at}\" }} }}");
            (by, format!(", metadata: {{ filter_metadata: {{ partywall: {said} }} }}"))
        });
        format!(
            "                        - {{ match: {{ prefix: /, headers: [{{ name: x-case-service, string_match: {{ exact: \
             {service} }} }}{by}] }}, route: {{ cluster: {service} }}{metadata} }}\n"
        )
    };
    said.iter().enumerate().map(Some).chain([None]).map(route).collect()
}

const TLS: &str = r#"
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: true
              common_tls_context:
                tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }
                tls_certificates:
                  - certificate_chain: { filename: /etc/partywall/tls/orders.pem }
                    private_key: { filename: /etc/partywall/tls/orders.key }
                validation_context:
                  trusted_ca: { filename: /etc/partywall/tls/ca.pem }"#;

const LISTENER: &str = r#"    - name: ${name}
      address: { socket_address: { address: 0.0.0.0, port_value: ${port} } }
      traffic_direction: INBOUND
      filter_chains:
        - name: all${tls}
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ${name}
                normalize_path: false
                merge_slashes: false
                path_with_escaped_slashes_action: KEEP_UNCHANGED
                preserve_external_request_id: true
                access_log:
                  - name: envoy.access_loggers.stdout
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
                      log_format:
                        json_format:
                          hop: ${hop}
                          role: ${role}
                          status: "%RESPONSE_CODE%"
                          decision: "%FILTER_STATE(wasm.partywall.decision:PLAIN)%"
                          shadow: "%FILTER_STATE(wasm.partywall.shadow:PLAIN)%"
                          reason: "%FILTER_STATE(wasm.partywall.reason:PLAIN)%"
                          policy: "%FILTER_STATE(wasm.partywall.policy:PLAIN)%"
                          detail: "%FILTER_STATE(wasm.partywall.detail:PLAIN)%"
                          explain: "%FILTER_STATE(wasm.partywall.explain:PLAIN)%"
                          request_id: "%REQ(X-REQUEST-ID)%"
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
${routes}                http_filters:
                  - name: partywall
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        name: ${name}
                        root_id: sidecar
                        failure_policy: FAIL_RELOAD
                        vm_config:
                          vm_id: partywall
                          runtime: envoy.wasm.runtime.v8
                          code: { local: { filename: /etc/partywall/partywall.wasm } }
                          environment_variables:
                            host_env_keys: [PARTYWALL_BUNDLE_KEYS, PARTYWALL_FINGERPRINT, PARTYWALL_SHARED_STATE, PARTYWALL_CONTEXT_SIGNING, PARTYWALL_API_KEYS]
                        configuration:
                          "@type": type.googleapis.com/google.protobuf.Struct
                          value:
                            { role: ${role}, ${service}mesh: ${mesh}, bundle: { cluster: partywall-bundles, path: ${bundle}, overlay_path: /tenancy.overlay }, trusted_keys: { env: PARTYWALL_BUNDLE_KEYS }, secrets: { fingerprint: PARTYWALL_FINGERPRINT, shared_state: PARTYWALL_SHARED_STATE, context_signing: PARTYWALL_CONTEXT_SIGNING, api_keys: PARTYWALL_API_KEYS } }
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"#;
