//! Fingerprints: how a tenant is named where its name must not stand.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Secrets, TenantId};

/// The mesh's fingerprint keys; the first is the current epoch, the rest let old logs be read.
///
/// A fingerprint is `t<epoch>_` and 16 hex digits of HMAC-SHA256 (RFC 2104) of the tenant id:
/// the same in logs, metrics and traces of the whole mesh, and meaningless without the key.
#[derive(Clone)]
pub struct FingerprintKeys {
    epoch: Box<str>,
    mac: Hmac<Sha256>,
}

impl FingerprintKeys {
    /// Takes the current key, the first of `secrets`; its id is the epoch.
    pub fn new(secrets: &Secrets) -> Self {
        let current = secrets.current();
        Self { epoch: current.id().into(), mac: keyed(current.bytes()) }
    }

    /// The fingerprint of `tenant`, as `t1_0f3a…` (16 hex digits).
    pub fn of(&self, tenant: &TenantId) -> String {
        let mut mac = self.mac.clone();
        mac.update(b"partywall tenant fingerprint\0");
        mac.update(tenant.as_str().as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut text = String::with_capacity(2 + self.epoch.len() + 16);
        // Writing to a String cannot fail.
        let _ = write!(text, "t{}_", self.epoch);
        for byte in digest.iter().take(8) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// HMAC-SHA256 under `key`. It accepts a key of any length (RFC 2104, section 3), so the empty
/// fallback is never taken.
pub fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_tenant_same_fingerprint_and_no_name_in_it() {
        let secrets = Secrets::parse("7:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let keys = FingerprintKeys::new(&secrets);
        let acme = TenantId::parse("acme").unwrap();
        let print = keys.of(&acme);
        assert_eq!(print, keys.of(&acme));
        assert!(print.starts_with("t7_") && print.len() == 19, "{print}");
        assert_ne!(print, keys.of(&TenantId::parse("globex").unwrap()));
    }
}
