//! The same for a mesh of Istio. What goes into a proxy is taken from the rendered bootstrap, so that the two cannot
//! drift apart; what Istio has an own word for is said in it.

use partywall_tenancy::{Service, SpiffeId};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::render::envoy::Given;
use crate::render::{Role, bootstrap, yaml};

/// Which resource brings the module into a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// WasmPlugin, up to 1.29.
    V1_29,
    /// TrafficExtension, from 1.30.
    V1_30,
}

/// What only this rendering needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'o> {
    /// The namespace whose workloads are rendered.
    pub(crate) namespace: &'o str,
    /// Where proxies fetch the module, as `oci://registry.example/partywall:1`.
    pub(crate) module: &'o str,
    /// Its SHA-256, by which proxies check it.
    pub(crate) sha256: Option<&'o str>,
    /// The host of `partywall serve`, as Istio knows it.
    pub(crate) bundles: &'o str,
    /// The port.
    pub(crate) bundles_port: u16,
    /// The cell of the workloads, if any.
    pub(crate) cell: Option<&'o str>,
    /// Istio's version.
    pub(crate) version: Version,
}

/// All resources for the workloads of one namespace, as YAML documents. A workload is in the namespace that its SPIFFE
/// ID names, as Istio makes them: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
///
/// # Errors
///
/// A namespace without workloads, and what a bootstrap is refused for.
pub(crate) fn resources(given: Given<'_>, options: &Options<'_>) -> Result<String, Failure> {
    let mut all = vec![strict(options)];
    let edge = &given.deployment.edge.spiffe_id;
    if namespace(edge).is_some_and(|(namespace, _)| namespace == options.namespace) {
        let envoy = Rendered::of(&bootstrap(given, Role::Edge)?)?;
        all.extend(gateway(&envoy, account(edge), options));
    }
    let inside = |service: &&Service| namespace(&service.spiffe_id).is_some_and(|(of, _)| of == options.namespace);
    let of_requests = |service: &&Service| !given.directory.is_cluster(&service.name);
    for service in given.directory.services.iter().filter(inside).filter(of_requests) {
        let envoy = Rendered::of(&bootstrap(given, Role::Sidecar(&service.name, options.cell))?)?;
        all.extend(sidecar(&envoy, service, options));
    }
    if all.len() == 1 {
        return Err(Failure::invalid(format!(
            "no workload is in the namespace `{}`\nhelp: SPIFFE IDs name it, as \
             `spiffe://mesh.example/ns/shop/sa/orders`",
            options.namespace
        )));
    }
    let documents: Vec<String> = all.iter().map(yaml::write).collect();
    Ok(format!("{HEAD}{}", documents.join("---\n")))
}

const HEAD: &str = "\
# Written by `partywall render istio` from the tenancy directory and deployment.yaml: change those, not this.
# docs/istio.md says what has to be there besides: environment variables of the proxies, and names of clusters.
";

/// Namespace and service account of an ID as Istio makes them.
pub(crate) fn namespace(id: &SpiffeId) -> Option<(String, String)> {
    let text = id.to_string();
    let mut parts = text.strip_prefix("spiffe://")?.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("ns"), Some(namespace), Some("sa"), Some(account), None) => Some((namespace.into(), account.into())),
        _ => None,
    }
}

fn account(id: &SpiffeId) -> String {
    namespace(id).map(|(_, account)| account).unwrap_or_default()
}

/// Parts of a rendered bootstrap.
struct Rendered {
    listeners: Vec<Value>,
}

impl Rendered {
    fn of(text: &str) -> Result<Self, Failure> {
        let whole: Value = serde_saphyr::from_str(text).map_err(|e| Failure::invalid(e.without_snippet()))?;
        let listeners = whole.pointer("/static_resources/listeners").and_then(Value::as_array);
        Ok(Self { listeners: listeners.cloned().unwrap_or_default() })
    }

    /// The connection manager of a listener.
    fn manager(&self, listener: usize) -> Option<&Value> {
        self.listeners.get(listener)?.pointer("/filter_chains/0/filters/0/typed_config")
    }

    /// A filter of its chain, by the beginning of its name.
    fn filter(&self, listener: usize, name: &str) -> Option<&Value> {
        let filters = self.manager(listener)?.get("http_filters")?.as_array()?;
        filters.iter().find(|filter| filter.get("name").and_then(Value::as_str).is_some_and(|n| n.starts_with(name)))
    }

    /// What our filter reads, with the cluster of the bundle server as Istio calls it, and the variables it may see.
    fn plugin(&self, listener: usize, options: &Options<'_>) -> (Value, Vec<Value>) {
        let config = self.filter(listener, "partywall.").and_then(|filter| filter.pointer("/typed_config/config"));
        let config = config.unwrap_or(&Value::Null);
        let mut plugin = config.pointer("/configuration/value").cloned().unwrap_or_default();
        // Istio cannot let a filter keep a head back: one that waits would wait for ever.
        if let Some(plugin) = plugin.as_object_mut() {
            plugin.remove("hold_responses");
        }
        if let Some(cluster) = plugin.pointer_mut("/bundle/cluster") {
            *cluster = json!(format!("outbound|{}||{}", options.bundles_port, options.bundles));
        }
        let names = config.pointer("/vm_config/environment_variables/host_env_keys").and_then(Value::as_array);
        let names = names.cloned().unwrap_or_default();
        (plugin, names.into_iter().map(|name| json!({ "name": name, "valueFrom": "HOST" })).collect())
    }

