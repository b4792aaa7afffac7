//! A whole bootstrap of the proxy before a cluster of Kafka: what `envoy-config/bootstraps` holds for the sample.

use partywall_tenancy::{BrokerAddresses, EventCluster, EventIdentity};

use crate::deployment::{Address, Broker, EventsPlace};
use crate::exit::Failure;
use crate::render::envoy::{Given, tail};
use crate::render::template::{fill, scalar};

const BOOTSTRAP: &str = include_str!("envoy/kafka.yaml");
const LISTENER: &str = include_str!("envoy/kafka_listener.yaml");
const CHAIN: &str = include_str!("envoy/kafka_chain.yaml");
const TLS: &str = include_str!("envoy/kafka_tls.yaml");
const FILTER: &str = include_str!("envoy/kafka_filter.yaml");
const ACCESS_LOG: &str = include_str!("envoy/kafka_access_log.yaml");
const CLUSTER: &str = include_str!("envoy/kafka_cluster.yaml");
const INSPECTOR: &str = "listener_filters:\n  - name: envoy.filters.listener.tls_inspector\n    typed_config:\n      \
                         \"@type\": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

/// Where clients of the whole cluster, or of one broker, come in.
struct Listener {
    name: String,
    listen: Address,
    chains: Vec<Chain>,
}

struct Chain {
    /// The name that a client asked for; `None` for any.
    server_name: Option<String>,
    /// The cluster of Envoy behind it.
    upstream: String,
}

/// The bootstrap of the proxy before the cluster called `name`, as YAML with comments.
///
/// # Errors
///
/// A cluster that the directory or the deployment does not know, and a broker of which nobody says where its clients come
/// in.
pub(crate) fn bootstrap(given: Given<'_>, name: &str) -> Result<String, Failure> {
    let cluster = cluster(given, name)?;
    let place = place(given, name)?;
    let listeners = listeners(cluster, place)?;
    let mut first = true;
    let mut text_of_listeners = String::new();
    for listener in &listeners {
        if !text_of_listeners.is_empty() {
            text_of_listeners.push('\n');
        }
        let chains: String =
            listener.chains.iter().map(|one| chain(given, (cluster, place), one, &mut first)).collect();
        let by_name = listener.chains.len() > 1;
        let places = [
            ("name", scalar(&listener.name)),
            ("listen", listener.listen.to_string()),
            ("inspector", if by_name { INSPECTOR.to_owned() } else { String::new() }),
            ("chains", chains),
        ];
        text_of_listeners += &fill(LISTENER, &places);
    }
    let clusters: Vec<String> = upstreams(place)
        .map(|(name, brokers)| {
            let endpoints: String = brokers
                .iter()
                .map(|broker| format!("- endpoint: {{ address: {{ socket_address: {} }} }}\n", broker.at))
                .collect();
            fill(CLUSTER, &[("name", name), ("endpoints", endpoints)])
        })
        .collect();
    let places = [
        ("cluster", name.to_owned()),
        ("region", scalar(&cluster.region)),
        ("admin", given.deployment.admin.to_string()),
        ("listeners", text_of_listeners),
        ("clusters", clusters.concat()),
    ];
    let mut text = fill(BOOTSTRAP, &places) + &tail(given);
    for anchor in ["tls", "kafka_scope", "access_log"] {
        if !text.contains(&format!("*{anchor}\n")) {
            text = text.replace(&format!(" &{anchor}"), "");
        }
    }
    Ok(text.replace("- \n", "-\n"))
}

fn cluster<'a>(given: Given<'a>, name: &str) -> Result<&'a EventCluster, Failure> {
    let clusters = given.directory.events;
    clusters.iter().find(|cluster| cluster.name == name).ok_or_else(|| {
        let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        let help = match names.as_slice() {
            [] => "the directory has no events.yaml".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        Failure::invalid(format!("no cluster of events is called `{name}`\nhelp: {help}"))
    })
}

fn place<'a>(given: Given<'a>, name: &str) -> Result<&'a EventsPlace, Failure> {
    given.deployment.events.iter().find(|place| place.cluster == name).ok_or_else(|| {
        Failure::invalid(format!(
            "the deployment does not say where `{name}` is\nhelp: write `- {{ cluster: {name}, listen: {{ address: 0.0.0.0, \
             port: 9092 }}, brokers: [{{ id: 1, address: kafka-1, port: 9092 }}] }}` under `events`"
        ))
    })
}

