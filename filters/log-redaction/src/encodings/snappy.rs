//! Snappy: a block, which says how long it unfolds to and is held whole, and the framed format, of chunks of up to 64 KiB.

use std::io::Write as _;

use super::{Meter, Take};
use crate::carriers::{Cause, Refusal};
use crate::pieces::feed;

pub(super) const LARGE: Refusal = Refusal::new(Cause::TooLarge, "it is larger than snappy can be");
const BAD: Refusal = Refusal::undecodable("it is not what its encoding says");
const CUT: Refusal = Refusal::new(Cause::Truncated, "the encoded body is cut off");

/// What the framed format begins with. No block does: the copy that its fifth byte would be reaches too far back.
const MAGIC: &[u8] = b"\xFF\x06\x00\x00sNaPpY";

/// Reads a block.
#[derive(Debug, Default)]
pub(super) struct Block {
    held: Vec<u8>,
    /// Where it turned out to be framed.
    framed: Option<Framed>,
}

impl Block {
    pub(super) fn held(&self) -> usize {
        self.held.len() + self.framed.as_ref().map_or(0, Framed::held)
    }

    pub(super) fn is_framed(&self) -> bool {
        self.framed.is_some()
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        meter: &mut Meter,
        take: &mut Take<'_>,
    ) -> Result<(), Refusal> {
        if let Some(framed) = &mut self.framed {
            return framed.push(bytes, end, meter, take);
        }
        self.held.extend_from_slice(bytes);
        if self.held.starts_with(MAGIC) {
            let held = std::mem::take(&mut self.held);
            return self.framed.insert(Framed::default()).push(&held, end, meter, take);
        }
        // A block is never longer than a sixth more than what it unfolds to, and a little.
        if self.held.len() > snap::raw::max_compress_len(meter.bounds.block) {
            return Err(Refusal::new(Cause::TooLarge, "it is larger than what is held of a body"));
        }
        if !end || self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let text = block(&held, meter)?;
        take(&text)
    }
}

/// What a block unfolds to. It says first how long that is, so nothing is held that is too long.
fn block(bytes: &[u8], meter: &mut Meter) -> Result<Vec<u8>, Refusal> {
    let length = snap::raw::decompress_len(bytes).map_err(|_| BAD)?;
    if length > meter.bounds.block {
        return Err(Refusal::new(Cause::TooLarge, "a block of snappy unfolds to more than is held of one"));
    }
    meter.more(length)?;
    snap::raw::Decoder::new().decompress_vec(bytes).map_err(|_| BAD)
}

/// Reads the framed format.
#[derive(Debug, Default)]
pub(super) struct Framed {
    held: Vec<u8>,
    /// Whether it began as it must.
    begun: bool,
}

/// The most bytes of a chunk, as read and as what it unfolds to.
const CHUNK: usize = 1 << 16;

impl Framed {
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
        self.held = feed(held, bytes, |bytes| self.chunks(bytes, meter, take))?;
        if end && !self.held.is_empty() { Err(CUT) } else { Ok(()) }
    }

    /// Reads the chunks that are whole; gives how many bytes those were.
    fn chunks(&mut self, bytes: &[u8], meter: &mut Meter, take: &mut Take<'_>) -> Result<usize, Refusal> {
        let mut at = 0;
        while let Some([kind, a, b, c]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            let size = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
            // Four bytes of checksum before the data; a block of 64 KiB may be folded to a little more.
            if size > snap::raw::max_compress_len(CHUNK) + 4 {
                return Err(Refusal::new(Cause::Length, "a chunk of snappy is longer than any may be"));
            }
            let Some(body) = bytes.get(at + 4..at + 4 + size) else { break };
            self.chunk(*kind, body, meter, take)?;
            at += 4 + size;
        }
        Ok(at)
    }

    fn chunk(&mut self, kind: u8, body: &[u8], meter: &mut Meter, take: &mut Take<'_>) -> Result<(), Refusal> {
        if !self.begun && kind != 0xFF {
            return Err(BAD);
        }
        match kind {
            0xFF if Some(body) == MAGIC.get(4..) => {
                self.begun = true;
                Ok(())
            }
            0x00 => {
                let text = body.get(4..).ok_or(BAD)?;
                if snap::raw::decompress_len(text).map_err(|_| BAD)? > CHUNK {
                    return Err(Refusal::new(Cause::Length, "a chunk of snappy unfolds to more than any may"));
                }
                take(&block(text, meter)?)
            }
            0x01 => {
                let text = body.get(4..).filter(|text| text.len() <= CHUNK).ok_or(BAD)?;
                meter.more(text.len())?;
                take(text)
            }
            // Padding, and what readers skip.
            0x80..=0xFE => Ok(()),
            _ => Err(BAD),
        }
    }
}

/// Writes the framed format.
pub(super) fn write_framed(
    encoder: &mut snap::write::FrameEncoder<Vec<u8>>,
    bytes: &[u8],
    end: bool,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    encoder.write_all(bytes).map_err(|_| LARGE)?;
    if end {
        encoder.flush().map_err(|_| LARGE)?;
    }
    out.append(encoder.get_mut());
    Ok(())
}
