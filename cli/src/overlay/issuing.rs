//! Makes signed overlays whose sequence only grows.

use std::time::{SystemTime, UNIX_EPOCH};

use partywall_tenancy::{MeshId, OverlayBody};

use crate::keys::Signer;
use crate::overlay::Withdrawn;

/// Issues overlays for one mesh under one key.
pub(crate) struct Issuer {
    key: Signer,
}

impl Issuer {
    /// Issues under `key`.
    pub(crate) fn new(key: Signer) -> Self {
        Self { key }
    }

    /// The key it issues under.
    pub(crate) fn key(&self) -> &Signer {
        &self.key
    }

    /// Issues the next overlay at `now` (milliseconds), which names `bundle` as the lowest revision that is current.
    /// `None` where the key's id is unusable.
    pub(crate) fn issue(
        &self,
        (mesh, bundle): (&MeshId, u64),
        withdrawn: &Withdrawn,
        last: u64,
        now: u64,
    ) -> Option<(u64, Vec<u8>)> {
        let sequence = next_sequence(last, now);
        let issued = now / 1000;
        let body = OverlayBody {
            format: OverlayBody::FORMAT,
            mesh: mesh.clone(),
            sequence,
            issued,
            expires: issued + OverlayBody::LIFETIME,
            bundle,
            suspended: withdrawn.suspended.clone(),
            quarantined: withdrawn.quarantined.clone(),
            revoked_tokens: withdrawn.revoked_tokens.clone(),
            revoked_subjects: withdrawn.revoked_subjects.clone(),
            revoked_keys: withdrawn.revoked_keys.clone(),
            revoked_issuers: withdrawn.revoked_issuers.clone(),
            revoked_signers: withdrawn.revoked_signers.clone(),
            revoked_api_keys: withdrawn.revoked_api_keys.clone(),
            revoked_grants: withdrawn.revoked_grants.clone(),
            withdrawn_consents: withdrawn.withdrawn_consents.clone(),
            withdrawn_candidates: withdrawn.withdrawn_candidates,
        };
        Some((sequence, body.sign(&self.key.id, &self.key.key)?))
    }
}

/// INVARIANT: greater than `last`, whatever the clock says. Following the clock besides lets an
/// issuer that lost its memory go on above what it had issued.
pub(crate) fn next_sequence(last: u64, now_millis: u64) -> u64 {
    last.saturating_add(1).max(now_millis)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_grows_even_when_the_clock_goes_back() {
        assert_eq!(next_sequence(0, 1_000), 1_000);
        assert_eq!(next_sequence(1_000, 1_000), 1_001);
        assert_eq!(next_sequence(5_000, 1_000), 5_001);
    }
}
