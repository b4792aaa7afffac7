//! The root context: a JWS, signed once where the tenant was established, verified on every hop.
//!
//! Header `{"alg":"EdDSA","kid":…,"typ":"partywall-root+jwt"}` (RFC 8037), claims as in [`Claims`].
//! `docs/context-token.md` is its specification.

mod sign;
mod verify;

pub use sign::RootSigner;
pub(crate) use verify::Proved;
pub use verify::RootMemo;

use partywall_tenancy::{NameSet, UnixSeconds};
use serde::{Deserialize, Serialize};

use crate::signed::Signs;

/// Seconds from issue to `exp`.
pub const ROOT_LIFETIME: UnixSeconds = 60;
/// The longest root context, in bytes: each open request keeps one in shared data.
pub const MAX_TOKEN: usize = 4096;

/// The claims of a root context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The mesh.
    pub(crate) iss: String,
    /// The principal.
    pub(crate) sub: String,
    /// The tenant.
    pub(crate) ten: String,
    /// The tenant's tier.
    pub(crate) tier: String,
    /// Roles.
    pub(crate) rol: Vec<String>,
    /// Scopes.
    pub(crate) scp: Vec<String>,
    /// The tenant's residency.
    pub(crate) reg: String,
    /// The networks that the client called from.
    #[serde(default, skip_serializing_if = "NameSet::is_empty")]
    pub(crate) net: NameSet,
    /// The workload that signed.
    pub(crate) org: String,
    /// The bundle revision it was decided under.
    pub(crate) rev: u64,
    /// Issue time.
    pub(crate) iat: UnixSeconds,
    /// Expiry: at most [`ROOT_LIFETIME`] after `iat`.
    pub(crate) exp: UnixSeconds,
    /// 128 random bits, base64url.
    pub(crate) jti: String,
}

impl Signs for Claims {
    const TYPE: &'static str = "partywall-root+jwt";
    const OTHERWISE: &'static str = "its header is not that of a root context";

    fn mesh(&self) -> &str {
        &self.iss
    }

    fn tenant(&self) -> &str {
        &self.ten
    }

    fn workload(&self) -> &str {
        &self.org
    }
}

/// Whether `text` can name a principal: 1 to 255 ASCII characters (OpenID Connect Core, section 2),
/// and printable, since it stands in a header on its way to the app.
pub(crate) fn is_principal(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}
