//! Encodings of bodies: undone piece by piece in bounded memory, and done again at the fastest level.
//!
//! | name                 | read                          | written again as |
//! |----------------------|-------------------------------|------------------|
//! | `gzip`, `x-gzip`     | RFC 1952                      | `gzip`           |
//! | `deflate`, `zlib`    | RFC 1950, or RFC 1951 alone   | `deflate`        |
//! | `zstd`               | RFC 8878                      | `gzip`           |
//! | `snappy`             | a block, or the framed format | what it was      |
//! | `x-snappy-framed`    | the framed format             | the same         |

mod deflate;
mod snappy;
mod zstd;

use crate::carriers::{Cause, Refusal};

/// How bytes are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip, RFC 1952.
    Gzip,
    /// zlib, RFC 1950; read without its wrapping too.
    Deflate,
    /// Zstandard, RFC 8878.
    Zstd,
    /// One block of snappy, which is held whole:
    /// <https://github.com/google/snappy/blob/main/format_description.txt>. What begins as the framed format does is that.
    Snappy,
    /// <https://github.com/google/snappy/blob/main/framing_format.txt>.
    SnappyFramed,
}

impl Encoding {
    /// The one encoding that values of `content-encoding` or `grpc-encoding` name.
    ///
    /// # Errors
    ///
    /// One that is not read here, or more than one.
    pub fn of<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<Self, Refusal> {
        let mut found = Self::Identity;
        for name in values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
            let encoding = match name.to_ascii_lowercase().as_slice() {
                b"" | b"identity" => continue,
                b"gzip" | b"x-gzip" => Self::Gzip,
                b"deflate" | b"zlib" => Self::Deflate,
                b"zstd" => Self::Zstd,
                b"snappy" => Self::Snappy,
                b"x-snappy-framed" => Self::SnappyFramed,
                _ => return Err(Refusal::new(Cause::Encoding, "it is encoded in a way that is not read here")),
            };
            if found != Self::Identity {
                return Err(Refusal::new(Cause::Encoding, "it is encoded more than once"));
            }
            found = encoding;
        }
        Ok(found)
    }

    /// How it is written again.
    pub const fn written(self) -> Self {
        match self {
            Self::Zstd => Self::Gzip,
            other => other,
        }
    }

    /// Its name in a header; nothing where there is to be none.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
            Self::Zstd => Some("zstd"),
            Self::Snappy => Some("snappy"),
            Self::SnappyFramed => Some("x-snappy-framed"),
        }
    }
}

/// What a body may unfold to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes at most.
    pub most: usize,
    /// So many times its size at most, and `free` more. Telemetry is folded to a tenth, seldom to a fiftieth; what is made
    /// to keep a filter busy goes to a thousandth.
    pub ratio: usize,
    /// Bytes that do not count for `ratio`.
    pub free: usize,
    /// Bytes of a block of snappy, which is held whole.
    pub block: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { most: 64 << 20, ratio: 200, free: 1 << 20, block: 4 << 20 }
    }
}

/// Counts what comes in and unfolds.
#[derive(Clone, Copy, Debug)]
struct Meter {
    bounds: Bounds,
    read: usize,
    unfolded: usize,
}

impl Meter {
    fn more(&mut self, unfolded: usize) -> Result<(), Refusal> {
        self.unfolded = self.unfolded.saturating_add(unfolded);
        if self.unfolded > self.bounds.most {
            return Err(Refusal::new(Cause::TooLarge, "it unfolds to more than a body may have"));
        }
        if self.unfolded > self.read.saturating_mul(self.bounds.ratio).saturating_add(self.bounds.free) {
            return Err(Refusal::new(Cause::Ratio, "it unfolds to far more than telemetry does"));
        }
        Ok(())
    }
}

/// Takes what unfolds, in pieces.
pub type Take<'a> = dyn FnMut(&[u8]) -> Result<(), Refusal> + 'a;

/// Undoes the encoding of one body.
#[derive(Debug)]
pub struct Decoder {
    kind: Kind,
    meter: Meter,
}

#[derive(Debug)]
enum Kind {
    Identity,
    Deflate(Box<deflate::Inflate>),
    Snappy(snappy::Block),
    Framed(snappy::Framed),
    Zstd(Box<zstd::Zstd>),
}

impl Decoder {
    /// Ready for a body that is encoded so.
    pub fn new(encoding: Encoding, bounds: Bounds) -> Self {
        let kind = match encoding {
            Encoding::Identity => Kind::Identity,
            Encoding::Gzip => Kind::Deflate(Box::new(deflate::Inflate::gzip())),
            Encoding::Deflate => Kind::Deflate(Box::new(deflate::Inflate::deflate())),
            Encoding::Zstd => Kind::Zstd(Box::default()),
            Encoding::Snappy => Kind::Snappy(snappy::Block::default()),
            Encoding::SnappyFramed => Kind::Framed(snappy::Framed::default()),
        };
        Self { kind, meter: Meter { bounds, read: 0, unfolded: 0 } }
    }

