//! Public keys as SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7).

use spki::der::asn1::{BitString, UintRef};
use spki::der::{AnyRef, Encode};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo};

/// `rsaEncryption` (RFC 8017, appendix C).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey`, `secp256r1` and `secp384r1` (RFC 5480, section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `id-Ed25519` (RFC 8410, section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A curve of ECDSA.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Curve {
    /// `P-256`.
    P256,
    /// `P-384`.
    P384,
}

impl Curve {
    /// The value of `crv` (RFC 7518, section 6.2.1.1).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// Bytes of a coordinate.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// Whether `point`, in its uncompressed form, lies on the curve.
    pub(crate) fn holds(self, point: &[u8]) -> bool {
        match self {
            Self::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
            Self::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        }
    }
}

/// An RSA key; both numbers in big-endian bytes (RFC 8017, appendix A.1.1).
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> spki::Result<Vec<u8>> {
    let numbers = [UintRef::new(modulus)?, UintRef::new(exponent)?];
    let algorithm = AlgorithmIdentifier { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
    let key = BitString::from_bytes(&numbers.to_der()?)?;
    Ok(SubjectPublicKeyInfo { algorithm, subject_public_key: key }.to_der()?)
}

/// A key of a curve; `point` in its uncompressed form (RFC 5480, section 2.2).
pub(crate) fn ec(curve: Curve, point: &[u8]) -> spki::Result<Vec<u8>> {
    let oid = match curve {
        Curve::P256 => SECP256R1,
        Curve::P384 => SECP384R1,
    };
    let algorithm = AlgorithmIdentifier { oid: EC_PUBLIC_KEY, parameters: Some(oid) };
    let key = BitString::from_bytes(point)?;
    Ok(SubjectPublicKeyInfo { algorithm, subject_public_key: key }.to_der()?)
}

/// An Ed25519 key (RFC 8410, section 4).
pub(crate) fn ed25519(point: &[u8]) -> spki::Result<Vec<u8>> {
    let algorithm = AlgorithmIdentifier::<AnyRef<'_>> { oid: ED25519, parameters: None };
    let key = BitString::from_bytes(point)?;
    Ok(SubjectPublicKeyInfo { algorithm, subject_public_key: key }.to_der()?)
}
