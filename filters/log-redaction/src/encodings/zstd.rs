//! Zstandard, RFC 8878: frames of blocks of up to 128 KiB, whatever they hold. A reader of our own, since those there are
//! take what one block unfolds to for as long as there is memory, or need C.
//!
//! A dictionary is refused, and so is a window beyond 8 MiB, which readers need not have. Checksums are not compared: what
//! was read is what is gone through, and what goes on.

mod bits;
mod fse;
mod huffman;
mod sequences;

use huffman::Codes;
use sequences::Tables;

use super::{Meter, Take};
use crate::carriers::{Cause, Refusal};
use crate::pieces::feed;

const BAD: Refusal = Refusal::undecodable("it is not what its encoding says");
const CUT: Refusal = Refusal::new(Cause::Truncated, "the encoded body is cut off");
const MAGIC: u32 = 0xFD2F_B528;
const SKIPPED: u32 = 0x184D_2A50;
const BLOCK: usize = 128 * 1024;
/// "it's recommended for decoders to support a Window_Size of up to 8 MB": 3.1.1.1.2.
const WINDOW: u64 = 8 << 20;

/// Reads one body.
#[derive(Debug, Default)]
pub(super) struct Zstd {
    held: Vec<u8>,
    state: State,
    frame: Frame,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before a frame.
    #[default]
    Head,
    /// Before a block.
    Block,
    /// Before the checksum.
    Checksum,
    /// Within what is skipped.
    Skip(u32),
}

/// What a frame has read.
#[derive(Debug, Default)]
struct Frame {
    window: usize,
    checksum: bool,
    /// What it unfolded to, as far back as a match may reach.
    text: Vec<u8>,
    codes: Option<Codes>,
    tables: Tables,
    offsets: [u64; 3],
    literals: Vec<u8>,
}

impl Zstd {
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        meter: &mut Meter,
        take: &mut Take<'_>,
    ) -> Result<(), Refusal> {
        let held = std::mem::take(&mut self.held);
        self.held = feed(held, bytes, |bytes| {
            let mut at = 0;
            while let Some(size) = self.step(bytes.get(at..).unwrap_or_default(), meter, take)? {
                at += size;
            }
            Ok::<_, Refusal>(at)
        })?;
        if end && (self.state != State::Head || !self.held.is_empty()) { Err(CUT) } else { Ok(()) }
    }

    /// Reads the next part; gives its size, or `None` where it is not there whole.
    fn step(&mut self, bytes: &[u8], meter: &mut Meter, take: &mut Take<'_>) -> Result<Option<usize>, Refusal> {
        match self.state {
            State::Head => self.head(bytes),
            State::Skip(0) => {
                self.state = State::Head;
                Ok(Some(0))
            }
            State::Skip(left) => {
                let size = bytes.len().min(left as usize);
                self.state = State::Skip(left - size as u32);
                Ok(Some(size).filter(|size| *size > 0))
            }
            State::Checksum if bytes.len() < 4 => Ok(None),
            State::Checksum => {
                self.state = State::Head;
                Ok(Some(4))
            }
            State::Block => {
                let Some([a, b, c]) = bytes.first_chunk::<3>() else { return Ok(None) };
                let head = u32::from_le_bytes([*a, *b, *c, 0]);
                let (last, kind, size) = (head & 1 == 1, head >> 1 & 3, (head >> 3) as usize);
                if size > BLOCK.min(self.frame.window.max(1)) {
                    return Err(Refusal::new(Cause::Length, "a block of zstd is longer than any may be"));
                }
                let length = if kind == 1 { 1 } else { size };
                let Some(body) = bytes.get(3..3 + length) else { return Ok(None) };
                let begin = self.frame.text.len();
                match (kind, body) {
                    (0, body) => self.frame.text.extend_from_slice(body),
                    (1, [byte]) => self.frame.text.extend(std::iter::repeat_n(*byte, size)),
                    (2, body) => self.frame.block(body)?,
                    _ => return Err(BAD),
                }
                let new = self.frame.text.get(begin..).unwrap_or_default();
                meter.more(new.len())?;
                if !new.is_empty() {
                    take(new)?;
                }
                self.frame.forget();
                if last {
                    self.state = if self.frame.checksum { State::Checksum } else { State::Head };
                    self.frame.text.clear();
                }
                Ok(Some(3 + length))
            }
        }
    }

    /// The header of a frame, or of what is skipped.
    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some((magic, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let magic = u32::from_le_bytes(*magic);
        if magic & !15 == SKIPPED {
            let Some(size) = rest.first_chunk::<4>() else { return Ok(None) };
            self.state = State::Skip(u32::from_le_bytes(*size));
            return Ok(Some(8));
        }
        if magic != MAGIC {
            return Err(BAD);
        }
        let Some((descriptor, rest)) = rest.split_first() else { return Ok(None) };
        let single = descriptor & 0x20 != 0;
        if descriptor & 8 != 0 {
            return Err(BAD);
        }
        if descriptor & 3 != 0 {
            return Err(Refusal::new(Cause::Encoding, "it is encoded by a dictionary, which nobody said"));
        }
        let content = match (descriptor >> 6, single) {
            (0, false) => 0,
            (0, true) => 1,
            (1, _) => 2,
            (2, _) => 4,
            _ => 8,
        };
        let size = usize::from(!single) + content;
        let Some(rest) = rest.get(..size) else { return Ok(None) };
        let window = if single {
            let value = rest.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            if content == 2 { value + 256 } else { value }
        } else {
            let byte = *rest.first().ok_or(BAD)?;
            let base = 1_u64 << (10 + (byte >> 3));
            base + (base >> 3) * u64::from(byte & 7)
        };
        if window > WINDOW {
            return Err(Refusal::new(Cause::TooLarge, "its window is larger than 8 MiB"));
        }
        self.frame.begin(usize::try_from(window).map_err(|_| BAD)?, descriptor & 4 != 0);
        self.state = State::Block;
        Ok(Some(5 + size))
    }
}

