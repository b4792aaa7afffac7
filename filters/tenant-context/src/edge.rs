//! Role edge: credentials come from outside and are proved here.

use partywall_tenancy::{ProvedBy, Reason, TenantContext, UnixSeconds, View};

use crate::combine::{Proof, Selection, combine};
use crate::jwt::{self, SignatureVerifier};
use crate::{Rejection, Request, Single, host};

/// What the edge looks at besides the request.
pub struct EdgeSources<'a> {
    /// Bundle and overlay.
    pub view: &'a View,
    /// Now.
    pub now: UnixSeconds,
    /// Checks signatures of issuers.
    pub verifier: &'a dyn SignatureVerifier,
}

/// Proves a tenant from the `Authorization` header and narrows it by the host.
///
/// INVARIANT: whoever is let in was named by a valid token of an issuer that may name this
/// tenant, and the host names no other one. Headers of ours that a client sends are not read.
pub fn establish(request: &Request<'_>, sources: &EdgeSources<'_>) -> Result<TenantContext, Rejection> {
    crate::check_unambiguous(request)?;
    let view = sources.view;
    let proved = match request.headers.single("authorization") {
        Single::Once(value) => match jwt::bearer(value) {
            Some(token) => jwt::verify(token, view, sources.now, sources.verifier)?,
            None => None,
        },
        Single::Absent | Single::Repeated => None,
    };
    let selected = host::tenant(request.authority, &view.bundle().body().hosts)
        .map_err(|r| Rejection { proved: proved.is_some(), ..r })?;
    let proofs: Vec<_> =
        proved.iter().map(|p| Proof { source: "the token", tenants: std::slice::from_ref(&p.tenant) }).collect();
    let selections: Vec<_> = selected.into_iter().map(|tenant| Selection { source: "the host", tenant }).collect();
    let tenant = combine(&proofs, &selections)
        .map_err(|r| Rejection { tenant: proved.as_ref().map(|p| p.tenant.clone()), ..r })?;
    let Some(proved) = proved else {
        return Err(Rejection::new(Reason::TenantMissing, "no credential of a configured issuer"));
    };
    let record = view
        .active_tenant(&tenant)
        .map_err(|reason| Rejection::of_tenant(&tenant, reason, "the token's tenant may not act"))?;
    Ok(TenantContext {
        tier: record.tier.clone(),
        region: record.residency.clone(),
        tenant,
        principal: proved.subject,
        roles: proved.roles,
        scopes: proved.scopes,
        proved_by: ProvedBy::Jwt,
        token_id: proved.id,
        expires: proved.expires,
        caller: None,
    })
}
