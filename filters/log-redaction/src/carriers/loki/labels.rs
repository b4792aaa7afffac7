//! Labels of a stream of Loki, all in one text: `{app="invoices", pod="a-1"}`. Values are quoted as Go quotes, or between
//! backticks: <https://go.dev/ref/spec#String_literals>, which is what Loki reads them by.

use super::super::document::unique;
use super::super::leaves::{Change, Part, Slot};
use super::super::refusal::Refusal;
use super::super::walk::Walk;

const NO_LABELS: Refusal = Refusal::undecodable("the labels of a stream are none that Loki reads");
const TWICE: Refusal = Refusal::undecodable("a stream has a label twice");

/// What stands in a stream all of whose labels were left out: Loki takes none without any.
const NONE_LEFT: &[u8] = b"{redacted=\"true\"}";

/// Asks about each label; gives the labels anew, where one changed.
pub(crate) fn walk(walk: &mut Walk<'_>, text: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let mut reader = Reader { text, at: 0 };
    let (mut name, mut value) = (Vec::new(), Vec::new());
    let (mut out, mut changed, mut any, mut left) = (vec![b'{'], false, false, false);
    let keys = walk.desk.keys.len();
    let level = walk.desk.path.down(b"labels");
    reader.expect(b'{')?;
    while !reader.take(b'}') {
        if any {
            reader.expect(b',')?;
            // Loki takes a comma behind the last.
            if reader.take(b'}') {
                break;
            }
        }
        any = true;
        name.clear();
        value.clear();
        reader.name(&mut name)?;
        reader.expect(b'=')?;
        reader.text(&mut value)?;
        walk.desk.keys.push(crate::hash::of(&name));
        let inner = walk.desk.path.down(&name);
        let (mut new_name, mut new_value) = (None, None);
        let mut stays = true;
        match walk.leaf(Slot::Label, Part::Key, &name, &name) {
            Change::Keep => {}
            Change::Replace(new) => new_name = Some(new),
            Change::DropField => stays = false,
        }
        if stays {
            match walk.leaf(Slot::Label, Part::Text, &name, &value) {
                Change::Keep => {}
                Change::Replace(new) => new_value = Some(new),
                Change::DropField => stays = false,
            }
        }
        walk.desk.path.up(inner);
        changed |= !stays || new_name.is_some() || new_value.is_some();
        if stays {
            if left {
                out.extend_from_slice(b", ");
            }
            left = true;
            write_name(new_name.as_deref().unwrap_or(&name), new_name.is_some(), &mut out);
            out.push(b'=');
            quote(new_value.as_deref().unwrap_or(&value), &mut out);
        }
    }
    reader.end()?;
    unique(&mut walk.desk.keys, keys).map_err(|_| TWICE)?;
    walk.desk.path.up(level);
    out.push(b'}');
    if !left {
        out = NONE_LEFT.to_vec();
    }
    Ok(changed.then_some(out))
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.take(byte) { Ok(()) } else { Err(NO_LABELS) }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        if self.peek().is_none() { Ok(()) } else { Err(NO_LABELS) }
    }

    /// A name, quoted or not.
    fn name(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.peek() == Some(b'"') {
            return self.text(out);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let size = rest.iter().take_while(|byte| is_plain(**byte)).count();
        let name = rest.get(..size).unwrap_or_default();
        if name.first().is_none_or(u8::is_ascii_digit) {
            return Err(NO_LABELS);
        }
        out.extend_from_slice(name);
        self.at += size;
        Ok(())
    }

    /// A text between quotes or backticks.
    fn text(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.take(b'`') {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let size = rest.iter().position(|byte| *byte == b'`').ok_or(NO_LABELS)?;
            // Go leaves carriage returns out of such a text.
            out.extend(rest.iter().take(size).filter(|byte| **byte != b'\r'));
            self.at += size + 1;
            return Ok(());
        }
        self.expect(b'"')?;
        loop {
            let byte = *self.text.get(self.at).ok_or(NO_LABELS)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\n' => return Err(NO_LABELS),
                b'\\' => self.escape(out)?,
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let byte = *self.text.get(self.at).ok_or(NO_LABELS)?;
        self.at += 1;
        let plain = match byte {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'"' | b'\'' => byte,
            b'x' => self.digits(16, 2)? as u8,
            b'0'..=b'7' => {
                self.at -= 1;
                u8::try_from(self.digits(8, 3)?).map_err(|_| NO_LABELS)?
            }
            b'u' | b'U' => {
                let code = self.digits(16, if byte == b'u' { 4 } else { 8 })?;
                let letter = char::from_u32(code).ok_or(NO_LABELS)?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(NO_LABELS),
        };
        out.push(plain);
        Ok(())
    }

    fn digits(&mut self, radix: u32, count: usize) -> Result<u32, Refusal> {
        let digits = self.text.get(self.at..self.at + count).ok_or(NO_LABELS)?;
        self.at += count;
        digits
            .iter()
            .try_fold(0_u32, |value, digit| value.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?))
            .ok_or(NO_LABELS)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

/// A name as it came; a new one of letters that every version of Loki takes.
fn write_name(name: &[u8], new: bool, out: &mut Vec<u8>) {
    if !new && !name.is_empty() && name.iter().all(|byte| is_plain(*byte)) {
        out.extend_from_slice(name);
    } else if new {
        if name.first().is_none_or(u8::is_ascii_digit) {
            out.push(b'_');
        }
        out.extend(name.iter().map(|byte| if byte.is_ascii_alphanumeric() { *byte } else { b'_' }));
    } else {
        quote(name, out);
    }
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            0..=0x1f | 0x7f => {
                let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or(b'0');
                out.extend([b'\\', b'x', digit(byte >> 4), digit(*byte)]);
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}
