//! SPIFFE IDs: the proven name of a workload (SPIFFE-ID specification, section 2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A checked SPIFFE ID, as `spiffe://mesh.example/ns/shop/sa/orders`.
///
/// Certificates come from a trusted authority, but their names are still bytes of a peer:
/// anything outside the specification's alphabet (NUL, `%`, `?`, `#`, dot segments, upper-case
/// trust domains) is refused, not repaired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId(Box<str>);

impl SpiffeId {
    /// Checks `text` and makes it a SPIFFE ID. At most 2048 bytes, as the specification asks.
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        if text.len() > 2048 {
            return Err(SpiffeError::TooLong);
        }
        let rest = text.strip_prefix("spiffe://").ok_or(SpiffeError::Scheme)?;
        let (domain, path) = rest.split_once('/').ok_or(SpiffeError::NoPath)?;
        let domain_ok = !domain.is_empty()
            && domain.len() <= 255
            && domain.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
        if !domain_ok {
            return Err(SpiffeError::TrustDomain);
        }
        let path_ok = path.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        });
        if !path_ok {
            return Err(SpiffeError::Path);
        }
        Ok(Self(text.into()))
    }

    /// The trust domain, as `mesh.example`.
    pub fn trust_domain(&self) -> &str {
        self.0.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next()).unwrap_or_default()
    }

    /// The whole ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = SpiffeError;

    fn try_from(text: String) -> Result<Self, SpiffeError> {
        Self::parse(&text)
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.0.into()
    }
}

/// Why a text is no SPIFFE ID of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpiffeError {
    /// Over 2048 bytes.
    TooLong,
    /// Does not begin with `spiffe://`.
    Scheme,
    /// Names a trust domain only.
    NoPath,
    /// The trust domain holds a character outside `a-z 0-9 . - _`.
    TrustDomain,
    /// A path segment is empty, a dot segment, or holds a character outside `a-z A-Z 0-9 . - _`.
    Path,
}

impl fmt::Display for SpiffeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "is longer than 2048 bytes",
            Self::Scheme => "must begin with `spiffe://`",
            Self::NoPath => "must name a workload after the trust domain, as `spiffe://mesh.example/ns/shop/sa/orders`",
            Self::TrustDomain => "has a trust domain outside `a-z 0-9 . - _`",
            Self::Path => "has an empty or dot segment, or a character outside `a-z A-Z 0-9 . - _`",
        })
    }
}

impl std::error::Error for SpiffeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_workloads() {
        let id = SpiffeId::parse("spiffe://mesh.example/ns/shop/sa/orders").unwrap();
        assert_eq!(id.trust_domain(), "mesh.example");
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        use SpiffeError::*;
        for (bad, why) in [
            ("https://mesh.example/a", Scheme),
            ("spiffe://mesh.example", NoPath),
            ("spiffe:///a", TrustDomain),
            ("spiffe://MESH.example/a", TrustDomain),
            ("spiffe://user@mesh.example/a", TrustDomain),
            ("spiffe://mesh.example:8443/a", TrustDomain),
            ("spiffe://mesh.example/", Path),
            ("spiffe://mesh.example/a/", Path),
            ("spiffe://mesh.example/a//b", Path),
            ("spiffe://mesh.example/a/../b", Path),
            ("spiffe://mesh.example/a%2fb", Path),
            ("spiffe://mesh.example/a\0b", Path),
            ("spiffe://mesh.example/a?b", Path),
        ] {
            assert_eq!(SpiffeId::parse(bad), Err(why), "{bad}");
        }
    }
}
