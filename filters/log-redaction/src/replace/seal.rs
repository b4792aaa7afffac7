//! Values that are encrypted, and opened again by whoever holds the key.

use std::fmt;
use std::ops::Deref;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use hmac::Mac;

use super::keys::{DataKey, KID, digest, is_kid};

/// What an encrypted value begins with.
pub(super) const HEAD: &[u8] = b"enc:v1:";
const NONCE: usize = 24;
/// Nonce and tag.
const OVER: usize = NONCE + 16;

/// Where the nonce comes from.
#[derive(Clone, Copy, Debug)]
pub enum Nonce {
    /// From the value, so that the same value under the same key gives the same text.
    ///
    /// Safe, since it is 192 bits of HMAC-SHA256 of the value, under a key that is used for nothing else: two values have
    /// one nonce as rarely as two of 2^96 random ones, and one value twice gives the same text, which tells that it is the
    /// same and nothing else. (That is the construction SIV of RFC 5297 and Rogaway and Shrimpton 2006, with the nonce
    /// carried beside the cipher's own tag.)
    Derived,
    /// These bytes, which must be random: then nobody sees which values are equal.
    Given([u8; NONCE]),
}

/// `enc:v1:<kid>:<base64url>` of the nonce and of what XChaCha20-Poly1305 makes of `value`. `None` if the cipher fails, which
/// it does for texts of 256 GiB.
pub fn encrypt(key: &DataKey, value: &[u8], nonce: Nonce) -> Option<Vec<u8>> {
    let nonce: [u8; NONCE] = match nonce {
        Nonce::Given(nonce) => nonce,
        Nonce::Derived => {
            let mut mac = key.nonces.clone();
            mac.update(value);
            *digest(mac).first_chunk()?
        }
    };
    let mut out = [HEAD, key.kid().as_bytes()].concat();
    let sealed = key.cipher.encrypt(&XNonce::from(nonce), Payload { msg: value, aad: &out }).ok()?;
    out.push(b':');
    out.extend_from_slice(BASE64.encode([&nonce[..], &sealed].concat()).as_bytes());
    Some(out)
}

/// Why a value cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevealError {
    /// It is not `enc:v1:<kid>:<base64url>`.
    Form,
    /// There is no key of its id: it was destroyed, or is held by others.
    Key,
    /// It was changed.
    Changed,
}

impl fmt::Display for RevealError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Form => "is no encrypted value; one is `enc:v1:<kid>:<base64url>`",
            Self::Key => "is encrypted under a key that is not here: destroyed, or held by others",
            Self::Changed => "was changed since it was encrypted",
        })
    }
}

impl std::error::Error for RevealError {}

/// Opens one value, which is all of `text`.
///
/// # Errors
///
/// If it is none, its key is not there, or it was changed.
pub fn reveal<K>(text: &[u8], key: impl Fn(&str) -> Option<K>) -> Result<Vec<u8>, RevealError>
where
    K: Deref<Target = DataKey>,
{
    let form = parts(text).filter(|form| form.end == text.len()).ok_or(RevealError::Form)?;
    open(text, &form, key)
}

/// Opens all values in a text, and leaves those as they are that do not open; with how many were opened.
pub fn reveal_all<K>(text: &[u8], key: impl Fn(&str) -> Option<K>) -> (Vec<u8>, usize)
where
    K: Deref<Target = DataKey>,
{
    let (mut out, mut opened, mut at) = (Vec::with_capacity(text.len()), 0, 0);
    for start in memchr::memmem::find_iter(text, HEAD) {
        let rest = text.get(start..).unwrap_or_default();
        if let Some(form) = parts(rest).filter(|_| start >= at)
            && let Ok(value) = open(rest, &form, &key)
        {
            out.extend_from_slice(text.get(at..start).unwrap_or_default());
            out.extend_from_slice(&value);
            (at, opened) = (start + form.end, opened + 1);
        }
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    (out, opened)
}

/// Where the parts of a value are that stands at the beginning of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    kid: usize,
    pub(super) end: usize,
}

pub(super) fn parts(text: &[u8]) -> Option<Form> {
    let rest = text.strip_prefix(HEAD)?;
    let kid = rest.iter().take(KID + 1).position(|byte| !is_kid(*byte)).filter(|kid| *kid > 0)?;
    let sealed = rest.get(kid..)?.strip_prefix(b":")?;
    let size = sealed.iter().position(|byte| !is_kid(*byte)).unwrap_or(sealed.len());
    let kid = HEAD.len() + kid;
    (size > OVER * 4 / 3).then_some(Form { kid, end: kid + 1 + size })
}

pub(super) fn open<K>(text: &[u8], form: &Form, key: impl Fn(&str) -> Option<K>) -> Result<Vec<u8>, RevealError>
where
    K: Deref<Target = DataKey>,
{
    let about = text.get(..form.kid).ok_or(RevealError::Form)?;
    let kid = about.get(HEAD.len()..).and_then(|kid| std::str::from_utf8(kid).ok()).ok_or(RevealError::Form)?;
    let key = key(kid).ok_or(RevealError::Key)?;
    let sealed = BASE64.decode(text.get(form.kid + 1..form.end).unwrap_or_default()).map_err(|_| RevealError::Form)?;
    let (nonce, msg) = sealed.split_first_chunk::<NONCE>().ok_or(RevealError::Form)?;
    key.cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad: about }).map_err(|_| RevealError::Changed)
}
