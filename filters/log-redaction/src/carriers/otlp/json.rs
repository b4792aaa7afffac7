//! The JSON form: <https://protobuf.dev/programming-guides/json/>, with ids in hexadecimal. Goes by the tables of the
//! binary form. Names may be written in lowerCamelCase or as the definition has them.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use partywall_json::{Fault, Leaps, write};

use super::super::document::{Document, Members, Node, To, Treat, meaning, tag, write_text};
use super::super::leaves::{Change, Part, Slot, Unit, Verdict};
use super::super::refusal::Refusal;
use super::super::schema::{Known, Schema, Tags, What};
use super::super::walk::{Fate, Walk};

/// Which members of an object are gone through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Own,
    Units,
}

/// An item of the outermost list, which is a unit; `false` where it is left out.
pub(crate) fn resource(
    walk: &mut Walk<'_>,
    schema: &'static Schema,
    text: &[u8],
    leaps: &Leaps,
) -> Result<bool, Refusal> {
    let Some(Known { what: What::Unit(unit, inner), .. }) = schema.fields.first() else { return Ok(false) };
    let mut document = Document::seen(text, leaps);
    let fate = item(&mut document, walk, text, *unit, inner, 0)?;
    document.cursor.end()?;
    Ok(fate == Fate::Stays)
}

/// A unit.
fn item(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    text: &[u8],
    unit: Unit,
    schema: &'static Schema,
    depth: usize,
) -> Result<Fate, Refusal> {
    let start = document.next();
    let mark = walk.desk.splice.mark();
    let before = *document;
    let mut after = before;
    let verdict = walk.unit(
        unit,
        |walk| {
            after = before;
            object(&mut after, walk, text, schema, Which::Own, depth)
        },
        |walk| {
            let mut document = before;
            if schema.has_units { object(&mut document, walk, text, schema, Which::Units, depth) } else { Ok(()) }
        },
    )?;
    *document = after;
    let splice = &mut walk.desk.splice;
    match verdict {
        Verdict::Keep => {}
        Verdict::Drop => return Ok(Fate::Goes),
        Verdict::Tag(tags) => {
            let range = start..document.here();
            let mut changed = Vec::with_capacity(range.len());
            splice.extract(mark, text, range.clone(), &mut changed)?;
            splice.back_to(mark);
            let tagged = tag(&changed, to(schema), &tags)?;
            splice.replace(range, |arena| arena.extend_from_slice(&tagged));
        }
    }
    Ok(Fate::Stays)
}

/// Where fields that are added go.
fn to(schema: &Schema) -> To {
    let name = |number| schema.by_number(number).map(|known| known.name);
    let to = match schema.tags {
        Tags::Own(number) => name(number).map(To::Attributes),
        Tags::In(number, _) => name(number).map(To::AttributesOf),
        Tags::Nowhere | Tags::Pairs(_) => None,
    };
    to.unwrap_or(To::Nowhere)
}

/// An object that is a message; null is one without fields.
fn object(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    text: &[u8],
    schema: &'static Schema,
    which: Which,
    depth: usize,
) -> Result<(), Refusal> {
    if document.cursor.peek() == Some(b'n') {
        document.cursor.value(depth)?;
        return Ok(());
    }
    if document.cursor.peek() != Some(b'{') {
        return Err(Fault::Kind.into());
    }
    let below = document.deeper(depth)?;
    document.cursor.expect(b'{')?;
    let (mut members, mut seen) = (Members::new(document.here()), 0_u32);
    if document.cursor.take(b'}') {
        return Ok(());
    }
    loop {
        let start = document.next();
        let key = document.text()?;
        document.cursor.expect(b':')?;
        let mark = walk.desk.splice.mark();
        let at = schema.fields.iter().position(|known| is_name(&key, known.name));
        let mut fate = Fate::Stays;
        match at.and_then(|at| schema.fields.get(at).map(|known| (at, known))) {
            Some((at, known)) => {
                let bit = 1_u32.checked_shl(at as u32).unwrap_or_default();
                if seen & bit != 0 {
                    return Err(Fault::Twice.into());
                }
                seen |= bit;
                if known.has_units() != (which == Which::Units) {
                    document.skip()?;
                } else {
                    let level = walk.desk.path.down(known.step.as_bytes());
                    fate = repeated(document, walk, text, known, below)?;
                    walk.desk.path.up(level);
                }
            }
            None if which == Which::Units => {
                document.skip()?;
            }
            None => fate = unknown(document, walk, &key, below)?,
        }
        members.next(walk, mark, fate, start..document.here());
        if document.cursor.take(b'}') {
            break;
        }
        document.cursor.expect(b',')?;
    }
    members.end(walk);
    Ok(())
}

