//! What no file can know by itself: names that must be known, and names that must not be there twice.

use std::collections::HashMap;

use partywall_tenancy::{Owner, TenantId};

use crate::directory::fields::Report;
use crate::directory::mesh::MeshEntry;
use crate::directory::service::ServiceEntry;
use crate::directory::tenant::TenantFile;
use crate::directory::yaml::{At, Located};

/// Reports what does not fit together.
pub(crate) fn check(
    mesh: &MeshEntry<'_>,
    tenants: &[TenantFile<'_>],
    services: &[ServiceEntry<'_>],
    report: &mut Report,
) {
    let known = known_tenants(tenants, report);
    for scope in mesh.issuers.iter().map(|i| &i.tenants).chain(mesh.signers.iter().map(|s| &s.tenants)) {
        scope.check(&known, report);
    }
    for service in services {
        service.callers.iter().for_each(|caller| caller.tenants.check(&known, report));
        unseen_writes(service, report);
    }
    once_each(
        "service",
        services.iter().filter_map(|s| Some((s.name.as_ref()?.value.as_str(), s.name.as_ref()?.at))),
        report,
    );
    once_each(
        "SPIFFE ID",
        services.iter().filter_map(|s| Some((s.spiffe_id.as_ref()?.value.as_str(), s.spiffe_id.as_ref()?.at))),
        report,
    );
    once_each("cluster", services.iter().flat_map(|s| &s.clusters).map(|c| (c.value.as_str(), c.at)), report);
}

/// The ids of all tenants, sorted. A tenant with a mistake in its file is known all the same.
fn known_tenants(tenants: &[TenantFile<'_>], report: &mut Report) -> Vec<TenantId> {
    let ids = || tenants.iter().filter_map(|t| t.id.as_ref());
    once_each("tenant", ids().map(|id| (id.value.as_str(), id.at)), report);
    let named = tenants.iter().filter_map(|t| t.named.clone());
    let mut known: Vec<TenantId> = ids().map(|id| id.value.clone()).chain(named).collect();
    known.sort();
    known.dedup();
    known
}

fn once_each<'s, 'n>(what: &str, names: impl Iterator<Item = (&'n str, At<'s>)>, report: &mut Report) {
    let mut seen = HashMap::new();
    for (name, at) in names {
        match seen.get(name) {
            Some(first) => {
                let diagnostic = at.error(format!("{what} `{name}` is there twice"));
                report.push(diagnostic.help(format!("the first one is at {first}; give this one another name")));
            }
            None => {
                seen.insert(name, at);
            }
        }
    }
}

/// What nobody shows, nobody can guard: told, not forbidden.
fn unseen_writes(service: &ServiceEntry<'_>, report: &mut Report) {
    for operation in &service.operations {
        let Located { value, at } = operation;
        let writes = matches!(value.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        if writes && value.owner == Owner::Unseen {
            let message = format!(
                "nothing in the request shows whose `{}` it is that `{}` changes",
                value.resource, value.action
            );
            report.push(at.warning(message).help(
                "the service itself must keep tenants apart here; a path with `{tenant}` and `owner: path.tenant` lets the sidecar do it",
            ));
        }
    }
}
