//! A whole bootstrap of one Envoy: what `envoy-config/bootstraps` holds for the sample.

use std::fmt::Write;

use partywall_tenancy::{CloudEvents, KeyAlgorithm, KeySource, Service, ServiceEvents, Source};

use crate::deployment::{Deployment, Place};
use crate::directory::{Directory, Limits};
use crate::exit::Failure;
use crate::render::cells::{Called, Instance, region_of};
use crate::render::template::{fill, scalar};
use crate::render::{limits, routes};

/// Which Envoy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role<'a> {
    /// Where clients come in.
    Edge,
    /// Beside this service, in this cell if any; both directions where the service calls others.
    Sidecar(&'a str, Option<&'a str>),
}

/// What a bootstrap is made from.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    /// The tenancy directory.
    pub(crate) directory: Directory<'a>,
    /// Its limits.
    pub(crate) limits: &'a Limits,
    /// Where everything is.
    pub(crate) deployment: &'a Deployment,
}

const ACCESS_LOG: &str = include_str!("envoy/access_log.yaml");
const CLUSTER: &str = include_str!("envoy/cluster.yaml");
const CORS: &str = include_str!("envoy/cors.yaml");
const CORS_FILTER: &str = include_str!("envoy/cors_filter.yaml");
const EDGE: &str = include_str!("envoy/edge.yaml");
const FILTER: &str = include_str!("envoy/filter.yaml");
const LOCAL_REPLY: &str = include_str!("envoy/local_reply.yaml");
const OUTBOUND: &str = include_str!("envoy/outbound.yaml");
const SIDECAR: &str = include_str!("envoy/sidecar.yaml");
pub(crate) const TAIL: &str = include_str!("envoy/tail.yaml");
const TLS: &str = "{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }";
const HTTP2: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const PEER: &str = "peer: \"%DOWNSTREAM_PEER_URI_SAN%\"";
const UPSTREAM: &str = "upstream: \"%UPSTREAM_PEER_URI_SAN%\"";
/// Blocks are written where they are needed first, with a name; a name that nobody uses is taken away again.
const ANCHORS: [&str; 8] =
    ["http2", "tls_params", "certificate", "problem_document", "vm", "bundle", "trusted_keys", "secrets"];

/// The bootstrap of the Envoy of `role`, as YAML with comments.
///
/// # Errors
///
/// A service that the deployment or the directory does not know, one that is called and lies nowhere, and routes that
/// cannot be told apart.
pub(crate) fn bootstrap(given: Given<'_>, role: Role<'_>) -> Result<String, Failure> {
    let text = match role {
        Role::Edge => edge(given)?,
        Role::Sidecar(name, cell) => sidecar(given, name, cell)?,
    };
    let mut text = text.replace("\n\n\n", "\n\n");
    for name in ANCHORS {
        if !text.contains(&format!("*{name}\n")) {
            text = text.replace(&format!(" &{name}"), "");
        }
    }
    Ok(text)
}

fn edge(given: Given<'_>) -> Result<String, Failure> {
    let Deployment { edge, .. } = given.deployment;
    let called = given.called_by(&edge.spiffe_id.to_string(), None)?;
    let routes = routes::routes(called.iter().map(|called| (called.service, called.targets())))?;
    let certificate = certificate(&given.deployment.files, "edge");
    let clusters = clusters(&called, &given.deployment.files, Some(&certificate));
    let (cors, cors_filter) = match &edge.cors {
        Some(cors) => {
            let origins: Vec<String> =
                cors.origins.iter().map(|origin| format!("{{ exact: {} }}", scalar(origin))).collect();
            let places = [
                ("origins", origins.join(", ")),
                ("methods", cors.methods.join(", ")),
                ("headers", cors.headers.join(", ")),
            ];
            (fill(CORS, &places), CORS_FILTER.to_owned())
        }
        None => (String::new(), String::new()),
    };
    let secrets = given.secrets_of_edge();
    let (global, limits_cluster) = limits::global::at_edge(given.limits, given.deployment.limits.as_ref())?;
    Ok(EDGE_HEAD.to_owned()
        + &fill(
            EDGE,
            &[
                ("locality", locality(edge.region.as_deref())),
                ("admin", given.deployment.admin.to_string()),
                ("listen", edge.listen.to_string()),
                ("access_log", access_log("edge", "edge", &format!("{PEER}\n{UPSTREAM}"))),
                ("local_reply", fill(LOCAL_REPLY, &[("overflow", String::new())])),
                ("routes", routes),
                ("cors", cors),
                ("cors_filter", cors_filter),
                ("filter", filter(given, "edge", None, &secrets, false)),
                ("limits", limits::local(given.limits) + &global),
                ("clusters", clusters + &limits_cluster),
            ],
        )
        + &tail(given))
}

