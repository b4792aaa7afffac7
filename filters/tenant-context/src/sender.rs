//! WHO sends telemetry: whose records a body holds, by the workload that brings it.

use partywall_tenancy::{Bundle, Reason, Source, TenantId};

use crate::{Peer, Rejection, template};

/// Whose records a workload sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Of this tenant alone.
    Tenant {
        /// The tenant, which the bundle knows.
        tenant: TenantId,
        /// The service, where it is one of the directory.
        service: Option<String>,
    },
    /// Of several: each record says it itself.
    Shared {
        /// The service.
        service: String,
    },
}

/// Of the peer of a connection, which Envoy verified: by the tenant in its certificate, or the service that it is. A
/// tenant that may not act still writes down what it did: that it is suspended is no reason to lose its logs.
///
/// # Errors
///
/// Nobody knows it, or its certificate can be read in two ways.
///
/// INVARIANT: whoever is in the space of the tenants' certificates is that tenant and nobody else, whatever `services/`
/// says of it.
pub fn telemetry_sender(peer: &Peer<'_>, bundle: &Bundle) -> Result<Sender, Rejection> {
    peer.check()?;
    let sources = &bundle.body().sources;
    let (uri, dns) = (str::from_utf8(peer.uri).unwrap_or_default(), str::from_utf8(peer.dns).unwrap_or_default());
    let found = sources.edge.iter().chain(&sources.inbound).filter_map(|source| match source {
        Source::UriSan { template } => template::segment(template, uri, false),
        Source::DnsSan { template } => {
            // A deeper name is a name of somebody else's.
            template::label(template, dns).filter(|label| !label.is_empty() && !label.contains('.'))
        }
        _ => None,
    });
    let id = peer.spiffe_id();
    let service = id.as_ref().and_then(|id| bundle.body().services.iter().find(|service| service.spiffe_id == *id));
    let mut named: Option<TenantId> = None;
    for text in found {
        let tenant = TenantId::parse(text)
            .map_err(|e| Rejection::new(Reason::TenantInvalid, format!("the tenant in the peer's certificate {e}")))?;
        if named.as_ref().is_some_and(|known| *known != tenant) {
            return Err(Rejection::new(Reason::TenantConflict, "the peer's certificate names several tenants"));
        }
        named = Some(tenant);
    }
    let service_name = || service.map(|service| service.name.clone());
    if let Some(tenant) = named {
        return known(tenant, service_name(), bundle);
    }
    let Some(service) = service else {
        let why = "no tenant stands in the peer's certificate, and no service of the directory has its SPIFFE ID";
        return Err(Rejection::new(Reason::CallerUnknown, why));
    };
    of_service(service.own_tenant.clone(), &service.name, bundle)
}

/// Of the service whose own sidecar this is.
///
/// # Errors
///
/// The bundle does not know it.
pub fn own_telemetry(service: &str, bundle: &Bundle) -> Result<Sender, Rejection> {
    let found = bundle
        .service(service)
        .ok_or_else(|| Rejection::new(Reason::ResourceUnmapped, format!("the bundle knows no service `{service}`")))?;
    of_service(found.own_tenant.clone(), service, bundle)
}

fn of_service(own: Option<TenantId>, service: &str, bundle: &Bundle) -> Result<Sender, Rejection> {
    match own {
        Some(tenant) => known(tenant, Some(service.to_owned()), bundle),
        None => Ok(Sender::Shared { service: service.to_owned() }),
    }
}

fn known(tenant: TenantId, service: Option<String>, bundle: &Bundle) -> Result<Sender, Rejection> {
    if bundle.tenant(&tenant).is_none() {
        return Err(Rejection::of_tenant(&tenant, Reason::TenantUnknown, "the sender's tenant is not in the bundle"));
    }
    Ok(Sender::Tenant { tenant, service })
}
