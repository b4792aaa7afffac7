//! What is the platform's: probes, scrapes, provisioning, billing. No tenant is there, so no policy is asked: the service
//! lists who may do what.

use partywall_tenancy::{Operation, Reason, Residency, Scope, Service, SpiffeId};

use crate::{Authorization, Call};

/// Whether a request is for an operation of scope `platform` that a platform principal of the service may ask for.
/// Where it lists none, nobody may, and the operation is not looked for.
pub fn is_platform(policy: &Authorization, service: &Service, call: &Call<'_>) -> bool {
    let of_platform = || policy.operation(&service.name, call).map(|found| found.operation().attributes.scope);
    !service.platform.is_empty() && of_platform() == Some(Scope::Platform)
}

/// Decides one request of the platform principal `caller` to `service`, in `region` (empty where nobody knows it). Gives
/// the operation, or the reason to deny, with more for the log in plain words.
///
/// INVARIANT: only what is of scope `platform` is given, and only to whom the service lists for this action.
pub fn authorize_platform<'a>(
    policy: &'a Authorization,
    service: &Service,
    call: &Call<'_>,
    caller: &SpiffeId,
    region: &str,
) -> Result<&'a Operation, (Reason, &'static str)> {
    let found = policy.operation(&service.name, call).map(|found| found.operation());
    let Some(operation) = found.filter(|operation| operation.attributes.scope == Scope::Platform) else {
        return Err((Reason::ResourceUnmapped, "no operation of the platform covers the request"));
    };
    if !service.lets(caller, &operation.action) {
        return Err((
            Reason::CallerDenied,
            "the service does not list who calls as a platform principal for this action",
        ));
    }
    // INVARIANT: what a route adds is asked for here as well, and what only a tenant could give is given to none.
    let Some(attributes) = policy.attributes(&service.name, call) else {
        return Err((
            Reason::ResourceUnmapped,
            "its route says something else than the operation that covers the request",
        ));
    };
    if attributes.needs_consent || attributes.cleared.is_some() {
        return Err((
            Reason::CallerDenied,
            "its route says a dataset that asks for consent or clearance, which no platform principal has",
        ));
    }
    match &attributes.residency {
        Residency::Anywhere => Ok(operation),
        Residency::Only(regions) if regions.iter().any(|one| one == region) => Ok(operation),
        Residency::Only(_) | Residency::Owners => Err((
            Reason::Residency,
            "the dataset may not be served in this region, or nobody knows in which one this is",
        )),
    }
}
