//! A number for a short text.

/// FNV-1a with eight bytes at a time: good enough to tell the keys of one object apart, and to find a place in a table of fixed
/// size. Whoever makes two texts alike has a record refused that is his, or something forgotten that is found again.
#[inline]
pub(crate) fn of(text: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    let mut hash = 0xCBF2_9CE4_8422_2325 ^ text.len() as u64;
    let mut rest = text;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        hash = (hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(PRIME);
        hash ^= hash >> 29;
        rest = behind;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    hash ^ (hash >> 32)
}
