//! Tenant ids and mesh ids.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Words that would be mistaken for something else in a host name, a metric label or a log.
pub const RESERVED: &[&str] = &[
    "admin",
    "all",
    "any",
    "api",
    "default",
    "none",
    "null",
    "other",
    "partywall",
    "platform",
    "public",
    "root",
    "shared",
    "system",
    "unknown",
    "www",
];

/// The name of a tenant: 1 to 63 of `a-z 0-9 -`, beginning and ending with a letter or digit
/// (a DNS label, RFC 1123), and none of [`RESERVED`]. Safe in a host, a SPIFFE path, a topic, a metric.
///
/// ```
/// use partywall_tenancy::TenantId;
/// assert!(TenantId::parse("acme").is_ok());
/// assert!(TenantId::parse("Acme").is_err());
/// assert!(TenantId::parse("platform").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Checks `text` and makes it a tenant id.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Whether `text` is a tenant id. Allocates nothing.
    pub fn check(text: &str) -> Result<(), IdError> {
        if text.is_empty() || text.len() > 63 {
            return Err(IdError::Length(text.len()));
        }
        let good = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        // Bytes first: 100,000 good ids are looked at with each bundle.
        if !text.bytes().all(good)
            && let Some(c) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-'))
        {
            return Err(IdError::Character(c));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(IdError::Hyphen);
        }
        if RESERVED.binary_search(&text).is_ok() {
            return Err(IdError::Reserved);
        }
        Ok(())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.as_str().into()
    }
}

/// Why a text is no tenant id or mesh id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Empty or too long; carries the length found.
    Length(usize),
    /// A character outside the alphabet.
    Character(char),
    /// Begins or ends with `-`.
    Hyphen,
    /// One of [`RESERVED`].
    Reserved,
    /// Not a UUID in its lower-case form with hyphens (RFC 9562).
    NotUuid,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(n) => write!(f, "must have 1 to 63 characters, has {n}"),
            Self::Character(c) => write!(f, "may hold only `a-z`, `0-9` and `-`, not `{}`", c.escape_default()),
            Self::Hyphen => f.write_str("must begin and end with a letter or digit"),
            Self::Reserved => f.write_str("is a reserved word"),
            Self::NotUuid => f.write_str("must be a UUID in lower case, as `3f6c1e0a-…`"),
        }
    }
}

impl std::error::Error for IdError {}

/// The identity of one mesh: a UUID. A bundle, overlay or root context of another mesh is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeshId(Box<str>);

impl MeshId {
    /// Checks that `text` is a UUID in lower case with hyphens.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let shaped = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            });
        if shaped { Ok(Self(text.into())) } else { Err(IdError::NotUuid) }
    }

    /// The UUID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MeshId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MeshId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<MeshId> for String {
    fn from(id: MeshId) -> Self {
        id.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted_for_the_search() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn accepts_dns_labels_only() {
        let longest = "a".repeat(63);
        for good in ["a", "acme", "a-b", "0x", "xn--bcher-kva", &longest] {
            assert!(TenantId::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "a/b", "é", "a\0", " a", "other", &too_long] {
            assert!(TenantId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mesh_id_is_one_spelling_of_a_uuid() {
        assert!(MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").is_ok());
        for bad in ["", "3F6C1E0A-52c4-4f0e-9c56-0d3f1a7f2b11", "3f6c1e0a52c44f0e9c560d3f1a7f2b11"] {
            assert_eq!(MeshId::parse(bad), Err(IdError::NotUuid), "{bad}");
        }
    }
}
