//! `deployment.yaml`: where things are, which a tenancy directory does not say. Only `partywall render` reads it.

mod telemetry;

use std::fmt;
use std::path::Path;

use partywall_tenancy::{SpiffeId, TenantId};

use crate::diagnostic::{Diagnostic, Source};
use crate::directory::{
    Fields, METHODS, Mistakes, Node, Value, flag, list, once_read, parse, spiffe_id, tenant_id, text, texts, word,
};
use crate::exit::Failure;
use crate::files;

pub(crate) use telemetry::{Intake, Quarantine, TelemetryPlace};

/// The largest file, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Where things are.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// Where each Envoy's admin interface listens.
    pub(crate) admin: Address,
    /// `partywall serve`.
    pub(crate) bundles: Address,
    /// Envoy's rate limit service, where there is one.
    pub(crate) limits: Option<Address>,
    /// The folder of module and certificates in each Envoy's file system.
    pub(crate) files: String,
    /// The edge.
    pub(crate) edge: Edge,
    /// The services, in the order written.
    pub(crate) services: Vec<Place>,
    /// The clusters of events, in the order written.
    pub(crate) events: Vec<EventsPlace>,
    /// The collectors of telemetry, in the order written.
    pub(crate) telemetry: Vec<TelemetryPlace>,
}

/// Where the proxy before a cluster of Kafka is, and where its brokers are.
#[derive(Debug)]
pub(crate) struct EventsPlace {
    /// The cluster, as events.yaml calls it.
    pub(crate) cluster: String,
    /// Where clients come in that know no broker yet.
    pub(crate) listen: Address,
    /// The tenant whose connections come in here, where the proxy is one tenant's.
    pub(crate) tenant: Option<TenantId>,
    /// Whether clients come in without TLS.
    pub(crate) plain: bool,
    /// The brokers.
    pub(crate) brokers: Vec<Broker>,
}

/// A broker.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Its id.
    pub(crate) id: i32,
    /// Where the proxy reaches it.
    pub(crate) at: Address,
    /// Where its clients come in, if that is not told by `brokers` of the cluster.
    pub(crate) listen: Option<Address>,
}

/// The edge.
#[derive(Debug)]
pub(crate) struct Edge {
    /// The region it stands in, where that is told: it serves no tenant whose cell lies in another one.
    pub(crate) region: Option<String>,
    /// The SPIFFE ID it calls with.
    pub(crate) spiffe_id: SpiffeId,
    /// Where clients come in.
    pub(crate) listen: Address,
    /// Whose pages may call from a browser.
    pub(crate) cors: Option<Cors>,
}

/// Cross-origin requests that browsers may make (the CORS protocol of the Fetch standard).
#[derive(Debug)]
pub(crate) struct Cors {
    /// Origins, as `https://app.shop.example`.
    pub(crate) origins: Vec<String>,
    /// Methods.
    pub(crate) methods: Vec<String>,
    /// Headers.
    pub(crate) headers: Vec<String>,
}

/// Where one service is.
#[derive(Debug)]
pub(crate) struct Place {
    /// The service.
    pub(crate) service: String,
    /// The cell that this instance is in; `None` for one that serves all of them.
    pub(crate) cell: Option<String>,
    /// Where others reach its sidecar: a name or an address.
    pub(crate) address: String,
    /// The port of its sidecar.
    pub(crate) port: u16,
    /// Where else sidecars of this instance are, each used while all before it are down.
    pub(crate) failover: Vec<Address>,
    /// Where the app listens, as its sidecar sees it.
    pub(crate) app: Address,
    /// Where the sidecar takes the app's calls.
    pub(crate) outbound: Option<Address>,
}

impl Place {
    /// Where others reach its sidecars, in the order in which they are used.
    pub(crate) fn outside(&self) -> impl Iterator<Item = Address> {
        let first = Address { host: self.address.clone(), port: self.port };
        [first].into_iter().chain(self.failover.iter().cloned())
    }

    /// Where its sidecar listens.
    pub(crate) fn inbound(&self) -> Address {
        Address { host: "0.0.0.0".to_owned(), port: self.port }
    }
}

/// A host and a port. It shows itself as Envoy's `socket_address`.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// The same host, at another port.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ address: {}, port_value: {} }}", self.host, self.port)
    }
}

/// Reads the file.
pub(crate) fn read(path: &Path, trust_domain: &str) -> Result<Deployment, Failure> {
    let content = files::read_text(path, MAX_SIZE).map_err(|e| Failure::file(path, e))?;
    let source = Source::new(path.to_string_lossy(), content);
    of(&source, trust_domain).map_err(|mistakes| Failure::diagnostics(&mistakes))
}

