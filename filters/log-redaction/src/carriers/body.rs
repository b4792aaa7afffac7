//! A body as it is on the wire: its encoding undone, its records gone through, its encoding done again.

use super::leaves::Leaves;
use super::refusal::Refusal;
use super::{Carrier, Kind, Limits};
use crate::encodings::{Bounds, Decoder, Encoder, Encoding};

/// The reader of one body.
#[derive(Debug)]
pub struct Body {
    carrier: Carrier,
    decoder: Decoder,
    encoder: Option<Encoder>,
    /// What may go on and was not encoded.
    plain: Vec<u8>,
    /// One block of snappy is held whole, so it can go on as it came.
    original: Option<Vec<u8>>,
    refused: Option<Refusal>,
}

impl Body {
    /// Ready for a body of that kind that is encoded so. What goes on is encoded as [`Encoding::written`] says; the
    /// encoding of `OtlpGrpc` is of its messages, and its body has none.
    pub fn new(kind: Kind, encoding: Encoding, limits: Limits, bounds: Bounds) -> Self {
        Self {
            carrier: Carrier::new(kind, limits),
            decoder: Decoder::new(encoding, bounds),
            encoder: None,
            plain: Vec::new(),
            original: (encoding == Encoding::Snappy).then(Vec::new),
            refused: None,
        }
    }

    /// Reads a piece, the last one where it is the `end`, and appends to `out` what may go on.
    ///
    /// # Errors
    ///
    /// Why nothing more may go on; asked again it says the same.
    pub fn push(&mut self, bytes: &[u8], end: bool, leaves: &mut dyn Leaves, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let read = self.read(bytes, end, leaves, out);
        self.refused = read.err();
        read
    }

    fn read(&mut self, bytes: &[u8], end: bool, leaves: &mut dyn Leaves, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let (carrier, plain) = (&mut self.carrier, &mut self.plain);
        if let Some(original) = &mut self.original {
            original.extend_from_slice(bytes);
        }
        self.decoder.push(bytes, end, &mut |piece| carrier.push(piece, false, leaves, plain))?;
        if end {
            carrier.push(b"", true, leaves, plain)?;
            if let Some(original) = self.original.take()
                && carrier.counts().untouched()
            {
                out.extend_from_slice(&original);
                return Ok(());
            }
        }
        if end || !plain.is_empty() {
            let decoder = &self.decoder;
            self.encoder.get_or_insert_with(|| decoder.encoder()).push(plain, end, out)?;
            plain.clear();
        }
        Ok(())
    }

    /// What reads its records.
    pub fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// How many bytes are held, beside what the window of its encoding takes.
    pub fn held(&self) -> usize {
        self.carrier.held() + self.decoder.held() + self.original.as_ref().map_or(0, Vec::len)
    }
}
