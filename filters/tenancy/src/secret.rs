//! Secrets as they are handed over: `id:key` pairs in one text, the current one first.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::order;

/// One key with its id. Its bytes are never printed.
#[derive(Clone)]
pub struct Secret {
    id: Box<str>,
    bytes: Box<[u8]>,
}

impl Secret {
    /// The key's id: its epoch, or the `kid` that stands in what it signs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}: {} bytes)", self.id, self.bytes.len())
    }
}

/// At least one key; the first is used to make, all are used to check, so keys can overlap in a rotation.
#[derive(Clone, Debug)]
pub struct Secrets {
    current: Secret,
    former: Vec<Secret>,
}

impl Secrets {
    /// Reads `id:key[,id:key…]`, keys in base64url without padding, each 32 to 64 bytes long.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut all = text.split(',').map(|part| parse_one(part.trim()));
        let current = all.next().ok_or(SecretError::Empty)??;
        let former = all.collect::<Result<Vec<_>, _>>()?;
        let mut ids: Vec<&str> = former.iter().map(|s| &*s.id).chain([&*current.id]).collect();
        order::sort(&mut ids);
        if ids.windows(2).any(|w| matches!(w, [a, b] if a == b)) {
            return Err(SecretError::RepeatedId);
        }
        Ok(Self { current, former })
    }

    /// The key that makes new things.
    pub fn current(&self) -> &Secret {
        &self.current
    }

    /// The key called `id`, current or former.
    pub fn find(&self, id: &str) -> Option<&Secret> {
        self.all().find(|s| s.id() == id)
    }

    /// All keys, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.former)
    }
}

fn parse_one(part: &str) -> Result<Secret, SecretError> {
    if part.is_empty() {
        return Err(SecretError::Empty);
    }
    let (id, key) = part.split_once(':').ok_or(SecretError::NoId)?;
    let id_ok = !id.is_empty()
        && id.len() <= 64
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !id_ok {
        return Err(SecretError::BadId);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(key).map_err(|_| SecretError::NotBase64)?;
    if !(32..=64).contains(&bytes.len()) {
        return Err(SecretError::Length(bytes.len()));
    }
    Ok(Secret { id: id.into(), bytes: bytes.into() })
}

/// Why a text holds no usable secrets. Never carries any part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// Nothing there, or nothing between two commas.
    Empty,
    /// No `:` between id and key.
    NoId,
    /// The id is empty, over 64 bytes, or holds something outside `a-z A-Z 0-9 . - _`.
    BadId,
    /// Two keys have the same id.
    RepeatedId,
    /// The key is not base64url without padding.
    NotBase64,
    /// The key is not 32 to 64 bytes long; carries the length found.
    Length(usize),
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty; write `id:key`, as `partywall keys new` prints it"),
            Self::NoId => f.write_str("has a key without an id; write `id:key`"),
            Self::BadId => f.write_str("has an id outside `a-z A-Z 0-9 . - _`, 1 to 64 characters"),
            Self::RepeatedId => f.write_str("names one key id twice"),
            Self::NotBase64 => f.write_str("has a key that is not base64url without padding"),
            Self::Length(n) => write!(f, "has a key of {n} bytes; 32 to 64 are needed"),
        }
    }
}

impl std::error::Error for SecretError {}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn the_first_is_current_and_all_are_found() {
        let secrets = Secrets::parse(&format!("2:{KEY}, 1:{KEY}")).unwrap();
        assert_eq!(secrets.current().id(), "2");
        assert!(secrets.find("1").is_some() && secrets.find("3").is_none());
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, why) in [
            ("", SecretError::Empty),
            (KEY, SecretError::NoId),
            (&*format!(":{KEY}"), SecretError::BadId),
            (&*format!("a b:{KEY}"), SecretError::BadId),
            ("1:%%", SecretError::NotBase64),
            ("1:AAAA", SecretError::Length(3)),
            (&*format!("1:{KEY},1:{KEY}"), SecretError::RepeatedId),
            (&*format!("1:{KEY},"), SecretError::Empty),
        ] {
            assert_eq!(Secrets::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn debug_does_not_print_the_key() {
        assert!(!format!("{:?}", Secrets::parse(&format!("1:{KEY}")).unwrap()).contains("AAAA"));
    }
}
