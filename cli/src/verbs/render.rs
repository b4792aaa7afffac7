//! `partywall render`.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use partywall_tenancy::KeySource;

use crate::command::{note, say};
use crate::compile::{Checked, check};
use crate::deployment;
use crate::diagnostic::Severity;
use crate::directory::{Directory, is_label};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::render::brokers::{self, Brokers, Proxy};
use crate::render::envoy::Given;
use crate::render::istio::{Options, Version, namespace, resources};
use crate::render::{Role, bootstrap, collector, global, kafka_proxy, limits_service};

/// Keys of tenants for pseudonyms and encrypted values, sealed: a file of the tenancy directory.
const KEYS_OF_TENANTS: &str = "redaction-keys.ndjson";

/// Write Envoy's configuration from the tenancy directory, and Kafka's
///
/// What the directory says (mesh, callers, operations, limits) is written once and rendered; where things are comes
/// from a small file beside it, deployment.yaml.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render envoy envoy-config/tenancy --role edge
  partywall render envoy envoy-config/tenancy --role sidecar --service orders --out orders.yaml
  partywall render istio envoy-config/tenancy --namespace shop --module oci://registry.example/partywall:1
  partywall render limits envoy-config/tenancy
  partywall render kafka tenancy --cluster shop-events --out kafka"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Envoy(Envoy),
    Istio(Istio),
    Limits(LimitsService),
    Kafka(Kafka),
}

/// A whole bootstrap for one Envoy
///
/// With the filter, access log, local replies in the form of our denials, the limits of tenants as Envoy's local rate
/// limit, and a listener for each direction. Routes of the edge come from the operations, clusters of a sidecar from
/// `callers` of the services it may call. The proxy before a cluster of Kafka has a listener for each broker, or one for
/// all of them where clients ask for a broker by name (SNI). The proxy before a collector has the listeners that the
/// deployment gives it, and lets on what redaction.yaml lets be written down.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render envoy envoy-config/tenancy --role edge
  partywall render envoy envoy-config/tenancy --role sidecar --service invoices --out invoices.yaml
  partywall render envoy tenancy --role sidecar --service orders --cell eu-1
  partywall render envoy tenancy --role kafka --cluster shop-events
  partywall render envoy tenancy --role collector --collector otel
  partywall render envoy tenancy --deployment staging.yaml --role edge"
)]
struct Envoy {
    #[command(flatten)]
    place: Place,
    /// Which Envoy
    #[arg(long, value_enum)]
    role: RoleName,
    /// The service of a sidecar
    #[arg(long, required_if_eq("role", "sidecar"))]
    service: Option<String>,
    /// The cluster of events.yaml before which the proxy stands
    #[arg(long, required_if_eq("role", "kafka"), value_parser = label)]
    cluster: Option<String>,
    /// The collector of deployment.yaml before which the proxy stands
    #[arg(long, required_if_eq("role", "collector"), value_parser = label)]
    collector: Option<String>,
    /// The cell of a sidecar, where its service has an instance for each
    #[arg(long, requires = "service", value_parser = label)]
    cell: Option<String>,
}

/// Resources for the workloads of one namespace of an Istio mesh
///
/// The module as TrafficExtension, or as WasmPlugin up to 1.29; an EnvoyFilter for what neither of them can say (limits,
/// access log, local replies, early header mutation); PeerAuthentication STRICT; an AuthorizationPolicy with `callers`.
/// A workload is in the namespace that its SPIFFE ID names, and is selected by its label `app`.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render istio envoy-config/tenancy --namespace shop --module oci://registry.example/partywall:1
  partywall render istio tenancy --namespace edge --istio 1.29 --module oci://registry.example/partywall:1
  partywall render istio tenancy --namespace shop --module file:///etc/partywall.wasm | kubectl apply -f -"
)]
struct Istio {
    #[command(flatten)]
    place: Place,
    /// The namespace
    #[arg(long, value_parser = label)]
    namespace: String,
    /// The cell of its workloads
    #[arg(long, value_parser = label)]
    cell: Option<String>,
    /// Where proxies fetch the module
    #[arg(long, value_name = "URL", value_parser = url)]
    module: String,
    /// SHA-256 of the module, in hex
    #[arg(long, value_name = "HEX", value_parser = digest)]
    sha256: Option<String>,
    /// The host of `partywall serve` as Istio knows it
    #[arg(long, value_name = "HOST", default_value = "partywall-bundles.partywall.svc.cluster.local", value_parser = host)]
    bundles: String,
    /// Its port
    #[arg(long, value_name = "PORT", default_value_t = 8400, value_parser = clap::value_parser!(u16).range(1..))]
    bundles_port: u16,
    /// Istio's version
    #[arg(long, value_enum, default_value = "1.30")]
    istio: VersionName,
}

