//! What no file can know by itself: names that must be known, and names that must not be there twice.

use std::collections::HashMap;

use partywall_authorization::{GRPC, ROUTE};
use partywall_tenancy::{Owner, Place, Scope, TenantId};

use crate::directory::api_keys::ApiKeys;
use crate::directory::fields::Report;
use crate::directory::mesh::MeshEntry;
use crate::directory::profile::Profile;
use crate::directory::service::ServiceEntry;
use crate::directory::share::ShareEntry;
use crate::directory::tenant::TenantFile;
use crate::directory::values::is_known;
use crate::directory::yaml::{At, Located};
use crate::directory::{cells, grants, platform, scope, share, without_context};
use crate::overlay;

/// Reports what does not fit together. Gives the ids of all tenants, sorted.
pub(crate) fn check(
    mesh: &MeshEntry<'_>,
    api_keys: Option<&ApiKeys<'_>>,
    tenants: &[TenantFile<'_>],
    profiles: &[Profile<'_>],
    services: &[ServiceEntry<'_>],
    shares: &[ShareEntry<'_>],
    report: &mut Report,
) -> Vec<TenantId> {
    let known = known_tenants(tenants, report);
    for scope in mesh.issuers.iter().map(|i| &i.tenants).chain(mesh.signers.iter().map(|s| &s.tenants)) {
        scope.check(&known, report);
    }
    for binding in mesh.issuers.iter().flat_map(|issuer| &issuer.bindings) {
        is_known(&binding.tenant, &known, report);
    }
    for key in api_keys.iter().flat_map(|file| &file.entries) {
        is_known(&key.tenant, &known, report);
    }
    for service in services {
        let acts_for = service.act_for.iter().map(|may| &may.value.tenants);
        service.callers.iter().map(|caller| &caller.tenants).chain(acts_for).for_each(|s| s.check(&known, report));
        service.own_tenant.iter().for_each(|tenant| is_known(tenant, &known, report));
        without_context::check(service, &known, report);
        operations(mesh, service, report);
        forwarders(mesh, service, report);
    }
    platform::check(mesh, services, report);
    scope::once_each(services, report);
    if let Some(grants) = &mesh.grants {
        grants.tenants.check(&known, report);
    }
    share::check(shares, tenants, &known, services, report);
    grants::check(mesh.grants.as_ref(), services, report);
    cells::check(mesh, tenants, profiles, report);
    once_each("profile", profiles.iter().map(|(tier, _)| (tier.value.as_str(), tier.at)), report);
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
    known
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

/// What nobody shows, nobody can guard: told, not forbidden. So is what anybody may call.
fn operations(mesh: &MeshEntry<'_>, service: &ServiceEntry<'_>, report: &mut Report) {
    for operation in &service.operations {
        let Located { value, at } = operation;
        let asked = value.when.iter().map(|condition| &condition.place).chain(value.owner.places());
        for header in asked.filter_map(|place| if let Place::Header(name) = place { Some(name) } else { None }) {
            if mesh.legacy_headers.contains(header) {
                let message = format!("`{header}` is one of `legacy_headers`, so that the service never sees it");
                report.push(
                    at.error(message).help("name another header, or take it out of `legacy_headers` in mesh.yaml"),
                );
            }
        }
        if value.anonymous {
            let message = format!("anybody may call `{} {}`, without a credential", value.method, value.path);
            report.push(
                at.note(message)
                    .help("no root context goes with it: the service learns at most which tenant was selected"),
            );
        }
        let writes = matches!(value.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE" | GRPC | ROUTE);
        if writes && value.attributes.scope == Scope::Tenant && value.owner.may_be_hidden() {
            let message = if value.owner == Owner::Unseen {
                format!("nothing in the request shows whose `{}` it is that `{}` changes", value.resource, value.action)
            } else {
                format!("a request need not show whose `{}` it is that `{}` changes", value.resource, value.action)
            };
            report.push(at.warning(message).help(if value.method == ROUTE {
                "the service itself must keep tenants apart here, if a route with this operation changes anything"
            } else if value.method == GRPC {
                "the service itself must keep tenants apart here, if it changes anything: no path of gRPC shows an owner"
            } else {
                "the service itself must keep tenants apart here; a path with `{tenant}` and `owner: path.tenant` lets the sidecar do it"
            }));
        }
    }
}

/// A gateway as a caller would only ever be denied: who calls is the workload behind it.
fn forwarders(mesh: &MeshEntry<'_>, service: &ServiceEntry<'_>, report: &mut Report) {
    for Located { value, at } in service.callers.iter().map(|caller| &caller.spiffe_id) {
        if mesh.gateways.iter().any(|gateway| gateway.value == *value) {
            let diagnostic = at.error(format!("`{value}` is one of `gateways`, so that it is never who calls"));
            report.push(
                diagnostic
                    .help("list the workloads whose requests it forwards, or take it out of `gateways` in mesh.yaml"),
            );
        }
    }
}

/// Credentials that prove nothing: nobody reads them, or they have ended. `events` says whether clusters of Kafka read
/// tokens.
pub(crate) fn useless(mesh: &MeshEntry<'_>, api_keys: Option<&ApiKeys<'_>>, events: bool, report: &mut Report) {
    let now = overlay::now_millis() / 1000;
    for key in api_keys.iter().flat_map(|file| &file.entries) {
        if key.expires.value <= now {
            let message = format!("this API key of `{}` has expired", key.tenant.value);
            let help = "take it out, and make another one with `partywall keys api-key` if it is needed";
            report.push(key.expires.at.warning(message).help(help));
        }
    }
    let Some(sources) = &mesh.sources else { return };
    if let Some(file) = api_keys.filter(|file| !file.entries.is_empty() && !sources.has_api_key()) {
        let diagnostic = file.at.warning("no source reads API keys, so that these prove nothing");
        report.push(diagnostic.help("add `- api_key: { header: x-api-key }` to `sources.edge` in mesh.yaml"));
    }
    match (sources.jwt(), mesh.issuers.first()) {
        (Some(at), None) if mesh.issuers_whole => {
            let diagnostic = at.error("`jwt` is a source, but there is no issuer whose tokens could be one");
            report.push(diagnostic.help("add an issuer to `issuers`, or take `jwt` out"));
        }
        (None, Some(issuer)) if !events => {
            let diagnostic =
                issuer.issuer.at.warning("`jwt` is no source, so that the tokens of issuers prove nothing");
            report.push(diagnostic.help("add `- jwt` to `sources.edge`"));
        }
        _ => {}
    }
}
