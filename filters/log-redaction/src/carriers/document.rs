//! A JSON text that is there whole: every text and number in it is asked about, and every key that its format does not
//! name. Escapes are decoded where there is a backslash; what nobody changed stays as it is written.

mod members;
mod tags;

use std::borrow::Cow;
use std::ops::Range;

use partywall_json::{Cursor, Fault, Leaps, decode, write};

use super::leaves::{Change, Part, Slot, Unit, Verdict};
use super::refusal::Refusal;
use super::walk::{Fate, Walk};
pub(crate) use members::{Members, unique};
pub(crate) use tags::{To, tag};

/// What a value of a text is, as its format says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) slot: Slot,
    pub(crate) treat: Treat,
    /// Whether it adds its key to the path of what is in it.
    pub(crate) step: bool,
    /// The members that the format names.
    pub(crate) fields: &'static [(&'static str, Node)],
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treat {
    /// Every text and number.
    Leaves,
    /// Texts; numbers are the format's, as times are.
    Measure,
    /// Nothing, where it is up to so many hexadecimal digits: the id of a trace or span.
    Id(usize),
    /// As leaves; without it there is no record.
    Needed,
}

impl Node {
    pub(crate) const fn of(slot: Slot) -> Self {
        Self { slot, treat: Treat::Leaves, step: true, fields: &[] }
    }

    pub(crate) const fn treated(slot: Slot, treat: Treat) -> Self {
        Self { slot, treat, step: true, fields: &[] }
    }

    pub(crate) const fn with(slot: Slot, fields: &'static [(&'static str, Node)]) -> Self {
        Self { slot, treat: Treat::Leaves, step: true, fields }
    }

    pub(crate) const fn bare(self) -> Self {
        Self { step: false, ..self }
    }
}

/// A record that is all of `range` in `text`, of which the edits are; `false` where it is left out.
pub(crate) fn record(
    walk: &mut Walk<'_>,
    node: &Node,
    text: &[u8],
    range: Range<usize>,
    to: To,
) -> Result<bool, Refusal> {
    let before = walk.desk.splice.mark();
    let looks = walk.looks_in(text.get(range.clone()).unwrap_or_default());
    let verdict = walk.unit_looked_at(
        Unit::Record,
        looks,
        |walk| {
            let mut document = Document::at(text, range.clone());
            if document.value(walk, node, b"", 0)? == Fate::Goes {
                walk.condemn();
            }
            Ok(document.cursor.end()?)
        },
        |_| Ok(()),
    )?;
    let splice = &mut walk.desk.splice;
    match verdict {
        Verdict::Keep => Ok(true),
        Verdict::Drop => {
            splice.back_to(before);
            Ok(false)
        }
        Verdict::Tag(tags) => {
            let mut changed = Vec::with_capacity(range.len());
            splice.extract(before, text, range.clone(), &mut changed)?;
            splice.back_to(before);
            let tagged = tag(&changed, to, &tags)?;
            splice.replace(range, |arena| arena.extend_from_slice(&tagged));
            Ok(true)
        }
    }
}

/// A place in a text.
#[derive(Clone, Copy)]
pub(crate) struct Document<'t> {
    pub(crate) cursor: Cursor<'t>,
    /// Where the text of the cursor begins in the text that is edited.
    base: usize,
    /// Where what is in it ends, as far as that was seen when it came.
    leaps: Option<&'t Leaps>,
}

impl<'t> Document<'t> {
    pub(crate) fn at(text: &'t [u8], range: Range<usize>) -> Self {
        let base = range.start;
        Self { cursor: Cursor::new(text.get(range).unwrap_or_default()), base, leaps: None }
    }

    /// All of a text, of which it was seen where what is in it ends.
    pub(crate) fn seen(text: &'t [u8], leaps: &'t Leaps) -> Self {
        Self { cursor: Cursor::new(text), base: 0, leaps: Some(leaps) }
    }

