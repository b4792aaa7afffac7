//! Edits of a text that is there whole: what they do not cover goes on byte by byte as it came.

use std::ops::Range;

use super::refusal::{Cause, Refusal};
use super::wire::{varint_size, write_varint};

const OVERLAP: Refusal = Refusal::new(Cause::Length, "two edits of one text overlap");

/// One edit.
#[derive(Clone, Copy, Debug)]
struct Edit {
    start: usize,
    end: usize,
    new: New,
}

#[derive(Clone, Copy, Debug)]
enum New {
    /// This part of the arena stands for it.
    Text { from: usize, to: usize },
    /// It is the length of what lies between it and `until`; `length` is what it must say, once that was settled.
    Length { until: usize, length: Option<usize> },
}

/// Edits of one text, and what they write.
#[derive(Debug, Default)]
pub(crate) struct Splice {
    edits: Vec<Edit>,
    arena: Vec<u8>,
    /// Whether they do not stand in the order of the text.
    mixed: bool,
}

/// Edits up to some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    edits: usize,
    arena: usize,
}

impl Splice {
    pub(crate) fn clear(&mut self) {
        self.edits.clear();
        self.arena.clear();
        self.mixed = false;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { edits: self.edits.len(), arena: self.arena.len() }
    }

    /// Forgets the edits since.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.edits.truncate(mark.edits);
        self.arena.truncate(mark.arena);
    }

    /// What `write` writes stands for this range.
    pub(crate) fn replace(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.arena.len();
        write(&mut self.arena);
        let new = New::Text { from, to: self.arena.len() };
        self.push(Edit { start: range.start, end: range.end, new });
    }

    pub(crate) fn remove(&mut self, range: Range<usize>) {
        self.replace(range, |_| {});
    }

    /// At `place` stands the length of what follows up to `until`, all edits of which are those since `mark`. Where there
    /// are none it stays as it came.
    pub(crate) fn close(&mut self, mark: Mark, place: Range<usize>, until: usize) {
        if self.edits.len() > mark.edits {
            let new = New::Length { until, length: None };
            self.edits.insert(mark.edits, Edit { start: place.start, end: place.end, new });
        }
    }

    fn push(&mut self, edit: Edit) {
        self.mixed |= self.edits.last().is_some_and(|last| (last.start, last.end) > (edit.start, edit.end));
        self.edits.push(edit);
    }

    /// Appends what becomes of `source`.
    pub(crate) fn apply(&mut self, source: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.extract(Mark { edits: 0, arena: 0 }, source, 0..source.len(), out)
    }

    /// Appends what becomes of a range by the edits since `mark`, all of which lie in it.
    pub(crate) fn extract(
        &mut self,
        mark: Mark,
        source: &[u8],
        range: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        if self.mixed {
            let edits = self.edits.get_mut(mark.edits..).unwrap_or_default();
            edits.sort_by_key(|edit| (edit.start, edit.end));
        }
        self.settle(mark.edits)?;
        let (mut at, mut took) = (range.start, 0);
        for edit in self.edits.get(mark.edits..).unwrap_or_default() {
            out.extend_from_slice(source.get(at..edit.start).ok_or(OVERLAP)?);
            match edit.new {
                New::Text { from, to } => out.extend_from_slice(self.arena.get(from..to).unwrap_or_default()),
                New::Length { length: Some(length), .. } => write_varint(length as u64, out),
                New::Length { length: None, .. } => {
                    out.extend_from_slice(source.get(edit.start..edit.end).ok_or(OVERLAP)?);
                }
            }
            at = edit.end;
            took += 1;
        }
        debug_assert_eq!(took, self.edits.len() - mark.edits);
        out.extend_from_slice(source.get(at..range.end).ok_or(OVERLAP)?);
        Ok(())
    }

    /// Says of each length what it must be. The edits stand in the order of the text.
    fn settle(&mut self, from: usize) -> Result<(), Refusal> {
        // The lengths around the place that is looked at: which edit, and how much longer what it is of becomes.
        let mut open: Vec<(usize, isize)> = Vec::new();
        for nth in from..self.edits.len() {
            let Some(edit) = self.edits.get(nth).copied() else { break };
            while let Some((outer, _)) = open.last()
                && let Some(Edit { new: New::Length { until, .. }, .. }) = self.edits.get(*outer)
                // What is put where nothing is, at its very end, is in it.
                && (edit.start > *until || (edit.start == *until && edit.end > edit.start))
            {
                self.end_length(&mut open)?;
            }
            match edit.new {
                New::Text { from, to } => {
                    if let Some((_, more)) = open.last_mut() {
                        *more += (to - from) as isize - (edit.end - edit.start) as isize;
                    }
                }
                New::Length { .. } => open.push((nth, 0)),
            }
        }
        while !open.is_empty() {
            self.end_length(&mut open)?;
        }
        Ok(())
    }

    fn end_length(&mut self, open: &mut Vec<(usize, isize)>) -> Result<(), Refusal> {
        let Some((nth, more)) = open.pop() else { return Ok(()) };
        let Some(Edit { start, end, new: New::Length { until, length } }) = self.edits.get_mut(nth) else {
            return Ok(());
        };
        *length = None;
        if more == 0 {
            // As it came, even if it could be written shorter.
            return Ok(());
        }
        let new = until.checked_sub(*end).and_then(|old| old.checked_add_signed(more)).ok_or(OVERLAP)?;
        *length = Some(new);
        if let Some((_, outer)) = open.last_mut() {
            *outer += more + varint_size(new as u64) as isize - (*end - *start) as isize;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_above_an_edit_are_what_they_must_be() {
        // 1: { 1: { 1: "ab" } 2: "c" }, the innermost becomes 200 bytes.
        let source = [10, 9, 10, 4, 10, 2, b'a', b'b', 18, 1, b'c'];
        let (mut splice, mut out) = (Splice::default(), Vec::new());
        let mark = splice.mark();
        splice.replace(5..8, |arena| {
            write_varint(200, arena);
            arena.extend([b'x'; 200]);
        });
        splice.close(mark, 3..4, 8);
        splice.close(mark, 1..2, 11);
        splice.apply(&source, &mut out).unwrap();
        assert_eq!(out[..8], [10, 209, 1, 10, 203, 1, 10, 200]);
        assert_eq!(out[209..], [18, 1, b'c']);
    }

    #[test]
    fn where_nothing_changed_nothing_is_written_anew() {
        let source = [10, 0x81, 0x00, b'a'];
        let (mut splice, mut out) = (Splice::default(), Vec::new());
        let mark = splice.mark();
        splice.close(mark, 1..3, 4);
        assert!(splice.is_empty());
        splice.replace(3..4, |arena| arena.push(b'b'));
        splice.close(mark, 1..3, 4);
        splice.apply(&source, &mut out).unwrap();
        assert_eq!(out, [10, 0x81, 0x00, b'b']);
    }
}
