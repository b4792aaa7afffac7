//! Reading a text that is there whole.

use super::{Fault, MAX_DEPTH, Scan};

const NO_VALUE: Fault = Fault::Invalid("no value that JSON has");

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    /// Before all of it.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How much of the text was read.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no space, which is not read.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let first = *self.bytes.get(self.at)?;
        // Mostly there is none.
        if first > b' ' {
            return Some(first);
        }
        let rest = self.bytes.get(self.at..)?;
        let spaces = rest.iter().take_while(|byte| is_space(**byte)).count();
        self.at += spaces;
        rest.get(spaces).copied()
    }

    /// Reads the next byte that is no space, if it is this one.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Reads one that must come.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Fault::Invalid("a comma, colon, key or bracket that JSON does not have here")),
            None => Err(Fault::Cut),
        }
    }

    /// Nothing but space follows.
    pub fn end(&mut self) -> Result<(), Fault> {
        if self.peek().is_none() { Ok(()) } else { Err(Fault::Invalid("something follows the JSON text")) }
    }

    /// Reads a string; gives it without its quotes, as it is written.
    #[inline]
    pub fn string(&mut self) -> Result<&'b [u8], Fault> {
        Ok(self.text()?.0)
    }

    /// Reads a string; gives it likewise, and whether it has escapes: where it has none it means what is written.
    #[inline]
    pub fn text(&mut self) -> Result<(&'b [u8], bool), Fault> {
        self.expect(b'"')?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (size, escapes) = super::text::size(rest)?;
        self.at += size + 1;
        Ok((rest.get(..size).unwrap_or_default(), escapes))
    }

    /// Passes over what stands there up to `end`, of which it is known that a value ends there.
    pub fn leap(&mut self, end: usize) {
        self.at = self.at.max(end.min(self.bytes.len()));
    }

    /// Reads up to the end of a value, of which no more is seen than where it ends: who goes on to read what is in it
    /// sees whether it is JSON.
    ///
    /// # Errors
    ///
    /// It has no end.
    pub fn skip(&mut self) -> Result<&'b [u8], Fault> {
        self.peek().ok_or(Fault::Cut)?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut scan = Scan::default();
        let size = match scan.end(rest)? {
            Some(size) => size,
            None if scan.is_bare() => rest.len(),
            None => return Err(Fault::Cut),
        };
        self.at += size;
        Ok(rest.get(..size).unwrap_or_default())
    }

    /// Reads a value of any kind, and gives it as it is written.
    pub fn value(&mut self, depth: usize) -> Result<&'b [u8], Fault> {
        let first = self.peek().ok_or(Fault::Cut)?;
        let start = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.container(first == b'{', depth)?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    fn container(&mut self, object: bool, depth: usize) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let close = if object { b'}' } else { b']' };
        self.at += 1;
        if self.take(close) {
            return Ok(());
        }
        loop {
            if object {
                self.string()?;
                self.expect(b':')?;
            }
            self.value(depth + 1)?;
            if self.take(close) {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(NO_VALUE);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += number(rest).ok_or(NO_VALUE)?;
        Ok(())
    }
}

/// How long the number is that a text begins with.
fn number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at += 1 + Some(fraction).filter(|size| *size > 0)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at += Some(digits(at)).filter(|size| *size > 0)?;
    }
    Some(at)
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Result<(), Fault> {
        let mut cursor = Cursor::new(text.as_bytes());
        cursor.value(0)?;
        cursor.end()
    }

    #[test]
    fn what_is_json_is_read_and_nothing_else() {
        for good in ["0", "-1.5e+3", " [1 , {\"a\":[]} ] ", "{}", "\"\\u00e9\\ud83d\\ude00\"", "null", "1E5", "[[],{}]"]
        {
            assert_eq!(reads(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":1,}",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"a",
            "nul",
            "1 2",
            "[}",
            "\"\t\"",
            "'a'",
            "NaN",
            "\u{feff}1",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "\"\\udc00\"",
        ] {
            assert!(reads(bad).is_err(), "{bad}");
        }
        assert_eq!(reads(&"[".repeat(65)), Err(Fault::TooDeep));
        assert_eq!(reads(&format!("{}{}", "[".repeat(64), "]".repeat(64))), Ok(()));
    }
}
