//! The overlay: small, re-issued every few seconds, and only ever taking away.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::statement::{self, Kind, Statement, TrustedKey};
use crate::{MeshId, Refusal, TenantId, TenantStatus, UnixSeconds};

/// What an overlay says. There is deliberately no field that could give anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayBody {
    /// Format of this body: [`OverlayBody::FORMAT`].
    pub format: u16,
    /// The mesh it is for.
    pub mesh: MeshId,
    /// Grows with every issue.
    pub sequence: u64,
    /// When it was issued.
    pub issued: UnixSeconds,
    /// When it ends; 120 s after `issued`.
    pub expires: UnixSeconds,
    /// Tenants whose requests are denied.
    pub suspended: Vec<TenantId>,
    /// Tenants whose requests are denied because they are suspected of harm.
    pub quarantined: Vec<TenantId>,
    /// Tokens that no longer prove anything.
    pub revoked_tokens: Vec<RevokedToken>,
    /// Ids of context signing keys that no longer sign for anybody.
    pub revoked_signers: Vec<String>,
}

/// One revoked token: its issuer and its `jti`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedToken {
    /// `iss` of the token.
    pub issuer: String,
    /// `jti` of the token (RFC 7519, section 4.1.7).
    pub id: String,
}

impl OverlayBody {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 1;
    /// Seconds from issue to expiry.
    pub const LIFETIME: UnixSeconds = 120;

    /// Signs the overlay. `None` when it cannot be written or the key id is unusable.
    pub fn sign(&self, key_id: &str, key: &SigningKey) -> Option<Vec<u8>> {
        let body = postcard::to_allocvec(self).ok()?;
        statement::sign(Kind::Overlay, &body, &[(key_id, key)])
    }
}

/// A verified overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    body: OverlayBody,
    key_id: Box<[u8]>,
}

impl Overlay {
    /// Verifies `bytes` against the overlay keys that the bundle names.
    pub fn open(bytes: &[u8], keys: &[TrustedKey], other_roles: &[TrustedKey]) -> Result<Self, Refusal> {
        let (body, key_id) = Statement::read(bytes)?.verify(Kind::Overlay, keys, other_roles)?;
        let (format, _) = postcard::take_from_bytes::<u16>(body).map_err(|_| Refusal::Garbage("no format"))?;
        if format != OverlayBody::FORMAT {
            return Err(Refusal::Format(format));
        }
        let body: OverlayBody = postcard::from_bytes(body).map_err(|_| Refusal::Garbage("unreadable body"))?;
        if body.expires > body.issued.saturating_add(OverlayBody::LIFETIME) {
            return Err(Refusal::Inconsistent("an overlay lives 120 s at most".into()));
        }
        Ok(Self { body, key_id: key_id.into() })
    }

    /// Whether one of `keys` has the id of the key that signed it.
    pub fn is_signed_by_one_of(&self, keys: &[TrustedKey]) -> bool {
        keys.iter().any(|k| k.id.as_bytes() == &*self.key_id)
    }

    /// What it says.
    pub fn body(&self) -> &OverlayBody {
        &self.body
    }

    /// The status this overlay imposes on `tenant`, if any.
    pub fn status(&self, tenant: &TenantId) -> Option<TenantStatus> {
        if self.body.quarantined.contains(tenant) {
            Some(TenantStatus::Quarantined)
        } else if self.body.suspended.contains(tenant) {
            Some(TenantStatus::Suspended)
        } else {
            None
        }
    }

    /// Whether the token `id` of `issuer` was revoked.
    pub fn revokes_token(&self, issuer: &str, id: &str) -> bool {
        self.body.revoked_tokens.iter().any(|t| t.issuer == issuer && t.id == id)
    }

    /// Whether the context signing key `id` was revoked.
    pub fn revokes_signer(&self, id: &str) -> bool {
        self.body.revoked_signers.iter().any(|s| s == id)
    }
}
