//! The signed envelope around bundles and overlays.
//!
//! ```text
//! magic    4  "PWS1"
//! kind     1  1 bundle, 2 overlay
//! count    1  signatures, 1 to 16
//! count x { id length 1, key id 1..=64, Ed25519 signature 64 }      RFC 8032
//! body     the rest
//! ```
//!
//! What is signed is `"partywall statement\0" kind body`, so a signature given for one kind is
//! worth nothing for another. Reading allocates nothing: [`Statement`] borrows from the bytes.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::Refusal;

/// The largest statement that is read, in bytes.
pub const MAX_SIZE: usize = 24 * 1024 * 1024;
/// The most signatures that one statement may carry.
pub const MAX_SIGNATURES: usize = 16;

const MAGIC: &[u8; 4] = b"PWS1";
const DOMAIN: &[u8] = b"partywall statement\0";

/// What a statement states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A compiled tenancy directory.
    Bundle = 1,
    /// What must be live at once, and can only take away.
    Overlay = 2,
}

/// A public key that may sign statements of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// The id that stands beside the signature.
    pub id: Box<str>,
    /// Ed25519 public key.
    pub key: VerifyingKey,
}

impl TrustedKey {
    /// Reads a key from its 32 bytes. Weak (small-order) keys are refused.
    pub fn new(id: &str, bytes: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        (!key.is_weak() && !id.is_empty() && id.len() <= 64).then(|| Self { id: id.into(), key })
    }
}

/// A statement as read, its signatures not yet checked: the body is reached through [`Statement::verify`] alone.
pub struct Statement<'a> {
    kind: Kind,
    signatures: &'a [u8],
    count: u8,
    body: &'a [u8],
}

impl<'a> Statement<'a> {
    /// Takes the envelope apart. Bounded by [`MAX_SIZE`] and [`MAX_SIGNATURES`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_SIZE {
            return Err(Refusal::TooLarge(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refusal::Garbage("no magic number"))?;
        let (&[kind, count], rest) = rest.split_first_chunk().ok_or(Refusal::Garbage("cut short"))?;
        let kind = match kind {
            1 => Kind::Bundle,
            2 => Kind::Overlay,
            _ => return Err(Refusal::WrongKind),
        };
        if count == 0 || usize::from(count) > MAX_SIGNATURES {
            return Err(Refusal::Garbage("no signature, or too many"));
        }
        let mut cursor = rest;
        for _ in 0..count {
            cursor = split_signature(cursor)?.2;
        }
        let signatures = rest.get(..rest.len() - cursor.len()).unwrap_or_default();
        Ok(Self { kind, signatures, count, body: cursor })
    }

    /// The body and the id of the key, if one of `trusted` signed it as a statement of `kind`.
    ///
    /// `other_roles` are keys that are trusted for something else; they only make the refusal say so.
    pub fn verify(
        &self,
        kind: Kind,
        trusted: &[TrustedKey],
        other_roles: &[TrustedKey],
    ) -> Result<(&'a [u8], &'a [u8]), Refusal> {
        if self.kind != kind {
            return Err(Refusal::WrongKind);
        }
        let message = message(kind, self.body);
        let mut wrong_role = None;
        let mut cursor = self.signatures;
        for _ in 0..self.count {
            let (id, signature, rest) = split_signature(cursor)?;
            cursor = rest;
            let signed_by = |keys: &[TrustedKey]| {
                keys.iter().any(|k| k.id.as_bytes() == id && k.key.verify_strict(&message, &signature).is_ok())
            };
            if signed_by(trusted) {
                return Ok((self.body, id));
            }
            if signed_by(other_roles) {
                wrong_role = Some(String::from_utf8_lossy(id).into_owned());
            }
        }
        Err(wrong_role.map_or(Refusal::BadSignature, Refusal::WrongRole))
    }
}

