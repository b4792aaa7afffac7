//! JSON Web Tokens of configured issuers (RFC 7519, RFC 7515, RFC 8725).
//!
//! ```text
//! token ─ Compact ─ strict ─► issuer, by `iss` ─► Keys, by `kid` ─► SignatureVerifier ─► Verified
//!                                                  ▲
//!                     in the bundle (inline) ──────┤
//!                     KeySets (fetched) ───────────┘            Memo remembers what was verified
//! ```

mod claims;
mod compact;
mod ecdsa;
mod json;
pub mod jwk;
mod key_sets;
mod keys;
mod memo;
mod pure;
mod schedule;
mod sealed;
mod spki;
mod verified;
mod verify;

pub use compact::MAX_TOKEN;
pub use ecdsa::signature_to_der;
pub use key_sets::{Ask, KeySets};
pub use keys::Keys;
pub use memo::Memo;
pub use pure::PureRust;
pub use schedule::Schedule;
pub use sealed::SetSeal;
pub use spki::{MAX_RSA_BITS, MIN_RSA_BITS};
pub use verified::Verified;
pub use verify::{SignatureVerifier, bearer, verify};

pub(crate) use compact::Compact;
pub(crate) use json::strict;
