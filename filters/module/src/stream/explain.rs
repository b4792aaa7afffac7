//! What a decision was made on, for the filter state `wasm.partywall.explain`: `partywall replay` and its kin read it.

use partywall_authorization::{Authorization, Id};
use partywall_log_redaction::{Asked, Asking};
use partywall_tenancy::ProvedBy;

use super::handover::Established;
use crate::plugin::Setup;

/// What authorization is asked about the request, names as fingerprints.
pub(super) fn asked(
    setup: &Setup,
    authorization: &Authorization,
    established: &Established,
    method: &str,
    path: &str,
) -> String {
    let context = &established.context;
    let prints = &setup.config.fingerprint;
    let principal =
        (context.proved_by != ProvedBy::Nothing).then(|| prints.of_principal(&context.tenant, &context.principal));
    let found = authorization.operation(&established.service, method, path);
    let id = found.as_ref().and_then(|found| {
        let id: Vec<u8> = Id::of_segment(found.id()?).bytes().collect();
        Some(prints.of_resource(&found.operation().resource, &id))
    });
    let owner = found.as_ref().and_then(|found| found.owner()).map(|owner| prints.of_owner(owner));
    let operation = found.as_ref().map(|found| {
        let operation = found.operation();
        Asking {
            method: &operation.method,
            path: &operation.path,
            action: &operation.action,
            resource: &operation.resource,
            id: id.as_deref().unwrap_or_default(),
            owner: owner.as_deref().unwrap_or_default(),
        }
    });
    let mut text = String::with_capacity(256);
    let roles = context.roles.iter().map(String::as_str).filter(|role| authorization.names_role(role));
    Asked { principal: principal.as_deref().unwrap_or_default(), operation }.write(roles, &mut text);
    text
}
