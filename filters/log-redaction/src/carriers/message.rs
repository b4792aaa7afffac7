//! A message of Protocol Buffers that is there whole, by its table: every leaf is asked about, and what is answered is
//! spliced in. What no table names is kept, unless something is found in it.

use std::io::Write as _;
use std::ops::Range;

use super::leaves::{Change, Part, Slot, Tag, Unit, Verdict};
use super::loki::labels;
use super::refusal::{Cause, Refusal};
use super::schema::{Known, Schema, Tags, What};
use super::walk::{Fate, MAX_DEPTH, Walk, is_tag};
use super::wire::{Field, Fields, Value, write_bytes, write_varint};

const KIND: Refusal = Refusal::undecodable("a field is of another kind than its message says");
const TWO_KEYS: Refusal = Refusal::undecodable("an attribute has two keys");
const DEEP: Refusal = Refusal::new(Cause::Depth, "a value nests too deeply");

/// Which fields of a message are gone through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Own,
    Units,
}

/// Goes through the fields of the outermost message that stand in `text`.
pub(crate) fn fields(walk: &mut Walk<'_>, schema: &'static Schema, text: &[u8]) -> Result<(), Refusal> {
    let mut message = Message { walk, text };
    message.fields(schema, 0..text.len(), Which::Own)?;
    message.fields(schema, 0..text.len(), Which::Units)
}

struct Message<'m, 'w> {
    walk: &'m mut Walk<'w>,
    text: &'m [u8],
}

