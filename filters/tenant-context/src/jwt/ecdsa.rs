//! From the signature of a JWS to the one that crypto libraries want.

/// Turns the `r || s` of an ES256 signature (RFC 7518, section 3.4) into ASN.1 DER
/// (RFC 3279, section 2.2.3). `None` unless it is 64 bytes long.
pub fn signature_to_der(raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(32)?;
    if s.len() != 32 {
        return None;
    }
    let body = [integer(r), integer(s)].concat();
    // At most 2 * 35 bytes, so the short form of the length always fits.
    let length = u8::try_from(body.len()).ok()?;
    Some([&[0x30, length], body.as_slice()].concat())
}

/// An unsigned big-endian number as a DER INTEGER: no leading zeros, but one where the top bit is set.
fn integer(number: &[u8]) -> Vec<u8> {
    let first = number.iter().position(|b| *b != 0).unwrap_or(number.len());
    let digits = number.get(first..).unwrap_or_default();
    let pad = digits.first().is_none_or(|b| b & 0x80 != 0);
    let length = digits.len() + usize::from(pad);
    let mut out = vec![0x02, u8::try_from(length).unwrap_or(0)];
    if pad {
        out.push(0);
    }
    out.extend_from_slice(digits);
    out
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
    fn only_the_right_length() {
        assert_eq!(signature_to_der(&[0xff; 64]).unwrap().len(), 72);
        for n in [0, 31, 63, 65, 96] {
            assert!(signature_to_der(&vec![1; n]).is_none());
        }
    }
}
