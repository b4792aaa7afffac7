//! From `sidecar` or `authorization` to a `response_guard` in a VM of its own, by filter state.

use partywall_authorization::{Call, Found};
use partywall_tenancy::{Operation, Reason, TenantId};
use partywall_tenant_context::{Pass, Request};

use super::guard::Guarding;
use super::mode::Route;
use crate::host;
use crate::plugin::Setup;

const PROPERTY: &str = "partywall.pass";
/// No pass is as short.
const NOTHING: &[u8] = b"-";

/// What tells this request from every other one, to each filter of its chain.
fn stream() -> Vec<u8> {
    let of = |path: &[&str]| host::property(path).unwrap_or_default();
    [of(&["connection_id"]), of(&["connection", "id"]), of(&["request", "id"]), of(&["request", "time"])].join(&b'|')
}

/// Leaves word of a request that was let in. Where that is impossible the guard finds nothing, and denies.
pub(super) fn leave(setup: &Setup, service: &str, tenant: &TenantId, found: &Found<'_, '_>, call: &Call<'_>) {
    let Some(keys) = &setup.config.passes else { return };
    let (service, tenant, operation) = (service.to_owned(), tenant.clone(), name(found));
    let (method, path) = (call.method.to_owned(), call.path.to_owned());
    let pass = Pass { stream: stream(), service, tenant, method, path, operation };
    if let Some(sealed) = keys.seal(&pass, host::now()) {
        host::set_property(PROPERTY, &sealed);
    }
}

/// The same of a request that is no tenant's: nobody can judge its response.
pub(super) fn leave_nothing(setup: &Setup) {
    if setup.config.passes.is_some() {
        host::set_property(PROPERTY, NOTHING);
    }
}

/// Whether a filter before left word, and so looks for a verdict.
pub(super) fn is_left() -> bool {
    host::property(&[PROPERTY]).is_some()
}

/// What tells an operation from every other one of its service.
fn name(found: &Found<'_, '_>) -> String {
    let Operation { method, path, when, .. } = found.operation();
    let when: String = when.iter().map(|condition| format!(" {condition}")).collect();
    format!("{method} {path}{when}")
}

/// How the response is to be judged by what a filter before left word of; `None` where the operation says nothing of it.
pub(super) fn take(setup: &Setup, request: &Request<'_>) -> Result<Option<Guarding>, (Reason, &'static str)> {
    let nobody = (Reason::PolicyUnavailable, "no filter before left word of this request: write `guard: apart` there");
    let keys = setup.config.passes.as_ref().ok_or(nobody)?;
    let sealed = host::property(&[PROPERTY]).ok_or(nobody)?;
    if sealed == NOTHING {
        return Err((Reason::PolicyUnavailable, "the request is no tenant's, so that nobody can judge its response"));
    }
    let pass = keys.open(&sealed, &stream(), host::now()).ok_or(nobody)?;
    let changed = (Reason::AmbiguousRequest, "method or path changed since the request was decided");
    let call = super::decide::asked(request).map_err(|_| changed)?;
    if (call.method, call.path) != (pass.method.as_str(), pass.path.as_str()) {
        return Err(changed);
    }
    let (_, authorization) =
        setup.policy.borrow().view(host::now()).map_err(|reason| (reason, "no bundle and overlay to judge by"))?;
    let unknown = (Reason::PolicyUnavailable, "the operation is unknown to the bundle that responses are judged by");
    // A header that an operation asks for may have gone since then, or another bundle be in force here.
    let says = authorization.listens_to_routes(&pass.service).then(|| Route::Here.says()).flatten();
    let call = Call { route: says.as_ref(), ..call };
    let found = authorization.operation(&pass.service, &call).filter(|found| name(found) == pass.operation);
    let found = found.ok_or(unknown)?;
    let Some(guarded) = found.guarded() else { return Ok(None) };
    let (guarded, of_head) = (guarded.clone(), pass.method == "HEAD");
    Ok(Some(Guarding { guarded, tenant: pass.tenant, service: pass.service, path: pass.path, of_head }))
}