/// A member that no table names. Where its name may not stay it goes with its value: by another name it could be one that
/// has a meaning.
fn unknown(document: &mut Document<'_>, walk: &mut Walk<'_>, key: &[u8], depth: usize) -> Result<Fate, Refusal> {
    let level = walk.desk.path.down(key);
    let fate = match walk.leaf(Slot::Unknown, Part::Key, key, key) {
        Change::Keep => document.value(walk, &Node::of(Slot::Unknown), key, depth)?,
        Change::Replace(_) | Change::DropField => {
            document.cursor.value(depth)?;
            Fate::Goes
        }
    };
    walk.desk.path.up(level);
    Ok(fate)
}

/// The value of a field, or each of its values.
fn repeated(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    text: &[u8],
    known: &'static Known,
    depth: usize,
) -> Result<Fate, Refusal> {
    if document.cursor.peek() != Some(b'[') {
        return one(document, walk, text, known, depth);
    }
    document.items(walk, depth, |document, walk, below| one(document, walk, text, known, below))?;
    Ok(Fate::Stays)
}

fn one(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    text: &[u8],
    known: &'static Known,
    depth: usize,
) -> Result<Fate, Refusal> {
    let name = known.name.as_bytes();
    match known.what {
        What::Text(slot) => document.value(walk, &Node::of(slot), name, depth),
        What::Id(size) => document.value(walk, &Node::treated(Slot::Unknown, Treat::Id(2 * size)), name, depth),
        What::Number | What::Numbers => number(document, walk, name, depth),
        What::Message(inner) => {
            let before = *document;
            object(document, walk, text, inner, Which::Own, depth)?;
            if inner.has_units {
                object(&mut { before }, walk, text, inner, Which::Units, depth)?;
            }
            Ok(Fate::Stays)
        }
        What::Attribute(slot) => attribute(document, walk, slot, depth),
        What::Any(slot) => any(document, walk, slot, name, depth),
        What::Unit(unit, inner) => item(document, walk, text, unit, inner, depth),
        // Of Loki, whose JSON has another form.
        What::Pair(_) | What::Labels => Err(Fault::Kind.into()),
    }
}

/// A number of the format, which may be written as a text; or the name of one.
fn number(document: &mut Document<'_>, walk: &mut Walk<'_>, name: &[u8], depth: usize) -> Result<Fate, Refusal> {
    if document.cursor.peek() == Some(b'"') {
        let mut ahead = document.cursor;
        let text = ahead.string()?;
        let digits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") || (text.len() <= 32 && text.iter().all(digits)) {
            document.cursor = ahead;
            return Ok(Fate::Stays);
        }
    }
    document.value(walk, &Node::treated(Slot::Text, Treat::Measure), name, depth)
}

