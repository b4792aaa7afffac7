//! Where a value ends that comes in chunks.

use super::Fault;
use super::cursor::is_space;
use super::text::until;

const NOT_HERE: Fault = Fault::Invalid("a comma, colon, key or bracket that JSON does not have here");

/// How deeply objects and arrays stand whose ends are remembered, how long they are at least, and how many there are at most.
const DEEP: usize = 4;
const LONG: usize = 256;
const MOST: usize = 64;

/// Looking for the end of a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    at: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

/// Where long objects and arrays end that do not stand deeply in a value: who passes over one need not look for its end again.
#[derive(Clone, Debug, Default)]
pub struct Leaps {
    /// Where those begin that are open.
    open: [usize; DEEP],
    /// Where some begin, and end.
    known: Vec<(usize, usize)>,
}

impl Leaps {
    /// Another value begins.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Where the object or array ends that begins there, if that is known.
    pub fn end(&self, start: usize) -> Option<usize> {
        self.known.iter().find(|(begin, _)| *begin == start).map(|(_, end)| *end)
    }

    #[inline]
    fn opens(&mut self, depth: usize, at: usize) {
        if let Some(open) = self.open.get_mut(depth) {
            *open = at;
        }
    }

    #[inline]
    fn closes(&mut self, depth: usize, end: usize) {
        if let Some(start) = self.open.get(depth)
            && end - start >= LONG
            && self.known.len() < MOST
        {
            self.known.push((*start, end));
        }
    }
}

impl Scan {
    /// How far it looked.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes on looking in `text`, which begins with the value and has become longer since; gives where the value ends.
    /// It need not be JSON: that is seen when it is read. A number or word ends where something follows.
    ///
    /// # Errors
    ///
    /// No value begins there.
    pub fn end(&mut self, text: &[u8]) -> Result<Option<usize>, Fault> {
        self.end_with(text, None)
    }

    /// Likewise, and says where what is in it ends: the same `leaps` each time, which are empty at first.
    ///
    /// # Errors
    ///
    /// No value begins there.
    pub fn end_with(&mut self, text: &[u8], leaps: Option<&mut Leaps>) -> Result<Option<usize>, Fault> {
        if self.at == 0 {
            match text.first() {
                None => return Ok(None),
                Some(b'"' | b'{' | b'[') => {}
                Some(b'}' | b']' | b',' | b':') => return Err(NOT_HERE),
                Some(_) => return Ok(self.bare(text)),
            }
        } else if self.is_bare() {
            return Ok(self.bare(text));
        }
        Ok(self.nested(text, leaps))
    }

    /// The end of a number or word.
    fn bare(&mut self, text: &[u8]) -> Option<usize> {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b'{' | b'[' | b'"') || is_space(*byte);
        let rest = text.get(self.at..).unwrap_or_default();
        let size = rest.iter().position(ends);
        self.at += size.unwrap_or(rest.len());
        size.map(|_| self.at)
    }

    /// The end of a text, an array or an object.
    fn nested(&mut self, text: &[u8], mut leaps: Option<&mut Leaps>) -> Option<usize> {
        let Self { mut at, mut depth, mut in_text, escaped } = *self;
        // What an escape begins in one chunk may stand in the next.
        at += usize::from(escaped);
        let end = loop {
            if in_text {
                at += until::<b'"', b'\\'>(text.get(at..).unwrap_or_default());
                match text.get(at) {
                    Some(b'"') => at += 1,
                    Some(_) => {
                        at += 2;
                        continue;
                    }
                    None => break None,
                }
                in_text = false;
                if depth == 0 {
                    break Some(at);
                }
            }
            let Some(byte) = text.get(at) else { break None };
            match byte {
                b'"' => in_text = true,
                b'{' | b'[' => {
                    if let Some(leaps) = &mut leaps {
                        leaps.opens(depth, at);
                    }
                    depth += 1;
                }
                b'}' | b']' => {
                    depth -= 1;
                    if let Some(leaps) = &mut leaps {
                        leaps.closes(depth, at + 1);
                    }
                    if depth == 0 {
                        break Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        };
        let escaped = end.is_none() && at > text.len();
        let at = end.unwrap_or(at.min(text.len()));
        *self = Self { at, depth, in_text, escaped };
        end
    }

    /// Whether it is inside of a number or a word.
    pub fn is_bare(self) -> bool {
        self.at > 0 && self.depth == 0 && !self.in_text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte by byte.
    fn slow(text: &[u8]) -> Result<Option<usize>, Fault> {
        let (mut depth, mut in_text, mut escaped) = (0, false, false);
        for (at, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' if in_text => {
                    in_text = false;
                    if depth == 0 {
                        return Ok(Some(at + 1));
                    }
                }
                _ if in_text => {}
                b'"' if at == 0 || depth > 0 => in_text = true,
                b'{' | b'[' if at == 0 || depth > 0 => depth += 1,
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(Some(at + 1));
                    }
                }
                b',' | b'}' | b']' | b':' | b'{' | b'[' | b'"' if depth == 0 => {
                    return if at == 0 { Err(NOT_HERE) } else { Ok(Some(at)) };
                }
                _ if depth == 0 && is_space(*byte) => return Ok(Some(at)),
                _ => {}
            }
        }
        Ok(None)
    }

    #[test]
    fn a_value_ends_where_it_does_byte_by_byte_however_it_is_cut() {
        let mut seed = 0x5eed_u64;
        for _ in 0..20_000 {
            let mut text = Vec::new();
            for _ in 0..24 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push(b"\"\"\"\\\\{[}],: a1-\xc3"[(seed >> 33) as usize % 16]);
            }
            let whole = slow(&text);
            assert_eq!(Scan::default().end(&text), whole, "{text:?}");
            let mut scan = Scan::default();
            let first = (1..=text.len()).map(|size| scan.end(&text[..size])).find(|end| *end != Ok(None));
            assert_eq!(first.unwrap_or(Ok(None)), whole, "{text:?}");
        }
    }

    #[test]
    fn what_is_passed_over_ends_where_it_was_seen_to() {
        let long = "x".repeat(LONG);
        let text = format!("{{\"a\":[{{\"b\":[\"{long}\"]}},[1],\"]\\\"\"],\"c\":{{\"d\":[[[[\"{long}\"]]]]}}}}");
        for step in [1, 7, text.len()] {
            let (mut scan, mut leaps) = (Scan::default(), Leaps::default());
            let mut end = None;
            for size in (step..=text.len()).step_by(step).chain([text.len()]) {
                end = end.or(scan.end_with(&text.as_bytes()[..size], Some(&mut leaps)).unwrap());
            }
            assert_eq!(end, Some(text.len()));
            assert_eq!(leaps.known.len(), 7);
            for (start, end) in &leaps.known {
                assert_eq!(Scan::default().end(&text.as_bytes()[*start..]), Ok(Some(end - start)));
                assert_eq!(leaps.end(*start), Some(*end));
            }
            assert_eq!(leaps.end(1), None);
        }
    }
}
