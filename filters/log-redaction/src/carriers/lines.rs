//! Lines out of a text that comes in pieces. One that is too long is left out, without being held.

use super::refusal::{Cause, Refusal};
use crate::pieces::feed;

/// Reads one text.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The most bytes of a line.
    cap: usize,
    held: Vec<u8>,
    /// How much of it was looked through for an end of a line.
    looked: usize,
    /// Whether the line that is read is left out up to its end.
    skips: bool,
}

/// A line as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    pub(crate) text: &'t [u8],
    /// What ended it; nothing where the text ended.
    pub(crate) end: &'t [u8],
}

/// Says what becomes of a line; of `None`, that one was too long.
type Take<'a> = dyn FnMut(Option<Line<'_>>, &mut Vec<u8>) -> Result<(), Refusal> + 'a;

impl Lines {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, held: Vec::new(), looked: 0, skips: false }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Reads a piece.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
        take: &mut Take<'_>,
    ) -> Result<(), Refusal> {
        let (held, looked) = (std::mem::take(&mut self.held), self.looked);
        self.held = feed(held, bytes, |bytes| self.read(bytes, looked, out, take))?;
        self.looked = self.held.len();
        // The end of a line is not held, so that a line of just so many bytes is read whatever the pieces.
        if self.held.len() > self.cap + 1 {
            self.too_long(out, take)?;
        }
        if end && !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.looked = 0;
            if std::mem::take(&mut self.skips) {
                return Ok(());
            }
            self.line(Line { text: &held, end: b"" }, out, take)?;
        }
        Ok(())
    }

    fn too_long(&mut self, out: &mut Vec<u8>, take: &mut Take<'_>) -> Result<(), Refusal> {
        self.held.clear();
        self.looked = 0;
        if std::mem::replace(&mut self.skips, true) { Ok(()) } else { take(None, out) }
    }

    fn read(&mut self, bytes: &[u8], looked: usize, out: &mut Vec<u8>, take: &mut Take<'_>) -> Result<usize, Refusal> {
        let mut at = 0;
        let mut from = looked;
        while let Some(size) = memchr::memchr(b'\n', bytes.get(from..).unwrap_or_default()) {
            let end = from + size;
            let text = bytes.get(at..end).unwrap_or_default();
            let line = match text.strip_suffix(b"\r") {
                Some(text) => Line { text, end: b"\r\n" },
                None => Line { text, end: b"\n" },
            };
            (at, from) = (end + 1, end + 1);
            if !std::mem::take(&mut self.skips) {
                self.line(line, out, take)?;
            }
        }
        Ok(at)
    }

    fn line(&self, line: Line<'_>, out: &mut Vec<u8>, take: &mut Take<'_>) -> Result<(), Refusal> {
        if line.text.len() > self.cap { take(None, out) } else { take(Some(line), out) }
    }
}

/// Why a line that is too long is left out.
pub(crate) const TOO_LONG: Refusal = Refusal::new(Cause::TooLarge, "a line is longer than what is held of one");