/// Signs `body` as a statement of `kind` with every key of `signers` (key id, key).
///
/// `None` when there is no signer, more than [`MAX_SIGNATURES`], or an id outside 1 to 64 bytes.
pub fn sign(kind: Kind, body: &[u8], signers: &[(&str, &SigningKey)]) -> Option<Vec<u8>> {
    let count = u8::try_from(signers.len()).ok()?;
    if count == 0 || signers.len() > MAX_SIGNATURES {
        return None;
    }
    let message = message(kind, body);
    let mut out = Vec::with_capacity(6 + signers.len() * 129 + body.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[kind as u8, count]);
    for (id, key) in signers {
        let length = u8::try_from(id.len()).ok().filter(|n| (1..=64).contains(n))?;
        out.push(length);
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&key.sign(&message).to_bytes());
    }
    out.extend_from_slice(body);
    Some(out)
}

fn message(kind: Kind, body: &[u8]) -> Vec<u8> {
    [DOMAIN, &[kind as u8], body].concat()
}

type SignatureEntry<'a> = (&'a [u8], Signature, &'a [u8]);

fn split_signature(bytes: &[u8]) -> Result<SignatureEntry<'_>, Refusal> {
    const CUT: Refusal = Refusal::Garbage("cut short");
    let (&length, rest) = bytes.split_first().ok_or(CUT)?;
    if !(1..=64).contains(&length) {
        return Err(Refusal::Garbage("key id of a wrong length"));
    }
    let (id, rest) = rest.split_at_checked(length.into()).ok_or(CUT)?;
    let (signature, rest) = rest.split_first_chunk::<64>().ok_or(CUT)?;
    Ok((id, Signature::from_bytes(signature), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn trusted(id: &str, seed: u8) -> TrustedKey {
        TrustedKey::new(id, key(seed).verifying_key().as_bytes()).unwrap()
    }

    fn refusal(bytes: &[u8], kind: Kind) -> Refusal {
        Statement::read(bytes)
            .and_then(|s| s.verify(kind, &[trusted("a", 1)], &[trusted("o", 2)]).map(|(body, _)| body.to_vec()))
            .unwrap_err()
    }

    #[test]
    fn a_signed_body_comes_back() {
        let bytes = sign(Kind::Bundle, b"body", &[("x", &key(9)), ("a", &key(1))]).unwrap();
        let statement = Statement::read(&bytes).unwrap();
        assert_eq!(statement.verify(Kind::Bundle, &[trusted("a", 1)], &[]).unwrap(), (&b"body"[..], &b"a"[..]));
    }

    #[test]
    fn a_signature_counts_for_its_kind_and_role_only() {
        let bundle = sign(Kind::Bundle, b"body", &[("a", &key(1))]).unwrap();
        assert_eq!(refusal(&bundle, Kind::Overlay), Refusal::WrongKind);
        let mut relabelled = bundle.clone();
        relabelled[4] = Kind::Overlay as u8;
        assert_eq!(refusal(&relabelled, Kind::Overlay), Refusal::BadSignature);
        let by_other = sign(Kind::Bundle, b"body", &[("o", &key(2))]).unwrap();
        assert_eq!(refusal(&by_other, Kind::Bundle), Refusal::WrongRole("o".into()));
        let stolen_id = sign(Kind::Bundle, b"body", &[("a", &key(2))]).unwrap();
        assert_eq!(refusal(&stolen_id, Kind::Bundle), Refusal::BadSignature);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_refused() {
        let bytes = sign(Kind::Bundle, b"body", &[("a", &key(1))]).unwrap();
        for n in 0..bytes.len() {
            refusal(&bytes[..n], Kind::Bundle);
            let mut flipped = bytes.clone();
            flipped[n] ^= 1;
            refusal(&flipped, Kind::Bundle);
        }
    }

    #[test]
    fn an_unsigned_statement_cannot_be_made_or_read() {
        assert!(sign(Kind::Bundle, b"body", &[]).is_none());
        assert_eq!(refusal(b"PWS1\x01\x00body", Kind::Bundle).code(), "garbage");
    }
}
