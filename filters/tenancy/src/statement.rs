//! The signed envelope around bundles and overlays.
//!
//! ```text
//! magic    4  "PWS2"
//! kind     1  1 bundle, 2 overlay, 3 grant, 4 candidate
//! count    1  signatures, 1 to 16
//! count x { id length 1, key id 1..=64, Ed25519 signature 64 }      RFC 8032
//! body     the rest
//! ```
//!
//! What is signed is `"partywall statement\0" kind SHA-512(body)`, so a signature given for one kind is
//! worth nothing for another, and a body is read once however many have signed it. Reading allocates
//! nothing: [`Statement`] borrows from the bytes.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha512};

use crate::Refusal;

/// The largest statement that is read, in bytes.
pub const MAX_SIZE: usize = 24 * 1024 * 1024;
/// The most signatures that one statement may carry.
pub const MAX_SIGNATURES: usize = 16;

const MAGIC: &[u8; 4] = b"PWS2";
const DOMAIN: &[u8] = b"partywall statement\0";

/// What a statement states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A compiled tenancy directory.
    Bundle = 1,
    /// What must be live at once, and can only take away.
    Overlay = 2,
    /// Leave for one operator to cross one tenant's wall, for a while.
    Grant = 3,
    /// A compiled tenancy directory that is tried out beside the bundle in force, and how far.
    Candidate = 4,
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
            3 => Kind::Grant,
            4 => Kind::Candidate,
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

    /// What it claims to be.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The ids that stand beside its signatures, which prove nothing.
    pub fn claimed_by(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let mut cursor = self.signatures;
        std::iter::from_fn(move || {
            let (id, _, rest) = split_signature(cursor).ok()?;
            cursor = rest;
            Some(id)
        })
    }

    /// The body, which proves nothing before [`Statement::verify`].
    pub fn unverified_body(&self) -> &'a [u8] {
        self.body
    }

    /// The body and who signed it, if one of `trusted` at least did so as a statement of `kind`.
    ///
    /// `other_roles` are keys that are trusted for something else; they only make the refusal say so.
    pub fn verify(
        &self,
        kind: Kind,
        trusted: &[TrustedKey],
        other_roles: &[TrustedKey],
    ) -> Result<Verified<'a>, Refusal> {
        let by = self.digested(Sha512::digest(self.body).into()).verify(kind, trusted, other_roles)?;
        Ok(Verified { body: self.body, by })
    }

    /// The same with the digest of its body, where that was computed before.
    pub(crate) fn digested(&self, digest: [u8; 64]) -> Digested<'a> {
        Digested { kind: self.kind, signatures: self.signatures, count: self.count, digest }
    }
}

/// The signatures of a statement, with the digest of what they sign.
#[derive(Clone, Copy)]
pub(crate) struct Digested<'a> {
    kind: Kind,
    signatures: &'a [u8],
    count: u8,
    digest: [u8; 64],
}

impl Digested<'_> {
    /// Who signed it; see [`Statement::verify`].
    pub(crate) fn verify(
        &self,
        kind: Kind,
        trusted: &[TrustedKey],
        other_roles: &[TrustedKey],
    ) -> Result<SignedBy, Refusal> {
        if self.kind != kind {
            return Err(Refusal::WrongKind);
        }
        let message = message(kind, &self.digest);
        let mut by: Vec<VerifyingKey> = Vec::new();
        let mut wrong_role = None;
        let mut cursor = self.signatures;
        for _ in 0..self.count {
            let (id, signature, rest) = split_signature(cursor)?;
            cursor = rest;
            let signed_by = |keys: &[TrustedKey]| {
                let of_id = keys.iter().filter(|k| k.id.as_bytes() == id);
                of_id.map(|k| k.key).find(|key| key.verify_strict(&message, &signature).is_ok())
            };
            // INVARIANT: one key under two ids, or twice, is one.
            match signed_by(trusted) {
                Some(key) if !by.contains(&key) => by.push(key),
                Some(_) => {}
                None if wrong_role.is_none() && signed_by(other_roles).is_some() => {
                    wrong_role = Some(String::from_utf8_lossy(id).into_owned());
                }
                None => {}
            }
        }
        if by.is_empty() {
            return Err(wrong_role.map_or(Refusal::BadSignature, Refusal::WrongRole));
        }
        Ok(SignedBy(by))
    }
}

/// Distinct trusted keys that signed a statement: one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy(Vec<VerifyingKey>);

impl SignedBy {
    /// The keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.0
    }

    /// Refuses what fewer than `needed` signed.
    pub fn at_least(&self, needed: u8) -> Result<(), Refusal> {
        let found = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        if found < needed { Err(Refusal::Approvals { found, needed }) } else { Ok(()) }
    }
}

