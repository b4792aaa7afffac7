//! Eight bytes at once, in one register and without branches. (Warren, "Hacker's Delight", 6-1.)

/// Eight times a byte.
pub(super) const fn each(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The high bit of each byte, and all others.
pub(super) const HIGH: u64 = each(0x80);
pub(super) const SEVEN: u64 = each(0x7f);

/// The high bit of each byte, of seven bits, that is `least` or more. No byte carries into the next.
pub(super) const fn from(seven: u64, least: u8) -> u64 {
    seven.wrapping_add(each(0x80 - least))
}

/// The high bit of each byte, of seven bits, that is `byte`.
pub(super) const fn equal(seven: u64, byte: u8) -> u64 {
    !((seven ^ each(byte)) + SEVEN)
}

/// The high bit of each byte, of seven bits, that is a letter.
pub(super) const fn letters(seven: u64) -> u64 {
    let folded = seven | each(0x20);
    from(folded, b'a') & !from(folded, b'z' + 1)
}

/// The high bits of eight bytes, one beside the other.
#[inline(always)]
pub(super) const fn bits(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
