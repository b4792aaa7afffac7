//! The authorization stage: hands context and request to `authorization`.

use partywall_authorization::{Across, Authorization, Decision, Query};
use partywall_tenancy::{ProvedBy, Reason, Tenant, View};
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
    let asked = |allowed, tenant: Option<&Tenant>| {
        let wanted = setup.config.explain.wants(allowed);
        wanted.then(|| explain::asked(setup, authorization, (view, tenant), established, method, path))
    };
    // Asked again: the stages may run under different bundles, and the worse answer counts.
    let tenant = view.active_tenant(&context.tenant).map_err(|reason| {
        let denied = known(Denied::new(reason, "the context's tenant may not act"));
        Denied { asked: asked(false, None), ..denied }
    })?;
    let query = Query { context, tenant: &tenant, service: &established.service, method, path };
    let allowed =
        |policy| Ok(Allowed { tenant: Some(context.tenant.clone()), policy, asked: asked(true, Some(&tenant)) });
    let granted = |owner: &str, action: &str| view.grant(context, owner, action);
    match partywall_authorization::authorize_across(authorization, &query, granted) {
        Across::Granted { grant, .. } => {
            setup.metrics.count("authorization_grants_used_total", &[]);
            allowed(format!("grant:{grant}"))
        }
        Across::Decided(Decision::Allow { policy, .. }) => allowed(policy.to_owned()),
        Across::Decided(Decision::Deny { reason, policy, detail, .. }) => {
            let policy = policy.unwrap_or_default().to_owned();
            Err(Denied { policy, asked: asked(false, Some(&tenant)), ..known(Denied::new(reason, detail)) })
        }
    }
}
