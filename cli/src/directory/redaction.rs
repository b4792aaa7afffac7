//! `redaction.yaml`: what may be written down, and whose it is.
//!
//! It is read into what the collector's proxy is given, and checked by making of it what the proxy makes of it.

mod arrivals;
mod check;
mod detectors;
mod fields;
mod replace;
mod tenants;

use partywall_log_redaction::Slice;

use crate::directory::data::Data;
use crate::directory::fields::{Fields, Report, flag, list};
use crate::directory::redaction::arrivals::Arrivals;
use crate::directory::redaction::detectors::Detection;
use crate::directory::redaction::fields::SetEntry;
use crate::directory::redaction::replace::Replaced;
use crate::directory::redaction::tenants::Whose;
use crate::directory::yaml::{At, Node, Value};

pub(crate) use check::check;
pub(crate) use detectors::MOST as MOST_OWN;
pub(crate) use fields::{ACTIONS as FIELD_ACTIONS, MOST_SETS, UNLISTED};
pub(crate) use replace::ACTIONS;
pub(crate) use tenants::{FOREIGN, MOST_ATTRIBUTES, UNATTRIBUTED, UNKNOWN};

/// What `redaction.yaml` says.
#[derive(Debug)]
pub(crate) struct RedactionEntry<'s> {
    at: At<'s>,
    detectors: Detection<'s>,
    replace: Replaced<'s>,
    fields: Vec<SetEntry<'s>>,
    tenants: Whose<'s>,
    summary: bool,
    arrivals: Arrivals,
}

/// Reads the document of `redaction.yaml`.
pub(crate) fn read<'s>(node: Node<'s>, data: &Data<'_>, report: &mut Report) -> Option<RedactionEntry<'s>> {
    let at = node.at;
    let mut entries = Fields::of(node, "the file of redaction", report)?;
    let detectors = entries.optional("detectors").map(|node| detectors::read(node, report)).unwrap_or_default();
    let replace = entries.optional("replace").map(|node| replace::read(node, report)).unwrap_or_default();
    let sets = entries.optional("fields").map(|node| sets(node, data, report)).unwrap_or_default();
    let tenants = entries.optional("tenants").map(|node| tenants::read(node, report)).unwrap_or_default();
    let summary = entries.optional("summary").and_then(|node| flag(node, "`summary`", report));
    let arrivals = arrivals::read(&mut entries, report);
    entries.finish(report);
    let summary = summary.unwrap_or(true);
    Some(RedactionEntry { at, detectors, replace, fields: sets, tenants, summary, arrivals })
}

fn sets<'s>(node: Node<'s>, data: &Data<'_>, report: &mut Report) -> Vec<SetEntry<'s>> {
    if let Value::List(items) = &node.value
        && let Some(one_more) = items.get(MOST_SETS)
    {
        let message = format!("this is one set of fields too many: there are at most {MOST_SETS}");
        report.push(one_more.at.error(message).help("let one set be for several services, tenants or classifications"));
    }
    let found = list(node, "`fields`", report, |item, report| fields::set(item, data, report));
    fields::reached(&found, report);
    found
}

impl RedactionEntry<'_> {
    /// As the bundle says it, but for keys.
    fn to_slice(&self) -> Slice {
        let rules = partywall_log_redaction::redactor::Rules {
            fields: self.fields.iter().map(SetEntry::to_set).collect(),
            replace: self.replace.to_replace(),
            tenants: self.tenants.to_rules(),
            summary: self.summary,
        };
        Slice {
            rules,
            detectors: self.detectors.to_selection(),
            bounds: self.arrivals.bounds,
            routes: self.arrivals.routes.clone(),
            passing: self.arrivals.passing.clone(),
            keys: Vec::new(),
        }
    }
}
