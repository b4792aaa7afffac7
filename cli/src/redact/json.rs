//! A line that is JSON: its names and values, where they stand and what they mean.

use std::borrow::Cow;
use std::ops::Range;

use partywall_json::{Cursor, Fault, MAX_DEPTH, decode};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// A value that has none in it.
pub(crate) struct Leaf<'l> {
    pub(crate) kind: Kind,
    /// As it stands there, a text without its quotes.
    pub(crate) written: &'l [u8],
    /// Where in the line.
    pub(crate) at: usize,
    /// What its names mean: the last one, and all of them with dots between; `[]` is an item of an array.
    pub(crate) key: &'l [u8],
    pub(crate) path: &'l [u8],
}

/// Is shown names and values, in their order.
pub(crate) trait Visit {
    /// A name as it is written.
    fn name(&mut self, written: &[u8], at: usize);
    /// A value.
    fn leaf(&mut self, leaf: &Leaf<'_>);
}

/// Whether a line begins as an object or an array does.
pub(crate) fn may_be(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Shows all of a line.
///
/// # Errors
///
/// It is no JSON; parts of it were shown.
pub(crate) fn walk(line: &[u8], visit: &mut impl Visit) -> Result<(), Fault> {
    let mut walk = Walk { cursor: Cursor::new(line), path: Vec::new(), visit };
    walk.value(b"", 0)?;
    walk.cursor.end()
}

struct Walk<'l, 'v, V> {
    cursor: Cursor<'l>,
    path: Vec<u8>,
    visit: &'v mut V,
}

impl<V: Visit> Walk<'_, '_, V> {
    fn value(&mut self, key: &[u8], depth: usize) -> Result<(), Fault> {
        let first = self.cursor.peek().ok_or(Fault::Cut)?;
        let kind = match first {
            b'{' | b'[' if depth >= MAX_DEPTH => return Err(Fault::TooDeep),
            b'{' => return self.object(depth + 1),
            b'[' => return self.array(key, depth + 1),
            b'"' => Kind::Text,
            b't' | b'f' | b'n' => Kind::Word,
            _ => Kind::Number,
        };
        let start = self.cursor.at();
        let (written, at) = match kind {
            Kind::Text => (self.cursor.string()?, start + 1),
            _ => (self.cursor.value(depth)?, start),
        };
        self.visit.leaf(&Leaf { kind, written, at, key, path: &self.path });
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        self.cursor.expect(b'{')?;
        if self.cursor.take(b'}') {
            return Ok(());
        }
        loop {
            self.cursor.peek();
            let at = self.cursor.at() + 1;
            let written = self.cursor.string()?;
            self.visit.name(written, at);
            self.cursor.expect(b':')?;
            let key = meaning(written);
            let level = self.down(&key);
            self.value(&key, depth)?;
            self.path.truncate(level);
            if self.cursor.take(b'}') {
                return Ok(());
            }
            self.cursor.expect(b',')?;
        }
    }

    fn array(&mut self, key: &[u8], depth: usize) -> Result<(), Fault> {
        self.cursor.expect(b'[')?;
        if self.cursor.take(b']') {
            return Ok(());
        }
        let level = self.down(b"[]");
        loop {
            self.value(key, depth)?;
            if self.cursor.take(b']') {
                self.path.truncate(level);
                return Ok(());
            }
            self.cursor.expect(b',')?;
        }
    }

    fn down(&mut self, step: &[u8]) -> usize {
        let level = self.path.len();
        if level > 0 {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(step);
        level
    }
}

fn meaning(written: &[u8]) -> Cow<'_, [u8]> {
    if !written.contains(&b'\\') {
        return Cow::Borrowed(written);
    }
    let mut text = Vec::with_capacity(written.len());
    decode(written, &mut text);
    Cow::Owned(text)
}

/// What a string means, and where each byte of that is written.
pub(crate) struct Decoded<'w> {
    text: Cow<'w, [u8]>,
    /// Of each byte of the text the bytes that it is written by; none where all is written as it is.
    places: Vec<(u32, u32)>,
}

impl<'w> Decoded<'w> {
    /// Of a string that was read as one, without its quotes.
    pub(crate) fn new(written: &'w [u8]) -> Self {
        let Some(first) = memchr::memchr(b'\\', written) else {
            return Self { text: Cow::Borrowed(written), places: Vec::new() };
        };
        let mut text = written[..first].to_vec();
        let mut places: Vec<(u32, u32)> = (0..first as u32).map(|at| (at, at + 1)).collect();
        let mut at = first;
        while at < written.len() {
            let rest = &written[at..];
            let size = match rest {
                [b'\\', b'u', ..] => {
                    let high = matches!(rest.get(2..4), Some([b'd' | b'D', b'8' | b'9' | b'a'..=b'b' | b'A'..=b'B']));
                    if high { 12 } else { 6 }
                }
                [b'\\', ..] => 2,
                _ => 1,
            };
            let end = (at + size).min(written.len());
            if size == 1 {
                text.push(written[at]);
            } else {
                decode(&written[at..end], &mut text);
            }
            places.resize(text.len(), (at as u32, end as u32));
            at = end;
        }
        Self { text: Cow::Owned(text), places }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// By which bytes a part of the text is written.
    pub(crate) fn place(&self, range: &Range<usize>) -> Range<usize> {
        match (self.places.get(range.start), self.places.get(range.end - 1)) {
            (Some((start, _)), Some((_, end))) => *start as usize..*end as usize,
            _ => range.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_in_a_decoded_text_is_taken_out_of_the_written_one() {
        let written = br"a\u0040b \ud83d\ude00\n\\x\u00e9.";
        let decoded = Decoded::new(written);
        let mut all = Vec::new();
        decode(written, &mut all);
        assert_eq!(decoded.text(), all);
        let of = |part: &str| {
            let at = memchr::memmem::find(&all, part.as_bytes()).unwrap();
            String::from_utf8(written[decoded.place(&(at..at + part.len()))].to_vec()).unwrap()
        };
        assert_eq!(of("a@b"), r"a\u0040b");
        assert_eq!(of("😀"), r"\ud83d\ude00");
        assert_eq!(of("\n\\x"), r"\n\\x");
        assert_eq!(of("é."), r"\u00e9.");
        assert_eq!(decoded.place(&(0..all.len())), 0..written.len());
    }
}
