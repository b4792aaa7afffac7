//! Huffman codes of literals, RFC 8878, 4.2.

use super::BAD;
use super::bits::Backward;
use super::fse::Table;
use crate::carriers::Refusal;

/// The most bits of a code.
const MOST_BITS: u32 = 11;
const WEIGHTS_LOG: u32 = 6;

/// What codes mean: for each number of so many bits the symbol that it begins with, and how long that is.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    codes: Vec<(u8, u8)>,
    bits: u32,
}

impl Codes {
    /// The codes that `bytes` begins with, and their size.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), Refusal> {
        let (head, rest) = bytes.split_first().ok_or(BAD)?;
        let head = usize::from(*head);
        let (weights, size) = if head < 128 {
            (folded(rest.get(..head).ok_or(BAD)?)?, head)
        } else {
            let count = head - 127;
            let size = count.div_ceil(2);
            let pairs = rest.get(..size).ok_or(BAD)?.iter();
            let mut weights: Vec<u8> = pairs.flat_map(|pair| [pair >> 4, pair & 15]).collect();
            weights.truncate(count);
            (weights, size)
        };
        Ok((Self::of(weights)?, 1 + size))
    }

    /// The codes of these weights; that of the last symbol follows from the others.
    fn of(mut weights: Vec<u8>) -> Result<Self, Refusal> {
        let mut sum = 0_u32;
        for weight in &weights {
            if u32::from(*weight) > MOST_BITS + 1 {
                return Err(BAD);
            }
            sum += (1 << weight) >> 1;
        }
        if sum == 0 || weights.len() > 255 {
            return Err(BAD);
        }
        let bits = 32 - sum.leading_zeros();
        let left = (1 << bits) - sum;
        if bits > MOST_BITS || !left.is_power_of_two() {
            return Err(BAD);
        }
        weights.push(left.trailing_zeros() as u8 + 1);
        let mut codes = Vec::with_capacity(1 << bits);
        for weight in 1..=bits as u8 {
            for (symbol, _) in weights.iter().enumerate().filter(|(_, of)| **of == weight) {
                let code = (symbol as u8, bits as u8 + 1 - weight);
                codes.extend(std::iter::repeat_n(code, 1 << (weight - 1)));
            }
        }
        if codes.len() != 1 << bits { Err(BAD) } else { Ok(Self { codes, bits }) }
    }

    /// Appends so many symbols, which are all that the stream has.
    pub(super) fn stream(&self, bytes: &[u8], count: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut bits = Backward::new(bytes)?;
        for _ in 0..count {
            let (symbol, size) = *self.codes.get(bits.peek(self.bits) as usize).ok_or(BAD)?;
            bits.skip(u32::from(size));
            out.push(symbol);
        }
        if bits.left() == 0 { Ok(()) } else { Err(BAD) }
    }
}

/// Weights that are written by two states in turn.
fn folded(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (table, size) = Table::read(bytes, WEIGHTS_LOG, usize::from(u8::MAX))?;
    let mut bits = Backward::new(bytes.get(size..).ok_or(BAD)?)?;
    let mut states = [table.begin(&mut bits), table.begin(&mut bits)];
    let mut weights = Vec::new();
    loop {
        let [first, second] = &mut states;
        weights.push(table.symbol(*first));
        table.next(first, &mut bits);
        if bits.left() < 0 {
            weights.push(table.symbol(*second));
            return Ok(weights);
        }
        states.swap(0, 1);
        if weights.len() > 255 {
            return Err(BAD);
        }
    }
}
