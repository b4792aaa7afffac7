//! What a token proved, and what is asked of it again each time it is seen.

use partywall_tenancy::{CLOCK_SKEW, Reason, TenantId, UnixSeconds, View};

use crate::Rejection;

/// What a valid token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The tenants it names: 1 to 64, each once, each one that its issuer may name.
    pub tenants: Vec<TenantId>,
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audiences: Vec<String>,
    /// The client, from where the issuer keeps it.
    pub client: Option<String>,
    /// Roles, from where the issuer keeps them.
    pub roles: Vec<String>,
    /// `scope`, split.
    pub scopes: Vec<String>,
    /// `jti`, empty where there is none.
    pub id: String,
    /// The later of `nbf` and `iat`; 0 where there is neither.
    pub not_before: UnixSeconds,
    /// `exp`.
    pub expires: UnixSeconds,
    /// `kid` of the key that signed it.
    pub key_id: String,
}

impl Verified {
    /// Whether it proves `tenant`, the one that was chosen among [`Verified::tenants`]: by its audience,
    /// and by its client where the tenant is bound to some.
    ///
    /// INVARIANT: a token is accepted for a tenant only after this said so.
    pub fn check_binding(&self, view: &View, tenant: &TenantId) -> Result<(), Rejection> {
        let invalid = |what: &'static str| Err(Rejection::new(Reason::CredentialInvalid, what));
        if !self.tenants.contains(tenant) {
            return invalid("the token does not name this tenant");
        }
        let Some(issuer) = view.bundle().issuer(&self.issuer) else {
            return invalid("the bundle no longer knows the issuer");
        };
        let at = issuer.bindings.binary_search_by(|b| b.tenant.cmp(tenant)).ok();
        let binding = at.and_then(|at| issuer.bindings.get(at));
        let audiences = match binding {
            Some(binding) if !binding.audiences.is_empty() => &binding.audiences,
            _ => &issuer.audiences,
        };
        if !self.audiences.iter().any(|a| audiences.contains(a)) {
            return invalid("`aud` holds no audience of the issuer, or of the tenant where it has its own");
        }
        match binding {
            Some(binding) if !binding.clients.is_empty() => match &self.client {
                Some(client) if binding.clients.contains(client) => Ok(()),
                _ => invalid("the token is of a client that the tenant is not bound to"),
            },
            _ => Ok(()),
        }
    }

    /// What may change between two looks at one token: the time, and what the overlay revokes.
    pub(super) fn check_still(&self, view: &View, now: UnixSeconds) -> Result<(), Rejection> {
        let reject = |reason, what: &'static str| Err(Rejection::new(reason, what));
        if now > self.expires.saturating_add(CLOCK_SKEW) {
            return reject(Reason::CredentialExpired, "`exp` is past");
        }
        if self.not_before > now.saturating_add(CLOCK_SKEW) {
            return reject(Reason::CredentialInvalid, "`nbf` or `iat` is in the future");
        }
        self.check_revoked(view)
    }

    /// Whether the overlay revokes it, whatever the time.
    pub(crate) fn check_revoked(&self, view: &View) -> Result<(), Rejection> {
        let overlay = view.overlay();
        let revoked = |what: &'static str| Err(Rejection::new(Reason::CredentialRevoked, what));
        if overlay.revokes_issuer(&self.issuer) {
            revoked("the overlay revokes the issuer")
        } else if overlay.revokes_key(&self.issuer, &self.key_id) {
            revoked("the overlay revokes the key that signed it")
        } else if overlay.revokes_subject(&self.issuer, &self.subject) {
            revoked("the overlay revokes this `sub`")
        } else if !self.id.is_empty() && overlay.revokes_token(&self.issuer, &self.id) {
            revoked("the overlay revokes this `jti`")
        } else {
            Ok(())
        }
    }
}
