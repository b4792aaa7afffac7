//! WHERE a body is sent: the path and query of its request say things, too.

use crate::carriers::{Part, Place, Slot};
use crate::redactor::Redactor;

/// What becomes of a path with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It stays.
    Keep,
    /// This stands for it.
    Replace(Vec<u8>),
    /// It names another tenant, or what is personal in a place that cannot be written otherwise, or may be read in two
    /// ways: the request goes no further.
    Deny(&'static str),
}

impl Redactor {
    /// Looks through the query of `path`, whose values are fields that are called so, as `query.source`, and through what
    /// its route leaves `open`: the index, and what stands for `*`. Whose records the body holds must be known.
    pub fn target(&mut self, path: &[u8], open: [Option<&[u8]>; 2]) -> Target {
        let before = self.is_foreign();
        let [index, rest] = open;
        if let Some(index) = index {
            // Of another tenant's index nothing goes on that the body holds: it needs no denial.
            let (seen, _) = self.value(Slot::Index, "path", b"_index", index);
            if seen != index {
                return Target::Deny("the index in the path holds what may not be written down");
            }
        }
        for segment in rest.into_iter().flat_map(|rest| rest.split(|byte| *byte == b'/')) {
            self.body_names(&place(Slot::Meta, b"", b"path"), segment);
            let (seen, strange) = self.value(Slot::Meta, "path", b"", segment);
            if seen != segment || !before && (strange || self.is_foreign()) {
                return Target::Deny("what its route leaves open in the path may not be written down");
            }
        }
        let Some(at) = path.iter().position(|byte| *byte == b'?') else { return Target::Keep };
        let (only, query) = path.split_at_checked(at + 1).unwrap_or_default();
        let mut out = only.to_vec();
        for (nth, (name, value)) in pairs(query).enumerate() {
            if nth > 0 {
                out.push(b'&');
            }
            if name.iter().any(|byte| matches!(byte, b'%' | b'+' | b';')) {
                return Target::Deny("a name of the query is written in more than one way");
            }
            for (nth, half) in std::iter::once(name).chain(value).enumerate() {
                let (key, meant) = (if nth == 0 { b"" } else { name }, decoded(half));
                if nth > 0 {
                    out.push(b'=');
                    let path = [b"query.", name].concat();
                    self.body_names(&place(slot_of(name), name, &path), &meant);
                }
                let (seen, strange) = self.value(slot_of(key), "query", key, &meant);
                if !before && (strange || self.is_foreign()) {
                    return Target::Deny("the query names another tenant");
                }
                if seen == meant { out.extend_from_slice(half) } else { encode(&seen, &mut out) }
            }
        }
        if out == path { Target::Keep } else { Target::Replace(out) }
    }
}

fn place<'p>(slot: Slot, key: &'p [u8], path: &'p [u8]) -> Place<'p> {
    Place { slot, part: Part::Text, key, path }
}

/// The names of a query, with their values.
fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    query.split(|byte| *byte == b'&').map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (halves.next().unwrap_or_default(), halves.next())
    })
}

/// What a field of the query is of.
fn slot_of(name: &[u8]) -> Slot {
    if name.eq_ignore_ascii_case(b"index") { Slot::Index } else { Slot::Meta }
}

/// What a value means (`application/x-www-form-urlencoded`): what is no escape stands for itself.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let escaped = || {
            let digits = str::from_utf8(more.get(..2)?).ok().filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        };
        match (first, escaped()) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(*first),
        }
    }
    out
}

/// Percent-encodes what may not stand in a query (RFC 3986, section 3.4), and what parts it.
fn encode(text: &[u8], out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'@') {
            out.push(*byte);
        } else {
            out.push(b'%');
            for half in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(half)));
            }
        }
    }
}
