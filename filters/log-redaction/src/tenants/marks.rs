//! Names of tenants in a text: fingerprints, full hosts, and ids behind the name of an attribute.
//!
//! What a text costs is bounded by its length: nothing is compared with a list of tenants.

use std::ops::Range;

use memchr::memmem::Finder;

use super::{Directory, Places, Tenant, resolve};

/// Bytes of an epoch at most.
const EPOCH: usize = 32;
const PRINT: usize = 16;
/// The longest host (RFC 1035).
const HOST: usize = 253;
/// The longest id behind a name.
const ID: usize = 64;

/// Looks for names of tenants.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Names of attributes, each with those behind it that it is a part of: where it does not stand none of them does.
    names: Vec<Vec<Finder<'static>>>,
}

impl Marks {
    pub(crate) fn new(places: &Places) -> Self {
        let mut all: Vec<&[u8]> = places.attributes().iter().map(|name| &**name).collect();
        all.sort_by_key(|name| name.len());
        let mut names: Vec<Vec<Finder<'static>>> = Vec::new();
        for name in all {
            let part = |of: &&mut Vec<Finder<'static>>| of.first().is_some_and(|first| first.find(name).is_some());
            let finder = Finder::new(name).into_owned();
            match names.iter_mut().find(part) {
                Some(of) => of.push(finder),
                None => names.push(vec![finder]),
            }
        }
        Self { names }
    }

    /// Tells every mark in `text`, in no order.
    pub(crate) fn find(&self, directory: &dyn Directory, text: &[u8], mut found: impl FnMut(Range<usize>, Tenant)) {
        for at in memchr::memchr_iter(b'_', text) {
            print(directory, text, at, &mut found);
        }
        hosts(directory, text, &mut found);
        for names in &self.names {
            let Some(first) = names.first().and_then(|first| first.find(text)) else { continue };
            for (nth, name) in names.iter().enumerate() {
                let from = if nth == 0 { first } else { 0 };
                for at in name.find_iter(text.get(from..).unwrap_or_default()) {
                    behind(directory, text, from + at + name.needle().len(), &mut found);
                }
            }
        }
    }
}

