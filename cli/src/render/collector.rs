//! A whole bootstrap of the proxy before a collector of telemetry: what `envoy-config/redaction` holds for the sample.

use partywall_tenancy::Source;

use crate::deployment::{Address, Intake, Quarantine, TelemetryPlace};
use crate::exit::Failure;
use crate::render::envoy::{Given, TAIL};
use crate::render::template::{fill, scalar};

const BOOTSTRAP: &str = include_str!("envoy/collector.yaml");
const LISTENER: &str = include_str!("envoy/collector_listener.yaml");
const TLS: &str = include_str!("envoy/collector_tls.yaml");
const FILTER: &str = include_str!("envoy/collector_filter.yaml");
const ACCESS_LOG: &str = include_str!("envoy/collector_access_log.yaml");
const CLUSTER: &str = include_str!("envoy/collector_cluster.yaml");
/// Labels that the counters of no other filter have.
const TAGS: [&str; 4] = ["carrier", "cause", "detector", "action"];
const HTTP2: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const QUARANTINE: &str = "partywall-quarantine";

/// The bootstrap of the proxy before the collector called `name`, as YAML with comments. With `keys` it opens keys of
/// tenants.
///
/// # Errors
///
/// A collector that the deployment does not know.
pub(crate) fn bootstrap(given: Given<'_>, name: &str, keys: bool) -> Result<String, Failure> {
    let place = place(given, name)?;
    let mut listeners = String::new();
    for (nth, intake) in place.listeners.iter().enumerate() {
        let (tls, filter, access_log) = if nth == 0 {
            let access_log = fill(ACCESS_LOG, &[("collector", scalar(name))]);
            (tls(given, name), filter(given, place, keys), access_log)
        } else {
            listeners.push('\n');
            let again = |name: &str| format!("{name}: *{name}");
            ("transport_socket: *tls".to_owned(), "- *log_redaction".to_owned(), again("access_log"))
        };
        let places = [
            ("name", scalar(&intake.name)),
            ("listen", intake.listen.to_string()),
            ("tls", tls),
            ("access_log", access_log),
            ("routes", routes(intake)),
            ("filter", filter),
        ];
        listeners += &fill(LISTENER, &places);
    }
    let tags: String =
        TAGS.iter().map(|tag| format!("- {{ tag_name: {tag}, regex: \"({tag}=\\\\.=(.*?);\\\\.;)\" }}\n")).collect();
    let places = [
        ("collector", name.to_owned()),
        ("admin", given.deployment.admin.to_string()),
        ("listeners", listeners),
        ("clusters", clusters(place)),
    ];
    let mut text =
        fill(BOOTSTRAP, &places) + &fill(TAIL, &[("bundles", given.deployment.bundles.to_string()), ("tags", tags)]);
    for anchor in ["tls", "log_redaction", "access_log"] {
        if !text.contains(&format!("*{anchor}\n")) {
            text = text.replace(&format!(" &{anchor}"), "");
        }
    }
    Ok(text)
}

fn place<'a>(given: Given<'a>, name: &str) -> Result<&'a TelemetryPlace, Failure> {
    let places = &given.deployment.telemetry;
    places.iter().find(|place| place.collector == name).ok_or_else(|| {
        let names: Vec<&str> = places.iter().map(|place| place.collector.as_str()).collect();
        let help = match names.as_slice() {
            [] => format!(
                "write `- {{ collector: {name}, listeners: [{{ name: otlp, listen: {{ address: 0.0.0.0, port: 4318 }}, http: \
                 {{ address: {name}, port: 4318 }} }}] }}` under `telemetry`"
            ),
            names => format!("there are {}", names.join(", ")),
        };
        Failure::invalid(format!("the deployment does not say where `{name}` is\nhelp: {help}"))
    })
}

/// gRPC is told by its content type, which one listener may have beside other requests.
fn routes(intake: &Intake) -> String {
    let to = |condition: &str, cluster: String| {
        format!("- match: {{ prefix: /{condition} }}\n  route: {{ cluster: {cluster}, timeout: 60s }}\n")
    };
    let mut routes = String::new();
    if intake.grpc.is_some() {
        routes += &to(", grpc: {}", cluster_of(intake, "grpc"));
    }
    if intake.http.is_some() {
        routes += &to("", cluster_of(intake, "http"));
    }
    routes
}