/// A key with a value. The key is asked about first, wherever it stands.
fn attribute(document: &mut Document<'_>, walk: &mut Walk<'_>, slot: Slot, depth: usize) -> Result<Fate, Refusal> {
    if document.cursor.peek() != Some(b'{') {
        return document.value(walk, &Node::of(slot), b"", depth);
    }
    let below = document.deeper(depth)?;
    document.cursor.expect(b'{')?;
    let mut members = Members::new(document.here());
    let start = document.next();
    let first = first(document)?;
    let is_first = first.is_some();
    let before = document.here();
    let key = if is_first { first } else { key(*document)? };
    let name = key.as_ref().map_or(&[][..], |(name, _)| name);
    let level = walk.desk.path.down(name);
    let mut fate = Fate::Stays;
    if let Some((name, range)) = &key {
        match walk.leaf(slot, Part::Key, name, name) {
            Change::Keep => {}
            Change::Replace(new) => walk.desk.splice.replace(range.clone(), |arena| write_text(&new, arena)),
            Change::DropField => fate = Fate::Goes,
        }
    }
    let (mut keys, mut values) = (is_first, false);
    let mut more = !document.cursor.take(b'}');
    if is_first {
        let mark = walk.desk.splice.mark();
        members.next(walk, mark, Fate::Stays, start..before);
        if more {
            document.cursor.expect(b',')?;
        }
    }
    while more {
        let start = document.next();
        let member = document.text()?;
        document.cursor.expect(b':')?;
        let mark = walk.desk.splice.mark();
        let mut inner = Fate::Stays;
        let place = match &*member {
            b"key" => Some(&mut keys),
            b"value" => Some(&mut values),
            _ => None,
        };
        if place.is_some_and(|seen| std::mem::replace(seen, true)) {
            return Err(Fault::Twice.into());
        }
        match &*member {
            b"key" => drop(document.cursor.value(below)?),
            _ if fate == Fate::Goes => drop(document.cursor.value(below)?),
            b"value" => fate = any(document, walk, slot, name, below)?,
            other => inner = unknown(document, walk, other, below)?,
        }
        members.next(walk, mark, inner, start..document.here());
        more = !document.cursor.take(b'}');
        if more {
            document.cursor.expect(b',')?;
        }
    }
    members.end(walk);
    walk.desk.path.up(level);
    Ok(fate)
}

/// A text, and where it stands.
type Found<'t> = (Cow<'t, [u8]>, Range<usize>);

/// The key of an attribute, where it stands first, as it mostly does; elsewhere nothing is read.
fn first<'t>(document: &mut Document<'t>) -> Result<Option<Found<'t>>, Refusal> {
    let mut ahead = *document;
    if ahead.cursor.take(b'}') || &*ahead.text()? != b"key" {
        return Ok(None);
    }
    ahead.cursor.expect(b':')?;
    let start = ahead.next();
    let text = ahead.text()?;
    *document = ahead;
    Ok(Some((text, start..document.here())))
}