/// Reads its text, or tells all that is wrong with it.
pub(crate) fn of(source: &Source, trust_domain: &str) -> Result<Deployment, Vec<Diagnostic>> {
    let node = parse(source).map_err(|mistake| vec![mistake])?;
    let mut report = Mistakes::default();
    let found = deployment(node, trust_domain, &mut report);
    let mistakes = report.into_sorted();
    found.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

fn deployment(node: Node<'_>, trust_domain: &str, report: &mut Mistakes) -> Option<Deployment> {
    let at = node.at;
    let mut fields = Fields::of(node, "a deployment", report)?;
    let admin = fields.required("admin", "write `admin: { address: 127.0.0.1, port: 9901 }`", report);
    let admin = admin.and_then(|node| address(node, report));
    let bundles = fields.required("bundles", "write `bundles: { address: bundles, port: 8400 }`", report);
    let bundles = bundles.and_then(|node| address(node, report));
    let limits = fields.optional("limits").map(|node| address(node, report));
    let files = match fields.optional("files") {
        Some(node) => folder(node, report),
        None => Some("/etc/partywall".to_owned()),
    };
    let edge =
        fields.required("edge", "write `edge: { spiffe_id: …, listen: { address: 0.0.0.0, port: 8080 } }`", report);
    let edge = edge.and_then(|node| edge_of(node, trust_domain, report));
    let services = fields
        .required(
            "services",
            "write `services: [{ service: orders, address: orders-sidecar, port: 15006, app: … }]`",
            report,
        )
        .map_or(vec![], |node| list(node, "`services`", report, place));
    let events = fields.optional("events").map_or(vec![], |node| list(node, "`events`", report, events_place));
    let telemetry =
        fields.optional("telemetry").map_or(vec![], |node| list(node, "`telemetry`", report, telemetry::place));
    fields.finish(report);
    for (nth, place) in services.iter().enumerate() {
        let same = |other: &&Place| other.service == place.service && other.cell == place.cell;
        if services.iter().take(nth).any(|other| same(&other)) {
            let cell = place.cell.as_ref().map_or_else(String::new, |cell| format!(" in the cell `{cell}`"));
            let diagnostic = at.error(format!("`services` has `{}`{cell} twice", place.service));
            report.push(
                diagnostic.help("write more addresses of one instance under `failover`, and a `cell` for another one"),
            );
        }
    }
    for (nth, place) in events.iter().enumerate() {
        if events.iter().take(nth).any(|other| other.cluster == place.cluster) {
            let diagnostic = at.error(format!("`events` has `{}` twice", place.cluster));
            report.push(diagnostic.help("write one place of a cluster, with all of its brokers"));
        }
    }
    for (nth, place) in telemetry.iter().enumerate() {
        if telemetry.iter().take(nth).any(|other| other.collector == place.collector) {
            let diagnostic = at.error(format!("`telemetry` has `{}` twice", place.collector));
            report.push(diagnostic.help("write one place of a collector, with all of its listeners"));
        }
    }
    let limits = once_read(limits)?;
    Some(Deployment {
        admin: admin?,
        bundles: bundles?,
        limits,
        files: files?,
        edge: edge?,
        services,
        events,
        telemetry,
    })
}

fn edge_of(node: Node<'_>, trust_domain: &str, report: &mut Mistakes) -> Option<Edge> {
    let mut fields = Fields::of(node, "the edge", report)?;
    let id = fields
        .required("spiffe_id", "write `spiffe_id: spiffe://mesh.example/ns/edge/sa/gateway`", report)
        .and_then(|node| spiffe_id(node, Some(trust_domain), report));
    let listen = fields
        .required("listen", "write `listen: { address: 0.0.0.0, port: 8080 }`", report)
        .and_then(|node| address(node, report));
    let region = fields.optional("region").map(|node| word(node, "a region", report));
    let cors = fields.optional("cors").and_then(|node| cors(node, report));
    fields.finish(report);
    let region = once_read(region)?.map(|found| found.value);
    Some(Edge { region, spiffe_id: id?.value, listen: listen?, cors })
}

fn cors(node: Node<'_>, report: &mut Mistakes) -> Option<Cors> {
    let mut fields = Fields::of(node, "`cors`", report)?;
    let mut words = |name: &'static str, help: &str, good: fn(&str) -> bool, report: &mut Mistakes| {
        let found = fields.required(name, help, report).map_or(vec![], |node| texts(node, name, report));
        for bad in found.iter().filter(|found| !good(&found.value)) {
            report.push(bad.at.error(format!("`{}` is none of `{name}`", bad.value)).help(help));
        }
        found.into_iter().map(|found| found.value).collect::<Vec<_>>()
    };
    let origin = |text: &str| text.starts_with("https://") && !text.contains(|c: char| c.is_whitespace() || c == '*');
    let token = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let origins = words("origins", "write `origins: [\"https://app.shop.example\"]`", origin, report);
    let methods = words("methods", "write `methods: [GET, DELETE]`", |text| METHODS.contains(&text), report);
    let headers = words("headers", "write `headers: [authorization, content-type]`", token, report);
    fields.finish(report);
    Some(Cors { origins, methods, headers })
}

