//! A private key whose lines stand apart: each of them goes, though none is told from other base64 by itself.

/// The most lines of one: RSA of 16384 bits has 197.
const LINES: u32 = 400;
/// The shortest line but the last; ordinary ones have 64 or 76.
const FULL: usize = 40;

/// Whether the lines that come are those of a key.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// How many lines may come; none outside of a key.
    left: u32,
    /// Whether the last line was shorter than lines are: it was the last one.
    short: bool,
}

impl Block {
    /// A key was found in a line, which goes on with `rest`.
    pub(super) fn begins(&mut self, key: &[u8], rest: &[u8]) {
        let cut = memchr::memmem::find(key, b"-----END").is_none();
        if cut && rest.len() <= 8 && !rest.iter().any(u8::is_ascii_alphanumeric) {
            *self = Self { left: LINES, short: false };
        }
    }

    /// Whether this line, the next one, is of the key.
    pub(super) fn has(&mut self, line: &[u8]) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        if memchr::memmem::find(line, b"-----END").is_some() {
            self.left = 0;
            return true;
        }
        let line = line.trim_ascii();
        // RFC 1421 and RFC 9580 have headers, and an empty line after them.
        let header =
            [&b"Proc-Type:"[..], b"DEK-Info:", b"Version:", b"Comment:"].iter().any(|one| line.starts_with(one));
        if line.is_empty() || header {
            return !line.is_empty();
        }
        // In source code a line has quotes around it, and `\n` at its end.
        let quoted = |byte: &u8| matches!(byte, b'"' | b'\'' | b',' | b';' | b'\\');
        let mut words = line.rsplit(u8::is_ascii_whitespace);
        let word = words.find(|word| !matches!(*word, b"" | b"+")).unwrap_or_default();
        let from = word.iter().take_while(|byte| quoted(byte)).count();
        let word = &word[from..];
        let word = &word[..word.len() - word.iter().rev().take_while(|byte| quoted(byte)).count()];
        let word = word.strip_suffix(b"\\n").unwrap_or(word);
        let word = word.strip_suffix(b"\\r").unwrap_or(word);
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let base64 = !word.is_empty() && word.iter().all(plain);
        if !base64 || self.short {
            self.left = 0;
            return false;
        }
        self.short = word.len() < FULL;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_cut_off_takes_one_other_line_at_most() {
        let mut block = Block::default();
        assert!(!block.has(b"a"));
        block.begins(b"-----BEGIN PRIVATE KEY-----", b"");
        assert!(block.has(&[b'A'; 64]));
        assert!(!block.has(b"2026-11-29 info: started (again)."));
        assert!(!block.has(&[b'A'; 64]));
        block.begins(b"-----BEGIN PRIVATE KEY-----", b"\",");
        assert!(block.has(b"worker started"));
        assert!(!block.has(b"worker stopped"));
        block.begins(b"-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----", b"");
        assert!(!block.has(&[b'A'; 64]));
    }
}
