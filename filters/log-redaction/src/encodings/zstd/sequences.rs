//! Sequences of a block, RFC 8878, 3.1.1.3.2: how many literals, how far back a match is, and how long.

use super::BAD;
use super::bits::Backward;
use super::fse::Table;
use crate::carriers::Refusal;

/// Lengths of literals by their code: the smallest, and how many bits more there are.
const LITERALS: [(u32, u32); 36] = [
    (0, 0),
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 0),
    (12, 0),
    (13, 0),
    (14, 0),
    (15, 0),
    (16, 1),
    (18, 1),
    (20, 1),
    (22, 1),
    (24, 2),
    (28, 2),
    (32, 3),
    (40, 3),
    (48, 4),
    (64, 6),
    (128, 7),
    (256, 8),
    (512, 9),
    (1024, 10),
    (2048, 11),
    (4096, 12),
    (8192, 13),
    (16384, 14),
    (32768, 15),
    (65536, 16),
];
/// Lengths of matches beyond those whose code is their length less three.
const MATCHES: [(u32, u32); 21] = [
    (35, 1),
    (37, 1),
    (39, 1),
    (41, 1),
    (43, 2),
    (47, 2),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 5),
    (131, 7),
    (259, 8),
    (515, 9),
    (1027, 10),
    (2051, 11),
    (4099, 12),
    (8195, 13),
    (16387, 14),
    (32771, 15),
    (65539, 16),
];
const LITERAL_COUNTS: [i32; 36] =
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1];
const MATCH_COUNTS: [i32; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
const OFFSET_COUNTS: [i32; 29] =
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];
const MOST_OFFSET: u8 = 31;

/// What one kind of code is read by.
struct Kind {
    counts: &'static [i32],
    log: u32,
    most_log: u32,
    most: u8,
}

const KINDS: [Kind; 3] = [
    Kind { counts: &LITERAL_COUNTS, log: 6, most_log: 9, most: 35 },
    Kind { counts: &OFFSET_COUNTS, log: 5, most_log: 8, most: MOST_OFFSET },
    Kind { counts: &MATCH_COUNTS, log: 6, most_log: 9, most: 52 },
];

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    pub(super) literals: usize,
    /// As it is written: up to three it is one that was before.
    pub(super) offset: u64,
    pub(super) matched: usize,
}

/// Tables of literals, offsets and matches that the frame had last.
pub(super) type Tables = [Option<Table>; 3];

/// Reads the section, and hands on each sequence.
pub(super) fn read(
    bytes: &[u8],
    tables: &mut Tables,
    mut take: impl FnMut(Sequence) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let (count, size) = match bytes {
        [0] => return Ok(()),
        [first @ 1..=127, ..] => (usize::from(*first), 1),
        [first @ 128..=254, second, ..] => ((usize::from(*first) - 128) << 8 | usize::from(*second), 2),
        [255, low, high, ..] => (0x7F00 + usize::from(u16::from_le_bytes([*low, *high])), 3),
        _ => return Err(BAD),
    };
    let modes = *bytes.get(size).ok_or(BAD)?;
    if modes & 3 != 0 || count == 0 {
        return Err(BAD);
    }
    let mut rest = bytes.get(size + 1..).unwrap_or_default();
    for ((kind, table), shift) in KINDS.iter().zip(tables.iter_mut()).zip([6, 4, 2]) {
        let size = match modes >> shift & 3 {
            0 => {
                *table = Some(Table::of(kind.counts, kind.log)?);
                0
            }
            1 => {
                let symbol = *rest.first().filter(|symbol| **symbol <= kind.most).ok_or(BAD)?;
                *table = Some(Table::single(symbol));
                1
            }
            2 => {
                let (read, size) = Table::read(rest, kind.most_log, usize::from(kind.most))?;
                *table = Some(read);
                size
            }
            _ => 0,
        };
        rest = rest.get(size..).ok_or(BAD)?;
    }
    let [Some(literals), Some(offsets), Some(matches)] = tables else { return Err(BAD) };
    let mut bits = Backward::new(rest)?;
    let mut literal = literals.begin(&mut bits);
    let mut offset = offsets.begin(&mut bits);
    let mut matched = matches.begin(&mut bits);
    for nth in 1..=count {
        let code = u32::from(offsets.symbol(offset));
        let distance = (1 << code) + bits.read(code);
        let (base, more) = match matches.symbol(matched) {
            code @ 0..=31 => (u32::from(code) + 3, 0),
            code => *MATCHES.get(usize::from(code) - 32).ok_or(BAD)?,
        };
        let length = base as usize + bits.read(more) as usize;
        let (base, more) = *LITERALS.get(usize::from(literals.symbol(literal))).ok_or(BAD)?;
        let before = base as usize + bits.read(more) as usize;
        if nth < count {
            literals.next(&mut literal, &mut bits);
            matches.next(&mut matched, &mut bits);
            offsets.next(&mut offset, &mut bits);
        }
        if bits.left() < 0 {
            return Err(BAD);
        }
        take(Sequence { literals: before, offset: distance, matched: length })?;
    }
    if bits.left() == 0 { Ok(()) } else { Err(BAD) }
}
