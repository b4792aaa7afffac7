//! JWK sets (RFC 7517) as issuers publish them.
//!
//! A set may hold keys for other purposes and of kinds that this build does not know: these are
//! passed over (section 5). What is taken is bound to one algorithm, as a key of a bundle is.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use partywall_tenancy::{IssuerKey, KeyAlgorithm};
use serde_json::Value;

use super::{spki, strict};

/// The largest set that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most keys of a set, usable or not.
pub const MAX_KEYS: usize = 64;
/// The longest `kid`, in bytes.
const MAX_KEY_ID: usize = 256;

/// Why a set was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwkError {
    /// Over [`MAX_BYTES`]; carries the size.
    TooLarge(usize),
    /// Not JSON, or a name stands twice in it.
    NotJson,
    /// No object with an array `keys`.
    NoKeys,
    /// Over [`MAX_KEYS`]; carries how many there are.
    TooMany(usize),
    /// A private or symmetric key is in it, for everybody to read.
    Private,
    /// Two usable keys have the same `kid`.
    RepeatedId,
    /// No key in it can be used.
    NoUsableKey,
}

impl fmt::Display for JwkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(n) => write!(f, "the key set has {n} bytes, more than {MAX_BYTES}"),
            Self::NotJson => f.write_str("the key set is no JSON, or repeats a name"),
            Self::NoKeys => f.write_str("the key set is no object with an array `keys`"),
            Self::TooMany(n) => write!(f, "the key set has {n} keys, more than {MAX_KEYS}"),
            Self::Private => f.write_str("the key set holds a private or symmetric key: count it as leaked"),
            Self::RepeatedId => f.write_str("the key set has two keys with one `kid`"),
            Self::NoUsableKey => {
                f.write_str("the key set holds no usable key: each needs `kid`, and an RSA key needs `alg`")
            }
        }
    }
}

impl std::error::Error for JwkError {}

/// The usable keys of a set, at least one.
pub fn read_set(json: &[u8]) -> Result<Vec<IssuerKey>, JwkError> {
    if json.len() > MAX_BYTES {
        return Err(JwkError::TooLarge(json.len()));
    }
    let set = strict(json).ok_or(JwkError::NotJson)?;
    let items = set.get("keys").and_then(Value::as_array).ok_or(JwkError::NoKeys)?;
    if items.len() > MAX_KEYS {
        return Err(JwkError::TooMany(items.len()));
    }
    if items.iter().any(is_private) {
        return Err(JwkError::Private);
    }
    let mut keys: Vec<IssuerKey> = Vec::new();
    for key in items.iter().filter_map(read_key) {
        if keys.iter().any(|other| other.id == key.id) {
            return Err(JwkError::RepeatedId);
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(JwkError::NoUsableKey) } else { Ok(keys) }
}

/// Members of private and symmetric keys (RFC 7518, sections 6.2.2, 6.3.2 and 6.4; RFC 8037, section 2).
fn is_private(jwk: &Value) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.get(name).is_some())
}

/// The key, if it is one that can be used.
fn read_key(jwk: &Value) -> Option<IssuerKey> {
    let id = text(jwk, "kid").filter(|id| (1..=MAX_KEY_ID).contains(&id.len()))?;
    if !is_for_verifying(jwk) {
        return None;
    }
    let algorithm = algorithm(jwk)?;
    let spki = match algorithm {
        KeyAlgorithm::Rs256 | KeyAlgorithm::Rs384 | KeyAlgorithm::Rs512 | KeyAlgorithm::Ps256 => rsa(jwk)?,
        KeyAlgorithm::Es256 => {
            let point = point(jwk, 32)?;
            p256::PublicKey::from_sec1_bytes(&point).ok()?;
            spki::p256(&point)
        }
        KeyAlgorithm::Es384 => {
            let point = point(jwk, 48)?;
            p384::PublicKey::from_sec1_bytes(&point).ok()?;
            spki::p384(&point)
        }
        KeyAlgorithm::EdDsa => ed25519(jwk)?,
        KeyAlgorithm::Hs256 => return None,
    };
    let key = IssuerKey { id: id.to_owned(), algorithm, spki };
    spki::fits(&key).then_some(key)
}

/// `use` and `key_ops`, where they are there (RFC 7517, sections 4.2 and 4.3).
fn is_for_verifying(jwk: &Value) -> bool {
    let usage = jwk.get("use").is_none_or(|usage| usage == "sig");
    let ops =
        jwk.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    usage && ops
}

/// The one algorithm of a key: `alg`, and where that is absent what the curve leaves no choice about.
/// An RSA key without `alg` would be good for several, and is none of ours (RFC 8725, section 3.1).
fn algorithm(jwk: &Value) -> Option<KeyAlgorithm> {
    use KeyAlgorithm::*;
    let named = match jwk.get("alg") {
        None => None,
        Some(alg) => Some(KeyAlgorithm::from_name(alg.as_str()?)?),
    };
    match (text(jwk, "kty")?, text(jwk, "crv"), named) {
        ("RSA", _, Some(alg @ (Rs256 | Rs384 | Rs512 | Ps256))) => Some(alg),
        ("EC", Some("P-256"), None | Some(Es256)) => Some(Es256),
        ("EC", Some("P-384"), None | Some(Es384)) => Some(Es384),
        ("OKP", Some("Ed25519"), None | Some(EdDsa)) => Some(EdDsa),
        _ => None,
    }
}

/// An RSA key; its exponent is 65537, as that of a bundle's keys.
fn rsa(jwk: &Value) -> Option<Vec<u8>> {
    let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let usable = exponent == [1, 0, 1] && modulus.last().is_some_and(|b| b % 2 == 1);
    usable.then(|| spki::rsa(&modulus, &exponent))
}

/// The point, uncompressed. Both coordinates stand at full length (RFC 7518, section 6.2.1.2).
fn point(jwk: &Value, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
}

fn ed25519(jwk: &Value) -> Option<Vec<u8>> {
    let key = bytes(jwk, "x")?;
    ed25519_dalek::VerifyingKey::from_bytes(key.as_slice().try_into().ok()?).ok().filter(|key| !key.is_weak())?;
    Some(spki::ed25519(&key))
}

fn text<'a>(jwk: &'a Value, name: &str) -> Option<&'a str> {
    jwk.get(name)?.as_str()
}

fn bytes(jwk: &Value, name: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok()
}
