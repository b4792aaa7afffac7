//! The wire format of Protocol Buffers, strictly: <https://protobuf.dev/programming-guides/encoding/>.

use std::ops::Range;

use super::refusal::{Cause, Refusal};

const NO_FIELD: Refusal = Refusal::undecodable("a message is none of Protocol Buffers");
const BEYOND: Refusal = Refusal::new(Cause::Length, "a field is longer than the message around it");

/// One field of a message, by where it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// Where its tag begins.
    pub(crate) start: usize,
    /// Where its tag ends; there stands the length of what has one.
    pub(crate) tag_end: usize,
    /// Where its value begins.
    pub(crate) body: usize,
    /// Where it ends.
    pub(crate) end: usize,
    pub(crate) value: Value,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    /// A string, bytes, a message, or several numbers in one.
    Bytes,
}

impl Field {
    /// All of it.
    pub(crate) fn whole(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Its length, of what has one.
    pub(crate) fn place(&self) -> Range<usize> {
        self.tag_end..self.body
    }

    /// Its value, without tag and length.
    pub(crate) fn range(&self) -> Range<usize> {
        self.body..self.end
    }
}

/// The fields of a message, in the order in which they stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'m> {
    /// The text up to the end of the message.
    text: &'m [u8],
    at: usize,
}

impl<'m> Fields<'m> {
    /// Those of the message that stands there in `text`.
    pub(crate) fn of(text: &'m [u8], range: Range<usize>) -> Self {
        Self { text: text.get(..range.end).unwrap_or_default(), at: range.start }
    }

    /// The next one; `None` where the message ends. Inlined everywhere: a field is moved through memory otherwise, which was
    /// a third of what a walk costs.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Field>, Refusal> {
        let start = self.at;
        if start >= self.text.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        // What some readers cut to 32 bits and others refuse has no one meaning.
        let tag = u32::try_from(tag).map_err(|_| NO_FIELD)?;
        let (number, tag_end) = (tag >> 3, self.at);
        if number == 0 {
            return Err(NO_FIELD);
        }
        let mut body = tag_end;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.take::<8>()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| BEYOND)?;
                body = self.at;
                let end = body.checked_add(length).filter(|end| *end <= self.text.len()).ok_or(BEYOND)?;
                self.at = end;
                Value::Bytes
            }
            5 => {
                self.take::<4>()?;
                Value::Fixed32
            }
            // A message in another writing, which readers of today do not agree about.
            3 | 4 => return Err(Refusal::undecodable("a message has a group")),
            _ => return Err(NO_FIELD),
        };
        Ok(Some(Field { number, start, tag_end, body, end: self.at, value }))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Refusal> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if let Some(byte) = rest.first()
            && *byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Refusal> {
        match read_varint(self.text.get(self.at..).unwrap_or_default())? {
            Some((value, size)) => {
                self.at += size;
                Ok(value)
            }
            None => Err(BEYOND),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let bytes = self.text.get(self.at..).and_then(<[u8]>::first_chunk).ok_or(BEYOND)?;
        self.at += N;
        Ok(*bytes)
    }
}

/// The varint that `bytes` begins with, and how long it is; `None` where more must come.
pub(crate) fn read_varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, Refusal> {
    let mut value = 0_u64;
    for (nth, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7F);
        // Ten bytes have room for 70 bits: readers cut the last six, or refuse.
        if nth == 9 && bits > 1 {
            return Err(NO_FIELD);
        }
        value |= bits << (7 * nth);
        if byte & 0x80 == 0 {
            return Ok(Some((value, nth + 1)));
        }
    }
    if bytes.len() < 10 { Ok(None) } else { Err(NO_FIELD) }
}

/// How many bytes a number takes as a varint.
pub(crate) fn varint_size(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a number as a varint.
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field that has a length.
pub(crate) fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(u64::from(number) << 3 | 2, out);
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<u32>, Cause> {
        let mut fields = Fields::of(bytes, 0..bytes.len());
        let mut numbers = Vec::new();
        while let Some(field) = fields.next().map_err(|refusal| refusal.cause)? {
            numbers.push(field.number);
        }
        Ok(numbers)
    }

    #[test]
    fn what_readers_differ_in_is_refused() {
        assert_eq!(all(&[8, 1, 18, 1, 0]), Ok(vec![1, 2]));
        for (bytes, cause) in [
            (&[0, 1][..], Cause::Undecodable),
            (&[11, 12], Cause::Undecodable),
            (&[14], Cause::Undecodable),
            (&[10, 2, 1], Cause::Length),
            (&[10, 0xFF], Cause::Length),
            (&[9, 1, 2, 3], Cause::Length),
            (&[13, 1, 2, 3], Cause::Length),
            (&[10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], Cause::Length),
            (&[8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], Cause::Undecodable),
            (&[0xF8, 0xFF, 0xFF, 0xFF, 0x7F, 1], Cause::Undecodable),
        ] {
            assert_eq!(all(bytes), Err(cause), "{bytes:?}");
        }
    }

    #[test]
    fn varints_are_as_long_as_they_say() {
        for value in [0, 1, 127, 128, 16383, 16384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            assert_eq!(out.len(), varint_size(value));
            assert_eq!(read_varint(&out), Ok(Some((value, out.len()))));
            assert_eq!(read_varint(&out[..out.len() - 1]), Ok(None));
        }
    }
}
