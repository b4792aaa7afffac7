//! `platform` of a service: workloads without a tenant, and what of scope `platform` each may do there.

use std::collections::HashSet;

use partywall_tenancy::{PlatformPrincipal, Scope, SpiffeId};

use crate::directory::fields::{Fields, Report, list, listed, texts};
use crate::directory::mesh::MeshEntry;
use crate::directory::service::ServiceEntry;
use crate::directory::values::spiffe_id;
use crate::directory::yaml::{Located, Node};
use crate::nearest::nearest;

/// One of `platform`.
#[derive(Debug)]
pub(crate) struct PlatformEntry<'s> {
    /// `spiffe_id`.
    pub(crate) spiffe_id: Located<'s, SpiffeId>,
    /// `actions`.
    pub(crate) actions: Vec<Located<'s, String>>,
}

impl PlatformEntry<'_> {
    /// The principal, as the bundle has it.
    pub(crate) fn to_principal(&self) -> PlatformPrincipal {
        let actions = self.actions.iter().map(|action| action.value.clone()).collect();
        PlatformPrincipal { spiffe_id: self.spiffe_id.value.clone(), actions }
    }
}

/// Reads the list.
pub(crate) fn read<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Vec<PlatformEntry<'s>> {
    let entries = list(node, "`platform`", report, |item, report| one(item, trust_domain, report));
    for (n, entry) in entries.iter().enumerate() {
        if entries.iter().take(n).any(|other| other.spiffe_id.value == entry.spiffe_id.value) {
            let message = format!("platform principal `{}` is there twice", entry.spiffe_id.value);
            report.push(entry.spiffe_id.at.error(message).help("put its actions into one entry"));
        }
    }
    entries
}

fn one<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<PlatformEntry<'s>> {
    let mut fields = Fields::of(node, "a platform principal", report)?;
    let id = fields
        .required("spiffe_id", "write `spiffe_id: spiffe://mesh.example/ns/monitoring/sa/prometheus`", report)
        .and_then(|node| spiffe_id(node, trust_domain, report));
    let actions = fields
        .required("actions", "write `actions: [\"metrics:scrape\"]`", report)
        .map(|node| texts(node, "an action", report));
    fields.finish(report);
    Some(PlatformEntry { spiffe_id: id?, actions: actions? })
}

/// Reports principals that carry tenants' requests as well, actions that are no platform's, and operations that nobody
/// may ask for.
pub(crate) fn check(mesh: &MeshEntry<'_>, services: &[ServiceEntry<'_>], report: &mut Report) {
    let mut carriers: HashSet<&SpiffeId> =
        services.iter().flat_map(|s| &s.callers).map(|c| &c.spiffe_id.value).collect();
    carriers.extend(mesh.signers.iter().map(|signer| &signer.workload));
    carriers.extend(mesh.gateways.iter().map(|gateway| &gateway.value));
    for service in services {
        for entry in &service.platform {
            // INVARIANT: who carries tenants' requests is no platform principal: one of them could be made to ask for
            // what is the platform's.
            if carriers.contains(&entry.spiffe_id.value) {
                let message =
                    format!("`{}` carries tenants' requests, as caller, signer or gateway", entry.spiffe_id.value);
                let help = "give the platform's own workload a SPIFFE ID of its own, or take it out here";
                report.push(entry.spiffe_id.at.error(message).help(help));
            }
            actions(service, entry, report);
        }
        idle(service, report);
    }
}

fn actions(service: &ServiceEntry<'_>, entry: &PlatformEntry<'_>, report: &mut Report) {
    let operations = || service.operations.iter().map(|operation| &operation.value);
    let of_platform = || operations().filter(|operation| operation.attributes.scope == Scope::Platform);
    for Located { value, at } in &entry.actions {
        if of_platform().any(|operation| operation.action == *value) {
            continue;
        }
        let known: Vec<&str> = of_platform().map(|operation| operation.action.as_str()).collect();
        let (message, help) = if operations().any(|operation| operation.action == *value) {
            let message = format!("`{value}` is not of scope `platform`, and a platform principal has no tenant");
            (message, "write `scope: platform` at its operations, or take it out here".to_owned())
        } else {
            let message = format!("no operation of this service has the action `{value}`");
            (
                message,
                match nearest(value, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if known.is_empty() => "write an operation with `scope: platform`".to_owned(),
                    None => format!("write {}", listed(&known)),
                },
            )
        };
        report.push(at.error(message).help(help));
    }
}

fn idle(service: &ServiceEntry<'_>, report: &mut Report) {
    let named: HashSet<&str> =
        service.platform.iter().flat_map(|entry| &entry.actions).map(|action| action.value.as_str()).collect();
    for Located { value, at } in &service.operations {
        if value.attributes.scope == Scope::Platform && !named.contains(value.action.as_str()) {
            let message = format!("`{}` is of scope `platform`, and no platform principal may do it", value.action);
            report.push(at.warning(message).help("name it in `platform` of this service, or take the operation out"));
        }
    }
}