fn listeners(cluster: &EventCluster, place: &EventsPlace) -> Result<Vec<Listener>, Failure> {
    let all = Chain { server_name: None, upstream: "kafka".to_owned() };
    let mut first = Listener { name: "kafka".to_owned(), listen: place.listen.clone(), chains: Vec::new() };
    let mut listeners = Vec::new();
    for broker in &place.brokers {
        let upstream = of(broker);
        let chain = |server_name| Chain { server_name, upstream: upstream.clone() };
        let own = |listen| Listener { name: upstream.clone(), listen, chains: vec![chain(None)] };
        match (&broker.listen, &cluster.brokers) {
            (Some(listen), _) => listeners.push(own(listen.clone())),
            (None, BrokerAddresses::ByPort { first, most, .. }) => {
                let port = u16::try_from(broker.id).ok().filter(|id| id <= most).and_then(|id| first.checked_add(id));
                let port = port.ok_or_else(|| {
                    let (id, name) = (broker.id, &cluster.name);
                    Failure::invalid(format!(
                        "the deployment has broker {id} of `{name}`, and `by_port` ends at {most}\nhelp: write a larger `most`"
                    ))
                })?;
                listeners.push(own(place.listen.with_port(port)));
            }
            (None, BrokerAddresses::Sni { head, tail, .. }) => {
                first.chains.push(chain(Some(format!("{head}{}{tail}", broker.id))));
            }
            (None, BrokerAddresses::AsTheyAre | BrokerAddresses::Listed(_)) => {
                let (id, name) = (broker.id, &cluster.name);
                return Err(Failure::invalid(format!(
                    "nobody says where clients of broker {id} of `{name}` come in\nhelp: write `listen: {{ address: 0.0.0.0, \
                     port: 9092 }}` beside its `id`, or `by_port` or `sni` under `brokers` of the cluster"
                )));
            }
        }
    }
    first.chains.push(all);
    listeners.insert(0, first);
    Ok(listeners)
}

/// The clusters of Envoy, each with its brokers.
fn upstreams(place: &EventsPlace) -> impl Iterator<Item = (String, &[Broker])> {
    let each = place.brokers.iter().map(|broker| (of(broker), std::slice::from_ref(broker)));
    [("kafka".to_owned(), place.brokers.as_slice())].into_iter().chain(each)
}

fn of(broker: &Broker) -> String {
    format!("kafka-{}", broker.id)
}

/// A chain of filters. The first one of all has what the others refer to.
fn chain(given: Given<'_>, (cluster, place): (&EventCluster, &EventsPlace), chain: &Chain, first: &mut bool) -> String {
    let is_first = std::mem::replace(first, false);
    let server_name = chain.server_name.as_ref();
    let match_ = server_name.map(|name| format!("filter_chain_match: {{ server_names: [{}] }}", scalar(name)));
    let transport_socket = match (place.plain, is_first) {
        (true, _) => String::new(),
        (false, true) => tls(given, cluster),
        (false, false) => "transport_socket: *tls".to_owned(),
    };
    let (filter, access_log) = if is_first {
        (filter(given, cluster, place), fill(ACCESS_LOG, &[("cluster", scalar(&cluster.name))]))
    } else {
        ("- *kafka_scope".to_owned(), "access_log: *access_log".to_owned())
    };
    let text = fill(
        CHAIN,
        &[
            ("match", match_.unwrap_or_default()),
            ("transport_socket", transport_socket),
            ("filter", filter),
            ("upstream", chain.upstream.clone()),
            ("access_log", access_log),
        ],
    );
    // What is empty in the place of the first field would leave a lone dash.
    text.strip_prefix("- \n  ").map_or(text.clone(), |rest| format!("- {rest}"))
}

fn tls(given: Given<'_>, cluster: &EventCluster) -> String {
    let by_certificate = |identity: &EventIdentity| {
        matches!(identity, EventIdentity::UriSan { .. } | EventIdentity::DnsSan { .. } | EventIdentity::Workload { .. })
    };
    let (required, why) = if cluster.identity.iter().all(by_certificate) && cluster.bound.is_none() {
        (true, "# Who calls is what the filter decides by, so nobody comes in without proving it.")
    } else {
        (false, "# Who has none shows by SASL who it is, or the listener says it.")
    };
    let places =
        [("why", why.to_owned()), ("required", required.to_string()), ("files", given.deployment.files.clone())];
    fill(TLS, &places)
}

fn filter(given: Given<'_>, cluster: &EventCluster, place: &EventsPlace) -> String {
    let mut secrets = vec!["audit_chain", "fingerprint", "shared_state"];
    if cluster.identity.contains(&EventIdentity::Token) && given.has_symmetric_issuers() {
        secrets.push("issuer_keys");
    }
    let variable = |purpose: &&str| format!("PARTYWALL_{}", purpose.to_ascii_uppercase());
    let variables: Vec<String> =
        ["PARTYWALL_BUNDLE_KEYS".to_owned()].into_iter().chain(secrets.iter().map(variable)).collect();
    let by_purpose: Vec<String> = secrets.iter().map(|purpose| format!("{purpose}: {}", variable(purpose))).collect();
    let approvals = match given.directory.mesh.approvals {
        0 | 1 => String::new(),
        several => format!("approvals: {several}"),
    };
    fill(
        FILTER,
        &[
            ("files", given.deployment.files.clone()),
            ("variables", variables.join(", ")),
            ("mesh", given.directory.mesh.id.to_string()),
            ("cluster", scalar(&cluster.name)),
            ("tenant", place.tenant.as_ref().map_or_else(String::new, |tenant| format!("tenant: {tenant}"))),
            ("approvals", approvals),
            ("secrets", by_purpose.join(", ")),
        ],
    )
}