/// Fingerprints whose `_` is at `at`, whatever stands around them.
fn print(directory: &dyn Directory, text: &[u8], at: usize, found: &mut impl FnMut(Range<usize>, Tenant)) {
    let end = at + 1 + PRINT;
    if !text.get(at + 1..end).is_some_and(|print| print.iter().all(u8::is_ascii_hexdigit)) {
        return;
    }
    let first = at.saturating_sub(EPOCH + 1);
    let mut lower = [0; EPOCH + 2 + PRINT];
    let Some(window) = text.get(first..end) else { return };
    let Some(lower) = lower.get_mut(..window.len()) else { return };
    lower.copy_from_slice(window);
    lower.make_ascii_lowercase();
    for start in memchr::memchr_iter(b't', lower) {
        if first + start < at
            && let Some(tenant) = lower.get(start..).and_then(|print| directory.by_fingerprint(print))
        {
            found(first + start..end, tenant);
        }
    }
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Hosts, label by label: `a.shop.example.com.` holds `shop.example.com`.
fn hosts(directory: &dyn Directory, text: &[u8], found: &mut impl FnMut(Range<usize>, Tenant)) {
    let (least, most) = directory.labels().into_inner();
    if most == 0 {
        return;
    }
    let mut at = 0;
    let dot = |from: usize| {
        if least < 2 {
            (from < text.len()).then_some(from)
        } else {
            text.get(from..).and_then(|rest| memchr::memchr(b'.', rest)).map(|next| from + next)
        }
    };
    while let Some(dot) = dot(at) {
        let before = text.get(at..dot).unwrap_or_default();
        let start = dot - before.iter().rev().take_while(|byte| is_label(**byte)).count();
        let run = text.get(start..).unwrap_or_default();
        let size = run.iter().take_while(|byte| is_label(**byte) || **byte == b'.').count();
        labels(directory, text, start..start + size, (least, most), found);
        at = start + size.max(dot + 1 - start);
    }
}

fn labels(
    directory: &dyn Directory,
    text: &[u8],
    run: Range<usize>,
    (least, most): (usize, usize),
    found: &mut impl FnMut(Range<usize>, Tenant),
) {
    let mut start = run.start;
    while start < run.end {
        let mut end = start;
        for nth in 1..=most {
            let rest = text.get(end..run.end).unwrap_or_default();
            end += memchr::memchr(b'.', rest).unwrap_or(rest.len());
            if end - start > HOST {
                break;
            }
            let host = text.get(start..end).unwrap_or_default();
            if nth >= least && directory.may_be_host(host) {
                let mut lower = [0; HOST];
                if let Some(lower) = lower.get_mut(..host.len()) {
                    lower.copy_from_slice(host);
                    lower.make_ascii_lowercase();
                    if let Some(tenant) = directory.by_host(lower) {
                        found(start..end, tenant);
                    }
                }
            }
            if end >= run.end {
                break;
            }
            end += 1;
        }
        let rest = text.get(start..run.end).unwrap_or_default();
        start += memchr::memchr(b'.', rest).map_or(rest.len(), |next| next + 1);
    }
}

/// An id behind the name of an attribute, as in `tenant=acme` or `\"tenant\": \"acme\"`.
fn behind(directory: &dyn Directory, text: &[u8], at: usize, found: &mut impl FnMut(Range<usize>, Tenant)) {
    let rest = text.get(at..).unwrap_or_default();
    let gap = rest.iter().take(8).take_while(|byte| matches!(byte, b'"' | b'\'' | b' ' | b'=' | b':' | b'\\')).count();
    let (gap, rest) = rest.split_at_checked(gap).unwrap_or_default();
    if !gap.iter().any(|byte| matches!(byte, b'=' | b':')) {
        return;
    }
    let word = |byte: &u8| is_label(*byte) || *byte == b'_';
    let size = rest.iter().take(ID + 1).take_while(|byte| word(byte)).count();
    if let Some(tenant) = rest.get(..size).and_then(|name| resolve(directory, name)) {
        let start = at + gap.len();
        found(start..start + size, tenant);
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;
    use crate::tenants::{Listed, TenantRules};

    /// A directory of which it is not known how its hosts end.
    struct Plain(Listed);

    impl Directory for Plain {
        fn by_id(&self, id: &[u8]) -> Option<Tenant> {
            self.0.by_id(id)
        }
        fn by_fingerprint(&self, print: &[u8]) -> Option<Tenant> {
            self.0.by_fingerprint(print)
        }
        fn by_host(&self, host: &[u8]) -> Option<Tenant> {
            self.0.by_host(host)
        }
        fn labels(&self) -> RangeInclusive<usize> {
            self.0.labels()
        }
        fn fingerprint(&self, tenant: Tenant) -> Option<std::rc::Rc<str>> {
            self.0.fingerprint(tenant)
        }
    }

    #[test]
    fn marks_are_those_that_are_found_without_asking_first_where_none_can_be() {
        let mut listed = Listed::default();
        for nth in 0..40 {
            let (id, print) = (format!("tenant-{nth}"), format!("t1_{nth:016x}"));
            listed.add(
                &id,
                &[&print],
                &[&format!("{id}.shop.example"), &format!("T{nth}.Example.net"), &format!("h{nth}")],
            );
        }
        let plain = Plain(listed.clone());
        let attributes = ["tenant", "my.tenant.id", "tenant.id", "tenant_id", "customer"].map(str::to_owned).to_vec();
        let places = Places::new(&TenantRules { attributes, ..TenantRules::default() }).unwrap();
        let marks = Marks::new(&places);
        assert_eq!(marks.names.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1]);
        let alone: Vec<Marks> = places
            .attributes()
            .iter()
            .map(|name| Marks { names: vec![vec![Finder::new(name).into_owned()]] })
            .collect();
        const PIECES: &[&str] = &[
            "tenant",
            "customer",
            "my.",
            ".id",
            "_id",
            "=",
            ": ",
            "\"",
            "tenant-3",
            "tenant-99",
            "TENANT-7.SHOP.example",
            "www.tenant-5.shop.example.",
            "t8.example.net",
            "h4",
            ".",
            "shop.example",
            "xt1_0000000000000007",
            "t1_",
            "-",
            " ",
            "com.example.Orders",
            "12:04:11.250",
            "T1_000000000000000A",
        ];
        let mut random = 3_u64;
        let mut below = |end: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % end
        };
        let mut seen = 0;
        for _ in 0..20_000 {
            let text: String = (0..1 + below(9)).map(|_| PIECES[below(PIECES.len())]).collect();
            let all = |marks: &Marks, directory: &dyn Directory| {
                let mut all = Vec::new();
                marks.find(directory, text.as_bytes(), |range, tenant| all.push((range.start, range.end, tenant)));
                all
            };
            let mut found = all(&marks, &listed);
            let mut expected: Vec<_> = alone.iter().flat_map(|marks| all(marks, &plain)).collect();
            for list in [&mut found, &mut expected] {
                list.sort_unstable();
                list.dedup();
            }
            assert_eq!(found, expected, "{text}");
            seen += found.len();
        }
        assert!(seen > 10_000, "{seen} were found");
    }
}
