//! The JSON form: `{"streams": [{"stream": {"app": "a"}, "values": [["1700000000000000000", "a line", {"k": "v"}]]}]}`.

use partywall_json::{Fault, Leaps};

use super::super::document::{Document, Members, Node, To, Treat, tag, unique};
use super::super::leaves::{Change, Part, Slot, Unit, Verdict};
use super::super::refusal::Refusal;
use super::super::walk::{Fate, Walk};

const NO_ENTRY: Refusal = Refusal::undecodable("an entry of a stream is none that Loki reads");

/// A stream; `false` where it is left out.
pub(crate) fn stream(walk: &mut Walk<'_>, text: &[u8], leaps: &Leaps) -> Result<bool, Refusal> {
    let mark = walk.desk.splice.mark();
    let verdict =
        walk.unit(Unit::Resource, |walk| object(walk, text, leaps, false), |walk| object(walk, text, leaps, true))?;
    if verdict == Verdict::Drop {
        walk.desk.splice.back_to(mark);
        return Ok(false);
    }
    Ok(true)
}

/// The members of a stream: its entries, or all else.
fn object(walk: &mut Walk<'_>, text: &[u8], leaps: &Leaps, entries: bool) -> Result<(), Refusal> {
    let mut document = Document::seen(text, leaps);
    if document.cursor.peek() != Some(b'{') {
        return Err(Fault::Kind.into());
    }
    document.cursor.expect(b'{')?;
    let mut members = Members::new(document.here());
    let keys = walk.desk.keys.len();
    if !document.cursor.take(b'}') {
        loop {
            let start = document.next();
            let key = document.text()?;
            document.cursor.expect(b':')?;
            walk.desk.keys.push(crate::hash::of(&key));
            let mark = walk.desk.splice.mark();
            let mut fate = Fate::Stays;
            match (&*key, entries) {
                (b"values", true) if document.cursor.peek() == Some(b'[') => {
                    document.items(walk, 1, |document, walk, below| entry(document, walk, text, below))?;
                }
                (b"values", false) => document.skip()?,
                (b"values", true) if document.cursor.peek() != Some(b'n') => return Err(Fault::Kind.into()),
                (_, true) => document.skip()?,
                (b"stream", false) => {
                    let level = walk.desk.path.down(b"labels");
                    document.value(walk, &Node::of(Slot::Label), &key, 1)?;
                    walk.desk.path.up(level);
                }
                (_, false) => {
                    let level = walk.desk.path.down(&key);
                    fate = match walk.leaf(Slot::Unknown, Part::Key, &key, &key) {
                        Change::Keep => document.value(walk, &Node::of(Slot::Unknown), &key, 1)?,
                        // Nobody reads it, so it need not stand there by another name.
                        Change::Replace(_) | Change::DropField => {
                            document.cursor.value(1)?;
                            Fate::Goes
                        }
                    };
                    walk.desk.path.up(level);
                }
            }
            members.next(walk, mark, fate, start..document.here());
            if document.cursor.take(b'}') {
                break;
            }
            document.cursor.expect(b',')?;
        }
    }
    members.end(walk);
    unique(&mut walk.desk.keys, keys)?;
    Ok(document.cursor.end()?)
}

/// Time, line, and perhaps metadata.
fn entry(document: &mut Document<'_>, walk: &mut Walk<'_>, text: &[u8], depth: usize) -> Result<Fate, Refusal> {
    let start = document.next();
    let mark = walk.desk.splice.mark();
    let before = *document;
    let mut after = before;
    let verdict = walk.unit(
        Unit::Record,
        |walk| {
            after = before;
            parts(&mut after, walk, depth)
        },
        |_| Ok(()),
    )?;
    *document = after;
    let splice = &mut walk.desk.splice;
    match verdict {
        Verdict::Keep => Ok(Fate::Stays),
        Verdict::Drop => Ok(Fate::Goes),
        Verdict::Tag(tags) => {
            let range = start..document.here();
            let mut changed = Vec::with_capacity(range.len());
            splice.extract(mark, text, range.clone(), &mut changed)?;
            splice.back_to(mark);
            let tagged = tag(&changed, To::Third, &tags)?;
            splice.replace(range, |arena| arena.extend_from_slice(&tagged));
            Ok(Fate::Stays)
        }
    }
}

fn parts(document: &mut Document<'_>, walk: &mut Walk<'_>, depth: usize) -> Result<(), Refusal> {
    if document.cursor.peek() != Some(b'[') {
        return Err(NO_ENTRY);
    }
    let mut nth = 0;
    document.items(walk, depth, |document, walk, below| {
        nth += 1;
        let first = document.cursor.peek();
        match nth {
            1 => time(document, walk, below),
            2 if first == Some(b'"') => {
                let level = walk.desk.path.down(b"line");
                let fate = document.value(walk, &Node::treated(Slot::Body, Treat::Needed), b"line", below)?;
                walk.desk.path.up(level);
                Ok(fate)
            }
            3 if first == Some(b'{') => {
                let level = walk.desk.path.down(b"metadata");
                let fate = document.value(walk, &Node::of(Slot::Metadata), b"", below)?;
                walk.desk.path.up(level);
                Ok(fate)
            }
            _ => Err(NO_ENTRY),
        }
    })?;
    if nth < 2 { Err(NO_ENTRY) } else { Ok(()) }
}

/// Nanoseconds since 1970, as a text. It is kept.
fn time(document: &mut Document<'_>, walk: &mut Walk<'_>, depth: usize) -> Result<Fate, Refusal> {
    if document.cursor.peek() == Some(b'"') {
        let text = document.cursor.string()?;
        let good = text.len() <= 20 && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        return if good { Ok(Fate::Stays) } else { Err(NO_ENTRY) };
    }
    document.value(walk, &Node::treated(Slot::Text, Treat::Measure), b"time", depth)
}
