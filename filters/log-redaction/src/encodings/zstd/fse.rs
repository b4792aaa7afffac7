//! Finite state entropy, RFC 8878, 4.1.

use super::BAD;
use super::bits::{Backward, Forward};
use crate::carriers::Refusal;

/// What a state means, and how the next is found.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    symbol: u8,
    bits: u8,
    base: u16,
}

/// A table of states.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    states: Vec<State>,
    log: u32,
}

/// A state in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor(usize);

impl Table {
    /// One symbol, without any bits.
    pub(super) fn single(symbol: u8) -> Self {
        Self { states: vec![State { symbol, bits: 0, base: 0 }], log: 0 }
    }

    /// The table that `bytes` begins with, of symbols up to `most` and 2 to the `log` states at most, and its size.
    pub(super) fn read(bytes: &[u8], log: u32, most: usize) -> Result<(Self, usize), Refusal> {
        let mut bits = Forward::new(bytes);
        let own = bits.read(4)? + 5;
        if own > log {
            return Err(BAD);
        }
        let mut left = 1_i32 << own;
        let mut counts = Vec::with_capacity(most + 1);
        while left > 0 {
            if counts.len() > most {
                return Err(BAD);
            }
            // As many bits as what is left takes, one less where that tells enough.
            let points = left as u32 + 1;
            let width = 32 - points.leading_zeros();
            let mut value = bits.read(width)?;
            let low = (1 << (width - 1)) - 1;
            let threshold = (1 << width) - 1 - points;
            if value & low < threshold {
                bits.back();
                value &= low;
            } else if value > low {
                value -= threshold;
            }
            let count = value as i32 - 1;
            left -= count.abs();
            counts.push(count);
            if count == 0 {
                loop {
                    let zeros = bits.read(2)?;
                    counts.extend((0..zeros).map(|_| 0));
                    if zeros != 3 {
                        break;
                    }
                    if counts.len() > most + 1 {
                        return Err(BAD);
                    }
                }
            }
        }
        if left != 0 || counts.len() > most + 1 {
            return Err(BAD);
        }
        Ok((Self::of(&counts, own)?, bits.used()))
    }

    /// The table in which each symbol has so many states; -1 is one with all bits new.
    pub(super) fn of(counts: &[i32], log: u32) -> Result<Self, Refusal> {
        let size = 1_usize << log;
        let mut states = vec![State::default(); size];
        let mut next: Vec<u32> = Vec::with_capacity(counts.len());
        let mut high = size;
        for (symbol, count) in counts.iter().enumerate() {
            if *count == -1 {
                high = high.checked_sub(1).ok_or(BAD)?;
                states.get_mut(high).ok_or(BAD)?.symbol = symbol as u8;
            }
            next.push(count.unsigned_abs());
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (symbol, count) in counts.iter().enumerate() {
            for _ in 0..(*count).max(0) {
                states.get_mut(at).ok_or(BAD)?.symbol = symbol as u8;
                at = (at + step) & (size - 1);
                while at >= high {
                    at = (at + step) & (size - 1);
                }
            }
        }
        if at != 0 {
            return Err(BAD);
        }
        for state in &mut states {
            let next = next.get_mut(usize::from(state.symbol)).ok_or(BAD)?;
            let bits = log.checked_sub(31_u32.checked_sub(next.leading_zeros()).ok_or(BAD)?).ok_or(BAD)?;
            state.bits = bits as u8;
            state.base = u16::try_from((*next << bits).checked_sub(size as u32).ok_or(BAD)?).map_err(|_| BAD)?;
            *next += 1;
        }
        Ok(Self { states, log })
    }

    pub(super) fn begin(&self, bits: &mut Backward<'_>) -> Cursor {
        Cursor(bits.read(self.log) as usize)
    }

    #[inline]
    pub(super) fn symbol(&self, cursor: Cursor) -> u8 {
        self.states.get(cursor.0).map_or(0, |state| state.symbol)
    }

    #[inline]
    pub(super) fn next(&self, cursor: &mut Cursor, bits: &mut Backward<'_>) {
        let state = self.states.get(cursor.0).copied().unwrap_or_default();
        cursor.0 = usize::from(state.base) + bits.read(u32::from(state.bits)) as usize;
    }
}
