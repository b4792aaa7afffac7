//! Lines of text, one record each: as they are, as syslog where one begins as that does, as JSON where one is.

mod syslog;

use super::document::{To, record};
use super::leaves::{Change, Leaves, Part, Slot, Unit, Verdict};
use super::lines::{Lines, TOO_LONG};
use super::records::FIELDS;
use super::refusal::Refusal;
use super::walk::{Desk, Walk};

/// Reads one text.
#[derive(Debug)]
pub(crate) struct Text {
    lines: Lines,
}

impl Text {
    pub(crate) fn new(cap: usize) -> Self {
        Self { lines: Lines::new(cap) }
    }

    pub(crate) fn held(&self) -> usize {
        self.lines.held()
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        leaves: &mut dyn Leaves,
        desk: &mut Desk,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        self.lines.push(bytes, end, out, &mut |line, out| {
            let Some(line) = line else {
                desk.counts.bad(TOO_LONG.cause);
                return Ok(());
            };
            if line.text.is_empty() {
                out.extend_from_slice(line.end);
                return Ok(());
            }
            let mut walk = Walk::new(leaves, desk);
            if one(&mut walk, line.text)? {
                desk.splice.apply(line.text, out)?;
                out.extend_from_slice(line.end);
            }
            Ok(())
        })
    }
}

/// A line; `false` where it is left out.
fn one(walk: &mut Walk<'_>, text: &[u8]) -> Result<bool, Refusal> {
    if text.first() == Some(&b'{') && is_object(text) {
        return record(walk, &FIELDS, text, 0..text.len(), To::Root);
    }
    let parts = syslog::parts(text);
    let verdict = walk.unit(
        Unit::Record,
        |walk| {
            match &parts {
                Some(parts) => parts.walk(walk, text),
                None => {
                    let level = walk.desk.path.down(b"message");
                    match walk.leaf(Slot::Body, Part::Text, b"", text) {
                        Change::Keep => {}
                        Change::Replace(new) => walk.desk.splice.replace(0..text.len(), |arena| put(&new, arena)),
                        Change::DropField => walk.condemn(),
                    }
                    walk.desk.path.up(level);
                }
            }
            Ok(())
        },
        |_| Ok(()),
    )?;
    Ok(verdict != Verdict::Drop)
}

/// Whether all of a line is one object that is read strictly. A line that is not is text.
fn is_object(text: &[u8]) -> bool {
    let mut cursor = partywall_json::Cursor::new(text);
    cursor.value(0).is_ok() && cursor.end().is_ok()
}

/// What stands for a text on a line has no end of a line in it.
pub(super) fn put(new: &[u8], out: &mut Vec<u8>) {
    out.extend(new.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
}
