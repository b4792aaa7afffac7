//! Fingerprints: how a tenant, a principal or a resource is named where its name must not stand.

mod memo;

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Secret, Secrets, TenantId};

pub use memo::Fingerprints;

/// One of the mesh's fingerprint keys.
///
/// A fingerprint is a letter for the kind of thing, the epoch of the key, `_` and 16 hex digits of HMAC-SHA256
/// (RFC 2104): the same in logs, metrics and traces of the whole mesh, and meaningless without the key.
#[derive(Clone)]
pub struct FingerprintKeys {
    epoch: Box<str>,
    /// Both pads of the key are in it already: a clone costs no block of SHA-256.
    mac: Hmac<Sha256>,
}

impl FingerprintKeys {
    /// Takes the current key, the first of `secrets`; its id is the epoch.
    pub fn new(secrets: &Secrets) -> Self {
        Self::with(secrets.current())
    }

    /// Takes this key, current or former; its id is the epoch.
    pub fn with(key: &Secret) -> Self {
        Self { epoch: key.id().into(), mac: keyed(key.bytes()) }
    }

    /// The fingerprint of `tenant`, as `t1_0f3a…` (16 hex digits).
    pub fn of(&self, tenant: &TenantId) -> String {
        self.of_owner(tenant.as_str())
    }

    /// The fingerprint of what a request names as an owner, tenant or not; of a tenant's id it is the tenant's.
    pub fn of_owner(&self, owner: &str) -> String {
        self.print(Kind::Tenant, owner.as_bytes(), b"")
    }

    /// The fingerprint of a principal, as `s1_…`: the same subject in two tenants is two principals.
    pub fn of_principal(&self, tenant: &TenantId, subject: &str) -> String {
        self.print(Kind::Principal, tenant.as_str().as_bytes(), subject.as_bytes())
    }

    /// The fingerprint of the resource of type `kind` whose id is these bytes, as `r1_…`.
    pub fn of_resource(&self, kind: &str, id: &[u8]) -> String {
        self.print(Kind::Resource, kind.as_bytes(), id)
    }

    /// Whether `what` belongs to a share of all (0 to 1): the same at every hop, and nobody without the key can choose
    /// it.
    pub fn in_share(&self, what: &[u8], share: f64) -> bool {
        let mut mac = self.mac.clone();
        mac.update(b"partywall share\0");
        mac.update(what);
        let digest = mac.finalize().into_bytes();
        let place = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        f64::from(place) < share * 4_294_967_296.0
    }

    fn print(&self, kind: Kind, first: &[u8], second: &[u8]) -> String {
        let mut mac = self.mac.clone();
        mac.update(kind.label());
        mac.update(first);
        if !matches!(kind, Kind::Tenant) {
            // Neither a tenant's id nor a type's name holds one, so that two pairs never read alike.
            mac.update(b"/");
            mac.update(second);
        }
        let digest = mac.finalize().into_bytes();
        let mut text = String::with_capacity(2 + self.epoch.len() + 16);
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{}_", kind.letter(), self.epoch);
        for byte in digest.iter().take(8) {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(half.into(), 16).unwrap_or_default());
            }
        }
        text
    }
}

/// What a fingerprint is of.
#[derive(Clone, Copy)]
enum Kind {
    Tenant,
    Principal,
    Resource,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Tenant => 't',
            Self::Principal => 's',
            Self::Resource => 'r',
        }
    }

    /// Keeps the kinds apart under one key. Short, so that most names fit into one block with it.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Tenant => b"partywall tenant fingerprint\0",
            Self::Principal => b"pw principal\0",
            Self::Resource => b"pw resource\0",
        }
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

    fn keys() -> FingerprintKeys {
        FingerprintKeys::new(&Secrets::parse("7:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap())
    }

    #[test]
    fn same_tenant_same_fingerprint_and_no_name_in_it() {
        let keys = keys();
        let acme = TenantId::parse("acme").unwrap();
        let print = keys.of(&acme);
        assert_eq!(print, keys.of(&acme));
        assert!(print.starts_with("t7_") && print.len() == 19, "{print}");
        assert_ne!(print, keys.of(&TenantId::parse("globex").unwrap()));
        // `printf 'partywall tenant fingerprint\0acme' | openssl dgst -sha256 -mac hmac -macopt hexkey:<64 zeros>`
        assert_eq!(print, "t7_af4c6e04cb011e95");
    }

    #[test]
    fn every_kind_of_thing_has_fingerprints_of_its_own() {
        let (keys, acme, acm) = (keys(), TenantId::parse("acme").unwrap(), TenantId::parse("acm").unwrap());
        let prints = [
            keys.of(&acme),
            keys.of_owner("acme/"),
            keys.of_principal(&acme, ""),
            keys.of_principal(&acme, "ann"),
            keys.of_principal(&acm, "e/ann"),
            keys.of_principal(&acm, "eann"),
            keys.of_resource("acme", b"ann"),
            keys.of_resource("Order", b"ann"),
            keys.of_resource("Order", b"\xff"),
        ];
        for (at, print) in prints.iter().enumerate() {
            assert_eq!(prints.iter().position(|p| p[3..] == print[3..]), Some(at), "{print}");
        }
        assert_eq!(keys.of_owner("acme"), keys.of(&acme));
        assert!(prints[3].starts_with("s7_") && prints[7].starts_with("r7_"), "{prints:?}");
    }
}