fn sidecar(given: Given<'_>, name: &str, cell: Option<&str>) -> Result<String, Failure> {
    let service = given.service(name)?;
    let place = given.place(name, cell)?;
    let called = given.called_by(&service.spiffe_id.to_string(), cell)?;
    let secrets = secrets_of(service, &given.directory);
    let (mut outbound, mut clusters_of_others) = (String::new(), String::new());
    if let Some(listen) = &place.outbound {
        clusters_of_others = clusters(&called, &given.deployment.files, None);
        let mut hosts = String::new();
        for other in &called {
            let _ = writeln!(hosts, "- name: {0}\n  domains: [{0}]\n  routes:", other.service.name);
            for target in other.targets() {
                let (condition, cluster) = (target.condition(), target.cluster);
                let _ = writeln!(
                    hosts,
                    "    - match: {{ prefix: /{condition} }}\n      route: {{ cluster: {cluster}, timeout: 15s }}"
                );
            }
        }
        outbound = fill(
            OUTBOUND,
            &[
                ("listen", listen.to_string()),
                ("access_log", access_log(name, "outbound", UPSTREAM)),
                ("hosts", hosts),
                ("filter", filter(given, "outbound", Some((name, cell)), &secrets, true)),
            ],
        );
    } else if let Some(other) = called.first() {
        return Err(Failure::invalid(format!(
            "`{name}` may call `{}`, and the deployment gives it no `outbound`\nhelp: write `outbound: {{ address: \
             127.0.0.1, port: 15001 }}` where its calls go",
            other.service.name
        )));
    }
    let concurrency = limits::concurrency(given.limits, &place.app.to_string())?;
    let both = !outbound.is_empty();
    let head = if both { SIDECAR_HEAD } else { INBOUND_HEAD };
    let region = cell.map(|cell| region_of(&given.directory.mesh.cells, cell)).transpose()?;
    let node = cell.map_or_else(|| name.to_owned(), |cell| format!("{name}-{cell}"));
    Ok(fill(head, &[("service", name.to_owned())])
        + &fill(
            SIDECAR,
            &[
                ("node", node),
                ("locality", locality(region)),
                ("service", name.to_owned()),
                ("admin", given.deployment.admin.to_string()),
                ("listen", place.inbound().to_string()),
                ("app", place.app.to_string()),
                ("files", given.deployment.files.clone()),
                ("trust_domain", given.directory.mesh.trust_domain.clone()),
                ("access_log", access_log(name, "inbound", PEER)),
                ("local_reply", fill(LOCAL_REPLY, &[("overflow", concurrency.reply)])),
                ("routes", concurrency.routes),
                ("app_clusters", concurrency.clusters),
                ("filter", filter(given, "inbound", Some((name, cell)), &secrets, both)),
                ("limits", limits::local(given.limits)),
                ("outbound", outbound),
                ("clusters", clusters_of_others),
            ],
        )
        + &tail(given))
}

