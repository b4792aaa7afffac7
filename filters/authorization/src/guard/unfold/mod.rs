//! Bodies that an app compressed though nobody asked it to: gzip (RFC 1952) and deflate, with the wrapping of zlib
//! (RFC 1950) or without (RFC 1951, as some servers send it), unfolded piece by piece in a window of fixed size.

mod checksum;
mod header;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_PARSE_ZLIB_HEADER,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::Refused;
use checksum::Crc32;
use header::Header;

/// How far back a match may reach: all of what DEFLATE allows.
const WINDOW: usize = 32 * 1024;
/// A body may unfold to so many times its size, and to this much more. What people write about their tenants does not
/// come near it; what is made to keep a filter busy goes ten times as far.
const RATIO: u64 = 100;
const FREE: u64 = 1024 * 1024;

/// How the bytes of a body are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`, `x-gzip`.
    Gzip,
    /// `deflate`.
    Deflate,
}

impl Coding {
    /// The one coding that the values of `content-encoding` name; `None` where they name none. More than one on top of
    /// each other, and any other, is refused.
    pub(super) fn of<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<Option<Self>, Refused> {
        let mut found = None;
        for name in values.flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii) {
            let coding = match name.to_ascii_lowercase().as_slice() {
                b"identity" | b"" => continue,
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"deflate" => Self::Deflate,
                _ => return Err(Refused::Invalid("it is encoded otherwise than by gzip or deflate")),
            };
            if found.replace(coding).is_some() {
                return Err(Refused::Invalid("it is encoded more than once"));
            }
        }
        Ok(found)
    }
}

/// The reader of one folded body.
pub(super) struct Unfold {
    state: State,
    inflater: Box<DecompressorOxide>,
    window: Box<[u8]>,
    /// Where in the window the next byte goes.
    at: usize,
    /// Of the member that is read: what its trailer must say.
    crc: Crc32,
    length: u32,
    /// Of the whole body: what came in, and what it unfolded to.
    read: u64,
    unfolded: u64,
}

enum State {
    /// Before or within the header of a member of gzip.
    GzipHeader(Header),
    /// The first byte of a deflate body, which tells little, while the second is not there.
    DeflateHeader(Option<u8>),
    /// The blocks, with the flags that the inflater wants.
    Blocks { flags: u32, gzip: bool },
    /// CRC and length behind a member of gzip.
    Trailer { have: [u8; 8], so_far: usize },
    /// A deflate body ended.
    Ended,
}

impl std::fmt::Debug for Unfold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unfold").field("read", &self.read).field("unfolded", &self.unfolded).finish_non_exhaustive()
    }
}

impl Unfold {
    pub(super) fn new(coding: Coding) -> Self {
        let state = match coding {
            Coding::Gzip => State::GzipHeader(Header::default()),
            Coding::Deflate => State::DeflateHeader(None),
        };
        let window = vec![0; WINDOW].into_boxed_slice();
        let (inflater, crc) = (Box::default(), Crc32::default());
        Self { state, inflater, window, at: 0, crc, length: 0, read: 0, unfolded: 0 }
    }

    /// Reads on, and hands what unfolds to `take`, in pieces of no more than the window.
    pub(super) fn read(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.read += bytes.len() as u64;
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::GzipHeader(header) => {
                    bytes = rest;
                    if header.next(first)? {
                        self.state = State::Blocks { flags: 0, gzip: true };
                    }
                }
                State::DeflateHeader(None) => {
                    bytes = rest;
                    self.state = State::DeflateHeader(Some(first));
                }
                State::DeflateHeader(Some(before)) => {
                    let (before, flags) = (*before, zlib_flags(*before, first));
                    self.state = State::Blocks { flags, gzip: false };
                    // The byte that was kept goes first; it ends no body, since this one follows.
                    self.inflate(&[before], &mut take)?;
                }
                State::Blocks { .. } => {
                    let used = self.inflate(bytes, &mut take)?;
                    bytes = bytes.get(used..).unwrap_or_default();
                }
                State::Trailer { have, so_far } => {
                    bytes = rest;
                    if let Some(place) = have.get_mut(*so_far) {
                        *place = first;
                    }
                    *so_far += 1;
                    if *so_far == have.len() {
                        let have = u64::from_le_bytes(*have);
                        self.member_ends(have)?;
                    }
                }
                State::Ended => return Err(Refused::Invalid("something follows the deflated body")),
            }
        }
        Ok(())
    }

    /// The body ended here.
    pub(super) fn finish(&self) -> Result<(), Refused> {
        match &self.state {
            State::GzipHeader(header) if header.is_at_start() => Ok(()),
            State::DeflateHeader(None) | State::Ended => Ok(()),
            _ => Err(Refused::Cut),
        }
    }

    /// Unfolds until the bytes are used up or the blocks end. Gives how many bytes were used.
    fn inflate(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8]) -> Result<(), Refused>) -> Result<usize, Refused> {
        let State::Blocks { flags, gzip } = self.state else { return Ok(0) };
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let flags = flags | TINFL_FLAG_HAS_MORE_INPUT;
            let (status, read, written) = decompress(&mut self.inflater, rest, &mut self.window, self.at, flags);
            used += read;
            let piece = self.window.get(self.at..self.at + written).unwrap_or_default();
            self.unfolded += written as u64;
            if self.unfolded > FREE + RATIO * self.read {
                return Err(Refused::Invalid("it unfolds to far more than any text does"));
            }
            if gzip {
                self.crc.add(piece);
                self.length = self.length.wrapping_add(written as u32);
            }
            take(piece)?;
            self.at = (self.at + written) % WINDOW;
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return Ok(used),
                TINFLStatus::Done => {
                    self.state = if gzip { State::Trailer { have: [0; 8], so_far: 0 } } else { State::Ended };
                    return Ok(used);
                }
                _ => return Err(Refused::Invalid("it is not what its encoding says")),
            }
        }
    }

    fn member_ends(&mut self, trailer: u64) -> Result<(), Refused> {
        let (crc, length) = (trailer as u32, (trailer >> 32) as u32);
        if (crc, length) != (self.crc.value(), self.length) {
            return Err(Refused::Invalid("its checksum or length is not what its end says"));
        }
        // Another member may follow.
        (self.crc, self.length) = (Crc32::default(), 0);
        *self.inflater = DecompressorOxide::new();
        self.at = 0;
        self.state = State::GzipHeader(Header::default());
        Ok(())
    }
}

/// What the inflater is to expect behind these first two bytes: RFC 1950 lets them be told from blocks without wrapping.
fn zlib_flags(first: u8, second: u8) -> u32 {
    let is_zlib = first & 0x0F == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31);
    if is_zlib { TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32 } else { 0 }
}