fn place(node: Node<'_>, report: &mut Mistakes) -> Option<Place> {
    let mut fields = Fields::of(node, "the place of a service", report)?;
    let service = fields
        .required("service", "write `service: orders`", report)
        .and_then(|node| word(node, "a service name", report));
    let cell = fields.optional("cell").map(|node| word(node, "a cell", report));
    let host =
        fields.required("address", "write `address: orders-sidecar`", report).and_then(|node| host(node, report));
    let port = fields.required("port", "write `port: 15006`", report).and_then(|node| port(node, report));
    let failover = fields.optional("failover").map_or(vec![], |node| list(node, "`failover`", report, address));
    let app = fields
        .required("app", "write `app: { address: 127.0.0.1, port: 8080 }`", report)
        .and_then(|node| address(node, report));
    let outbound = fields.optional("outbound").map(|node| address(node, report));
    fields.finish(report);
    let outbound = once_read(outbound)?;
    let cell = once_read(cell)?.map(|found| found.value);
    Some(Place { service: service?.value, cell, address: host?, port: port?, failover, app: app?, outbound })
}

fn events_place(node: Node<'_>, report: &mut Mistakes) -> Option<EventsPlace> {
    let at = node.at;
    let mut fields = Fields::of(node, "the place of a cluster", report)?;
    let cluster = fields
        .required("cluster", "write `cluster: shop-events`", report)
        .and_then(|node| word(node, "the name of a cluster", report));
    let listen = fields
        .required("listen", "write `listen: { address: 0.0.0.0, port: 9092 }`", report)
        .and_then(|node| address(node, report));
    let tenant = fields.optional("tenant").map(|node| tenant_id(node, report));
    let plain = fields.optional("plain").map(|node| flag(node, "`plain`", report));
    let brokers = fields
        .required("brokers", "write `brokers: [{ id: 1, address: kafka-1, port: 9092 }]`", report)
        .map_or(vec![], |node| list(node, "`brokers`", report, broker));
    fields.finish(report);
    for (nth, broker) in brokers.iter().enumerate() {
        if brokers.iter().take(nth).any(|other| other.id == broker.id) {
            let diagnostic = at.error(format!("`brokers` has {} twice", broker.id));
            report.push(diagnostic.help("write each broker once, with its own id"));
        }
    }
    let tenant = once_read(tenant)?.map(|found| found.value);
    let plain = once_read(plain)?.unwrap_or(false);
    Some(EventsPlace { cluster: cluster?.value, listen: listen?, tenant, plain, brokers })
}

fn broker(node: Node<'_>, report: &mut Mistakes) -> Option<Broker> {
    let mut fields = Fields::of(node, "a broker", report)?;
    let id = fields.required("id", "write `id: 1`, its `node.id`", report).and_then(|node| broker_id(node, report));
    let host = fields.required("address", "write `address: kafka-1`", report).and_then(|node| host(node, report));
    let port = fields.required("port", "write `port: 9092`", report).and_then(|node| port(node, report));
    let listen = fields.optional("listen").map(|node| address(node, report));
    fields.finish(report);
    let listen = once_read(listen)?;
    Some(Broker { id: id?, at: Address { host: host?, port: port? }, listen })
}

fn address(node: Node<'_>, report: &mut Mistakes) -> Option<Address> {
    let mut fields = Fields::of(node, "an address", report)?;
    let host = fields.required("address", "write `address: 127.0.0.1`", report).and_then(|node| host(node, report));
    let port = fields.required("port", "write `port: 8080`", report).and_then(|node| port(node, report));
    fields.finish(report);
    Some(Address { host: host?, port: port? })
}

/// A DNS name or an IPv4 address: it stands in the rendered files without quotes.
fn host(node: Node<'_>, report: &mut Mistakes) -> Option<String> {
    let found = text(node, "an address", report)?;
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    if found.value.len() <= 253 && found.value.bytes().all(good) {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("`{}` is neither a host name nor an IPv4 address", found.value));
    report.add(diagnostic.help("write it in lower case and without the port: `orders-sidecar`, `127.0.0.1`"))
}

fn port(node: Node<'_>, report: &mut Mistakes) -> Option<u16> {
    let number = match &node.value {
        Value::Scalar(number) => number.parse().ok().filter(|port| *port > 0),
        _ => None,
    };
    number.or_else(|| report.add(node.at.error("a port is a number from 1 to 65535").help("write `port: 8080`")))
}

fn broker_id(node: Node<'_>, report: &mut Mistakes) -> Option<i32> {
    let number = match &node.value {
        Value::Scalar(number) => number.parse().ok().filter(|id| *id >= 0),
        _ => None,
    };
    number.or_else(|| report.add(node.at.error("a broker's id is a number, 0 or more").help("write `id: 1`")))
}

fn folder(node: Node<'_>, report: &mut Mistakes) -> Option<String> {
    let found = text(node, "`files`", report)?;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    if found.value.starts_with('/') && !found.value.ends_with('/') && found.value.bytes().all(good) {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("`{}` is not the path of a folder", found.value));
    report.add(diagnostic.help("write a whole path without a slash at its end: `files: /etc/partywall`"))
}
