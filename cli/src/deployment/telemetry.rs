//! `telemetry` of `deployment.yaml`: the proxies before collectors.

use std::ops::RangeInclusive;

use super::{Address, address};
use crate::directory::{Fields, Mistakes, Node, Value, list, once_read, size, word};

/// What bodies may hold at least and at most, in bytes, as the filter has it.
const MEMORY: RangeInclusive<u32> = 67_108_864..=2_147_483_647;

/// Where the proxy before a collector is, and where the collector is.
#[derive(Debug)]
pub(crate) struct TelemetryPlace {
    /// The collector's name, which certificate and key of the proxy have as well.
    pub(crate) collector: String,
    /// Where telemetry comes in.
    pub(crate) listeners: Vec<Intake>,
    /// Who gets records of other tenants, where `redaction.yaml` keeps them back.
    pub(crate) quarantine: Option<Quarantine>,
    /// What all bodies of a worker may hold, in bytes; the filter's own bound where it is not said.
    pub(crate) memory: Option<u32>,
}

/// Who gets records of other tenants. OTLP is made what it speaks.
#[derive(Debug)]
pub(crate) enum Quarantine {
    /// By HTTP/1.1.
    Http(Address),
    /// By HTTP/2, as gRPC has it.
    Grpc(Address),
}

/// A listener of the proxy, and what is behind it.
#[derive(Debug)]
pub(crate) struct Intake {
    /// Its name.
    pub(crate) name: String,
    /// Where telemetry comes in.
    pub(crate) listen: Address,
    /// Where it goes by HTTP/1.1.
    pub(crate) http: Option<Address>,
    /// Where gRPC goes.
    pub(crate) grpc: Option<Address>,
}

/// One of `telemetry`.
pub(super) fn place(node: Node<'_>, report: &mut Mistakes) -> Option<TelemetryPlace> {
    let at = node.at;
    let mut fields = Fields::of(node, "the place of a collector", report)?;
    let collector = fields
        .required("collector", "write `collector: otel`", report)
        .and_then(|node| word(node, "the name of a collector", report));
    let listeners = fields
        .required(
            "listeners",
            "write `listeners: [{ name: otlp, listen: { address: 0.0.0.0, port: 4318 }, http: { address: otel, port: 4318 } }]`",
            report,
        )
        .map_or(vec![], |node| {
            if matches!(&node.value, Value::List(items) if items.is_empty()) {
                report.push(node.at.error("`listeners` is an empty list").help("write at least one"));
            }
            list(node, "`listeners`", report, intake)
        });
    let quarantine = fields.optional("quarantine").map(|node| quarantine_of(node, report));
    let memory = fields.optional("memory").map(|node| memory_of(node, report));
    fields.finish(report);
    for (nth, one) in listeners.iter().enumerate() {
        if listeners.iter().take(nth).any(|other| other.name == one.name) {
            let diagnostic = at.error(format!("`listeners` has `{}` twice", one.name));
            report.push(diagnostic.help("write another name: Envoy calls listener and clusters by it"));
        }
    }
    let (quarantine, memory) = (once_read(quarantine)?, once_read(memory)?);
    Some(TelemetryPlace { collector: collector?.value, listeners, quarantine, memory })
}

fn memory_of(node: Node<'_>, report: &mut Mistakes) -> Option<u32> {
    let at = node.at;
    let bytes = size(node, "`memory`", report)?;
    if MEMORY.contains(&bytes) {
        return Some(bytes);
    }
    let diagnostic = at.error("`memory` of a proxy is 64 MiB to 2047 MiB");
    report.add(diagnostic.help("write what all bodies of one worker may hold, as `256 MiB`"))
}

fn quarantine_of(node: Node<'_>, report: &mut Mistakes) -> Option<Quarantine> {
    let at = node.at;
    let mut fields = Fields::of(node, "the quarantine of a collector", report)?;
    let http = fields.optional("http").map(|node| address(node, report));
    let grpc = fields.optional("grpc").map(|node| address(node, report));
    fields.finish(report);
    match (http, grpc) {
        (Some(http), None) => http.map(Quarantine::Http),
        (None, Some(grpc)) => grpc.map(Quarantine::Grpc),
        _ => {
            let diagnostic = at.error("a quarantine is reached in one way");
            report.add(diagnostic.help("write either `http: { address: quarantine, port: 4318 }` or `grpc`"))
        }
    }
}

fn intake(node: Node<'_>, report: &mut Mistakes) -> Option<Intake> {
    let at = node.at;
    let mut fields = Fields::of(node, "a listener of telemetry", report)?;
    let name = fields
        .required("name", "write `name: otlp`", report)
        .and_then(|node| word(node, "the name of a listener", report));
    let listen = fields
        .required("listen", "write `listen: { address: 0.0.0.0, port: 4318 }`", report)
        .and_then(|node| address(node, report));
    let http = fields.optional("http").map(|node| address(node, report));
    let grpc = fields.optional("grpc").map(|node| address(node, report));
    fields.finish(report);
    if http.is_none() && grpc.is_none() {
        let diagnostic = at.error("nothing is behind this listener");
        report.push(diagnostic.help("write `http: { address: otel, port: 4318 }`, `grpc`, or both"));
    }
    let (http, grpc) = (once_read(http)?, once_read(grpc)?);
    Some(Intake { name: name?.value, listen: listen?, http, grpc })
}