/// What a statement says, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The body.
    pub body: &'a [u8],
    /// Who signed it.
    pub by: SignedBy,
}

/// Signs `body` as a statement of `kind` with every key of `signers` (key id, key).
///
/// `None` when there is no signer, more than [`MAX_SIGNATURES`], or an id outside 1 to 64 bytes.
pub fn sign(kind: Kind, body: &[u8], signers: &[(&str, &SigningKey)]) -> Option<Vec<u8>> {
    let count = u8::try_from(signers.len()).ok()?;
    if count == 0 || signers.len() > MAX_SIGNATURES {
        return None;
    }
    let message = message(kind, &Sha512::digest(body).into());
    let mut out = Vec::with_capacity(6 + signers.len() * 129 + body.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[kind as u8, count]);
    for (id, key) in signers {
        push_signature(&mut out, id.as_bytes(), &key.sign(&message).to_bytes())?;
    }
    out.extend_from_slice(body);
    Some(out)
}

/// The same statement with one more signature: what was signed before stays signed.
///
/// `None` where `bytes` are no statement, or it cannot carry one more, or the id has not 1 to 64 bytes.
pub fn sign_also(bytes: &[u8], id: &str, key: &SigningKey) -> Option<Vec<u8>> {
    let statement = Statement::read(bytes).ok()?;
    let count = statement.count.checked_add(1).filter(|n| usize::from(*n) <= MAX_SIGNATURES)?;
    let message = message(statement.kind, &Sha512::digest(statement.body).into());
    let mut out = Vec::with_capacity(bytes.len() + 129);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[statement.kind as u8, count]);
    out.extend_from_slice(statement.signatures);
    push_signature(&mut out, id.as_bytes(), &key.sign(&message).to_bytes())?;
    out.extend_from_slice(statement.body);
    Some(out)
}

fn push_signature(out: &mut Vec<u8>, id: &[u8], signature: &[u8; 64]) -> Option<()> {
    out.push(u8::try_from(id.len()).ok().filter(|n| (1..=64).contains(n))?);
    out.extend_from_slice(id);
    out.extend_from_slice(signature);
    Some(())
}

fn message(kind: Kind, digest: &[u8; 64]) -> Vec<u8> {
    [DOMAIN, &[kind as u8], digest.as_slice()].concat()
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
            .and_then(|s| s.verify(kind, &[trusted("a", 1)], &[trusted("o", 2)]).map(|v| v.body.to_vec()))
            .unwrap_err()
    }

    #[test]
    fn a_signed_body_comes_back() {
        let bytes = sign(Kind::Bundle, b"body", &[("x", &key(9)), ("a", &key(1))]).unwrap();
        let statement = Statement::read(&bytes).unwrap();
        let verified = statement.verify(Kind::Bundle, &[trusted("a", 1)], &[]).unwrap();
        assert_eq!((verified.body, verified.by.keys()), (&b"body"[..], &[key(1).verifying_key()][..]));
        assert_eq!(statement.claimed_by().collect::<Vec<_>>(), [b"x", b"a"]);
    }

    #[test]
    fn distinct_keys_are_counted_not_signatures_and_not_ids() {
        let trust = [trusted("a", 1), trusted("again", 1), trusted("b", 2)];
        let count = |bytes: &[u8]| {
            let by = Statement::read(bytes).unwrap().verify(Kind::Bundle, &trust, &[]).unwrap().by;
            (1..4).take_while(|n| by.at_least(*n).is_ok()).count()
        };
        let one = sign(Kind::Bundle, b"body", &[("a", &key(1))]).unwrap();
        assert_eq!(count(&one), 1);
        for (id, seed, counted) in [("a", 1, 1), ("again", 1, 1), ("b", 2, 2), ("b", 3, 1), ("c", 2, 1)] {
            assert_eq!(count(&sign_also(&one, id, &key(seed)).unwrap()), counted, "{id} {seed}");
        }
        let by = Statement::read(&one).unwrap().verify(Kind::Bundle, &trust, &[]).unwrap().by;
        assert_eq!(by.at_least(2), Err(Refusal::Approvals { found: 1, needed: 2 }));
        let full = (1..16).fold(one, |bytes, _| sign_also(&bytes, "a", &key(1)).unwrap());
        assert!(sign_also(&full, "b", &key(2)).is_none());
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
        assert_eq!(refusal(b"PWS2\x01\x00body", Kind::Bundle).code(), "garbage");
    }
}
