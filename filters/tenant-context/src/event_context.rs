//! The context of an event: a JWS like a root context, bound to one event and not to one request. Who gets the event
//! later, from a broker and without the request that caused it, knows by it whose the event is and who sent it.
//!
//! Header `{"alg":"EdDSA","kid":…,"typ":"partywall-event+jwt"}`, claims as in [`Claims`]. The signers are those of root
//! contexts, each for the tenants that it may name.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_tenancy::{CLOCK_SKEW, CloudEvents, Reason, SpiffeId, TenantId, UnixSeconds, View};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::signed::{self, Signed, Signs, forged};
use crate::{Rejection, RootSigner};

/// The longest that is read, in bytes.
const MAX_TOKEN: usize = 2048;

/// What a context is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventNames<'e> {
    /// `type`.
    pub kind: &'e str,
    /// `source`.
    pub source: &'e str,
    /// `id`.
    pub id: &'e str,
}

/// A context in an event that somebody brought without the request that caused it. Nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventProof {
    /// The token.
    pub token: String,
    /// `type` of the event.
    pub kind: String,
    /// `source`.
    pub source: String,
    /// `id`.
    pub id: String,
}

impl EventProof {
    pub(crate) fn verify(&self, view: &View, now: UnixSeconds) -> Result<EventContext, Rejection> {
        let names = EventNames { kind: &self.kind, source: &self.source, id: &self.id };
        verify_event(self.token.as_bytes(), &names, view, now)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// The mesh.
    iss: String,
    /// The tenant.
    ten: String,
    /// The workload that signed.
    org: String,
    /// SHA-256 of type, source and id, base64url.
    evt: String,
    /// Issue time.
    iat: UnixSeconds,
    /// Expiry.
    exp: UnixSeconds,
}

/// A context that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventContext {
    /// Whose the event is.
    pub tenant: TenantId,
    /// Who sent it.
    pub workload: SpiffeId,
    /// When the context ends.
    pub expires: UnixSeconds,
    /// The id of the key that signed.
    pub key: String,
}

impl Signs for Claims {
    const TYPE: &'static str = "partywall-event+jwt";
    const OTHERWISE: &'static str = "its header is not that of a context of an event";

    fn mesh(&self) -> &str {
        &self.iss
    }

    fn tenant(&self) -> &str {
        &self.ten
    }

    fn workload(&self) -> &str {
        &self.org
    }
}

impl EventNames<'_> {
    fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"partywall event");
        for name in [self.kind, self.source, self.id] {
            // Each with its length, or else one could lend letters to the next.
            hasher.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(name.as_bytes());
        }
        BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize())
    }
}

impl RootSigner {
    /// A context of `event` for `tenant` that lasts `seconds`. A key that the bundle does not list as a signer for this
    /// tenant signs nothing.
    pub fn mint_event(
        &self,
        tenant: &TenantId,
        event: &EventNames<'_>,
        view: &View,
        now: UnixSeconds,
        seconds: u32,
    ) -> Result<String, Rejection> {
        let signer = self.usable(tenant, view)?;
        let claims = Claims {
            iss: view.bundle().body().mesh.to_string(),
            ten: tenant.to_string(),
            org: signer.workload.to_string(),
            evt: event.digest(),
            iat: now,
            exp: now.saturating_add(seconds.min(CloudEvents::LONGEST_CONTEXT).into()),
        };
        let token = self.write(&claims).filter(|token| token.len() <= MAX_TOKEN);
        token.ok_or_else(|| Rejection::of_proved(Reason::PolicyUnavailable, "the context of the event is too long"))
    }
}

/// Verifies that `token` is a context of `event`: who signed it may sign for its tenant now, and it has not ended.
pub fn verify_event(
    token: &[u8],
    event: &EventNames<'_>,
    view: &View,
    now: UnixSeconds,
) -> Result<EventContext, Rejection> {
    if token.len() > MAX_TOKEN {
        return Err(forged("it is too long"));
    }
    let Signed { claims, tenant, kid, signer } = signed::verify::<Claims>(token, view)?;
    if claims.evt != event.digest() {
        return Err(forged("it is that of another event"));
    }
    let longest = claims.iat.saturating_add(CloudEvents::LONGEST_CONTEXT.into());
    if claims.iat > now.saturating_add(CLOCK_SKEW) || claims.exp > longest {
        return Err(forged("its times are impossible"));
    }
    if now > claims.exp.saturating_add(CLOCK_SKEW) {
        return Err(Rejection::new(Reason::ContextExpired, "the context of the event has ended"));
    }
    Ok(EventContext { tenant, workload: signer.workload.clone(), expires: claims.exp, key: kid.into() })
}
