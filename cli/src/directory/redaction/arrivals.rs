//! `routes`, `passing` and `bounds`: what comes in, and how much of it is held.

use std::collections::HashMap;

use partywall_log_redaction::arrival::{Arrival, Form, Head, Passing, Route, arrival};
use partywall_log_redaction::{Slice, SliceBounds};

use crate::directory::fields::{Fields, Report, choice, list, text};
use crate::directory::response::size;
use crate::directory::values::number;
use crate::directory::yaml::{At, Node, Value};

/// What comes in, as written.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub(super) routes: Vec<Route>,
    pub(super) passing: Vec<Passing>,
    pub(super) bounds: SliceBounds,
}

pub(super) fn read(entries: &mut Fields<'_>, report: &mut Report) -> Arrivals {
    let routes = entries.optional("routes").map_or(vec![], |node| routes(node, report));
    let passing = entries.optional("passing");
    let passing = passing
        .map_or(vec![], |node| list(node, "`passing`", report, |item, report| passing_one(item, &routes, report)));
    let bounds = entries.optional("bounds").and_then(|node| bounds(node, report)).unwrap_or_default();
    Arrivals { routes, passing, bounds }
}

fn routes(node: Node<'_>, report: &mut Report) -> Vec<Route> {
    let mut seen: HashMap<String, At<'_>> = HashMap::new();
    list(node, "`routes`", report, |item, report| {
        let mut fields = Fields::of(item, "a route of telemetry", report)?;
        let path =
            fields.required("path", "write `path: /ingest`", report).and_then(|node| text(node, "a path", report));
        let forms: Vec<(&str, Form)> = Form::ALL.into_iter().map(|form| (form.name(), form)).collect();
        let carrier = fields
            .required("carrier", "write `carrier: ndjson`", report)
            .and_then(|node| choice(node, "a carrier", &forms, report));
        fields.finish(report);
        let (path, carrier) = (path?, carrier?);
        let (at, route) = (path.at, Route { path: path.value, carrier });
        let like = route.path.replace("{index}", "x").replace('*', "x");
        let head = Head { method: b"POST", path: like.as_bytes(), ..Head::default() };
        let comes = route.can_be()
            && !matches!(arrival(std::slice::from_ref(&route), &[], &head), Arrival::Unknown | Arrival::Passes);
        if !comes {
            let diagnostic = at.error(format!("no request comes to the path `{}`", route.path));
            return report.add(diagnostic.help(
                "write a path as `/ingest` or `/{index}/logs/*`: `{index}` and `*` are whole segments, `*` the last one, and nothing is escaped",
            ));
        }
        if let Some(first) = seen.insert(route.path.clone(), at) {
            let diagnostic = at.error(format!("the path `{}` is there twice", route.path));
            return report.add(diagnostic.help(format!("the first one is at {first}; keep one of the two")));
        }
        Some(route)
    })
}

fn passing_one(node: Node<'_>, routes: &[Route], report: &mut Report) -> Option<Passing> {
    let mut fields = Fields::of(node, "a request that passes", report)?;
    let method =
        fields.required("method", "write `method: GET`", report).and_then(|node| text(node, "a method", report));
    let path = fields.required("path", "write `path: /ready`", report).and_then(|node| text(node, "a path", report));
    fields.finish(report);
    let (method, path) = (method?, path?);
    if method.value.len() > 32 || !method.value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        let diagnostic = method.at.error(format!("`{}` is no method of HTTP", method.value));
        return report.add(diagnostic.help("write it in upper case, as `GET`"));
    }
    let passing = Passing { method: method.value, path: path.value };
    let head = Head { method: passing.method.as_bytes(), path: passing.path.as_bytes(), ..Head::default() };
    match arrival(routes, std::slice::from_ref(&passing), &head) {
        Arrival::Passes if !passing.path.contains('?') => Some(passing),
        Arrival::Telemetry { form, .. } | Arrival::Refused { form, .. } => {
            let message =
                format!("`{} {}` is where telemetry comes in, as `{}`", passing.method, passing.path, form.name());
            report.add(path.at.error(message).help("take it out: what passes is not looked into"))
        }
        _ => {
            let diagnostic = path.at.error(format!("no request has the path `{}`", passing.path));
            report.add(diagnostic.help("write it whole and without a query, as `/ready`; nothing is escaped"))
        }
    }
}

fn bounds(node: Node<'_>, report: &mut Report) -> Option<SliceBounds> {
    let (at, usual) = (node.at, SliceBounds::default());
    if let Value::Text(word) = &node.value {
        let diagnostic = at.error(format!("`bounds` is never `{word}`"));
        return report.add(diagnostic.help("write a mapping, as `{ record: 1 MiB, block: 4 MiB }`"));
    }
    let mut fields = Fields::of(node, "`bounds`", report)?;
    let before = report.errors();
    let mut bytes = |name: &'static str, what, usual, report: &mut Report| {
        fields.optional(name).map_or(Some(usual), |node| size(node, what, report))
    };
    let record = bytes("record", "the size of a record", usual.record, report);
    let block = bytes("block", "the size of a block", usual.block, report);
    let unfolded = bytes("unfolded", "the size of what a body unfolds to", usual.unfolded, report);
    let ratio = fields.optional("ratio").map_or(Some(usual.ratio), |node| number(node, "`ratio`", 1..=10_000, report));
    fields.finish(report);
    let bounds = SliceBounds { record: record?, block: block?, unfolded: unfolded?, ratio: ratio? };
    if report.errors() == before && (Slice { bounds, ..Slice::default() }).check().is_err() {
        let diagnostic = at.error("a block holds records, and a body blocks: each is no smaller than the one before");
        return report.add(diagnostic.help("write `record` up to `block`, and that up to `unfolded`"));
    }
    Some(bounds)
}
