//! `tenants/retired.yaml`: ids of former tenants, which nobody else is ever given.

use partywall_tenancy::TenantId;

use crate::directory::fields::{Fields, Report, list, text};
use crate::directory::tenant::TenantFile;
use crate::directory::values::tenant_id;
use crate::directory::yaml::{At, Located, Node};
use crate::time;

/// One of `retired`.
#[derive(Debug)]
pub(crate) struct Retired<'s> {
    /// `tenant`.
    pub(crate) tenant: Located<'s, TenantId>,
    /// `since`.
    pub(crate) since: String,
}

/// Reads the document of `retired.yaml`.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Vec<Retired<'s>> {
    let Some(mut fields) = Fields::of(node, "the list of former tenants", report) else { return Vec::new() };
    let entries =
        fields.required("retired", "write `retired: []`, and let `partywall tenant offboard` add to it", report);
    fields.finish(report);
    entries.map_or(vec![], |node| list(node, "`retired`", report, entry))
}

fn entry<'s>(node: Node<'s>, report: &mut Report) -> Option<Retired<'s>> {
    let mut fields = Fields::of(node, "a former tenant", report)?;
    let tenant = fields.required("tenant", "write `tenant: acme`", report).and_then(|node| tenant_id(node, report));
    let since = fields
        .required("since", "write `since: 2027-01-31T00:00:00Z`: when it left", report)
        .and_then(|node| since(node, report));
    fields.finish(report);
    Some(Retired { tenant: tenant?, since: since? })
}

fn since(node: Node<'_>, report: &mut Report) -> Option<String> {
    let found = text(node, "`since`", report)?;
    if time::parse_rfc3339(&found.value).is_some() {
        return Some(found.value);
    }
    let diagnostic = found.at.error(format!("`{}` is no time in UTC (RFC 3339)", found.value));
    report.add(diagnostic.help("write `2027-01-31T00:00:00Z`"))
}

/// INVARIANT: an id means one tenant for ever. Logs, metrics and tokens of the former one still name it.
pub(crate) fn check(retired: &[Retired<'_>], tenants: &[TenantFile<'_>], report: &mut Report) {
    let mut seen: Vec<(&TenantId, At<'_>)> = Vec::new();
    for Retired { tenant, .. } in retired {
        if seen.iter().any(|(id, _)| **id == tenant.value) {
            let diagnostic = tenant.at.error(format!("`{}` is there twice", tenant.value));
            report.push(diagnostic.help("take one of the two out"));
        }
        seen.push((&tenant.value, tenant.at));
    }
    for id in tenants.iter().filter_map(|file| file.id.as_ref()) {
        if let Some(former) = retired.iter().find(|former| former.tenant.value == id.value) {
            let message = format!("`{}` was a tenant until {}, and no id is given again", id.value, former.since);
            let help = "give this tenant an id of its own; one that never left is taken out of tenants/retired.yaml";
            report.push(id.at.error(message).help(help));
        }
    }
}
