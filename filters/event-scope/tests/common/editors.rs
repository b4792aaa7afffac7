//! Editors, and walks with them.

use partywall_event_scope::kafka::codec::{self, Editor, Mark, Place, Scratch, Splice, Verdict, WalkError};

use super::Side;
use super::read::Api;

pub fn walk<'f, 's>(
    api: &Api,
    version: u8,
    side: Side,
    frame: &'f [u8],
    editor: &mut dyn Editor,
    scratch: &'s mut Scratch,
) -> Result<Splice<'f, 's>, WalkError> {
    match side {
        Side::Request => codec::request(frame, editor, scratch),
        Side::Response => codec::response(api.key, i16::from(version), frame, editor, scratch),
    }
}

/// The frame that a splice sends, its length checked and taken off.
pub fn sent(splice: &Splice<'_, '_>) -> Vec<u8> {
    let sent = splice.to_vec();
    let (length, frame) = sent.split_at(4);
    assert_eq!(length, i32::try_from(frame.len()).unwrap().to_be_bytes());
    assert_eq!(splice.size(), frame.len());
    frame.to_vec()
}

/// Is asked about every place, and keeps it.
pub struct Keep;

impl Editor for Keep {
    fn place(&mut self, _: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        Verdict::Keep
    }
}

/// Puts a prefix before topics, groups and transactions.
pub struct Rename;

impl Editor for Rename {
    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        match (place.mark, place.bytes()) {
            (Mark::Topic | Mark::Group | Mark::Transaction, Some(name)) => {
                new.extend(b"acme.");
                new.extend(name);
                Verdict::Replace
            }
            _ => Verdict::Keep,
        }
    }
}

/// Drops every second topic that stands in a list, and renames the others.
#[derive(Default)]
pub struct DropSecond(pub usize);

impl Editor for DropSecond {
    fn place(&mut self, place: &Place<'_>, new: &mut Vec<u8>) -> Verdict {
        if place.mark == Mark::Topic && place.bytes().is_some() && !place.indexes.is_empty() {
            self.0 += 1;
            if self.0.is_multiple_of(2) {
                return Verdict::Drop(1);
            }
        }
        Rename.place(place, new)
    }
}
