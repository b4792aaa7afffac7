//! The authorization stage: hands context and request to `authorization`.

use partywall_authorization::{Authorization, Decision, Query};
use partywall_tenancy::{ProvedBy, Reason, View};
use partywall_tenant_context::Request;

use super::handover::Established;
use super::{Allowed, Denied, explain};
use crate::plugin::Setup;

pub(super) fn authorize(
    setup: &Setup,
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
    let asked = |allowed| {
        let wanted = setup.config.explain.wants(allowed);
        wanted.then(|| explain::asked(setup, authorization, established, method, path))
    };
    // Asked again: the stages may run under different bundles, and the worse answer counts.
    let tenant = view.active_tenant(&context.tenant).map_err(|reason| {
        let denied = known(Denied::new(reason, "the context's tenant may not act"));
        Denied { asked: asked(false), ..denied }
    })?;
    let query = Query { context, tenant: &tenant, service: &established.service, method, path };
    match partywall_authorization::authorize(authorization, &query) {
        Decision::Allow { policy, .. } => {
            let tenant = Some(context.tenant.clone());
            Ok(Allowed { tenant, policy: policy.to_owned(), asked: asked(true) })
        }
        Decision::Deny { reason, policy, detail, .. } => {
            let policy = policy.unwrap_or_default().to_owned();
            Err(Denied { policy, asked: asked(false), ..known(Denied::new(reason, detail)) })
        }
    }
}
