//! Bits of Zstandard: tables are written forwards, streams backwards.

use super::BAD;
use crate::carriers::Refusal;

/// Reads forwards, from the lowest bit of each byte.
pub(super) struct Forward<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Forward<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// So many bits, 16 at most.
    pub(super) fn read(&mut self, count: u32) -> Result<u32, Refusal> {
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return Err(BAD);
        }
        let value = load(self.bytes, self.at / 8) >> (self.at % 8);
        self.at = end;
        Ok((value & mask(count)) as u32)
    }

    /// One bit less was read than it seemed.
    pub(super) fn back(&mut self) {
        self.at -= 1;
    }

    /// How many bytes were begun.
    pub(super) fn used(&self) -> usize {
        self.at.div_ceil(8)
    }
}

/// Reads backwards, from below the highest bit that is set.
pub(super) struct Backward<'b> {
    bytes: &'b [u8],
    /// How many bits are left; below zero, how many were read that are not there.
    left: isize,
}

impl<'b> Backward<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Result<Self, Refusal> {
        let last = bytes.last().filter(|last| **last != 0).ok_or(BAD)?;
        let left = bytes.len() * 8 - last.leading_zeros() as usize - 1;
        Ok(Self { bytes, left: left as isize })
    }

    /// The next bits, 56 at most; zero for those that are not there.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u64 {
        let at = self.left - count as isize;
        match usize::try_from(at) {
            Ok(at) => (load(self.bytes, at / 8) >> (at % 8)) & mask(count),
            Err(_) if self.left > 0 => {
                let missing = at.unsigned_abs() as u32;
                (load(self.bytes, 0) & mask(count - missing)) << missing
            }
            Err(_) => 0,
        }
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.left -= count as isize;
    }

    #[inline]
    pub(super) fn read(&mut self, count: u32) -> u64 {
        let value = self.peek(count);
        self.skip(count);
        value
    }

    pub(super) fn left(&self) -> isize {
        self.left
    }
}

#[inline]
fn mask(count: u32) -> u64 {
    (1 << count) - 1
}

/// Eight bytes from there on, zero behind the end.
#[inline]
fn load(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(eight) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    rest.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