    /// Reads a piece, the last where it is the `end`, and hands on what unfolds.
    ///
    /// # Errors
    ///
    /// Why nothing more is read; or what `take` said.
    pub fn push(&mut self, bytes: &[u8], end: bool, take: &mut Take<'_>) -> Result<(), Refusal> {
        self.meter.read = self.meter.read.saturating_add(bytes.len());
        let meter = &mut self.meter;
        match &mut self.kind {
            Kind::Identity => {
                meter.more(bytes.len())?;
                take(bytes)
            }
            Kind::Deflate(inflate) => inflate.push(bytes, end, meter, take),
            Kind::Snappy(block) => block.push(bytes, end, meter, take),
            Kind::Framed(framed) => framed.push(bytes, end, meter, take),
            Kind::Zstd(zstd) => zstd.push(bytes, end, meter, take),
        }
    }

    /// Whether what it read is in the framed format of snappy, though it was only said to be snappy.
    fn is_framed(&self) -> bool {
        matches!(&self.kind, Kind::Framed(_)) || matches!(&self.kind, Kind::Snappy(block) if block.is_framed())
    }

    /// Writes again what this reads; known when some of it was read.
    pub fn encoder(&self) -> Encoder {
        match &self.kind {
            Kind::Identity => Encoder::new(Encoding::Identity),
            Kind::Deflate(inflate) if inflate.is_gzip() => Encoder::new(Encoding::Gzip),
            Kind::Deflate(_) => Encoder::new(Encoding::Deflate),
            Kind::Zstd(_) => Encoder::new(Encoding::Zstd.written()),
            Kind::Snappy(_) | Kind::Framed(_) if self.is_framed() => Encoder::new(Encoding::SnappyFramed),
            Kind::Snappy(_) | Kind::Framed(_) => Encoder::new(Encoding::Snappy),
        }
    }

    /// How many bytes are held, beside what the format's window takes.
    pub fn held(&self) -> usize {
        match &self.kind {
            Kind::Identity | Kind::Deflate(_) => 0,
            Kind::Snappy(block) => block.held(),
            Kind::Framed(framed) => framed.held(),
            Kind::Zstd(zstd) => zstd.held(),
        }
    }
}

/// Encodes one body.
#[derive(Debug)]
pub struct Encoder(Writer);

#[derive(Debug)]
enum Writer {
    Identity,
    Deflate(Box<deflate::Deflate>),
    Snappy(Vec<u8>),
    Framed(Box<snap::write::FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    /// Ready to write so; what is not written here is written as it is [said](Encoding::written).
    pub fn new(encoding: Encoding) -> Self {
        Self(match encoding.written() {
            Encoding::Identity => Writer::Identity,
            Encoding::Gzip | Encoding::Zstd => Writer::Deflate(Box::new(deflate::Deflate::gzip())),
            Encoding::Deflate => Writer::Deflate(Box::new(deflate::Deflate::zlib())),
            Encoding::Snappy => Writer::Snappy(Vec::new()),
            Encoding::SnappyFramed => Writer::Framed(Box::new(snap::write::FrameEncoder::new(Vec::new()))),
        })
    }

    /// Encodes a piece, the last where it is the `end`; appends to `out` what is ready.
    ///
    /// # Errors
    ///
    /// It is longer than the encoding allows.
    pub fn push(&mut self, bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match &mut self.0 {
            Writer::Identity => out.extend_from_slice(bytes),
            Writer::Deflate(deflate) => deflate.push(bytes, end, out)?,
            Writer::Snappy(held) => {
                held.extend_from_slice(bytes);
                if end {
                    out.extend(snap::raw::Encoder::new().compress_vec(held).map_err(|_| snappy::LARGE)?);
                }
            }
            Writer::Framed(encoder) => snappy::write_framed(encoder, bytes, end, out)?,
        }
        Ok(())
    }
}

/// Appends what a body that is there whole unfolds to; gives what writes it again.
///
/// # Errors
///
/// Why it is refused.
pub fn decode(encoding: Encoding, body: &[u8], bounds: Bounds, out: &mut Vec<u8>) -> Result<Encoder, Refusal> {
    let mut decoder = Decoder::new(encoding, bounds);
    decoder.push(body, true, &mut |piece| {
        out.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(decoder.encoder())
}
