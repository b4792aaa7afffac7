//! Signatures of issuers: natively by the host where it can, in pure Rust where it cannot.
//!
//! Without the feature `host-signatures` the host is not asked: for tests that both ways agree.

#[cfg(feature = "host-signatures")]
mod native;

use partywall_tenancy::{IssuerKey, Secrets};
use partywall_tenant_context::jwt::{PureRust, SignatureVerifier};

pub(crate) struct HostVerifier<'a> {
    /// The symmetric keys of issuers, by key id.
    pub(crate) issuer_keys: Option<&'a Secrets>,
}

impl SignatureVerifier for HostVerifier<'_> {
    fn verify(&self, key: &IssuerKey, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(feature = "host-signatures")]
        if let Some(verified) = native::verify(key, message, signature) {
            return verified;
        }
        PureRust { issuer_keys: self.issuer_keys }.verify(key, message, signature)
    }
}
