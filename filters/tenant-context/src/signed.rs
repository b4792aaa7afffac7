//! What the contexts that workloads sign have in common, those of requests and those of events: a JWS by a signer of the
//! bundle, for one mesh and one tenant.

use ed25519_dalek::{Signature, VerifyingKey};
use partywall_tenancy::{ContextSigner, Reason, TenantId, View};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Rejection;
use crate::jwt::Compact;

pub(crate) const ALGORITHM: &str = "EdDSA";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header<'a> {
    pub(crate) alg: &'a str,
    pub(crate) kid: &'a str,
    pub(crate) typ: &'a str,
}

/// What every such context says.
pub(crate) trait Signs: DeserializeOwned {
    /// `typ` of the header.
    const TYPE: &'static str;
    /// What to say of a token with another header.
    const OTHERWISE: &'static str;

    /// `iss`: the mesh.
    fn mesh(&self) -> &str;
    /// `ten`: the tenant.
    fn tenant(&self) -> &str;
    /// `org`: the workload that signed.
    fn workload(&self) -> &str;
}

/// A context whose signature verified.
pub(crate) struct Signed<'v, C> {
    pub(crate) claims: C,
    pub(crate) tenant: TenantId,
    /// Its signer's key id.
    pub(crate) kid: Box<str>,
    pub(crate) signer: &'v ContextSigner,
}

/// Verifies what a signature proves, whatever the time: the token is of this mesh, and its signer may sign for its tenant.
pub(crate) fn verify<'v, C: Signs>(token: &[u8], view: &'v View) -> Result<Signed<'v, C>, Rejection> {
    let compact = Compact::read(token).ok_or(forged("it is no compact JWS"))?;
    let header: Header<'_> = serde_json::from_slice(&compact.header).map_err(|_| forged(C::OTHERWISE))?;
    if header.alg != ALGORITHM || header.typ != C::TYPE {
        return Err(forged(C::OTHERWISE));
    }
    let signer = signer(header.kid, view)?;
    let signature =
        Signature::from_slice(&compact.signature).map_err(|_| forged("its signature has a wrong length"))?;
    let key =
        VerifyingKey::from_bytes(&signer.key).map_err(|_| forged("the bundle's key for its `kid` is unusable"))?;
    key.verify_strict(compact.signed, &signature).map_err(|_| forged("its signature does not verify"))?;

    // Claim types are fixed by the struct, and serde refuses a repeated field of one.
    let claims: C = serde_json::from_slice(&compact.payload).map_err(|_| forged("its claims are unreadable"))?;
    let tenant = TenantId::parse(claims.tenant()).map_err(|_| forged("its tenant is no tenant id"))?;
    if claims.mesh() != view.bundle().body().mesh.as_str() {
        return Err(forged("it was made in another mesh"));
    }
    if !may_sign(signer, claims.workload(), &tenant) {
        return Err(forged("its signer may not sign for this tenant"));
    }
    Ok(Signed { claims, tenant, kid: header.kid.into(), signer })
}

/// The signer with this key id, unless it is revoked.
pub(crate) fn signer<'v>(kid: &str, view: &'v View) -> Result<&'v ContextSigner, Rejection> {
    let signer = view.bundle().signer(kid).ok_or(forged("its `kid` is no context signer"))?;
    if view.overlay().revokes_signer(kid) {
        return Err(Rejection::new(Reason::CredentialRevoked, "the overlay revokes its signing key"));
    }
    Ok(signer)
}

/// Whether a context that says it was signed by `workload`, for this tenant, may be of this signer.
pub(crate) fn may_sign(signer: &ContextSigner, workload: &str, tenant: &TenantId) -> bool {
    workload == signer.workload.as_str() && signer.tenants.contains(tenant)
}

pub(crate) fn forged(what: &'static str) -> Rejection {
    Rejection::new(Reason::ContextForged, what)
}
