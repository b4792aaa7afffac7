//! A frame and what was edited in it.

use super::problem::Problem;

/// What walks need besides the frame. One can serve all frames of a connection, one after the other.
#[derive(Debug)]
pub struct Scratch {
    largest: usize,
    /// INVARIANT: in order, and no two overlap.
    pub(crate) edits: Vec<Edit>,
    /// What edits put in.
    pub(crate) owned: Vec<u8>,
    /// What the editor writes.
    pub(crate) new: Vec<u8>,
}

/// What edits of one frame may take, in bytes, unless told otherwise.
const LARGEST: usize = 16 << 20;
/// What each vector keeps from one frame to the next, in bytes.
const KEEP: usize = 64 << 10;

/// For edits of 16 MiB, as are the names of some 300,000 topics.
impl Default for Scratch {
    fn default() -> Self {
        Self::new(LARGEST)
    }
}

impl Scratch {
    /// For frames whose edits take `largest` bytes at most, 16 for each and what is put there; a frame with more is refused
    /// as [`Problem::TooLong`]. A name may be a byte on the wire, so that a frame of 100 MB could want gigabytes. Vectors
    /// double: twice as much may be held.
    #[must_use]
    pub fn new(largest: usize) -> Self {
        Self { largest, edits: Vec::new(), owned: Vec::new(), new: Vec::new() }
    }

    /// How many bytes of memory it keeps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.edits.capacity() * size_of::<Edit>() + self.owned.capacity() + self.new.capacity()
    }

    pub(crate) fn clear(&mut self) {
        self.edits.clear();
        self.owned.clear();
        // One large frame is no reason to hold its room for good.
        self.edits.shrink_to(KEEP / size_of::<Edit>());
        self.owned.shrink_to(KEEP);
        self.new.clear();
        self.new.shrink_to(KEEP);
    }

    /// Where a rollback can return to.
    #[inline]
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.edits.len(), self.owned.len())
    }

    pub(crate) fn roll_back(&mut self, (edits, owned): (usize, usize)) {
        self.edits.truncate(edits);
        self.owned.truncate(owned);
    }

    /// Takes `from..to` of the frame out. Neighbours become one edit. INVARIANT: what is cut out begins behind the
    /// count of its own list, so that no neighbour is of a list around, which may yet be rolled back.
    pub(crate) fn cut(&mut self, from: usize, to: usize) -> Result<(), Problem> {
        let (from, to) = (offset(from)?, offset(to)?);
        if let Some(last) = self.edits.last_mut()
            && last.to == from
            && last.put.0 == last.put.1
        {
            last.to = to;
            return Ok(());
        }
        self.edits.push(Edit { from, to, put: (0, 0) });
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Problem> {
        let held = self.edits.len().saturating_mul(size_of::<Edit>()).saturating_add(self.owned.len());
        if held > self.largest { Err(Problem::TooLong) } else { Ok(()) }
    }

    /// Puts what `owned` has since `put` in the place of `from..to`, as the edit number `n`: it may stand before
    /// others.
    pub(crate) fn put(&mut self, n: usize, from: usize, to: usize, put: usize) -> Result<(), Problem> {
        let put = (offset(put)?, offset(self.owned.len())?);
        let edit = Edit { from: offset(from)?, to: offset(to)?, put };
        // Only what belongs to one list, tag or embedded message moves, so all of this costs its depth at most.
        self.edits.insert(n.min(self.edits.len()), edit);
        self.bounded()
    }

    /// As [`Scratch::put`], behind all edits so far.
    #[inline]
    pub(crate) fn push(&mut self, from: usize, to: usize, put: usize) -> Result<(), Problem> {
        let put = (offset(put)?, offset(self.owned.len())?);
        self.edits.push(Edit { from: offset(from)?, to: offset(to)?, put });
        self.bounded()
    }

    /// How much longer the edits since `n` make the frame.
    pub(crate) fn growth(&self, n: usize) -> i64 {
        self.edits.get(n..).unwrap_or_default().iter().map(Edit::growth).sum()
    }
}

/// `from..to` of the frame is taken out, `put` of the owned bytes stands there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    from: u32,
    to: u32,
    put: (u32, u32),
}

impl Edit {
    fn growth(&self) -> i64 {
        i64::from(self.put.1) - i64::from(self.put.0) - (i64::from(self.to) - i64::from(self.from))
    }
}

fn offset(n: usize) -> Result<u32, Problem> {
    u32::try_from(n).map_err(|_| Problem::TooLong)
}

/// A frame as it is to be sent on.
#[derive(Clone, Copy, Debug)]
pub struct Splice<'f, 's> {
    frame: &'f [u8],
    scratch: &'s Scratch,
    length: [u8; 4],
}

impl<'f, 's> Splice<'f, 's> {
    /// Of a frame of `size` bytes, which begins with `frame`.
    pub(crate) fn new(frame: &'f [u8], size: usize, scratch: &'s Scratch) -> Result<Self, Problem> {
        let length = i64::try_from(size).map_err(|_| Problem::TooLong)? + scratch.growth(0);
        let length = i32::try_from(length).map_err(|_| Problem::TooLong)?.to_be_bytes();
        Ok(Self { frame, scratch, length })
    }

    /// Whether it is the frame that was walked.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.scratch.edits.is_empty()
    }

    /// The size of the frame, without the four bytes of its length.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::try_from(i32::from_be_bytes(self.length)).unwrap_or_default()
    }

    /// Tells what to send, in order: the four bytes of the length, then runs of the frame and what stands between. A run may be
    /// empty. An iterator would cost more than the few runs there are.
    pub fn each_run<'a>(&'a self, mut tell: impl FnMut(&'a [u8])) {
        tell(&self.length);
        let mut from = 0;
        for edit in &self.scratch.edits {
            tell(slice(self.frame, from, edit.from));
            tell(slice(&self.scratch.owned, edit.put.0, edit.put.1));
            from = edit.to;
        }
        tell(self.frame.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default());
    }

    /// Appends what is to be sent, length and all.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        // Of a frame that is not there as a whole, room is made for what is.
        let most = self.frame.len().saturating_add(self.scratch.owned.len());
        out.reserve(most.saturating_add(self.length.len()));
        self.each_run(|run| out.extend_from_slice(run));
    }

    /// As [`Splice::append_to`], into a vector of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.append_to(&mut out);
        out
    }
}

fn slice(bytes: &[u8], from: u32, to: u32) -> &[u8] {
    let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
    bytes.get(range).unwrap_or_default()
}
