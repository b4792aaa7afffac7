//! From the bytes of a connection to frames.

use std::error::Error;
use std::fmt;

use super::rest::Rest;

/// Cuts what comes into frames, and holds what is not whole yet: never more than one frame of the largest size, and the
/// piece that was pushed last.
///
/// Its room grows with what has come, to twice of it at most and not beyond the frame at hand: nothing is allocated for
/// a length alone. Connections carry many frames of about one size, so the room stays until some frames in a row
/// had no use for it.
#[derive(Debug)]
pub struct Frames {
    /// Bytes not taken yet, behind those that were.
    held: Vec<u8>,
    taken: usize,
    largest: usize,
    failed: Option<FrameError>,
    /// What of a frame is yet to come that went on before it was there.
    rest: Rest,
    /// How often the frame at hand was looked at before it was there.
    looks: u8,
    /// How many frames in a row were far smaller than the room.
    small: u8,
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
/// What is kept of the buffer for good, in bytes.
const KEEP: usize = 64 * 1024;
/// After how many small frames in a row the room of a large one is given back. A consumer that has caught up hears from
/// its broker twice a second.
const PATIENCE: u8 = 32;
/// How often a frame is looked at before it is there.
const LOOKS: u8 = 4;
/// How many times larger than a frame the room is that is not for frames of its size.
const FAR: usize = 4;

/// The frame that begins here and is not there as a whole: its first bytes, without its length, and its size.
#[must_use]
pub fn begun(bytes: &[u8], largest: usize) -> Option<(&[u8], usize)> {
    let (length, begin) = bytes.split_first_chunk::<PREFIX>()?;
    let size = usize::try_from(i32::from_be_bytes(*length)).ok()?;
    (size <= largest && size > begin.len()).then_some((begin, size))
}

impl Frames {
    /// Takes frames of `largest` bytes at most, without their length: Kafka's own bound is 100 MB
    /// (`socket.request.max.bytes`), and a connection holds that much at most.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self { held: Vec::new(), taken: 0, largest, failed: None, rest: Rest::default(), looks: 0, small: 0 }
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
        self.grow(bytes);
        self.held.extend_from_slice(bytes);
    }

    /// How many of `bytes`, which come next, belong to the frame at hand: what is behind them may be whole as it is.
    #[must_use]
    pub fn missing(&self, bytes: &[u8]) -> usize {
        let held = self.held.get(self.taken..).unwrap_or_default();
        // Of a prefix that is not all there yet, `bytes` are all.
        let mut prefix = [0; PREFIX];
        prefix.iter_mut().zip(held.iter().chain(bytes)).for_each(|(to, from)| *to = *from);
        // A length that none may have is told as soon as it is there.
        let size = usize::try_from(i32::from_be_bytes(prefix)).unwrap_or(0);
        size.saturating_add(PREFIX).saturating_sub(held.len()).min(bytes.len())
    }

    /// The frame that is held in part: its first bytes, without its length, and its size.
    #[must_use]
    pub fn begun(&self) -> Option<(&[u8], usize)> {
        begun(self.held.get(self.taken..)?, self.largest)
    }

    /// The frame whose first bytes are here went on to its [`Rest`]: nothing of it is held any more.
    pub fn opened(&mut self, rest: Rest) {
        self.rest = rest;
        self.passed(rest.size());
        self.taken = self.held.len();
    }

    /// Whether a frame goes on that is not there as a whole.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rest.size() > 0
    }

    /// Whether to look at the frame at hand before it is there: what comes in many pieces is not looked through with each
    /// of them.
    pub fn may_look(&mut self) -> bool {
        self.looks = self.looks.saturating_add(1);
        self.looks <= LOOKS
    }

    /// What of a frame is yet to come that went on before it was there.
    pub fn rest(&mut self) -> &mut Rest {
        &mut self.rest
    }

    /// A frame of `size` bytes came in one piece while nothing was held, and went by.
    pub fn passed(&mut self, size: usize) {
        self.count(size);
        if self.small >= PATIENCE && self.held() == 0 {
            (self.held, self.taken) = (Vec::new(), 0);
        }
    }

    /// Makes room for `bytes`.
    fn grow(&mut self, bytes: &[u8]) {
        let need = self.held.len() + bytes.len();
        if self.small >= PATIENCE && need < self.held.capacity() / FAR {
            self.give_back();
        }
        if need <= self.held.capacity() {
            return;
        }
        // A prefix that lies in two pieces is read with the next one.
        let prefix = self.held.first_chunk().or_else(|| self.held.is_empty().then(|| bytes.first_chunk()).flatten());
        let size = prefix.and_then(|prefix| usize::try_from(i32::from_be_bytes(*prefix)).ok()).unwrap_or(0);
        let wanted = size.min(self.largest).saturating_add(PREFIX);
        let room = need.max(wanted.min(need.saturating_mul(2)));
        self.held.reserve_exact(room - self.held.len());
    }

    fn count(&mut self, size: usize) {
        self.looks = 0;
        let large = size >= self.held.capacity() / FAR;
        self.small = if large { 0 } else { self.small.saturating_add(1) };
    }

    fn give_back(&mut self) {
        self.held.shrink_to(KEEP);
        self.small = 0;
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
        let end = begin.saturating_add(size);
        if end > self.held.len() {
            return Ok(None);
        }
        self.count(size);
        self.taken = end;
        Ok(self.held.get(begin..end))
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