/// The key of an attribute whose first member it is not: what stands before it is gone through twice.
fn key(mut document: Document<'_>) -> Result<Option<Found<'_>>, Refusal> {
    if document.cursor.take(b'}') {
        return Ok(None);
    }
    loop {
        let member = document.text()?;
        document.cursor.expect(b':')?;
        if &*member == b"key" {
            let start = document.next();
            let text = document.text()?;
            return Ok(Some((text, start..document.here())));
        }
        document.skip()?;
        if document.cursor.take(b'}') {
            return Ok(None);
        }
        document.cursor.expect(b',')?;
    }
}

/// A value of any kind: an object with one member that says which.
fn any(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    slot: Slot,
    key: &[u8],
    depth: usize,
) -> Result<Fate, Refusal> {
    if document.cursor.peek() != Some(b'{') {
        return document.value(walk, &Node::of(slot), key, depth);
    }
    let below = document.deeper(depth)?;
    document.cursor.expect(b'{')?;
    if document.cursor.take(b'}') {
        return Ok(Fate::Stays);
    }
    let mut seen = false;
    loop {
        let start = document.next();
        let kind = document.text()?;
        document.cursor.expect(b':')?;
        let first = document.cursor.peek();
        if std::mem::replace(&mut seen, true) {
            // Of two kinds readers take one or the other.
            return Err(Fault::Twice.into());
        }
        let fate = match &*kind {
            b"intValue" | b"int_value" | b"doubleValue" | b"double_value" if first != Some(b'n') => {
                scalar(document, walk, slot, key, start)?
            }
            b"bytesValue" | b"bytes_value" if first == Some(b'"') => bytes(document, walk, slot, key)?,
            b"arrayValue" | b"array_value" if first == Some(b'{') => {
                list(document, walk, below, |document, walk, below| {
                    let level = walk.desk.path.down(b"[]");
                    let fate = any(document, walk, slot, key, below)?;
                    walk.desk.path.up(level);
                    Ok(fate)
                })?
            }
            b"kvlistValue" | b"kvlist_value" if first == Some(b'{') => {
                list(document, walk, below, |document, walk, below| attribute(document, walk, slot, below))?
            }
            b"stringValue" | b"string_value" | b"boolValue" | b"bool_value" => {
                document.value(walk, &Node::of(slot), key, below)?
            }
            // Null is no value, and what is of another kind than its name says is nobody's.
            kind => unknown(document, walk, kind, below)?,
        };
        if document.cursor.take(b'}') {
            return Ok(fate);
        }
        document.cursor.expect(b',')?;
    }
}

/// A number, which may be written as a text. What stands for it is a text, with the member that says so.
fn scalar(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    slot: Slot,
    key: &[u8],
    start: usize,
) -> Result<Fate, Refusal> {
    let written = document.cursor.value(0)?;
    let quoted = written.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let text = quoted.unwrap_or(written);
    let text = meaning((text, text.contains(&b'\\')));
    let change = walk.leaf(slot, Part::Number, key, &text);
    Ok(document.change(walk, start, change, |new, arena| {
        let number = str::from_utf8(new).is_ok_and(|new| new.parse::<i64>().is_ok());
        arena.extend_from_slice(if number { b"\"intValue\":" } else { b"\"stringValue\":" });
        write_text(new, arena);
    }))
}

/// Bytes in base64, of either alphabet and with its padding or without: readers take them all.
fn bytes(document: &mut Document<'_>, walk: &mut Walk<'_>, slot: Slot, key: &[u8]) -> Result<Fate, Refusal> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const EITHER: [GeneralPurpose; 2] =
        [GeneralPurpose::new(&alphabet::STANDARD, CONFIG), GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG)];
    let start = document.next();
    let text = document.text()?;
    let bytes = EITHER.iter().find_map(|engine| engine.decode(&*text).ok());
    let bytes = bytes.ok_or(Refusal::undecodable("bytes in the JSON are no base64"))?;
    let change = walk.leaf(slot, Part::Bytes, key, &bytes);
    Ok(document.change(walk, start, change, |new, arena| write(STANDARD.encode(new).as_bytes(), arena)))
}

/// An object whose member `values` is an array.
fn list(
    document: &mut Document<'_>,
    walk: &mut Walk<'_>,
    depth: usize,
    mut item: impl FnMut(&mut Document<'_>, &mut Walk<'_>, usize) -> Result<Fate, Refusal>,
) -> Result<Fate, Refusal> {
    let below = document.deeper(depth)?;
    document.cursor.expect(b'{')?;
    if document.cursor.take(b'}') {
        return Ok(Fate::Stays);
    }
    let (mut fate, mut seen) = (Fate::Stays, false);
    loop {
        let member = document.text()?;
        document.cursor.expect(b':')?;
        if &*member == b"values" && document.cursor.peek() == Some(b'[') {
            if std::mem::replace(&mut seen, true) {
                return Err(Fault::Twice.into());
            }
            document.items(walk, below, &mut item)?;
        } else if unknown(document, walk, &member, below)? == Fate::Goes {
            fate = Fate::Goes;
        }
        if document.cursor.take(b'}') {
            return Ok(fate);
        }
        document.cursor.expect(b',')?;
    }
}

/// Whether a key is the name of a field, in either form.
pub(crate) fn is_name(key: &[u8], name: &str) -> bool {
    // Which tells nearly all apart.
    if key.first() != name.as_bytes().first() {
        return false;
    }
    if key == name.as_bytes() {
        return true;
    }
    let mut rest = key.iter();
    let mut upper = false;
    for byte in name.bytes() {
        if byte == b'_' {
            upper = true;
            continue;
        }
        let byte = if std::mem::take(&mut upper) { byte.to_ascii_uppercase() } else { byte };
        if rest.next() != Some(&byte) {
            return false;
        }
    }
    rest.next().is_none()
}
