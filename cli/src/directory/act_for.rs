//! `act_for` of a service: for whom it may act that no request made call.

use partywall_tenancy::ActFor;

use crate::directory::fields::{Fields, Report};
use crate::directory::values::{Scope, duration, scope};
use crate::directory::yaml::{Located, Node, Value};

/// How long ago records may have been fetched where nothing is said, in seconds.
const FETCHED: u32 = 30;

/// `act_for` as written.
#[derive(Debug)]
pub(crate) struct ActForEntry<'s> {
    /// The tenants it may name.
    pub(crate) tenants: Scope<'s>,
    /// `fetched`, in seconds: of those, the ones whose records it fetched within that time.
    pub(crate) fetched: Option<u32>,
}

impl ActForEntry<'_> {
    /// As the bundle has it.
    pub(crate) fn to_act_for(&self) -> ActFor {
        ActFor { tenants: self.tenants.to_tenant_scope(), fetched: self.fetched }
    }
}

/// Reads it: `all`, a list of tenants, `fetched`, or a mapping of both.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, ActForEntry<'s>>> {
    let at = node.at;
    let value = match &node.value {
        Value::Text(word) if word == "fetched" => ActForEntry { tenants: Scope::All, fetched: Some(FETCHED) },
        Value::Map(_) => {
            let mut fields = Fields::of(node, "`act_for`", report)?;
            let tenants = match fields.optional("tenants") {
                Some(node) => scope(node, report),
                None => Some(Scope::All),
            };
            let fetched = fields
                .required("fetched", "write `fetched: 30s`, or `act_for: all` or a list of tenants without it", report)
                .and_then(|node| duration(node, "`fetched`", 1..=3_600, report));
            fields.finish(report);
            ActForEntry { tenants: tenants?, fetched: Some(fetched?) }
        }
        _ => ActForEntry { tenants: scope(node, report)?, fetched: None },
    };
    Some(Located { value, at })
}
