//! A line of syslog: RFC 5424 with its structured data, or RFC 3164 as far as that says anything. What looks like one and
//! is none is text.

use std::borrow::Cow;
use std::ops::Range;

use super::super::leaves::{Change, Part, Slot};
use super::super::walk::Walk;
use super::put;

/// Where the fields of a line stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Fields of the header, each with its name.
    header: Vec<(&'static str, Range<usize>)>,
    /// Structured data: element, name and value of each parameter.
    data: Vec<[Range<usize>; 3]>,
    /// Elements of it.
    elements: Vec<Range<usize>>,
    message: Option<Range<usize>>,
}

/// The fields of a line that is syslog.
pub(super) fn parts(text: &[u8]) -> Option<Parts> {
    let rest = text.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let priority: u16 = str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    if digits > 3 || priority > 191 || rest.get(digits) != Some(&b'>') {
        return None;
    }
    let at = digits + 2;
    match text.get(at..at + 2) {
        Some(b"1 ") => modern(text, at + 2),
        _ => Some(old(text, at)),
    }
}

/// `<34>1 2003-10-11T22:14:15.003Z host app proc id [a@1 k="v"] message`.
fn modern(text: &[u8], begin: usize) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut at = begin;
    for name in ["time", "hostname", "app_name", "procid", "msgid"] {
        let rest = text.get(at..)?;
        let size = memchr::memchr(b' ', rest)?;
        let field = rest.get(..size)?;
        if field.is_empty() || !field.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let is_time = |byte: &u8| byte.is_ascii_digit() || b"-:.+TtZz".contains(byte);
        // A time is kept; what is none is no syslog.
        if name == "time" {
            if field.len() > 40 || !field.iter().all(is_time) {
                return None;
            }
        } else if field != b"-" {
            parts.header.push((name, at..at + size));
        }
        at += size + 1;
    }
    if text.get(at) == Some(&b'-') {
        at += 1;
    } else {
        while text.get(at) == Some(&b'[') {
            at = element(text, at + 1, &mut parts)?;
        }
        if parts.elements.is_empty() {
            return None;
        }
    }
    match text.get(at) {
        None => {}
        Some(b' ') => {
            // A mark that UTF-8 follows is none of the message.
            let begin = at + 1;
            let mark = text.get(begin..).is_some_and(|rest| rest.starts_with(b"\xEF\xBB\xBF"));
            parts.message = Some(if mark { begin + 3 } else { begin }..text.len());
        }
        Some(_) => return None,
    }
    Some(parts)
}

/// An element of structured data, up to behind its bracket.
fn element(text: &[u8], begin: usize, parts: &mut Parts) -> Option<usize> {
    let name = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        let is_name = |byte: &&u8| byte.is_ascii_graphic() && !b"=]\"".contains(byte);
        let size = rest.iter().take_while(is_name).count();
        (size > 0).then_some(from..from + size)
    };
    let id = name(begin)?;
    let mut at = id.end;
    parts.elements.push(id.clone());
    loop {
        match text.get(at)? {
            b']' => return Some(at + 1),
            b' ' => {
                let key = name(at + 1)?;
                at = key.end;
                if text.get(at..at + 2)? != b"=\"" {
                    return None;
                }
                let start = at + 2;
                at = start;
                loop {
                    match text.get(at)? {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
                parts.data.push([id.clone(), key, start..at]);
                at += 1;
            }
            _ => return None,
        }
    }
}

/// `<34>Oct 11 22:14:15 host app[12]: message`; without such a time all behind the priority is the message.
fn old(text: &[u8], begin: usize) -> Parts {
    let mut parts = Parts { message: Some(begin..text.len()), ..Parts::default() };
    let Some(time) = text.get(begin..begin + 16) else { return parts };
    if !is_time(time) {
        return parts;
    }
    let at = begin + 16;
    let rest = text.get(at..).unwrap_or_default();
    let Some(host) = memchr::memchr(b' ', rest).filter(|size| *size > 0) else {
        parts.message = Some(at..text.len());
        return parts;
    };
    parts.header.push(("hostname", at..at + host));
    let tag = at + host + 1;
    let rest = text.get(tag..).unwrap_or_default();
    let is_tag = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let size = rest.iter().take(64).take_while(is_tag).count();
    if size > 0 && matches!(rest.get(size), Some(b':' | b'[')) {
        parts.header.push(("app_name", tag..tag + size));
        parts.message = Some(tag + size..text.len());
    } else {
        parts.message = Some(tag..text.len());
    }
    parts
}

/// `Oct 11 22:14:15 `, with a space for a digit of the day.
fn is_time(text: &[u8]) -> bool {
    const SHAPE: &[u8; 16] = b"Aaa d0 00:00:00 ";
    text.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        b'd' => byte.is_ascii_digit() || *byte == b' ',
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    })
}

