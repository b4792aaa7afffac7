//! Services that name tenants by themselves need a key that may: INVARIANT: what a sidecar cannot
//! sign, no other sidecar believes, so a service without a signer would only ever be denied.

use partywall_tenancy::TenantScope;

use crate::directory::fields::Report;
use crate::directory::mesh::MeshEntry;
use crate::directory::service::ServiceEntry;
use crate::directory::yaml::At;

/// Reports services whose `own_tenant` or `act_for` no signer of theirs covers.
pub(crate) fn check(mesh: &MeshEntry<'_>, services: &[ServiceEntry<'_>], report: &mut Report) {
    // A signer with a mistake was told; whoever relies on it is not wrong, too.
    if !mesh.signers_whole {
        return;
    }
    for service in services {
        if let Some(own) = &service.own_tenant {
            one(mesh, service, "own_tenant", &TenantScope::Only(vec![own.value.clone()]), own.at, report);
        }
        if let Some(may) = &service.act_for {
            one(mesh, service, "act_for", &may.value.tenants.to_tenant_scope(), may.at, report);
        }
    }
}

fn one(
    mesh: &MeshEntry<'_>,
    service: &ServiceEntry<'_>,
    field: &str,
    wanted: &TenantScope,
    at: At<'_>,
    report: &mut Report,
) {
    let (Some(name), Some(id)) = (&service.name, &service.spiffe_id) else { return };
    let scopes: Vec<_> = mesh
        .signers
        .iter()
        .filter(|signer| signer.workload == id.value)
        .map(|signer| (&signer.id.value, signer.tenants.to_tenant_scope()))
        .collect();
    // One key must do: a sidecar signs with its current one, whatever the tenant.
    if scopes.iter().any(|(_, may)| covers(may, wanted)) {
        return;
    }
    let tenants = match wanted {
        TenantScope::All => "all".to_owned(),
        TenantScope::Only(list) => format!("[{}]", list.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(", ")),
    };
    let diagnostic = match scopes.first() {
        None => at
            .error(format!("`{field}` needs a key to sign with, and no signer has the workload `{}`", id.value))
            .help(format!(
                "add `{{ id: {}-1, workload: {}, tenants: {tenants} }}` to `signers` in mesh.yaml",
                name.value, id.value
            )),
        Some((signer, may)) => {
            let missing = missing(may, wanted);
            at.error(format!("signer `{signer}` may not name {missing}, which `{field}` lets `{}` name", name.value))
                .help(format!("let `tenants` of `{signer}` cover {tenants}, or say less here"))
        }
    };
    report.push(diagnostic);
}

fn covers(may: &TenantScope, wanted: &TenantScope) -> bool {
    match wanted {
        TenantScope::All => *may == TenantScope::All,
        TenantScope::Only(list) => list.iter().all(|tenant| may.contains(tenant)),
    }
}

fn missing(may: &TenantScope, wanted: &TenantScope) -> String {
    match wanted {
        TenantScope::All => "all tenants".to_owned(),
        TenantScope::Only(list) => {
            let list: Vec<_> = list.iter().filter(|t| !may.contains(t)).map(|t| format!("`{t}`")).collect();
            list.join(", ")
        }
    }
}
