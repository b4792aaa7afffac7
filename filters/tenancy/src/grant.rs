//! Grants: leave for one operator to cross one tenant's wall, for a while.

use std::fmt;

use ed25519_dalek::SigningKey;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::statement::{self, Kind, Statement, TrustedKey};
use crate::{GrantCeilings, MeshId, Refusal, TenantId, UnixSeconds};

/// What a grant says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantBody {
    /// Format of this body: [`GrantBody::FORMAT`].
    pub format: u16,
    /// The mesh it is for.
    pub mesh: MeshId,
    /// Its id, by which it is revoked and logged.
    pub id: GrantId,
    /// The tenant of the operator who may cross.
    pub operator: TenantId,
    /// The operator: the principal of its context.
    pub subject: String,
    /// The tenant whose wall it may cross.
    pub tenant: TenantId,
    /// What it may do there, as `invoices:read`; sorted.
    pub actions: Vec<String>,
    /// Why, in plain words: for those who approve and for audits.
    pub reason: String,
    /// When it begins.
    pub not_before: UnixSeconds,
    /// When it ends.
    pub expires: UnixSeconds,
}

impl GrantBody {
    /// The format this build writes and reads.
    pub const FORMAT: u16 = 1;
    /// How many keys must sign one.
    pub const APPROVALS: u8 = 2;
    /// The longest subject or reason, in bytes.
    pub const LONGEST_TEXT: usize = 1024;

    /// Signs the grant with every key of `signers` (key id, key).
    /// `None` when it cannot be written or there is no usable signer.
    pub fn sign(&self, signers: &[(&str, &SigningKey)]) -> Option<Vec<u8>> {
        statement::sign(Kind::Grant, &postcard::to_allocvec(self).ok()?, signers)
    }

    /// Reads a body. What comes out proves nothing.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let (format, _) = postcard::take_from_bytes::<u16>(bytes).map_err(|_| Refusal::Garbage("no format"))?;
        if format != Self::FORMAT {
            return Err(Refusal::Format(format));
        }
        let body: Self = postcard::from_bytes(bytes).map_err(|_| Refusal::Garbage("unreadable body"))?;
        if body.subject.len() > Self::LONGEST_TEXT || body.reason.len() > Self::LONGEST_TEXT {
            return Err(Refusal::Inconsistent("its subject or reason is longer than 1024 bytes".into()));
        }
        Ok(body)
    }

    /// Whether it stays within what the bundle allows.
    pub fn within(&self, ceilings: Option<&GrantCeilings>) -> Result<(), Refusal> {
        let beyond = |what: String| Err(Refusal::Ceiling(what));
        let Some(ceilings) = ceilings else { return beyond("no grants at all".into()) };
        if self.operator == self.tenant {
            return Err(Refusal::Inconsistent("nobody needs a grant for their own tenant".into()));
        }
        if self.expires <= self.not_before {
            return Err(Refusal::Inconsistent("it ends before it begins".into()));
        }
        if self.expires - self.not_before > ceilings.longest.into() {
            return beyond(format!("grants of {} s at most", ceilings.longest));
        }
        if self.actions.is_empty() {
            return Err(Refusal::Inconsistent("it grants no action".into()));
        }
        if let Some(action) = self.actions.iter().find(|action| !ceilings.actions.contains(action)) {
            return beyond(format!("no grant of `{action}`"));
        }
        if !ceilings.tenants.contains(&self.tenant) {
            return beyond(format!("no grant for `{}`", self.tenant));
        }
        Ok(())
    }
}

/// A verified grant, within the ceilings of the bundle in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    body: GrantBody,
}

impl Grant {
    /// Verifies `bytes`: two distinct keys of `keys` must have signed them.
    pub fn open(
        bytes: &[u8],
        keys: &[TrustedKey],
        other_roles: &[TrustedKey],
        ceilings: Option<&GrantCeilings>,
    ) -> Result<Self, Refusal> {
        let verified = Statement::read(bytes)?.verify(Kind::Grant, keys, other_roles)?;
        verified.by.at_least(GrantBody::APPROVALS)?;
        let body = GrantBody::read(verified.body)?;
        body.within(ceilings)?;
        Ok(Self { body })
    }

    /// What it says.
    pub fn body(&self) -> &GrantBody {
        &self.body
    }
}

/// The largest file of grants, in bytes.
pub const MAX_GRANTS: usize = 256 * 1024;

/// The statements in a file of grants: each behind its length in 4 bytes, little endian.
pub fn split_grants(file: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    const CUT: Refusal = Refusal::Garbage("cut short");
    if file.len() > MAX_GRANTS {
        return Err(Refusal::TooLarge(file.len()));
    }
    let (mut rest, mut found) = (file, Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(CUT)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| CUT)?;
        let (statement, after) = after.split_at_checked(length).ok_or(CUT)?;
        found.push(statement);
        rest = after;
    }
    Ok(found)
}

/// Puts statements into one file, as [`split_grants`] reads it. `None` where they do not fit.
pub fn join_grants<'a>(statements: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    for statement in statements {
        file.extend_from_slice(&u32::try_from(statement.len()).ok()?.to_le_bytes());
        file.extend_from_slice(statement);
    }
    (file.len() <= MAX_GRANTS).then_some(file)
}

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