impl Frame {
    fn begin(&mut self, window: usize, checksum: bool) {
        let (mut text, mut literals) = (std::mem::take(&mut self.text), std::mem::take(&mut self.literals));
        text.clear();
        literals.clear();
        *self = Self { window, checksum, text, literals, offsets: [1, 4, 8], ..Self::default() };
    }

    /// Lets go of what no match reaches; not each time, since what is kept is moved.
    fn forget(&mut self) {
        let most = 2 * self.window + BLOCK;
        if self.text.len() > most {
            let far = self.text.len() - self.window;
            self.text.drain(..far);
        }
    }

    /// A block of literals and sequences.
    fn block(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let size = self.literals(bytes)?;
        let rest = bytes.get(size..).ok_or(BAD)?;
        let Self { text, tables, offsets, literals, window, .. } = self;
        let end = text.len() + BLOCK;
        let mut used = 0;
        sequences::read(rest, tables, |sequence| {
            let before = literals.get(used..used + sequence.literals).ok_or(BAD)?;
            used += sequence.literals;
            text.extend_from_slice(before);
            let back = distance(offsets, sequence.offset, sequence.literals == 0)?;
            let back = usize::try_from(back)
                .ok()
                .filter(|back| *back > 0 && *back <= *window && *back <= text.len())
                .ok_or(BAD)?;
            // INVARIANT: a block never adds more than its size, so what is held is bounded.
            if text.len() + sequence.matched > end {
                return Err(Refusal::new(Cause::Length, "a block of zstd unfolds to more than any may"));
            }
            repeat(text, back, sequence.matched);
            Ok(())
        })?;
        text.extend_from_slice(literals.get(used..).unwrap_or_default());
        if text.len() > end {
            return Err(Refusal::new(Cause::Length, "a block of zstd unfolds to more than any may"));
        }
        Ok(())
    }

    /// The literals of a block; gives the size of their section.
    fn literals(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let word = bytes.iter().take(5).rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        let (kind, format) = (word & 3, word >> 2 & 3);
        self.literals.clear();
        if kind < 2 {
            let (head, size) = match format {
                0 | 2 => (1, word >> 3 & 0x1F),
                1 => (2, word >> 4 & 0xFFF),
                _ => (3, word >> 4 & 0xF_FFFF),
            };
            let size = usize::try_from(size).ok().filter(|size| *size <= BLOCK).ok_or(BAD)?;
            let body = bytes.get(head..).ok_or(BAD)?;
            if kind == 1 {
                let byte = *body.first().ok_or(BAD)?;
                self.literals.resize(size, byte);
                return Ok(head + 1);
            }
            self.literals.extend_from_slice(body.get(..size).ok_or(BAD)?);
            return Ok(head + size);
        }
        let (head, width) = match format {
            0 | 1 => (3, 10),
            2 => (4, 14),
            _ => (5, 18),
        };
        let part = |shift: u64| (word >> shift & ((1 << width) - 1)) as usize;
        let (size, folded) = (part(4), part(4 + width));
        if size > BLOCK {
            return Err(BAD);
        }
        let mut body = bytes.get(head..head + folded).ok_or(BAD)?;
        if kind == 2 {
            let (codes, used) = Codes::read(body)?;
            self.codes = Some(codes);
            body = body.get(used..).ok_or(BAD)?;
        }
        let codes = self.codes.as_ref().ok_or(BAD)?;
        if format == 0 {
            codes.stream(body, size, &mut self.literals)?;
            return Ok(head + folded);
        }
        let (jumps, mut streams) = body.split_first_chunk::<6>().ok_or(BAD)?;
        let each = size.div_ceil(4);
        for pair in jumps.chunks_exact(2) {
            let length = pair.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
            let (stream, rest) = streams.split_at_checked(length).ok_or(BAD)?;
            codes.stream(stream, each, &mut self.literals)?;
            streams = rest;
        }
        let last = size.checked_sub(3 * each).ok_or(BAD)?;
        codes.stream(streams, last, &mut self.literals)?;
        Ok(head + folded)
    }
}

/// How far back a match is: as it says, or as one of the last three was.
fn distance(last: &mut [u64; 3], written: u64, no_literals: bool) -> Result<u64, Refusal> {
    let [first, second, third] = *last;
    let distance = match (written, no_literals) {
        (1, false) => return Ok(first),
        (2, false) | (1, true) => {
            *last = [second, first, third];
            return Ok(second);
        }
        (3, false) | (2, true) => third,
        (3, true) => first.checked_sub(1).filter(|distance| *distance > 0).ok_or(BAD)?,
        (written, _) => written.checked_sub(3).ok_or(BAD)?,
    };
    *last = [distance, first, second];
    Ok(distance)
}

/// Appends what stands so far back, which may reach into what is appended.
fn repeat(text: &mut Vec<u8>, back: usize, mut size: usize) {
    let begin = text.len() - back;
    while size > 0 {
        let piece = (text.len() - begin).min(size);
        text.extend_from_within(begin..begin + piece);
        size -= piece;
    }
}
