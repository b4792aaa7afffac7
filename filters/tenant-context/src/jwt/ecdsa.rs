//! From the signature of a JWS to the one that crypto libraries want.

use super::spki::{element, integer};

/// Turns the `r || s` of an ECDSA signature (RFC 7518, section 3.4) into ASN.1 DER (RFC 3279,
/// section 2.2.3). `size` is that of one number: 32 bytes for P-256, 48 for P-384. `None` unless
/// the signature is exactly two of them.
pub fn signature_to_der(raw: &[u8], size: usize) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(size)?;
    (s.len() == size).then(|| element(0x30, &[integer(r), integer(s)].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_length() {
        for size in [32, 48] {
            assert_eq!(signature_to_der(&vec![0xff; 2 * size], size).unwrap().len(), 2 * size + 8);
            for n in [0, size - 1, size, 2 * size - 1, 2 * size + 1, 3 * size] {
                assert!(signature_to_der(&vec![1; n], size).is_none());
            }
        }
    }
}
