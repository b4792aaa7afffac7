//! What a decision was made on, for the filter state `wasm.partywall.explain`: `partywall replay` and its kin read it.

use partywall_authorization::{Authorization, Body, Call, Id, MOST_SCOPES};
use partywall_log_redaction::{Asked, Asking, Names, OTHER_SCOPES, TOO_MANY_SCOPES};
use partywall_tenancy::{Fingerprints, ProvedBy, Reason, SpiffeId, Tenant, TenantContext, TenantId, View};

use super::handover::Established;
use crate::plugin::Setup;

/// Who asks for what, and where.
pub(crate) struct Asker<'a> {
    pub(crate) context: &'a TenantContext,
    pub(crate) service: &'a str,
    pub(crate) prints: &'a Fingerprints,
    pub(crate) region: &'a str,
    pub(crate) cell: &'a str,
}

/// What authorization is asked about the request, names as fingerprints. `tenant` is the context's, if it may act.
pub(super) fn asked(
    setup: &Setup,
    authorization: &Authorization,
    under: (&View, Option<&Tenant>),
    established: &Established,
    call: &Call<'_>,
) -> String {
    let asker = Asker {
        context: &established.context,
        service: &established.service,
        prints: &setup.config.fingerprint,
        region: setup.region(),
        cell: setup.config.cell.as_deref().unwrap_or_default(),
    };
    asked_by(&asker, authorization, under, call)
}

/// The same of whoever asks.
pub(crate) fn asked_by(
    asker: &Asker<'_>,
    authorization: &Authorization,
    (view, tenant): (&View, Option<&Tenant>),
    call: &Call<'_>,
) -> String {
    let Asker { context, service, prints, .. } = *asker;
    let principal =
        (context.proved_by != ProvedBy::Nothing).then(|| prints.of_principal(&context.tenant, &context.principal));
    let found = authorization.operation(service, call);
    // Nor about what a route named on a path of somebody else, which is denied for the path, and that stands in no log.
    let elsewhere = || authorization.leads_elsewhere(service, call.path, &context.tenant);
    let found = found.filter(|found| !found.is_named_by_route() || !elsewhere());
    let owner = found.as_ref().map_or(Ok(None), |found| found.owner());
    // Nobody can decide again about what could be read in two ways.
    let found = found.filter(|_| !matches!(owner, Err((Reason::AmbiguousRequest, _))));
    let body = found.as_ref().map_or(Ok(()), |found| found.check_body(&context.tenant));
    let read = matches!(call.body, Body::Whole(_)) && found.as_ref().is_some_and(|found| found.hold().is_some());
    let found = found.filter(|_| !read || !matches!(body, Err((Reason::AmbiguousRequest, _))));
    let named = Some(context.tenant.as_str()).filter(|_| read && body.is_ok());
    let shown = owner.ok().flatten().or(named);
    let id = found.as_ref().and_then(|found| {
        let id: Vec<u8> = Id::of_segment(found.id()?).bytes().collect();
        Some(prints.of_resource(&found.operation().resource, &id))
    });
    let owner = shown.map(|owner| prints.of_owner(owner));
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
    let (region, cell) = match operation {
        Some(_) => (asker.region, asker.cell),
        None => ("", ""),
    };
    let caller = context.caller.as_ref().filter(|_| authorization.reads_caller()).map_or("", SpiffeId::as_str);
    Asked { principal: principal.as_deref().unwrap_or_default(), operation, region, cell, caller }.write(&mut text);
    let when: Vec<String> =
        found.as_ref().map_or_else(Vec::new, |found| found.operation().when.iter().map(ToString::to_string).collect());
    Names::When.write(when.iter().map(String::as_str), &mut text);
    if authorization.listens_to_routes(service) {
        let says: Vec<String> = call.route.map_or_else(Vec::new, |says| says.words().collect());
        Names::Route.write(says.iter().map(String::as_str), &mut text);
    }
    Names::Roles.write(roles, &mut text);
    if authorization.reads_networks() {
        Names::Networks.write(context.networks.iter(), &mut text);
    }
    if authorization.reads_scopes() && context.scopes.len() > MOST_SCOPES {
        Names::Scopes.write([TOO_MANY_SCOPES], &mut text);
    } else if authorization.reads_scopes() {
        let (named, others): (Vec<&str>, Vec<&str>) =
            context.scopes.iter().map(String::as_str).partition(|scope| authorization.names_scope(scope));
        let others = (!others.is_empty()).then_some(OTHER_SCOPES);
        Names::Scopes.write(named.into_iter().chain(others), &mut text);
    }
    if let Some(tenant) = tenant {
        Names::Features.write(tenant.features.iter().filter(|name| authorization.names_feature(name)), &mut text);
        Names::Consents.write(tenant.consents.iter().filter(|name| authorization.names_consent(name)), &mut text);
        // All of them, since a bundle that comes to name one must find it in older logs.
        Names::Withdrawn.write(view.withdrawn_consents(&tenant.id), &mut text);
        let other = shown.filter(|owner| *owner != tenant.id.as_str());
        if let Some(owner) = other.and_then(|owner| TenantId::parse(owner).ok()) {
            Names::OwnerWithdrawn.write(view.withdrawn_consents(&owner), &mut text);
        }
    }
    text
}
