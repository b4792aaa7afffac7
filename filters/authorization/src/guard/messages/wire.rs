//! The wire format of Protocol Buffers, as far as it tells where a field ends.

use super::Refused;

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'m> {
    pub(super) number: u32,
    /// Where in the message its tag begins, and where the tag ends.
    pub(super) start: usize,
    pub(super) tag_end: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What it holds, where that is bytes: a string, a message, or several numbers in one.
    pub(super) bytes: Option<&'m [u8]>,
}

/// The fields of a message, in the order in which they stand.
pub(super) struct Fields<'m> {
    message: &'m [u8],
    at: usize,
}

/// The largest number of a field.
pub(super) const MAX_NUMBER: u32 = (1 << 29) - 1;

const NO_MESSAGE: Refused = Refused::Invalid("a message is none of Protocol Buffers");

impl<'m> Fields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// The next field; `None` where the message ends.
    pub(super) fn next(&mut self) -> Result<Option<Field<'m>>, Refused> {
        let start = self.at;
        if start == self.message.len() {
            return Ok(None);
        }
        // What some readers cut to 32 bits and others refuse has no one meaning.
        let tag = self.varint(5).and_then(|tag| u32::try_from(tag).ok()).ok_or(NO_MESSAGE)?;
        let (number, tag_end) = (tag >> 3, self.at);
        if number == 0 {
            return Err(NO_MESSAGE);
        }
        let bytes = match tag & 7 {
            0 => self.varint(10).map(|_| None),
            1 => self.take(8).map(|_| None),
            2 => {
                let length = self.varint(5).and_then(|length| usize::try_from(length).ok());
                length.and_then(|length| self.take(length)).map(Some)
            }
            5 => self.take(4).map(|_| None),
            // A group is a message in another writing: what stands in it could be what is looked for.
            3 | 4 => return Err(Refused::Invalid("a message has a group, which cannot be judged")),
            _ => None,
        };
        let bytes = bytes.ok_or(NO_MESSAGE)?;
        Ok(Some(Field { number, start, tag_end, end: self.at, bytes }))
    }

    fn varint(&mut self, longest: usize) -> Option<u64> {
        let mut value = 0_u64;
        for nth in 0..longest {
            let byte = *self.message.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7F).checked_shl(7 * nth as u32)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}

/// Adds a number as a varint.
pub(super) fn write_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
