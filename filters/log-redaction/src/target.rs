//! WHERE a body is sent: the path and query of its request say things, too.

use crate::carriers::Slot;
use crate::redactor::Redactor;

/// What becomes of a path with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It stays.
    Keep,
    /// This stands for it.
    Replace(Vec<u8>),
    /// It names another tenant, or what is personal in a place that cannot be written otherwise: the request goes no
    /// further.
    Deny(&'static str),
}

impl Redactor {
    /// Looks through the query of `path`, whose values are fields that are called so, as `query.source`; and through the
    /// index that it names. Whose records the body holds must be known.
    pub fn target(&mut self, path: &[u8], index: Option<&[u8]>) -> Target {
        if let Some(index) = index {
            let (seen, _) = self.value(Slot::Index, "path", b"_index", index);
            if seen != index {
                return Target::Deny("the index in the path is, or holds, what may not be written down");
            }
        }
        let Some(at) = path.iter().position(|byte| *byte == b'?') else { return Target::Keep };
        let (only, query) = path.split_at_checked(at + 1).unwrap_or_default();
        let mut out = only.to_vec();
        for (nth, pair) in query.split(|byte| *byte == b'&').enumerate() {
            if nth > 0 {
                out.push(b'&');
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next());
            for (nth, half) in std::iter::once(name).chain(value).enumerate() {
                let key = if nth == 0 { b"" } else { name };
                if nth > 0 {
                    out.push(b'=');
                }
                let slot = if key == b"index" { Slot::Index } else { Slot::Meta };
                let (seen, strange) = self.value(slot, "query", key, half);
                if strange {
                    return Target::Deny("the query names another tenant");
                }
                if seen == half { out.extend_from_slice(half) } else { encode(&seen, &mut out) }
            }
        }
        if out == path { Target::Keep } else { Target::Replace(out) }
    }
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