    /// Reads a string; gives what it means.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Cow<'t, [u8]>, Fault> {
        self.cursor.text().map(meaning)
    }

    /// Passes over a value, of which no more is seen than where it ends.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        self.cursor.peek();
        match self.leaps.and_then(|leaps| leaps.end(self.cursor.at())) {
            Some(end) => self.cursor.leap(end),
            None => drop(self.cursor.skip()?),
        }
        Ok(())
    }

    /// Where it is, in the text that is edited.
    pub(crate) fn here(&self) -> usize {
        self.base + self.cursor.at()
    }

    /// Where the next value, key or bracket begins.
    pub(crate) fn next(&mut self) -> usize {
        self.cursor.peek();
        self.here()
    }

    /// A value and all that is in it.
    pub(crate) fn value(
        &mut self,
        walk: &mut Walk<'_>,
        node: &Node,
        key: &[u8],
        depth: usize,
    ) -> Result<Fate, Refusal> {
        let fate = match self.cursor.peek().ok_or(Fault::Cut)? {
            b'"' => {
                let start = self.here();
                let text = self.text()?;
                if let Treat::Id(most) = node.treat
                    && text.len() <= most
                    && text.iter().all(u8::is_ascii_hexdigit)
                {
                    return Ok(Fate::Stays);
                }
                let change = walk.leaf(node.slot, Part::Text, key, &text);
                self.change(walk, start, change, write_text)
            }
            b'{' => return self.object(walk, node, depth),
            b'[' => return self.array(walk, node, key, depth),
            b't' | b'f' | b'n' => {
                self.cursor.value(depth)?;
                Fate::Stays
            }
            _ => {
                let start = self.here();
                let number = self.cursor.value(depth)?;
                if node.treat == Treat::Measure {
                    return Ok(Fate::Stays);
                }
                let change = walk.leaf(node.slot, Part::Number, key, number);
                self.change(walk, start, change, write_number)
            }
        };
        if fate == Fate::Goes && node.treat == Treat::Needed {
            walk.condemn();
        }
        Ok(fate)
    }

    /// What was read last, since `start`, becomes what was answered.
    pub(crate) fn change(
        &self,
        walk: &mut Walk<'_>,
        start: usize,
        change: Change,
        write: impl FnOnce(&[u8], &mut Vec<u8>),
    ) -> Fate {
        match change {
            Change::Keep => Fate::Stays,
            Change::Replace(new) => {
                walk.desk.splice.replace(start..self.here(), |arena| write(&new, arena));
                Fate::Stays
            }
            Change::DropField => Fate::Goes,
        }
    }

    fn object(&mut self, walk: &mut Walk<'_>, node: &Node, depth: usize) -> Result<Fate, Refusal> {
        let below = self.deeper(depth)?;
        self.cursor.expect(b'{')?;
        let keys = walk.desk.keys.len();
        let treat = if matches!(node.treat, Treat::Needed | Treat::Id(_)) { Treat::Leaves } else { node.treat };
        let unnamed = Node { fields: &[], step: true, treat, slot: node.slot };
        let mut members = Members::new(self.here());
        if !self.cursor.take(b'}') {
            loop {
                let start = self.next();
                let key = self.text()?;
                let key_end = self.here();
                self.cursor.expect(b':')?;
                walk.desk.keys.push(crate::hash::of(&key));
                let mark = walk.desk.splice.mark();
                let named = node.fields.iter().find(|(name, _)| name.as_bytes() == &*key);
                let inner = named.map_or(&unnamed, |(_, inner)| inner);
                let level = walk.desk.path.down(if inner.step { &key } else { b"" });
                let mut fate = Fate::Stays;
                if named.is_none() {
                    let change = walk.leaf(inner.slot, Part::Key, &key, &key);
                    if let Change::Replace(new) = &change {
                        walk.desk.splice.replace(start..key_end, |arena| write_text(new, arena));
                    }
                    fate = if change == Change::DropField { Fate::Goes } else { fate };
                }
                if fate == Fate::Goes {
                    self.cursor.value(below)?;
                } else {
                    fate = self.value(walk, inner, &key, below)?;
                }
                walk.desk.path.up(level);
                members.next(walk, mark, fate, start..self.here());
                if self.cursor.take(b'}') {
                    break;
                }
                self.cursor.expect(b',')?;
            }
        }
        members.end(walk);
        unique(&mut walk.desk.keys, keys)?;
        Ok(Fate::Stays)
    }

    fn array(&mut self, walk: &mut Walk<'_>, node: &Node, key: &[u8], depth: usize) -> Result<Fate, Refusal> {
        let level = walk.desk.path.down(b"[]");
        self.items(walk, depth, |document, walk, below| document.value(walk, node, key, below))?;
        walk.desk.path.up(level);
        Ok(Fate::Stays)
    }

    /// The items of an array.
    pub(crate) fn items(
        &mut self,
        walk: &mut Walk<'_>,
        depth: usize,
        mut item: impl FnMut(&mut Self, &mut Walk<'_>, usize) -> Result<Fate, Refusal>,
    ) -> Result<(), Refusal> {
        let below = self.deeper(depth)?;
        self.cursor.expect(b'[')?;
        let mut members = Members::new(self.here());
        if !self.cursor.take(b']') {
            loop {
                let start = self.next();
                let mark = walk.desk.splice.mark();
                let fate = item(self, walk, below)?;
                members.next(walk, mark, fate, start..self.here());
                if self.cursor.take(b']') {
                    break;
                }
                self.cursor.expect(b',')?;
            }
        }
        members.end(walk);
        Ok(())
    }

    pub(crate) fn deeper(&self, depth: usize) -> Result<usize, Refusal> {
        if depth >= partywall_json::MAX_DEPTH { Err(Fault::TooDeep.into()) } else { Ok(depth + 1) }
    }
}

/// What a string means that is written so, and has escapes or none.
#[inline]
pub(crate) fn meaning((written, escapes): (&[u8], bool)) -> Cow<'_, [u8]> {
    if escapes { unescaped(written) } else { Cow::Borrowed(written) }
}

fn unescaped(written: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Vec::with_capacity(written.len());
    decode(written, &mut text);
    Cow::Owned(text)
}

pub(crate) fn write_text(new: &[u8], out: &mut Vec<u8>) {
    write(String::from_utf8_lossy(new).as_bytes(), out);
}

/// A number stays one, if this is one.
pub(crate) fn write_number(new: &[u8], out: &mut Vec<u8>) {
    let mut cursor = Cursor::new(new);
    let number = matches!(new.first(), Some(b'-' | b'0'..=b'9')) && cursor.value(0).is_ok() && cursor.at() == new.len();
    if number { out.extend_from_slice(new) } else { write_text(new, out) }
}