/// What Envoy's rate limit service reads
///
/// `mesh_requests_per_second` of records and profiles, which that service counts over all Envoys together. The edge asks
/// it where deployment.yaml says `limits: { address: ratelimit, port: 8081 }`.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render limits envoy-config/tenancy
  partywall render limits tenancy --out envoy-config/limits/partywall.yaml"
)]
struct LimitsService {
    /// The tenancy directory
    dir: PathBuf,
    /// The file to write; by default it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What an operator runs once for a cluster of Kafka
///
/// ACLs by which each tenant's principals reach names of their own prefix alone, quotas for client ids and users, and a
/// NetworkPolicy that lets nobody but the proxy to the brokers: what is left of a way around it. docs/events.md says more.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall render kafka tenancy --cluster shop-events --out kafka
  BOOTSTRAP=kafka-1:9092 COMMAND_CONFIG=admin.properties kafka/kafka-acls.sh < kafka/kafka-principals.txt"
)]
struct Kafka {
    /// The tenancy directory
    dir: PathBuf,
    /// The cluster of events.yaml
    #[arg(long)]
    cluster: String,
    /// The namespace of the brokers
    #[arg(long, default_value = "kafka", value_parser = label)]
    namespace: String,
    /// Their label `app`
    #[arg(long, default_value = "kafka", value_parser = label)]
    app: String,
    /// The port of brokers that the proxy connects to
    #[arg(long, default_value_t = 9092, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The folder to write four files to; by default they are printed
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum VersionName {
    /// WasmPlugin: up to 1.29
    #[value(name = "1.29")]
    V1_29,
    /// TrafficExtension: 1.30 and later
    #[value(name = "1.30")]
    V1_30,
}

/// What is read, and where the result goes.
#[derive(clap::Args)]
struct Place {
    /// The tenancy directory
    dir: PathBuf,
    /// Where things are; by default deployment.yaml beside the directory
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// The file to write; by default it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn label(text: &str) -> Result<String, String> {
    if is_label(text) { Ok(text.to_owned()) } else { Err("write a name as Kubernetes has them: `shop`".to_owned()) }
}

fn host(text: &str) -> Result<String, String> {
    let good = text.split('.').all(is_label);
    if good { Ok(text.to_owned()) } else { Err("write a host name, as `bundles.shop.svc.cluster.local`".to_owned()) }
}

fn url(text: &str) -> Result<String, String> {
    let known = ["oci://", "https://", "http://", "file://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.to_owned()) } else { Err("write a URL, as `oci://registry.example/partywall:1`".to_owned()) }
}

fn digest(text: &str) -> Result<String, String> {
    let good = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if good { Ok(text.to_owned()) } else { Err("write 64 hex digits in lower case".to_owned()) }
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    /// Where clients come in
    Edge,
    /// Beside a service, in both directions
    Sidecar,
    /// Before the brokers of a cluster of Kafka
    Kafka,
    /// Before a collector of telemetry
    Collector,
}

pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Envoy(args) => envoy(args),
        What::Istio(args) => istio(args),
        What::Limits(args) => {
            let checked = check(&args.dir, None);
            good(&checked)?;
            put(args.out.as_deref(), &limits_service(checked.reading().limits()))
        }
        What::Kafka(args) => of_brokers(args),
    }
}

fn envoy(args: &Envoy) -> Outcome {
    if args.collector.is_some() && !matches!(args.role, RoleName::Collector) {
        return Err(Failure::usage(
            "only the proxy before a collector has one\nhelp: leave `--collector` out, or write `--role collector`",
        ));
    }
    let role = match (args.role, args.service.as_deref(), args.cluster.as_deref()) {
        (RoleName::Edge | RoleName::Kafka | RoleName::Collector, Some(_), _) => {
            return Err(Failure::usage(
                "only a sidecar has a service\nhelp: leave `--service` out, or write `--role sidecar`",
            ));
        }
        (RoleName::Edge | RoleName::Sidecar | RoleName::Collector, _, Some(_)) => {
            return Err(Failure::usage(
                "only the proxy before brokers has a cluster\nhelp: leave `--cluster` out, or write `--role kafka`",
            ));
        }
        (RoleName::Kafka, None, cluster) => {
            let cluster = cluster.unwrap_or_default();
            return write(&args.place, |given| kafka_proxy::bootstrap(given, cluster));
        }
        (RoleName::Collector, None, None) => {
            let collector = args.collector.as_deref().unwrap_or_default();
            let keys = args.place.dir.join(KEYS_OF_TENANTS).exists();
            return write(&args.place, |given| collector::bootstrap(given, collector, keys));
        }
        (RoleName::Edge, None, None) => Role::Edge,
        (RoleName::Sidecar, service, None) => Role::Sidecar(service.unwrap_or_default(), args.cell.as_deref()),
    };
    write(&args.place, |given| bootstrap(given, role))
}

