//! What is the platform's: a request of no tenant, from a workload that the service lists for it.

use partywall_authorization::{self as authorization, Authorization, Call};
use partywall_log_redaction::{Asked, Asking, Names};
use partywall_tenancy::{Operation, Reason, SpiffeId, View};
use partywall_tenant_context::{self as tenant_context, Request, Role, TakenOut};

use super::context::{Stage, write_trace_state};
use super::decide::asked;
use super::mode::Route;
use super::{Allowed, Denied, pass};
use crate::plugin::Setup;

impl Stage<'_> {
    /// Decides a request for what is the platform's, and gives who asks; `None` for every other one, which is a tenant's.
    ///
    /// INVARIANT: only where the request comes to the service itself, by mTLS, and where this filter decides as well: at
    /// every other one, what is the platform's is denied to whoever asks.
    pub(super) fn platform(
        &self,
        request: &Request<'_>,
        taken: &TakenOut,
    ) -> Option<Result<(Allowed, SpiffeId), Denied>> {
        let decides = self.setup.config.role == Role::Inbound && self.setup.stages.authorization;
        // Most services list nobody: then neither the route nor the operation is asked for here.
        let service = self.own_service().ok().filter(|service| decides && !service.platform.is_empty())?;
        let says = self.authorization.listens_to_routes(&service.name).then(|| Route::Here.says()).flatten();
        let call = Call { route: says.as_ref(), ..asked(request).ok()? };
        authorization::is_platform(self.authorization, service, &call).then(|| self.decide(request, taken, &call))
    }

    fn decide(&self, request: &Request<'_>, taken: &TakenOut, call: &Call<'_>) -> Result<(Allowed, SpiffeId), Denied> {
        let outcome = self.authorized(request, taken, call);
        let decision = if outcome.is_ok() { "allow" } else { "deny" };
        self.setup.metrics.count("authorization_platform_requests_total", &[("decision", decision)]);
        let (caller, operation) = outcome?;
        write_trace_state(request, None);
        pass::leave_nothing(self.setup);
        let explains = self.setup.config.explain.wants(true);
        let allowed = Allowed {
            // A SPIFFE ID is the name of a program, and of no person.
            policy: format!("platform:{caller}"),
            of_platform: true,
            asked: explains.then(|| explain(operation, self.setup.region())),
            ..Allowed::default()
        };
        Ok((allowed, caller))
    }

    fn authorized(
        &self,
        request: &Request<'_>,
        taken: &TakenOut,
        call: &Call<'_>,
    ) -> Result<(SpiffeId, &Operation), Denied> {
        let service = self.own_service()?;
        let caller =
            self.with_evidence(request, &[], |evidence| tenant_context::platform_caller(request, taken, evidence))?;
        let region = self.setup.region();
        let decided = authorization::authorize_platform(self.authorization, service, call, &caller, region);
        match decided {
            Ok(operation) => Ok((caller, operation)),
            Err((reason, what)) => Err(Denied::new(reason, format!("`{caller}`: {what}"))),
        }
    }
}

/// Whether an open request of this platform principal would still be let in.
pub(super) fn still_allows(
    setup: &Setup,
    (view, authorization): (&View, &Authorization),
    request: &Request<'_>,
    caller: &SpiffeId,
    route: Route,
) -> Result<(), Denied> {
    let name = setup.config.service.as_deref().unwrap_or_default();
    let unmapped = || Denied::new(Reason::ResourceUnmapped, format!("the bundle knows no service `{name}` any more"));
    let service = view.bundle().service(name).ok_or_else(unmapped)?;
    if view.bundle().is_gateway(caller) {
        return Err(Denied::new(Reason::CallerDenied, format!("`{caller}`: a gateway is no platform principal")));
    }
    let says = authorization.listens_to_routes(&service.name).then(|| route.says()).flatten();
    let call = asked(request).map_err(|detail| Denied::new(Reason::AmbiguousRequest, detail))?;
    let call = Call { route: says.as_ref(), ..call };
    let decided = authorization::authorize_platform(authorization, service, &call, caller, setup.region());
    decided.map(|_| ()).map_err(|(reason, what)| Denied::new(reason, format!("`{caller}`: {what}")))
}

/// What it was decided on. The caller stands in the place of the policy, and there is no tenant.
fn explain(operation: &Operation, region: &str) -> String {
    let Operation { method, path, action, resource, .. } = operation;
    let operation_asked = Asking { method, path, action, resource, id: "", owner: "" };
    let mut text = String::with_capacity(256);
    Asked { principal: "", operation: Some(operation_asked), region, cell: "", caller: "" }.write(&mut text);
    let when: Vec<String> = operation.when.iter().map(ToString::to_string).collect();
    Names::When.write(when.iter().map(String::as_str), &mut text);
    text
}
