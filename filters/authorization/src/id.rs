//! Ids of entities, in the pieces in which a request shows them.

use std::iter;

/// The id of an entity, in the pieces in which the request shows it.
#[derive(Clone, Copy, Debug)]
pub struct Id<'a> {
    tenant: Option<&'a str>,
    name: &'a str,
    percent_encoded: bool,
}

impl<'a> Id<'a> {
    /// `name` itself.
    pub fn plain(name: &'a str) -> Self {
        Self { tenant: None, name, percent_encoded: false }
    }

    /// `<tenant>/<name>`: the same name in two tenants is two principals.
    pub fn in_tenant(tenant: &'a str, name: &'a str) -> Self {
        Self { tenant: Some(tenant), name, percent_encoded: false }
    }

    /// What a path segment stands for (RFC 3986, section 2.1). Decoded while comparing, once, as a
    /// service does: else `/invoices/%34%32` would slip past a `forbid` on `Invoice::"42"`.
    pub fn of_segment(segment: &'a str) -> Self {
        Self { tenant: None, name: segment, percent_encoded: true }
    }

    /// The id as one text, where the request shows it so.
    pub(crate) fn as_text(self) -> Option<&'a str> {
        let as_written = self.tenant.is_none() && !(self.percent_encoded && self.name.bytes().any(|b| b == b'%'));
        as_written.then_some(self.name)
    }

    /// The id, byte by byte. Percent-encoded bytes need not be UTF-8.
    pub fn bytes(self) -> impl Iterator<Item = u8> + 'a {
        let tenant = self.tenant.map(|t| t.bytes().chain(iter::once(b'/')));
        tenant.into_iter().flatten().chain(self.pieces().map(|(byte, _)| byte))
    }

    /// The bytes of its name, and whether each one was percent-encoded.
    pub(crate) fn pieces(self) -> impl Iterator<Item = (u8, bool)> + 'a {
        Decoded { rest: self.name.as_bytes(), active: self.percent_encoded }
    }
}

impl PartialEq for Id<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for Id<'_> {}

struct Decoded<'a> {
    rest: &'a [u8],
    active: bool,
}

impl Iterator for Decoded<'_> {
    type Item = (u8, bool);

    fn next(&mut self) -> Option<(u8, bool)> {
        if let (true, [b'%', high, low, rest @ ..]) = (self.active, self.rest)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.rest = rest;
            return Some((high << 4 | low, true));
        }
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some((*first, false))
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_its_tenant_and_its_name() {
        assert_eq!(Id::in_tenant("acme", "ann"), Id::plain("acme/ann"));
        assert_eq!(Id::in_tenant("acme", "a/b"), Id::plain("acme/a/b"));
        assert_ne!(Id::in_tenant("acme", "ann"), Id::in_tenant("globex", "ann"));
        assert_ne!(Id::in_tenant("acme", ""), Id::plain("acme"));
    }

    #[test]
    fn a_segment_equals_what_it_stands_for() {
        for (segment, id) in [
            ("42", "42"),
            ("%34%32", "42"),
            ("%c3%A9", "é"),
            ("%2534", "%34"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
        ] {
            assert_eq!(Id::of_segment(segment), Id::plain(id), "{segment}");
        }
        assert_ne!(Id::of_segment("%ff"), Id::plain("ÿ"));
        assert_ne!(Id::plain("%34"), Id::plain("4"));
    }
}