    /// What Istio's own connection manager is to be told.
    fn settings(&self, listener: usize) -> Value {
        let wanted = [
            "access_log",
            "always_set_request_id_in_response",
            "common_http_protocol_options",
            "early_header_mutation_extensions",
            "local_reply_config",
            "merge_slashes",
            "normalize_path",
            "path_with_escaped_slashes_action",
            "server_header_transformation",
        ];
        let manager = self.manager(listener);
        let of = |name: &&str| Some(((*name).to_owned(), manager?.get(*name)?.clone()));
        let mut settings: serde_json::Map<String, Value> = wanted.iter().filter_map(of).collect();
        let kind = manager.and_then(|manager| manager.get("@type")).cloned().unwrap_or_default();
        settings.insert("@type".to_owned(), kind);
        Value::Object(settings)
    }
}

fn strict(options: &Options<'_>) -> Value {
    let head = head("security.istio.io/v1", "PeerAuthentication", "partywall", options);
    with(head, json!({ "mtls": { "mode": "STRICT" } }))
}

/// A gateway: its listeners look outbound, so that the filter is told to take either.
fn gateway(envoy: &Rendered, account: String, options: &Options<'_>) -> Vec<Value> {
    let (mut plugin, env) = envoy.plugin(0, options);
    if let Some(plugin) = plugin.as_object_mut() {
        plugin.insert("direction".to_owned(), json!("any"));
    }
    let name = format!("partywall-{account}");
    vec![
        extension(&name, &account, None, (plugin, env), options),
        patches(&name, &account, &[("GATEWAY", envoy, 0)], options),
    ]
}

fn sidecar(envoy: &Rendered, service: &Service, options: &Options<'_>) -> Vec<Value> {
    let name = format!("partywall-{}", service.name);
    let mut all =
        vec![extension(&format!("{name}-inbound"), &service.name, Some("SERVER"), envoy.plugin(0, options), options)];
    let mut directions = vec![("SIDECAR_INBOUND", envoy, 0)];
    if envoy.listeners.len() > 1 {
        let plugin = envoy.plugin(1, options);
        all.push(extension(&format!("{name}-outbound"), &service.name, Some("CLIENT"), plugin, options));
        directions.push(("SIDECAR_OUTBOUND", envoy, 1));
    }
    all.push(patches(&name, &service.name, &directions, options));
    let principal = |id: &SpiffeId| id.to_string().trim_start_matches("spiffe://").to_owned();
    let of_platform = service.platform.iter().map(|platform| &platform.spiffe_id);
    let callers: Vec<String> =
        service.callers.iter().map(|caller| &caller.spiffe_id).chain(of_platform).map(principal).collect();
    let policy = head("security.istio.io/v1", "AuthorizationPolicy", &name, options);
    all.push(with(
        policy,
        json!({
            "selector": { "matchLabels": { "app": service.name } },
            "action": "ALLOW",
            "rules": [{ "from": [{ "source": { "principals": callers } }] }],
        }),
    ));
    all
}

/// The module in the proxies of `app`, behind Istio's own authentication.
fn extension(
    name: &str,
    app: &str,
    mode: Option<&str>,
    (plugin, env): (Value, Vec<Value>),
    options: &Options<'_>,
) -> Value {
    let mut wasm = json!({
        "url": options.module,
        "type": "HTTP",
        "pluginName": "sidecar",
        "failStrategy": "FAIL_RELOAD",
        "vmConfig": { "env": env },
        "pluginConfig": plugin,
    });
    if let (Some(digest), Some(wasm)) = (options.sha256, wasm.as_object_mut()) {
        wasm.insert("sha256".to_owned(), json!(digest));
    }
    let mut spec = json!({ "selector": { "matchLabels": { "app": app } }, "phase": "AUTHZ" });
    if let Some(spec) = spec.as_object_mut() {
        if let Some(mode) = mode {
            spec.insert("match".to_owned(), json!([{ "mode": mode }]));
        }
        match options.version {
            Version::V1_30 => {
                spec.insert("wasm".to_owned(), wasm);
            }
            Version::V1_29 => spec.extend(wasm.as_object().cloned().unwrap_or_default()),
        }
    }
    let kind = match options.version {
        Version::V1_30 => "TrafficExtension",
        Version::V1_29 => "WasmPlugin",
    };
    with(head("extensions.istio.io/v1alpha1", kind, name, options), spec)
}

/// What Istio has no word for: settings of the connection manager, and limits behind our filter.
fn patches(name: &str, app: &str, directions: &[(&str, &Rendered, usize)], options: &Options<'_>) -> Value {
    const MANAGER: &str = "envoy.filters.network.http_connection_manager";
    let mut patches = Vec::new();
    for (context, envoy, listener) in directions {
        patches.push(json!({
            "applyTo": "NETWORK_FILTER",
            "match": { "context": context, "listener": { "filterChain": { "filter": { "name": MANAGER } } } },
            "patch": { "operation": "MERGE", "value": { "name": MANAGER, "typed_config": envoy.settings(*listener) } },
        }));
        if let Some(limits) = envoy.filter(*listener, "envoy.filters.http.local_ratelimit") {
            let router = json!({ "name": MANAGER, "subFilter": { "name": "envoy.filters.http.router" } });
            patches.push(json!({
                "applyTo": "HTTP_FILTER",
                "match": { "context": context, "listener": { "filterChain": { "filter": router } } },
                "patch": { "operation": "INSERT_BEFORE", "value": limits },
            }));
        }
    }
    let head = head("networking.istio.io/v1alpha3", "EnvoyFilter", name, options);
    with(head, json!({ "workloadSelector": { "labels": { "app": app } }, "configPatches": patches }))
}

fn head(version: &str, kind: &str, name: &str, options: &Options<'_>) -> Value {
    json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": options.namespace } })
}

fn with(mut head: Value, spec: Value) -> Value {
    if let Some(head) = head.as_object_mut() {
        head.insert("spec".to_owned(), spec);
    }
    head
}
