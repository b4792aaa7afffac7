//! SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) in DER: written for keys that come as JWKs, and
//! looked at before a signature is checked.
//!
//! Small by hand, since all there is are four shapes; `tests/jwt_jwk.rs` holds them against other
//! implementations.

use partywall_tenancy::{IssuerKey, KeyAlgorithm};

/// The shortest RSA modulus that is believed, in bits (RFC 7518, section 3.3).
pub const MIN_RSA_BITS: usize = 2048;
/// The longest one: beyond it a signature costs more time than a request should.
pub const MAX_RSA_BITS: usize = 8192;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The AlgorithmIdentifiers, as they stand in DER.
mod identifier {
    /// rsaEncryption with NULL (RFC 8017, appendix A.1).
    pub(super) const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    /// id-ecPublicKey with secp256r1 (RFC 5480, section 2.1.1).
    pub(super) const P256: &[u8] =
        b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    /// id-ecPublicKey with secp384r1.
    pub(super) const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
    /// id-Ed25519 (RFC 8410, section 3).
    pub(super) const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
}

/// An RSA key from modulus and exponent, big-endian.
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    info(identifier::RSA, &element(SEQUENCE, &[integer(modulus), integer(exponent)].concat()))
}

/// A P-256 key from its point (SEC 1, section 2.3.3).
pub(crate) fn p256(point: &[u8]) -> Vec<u8> {
    info(identifier::P256, point)
}

/// A P-384 key from its point.
pub(crate) fn p384(point: &[u8]) -> Vec<u8> {
    info(identifier::P384, point)
}

/// An Ed25519 key from its 32 bytes.
pub(crate) fn ed25519(key: &[u8]) -> Vec<u8> {
    info(identifier::ED25519, key)
}

/// The 32 bytes of an Ed25519 key.
pub(crate) fn ed25519_key(spki: &[u8]) -> Option<&[u8; 32]> {
    subject_key(spki, identifier::ED25519)?.try_into().ok()
}

/// Whether the key is of the one type its algorithm is for, and neither too weak nor too costly.
/// Host and pure Rust are asked only then, so that they cannot differ about it.
pub(crate) fn fits(key: &IssuerKey) -> bool {
    use KeyAlgorithm::*;
    let of = |identifier| subject_key(&key.spki, identifier);
    match key.algorithm {
        Rs256 | Rs384 | Rs512 | Ps256 => {
            of(identifier::RSA).and_then(rsa_bits).is_some_and(|bits| (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits))
        }
        Es256 => of(identifier::P256).is_some(),
        Es384 => of(identifier::P384).is_some(),
        EdDsa => ed25519_key(&key.spki).is_some(),
        Hs256 => key.spki.is_empty(),
    }
}

fn info(identifier: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = element(BIT_STRING, &[&[0], key].concat());
    element(SEQUENCE, &[identifier, &bits].concat())
}

/// An unsigned big-endian number as a DER INTEGER: no leading zeros, but one where the top bit is set.
pub(super) fn integer(number: &[u8]) -> Vec<u8> {
    let first = number.iter().position(|b| *b != 0).unwrap_or(number.len());
    let digits = number.get(first..).unwrap_or_default();
    let pad: &[u8] = if digits.first().is_none_or(|b| b & 0x80 != 0) { &[0] } else { &[] };
    element(INTEGER, &[pad, digits].concat())
}

/// A DER element; its length in the short form where that fits, else in as few bytes as do.
pub(super) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    let digits = length.get(length.iter().position(|b| *b != 0).unwrap_or(length.len())..).unwrap_or_default();
    let head = if body.len() < 0x80 {
        vec![tag, body.len() as u8]
    } else {
        [&[tag, 0x80 | digits.len() as u8], digits].concat()
    };
    [head.as_slice(), body].concat()
}

/// The key in an SPKI with exactly this AlgorithmIdentifier.
fn subject_key<'a>(spki: &'a [u8], identifier: &[u8]) -> Option<&'a [u8]> {
    let body = whole(SEQUENCE, spki)?;
    whole(BIT_STRING, body.strip_prefix(identifier)?)?.strip_prefix(&[0])
}

fn rsa_bits(key: &[u8]) -> Option<usize> {
    let (modulus, _exponent) = take(INTEGER, whole(SEQUENCE, key)?)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let zeros = modulus.first()?.leading_zeros();
    (modulus.len() * 8).checked_sub(usize::try_from(zeros).ok()?)
}

/// The body of the one element that `bytes` are.
fn whole(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (body, rest) = take(tag, bytes)?;
    rest.is_empty().then_some(body)
}

/// The body of the element that `bytes` begin with, and what follows it.
fn take(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(n, rest)| (usize::from(*n), rest))?,
        // No key here is longer than two bytes can say.
        0x82 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_be_bytes(*n)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let written = element(SEQUENCE, &vec![7; length]);
            assert_eq!(whole(SEQUENCE, &written).map(<[u8]>::len), Some(length));
            assert_eq!(whole(SEQUENCE, &written[..written.len() - 1]), None);
            assert_eq!(whole(SEQUENCE, &[written.as_slice(), &[0]].concat()), None);
            assert_eq!(whole(INTEGER, &written), None);
        }
        assert_eq!(whole(SEQUENCE, &element(SEQUENCE, &vec![7; 0x10000])), None);
    }

    #[test]
    fn a_key_fits_one_kind_of_algorithm_and_must_have_a_size() {
        use KeyAlgorithm::*;
        let keys = [
            (rsa(&[0xff; 256], &[1, 0, 1]), [Rs256, Rs384, Rs512, Ps256].as_slice()),
            (rsa(&[0xff; 1024], &[1, 0, 1]), &[Rs256, Rs384, Rs512, Ps256]),
            (rsa(&[0x7f; 256], &[1, 0, 1]), &[]),
            (rsa(&[0x01; 1025], &[1, 0, 1]), &[]),
            (rsa(&[], &[1, 0, 1]), &[]),
            (p256(&[4; 65]), &[Es256]),
            (p384(&[4; 97]), &[Es384]),
            (ed25519(&[4; 32]), &[EdDsa]),
            (ed25519(&[4; 31]), &[]),
            (vec![], &[Hs256]),
            (vec![0], &[]),
        ];
        for (n, (spki, algorithms)) in keys.into_iter().enumerate() {
            for algorithm in KeyAlgorithm::ALL {
                let key = IssuerKey { id: "k".into(), algorithm, spki: spki.clone() };
                assert_eq!(fits(&key), algorithms.contains(&algorithm), "key {n} for {algorithm:?}");
            }
        }
    }
}
