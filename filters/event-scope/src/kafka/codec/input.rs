//! Reads the primitives of the wire, each within the bytes that are there.

use super::edit::Value;
use super::layout::Kind;
use super::problem::Problem;

/// The longest string that Kafka reads, whatever its length is written as.
pub(crate) const LONGEST_TEXT: usize = i16::MAX as usize;

/// A frame and how far it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'f> {
    frame: &'f [u8],
    /// INVARIANT: at most `end`, which is at most the frame's length.
    pos: usize,
    end: usize,
    /// How many bytes of the frame come behind `end` and are not there yet; 0 within anything that has an end of its own.
    ahead: usize,
    /// How many of those belong to the bytes that were read last.
    records: usize,
}

/// A place in a frame to come back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pos: usize,
    ahead: usize,
    records: usize,
}

impl Start {
    pub(crate) fn pos(self) -> usize {
        self.pos
    }
}

/// How many empty lists of tags may stand behind records: one for each struct around them.
const TAGS: usize = 8;

impl<'f> Input<'f> {
    pub(crate) fn new(frame: &'f [u8]) -> Self {
        Self::begun(frame, frame.len())
    }

    /// A frame of `size` bytes that begins with these.
    pub(crate) fn begun(frame: &'f [u8], size: usize) -> Self {
        Self { frame, pos: 0, end: frame.len(), ahead: size.saturating_sub(frame.len()), records: 0 }
    }

    /// What of the frame is not there yet and was read nevertheless: so many bytes of records. Behind them stand `ahead`
    /// bytes.
    #[inline]
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// How many bytes of the frame are not there and were not read.
    #[inline]
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// The count of a list of tags. Behind records that are not there yet it is taken for 0, to be looked at when it comes.
    #[inline]
    pub(crate) fn tags(&mut self) -> Result<u32, Problem> {
        if self.records > 0 && self.pos == self.end && self.ahead > 0 {
            self.ahead -= 1;
            return Ok(0);
        }
        self.varint()
    }

    #[inline]
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.end - self.pos
    }

    /// Goes to `pos`, and ends at `end`: places where this input was before.
    #[inline]
    pub(crate) fn set(&mut self, pos: usize, end: usize) {
        self.ahead = 0;
        self.end = end.min(self.frame.len());
        self.pos = pos.min(self.end);
    }

    /// Where [`Input::back_to`] comes back to, before the end that holds now moves.
    #[inline]
    pub(crate) fn place(&self) -> Start {
        Start { pos: self.pos, ahead: self.ahead, records: self.records }
    }

    pub(crate) fn back_to(&mut self, start: Start) {
        (self.pos, self.ahead, self.records) = (start.pos.min(self.end), start.ahead, start.records);
    }

    #[inline]
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'f [u8] {
        self.frame.get(from..to).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn take(&mut self, size: usize) -> Result<&'f [u8], Problem> {
        if size > self.left() {
            return Err(Problem::Truncated);
        }
        let taken = self.slice(self.pos, self.pos + size);
        self.pos += size;
        Ok(taken)
    }

    /// As [`Input::take`], of what nobody looks at.
    #[inline]
    pub(crate) fn skip(&mut self, size: usize) -> Result<(), Problem> {
        if size > self.left() {
            return Err(Problem::Truncated);
        }
        self.pos += size;
        Ok(())
    }

    /// Whether an empty list of tags stands here, which is read then.
    #[inline]
    pub(crate) fn skip_no_tags(&mut self) -> bool {
        let none = self.pos < self.end && self.frame.get(self.pos) == Some(&0);
        self.pos += usize::from(none);
        none
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        self.take(N)?.try_into().map_err(|_| Problem::Truncated)
    }

    #[inline]
    pub(crate) fn i8(&mut self) -> Result<i8, Problem> {
        self.array().map(i8::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i16(&mut self) -> Result<i16, Problem> {
        self.array().map(i16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, Problem> {
        self.array().map(i32::from_be_bytes)
    }

    /// A value whose size is always the same; null for any other.
    pub(crate) fn fixed(&mut self, kind: Kind) -> Result<Value<'f>, Problem> {
        let Some(size) = kind.size() else { return Ok(Value::Null) };
        let bytes = self.take(size)?;
        if kind == Kind::Uuid {
            return Ok(Value::Bytes(bytes));
        }
        let signed = kind != Kind::UInt16 && bytes.first().is_some_and(|first| *first >= 0x80);
        let begin = if signed { -1 } else { 0 };
        Ok(Value::Number(bytes.iter().fold(begin, |number, byte| number << 8 | i64::from(*byte))))
    }

    /// An unsigned varint: seven bits a byte, lowest first.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32, Problem> {
        match self.frame.get(self.pos) {
            Some(byte) if *byte < 0x80 && self.pos < self.end => {
                self.pos += 1;
                Ok(u32::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u32, Problem> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            let bits = u32::from(byte & 0x7f);
            // Of the fifth byte four bits fit.
            if shift == 28 && byte > 0x0f {
                return Err(Problem::Varint);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }

    /// The length of a string, of bytes or of a list, by how this version writes it. `None` is null.
    #[inline]
    fn length(&mut self, compact: bool, wide: bool) -> Result<Option<usize>, Problem> {
        let length = match (compact, wide) {
            (true, _) => i64::from(self.varint()?) - 1,
            (false, true) => i64::from(self.i32()?),
            (false, false) => i64::from(self.i16()?),
        };
        match length {
            -1 => Ok(None),
            _ => usize::try_from(length).map(Some).map_err(|_| Problem::Length),
        }
    }

    /// A string and whether it is null.
    #[inline]
    pub(crate) fn text(&mut self, compact: bool) -> Result<Option<&'f [u8]>, Problem> {
        match self.length(compact, false)? {
            None => Ok(None),
            Some(length) if length > LONGEST_TEXT => Err(Problem::Length),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Bytes, or null.
    #[inline]
    pub(crate) fn bytes(&mut self, compact: bool) -> Result<Option<&'f [u8]>, Problem> {
        match self.length(compact, true)? {
            None => Ok(None),
            Some(length) if length > self.left() => self.beyond(length).map(Some),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Bytes of which the last ones are not there yet, and nothing but empty lists of tags behind them; what there is.
    #[cold]
    fn beyond(&mut self, length: usize) -> Result<&'f [u8], Problem> {
        let missing = length.saturating_sub(self.left());
        match self.ahead.checked_sub(missing) {
            Some(tags @ ..=TAGS) if missing > 0 && self.records == 0 => {
                (self.records, self.ahead) = (missing, tags);
                self.take(self.left())
            }
            _ => Err(Problem::Truncated),
        }
    }

    /// The count of a list, or null.
    #[inline]
    pub(crate) fn count(&mut self, compact: bool) -> Result<Option<usize>, Problem> {
        self.length(compact, true)
    }
}

/// Writes an unsigned varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7f {
        // The lowest seven bits, and that more follow.
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes the length of something, as [`Input`] reads it. `None` is null.
pub(crate) fn put_length(out: &mut Vec<u8>, length: Option<usize>, compact: bool, wide: bool) -> Result<(), Problem> {
    let length = length.map(|length| i32::try_from(length).map_err(|_| Problem::TooLong)).transpose()?.unwrap_or(-1);
    match (compact, wide) {
        (true, _) => put_varint(out, length.wrapping_add(1) as u32),
        (false, true) => out.extend_from_slice(&length.to_be_bytes()),
        (false, false) => out.extend_from_slice(&i16::try_from(length).map_err(|_| Problem::Edit)?.to_be_bytes()),
    }
    Ok(())
}
