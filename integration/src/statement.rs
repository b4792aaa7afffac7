//! Statements (bundle, overlay) made by hand, signed with the mesh's own keys or with others, that say what
//! `partywall compile` would never write.
//!
//! Written from the format alone, with libraries that the product does not use for it:
//!
//! ```text
//! "PWS2" kind count { id length, id, Ed25519 signature }… body       what is signed: a domain, kind, SHA-512 of the body
//! bundle   format audience mesh revision issued expires …  program   numbers as varints, text behind its length
//! overlay  format          mesh sequence issued expires …
//! ```

use anyhow::{Context, Result, ensure};
use jwt_simple::prelude::EdDSAKeyPairLike;
use sha2::{Digest, Sha512};

use crate::roots::key_pair;

/// The kind of a bundle.
pub const BUNDLE: u8 = 1;
/// The kind of an overlay.
pub const OVERLAY: u8 = 2;

const MAGIC: &[u8] = b"PWS2";
const DOMAIN: &[u8] = b"partywall statement\0";
/// The end of a body that says nothing of redaction: a length of none.
const NO_REDACTION: [u8; 1] = [0];
/// The format of a decision program, with which it begins.
const PROGRAM_FORMAT: u8 = 2;

/// What a statement says, before anybody signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// [`BUNDLE`] or [`OVERLAY`].
    pub kind: u8,
    /// The format of the body.
    pub format: u64,
    /// Whom a bundle is for, by number.
    pub audience: Option<u64>,
    /// The mesh it is for.
    pub mesh: Vec<u8>,
    /// The revision of a bundle, the sequence of an overlay.
    pub number: u64,
    /// In Unix seconds.
    pub issued: u64,
    /// In Unix seconds.
    pub expires: u64,
    /// All that follows, as it was.
    pub rest: Vec<u8>,
}

impl Statement {
    /// Takes a statement apart that somebody signed; by whom is not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.strip_prefix(MAGIC).context("no statement")?;
        let (&[kind, count], mut rest) = bytes.split_first_chunk().context("cut short")?;
        for _ in 0..count {
            let (&length, after) = rest.split_first().context("cut short")?;
            rest = after.get(usize::from(length) + 64..).context("cut short")?;
        }
        let format = take(&mut rest)?;
        let audience = if kind == BUNDLE { Some(take(&mut rest)?) } else { None };
        let length = usize::try_from(take(&mut rest)?)?;
        let (mesh, after) = rest.split_at_checked(length).context("cut short")?;
        ensure!(mesh.len() == 36, "no mesh where it must stand");
        rest = after;
        let (number, issued, expires) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
        Ok(Self { kind, format, audience, mesh: mesh.to_vec(), number, issued, expires, rest: rest.to_vec() })
    }

    /// The body.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let audience = self.audience.map(varint).unwrap_or_default();
        for part in [varint(self.format), audience, varint(self.mesh.len() as u64), self.mesh.clone()] {
            out.extend(part);
        }
        for number in [self.number, self.issued, self.expires] {
            out.extend(varint(number));
        }
        out.extend(&self.rest);
        out
    }

    /// Puts another decision program into a bundle, where it stands last.
    pub fn with_program(mut self, program: &[u8]) -> Result<Self> {
        let at = self.program_at()?;
        self.rest.truncate(at);
        self.rest.extend(varint(program.len() as u64));
        self.rest.extend(program);
        self.rest.extend(NO_REDACTION);
        Ok(self)
    }

    /// Where the length of the program stands: the first number that reaches just to what ends the body, before a program's
    /// format.
    fn program_at(&self) -> Result<usize> {
        let found = (0..self.rest.len()).find(|at| {
            let mut rest = &self.rest[*at..];
            let reaches = take(&mut rest).is_ok_and(|length| length + NO_REDACTION.len() as u64 == rest.len() as u64);
            reaches && rest.ends_with(&NO_REDACTION) && rest.first() == Some(&PROGRAM_FORMAT)
        });
        found.context("the bundle holds no program")
    }
}

/// `body`, signed as a statement of `kind` with the Ed25519 key of this seed, which calls itself `id`.
pub fn sign(kind: u8, body: &[u8], id: &str, seed: &[u8]) -> Result<Vec<u8>> {
    let message = [DOMAIN, &[kind], &Sha512::digest(body)[..]].concat();
    let signature = key_pair(seed)?.key_pair().as_ref().sk.sign(message, None);
    let length = u8::try_from(id.len())?;
    Ok([MAGIC, &[kind, 1, length], id.as_bytes(), signature.as_ref(), body].concat())
}

/// A number as the format writes it: seven bits a byte, the lowest first.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

fn take(bytes: &mut &[u8]) -> Result<u64> {
    let mut number = 0_u64;
    for nth in 0..10 {
        let (&byte, rest) = bytes.split_first().context("cut short")?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(7 * nth).context("no number")?;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    anyhow::bail!("no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_apart_is_put_together_as_it_was() {
        let statement = Statement {
            kind: BUNDLE,
            format: 3,
            audience: Some(0),
            mesh: crate::site::MESH.into(),
            number: 300,
            issued: 1_700_000_000,
            expires: u64::MAX,
            rest: vec![7, 3, 2, 0, 0, 0],
        };
        let signed = sign(BUNDLE, &statement.body(), "a", &[7; 32]).unwrap();
        assert_eq!(Statement::read(&signed).unwrap(), statement);
        assert_eq!(statement.with_program(&[2; 200]).unwrap().rest[..4], [7, 200, 1, 2]);
        assert!(Statement::read(&signed[..40]).is_err());
    }
}
