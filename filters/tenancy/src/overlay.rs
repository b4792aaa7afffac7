//! The overlay: small, re-issued every few seconds, and only ever taking away.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::statement::{self, Kind, SignedBy, Statement, TrustedKey, Verified};
use crate::{GrantId, MeshId, Refusal, TenantId, TenantStatus, UnixSeconds, order};

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
    /// The lowest bundle revision that counts as current: whoever has an older one in force was kept from it.
    pub bundle: u64,
    /// Tenants whose requests are denied.
    pub suspended: Vec<TenantId>,
    /// Tenants whose requests are denied because they are suspected of harm.
    pub quarantined: Vec<TenantId>,
    /// Tokens that no longer prove anything.
    pub revoked_tokens: Vec<RevokedToken>,
    /// Subjects whose tokens no longer prove anything.
    pub revoked_subjects: Vec<RevokedSubject>,
    /// Keys of issuers that no longer sign for anybody.
    pub revoked_keys: Vec<RevokedKey>,
    /// Issuers whose tokens no longer prove anything.
    pub revoked_issuers: Vec<String>,
    /// Ids of context signing keys that no longer sign for anybody.
    pub revoked_signers: Vec<String>,
    /// Ids of API keys that no longer prove anything.
    pub revoked_api_keys: Vec<String>,
    /// Ids of grants that no longer let anybody cross.
    pub revoked_grants: Vec<GrantId>,
    /// Consents of tenants that no longer count, whatever the bundle says.
    pub withdrawn_consents: Vec<WithdrawnConsent>,
    /// Candidates up to this revision decide nothing, whoever signed them; 0 where none was withdrawn.
    pub withdrawn_candidates: u64,
}

/// One revoked token: its issuer and its `jti`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RevokedToken {
    /// `iss` of the token.
    pub issuer: String,
    /// `jti` of the token (RFC 7519, section 4.1.7).
    pub id: String,
}

/// One revoked subject: whatever this issuer says of it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RevokedSubject {
    /// `iss` of its tokens.
    pub issuer: String,
    /// `sub` of its tokens (RFC 7519, section 4.1.2).
    pub subject: String,
}

/// One revoked key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RevokedKey {
    /// The issuer whose key it is.
    pub issuer: String,
    /// `kid`.
    pub id: String,
}

/// One consent that a tenant withdrew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WithdrawnConsent {
    /// The tenant.
    pub tenant: TenantId,
    /// What it no longer agrees to, as `analytics`.
    pub consent: String,
}

impl OverlayBody {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 3;
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
    by: SignedBy,
}

impl Overlay {
    /// Verifies `bytes` against the overlay keys that the bundle names.
    pub fn open(bytes: &[u8], keys: &[TrustedKey], other_roles: &[TrustedKey]) -> Result<Self, Refusal> {
        let Verified { body, by } = Statement::read(bytes)?.verify(Kind::Overlay, keys, other_roles)?;
        let (format, _) = postcard::take_from_bytes::<u16>(body).map_err(|_| Refusal::Garbage("no format"))?;
        if format != OverlayBody::FORMAT {
            return Err(Refusal::Format(format));
        }
        let body: OverlayBody = postcard::from_bytes(body).map_err(|_| Refusal::Garbage("unreadable body"))?;
        if body.expires > body.issued.saturating_add(OverlayBody::LIFETIME) {
            return Err(Refusal::Inconsistent("an overlay lives 120 s at most".into()));
        }
        Ok(Self::sorted(body, by))
    }

    /// Whether one of `keys` signed it.
    pub fn is_signed_by_one_of(&self, keys: &[TrustedKey]) -> bool {
        keys.iter().any(|k| self.by.keys().contains(&k.key))
    }

    /// Sorts what is looked up on every request; the order in which it was signed means nothing.
    fn sorted(mut body: OverlayBody, by: SignedBy) -> Self {
        order::sort(&mut body.suspended);
        order::sort(&mut body.quarantined);
        order::sort(&mut body.revoked_tokens);
        order::sort(&mut body.revoked_subjects);
        order::sort(&mut body.revoked_keys);
        order::sort(&mut body.revoked_issuers);
        order::sort(&mut body.revoked_signers);
        order::sort(&mut body.revoked_api_keys);
        order::sort(&mut body.revoked_grants);
        order::sort(&mut body.withdrawn_consents);
        Self { body, by }
    }

    /// What it says, each list sorted.
    pub fn body(&self) -> &OverlayBody {
        &self.body
    }

    /// The status this overlay imposes on `tenant`, if any; O(log n), as all that follows.
    pub fn status(&self, tenant: &TenantId) -> Option<TenantStatus> {
        if self.body.quarantined.binary_search(tenant).is_ok() {
            Some(TenantStatus::Quarantined)
        } else if self.body.suspended.binary_search(tenant).is_ok() {
            Some(TenantStatus::Suspended)
        } else {
            None
        }
    }

    /// Whether the token `id` of `issuer` was revoked.
    pub fn revokes_token(&self, issuer: &str, id: &str) -> bool {
        holds(&self.body.revoked_tokens, (issuer, id), |t| (&t.issuer, &t.id))
    }

