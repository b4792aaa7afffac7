//! Keys, of tenants and of what has no tenant.

mod few;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use partywall_tenancy::{Secrets, TenantId, keyed};
use sha2::Sha256;

use crate::slice::Slice;
use crate::tenants::Tenant;
use store::Store;
pub use store::Unopened;

/// All keys of a redactor.
#[derive(Default)]
pub struct Keys {
    shared: Option<Hmac<Sha256>>,
    tenants: BTreeMap<Tenant, Rc<TenantKeys>>,
    /// Who has the data key of that id.
    kids: BTreeMap<Box<str>, Tenant>,
    sealed: Option<Store>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sealed = self.sealed.as_ref().map_or(0, Store::len);
        write!(out, "Keys(of {} tenants, and sealed ones of {sealed})", self.tenants.len())
    }
}

impl Keys {
    /// With a key of the mesh, 32 random bytes, for the fingerprints in masks of records whose tenant is not known. Without
    /// one, such masks have none.
    pub fn new(shared: Option<&[u8; 32]>) -> Self {
        Self { shared: shared.map(|key| under(key, PRINT)), ..Self::default() }
    }

    /// With the sealed keys of a bundle, each of which is opened when it is first needed. About a thousand stay open: where
    /// there are more, a key costs being opened again, and nothing else. `ids` says the id of a tenant of the directory.
    ///
    /// A key that does not open, since its master key is not here or it was damaged, counts as missing: what it was for is
    /// masked, without a fingerprint. [`take_unopened`](Self::take_unopened) tells of it.
    ///
    /// # Errors
    ///
    /// If a master key has other than 32 bytes.
    pub fn sealed(
        shared: Option<&[u8; 32]>,
        slice: Rc<Slice>,
        masters: &Secrets,
        ids: impl Fn(Tenant) -> Option<TenantId> + 'static,
    ) -> Result<Self, KeyError> {
        Ok(Self { sealed: Some(Store::new(slice, masters, Box::new(ids))?), ..Self::new(shared) })
    }

    /// Adds the keys of a tenant.
    pub fn add(&mut self, tenant: Tenant, keys: TenantKeys) {
        self.kids.extend(keys.data.iter().chain(&keys.former).map(|key| (key.kid.clone(), tenant)));
        self.tenants.insert(tenant, Rc::new(keys));
    }

    pub(crate) fn of(&self, tenant: Tenant) -> Option<Rc<TenantKeys>> {
        match self.tenants.get(&tenant) {
            Some(keys) => Some(keys.clone()),
            None => self.sealed.as_ref()?.of(tenant),
        }
    }

    /// For the fingerprint in a mask: the tenant's own, so that nobody links two tenants' values. Of a tenant that has no
    /// keys, and where the tenant is not known, the mesh's.
    pub(super) fn print(&self, tenant: Option<Tenant>) -> Option<Hmac<Sha256>> {
        let Some(tenant) = tenant else { return self.shared.clone() };
        match self.of(tenant) {
            Some(keys) => Some(keys.print.clone()),
            None if self.sealed.as_ref().is_some_and(|sealed| sealed.has(tenant)) => None,
            None => self.shared.clone(),
        }
    }

    /// The data key of that id.
    pub fn data(&self, kid: &str) -> Option<Rc<DataKey>> {
        let Some(tenant) = self.kids.get(kid) else { return self.sealed.as_ref()?.data(kid) };
        let keys = self.tenants.get(tenant)?;
        keys.data.iter().chain(&keys.former).find(|key| &*key.kid == kid).cloned()
    }

    /// Which sealed keys did not open since it was asked last.
    pub fn take_unopened(&self) -> Option<Unopened> {
        self.sealed.as_ref()?.take_unopened()
    }
}

/// The keys of a tenant. Whoever destroys them shreds its pseudonyms, and what is encrypted under them.
#[derive(Clone)]
pub struct TenantKeys {
    pub(super) epoch: Box<str>,
    pub(super) pseudonym: Hmac<Sha256>,
    print: Hmac<Sha256>,
    pub(super) data: Option<Rc<DataKey>>,
    former: Vec<Rc<DataKey>>,
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
        Ok(Self::with(&PseudonymKey::new(epoch, secret)?))
    }

    /// With this key for pseudonyms.
    pub fn with(key: &PseudonymKey) -> Self {
        Self {
            epoch: key.epoch.clone(),
            pseudonym: under(&key.bytes, PSEUDONYM),
            print: under(&key.bytes, PRINT),
            data: None,
            former: Vec::new(),
        }
    }

    /// With this data key to encrypt under, and former ones which can still be opened.
    #[must_use]
    pub fn with_data(self, data: DataKey, former: Vec<DataKey>) -> Self {
        Self { data: Some(Rc::new(data)), former: former.into_iter().map(Rc::new).collect(), ..self }
    }
}