/// The filter of events, behind ours.
const EVENTS: &str = include_str!("envoy/events.yaml");
const EDGE_HEAD: &str = include_str!("envoy/edge_head.yaml");
const SIDECAR_HEAD: &str = include_str!("envoy/sidecar_head.yaml");
const INBOUND_HEAD: &str = include_str!("envoy/inbound_head.yaml");

impl<'a> Given<'a> {
    fn service(&self, name: &str) -> Result<&'a Service, Failure> {
        let services = self.directory.services;
        services.iter().find(|service| service.name == name).ok_or_else(|| {
            let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
            Failure::invalid(format!("no service is called `{name}`\nhelp: there are {}", names.join(", ")))
        })
    }

    fn place(&self, name: &str, cell: Option<&str>) -> Result<&'a Place, Failure> {
        let mut of_it = self.deployment.services.iter().filter(|place| place.service == name);
        of_it.clone().find(|place| place.cell.as_deref() == cell).ok_or_else(|| {
            let given = cell.map_or_else(String::new, |cell| format!(" in the cell `{cell}`"));
            let help = match of_it.find_map(|place| place.cell.as_deref()) {
                Some(other) => format!("write `--cell {other}` for the instance there"),
                None => format!(
                    "write `- {{ service: {name}, address: {name}-sidecar, port: 15006, app: {{ address: 127.0.0.1, port: 8080 \
                     }} }}` under `services`"
                ),
            };
            Failure::invalid(format!("the deployment does not say where `{name}` is{given}\nhelp: {help}"))
        })
    }

    /// The services that this workload, in this cell if any, may call, and where they are.
    fn called_by(&self, spiffe_id: &str, cell: Option<&str>) -> Result<Vec<Called<'a>>, Failure> {
        let calls = |service: &&Service| service.callers.iter().any(|caller| caller.spiffe_id.to_string() == spiffe_id);
        let (places, cells) = (&self.deployment.services, &self.directory.mesh.cells);
        let called = |service| Called::of(service, places, cells, cell);
        self.directory.services.iter().filter(calls).map(called).collect()
    }

    /// Whether a response is held where this filter stands: beside the service, or at the edge for those it calls.
    fn holds(&self, role: &str, service: Option<&str>) -> (bool, bool) {
        let edge = &self.deployment.edge.spiffe_id;
        let stands_for = |one: &&Service| match role {
            "edge" => one.callers.iter().any(|caller| caller.spiffe_id == *edge),
            "inbound" => service == Some(one.name.as_str()),
            _ => false,
        };
        let operations = || self.directory.services.iter().filter(stands_for).flat_map(|service| &service.operations);
        let responses = operations().filter_map(|operation| operation.response.as_ref()).any(|one| one.hold > 0);
        (responses, operations().any(|operation| operation.hold > 0))
    }

    /// Whether requests that are events come by a filter of this role: those that come to the service, and events that it
    /// sends to others.
    fn has_events(&self, role: &str, name: &str) -> bool {
        let services = self.directory.services;
        let Some(own) = services.iter().find(|service| service.name == name) else { return false };
        match role {
            "inbound" => own.events.is_some(),
            _ => sent_by(own, services).next().is_some(),
        }
    }

    /// Purposes and variables of the edge's secrets.
    fn secrets_of_edge(&self) -> Vec<&'static str> {
        let mesh = self.directory.mesh;
        let mut secrets = vec!["audit_chain", "fingerprint", "shared_state", "context_signing"];
        if mesh.sources.edge.iter().any(|source| matches!(source, Source::ApiKey { .. })) {
            secrets.push("api_keys");
        }
        if self.has_symmetric_issuers() {
            secrets.push("issuer_keys");
        }
        secrets
    }

    /// Whether some issuer signs with keys that are secret.
    pub(crate) fn has_symmetric_issuers(&self) -> bool {
        let symmetric = |keys: &KeySource| match keys {
            KeySource::Inline(keys) => keys.iter().any(|key| key.algorithm == KeyAlgorithm::Hs256),
            KeySource::Fetched { .. } => false,
        };
        self.directory.mesh.issuers.iter().any(|issuer| symmetric(&issuer.keys))
    }
}

