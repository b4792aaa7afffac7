//! Where a value ends that comes in chunks.

use super::Fault;
use super::cursor::is_space;
use super::text::plain;

const NOT_HERE: Fault = Fault::Invalid("a comma, colon, key or bracket that JSON does not have here");

/// Looking for the end of a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    at: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
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
        while let Some(byte) = text.get(self.at).copied() {
            let first = self.at == 0;
            if self.in_text {
                if !self.escaped && byte != b'"' && byte != b'\\' {
                    self.at += plain(text.get(self.at..).unwrap_or_default()).max(1);
                    continue;
                }
                self.at += 1;
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return Ok(Some(self.at));
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if first || self.depth > 0 => self.in_text = true,
                b'{' | b'[' if first || self.depth > 0 => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(self.at + 1));
                    }
                }
                b',' | b'}' | b']' | b':' | b'{' | b'[' | b'"' if self.depth == 0 => {
                    return if first { Err(NOT_HERE) } else { Ok(Some(self.at)) };
                }
                _ if self.depth == 0 && is_space(byte) => return Ok(Some(self.at)),
                _ => {}
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// Whether it is inside of a number or a word.
    pub fn is_bare(self) -> bool {
        self.at > 0 && self.depth == 0 && !self.in_text
    }
}
