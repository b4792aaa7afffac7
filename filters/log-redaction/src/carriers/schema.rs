//! What messages are made of, in one table for their binary and their JSON form.

use super::leaves::{Slot, Unit};

/// A message.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) fields: &'static [Known],
    /// Whether units are among them, or in a message among them.
    pub(crate) has_units: bool,
    /// Of each number up to 16 where the field stands, counted from one.
    index: [u8; 17],
    /// Where fields that are added go.
    pub(crate) tags: Tags,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) number: u32,
    /// Its name, as the definition has it; JSON may write it so, or in lowerCamelCase.
    pub(crate) name: &'static str,
    /// What it adds to the path of what is in it; nothing where it is empty.
    pub(crate) step: &'static str,
    pub(crate) what: What,
}

/// What a field is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A text that is asked about; there may be several.
    Text(Slot),
    /// The id of a trace or span, of so many bytes, or none. It is what joins telemetry, and is kept.
    Id(usize),
    /// A number of the format: a time, count, kind, measured value. It is kept.
    Number,
    /// Several of them.
    Numbers,
    Message(&'static Schema),
    /// A key with a value of any kind.
    Attribute(Slot),
    /// A value of any kind.
    Any(Slot),
    /// A key and a text.
    Pair(Slot),
    /// Labels of a stream, all in one text.
    Labels,
    /// A unit of its own.
    Unit(Unit, &'static Schema),
}

/// Where fields go that are added to a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tags {
    /// It has no place for them.
    Nowhere,
    /// Into this field, as attributes.
    Own(u32),
    /// Into a field of the message in that field.
    In(u32, u32),
    /// Into this field, as pairs of texts.
    Pairs(u32),
}

impl Schema {
    pub(crate) const fn new(fields: &'static [Known], tags: Tags) -> Self {
        let (mut index, mut has_units, mut at) = ([0; 17], false, 0);
        let mut rest = fields;
        while let Some((known, behind)) = rest.split_first() {
            has_units |= known.has_units();
            let mut numbers = index.as_mut_slice();
            let mut number = 0;
            while let Some((place, after)) = numbers.split_first_mut() {
                if number == known.number {
                    *place = at + 1;
                }
                number += 1;
                numbers = after;
            }
            (rest, at) = (behind, at + 1);
        }
        Self { fields, has_units, index, tags }
    }

    /// INVARIANT: no number in the tables is larger than 16.
    #[inline]
    pub(crate) fn by_number(&self, number: u32) -> Option<&'static Known> {
        let at = *self.index.get(number as usize)?;
        self.fields.get(usize::from(at).checked_sub(1)?)
    }
}

impl Known {
    pub(crate) const fn has_units(&self) -> bool {
        match self.what {
            What::Unit(..) => true,
            What::Message(inner) => inner.has_units,
            _ => false,
        }
    }
}

pub(crate) const fn known(number: u32, name: &'static str, what: What) -> Known {
    Known { number, name, step: name, what }
}

/// One that adds nothing to a path.
pub(crate) const fn bare(number: u32, name: &'static str, what: What) -> Known {
    Known { number, name, step: "", what }
}

/// One that adds something else than its name.
pub(crate) const fn step(number: u32, name: &'static str, step: &'static str, what: What) -> Known {
    Known { number, name, step, what }
}