fn cluster_of(intake: &Intake, protocol: &str) -> String {
    format!("{}-{protocol}", intake.name)
}

fn clusters(place: &TelemetryPlace) -> String {
    let each = place.listeners.iter().flat_map(|intake| {
        let http = intake.http.iter().map(|at| cluster(&cluster_of(intake, "http"), at, false));
        http.chain(intake.grpc.iter().map(|at| cluster(&cluster_of(intake, "grpc"), at, true)))
    });
    let quarantine = place.quarantine.iter().map(|quarantine| {
        let (at, http2) = match quarantine {
            Quarantine::Http(at) => (at, false),
            Quarantine::Grpc(at) => (at, true),
        };
        let why = "# Records of other tenants, masked: nobody but those who look into it may read them.\n";
        why.to_owned() + &cluster(QUARANTINE, at, http2)
    });
    each.chain(quarantine).collect()
}

fn cluster(name: &str, at: &Address, http2: bool) -> String {
    let http2 = if http2 {
        format!(
            "typed_extension_protocol_options:\n  {HTTP2}:\n    \"@type\": type.googleapis.com/{HTTP2}\n    \
             explicit_http_config: {{ http2_protocol_options: {{}} }}"
        )
    } else {
        String::new()
    };
    fill(CLUSTER, &[("name", name.to_owned()), ("http2", http2), ("at", at.to_string())])
}

fn tls(given: Given<'_>, name: &str) -> String {
    let places = [("files", given.deployment.files.clone()), ("collector", name.to_owned()), ("names", names(given))];
    fill(TLS, &places)
}

/// Names of certificates that the filter could know: of workloads, and of tenants by the templates of `sources`.
fn names(given: Given<'_>) -> String {
    let mesh = given.directory.mesh;
    let own = format!("spiffe://{}/", mesh.trust_domain);
    let mut names = vec![format!("- {{ san_type: URI, matcher: {{ prefix: {} }} }}\n", quoted(&own))];
    for source in mesh.sources.edge.iter().chain(&mesh.sources.inbound) {
        let name = match source {
            Source::UriSan { template } if !template.starts_with(&own) => {
                let head = template.split('{').next().unwrap_or_default();
                format!("- {{ san_type: URI, matcher: {{ prefix: {} }} }}\n", quoted(head))
            }
            Source::DnsSan { template } => {
                let tail = template.rsplit('}').next().unwrap_or_default();
                format!("- {{ san_type: DNS, matcher: {{ suffix: {} }} }}\n", quoted(tail))
            }
            _ => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.concat()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn filter(given: Given<'_>, place: &TelemetryPlace, keys: bool) -> String {
    let secrets: &[&str] = if keys { &["fingerprint", "redaction_keys"] } else { &["fingerprint"] };
    let variable = |purpose: &&str| format!("PARTYWALL_{}", purpose.to_ascii_uppercase());
    let variables: Vec<String> =
        ["PARTYWALL_BUNDLE_KEYS".to_owned()].into_iter().chain(secrets.iter().map(variable)).collect();
    let by_purpose: Vec<String> = secrets.iter().map(|purpose| format!("{purpose}: {}", variable(purpose))).collect();
    let approvals = match given.directory.mesh.approvals {
        0 | 1 => String::new(),
        several => format!("approvals: {several}"),
    };
    let quarantine = place.quarantine.as_ref().map(|quarantine| {
        let protocol = match quarantine {
            Quarantine::Http(_) => "http",
            Quarantine::Grpc(_) => "grpc",
        };
        format!("quarantine: {{ cluster: {QUARANTINE}, protocol: {protocol} }}")
    });
    let memory = place.memory.map_or_else(String::new, |bytes| format!("memory: {bytes}"));
    fill(
        FILTER,
        &[
            ("files", given.deployment.files.clone()),
            ("variables", variables.join(", ")),
            ("mesh", given.directory.mesh.id.to_string()),
            ("approvals", approvals),
            ("secrets", by_purpose.join(", ")),
            ("quarantine", quarantine.unwrap_or_default()),
            ("memory", memory),
        ],
    )
}
