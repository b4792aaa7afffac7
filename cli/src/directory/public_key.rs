//! Public keys as SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7).

use spki::der::asn1::{BitString, UintRef};
use spki::der::{AnyRef, Encode};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo};

/// `rsaEncryption` (RFC 8017, appendix C).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey` and `secp256r1` (RFC 5480, section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// An RSA key; both numbers in big-endian bytes (RFC 8017, appendix A.1.1).
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> spki::Result<Vec<u8>> {
    let numbers = [UintRef::new(modulus)?, UintRef::new(exponent)?];
    let algorithm = AlgorithmIdentifier { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
    let key = BitString::from_bytes(&numbers.to_der()?)?;
    Ok(SubjectPublicKeyInfo { algorithm, subject_public_key: key }.to_der()?)
}

/// A P-256 key; `point` in its uncompressed form (RFC 5480, section 2.2).
pub(crate) fn p256(point: &[u8]) -> spki::Result<Vec<u8>> {
    let algorithm = AlgorithmIdentifier { oid: EC_PUBLIC_KEY, parameters: Some(SECP256R1) };
    let key = BitString::from_bytes(point)?;
    Ok(SubjectPublicKeyInfo { algorithm, subject_public_key: key }.to_der()?)
}

/// Whether `point`, in its uncompressed form, lies on the curve.
pub(crate) fn is_on_p256(point: &[u8]) -> bool {
    p256::PublicKey::from_sec1_bytes(point).is_ok()
}