impl Parts {
    /// Asks about each field.
    pub(super) fn walk(&self, walk: &mut Walk<'_>, text: &[u8]) {
        let bytes = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        for (name, range) in &self.header {
            let level = walk.desk.path.down(name.as_bytes());
            let change = walk.leaf(Slot::Meta, Part::Text, name.as_bytes(), bytes(range));
            walk.desk.path.up(level);
            match change {
                Change::Keep => {}
                Change::Replace(new) => walk.desk.splice.replace(range.clone(), |arena| word(&new, arena)),
                Change::DropField => walk.desk.splice.replace(range.clone(), |arena| arena.push(b'-')),
            }
        }
        for range in &self.elements {
            let level = walk.desk.path.down(b"structured_data");
            let change = walk.leaf(Slot::StructuredData, Part::Key, bytes(range), bytes(range));
            walk.desk.path.up(level);
            match change {
                Change::Keep => {}
                Change::Replace(new) => walk.desk.splice.replace(range.clone(), |arena| word(&new, arena)),
                // An element cannot be without its name.
                Change::DropField => walk.desk.splice.replace(range.clone(), |arena| arena.push(b'-')),
            }
        }
        for [element, key, value] in &self.data {
            self.parameter(walk, text, bytes(element), key, value);
        }
        if let Some(range) = &self.message {
            let level = walk.desk.path.down(b"message");
            let change = walk.leaf(Slot::Body, Part::Text, b"", bytes(range));
            walk.desk.path.up(level);
            match change {
                Change::Keep => {}
                Change::Replace(new) => walk.desk.splice.replace(range.clone(), |arena| put(&new, arena)),
                Change::DropField => walk.desk.splice.remove(range.clone()),
            }
        }
    }

    fn parameter(&self, walk: &mut Walk<'_>, text: &[u8], element: &[u8], key: &Range<usize>, value: &Range<usize>) {
        let name = text.get(key.clone()).unwrap_or_default();
        let data = walk.desk.path.down(b"structured_data");
        walk.desk.path.down(element);
        walk.desk.path.down(name);
        // The space before it, and the quote behind.
        let whole = key.start.saturating_sub(1)..value.end + 1;
        let mark = walk.desk.splice.mark();
        let mut goes = false;
        match walk.leaf(Slot::StructuredData, Part::Key, name, name) {
            Change::Keep => {}
            Change::Replace(new) => walk.desk.splice.replace(key.clone(), |arena| word(&new, arena)),
            Change::DropField => goes = true,
        }
        if !goes {
            let meaning = unescaped(text.get(value.clone()).unwrap_or_default());
            match walk.leaf(Slot::StructuredData, Part::Text, name, &meaning) {
                Change::Keep => {}
                Change::Replace(new) => walk.desk.splice.replace(value.clone(), |arena| escaped(&new, arena)),
                Change::DropField => goes = true,
            }
        }
        if goes {
            walk.desk.splice.back_to(mark);
            walk.desk.splice.remove(whole);
        }
        walk.desk.path.up(data);
    }
}

/// A word of a header: nothing in it ends it.
fn word(new: &[u8], out: &mut Vec<u8>) {
    if new.is_empty() {
        out.push(b'-');
    }
    out.extend(new.iter().map(|byte| if byte.is_ascii_graphic() && !b"=]\"".contains(byte) { *byte } else { b'_' }));
}

fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            // Before any other byte a backslash is one.
            Some(b'"' | b'\\' | b']') if byte == b'\\' => out.extend(bytes.next()),
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

fn escaped(new: &[u8], out: &mut Vec<u8>) {
    for byte in new {
        match byte {
            b'"' | b'\\' | b']' => out.extend([b'\\', *byte]),
            b'\n' | b'\r' => out.push(b' '),
            _ => out.push(*byte),
        }
    }
}
