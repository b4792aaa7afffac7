//! Grants: leave for one operator to cross one tenant's wall, for a while.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a grant: 128 random bits, written as 32 of `0-9 a-f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId([u8; 16]);

impl GrantId {
    /// The id with these bits.
    pub fn new(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// Reads 32 of `0-9 a-f`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bits = [0; 16];
        if text.len() != 32 {
            return None;
        }
        for (bits, pair) in bits.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = str::from_utf8(pair).ok()?;
            let lower = pair.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            *bits = u8::from_str_radix(pair, 16).ok().filter(|_| lower)?;
        }
        Some(Self(bits))
    }
}

impl Serialize for GrantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for GrantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 16]>::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no id of a grant"))
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
