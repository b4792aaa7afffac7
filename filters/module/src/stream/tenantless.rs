//! Calls to what serves no tenant: an identity provider, a collector.

use partywall_tenancy::{Bundle, Reason, Service, SpiffeId};
use partywall_tenant_context::{self as tenant_context, Request, Role};

use super::context::{Stage, destination, write_trace_state};
use super::{Allowed, Denied};

impl Stage<'_> {
    /// Lets a call out to a service that serves no tenant; `None` where it goes to another one. Gives its name as well.
    ///
    /// INVARIANT: nothing that names a tenant goes along; the headers were taken out before.
    pub(super) fn tenantless(&self, request: &Request<'_>) -> Option<(String, Result<Allowed, Denied>)> {
        let bundle = self.view.bundle();
        // The host is asked for the route only where there is such a service.
        if self.setup.config.role != Role::Outbound || !bundle.has_tenantless() {
            return None;
        }
        let service =
            destination(bundle).and_then(|name| bundle.service(&name)).filter(|service| service.tenantless)?;
        Some((service.name.clone(), self.let_out_to(service, request)))
    }

    fn let_out_to(&self, service: &Service, request: &Request<'_>) -> Result<Allowed, Denied> {
        write_trace_state(request, None);
        tenant_context::check_unambiguous(request)?;
        check_listed(service, &self.own_service()?.spiffe_id)?;
        Ok(Allowed { policy: format!("tenantless:{}", service.name), ..Allowed::default() })
    }
}

fn check_listed(service: &Service, own: &SpiffeId) -> Result<(), Denied> {
    if service.callers.iter().any(|caller| caller.spiffe_id == *own) {
        return Ok(());
    }
    let why = format!("`{}` does not list `{own}` as a caller", service.name);
    Err(Denied::new(Reason::CallerDenied, why))
}

/// Whether an open call of the workload `own` to the service `called` would still be let out without a context.
pub(super) fn still_allows(bundle: &Bundle, own: &str, called: &str) -> Result<(), Denied> {
    let gone = || Denied::new(Reason::CallerDenied, format!("`{called}` is no service any more that serves no tenant"));
    let service = bundle.service(called).filter(|service| service.tenantless).ok_or_else(gone)?;
    let unknown = || Denied::new(Reason::ResourceUnmapped, format!("the bundle knows no service `{own}` any more"));
    check_listed(service, &bundle.service(own).ok_or_else(unknown)?.spiffe_id)
}
