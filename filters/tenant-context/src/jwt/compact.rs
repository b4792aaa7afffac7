//! The compact serialization of a JWS (RFC 7515, section 7.1).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// The longest token that is read, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;

/// A token taken apart; nothing in it is believed yet.
pub(crate) struct Compact<'a> {
    /// The decoded JOSE header: JSON.
    pub(crate) header: Vec<u8>,
    /// The decoded payload: JSON.
    pub(crate) payload: Vec<u8>,
    /// The decoded signature.
    pub(crate) signature: Vec<u8>,
    /// What was signed: header and payload as they stand in the token.
    pub(crate) signed: &'a [u8],
}

impl<'a> Compact<'a> {
    /// `None` when `token` is not three parts of base64url, or too long.
    pub(crate) fn read(token: &'a [u8]) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let last_dot = token.iter().rposition(|b| *b == b'.')?;
        let (signed, signature) = (token.get(..last_dot)?, token.get(last_dot + 1..)?);
        let first_dot = signed.iter().position(|b| *b == b'.')?;
        let (header, payload) = (signed.get(..first_dot)?, signed.get(first_dot + 1..)?);
        // The decoder refuses dots, so a fourth part fails here.
        Some(Self { header: decode(header)?, payload: decode(payload)?, signature: decode(signature)?, signed })
    }
}

fn decode(part: &[u8]) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}
