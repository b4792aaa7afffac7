//! `verify_signature` as Envoy answers it, by the checks of `ring`.

use rustls::SignatureScheme;
use rustls::crypto::ring::default_provider;

/// The result for a `VerifySignatureArguments`: `VerifySignatureResult { bool result = 1; string error = 2; }`.
/// As in Envoy, what does not verify and what cannot be read are both a result with an error, and no failure.
pub(super) fn verify(arguments: &[u8]) -> Vec<u8> {
    const ERROR: &[u8] = b"not verified";
    match verified(arguments) {
        Some(()) => vec![0x08, 0x01],
        None => [&[0x12, ERROR.len() as u8], ERROR].concat(),
    }
}

fn verified(mut arguments: &[u8]) -> Option<()> {
    let (mut hash, mut key, mut signature, mut text) = Default::default();
    while !arguments.is_empty() {
        let (tag, value) = field(&mut arguments)?;
        match tag {
            0x0a => hash = value,
            0x12 => key = value,
            0x1a => signature = value,
            0x22 => text = value,
            _ => return None,
        }
    }
    let (kind, key) = public_key(key)?;
    let scheme = match (kind, hash) {
        (Kind::Rsa, b"sha256") => SignatureScheme::RSA_PKCS1_SHA256,
        (Kind::Rsa, b"sha384") => SignatureScheme::RSA_PKCS1_SHA384,
        (Kind::Rsa, b"sha512") => SignatureScheme::RSA_PKCS1_SHA512,
        (Kind::P256, b"sha256") => SignatureScheme::ECDSA_NISTP256_SHA256,
        (Kind::P384, b"sha384") => SignatureScheme::ECDSA_NISTP384_SHA384,
        _ => return None,
    };
    let provider = default_provider();
    let known = provider.signature_verification_algorithms.mapping.iter().find(|(known, _)| *known == scheme);
    // The first of a scheme is the one with its own curve.
    known?.1.first()?.verify_signature(key, text, signature).ok()
}

enum Kind {
    Rsa,
    P256,
    P384,
}

/// The bits of the key in a SubjectPublicKeyInfo, and what they are.
fn public_key(spki: &[u8]) -> Option<(Kind, &[u8])> {
    const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
    let holds = |algorithm: &[u8], oid: &[u8]| algorithm.windows(oid.len()).any(|w| w == oid);
    let mut rest = element(&mut { spki }, 0x30)?;
    let algorithm = element(&mut rest, 0x30)?;
    let kind = [(RSA, Kind::Rsa), (P256, Kind::P256), (P384, Kind::P384)];
    let (_, kind) = kind.into_iter().find(|(oid, _)| holds(algorithm, oid))?;
    let bits = element(&mut rest, 0x03)?.strip_prefix(&[0])?;
    Some((kind, bits))
}

/// Takes a DER element with this tag off the front and gives its content.
fn element<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let rest = bytes.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 3))?;
            (length.iter().fold(0, |n, b| n << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

/// Takes a length-delimited protobuf field off the front.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, mut rest) = bytes.split_first()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 21 {
            return None;
        }
    }
    let (value, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((tag, value))
}
