//! Fields that are added to a record that is JSON.

use partywall_json::{Cursor, decode, write};

use super::super::leaves::Tag;
use super::super::refusal::Refusal;
use super::super::walk::is_tag;

/// Where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Into the outermost object.
    Root,
    /// Into the object that is this member of it.
    Member(&'static str),
    /// Into that object, if it is there.
    MemberIfThere(&'static str),
    /// Into the array of attributes that is this member of it.
    Attributes(&'static str),
    /// Into the array of attributes in this member of that member.
    AttributesOf(&'static str),
    /// Into the third item of an array.
    Third,
    /// It has no place for them.
    Nowhere,
}

/// The record with fields more. One that is no object has no place for them.
pub(crate) fn tag(record: &[u8], to: To, tags: &[Tag]) -> Result<Vec<u8>, Refusal> {
    match to {
        To::Root => object(record, |name| is_tag(tags, name), |out| members(tags, out)),
        To::MemberIfThere(name) if !has_member(record, name)? => Ok(record.to_vec()),
        To::Member(name) | To::MemberIfThere(name) => {
            within(record, name, b'{', |inner| object(inner, |name| is_tag(tags, name), |out| members(tags, out)))
        }
        To::Attributes(name) => within(record, name, b'[', |inner| attributes(inner, tags)),
        To::AttributesOf(name) => {
            within(record, name, b'{', |inner| within(inner, "attributes", b'[', |inner| attributes(inner, tags)))
        }
        To::Third => third(record, tags),
        To::Nowhere => Ok(record.to_vec()),
    }
}

/// Whether an object has this member, and that is an object.
fn has_member(record: &[u8], member: &str) -> Result<bool, Refusal> {
    let (mut cursor, mut name) = (Cursor::new(record), Vec::new());
    if !cursor.take(b'{') || cursor.take(b'}') {
        return Ok(false);
    }
    loop {
        name.clear();
        decode(cursor.string()?, &mut name);
        cursor.expect(b':')?;
        let value = cursor.value(0)?;
        if name == member.as_bytes() {
            return Ok(value.first() == Some(&b'{'));
        }
        if cursor.take(b'}') {
            return Ok(false);
        }
        cursor.expect(b',')?;
    }
}

/// A member that is an object or array, with what `change` makes of it; of an empty one where it is not there, or null.
fn within(
    record: &[u8],
    member: &str,
    bracket: u8,
    change: impl FnOnce(&[u8]) -> Result<Vec<u8>, Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let mut cursor = Cursor::new(record);
    let mut name = Vec::new();
    if cursor.take(b'{') && !cursor.take(b'}') {
        loop {
            name.clear();
            decode(cursor.string()?, &mut name);
            cursor.expect(b':')?;
            let value = cursor.value(0)?;
            if name == member.as_bytes() && value.first() == Some(&bracket) {
                // It stays where it is.
                let mut out = record.get(..cursor.at() - value.len()).unwrap_or_default().to_vec();
                out.extend(change(value)?);
                out.extend_from_slice(record.get(cursor.at()..).unwrap_or_default());
                return Ok(out);
            }
            if cursor.take(b'}') {
                break;
            }
            cursor.expect(b',')?;
        }
    }
    let empty: &[u8] = if bracket == b'{' { b"{}" } else { b"[]" };
    let new = change(empty)?;
    object(
        record,
        |name| name == member.as_bytes(),
        |out| {
            write(member.as_bytes(), out);
            out.push(b':');
            out.extend_from_slice(&new);
        },
    )
}

/// An object without some of its members, and with what `add` writes. Anything else stays as it is.
fn object(
    text: &[u8],
    mut goes: impl FnMut(&[u8]) -> bool,
    add: impl FnOnce(&mut Vec<u8>),
) -> Result<Vec<u8>, Refusal> {
    let mut cursor = Cursor::new(text);
    if !cursor.take(b'{') {
        return Ok(text.to_vec());
    }
    let mut out = Vec::with_capacity(text.len() + 128);
    out.extend_from_slice(text.get(..cursor.at()).unwrap_or_default());
    let (begin, mut name) = (out.len(), Vec::new());
    if !cursor.take(b'}') {
        loop {
            let start = cursor.at();
            name.clear();
            decode(cursor.string()?, &mut name);
            cursor.expect(b':')?;
            cursor.value(0)?;
            if !goes(&name) {
                comma(begin, &mut out);
                out.extend_from_slice(text.get(start..cursor.at()).unwrap_or_default());
            }
            if cursor.take(b'}') {
                break;
            }
            cursor.expect(b',')?;
        }
    }
    comma(begin, &mut out);
    add(&mut out);
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b'}');
    out.extend_from_slice(text.get(cursor.at()..).unwrap_or_default());
    Ok(out)
}

/// An array of attributes of OTLP, with some more.
fn attributes(text: &[u8], tags: &[Tag]) -> Result<Vec<u8>, Refusal> {
    let mut cursor = Cursor::new(text);
    cursor.expect(b'[')?;
    let mut out = vec![b'['];
    if !cursor.take(b']') {
        loop {
            let item = cursor.value(0)?;
            if !has_key(item, tags)? {
                comma(1, &mut out);
                out.extend_from_slice(item);
            }
            if cursor.take(b']') {
                break;
            }
            cursor.expect(b',')?;
        }
    }
    for tag in tags {
        comma(1, &mut out);
        out.extend_from_slice(b"{\"key\":");
        write(tag.name.as_bytes(), &mut out);
        out.extend_from_slice(b",\"value\":{\"stringValue\":");
        write(tag.value.as_bytes(), &mut out);
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
    Ok(out)
}

fn has_key(item: &[u8], tags: &[Tag]) -> Result<bool, Refusal> {
    let mut cursor = Cursor::new(item);
    if !cursor.take(b'{') || cursor.take(b'}') {
        return Ok(false);
    }
    let mut text = Vec::new();
    loop {
        let name = cursor.string()?;
        cursor.expect(b':')?;
        let value = cursor.value(0)?;
        if name == b"key"
            && let Some(key) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""))
        {
            text.clear();
            decode(key, &mut text);
            return Ok(is_tag(tags, &text));
        }
        if cursor.take(b'}') {
            return Ok(false);
        }
        cursor.expect(b',')?;
    }
}

/// An entry of Loki: time, line, and perhaps metadata.
fn third(text: &[u8], tags: &[Tag]) -> Result<Vec<u8>, Refusal> {
    let mut cursor = Cursor::new(text);
    if !cursor.take(b'[') {
        return Ok(text.to_vec());
    }
    let time = cursor.value(0)?;
    cursor.expect(b',')?;
    let line = cursor.value(0)?;
    let old = if cursor.take(b',') { cursor.value(0)? } else { b"{}" };
    let old = if old.first() == Some(&b'{') { old } else { b"{}" };
    let new = object(old, |name| is_tag(tags, name), |out| members(tags, out))?;
    Ok([b"[", time, b",", line, b",", &new, b"]"].concat())
}

fn members(tags: &[Tag], out: &mut Vec<u8>) {
    for (nth, tag) in tags.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write(tag.name.as_bytes(), out);
        out.push(b':');
        write(tag.value.as_bytes(), out);
    }
}

/// One before what comes, unless it is the first.
fn comma(begin: usize, out: &mut Vec<u8>) {
    if out.len() > begin {
        out.push(b',');
    }
}