/// The events that a workload may send to services.
fn sent_by<'s>(own: &'s Service, services: &'s [Service]) -> impl Iterator<Item = &'s CloudEvents> {
    let called = |service: &&Service| service.callers.iter().any(|caller| caller.spiffe_id == own.spiffe_id);
    services.iter().filter(called).filter_map(|service| match &service.events {
        Some(ServiceEvents::CloudEvents(events)) => Some(events),
        _ => None,
    })
}

/// Of a sidecar: one that acts for tenants by itself signs, and one whose events get contexts.
fn secrets_of(service: &Service, directory: &Directory<'_>) -> Vec<&'static str> {
    let mut secrets = vec!["audit_chain", "fingerprint", "shared_state"];
    let has_key = directory.mesh.signers.iter().any(|signer| signer.workload == service.spiffe_id);
    let signs_events = || has_key && sent_by(service, directory.services).any(|events| events.context.is_some());
    if service.own_tenant.is_some() || service.act_for.is_some() || signs_events() {
        secrets.push("context_signing");
    }
    secrets
}

/// Our filter. Where both directions share one VM, outbound refers to what inbound wrote down.
fn filter(
    given: Given<'_>,
    role: &str,
    service: Option<(&str, Option<&str>)>,
    secrets: &[&str],
    shared: bool,
) -> String {
    let variable = |purpose: &&str| format!("PARTYWALL_{}", purpose.to_ascii_uppercase());
    let audience = if role == "edge" { "edge" } else { "workload" };
    let (vm, trust) = if shared && role == "outbound" {
        let trust = "bundle: *bundle\ntrusted_keys: *trusted_keys\n${approvals}\nfloor: 1\nsecrets: *secrets\n";
        ("vm_config: *vm\n".to_owned(), trust.to_owned())
    } else {
        let names: Vec<String> =
            ["PARTYWALL_BUNDLE_KEYS".to_owned()].into_iter().chain(secrets.iter().map(variable)).collect();
        let by_purpose: Vec<String> =
            secrets.iter().map(|purpose| format!("{purpose}: {}", variable(purpose))).collect();
        let grants = given.directory.mesh.grants.as_ref().map_or("", |_| ", grants_path: /tenancy.grants");
        let why = "# One VM for both directions: outbound finds what inbound put down.\n";
        let vm = format!(
            "{}vm_config: &vm\n  vm_id: partywall\n  runtime: envoy.wasm.runtime.v8\n  code: {{ local: {{ filename: \
             {}/partywall.wasm }} }}\n  environment_variables:\n    host_env_keys: [{}]\n",
            if shared { why } else { "" },
            given.deployment.files,
            names.join(", ")
        );
        let trust = format!(
            "bundle: &bundle {{ cluster: partywall-bundles, path: /tenancy.{audience}.bundle, candidate_path: \
             /tenancy.{audience}.candidate, overlay_path: /tenancy.overlay{grants} }}\ntrusted_keys: &trusted_keys {{ env: \
             PARTYWALL_BUNDLE_KEYS }}\n${{approvals}}\nfloor: 1\nsecrets: &secrets {{ {} }}\n",
            by_purpose.join(", ")
        );
        (vm, trust)
    };
    let approvals = match given.directory.mesh.approvals {
        0 | 1 => String::new(),
        several => format!("approvals: {several}"),
    };
    let trust = fill(&trust, &[("approvals", approvals.clone())]);
    let (responses, requests) = given.holds(role, service.map(|(name, _)| name));
    let may_hold = if responses || requests {
        "# A head waits where a response, or the body of a request, is held.\nallow_on_headers_stop_iteration: true"
    } else {
        ""
    };
    let hold: String = [("hold_responses: true\n", responses), ("hold_requests: true\n", requests)]
        .into_iter()
        .filter_map(|(line, holds)| holds.then_some(line))
        .collect();
    let may_hold = may_hold.to_owned();
    let own = service.map_or_else(String::new, |(name, _)| format!("service: {name}"));
    let cell = service.and_then(|(_, cell)| cell).map_or_else(String::new, |cell| format!("cell: {cell}"));
    let mesh = given.directory.mesh.id.to_string();
    let mut events = String::new();
    if service.is_some_and(|(name, _)| given.has_events(role, name)) {
        let (role, own, cell, mesh) = (role.to_owned(), own.clone(), cell.clone(), mesh.clone());
        let values = [("role", role), ("service", own), ("cell", cell), ("mesh", mesh), ("approvals", approvals)];
        events = fill(EVENTS, &values);
    }
    let filter = fill(
        FILTER,
        &[
            ("role", role.to_owned()),
            ("may_hold", may_hold),
            ("hold", hold),
            ("service", own),
            ("cell", cell),
            ("mesh", mesh),
            ("vm", vm),
            ("trust", trust),
            ("request_bytes", if role == "outbound" { String::new() } else { limits::request_bytes(given.limits) }),
        ],
    );
    filter + &events
}

fn access_log(hop: &str, role: &str, peers: &str) -> String {
    fill(ACCESS_LOG, &[("hop", hop.to_owned()), ("role", role.to_owned()), ("peers", peers.to_owned())])
}

fn comment_of_clusters() -> String {
    "# The filter learns the called service from the cluster's name (`clusters:` of a service in the tenancy directory).\n"
        .to_owned()
}

/// The clusters of all instances. `certificate` where it is written here for the first time.
fn clusters(called: &[Called<'_>], files: &str, certificate: Option<&str>) -> String {
    let mut out = comment_of_clusters();
    let mut first = true;
    for called in called {
        for instance in &called.instances {
            out += &cluster(called.service, instance, files, certificate.filter(|_| first), first);
            first = false;
        }
        out += &called.nowhere().unwrap_or_default();
    }
    out
}

/// What a proxy is told of where it stands.
fn locality(region: Option<&str>) -> String {
    region.map_or_else(String::new, |region| format!(", locality: {{ region: {region} }}"))
}

/// A cluster over mutual TLS. `certificate` where it is written here for the first time, as `first` is for the protocol.
fn cluster(service: &Service, instance: &Instance<'_>, files: &str, certificate: Option<&str>, first: bool) -> String {
    let http2 = if first {
        format!(
            "typed_extension_protocol_options: &http2\n  {HTTP2}:\n    \"@type\": type.googleapis.com/{HTTP2}\n    \
             explicit_http_config: {{ http2_protocol_options: {{}} }}"
        )
    } else {
        "typed_extension_protocol_options: *http2".to_owned()
    };
    let (tls, certificate) = match certificate {
        Some(text) => (format!("tls_params: &tls_params {TLS}"), text.to_owned()),
        None => ("tls_params: *tls_params".to_owned(), "tls_certificates: *certificate".to_owned()),
    };
    fill(
        CLUSTER,
        &[
            ("cluster", scalar(&instance.cluster)),
            ("service", service.name.clone()),
            ("spiffe_id", service.spiffe_id.to_string()),
            ("endpoints", instance.endpoints()),
            ("health", instance.health()),
            ("files", files.to_owned()),
            ("http2", http2),
            ("tls_params", tls),
            ("certificate", certificate),
        ],
    )
}

fn certificate(files: &str, name: &str) -> String {
    format!(
        "tls_certificates: &certificate\n  - certificate_chain: {{ filename: {files}/tls/{name}.pem }}\n    private_key: {{ \
         filename: {files}/tls/{name}.key }}"
    )
}

/// How every bootstrap ends, where its filter has no labels of its own.
pub(crate) fn tail(given: Given<'_>) -> String {
    fill(TAIL, &[("bundles", given.deployment.bundles.to_string()), ("tags", String::new())])
}