impl<'m> Message<'m, '_> {
    fn bytes(&self, range: Range<usize>) -> &'m [u8] {
        self.text.get(range).unwrap_or_default()
    }

    fn fields(&mut self, schema: &'static Schema, range: Range<usize>, which: Which) -> Result<(), Refusal> {
        let mut fields = Fields::of(self.text, range);
        while let Some(field) = fields.next()? {
            match schema.by_number(field.number) {
                // Units may stand below a message that is none, as points do in a metric.
                Some(known) if known.has_units() == (which == Which::Units) => self.field(known, &field)?,
                None if which == Which::Own => self.unknown(&field)?,
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn field(&mut self, known: &'static Known, field: &Field) -> Result<(), Refusal> {
        match known.what {
            What::Number if field.value != Value::Bytes => return Ok(()),
            What::Numbers => return Ok(()),
            What::Number => return Err(KIND),
            _ if field.value != Value::Bytes => return Err(KIND),
            _ => {}
        }
        let level = self.walk.desk.path.down(known.step.as_bytes());
        match known.what {
            What::Text(slot) => self.text(slot, Part::Text, known.name.as_bytes(), field, field.whole()),
            What::Id(size) => {
                if !field.range().is_empty() && field.range().len() != size {
                    self.text(Slot::Unknown, Part::Bytes, known.name.as_bytes(), field, field.whole());
                }
            }
            What::Attribute(slot) => self.attribute(slot, field, 0)?,
            What::Any(slot) => {
                let mark = self.walk.desk.splice.mark();
                let fate = self.any(slot, known.name.as_bytes(), field.range(), 0)?;
                self.walk.desk.splice.close(mark, field.place(), field.end);
                if fate == Fate::Goes {
                    self.walk.desk.splice.back_to(mark);
                    self.walk.desk.splice.remove(field.whole());
                }
            }
            What::Message(inner) => {
                let mark = self.walk.desk.splice.mark();
                self.fields(inner, field.range(), Which::Own)?;
                if inner.has_units {
                    self.fields(inner, field.range(), Which::Units)?;
                }
                self.walk.desk.splice.close(mark, field.place(), field.end);
            }
            What::Unit(unit, schema) => self.unit(unit, schema, field)?,
            What::Pair(slot) => self.pair(slot, field)?,
            What::Labels => self.labels(field)?,
            What::Number | What::Numbers => {}
        }
        self.walk.desk.path.up(level);
        Ok(())
    }

    fn unit(&mut self, unit: Unit, schema: &'static Schema, field: &Field) -> Result<(), Refusal> {
        let before = self.walk.desk.splice.mark();
        let (text, range) = (self.text, field.range());
        let verdict = self.walk.unit(
            unit,
            |walk| Message { walk, text }.fields(schema, range.clone(), Which::Own),
            |walk| match schema.has_units {
                true => Message { walk, text }.fields(schema, range.clone(), Which::Units),
                false => Ok(()),
            },
        )?;
        let splice = &mut self.walk.desk.splice;
        match verdict {
            Verdict::Keep => {}
            Verdict::Drop => {
                splice.back_to(before);
                splice.remove(field.whole());
                return Ok(());
            }
            Verdict::Tag(tags) => {
                let mut changed = Vec::with_capacity(field.range().len());
                splice.extract(before, text, field.range(), &mut changed)?;
                splice.back_to(before);
                let mut tagged = Vec::with_capacity(changed.len());
                tag(schema.tags, &changed, &tags, &mut tagged)?;
                splice.replace(field.range(), |arena| arena.extend_from_slice(&tagged));
            }
        }
        splice.close(before, field.place(), field.end);
        Ok(())
    }

    /// A leaf that is the value of a field. Where it goes, so does `around`.
    fn text(&mut self, slot: Slot, part: Part, key: &[u8], field: &Field, around: Range<usize>) {
        match self.walk.leaf(slot, part, key, self.bytes(field.range())) {
            Change::Keep => {}
            Change::Replace(new) => self.value(field, &new),
            Change::DropField => self.walk.desk.splice.remove(around),
        }
    }

    /// This stands for the value of a field.
    fn value(&mut self, field: &Field, new: &[u8]) {
        self.walk.desk.splice.replace(field.tag_end..field.end, |arena| {
            write_varint(new.len() as u64, arena);
            arena.extend_from_slice(new);
        });
    }

    /// A field of which only its number is known. It is kept as it came, or not at all: what is edited in it may be
    /// something else than text.
    #[cold]
    fn unknown(&mut self, field: &Field) -> Result<(), Refusal> {
        let (mut name, mut number) = ([0; 11], Vec::new());
        let size = {
            let mut rest = name.as_mut_slice();
            let room = rest.len();
            // Ten digits at most, and there is room for them.
            let _ = write!(rest, "#{}", field.number);
            room - rest.len()
        };
        let level = self.walk.desk.path.down(name.get(..size).unwrap_or_default());
        let change = match field.value {
            Value::Bytes => self.walk.leaf(Slot::Unknown, Part::Bytes, b"", self.bytes(field.range())),
            Value::Varint(value) => {
                let _ = write!(number, "{value}");
                self.walk.leaf(Slot::Unknown, Part::Number, b"", &number)
            }
            // What is found there, if anything, is text that somebody put there.
            Value::Fixed64(_) | Value::Fixed32 => {
                self.walk.leaf(Slot::Unknown, Part::Bytes, b"", self.bytes(field.range()))
            }
        };
        self.walk.desk.path.up(level);
        if change != Change::Keep {
            self.walk.desk.splice.remove(field.whole());
        }
        Ok(())
    }

    /// A key with a value. The key is asked about first, wherever it stands.
    fn attribute(&mut self, slot: Slot, field: &Field, depth: usize) -> Result<(), Refusal> {
        let mut fields = Fields::of(self.text, field.range());
        let key = self.key(fields)?;
        let name = key.map_or(&[][..], |key| self.bytes(key.range()));
        let mark = self.walk.desk.splice.mark();
        let level = self.walk.desk.path.down(name);
        let mut fate = Fate::Stays;
        if let Some(key) = key {
            match self.walk.leaf(slot, Part::Key, name, name) {
                Change::Keep => {}
                Change::Replace(new) => self.value(&key, &new),
                Change::DropField => fate = Fate::Goes,
            }
        }
        while fate == Fate::Stays
            && let Some(part) = fields.next()?
        {
            match (part.number, part.value) {
                (1, _) if key.is_some_and(|key| key.start != part.start) => return Err(TWO_KEYS),
                (1, _) => {}
                (2, Value::Bytes) => {
                    let value = self.walk.desk.splice.mark();
                    fate = self.any(slot, name, part.range(), depth)?;
                    self.walk.desk.splice.close(value, part.place(), part.end);
                }
                (2, _) => return Err(KIND),
                // The place of a key in a table, as profiles have it.
                (3, Value::Varint(_)) => {}
                _ => self.unknown(&part)?,
            }
        }
        self.walk.desk.path.up(level);
        self.walk.desk.splice.close(mark, field.place(), field.end);
        if fate == Fate::Goes {
            self.walk.desk.splice.back_to(mark);
            self.walk.desk.splice.remove(field.whole());
        }
        Ok(())
    }

    /// The key among these fields. It mostly stands first.
    fn key(&self, mut fields: Fields<'_>) -> Result<Option<Field>, Refusal> {
        while let Some(part) = fields.next()? {
            if part.number == 1 {
                return if part.value == Value::Bytes { Ok(Some(part)) } else { Err(KIND) };
            }
        }
        Ok(None)
    }

    /// A value of any kind.
    fn any(&mut self, slot: Slot, key: &[u8], range: Range<usize>, depth: usize) -> Result<Fate, Refusal> {
        if depth >= MAX_DEPTH {
            return Err(DEEP);
        }
        let mut fields = Fields::of(self.text, range);
        while let Some(field) = fields.next()? {
            match (field.number, field.value) {
                (number @ (1 | 7), Value::Bytes) => {
                    let part = if number == 1 { Part::Text } else { Part::Bytes };
                    match self.walk.leaf(slot, part, key, self.bytes(field.range())) {
                        Change::Keep => {}
                        Change::Replace(new) => self.value(&field, &new),
                        Change::DropField => return Ok(Fate::Goes),
                    }
                }
                // A bool, and the place of a text in a table, as profiles have it.
                (2 | 8, Value::Varint(_)) => {}
                (3, Value::Varint(number)) => {
                    let number = number as i64;
                    if self.number(slot, key, &field, |text| write!(text, "{number}"))? == Fate::Goes {
                        return Ok(Fate::Goes);
                    }
                }
                (4, Value::Fixed64(bits)) => {
                    let number = f64::from_bits(bits);
                    if self.number(slot, key, &field, |text| write!(text, "{number}"))? == Fate::Goes {
                        return Ok(Fate::Goes);
                    }
                }
                (5 | 6, Value::Bytes) => self.list(slot, key, &field, depth)?,
                (1..=8, _) => return Err(KIND),
                _ => self.unknown(&field)?,
            }
        }
        Ok(Fate::Stays)
    }

    /// An array of values, or keys with values.
    fn list(&mut self, slot: Slot, key: &[u8], list: &Field, depth: usize) -> Result<(), Refusal> {
        let mark = self.walk.desk.splice.mark();
        let mut fields = Fields::of(self.text, list.range());
        while let Some(item) = fields.next()? {
            match (item.number, item.value) {
                (1, Value::Bytes) if list.number == 6 => self.attribute(slot, &item, depth + 1)?,
                (1, Value::Bytes) => {
                    let level = self.walk.desk.path.down(b"[]");
                    let before = self.walk.desk.splice.mark();
                    let fate = self.any(slot, key, item.range(), depth + 1)?;
                    self.walk.desk.splice.close(before, item.place(), item.end);
                    if fate == Fate::Goes {
                        self.walk.desk.splice.back_to(before);
                        self.walk.desk.splice.remove(item.whole());
                    }
                    self.walk.desk.path.up(level);
                }
                (1, _) => return Err(KIND),
                _ => self.unknown(&item)?,
            }
        }
        self.walk.desk.splice.close(mark, list.place(), list.end);
        Ok(())
    }

    /// A number among values: what stands for it is a number where it can be, and a text otherwise.
    fn number(
        &mut self,
        slot: Slot,
        key: &[u8],
        field: &Field,
        write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>,
    ) -> Result<Fate, Refusal> {
        let mut text = std::mem::take(&mut self.walk.desk.scratch);
        text.clear();
        // Writing to memory does not fail.
        let _ = write(&mut text);
        let change = self.walk.leaf(slot, Part::Number, key, &text);
        self.walk.desk.scratch = text;
        match change {
            Change::Keep => {}
            Change::Replace(new) => {
                let number = str::from_utf8(&new).ok().and_then(|new| new.parse::<i64>().ok());
                self.walk.desk.splice.replace(field.whole(), |arena| match number {
                    Some(number) => {
                        arena.push(3 << 3);
                        write_varint(number as u64, arena);
                    }
                    None => write_bytes(1, &new, arena),
                });
            }
            Change::DropField => return Ok(Fate::Goes),
        }
        Ok(Fate::Stays)
    }

    /// A name and a text.
    fn pair(&mut self, slot: Slot, field: &Field) -> Result<(), Refusal> {
        let (mut name, mut value) = (None, None);
        let mut fields = Fields::of(self.text, field.range());
        let mark = self.walk.desk.splice.mark();
        while let Some(part) = fields.next()? {
            let place = match part.number {
                1 => &mut name,
                2 => &mut value,
                _ => {
                    self.unknown(&part)?;
                    continue;
                }
            };
            if part.value != Value::Bytes {
                return Err(KIND);
            }
            if place.replace(part).is_some() {
                return Err(TWO_KEYS);
            }
        }
        let key = name.map_or(&[][..], |name: Field| self.bytes(name.range()));
        let level = self.walk.desk.path.down(key);
        let mut fate = Fate::Stays;
        for (part, kind) in [(name, Part::Key), (value, Part::Text)] {
            let Some(part) = part.filter(|_| fate == Fate::Stays) else { continue };
            match self.walk.leaf(slot, kind, key, self.bytes(part.range())) {
                Change::Keep => {}
                Change::Replace(new) => self.value(&part, &new),
                Change::DropField => fate = Fate::Goes,
            }
        }
        self.walk.desk.path.up(level);
        self.walk.desk.splice.close(mark, field.place(), field.end);
        if fate == Fate::Goes {
            self.walk.desk.splice.back_to(mark);
            self.walk.desk.splice.remove(field.whole());
        }
        Ok(())
    }

    fn labels(&mut self, field: &Field) -> Result<(), Refusal> {
        if let Some(new) = labels::walk(self.walk, self.bytes(field.range()))? {
            self.value(field, &new);
        }
        Ok(())
    }
}

/// Appends the message with fields more.
fn tag(to: Tags, message: &[u8], tags: &[Tag], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let pairs = matches!(to, Tags::Pairs(_));
    match to {
        Tags::Nowhere => out.extend_from_slice(message),
        Tags::Own(number) | Tags::Pairs(number) => {
            let mut fields = Fields::of(message, 0..message.len());
            while let Some(field) = fields.next()? {
                if field.number != number || !names(message, &field, tags)? {
                    out.extend_from_slice(message.get(field.whole()).unwrap_or_default());
                }
            }
            let (mut one, mut value) = (Vec::new(), Vec::new());
            for tag in tags {
                one.clear();
                value.clear();
                write_bytes(1, tag.name.as_bytes(), &mut one);
                if pairs {
                    write_bytes(2, tag.value.as_bytes(), &mut one);
                } else {
                    write_bytes(1, tag.value.as_bytes(), &mut value);
                    write_bytes(2, &value, &mut one);
                }
                write_bytes(number, &one, out);
            }
        }
        Tags::In(inner, number) => {
            let (mut fields, mut last) = (Fields::of(message, 0..message.len()), None);
            while let Some(field) = fields.next()? {
                last = if field.number == inner { Some(field) } else { last };
            }
            let mut tagged = Vec::new();
            let (range, at) = last.map_or((0..0, 0..0), |field| (field.range(), field.whole()));
            tag(Tags::Own(number), message.get(range).unwrap_or_default(), tags, &mut tagged)?;
            out.extend_from_slice(message.get(..at.start).unwrap_or_default());
            write_bytes(inner, &tagged, out);
            out.extend_from_slice(message.get(at.end..).unwrap_or_default());
        }
    }
    Ok(())
}

/// Whether an attribute has the name of one that is added.
fn names(message: &[u8], attribute: &Field, tags: &[Tag]) -> Result<bool, Refusal> {
    let mut fields = Fields::of(message, attribute.range());
    while let Some(field) = fields.next()? {
        if field.number == 1 && is_tag(tags, message.get(field.range()).unwrap_or_default()) {
            return Ok(true);
        }
    }
    Ok(false)
}
