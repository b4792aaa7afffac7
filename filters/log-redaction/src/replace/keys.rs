//! Keys, of tenants and of what has no tenant.

use std::collections::BTreeMap;
use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use partywall_tenancy::keyed;
use sha2::Sha256;

use crate::tenants::Tenant;

/// All keys of a redactor.
#[derive(Clone, Default)]
pub struct Keys {
    shared: Option<Hmac<Sha256>>,
    tenants: BTreeMap<Tenant, TenantKeys>,
    /// Who has the data key of that id.
    kids: BTreeMap<Box<str>, Tenant>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Keys(of {} tenants)", self.tenants.len())
    }
}

impl Keys {
    /// With a key of the mesh, 32 random bytes, for the fingerprints in masks of records whose tenant is not known. Without
    /// one, such masks have none.
    pub fn new(shared: Option<&[u8; 32]>) -> Self {
        Self { shared: shared.map(|key| under(key, PRINT)), ..Self::default() }
    }

    /// Adds the keys of a tenant.
    pub fn add(&mut self, tenant: Tenant, keys: TenantKeys) {
        self.kids.extend(keys.data.iter().chain(&keys.former).map(|key| (key.kid.clone(), tenant)));
        self.tenants.insert(tenant, keys);
    }

    pub(crate) fn of(&self, tenant: Tenant) -> Option<&TenantKeys> {
        self.tenants.get(&tenant)
    }

    /// For the fingerprint in a mask: the tenant's own, so that nobody links two tenants' values.
    pub(super) fn print(&self, tenant: Option<Tenant>) -> Option<&Hmac<Sha256>> {
        match tenant {
            Some(tenant) => self.of(tenant).map(|keys| &keys.print),
            None => self.shared.as_ref(),
        }
    }

    /// The data key of that id.
    pub fn data(&self, kid: &str) -> Option<&DataKey> {
        let keys = self.of(*self.kids.get(kid)?)?;
        keys.data.iter().chain(&keys.former).find(|key| &*key.kid == kid)
    }
}

/// The keys of a tenant. Whoever destroys them shreds its pseudonyms, and what is encrypted under them.
#[derive(Clone)]
pub struct TenantKeys {
    pub(super) epoch: Box<str>,
    pub(super) pseudonym: Hmac<Sha256>,
    print: Hmac<Sha256>,
    pub(super) data: Option<DataKey>,
    former: Vec<DataKey>,
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TenantKeys(epoch {})", self.epoch)
    }
}

impl TenantKeys {
    /// With a random key for pseudonyms; its epoch stands in them, 1 to 8 of `a-z 0-9`.
    ///
    /// # Errors
    ///
    /// If the epoch cannot be.
    pub fn new(epoch: &str, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if epoch.is_empty() || epoch.len() > 8 || !epoch.bytes().all(plain) {
            return Err(KeyError::Epoch);
        }
        Ok(Self {
            epoch: epoch.into(),
            pseudonym: under(secret, PSEUDONYM),
            print: under(secret, PRINT),
            data: None,
            former: Vec::new(),
        })
    }

    /// With this data key to encrypt under, and former ones which can still be opened.
    #[must_use]
    pub fn with_data(self, data: DataKey, former: Vec<DataKey>) -> Self {
        Self { data: Some(data), former, ..self }
    }
}

/// A tenant's key for encrypted values, with its id, which stands in them: let it be random, and not the tenant's name.
#[derive(Clone)]
pub struct DataKey {
    pub(super) kid: Box<str>,
    bytes: [u8; 32],
    pub(super) nonces: Hmac<Sha256>,
    pub(super) cipher: XChaCha20Poly1305,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "DataKey({})", self.kid)
    }
}

impl DataKey {
    /// Of 32 random bytes; its id is 1 to 32 of `A-Z a-z 0-9 - _`.
    ///
    /// # Errors
    ///
    /// If the id cannot be.
    pub fn new(kid: &str, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        if kid.is_empty() || kid.len() > KID || !kid.bytes().all(is_kid) {
            return Err(KeyError::Kid);
        }
        let cipher = XChaCha20Poly1305::new(&digest(under(bytes, CIPHER)).into());
        Ok(Self { kid: kid.into(), bytes: *bytes, nonces: under(bytes, NONCES), cipher })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Wraps it under a master key for `tenant`: XChaCha20-Poly1305, the nonce in front. It opens for the same tenant and id
    /// alone. The nonce must be random.
    ///
    /// # Errors
    ///
    /// If the cipher fails, which it does for texts of 256 GiB.
    pub fn wrap(&self, master: &[u8; 32], tenant: &str, nonce: [u8; 24]) -> Result<Vec<u8>, KeyError> {
        let about = about(&self.kid, tenant);
        let payload = Payload { msg: &self.bytes, aad: &about };
        let wrapped = wrapping(master).encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyError::Unwrap)?;
        Ok([&nonce[..], &wrapped].concat())
    }

    /// Opens what [`wrap`](Self::wrap) gave.
    ///
    /// # Errors
    ///
    /// If it is another master key's, another tenant's, called otherwise, or damaged.
    pub fn unwrap(wrapped: &[u8], master: &[u8; 32], tenant: &str, kid: &str) -> Result<Self, KeyError> {
        let (nonce, msg) = wrapped.split_first_chunk::<24>().ok_or(KeyError::Unwrap)?;
        let payload = Payload { msg, aad: &about(kid, tenant) };
        let bytes = wrapping(master).decrypt(&XNonce::from(*nonce), payload).map_err(|_| KeyError::Unwrap)?;
        Self::new(kid, &bytes.try_into().map_err(|_| KeyError::Unwrap)?)
    }
}

/// Why a key cannot be used. Never carries any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The epoch cannot be.
    Epoch,
    /// The id cannot be.
    Kid,
    /// The wrapped key does not open.
    Unwrap,
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Epoch => "the epoch of a pseudonym key is 1 to 8 of `a-z 0-9`",
            Self::Kid => "the id of a data key is 1 to 32 of `A-Z a-z 0-9 - _`",
            Self::Unwrap => {
                "a data key does not open: wrapped by another master key, for another tenant or id, or damaged"
            }
        })
    }
}

impl std::error::Error for KeyError {}

/// The longest id of a data key.
pub(super) const KID: usize = 32;

pub(super) fn is_kid(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

// What a key is used for; each use has a key of its own.
const PRINT: &[u8] = b"partywall redaction print\0";
const PSEUDONYM: &[u8] = b"partywall redaction pseudonym\0";
const CIPHER: &[u8] = b"partywall redaction cipher\0";
const NONCES: &[u8] = b"partywall redaction nonces\0";
const WRAPPING: &[u8] = b"partywall redaction wrapping\0";

fn under(key: &[u8], label: &[u8]) -> Hmac<Sha256> {
    let mut mac = keyed(key);
    mac.update(label);
    keyed(&digest(mac))
}

pub(super) fn digest(mac: Hmac<Sha256>) -> [u8; 32] {
    mac.finalize().into_bytes().into()
}

fn wrapping(master: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&digest(under(master, WRAPPING)).into())
}

fn about(kid: &str, tenant: &str) -> Vec<u8> {
    [kid.as_bytes(), b"\0", tenant.as_bytes()].concat()
}
