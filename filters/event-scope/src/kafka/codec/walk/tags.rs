//! Tagged fields: what a newer version may add behind any struct.

use super::{Stop, Walker};
use crate::kafka::codec::input::put_varint;
use crate::kafka::codec::layout::{Field, Struct};
use crate::kafka::codec::problem::Problem;

impl Walker<'_, '_> {
    /// Walks the tagged fields that the table knows of `body`, and cuts the others out.
    pub(crate) fn tags(&mut self, body: Option<&'static Struct>) -> Result<(), Stop> {
        let start = self.input.pos();
        let count = self.input.tags()?;
        // Nearly always.
        if count == 0 {
            return Ok(());
        }
        let counted = self.input.pos();
        // A tag and a size are two bytes at least.
        if usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(2) > self.input.left() {
            return Err(Problem::Count.into());
        }
        let before = self.edits();
        let mut kept = 0;
        let mut last = None;
        for _ in 0..count {
            let from = self.input.pos();
            let tag = self.input.varint()?;
            if last.is_some_and(|last| last >= tag) {
                return Err(Problem::Tags.into());
            }
            last = Some(tag);
            match body.and_then(|body| body.tagged(tag, self.version)) {
                Some(field) => {
                    self.tagged(field)?;
                    kept += 1;
                }
                None => {
                    let size = self.input.varint()?;
                    self.input.take(usize::try_from(size).unwrap_or(usize::MAX))?;
                    let to = self.input.pos();
                    if let Some((_, scratch)) = &mut self.editing {
                        scratch.cut(from, to)?;
                    }
                }
            }
        }
        if let Some((_, scratch)) = &mut self.editing
            && kept != count
        {
            let put = scratch.owned.len();
            put_varint(&mut scratch.owned, kept);
            scratch.put(before, start, counted, put)?;
        }
        Ok(())
    }

    /// One that is known, from its size on.
    fn tagged(&mut self, field: &'static Field) -> Result<(), Stop> {
        let start = self.input.pos();
        let size = self.input.varint()?;
        let begin = self.input.pos();
        let Some(end) = usize::try_from(size).ok().and_then(|size| begin.checked_add(size)) else {
            return Err(Problem::Truncated.into());
        };
        let outer = self.input.end();
        if end > outer {
            return Err(Problem::Truncated.into());
        }
        let before = self.edits();
        self.input.set(begin, end);
        let outcome = self.field(field).and_then(|()| match self.input.left() {
            0 => Ok(()),
            _ => Err(Problem::Tags.into()),
        });
        if outcome.is_ok() || matches!(outcome, Err(Stop::Drop(_))) {
            self.input.set(end, outer);
        }
        outcome?;
        let Some((_, scratch)) = &mut self.editing else { return Ok(()) };
        let growth = scratch.growth(before);
        if growth != 0 {
            let size = u32::try_from(i64::from(size) + growth).map_err(|_| Problem::TooLong)?;
            let put = scratch.owned.len();
            put_varint(&mut scratch.owned, size);
            scratch.put(before, start, begin, put)?;
        }
        Ok(())
    }

    fn edits(&self) -> usize {
        self.editing.as_ref().map_or(0, |(_, scratch)| scratch.edits.len())
    }
}
