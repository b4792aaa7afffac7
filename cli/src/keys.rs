//! The keys folder: `<id>.key` holds an Ed25519 seed, `<id>.pub` the public half, each as one
//! line `id:base64url`.

use std::io;
use std::path::{Path, PathBuf};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use partywall_tenancy::Secrets;
use partywall_tenancy::statement::TrustedKey;

use crate::files;

/// No key file is longer.
const MAX_SIZE: u64 = 4096;

/// A key that signs, with its id.
pub(crate) struct Signer {
    /// The id that stands beside its signatures.
    pub(crate) id: String,
    /// The key.
    pub(crate) key: SigningKey,
}

impl Signer {
    /// Its public half.
    pub(crate) fn trusted(&self) -> Option<TrustedKey> {
        TrustedKey::new(&self.id, self.key.verifying_key().as_bytes())
    }
}

/// One `id:base64url` line.
pub(crate) fn line(id: &str, bytes: &[u8]) -> String {
    format!("{id}:{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Where the private key called `id` lies in `folder`.
pub(crate) fn private_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.key"))
}

/// Where the public key called `id` lies in `folder`.
pub(crate) fn public_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.pub"))
}

/// Reads a `.key` file.
pub(crate) fn read_private(path: &Path) -> Result<Signer, KeyError> {
    let (id, seed) = read_line(path)?;
    Ok(Signer { id, key: SigningKey::from_bytes(&seed) })
}

/// Reads a `.pub` file.
pub(crate) fn read_public(path: &Path) -> Result<TrustedKey, KeyError> {
    let (id, bytes) = read_line(path)?;
    TrustedKey::new(&id, &bytes).ok_or_else(|| KeyError::new(path, "holds no usable Ed25519 public key"))
}

/// The public halves of the keys that claim to have signed something, as far as they lie in `folder`.
pub(crate) fn public_halves(ids: &[String], folder: &Path) -> Result<Vec<TrustedKey>, KeyError> {
    let mut found = Vec::new();
    for id in ids {
        // The id comes from the file that is looked into, and must not lead out of the folder.
        if id.starts_with('.') || !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
            continue;
        }
        match read_public(&public_path(folder, id)) {
            Ok(key) => found.push(key),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn read_line(path: &Path) -> Result<(String, [u8; 32]), KeyError> {
    let text = files::read_text(path, MAX_SIZE).map_err(|e| KeyError::io(path, &e))?;
    let secrets = Secrets::parse(text.trim()).map_err(|e| KeyError::new(path, e.to_string()))?;
    let one = secrets.current();
    if secrets.all().count() > 1 {
        return Err(KeyError::new(path, "holds more than one key; write one `id:key` line"));
    }
    let bytes = one
        .bytes()
        .try_into()
        .map_err(|_| KeyError::new(path, format!("holds {} bytes; an Ed25519 key has 32", one.bytes().len())))?;
    Ok((one.id().to_owned(), bytes))
}

/// Why a key file is of no use. Never carries any part of a key.
#[derive(Debug)]
pub(crate) struct KeyError {
    path: PathBuf,
    message: String,
    missing: bool,
}

impl KeyError {
    fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), missing: false }
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let message = if missing { "is not there".to_owned() } else { error.to_string() };
        Self { path: path.into(), message, missing }
    }

    /// Whether the file is simply not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing
    }
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key file `{}` {}", self.path.display(), self.message)
    }
}

impl std::error::Error for KeyError {}
