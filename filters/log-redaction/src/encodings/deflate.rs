//! gzip and deflate, by zlib-rs.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Meter, Take};
use crate::carriers::{Cause, Refusal};

/// How far back a match may reach: all of what DEFLATE allows, as a power of two.
const WINDOW: u8 = 15;
/// What unfolds is handed on in pieces of so many bytes.
const PIECE: usize = 64 * 1024;
const BAD: Refusal = Refusal::undecodable("it is not what its encoding says");
const CUT: Refusal = Refusal::new(Cause::Truncated, "the encoded body is cut off");

/// Reads one body.
#[derive(Debug)]
pub(super) struct Inflate {
    inflater: Option<Decompress>,
    gzip: bool,
    /// The first byte of a deflate body, which tells little, while the second is not there.
    first: Option<u8>,
    state: State,
    piece: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came so far; of gzip, nothing of the next member.
    Before {
        any: bool,
    },
    Within,
    /// A deflate body ended.
    Over,
}

impl Inflate {
    pub(super) fn gzip() -> Self {
        Self { inflater: None, gzip: true, first: None, state: State::Before { any: false }, piece: Vec::new() }
    }

    pub(super) fn deflate() -> Self {
        Self { gzip: false, ..Self::gzip() }
    }

    pub(super) fn is_gzip(&self) -> bool {
        self.gzip
    }

    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        end: bool,
        meter: &mut Meter,
        take: &mut Take<'_>,
    ) -> Result<(), Refusal> {
        while let Some((first, rest)) = bytes.split_first() {
            match self.state {
                State::Over => return Err(Refusal::undecodable("something follows the encoded body")),
                State::Before { .. } if self.gzip => {
                    self.inflater = Some(Decompress::new_gzip(WINDOW));
                    self.state = State::Within;
                }
                State::Before { .. } => match self.first.take() {
                    None => {
                        self.first = Some(*first);
                        bytes = rest;
                    }
                    Some(before) => {
                        self.inflater = Some(Decompress::new(is_zlib(before, *first)));
                        self.state = State::Within;
                        self.inflate(&[before], meter, take)?;
                    }
                },
                State::Within => {
                    let used = self.inflate(bytes, meter, take)?;
                    bytes = bytes.get(used..).unwrap_or_default();
                }
            }
        }
        if !end {
            return Ok(());
        }
        match self.state {
            State::Over | State::Before { any: true } => Ok(()),
            State::Before { any: false } if self.first.is_none() => Ok(()),
            State::Before { .. } | State::Within => Err(CUT),
        }
    }

    /// Unfolds until the bytes are used up or the body ends; gives how many were used.
    fn inflate(&mut self, bytes: &[u8], meter: &mut Meter, take: &mut Take<'_>) -> Result<usize, Refusal> {
        let Some(inflater) = &mut self.inflater else { return Err(BAD) };
        let begin = inflater.total_in();
        self.piece.clear();
        self.piece.reserve_exact(PIECE);
        loop {
            let used = usize::try_from(inflater.total_in() - begin).map_err(|_| BAD)?;
            self.piece.clear();
            let rest = bytes.get(used..).unwrap_or_default();
            let status = inflater.decompress_vec(rest, &mut self.piece, FlushDecompress::None).map_err(|_| BAD)?;
            let after = usize::try_from(inflater.total_in() - begin).map_err(|_| BAD)?;
            meter.more(self.piece.len())?;
            if !self.piece.is_empty() {
                take(&self.piece)?;
            }
            match status {
                Status::StreamEnd => {
                    self.state = if self.gzip { State::Before { any: true } } else { State::Over };
                    return Ok(after);
                }
                Status::Ok | Status::BufError => {
                    // All was read, and all of what that unfolds to was handed on.
                    if after == bytes.len() && self.piece.len() < self.piece.capacity() {
                        return Ok(after);
                    }
                    if after == used && self.piece.is_empty() {
                        return Err(BAD);
                    }
                }
            }
        }
    }
}

/// RFC 1950 lets its first two bytes be told from blocks without wrapping.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0F == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

/// Writes one body, at the fastest level.
#[derive(Debug)]
pub(super) struct Deflate(Compress);

impl Deflate {
    pub(super) fn gzip() -> Self {
        Self(Compress::new_gzip(Compression::fast(), WINDOW))
    }

    pub(super) fn zlib() -> Self {
        Self(Compress::new(Compression::fast(), true))
    }

    pub(super) fn push(&mut self, bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let begin = self.0.total_in();
        let flush = if end { FlushCompress::Finish } else { FlushCompress::None };
        loop {
            let used = usize::try_from(self.0.total_in() - begin).map_err(|_| BAD)?;
            let rest = bytes.get(used..).unwrap_or_default();
            if rest.is_empty() && !end {
                return Ok(());
            }
            out.reserve(rest.len() / 4 + 1024);
            let status = self.0.compress_vec(rest, out, flush).map_err(|_| BAD)?;
            if status == Status::StreamEnd {
                return Ok(());
            }
        }
    }
}