fn of_brokers(args: &Kafka) -> Outcome {
    let checked = check(&args.dir, None);
    let directory = good(&checked)?;
    let found = directory.events.iter().find(|cluster| cluster.name == args.cluster);
    let service = directory.services.iter().find(|service| service.name == args.cluster);
    let Some((cluster, service)) = found.zip(service) else {
        let names: Vec<&str> = directory.events.iter().map(|cluster| cluster.name.as_str()).collect();
        let known = if names.is_empty() {
            "events.yaml has none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        return Err(Failure::invalid(format!("no cluster is called `{}`\nhelp: {known}", args.cluster)));
    };
    let Some((namespace, account)) = namespace(&service.spiffe_id) else {
        let help = "write `spiffe://mesh.example/ns/<namespace>/sa/<service account>`: the policy selects pods by it";
        return Err(Failure::invalid(format!("`{}` names no namespace\nhelp: {help}", service.spiffe_id)));
    };
    let proxy = Proxy { namespace: &namespace, account: &account };
    let brokers = Brokers { namespace: &args.namespace, app: &args.app, port: args.port };
    for (name, text) in brokers::files(cluster, directory.tenants, &proxy, &brokers) {
        match &args.out {
            Some(folder) => {
                let path = folder.join(name);
                std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, e))?;
                let mode = if name.ends_with(".sh") { files::PROGRAM } else { files::PUBLIC };
                files::replace(&path, text.as_bytes(), mode).map_err(|e| Failure::file(&path, e))?;
            }
            None => say(format_args!("# {name}\n{text}")),
        }
    }
    Ok(Exit::Fine)
}

fn istio(args: &Istio) -> Outcome {
    let version = match args.istio {
        VersionName::V1_29 => Version::V1_29,
        VersionName::V1_30 => Version::V1_30,
    };
    let options = Options {
        namespace: &args.namespace,
        module: &args.module,
        sha256: args.sha256.as_deref(),
        bundles: &args.bundles,
        cell: args.cell.as_deref(),
        bundles_port: args.bundles_port,
        version,
    };
    write(&args.place, |given| {
        if !given.limits.of_each(global::NAME).is_empty() {
            note(format_args!("note: `{}` is not rendered: ask the rate limit service at your own edge", global::NAME));
        }
        if !given.limits.of_each("concurrent_requests").is_empty() {
            note("note: `concurrent_requests` is not rendered: Istio's clusters cannot be one for each tenant");
        }
        resources(given, &options)
    })
}

/// Reads the directory and where things are, and writes what `render` makes of both.
fn write(place: &Place, render: impl FnOnce(Given<'_>) -> Result<String, Failure>) -> Outcome {
    let checked = check(&place.dir, None);
    let directory = good(&checked)?;
    let beside = || place.dir.join("../deployment.yaml");
    let path = place.deployment.clone().unwrap_or_else(beside);
    let deployment = deployment::read(&path, &directory.mesh.trust_domain)?;
    for issuer in &directory.mesh.issuers {
        if let KeySource::Fetched { cluster, .. } = &issuer.keys {
            let name = &issuer.issuer;
            note(format_args!(
                "note: keys of `{name}` are fetched through the cluster `{cluster}`: add it at the edge"
            ));
        }
    }
    let text = render(Given { directory, limits: checked.reading().limits(), deployment: &deployment })?;
    put(place.out.as_deref(), &text)
}

fn good(checked: &Checked) -> Result<Directory<'_>, Failure> {
    checked.good().map(|(directory, _)| directory).ok_or_else(|| {
        let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned();
        Failure::diagnostics(&errors.collect::<Vec<_>>())
    })
}

fn put(out: Option<&Path>, text: &str) -> Outcome {
    match out {
        Some(out) => files::replace(out, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(out, e))?,
        None => say(text.trim_end()),
    }
    Ok(Exit::Fine)
}