/// A tenant's random key for pseudonyms, with its epoch, which stands in them.
#[derive(Clone)]
pub struct PseudonymKey {
    epoch: Box<str>,
    bytes: [u8; 32],
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PseudonymKey(epoch {})", self.epoch)
    }
}

impl PseudonymKey {
    /// Of 32 random bytes; its epoch is 1 to 8 of `a-z 0-9`.
    ///
    /// # Errors
    ///
    /// If the epoch cannot be.
    pub fn new(epoch: &str, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if epoch.is_empty() || epoch.len() > 8 || !epoch.bytes().all(plain) {
            return Err(KeyError::Epoch);
        }
        Ok(Self { epoch: epoch.into(), bytes: *bytes })
    }

    /// Its epoch.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Wraps it under a master key for `tenant`, as [`DataKey::wrap`] does: it opens for the same tenant and epoch alone,
    /// and never as a data key. The nonce must be random.
    ///
    /// # Errors
    ///
    /// If the cipher fails, which it does for texts of 256 GiB.
    pub fn wrap(&self, master: &[u8; 32], tenant: &str, nonce: [u8; 24]) -> Result<Vec<u8>, KeyError> {
        seal(&self.bytes, wrapping(master, WRAPPING_PSEUDONYM), &about(&self.epoch, tenant), nonce)
    }

    /// Opens what [`wrap`](Self::wrap) gave.
    ///
    /// # Errors
    ///
    /// If it is another master key's, another tenant's, of another epoch, or damaged.
    pub fn unwrap(wrapped: &[u8], master: &[u8; 32], tenant: &str, epoch: &str) -> Result<Self, KeyError> {
        Self::new(epoch, &unseal(wrapped, wrapping(master, WRAPPING_PSEUDONYM), &about(epoch, tenant))?)
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
        seal(&self.bytes, wrapping(master, WRAPPING), &about(&self.kid, tenant), nonce)
    }

    /// Opens what [`wrap`](Self::wrap) gave.
    ///
    /// # Errors
    ///
    /// If it is another master key's, another tenant's, called otherwise, or damaged.
    pub fn unwrap(wrapped: &[u8], master: &[u8; 32], tenant: &str, kid: &str) -> Result<Self, KeyError> {
        Self::new(kid, &unseal(wrapped, wrapping(master, WRAPPING), &about(kid, tenant))?)
    }
}

fn seal(bytes: &[u8; 32], cipher: XChaCha20Poly1305, about: &[u8], nonce: [u8; 24]) -> Result<Vec<u8>, KeyError> {
    let payload = Payload { msg: bytes, aad: about };
    let wrapped = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyError::Unwrap)?;
    Ok([&nonce[..], &wrapped].concat())
}

fn unseal(wrapped: &[u8], cipher: XChaCha20Poly1305, about: &[u8]) -> Result<[u8; 32], KeyError> {
    let (nonce, msg) = wrapped.split_first_chunk::<24>().ok_or(KeyError::Unwrap)?;
    let payload = Payload { msg, aad: about };
    let bytes = cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| KeyError::Unwrap)?;
    bytes.try_into().map_err(|_| KeyError::Unwrap)
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
    /// The master key that it is wrapped by is not here.
    Master,
    /// A master key is too short or too long.
    Length,
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Epoch => "the epoch of a pseudonym key is 1 to 8 of `a-z 0-9`",
            Self::Kid => "the id of a data key is 1 to 32 of `A-Z a-z 0-9 - _`",
            Self::Unwrap => "a key does not open: wrapped by another master key, for another tenant or id, or damaged",
            Self::Master => "the master key that it is wrapped by is not here",
            Self::Length => "a master key has 32 bytes",
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
const WRAPPING_PSEUDONYM: &[u8] = b"partywall redaction wrapping pseudonym\0";

fn under(key: &[u8], label: &[u8]) -> Hmac<Sha256> {
    let mut mac = keyed(key);
    mac.update(label);
    keyed(&digest(mac))
}

pub(super) fn digest(mac: Hmac<Sha256>) -> [u8; 32] {
    mac.finalize().into_bytes().into()
}

fn wrapping(master: &[u8; 32], label: &[u8]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&digest(under(master, label)).into())
}

fn about(name: &str, tenant: &str) -> Vec<u8> {
    [name.as_bytes(), b"\0", tenant.as_bytes()].concat()
}
