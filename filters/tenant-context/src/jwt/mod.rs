//! JSON Web Tokens of configured issuers (RFC 7519, RFC 7515, RFC 8725).

mod claims;
mod compact;
mod ecdsa;
mod json;
mod pure;
mod verify;

pub use compact::MAX_TOKEN;
pub use ecdsa::signature_to_der;
pub use pure::PureRust;
pub use verify::{SignatureVerifier, Verified, bearer, verify};

pub(crate) use compact::Compact;
pub(crate) use json::strict;
