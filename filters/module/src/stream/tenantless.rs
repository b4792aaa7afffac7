//! Calls to what serves no tenant: an identity provider, a collector.

use partywall_tenancy::{Reason, Service};
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
        let own = &self.own_service()?.spiffe_id;
        if !service.callers.iter().any(|caller| caller.spiffe_id == *own) {
            let why = format!("`{}` does not list `{own}` as a caller", service.name);
            return Err(Denied::new(Reason::CallerDenied, why));
        }
        Ok(Allowed { policy: format!("tenantless:{}", service.name), ..Allowed::default() })
    }
}
