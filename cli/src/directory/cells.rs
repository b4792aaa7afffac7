//! Cells: `cells` of `mesh.yaml`, and `cell` of a record or a profile.
//!
//! ```text
//! mesh.yaml           cells: [{ cell: eu-1, region: eu }, { cell: eu-2, region: eu }]
//! tenants/acme.yaml   cell: eu-1                       eu-1 serves it
//!                     cell: { from: eu-1, to: eu-2 }   it is moving, and neither does
//! ```

use std::sync::Arc;

use partywall_tenancy::{Cell, CellPlace};

use crate::directory::fields::{Fields, Report, list};
use crate::directory::mesh::MeshEntry;
use crate::directory::profile::Profile;
use crate::directory::tenant::TenantFile;
use crate::directory::values::word;
use crate::directory::yaml::{At, Located, Node, Value};
use crate::nearest::nearest;

/// One of `cells`: its name and its region.
pub(crate) type CellEntry<'s> = (Located<'s, String>, String);

/// Reads `cells` of `mesh.yaml`, sorted by name.
pub(crate) fn read<'s>(node: Node<'s>, report: &mut Report) -> Vec<CellEntry<'s>> {
    let mut found: Vec<CellEntry<'s>> = list(node, "`cells`", report, |item, report| {
        let mut fields = Fields::of(item, "a cell of the mesh", report)?;
        let name = fields.required("cell", "write `cell: eu-1`", report).and_then(|node| word(node, "a cell", report));
        let region =
            fields.required("region", "write `region: eu`", report).and_then(|node| word(node, "a region", report));
        fields.finish(report);
        Some((name?, region?.value))
    });
    found.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
    for two in found.windows(2) {
        if let [(one, _), (other, _)] = two
            && one.value == other.value
        {
            let diagnostic = other.at.error(format!("cell `{}` is there twice", other.value));
            report.push(diagnostic.help(format!("the first one is at {}; take one of the two out", one.at)));
        }
    }
    found
}

/// As a bundle has them.
pub(crate) fn places(cells: &[CellEntry<'_>]) -> Vec<CellPlace> {
    cells.iter().map(|(name, region)| CellPlace { name: name.value.clone(), region: region.clone() }).collect()
}

/// Reads `cell` of a record or a profile: a name, or from where to where it moves.
pub(crate) fn of_tenant<'s>(node: Node<'s>, report: &mut Report) -> Option<Located<'s, Cell>> {
    let at = node.at;
    if !matches!(node.value, Value::Map(_)) {
        let name = word(node, "a cell", report)?;
        return Some(Located { value: Cell::In(name.value.into()), at });
    }
    let mut fields = Fields::of(node, "a move", report)?;
    let mut end = |name: &'static str, help: &str, report: &mut Report| {
        fields.required(name, help, report).and_then(|node| word(node, "a cell", report))
    };
    let from = end("from", "write `cell: { from: eu-1, to: eu-2 }`", report);
    let to = end("to", "write `cell: { from: eu-1, to: eu-2 }`", report);
    fields.finish(report);
    let (from, to) = (from?, to?);
    if from.value == to.value {
        let diagnostic = to.at.error(format!("a tenant cannot move from `{0}` to `{0}`", to.value));
        return report.add(diagnostic.help(format!("write `cell: {}` where it stays", to.value)));
    }
    Some(Located { value: Cell::Moving { from: from.value.into(), to: to.value.into() }, at })
}

/// In words.
pub(crate) fn shown(cell: &Cell) -> String {
    match cell {
        Cell::In(name) => name.to_string(),
        Cell::Moving { from, to } => format!("moving from {from} to {to}"),
    }
}

/// Reports cells that the mesh does not have, and tenants whose cell lies outside their residency.
pub(crate) fn check(mesh: &MeshEntry<'_>, tenants: &[TenantFile<'_>], profiles: &[Profile<'_>], report: &mut Report) {
    let known = |name: &str| mesh.cells.iter().find(|(known, _)| known.value == name).map(|(_, region)| region);
    let mut stranger = |name: &Arc<str>, at: At<'_>| {
        if mesh.cells_whole && known(name).is_none() {
            let diagnostic = at.error(format!("`cells` of mesh.yaml has no `{name}`"));
            let help = match nearest(name, mesh.cells.iter().map(|(known, _)| known.value.as_str())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write `cells: [{{ cell: {name}, region: eu }}]` there, with the region it lies in"),
            };
            report.push(diagnostic.help(help));
        }
    };
    for cell in profiles.iter().filter_map(|(_, settings)| settings.cell.as_ref()) {
        cell.value.names().for_each(|name| stranger(name, cell.at));
    }
    for cell in tenants.iter().filter_map(|file| file.cell.as_ref()) {
        cell.value.names().for_each(|name| stranger(name, cell.at));
    }
    for file in tenants {
        let (Some(tenant), Some(id)) = (&file.tenant, &file.id) else { continue };
        for name in tenant.cell.iter().flat_map(Cell::names) {
            let Some(region) = known(name).filter(|region| ***region != *tenant.residency) else { continue };
            let at = file.cell.as_ref().map_or(id.at, |own| own.at);
            let message =
                format!("`{}` lives in `{}`, and its cell `{name}` in `{region}`", tenant.id, tenant.residency);
            report.push(
                at.error(message).help(format!("give it a cell of `{}`, or another residency", tenant.residency)),
            );
        }
    }
}
