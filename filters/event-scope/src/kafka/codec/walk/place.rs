//! A marked place: the editor is asked, and done as it says.

use super::{Stop, Walker};
use crate::kafka::codec::edit::{Place, Value, Verdict};
use crate::kafka::codec::input::{LONGEST_TEXT, put_length};
use crate::kafka::codec::layout::{ASSIGNMENT, Embedded, Field, Kind, NONE, SUBSCRIPTION};
use crate::kafka::codec::mark::Mark;
use crate::kafka::codec::problem::Problem;

impl<'f> Walker<'f, '_> {
    /// Asks the editor about what stood between `start` and here: a field about which it is asked.
    pub(super) fn ask(&mut self, field: &'static Field, start: usize, value: Value<'f>) -> Result<(), Stop> {
        let Some(mark) = field.mark else { return Ok(()) };
        if field.ahead != 0 {
            self.look_ahead(field)?;
        }
        let Self { editing: Some((editor, scratch)), slots, indexes, depth, within, .. } = self else { return Ok(()) };
        let slot = |n: u8| if n == NONE { None } else { slots.get(usize::from(n)).copied().flatten() };
        let [kind, pattern] = field.looks_at.map(slot);
        let indexes = indexes.get(..*depth).unwrap_or_default();
        let within = within.map_or("", Field::name);
        let place = Place { mark, field: field.name(), within, value, kind, pattern, indexes };
        scratch.new.clear();
        match editor.place(&place, &mut scratch.new) {
            Verdict::Keep => Ok(()),
            Verdict::Drop(lists @ 1..) => Err(Stop::Drop(lists)),
            Verdict::Drop(0) => Err(Problem::Edit.into()),
            Verdict::Refuse => Err(Problem::Refused.into()),
            Verdict::Enter => self.enter(mark, start, value),
            verdict => Ok(self.replace(field, start, verdict)?),
        }
    }

    /// Puts into the slots what this field looks at and comes later in its struct.
    fn look_ahead(&mut self, field: &'static Field) -> Result<(), Stop> {
        let wanted = |slot: u8| {
            slot != NONE && (0..2).any(|n| field.ahead >> n & 1 == 1 && field.looks_at.get(n) == Some(&slot))
        };
        let mut missing = field.ahead.count_ones();
        let (here, behind) = (self.input, self.behind);
        let outcome = self.unasked(|walker| {
            for later in behind {
                if missing == 0 {
                    break;
                }
                if later.is_in(walker.version) {
                    walker.field(later)?;
                }
                missing -= u32::from(wanted(later.keeps));
            }
            Ok(())
        });
        self.input = here;
        outcome
    }

    /// Writes what the editor wants to stand between `start` and here.
    fn replace(&mut self, field: &'static Field, start: usize, verdict: Verdict) -> Result<(), Problem> {
        let (flexible, end) = (self.flexible, self.input.pos());
        if self.input.records() > 0 {
            // Something else would stand before what comes.
            return Err(Problem::Truncated);
        }
        let nullable = !field.list && field.may_be_null(self.version);
        let Some((_, scratch)) = &mut self.editing else { return Ok(()) };
        let put = scratch.owned.len();
        match (verdict, field.kind) {
            (Verdict::Null, Kind::Text) if nullable => put_length(&mut scratch.owned, None, flexible, false)?,
            (Verdict::Null, Kind::Bytes) if nullable => put_length(&mut scratch.owned, None, flexible, true)?,
            (Verdict::Replace, Kind::Text) if scratch.new.len() <= LONGEST_TEXT => {
                put_length(&mut scratch.owned, Some(scratch.new.len()), flexible, false)?;
                scratch.owned.extend_from_slice(&scratch.new);
            }
            (Verdict::Replace, Kind::Bytes) => {
                put_length(&mut scratch.owned, Some(scratch.new.len()), flexible, true)?;
                scratch.owned.extend_from_slice(&scratch.new);
            }
            (Verdict::Replace, Kind::Uuid) if scratch.new.len() == 16 => {
                scratch.owned.extend_from_slice(&scratch.new);
            }
            (Verdict::Number(number), kind) => put_number(&mut scratch.owned, number, kind)?,
            _ => return Err(Problem::Edit),
        }
        scratch.push(start, end, put)
    }

    /// Walks the message inside of the bytes between `start` and here.
    fn enter(&mut self, mark: Mark, start: usize, value: Value<'f>) -> Result<(), Stop> {
        let embedded = match mark {
            Mark::Subscription => &SUBSCRIPTION,
            Mark::Assignment => &ASSIGNMENT,
            _ => return Err(Problem::Edit.into()),
        };
        let Value::Bytes(bytes @ [_, ..]) = value else { return Ok(()) };
        let (end, outer, version, flexible) = (self.input.pos(), self.input.end(), self.version, self.flexible);
        let begin = end - bytes.len();
        let before = self.editing.as_ref().map_or(0, |(_, scratch)| scratch.edits.len());
        self.input.set(begin, end);
        let outcome = self.embedded(embedded);
        // Also where an element is dropped: its list may be around all of this.
        (self.version, self.flexible) = (version, flexible);
        if outcome.is_ok() || matches!(outcome, Err(Stop::Drop(_))) {
            self.input.set(end, outer);
        }
        outcome?;
        let Some((_, scratch)) = &mut self.editing else { return Ok(()) };
        let growth = scratch.growth(before);
        if growth == 0 {
            return Ok(());
        }
        let length = i64::try_from(bytes.len()).map_err(|_| Problem::TooLong)? + growth;
        let length = usize::try_from(length).map_err(|_| Problem::TooLong)?;
        let put = scratch.owned.len();
        put_length(&mut scratch.owned, Some(length), flexible, true)?;
        Ok(scratch.put(before, start, begin, put)?)
    }

    fn embedded(&mut self, embedded: &Embedded) -> Result<(), Stop> {
        let version = u8::try_from(self.input.i16()?).ok().filter(|version| *version <= embedded.last);
        let Some(version) = version else { return Err(Problem::UnknownEmbedded.into()) };
        (self.version, self.flexible) = (version, false);
        self.structure(embedded.body)?;
        self.ended()
    }
}

fn put_number(out: &mut Vec<u8>, number: i64, kind: Kind) -> Result<(), Problem> {
    let odd = |_| Problem::Edit;
    match kind {
        Kind::Int8 => out.extend(i8::try_from(number).map_err(odd)?.to_be_bytes()),
        Kind::Int16 => out.extend(i16::try_from(number).map_err(odd)?.to_be_bytes()),
        Kind::UInt16 => out.extend(u16::try_from(number).map_err(odd)?.to_be_bytes()),
        Kind::Int32 => out.extend(i32::try_from(number).map_err(odd)?.to_be_bytes()),
        Kind::Int64 => out.extend(number.to_be_bytes()),
        Kind::Uuid | Kind::Text | Kind::Bytes | Kind::Struct => return Err(Problem::Edit),
    }
    Ok(())
}