    /// Whether every token of `issuer` for `subject` was revoked.
    pub fn revokes_subject(&self, issuer: &str, subject: &str) -> bool {
        holds(&self.body.revoked_subjects, (issuer, subject), |s| (&s.issuer, &s.subject))
    }

    /// Whether the key `id` of `issuer` was revoked.
    pub fn revokes_key(&self, issuer: &str, id: &str) -> bool {
        holds(&self.body.revoked_keys, (issuer, id), |k| (&k.issuer, &k.id))
    }

    /// Whether every token of `issuer` was revoked.
    pub fn revokes_issuer(&self, issuer: &str) -> bool {
        self.body.revoked_issuers.binary_search_by(|i| i.as_str().cmp(issuer)).is_ok()
    }

    /// Whether the context signing key `id` was revoked.
    pub fn revokes_signer(&self, id: &str) -> bool {
        self.body.revoked_signers.binary_search_by(|s| s.as_str().cmp(id)).is_ok()
    }

    /// Whether the API key `id` was revoked.
    pub fn revokes_api_key(&self, id: &str) -> bool {
        self.body.revoked_api_keys.binary_search_by(|k| k.as_str().cmp(id)).is_ok()
    }

    /// What `tenant` no longer consents to, sorted.
    pub fn withdrawn_consents(&self, tenant: &TenantId) -> &[WithdrawnConsent] {
        let all = &self.body.withdrawn_consents;
        let from = all.partition_point(|one| one.tenant < *tenant);
        let behind = all.get(from..).unwrap_or_default();
        behind.get(..behind.partition_point(|one| one.tenant == *tenant)).unwrap_or_default()
    }

    /// Whether the grant `id` was revoked.
    pub fn revokes_grant(&self, id: &GrantId) -> bool {
        self.body.revoked_grants.binary_search(id).is_ok()
    }
}

fn holds<T>(sorted: &[T], sought: (&str, &str), names: impl for<'a> Fn(&'a T) -> (&'a str, &'a str)) -> bool {
    sorted.binary_search_by(|entry| names(entry).cmp(&sought)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_revoked_is_found_in_whatever_order_it_was_signed() {
        let names = ["https://c", "https://a", "https://b"].map(String::from);
        let body = OverlayBody {
            format: OverlayBody::FORMAT,
            mesh: MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap(),
            sequence: 1,
            issued: 0,
            expires: OverlayBody::LIFETIME,
            bundle: 1,
            suspended: ["initech", "acme"].map(|t| TenantId::parse(t).unwrap()).into(),
            quarantined: vec![],
            revoked_tokens: names.clone().map(|issuer| RevokedToken { issuer, id: "1".into() }).into(),
            revoked_subjects: names.clone().map(|issuer| RevokedSubject { issuer, subject: "1".into() }).into(),
            revoked_keys: names.clone().map(|issuer| RevokedKey { issuer, id: "1".into() }).into(),
            revoked_issuers: names.clone().into(),
            revoked_signers: names.clone().into(),
            revoked_api_keys: names.clone().into(),
            revoked_grants: [3, 1, 2].map(|n| GrantId::new([n; 16])).into(),
            withdrawn_consents: [("initech", "b"), ("acme", "b"), ("initech", "a"), ("globex", "c")]
                .map(|(tenant, consent)| WithdrawnConsent {
                    tenant: TenantId::parse(tenant).unwrap(),
                    consent: consent.into(),
                })
                .into(),
            withdrawn_candidates: 0,
        };
        let key = SigningKey::from_bytes(&[2; 32]);
        let trusted = TrustedKey::new("o", key.verifying_key().as_bytes()).unwrap();
        let overlay = Overlay::open(&body.sign("o", &key).unwrap(), &[trusted], &[]).unwrap();
        for (grant, revoked) in [(0, false), (1, true), (2, true), (3, true), (4, false)] {
            assert_eq!(overlay.revokes_grant(&GrantId::new([grant; 16])), revoked);
        }
        for name in &names {
            for (id, revoked) in [("1", true), ("0", false), ("2", false), ("", false)] {
                assert_eq!(overlay.revokes_token(name, id), revoked);
                assert_eq!(overlay.revokes_subject(name, id), revoked);
                assert_eq!(overlay.revokes_key(name, id), revoked);
            }
            assert!(overlay.revokes_issuer(name) && overlay.revokes_signer(name));
            assert!(overlay.revokes_api_key(name));
        }
        assert!(!overlay.revokes_issuer("https://d") && !overlay.revokes_token("https://d", "1"));
        for (tenant, withdrawn) in
            [("acme", "b"), ("acme-2", ""), ("globex", "c"), ("hooli", ""), ("initech", "ab"), ("zz", "")]
        {
            let found = overlay.withdrawn_consents(&TenantId::parse(tenant).unwrap());
            assert_eq!(found.iter().map(|one| one.consent.as_str()).collect::<String>(), withdrawn, "{tenant}");
        }
        for (tenant, status) in [("acme", Some(TenantStatus::Suspended)), ("globex", None)] {
            assert_eq!(overlay.status(&TenantId::parse(tenant).unwrap()), status);
        }
    }
}
