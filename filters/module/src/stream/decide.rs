//! The authorization stage: hands context and request to `authorization`.

use partywall_authorization::{Authorization, Decision, Query};
use partywall_tenancy::{ProvedBy, Reason, View};
use partywall_tenant_context::Request;

use super::handover::Established;
use super::{Allowed, Denied};

pub(super) fn authorize(
    authorization: &Authorization,
    view: &View,
    established: &Established,
    request: &Request<'_>,
) -> Result<Allowed, Denied> {
    let context = &established.context;
    let known = |mut denied: Denied| {
        denied.proved = context.proved_by != ProvedBy::Nothing;
        denied.tenant = Some(context.tenant.clone());
        denied
    };
    let (Ok(method), Ok(path)) = (str::from_utf8(request.method), str::from_utf8(request.path)) else {
        return Err(known(Denied::new(Reason::AmbiguousRequest, "method or path is not text")));
    };
    // Asked again: the stages may run under different bundles, and the worse answer counts.
    let tenant = view
        .active_tenant(&context.tenant)
        .map_err(|reason| known(Denied::new(reason, "the context's tenant may not act")))?;
    let query = Query { context, tenant: &tenant, service: &established.service, method, path };
    match partywall_authorization::authorize(authorization, &query) {
        Decision::Allow { policy, .. } => {
            Ok(Allowed { tenant: Some(context.tenant.clone()), policy: policy.to_owned() })
        }
        Decision::Deny { reason, policy, detail, .. } => {
            let mut denied = known(Denied::new(reason, detail));
            denied.policy = policy.unwrap_or_default().to_owned();
            Err(denied)
        }
    }
}
