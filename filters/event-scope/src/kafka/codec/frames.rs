//! From the bytes of a connection to frames.

use std::error::Error;
use std::fmt;

/// Cuts what comes into frames, and holds what is not whole yet: never more than one frame of the largest size, and the
/// piece that was pushed last.
#[derive(Debug)]
pub struct Frames {
    /// Bytes not taken yet, behind those that were.
    held: Vec<u8>,
    taken: usize,
    largest: usize,
    failed: Option<FrameError>,
}

/// A length that no frame may have. Nothing that follows can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// The length that was said.
    pub length: i32,
    /// The largest that is taken.
    pub largest: usize,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, largest } = self;
        write!(f, "a frame of {length} bytes; from 1 to {largest} are taken")
    }
}

impl Error for FrameError {}

/// The size of a frame's length.
const PREFIX: usize = 4;
/// What is kept of the buffer between frames, in bytes: one large frame is no reason to hold its room for good.
const KEEP: usize = 64 * 1024;

impl Frames {
    /// Takes frames of `largest` bytes at most, without their length: Kafka's own bound is 100 MB
    /// (`socket.request.max.bytes`), and a connection holds that much at most.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self { held: Vec::new(), taken: 0, largest, failed: None }
    }

    /// From the next frame on, `largest` bytes are taken at most.
    pub fn bound(&mut self, largest: usize) {
        self.largest = largest;
    }

    /// Takes bytes as they come. After a [`FrameError`] they are thrown away.
    ///
    /// Take all frames with [`Frames::next`] between two calls: what was not taken is held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.held.drain(..self.taken);
        self.taken = 0;
        self.held.extend_from_slice(bytes);
        // At a quarter, so that frames of about this size do not move it up and down.
        if self.held.capacity() > KEEP && self.held.len() < self.held.capacity() / 4 {
            self.held.shrink_to(KEEP);
        }
    }

    /// The next whole frame, without its length; `None` until more bytes come.
    ///
    /// # Errors
    ///
    /// [`FrameError`], from then on always.
    #[expect(clippy::should_implement_trait, reason = "a frame borrows what is held")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, FrameError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let Some(prefix) = self.held.get(self.taken..).and_then(<[u8]>::first_chunk::<PREFIX>) else { return Ok(None) };
        let length = i32::from_be_bytes(*prefix);
        let size = usize::try_from(length).ok().filter(|size| (1..=self.largest).contains(size));
        let Some(size) = size else {
            let failed = FrameError { length, largest: self.largest };
            self.failed = Some(failed);
            (self.held, self.taken) = (Vec::new(), 0);
            return Err(failed);
        };
        let begin = self.taken + PREFIX;
        let Some(frame) = self.held.get(begin..begin.saturating_add(size)) else { return Ok(None) };
        self.taken = begin + size;
        Ok(Some(frame))
    }

    /// Whether bytes are held that make no whole frame: at the end of a stream, they never will.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.held.len() > self.taken
    }

    /// How many bytes are held and not taken.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len() - self.taken
    }

    /// How many bytes of memory are kept for them.
    #[must_use]
    pub fn room(&self) -> usize {
        self.held.capacity()
    }
}
