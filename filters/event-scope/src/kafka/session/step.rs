//! What comes of bytes that were read.

use std::ops::Range;

use super::peers::Decision;
use super::{Close, Trouble};
use crate::kafka::codec::{Sink, Splice};

/// What comes of bytes that were read.
#[derive(Debug, Default)]
pub struct Step {
    /// What goes on in the direction of the bytes. It is appended to.
    pub out: Vec<u8>,
    /// Long runs of what was read that go on as they are, between what is in `out`; none but for [`Step::over`].
    pub kept: Vec<Kept>,
    /// What was decided; it is appended to, and whoever logs it empties it.
    pub decisions: Vec<Decision>,
    /// Whether records of the tenant go to the client.
    pub fetched: bool,
    /// Whether that was the end.
    pub close: Close,
    /// Why, where it was.
    pub trouble: Option<Trouble>,
    /// How many bytes came behind those that the step is over, which can be read, too. The step need not take a frame of which
    /// some stand there, if it cannot go on as far as it is.
    pub behind: usize,
    /// How many of the last bytes that the step is over were not taken; none unless there is something behind them.
    pub left: usize,
    /// Where what was read lies in memory: so a run of it is told from a copy of it.
    input: Range<usize>,
}

/// A run of what was read that goes on as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Behind how many bytes of `out` it goes on.
    pub behind: usize,
    /// Where it stands in what was read.
    pub run: Range<usize>,
}

/// The shortest run that is not copied, in bytes: to hand one over apart is a call of the host.
const LONG: usize = 4096;

impl Step {
    /// A step of these bytes, whose long runs need not be copied.
    #[must_use]
    pub fn over(bytes: &[u8]) -> Self {
        let start = bytes.as_ptr().addr();
        Self { input: start..start.saturating_add(bytes.len()), ..Self::default() }
    }

    /// Tells what goes on, in order and no run empty; `bytes` are those that the step is over. An iterator would cost more than
    /// the few runs there are.
    pub fn each_run<'a>(&'a self, bytes: &'a [u8], mut tell: impl FnMut(&'a [u8])) {
        let mut tell = |run: Option<&'a [u8]>| match run {
            None | Some([]) => {}
            Some(run) => tell(run),
        };
        let mut from = 0;
        for Kept { behind, run } in &self.kept {
            tell(self.out.get(from..*behind));
            tell(bytes.get(run.clone()));
            from = *behind;
        }
        tell(self.out.get(from..));
    }

    /// Whether `bytes`, which the step is over, go on as they are.
    #[must_use]
    pub fn is_unchanged(&self, bytes: &[u8]) -> bool {
        // Names that are mapped are seldom as long as they were.
        let size = self.kept.iter().fold(self.out.len(), |size, kept| size.saturating_add(kept.run.len()));
        if size != bytes.len() {
            return false;
        }
        let mut rest = Some(bytes);
        self.each_run(bytes, |run| {
            // A run that is no copy is not compared byte by byte.
            rest = rest.and_then(|rest| {
                let (here, behind) = rest.split_at_checked(run.len())?;
                (std::ptr::eq(here, run) || same(here, run)).then_some(behind)
            });
        });
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// This goes on.
    #[inline]
    pub(super) fn put(&mut self, run: &[u8]) {
        if run.len() < LONG {
            return self.out.extend_from_slice(run);
        }
        let at = run.as_ptr().addr().wrapping_sub(self.input.start);
        let end = at.saturating_add(run.len());
        if end <= self.input.len() {
            self.kept.push(Kept { behind: self.out.len(), run: at..end });
        } else {
            self.out.extend_from_slice(run);
        }
    }

    /// This goes on, length and all.
    pub(super) fn splice(&mut self, splice: &Splice<'_, '_>) {
        if self.input.len() < LONG {
            return splice.append_to(&mut self.out);
        }
        splice.each_run(|run| self.put(run));
    }

    /// Where [`Step::back_to`] can return to.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.out.len(), self.kept.len())
    }

    /// What came since then does not go on.
    pub(super) fn back_to(&mut self, (out, kept): (usize, usize)) {
        self.out.truncate(out);
        self.kept.truncate(kept);
    }
}

/// Whether both are the same, eight bytes at once: `==` takes them one by one in WebAssembly.
fn same(one: &[u8], other: &[u8]) -> bool {
    let ((one, end), (other, behind)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs.all(|(one, other)| u64::from_ne_bytes(*one) == u64::from_ne_bytes(*other))
        && end == behind
}

impl Sink for Step {
    fn put(&mut self, run: &[u8]) {
        self.put(run);
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_what_was_read_is_not_copied() {
        let bytes: Vec<u8> = (0..3 * LONG).map(|n| n as u8).collect();
        let copy = bytes.clone();
        let mut step = Step::over(&bytes);
        step.put(b"head");
        step.put(&bytes[7..7 + LONG]);
        step.put(&bytes[..LONG - 1]);
        step.put(&copy[7..7 + LONG]);
        let mark = step.mark();
        step.put(&bytes[2 * LONG..]);
        assert_eq!((step.out.len(), step.kept.len()), (4 + LONG - 1 + LONG, 2));
        let mut told = Vec::new();
        step.each_run(&bytes, |run| told.push(run));
        assert!(told.iter().all(|run| !run.is_empty()));
        let all = told.concat();
        let expected = [b"head", &bytes[7..7 + LONG], &bytes[..LONG - 1], &bytes[7..7 + LONG], &bytes[2 * LONG..]];
        assert!(all == expected.concat());
        step.back_to(mark);
        assert_eq!(step.kept.len(), 1);
    }

    #[test]
    fn what_goes_on_as_it_is_is_known() {
        let bytes: Vec<u8> = (0..3 * LONG).map(|n| n as u8).collect();
        let copy = bytes.clone();
        let changed = |runs: &[&[u8]]| {
            let mut step = Step::over(&bytes);
            runs.iter().for_each(|run| step.put(run));
            !step.is_unchanged(&bytes)
        };
        assert!(!changed(&[&copy[..4], &bytes[4..2 * LONG], &bytes[2 * LONG..]]));
        assert!(changed(&[b"head", &bytes[4..]]));
        assert!(changed(&[&bytes[..LONG], &bytes[LONG + 256..]]), "the same bytes, but fewer");
        assert!(changed(&[&bytes[LONG..], &bytes[..LONG], b"more"]));
        for at in [0, 7, 8, 21, LONG - 2] {
            let mut other = bytes[..LONG - 1].to_vec();
            other[at] ^= 1;
            assert!(changed(&[&other, &bytes[LONG - 1..]]), "{at}");
        }
        assert!(changed(&[]));
    }
}
