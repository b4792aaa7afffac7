//! Names of tenants in a text: fingerprints, full hosts, and ids behind the name of an attribute.
//!
//! What a text costs is bounded by its length: nothing is compared with a list of tenants.

use std::ops::Range;

use memchr::memmem::Finder;

use super::{Directory, Places, Tenant, resolve};

/// Bytes of an epoch at most.
pub(super) const EPOCH: usize = 32;
const PRINT: usize = 16;
/// The longest host (RFC 1035).
const HOST: usize = 253;
/// The longest id behind a name.
const ID: usize = 64;

/// Looks for names of tenants.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Names of attributes, and the bytes that they end with.
    names: Vec<Box<[u8]>>,
    ends: [u64; 4],
    /// Those that end with what may stand between a name and an id: where such a one ends is seen by looking for it.
    odd: Vec<Finder<'static>>,
}

impl Marks {
    pub(crate) fn new(places: &Places) -> Self {
        let is_odd = |name: &[u8]| name.last().is_none_or(|last| is_between(*last));
        let (odd, names): (Vec<_>, Vec<_>) = places.attributes().iter().partition(|name| is_odd(name));
        let names: Vec<Box<[u8]>> = names.into_iter().cloned().collect();
        let mut ends = [0; 4];
        for last in names.iter().filter_map(|name| name.last()) {
            set(&mut ends, *last);
        }
        let odd = odd.into_iter().map(|name| Finder::new(name).into_owned()).collect();
        Self { names, ends, odd }
    }

    /// Tells every mark in `text`, in no order.
    pub(crate) fn find(&self, directory: &dyn Directory, text: &[u8], mut found: impl FnMut(Range<usize>, Tenant)) {
        let (least, most) = directory.labels().into_inner();
        let hosts = most > 0 && least >= 2;
        if most > 0 && !hosts {
            single(directory, text, (least, most), &mut found);
        }
        for name in &self.odd {
            for at in name.find_iter(text) {
                behind(directory, text, at + name.needle().len(), &mut found);
            }
        }
        let mut run = 0;
        signs(text, |at, sign| match sign {
            b'_' => print(directory, text, at, &mut found),
            b'.' if hosts && at >= run => run = host(directory, text, at, (least, most), &mut found),
            b'=' | b':' => {
                if let Some(end) = self.name_before(text, at) {
                    behind(directory, text, end, &mut found);
                }
            }
            _ => {}
        });
    }

    /// Where the name of an attribute ends behind which this is the first equals sign or colon.
    fn name_before(&self, text: &[u8], at: usize) -> Option<usize> {
        let before = text.get(..at)?;
        let gap = before.iter().rev().take(GAP).take_while(|byte| is_between(**byte) && !is_sign(**byte)).count();
        let before = before.get(..at - gap)?;
        let last = *before.last()?;
        let may = gap < GAP && has(&self.ends, last);
        (may && self.names.iter().any(|name| before.ends_with(name))).then_some(before.len())
    }
}

/// How many bytes may stand between a name and an id.
const GAP: usize = 8;

fn is_between(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b' ' | b'\\') || is_sign(byte)
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b'=' | b':')
}

fn set(bits: &mut [u64; 4], byte: u8) {
    if let Some(word) = bits.get_mut(usize::from(byte / 64)) {
        *word |= 1 << (byte % 64);
    }
}

fn has(bits: &[u64; 4], byte: u8) -> bool {
    bits.get(usize::from(byte / 64)).is_some_and(|word| word >> (byte % 64) & 1 == 1)
}

/// Every underscore, dot, equals sign and colon, one of which each mark has, in order. Eight bytes at a time.
#[inline(always)]
fn signs(text: &[u8], mut sign: impl FnMut(usize, u8)) {
    const ONES: u64 = u64::MAX / 255;
    let mut at = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, behind) = match rest.split_first_chunk::<8>() {
            Some((chunk, behind)) => (*chunk, behind),
            None => {
                let mut chunk = [0; 8];
                chunk.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
                (chunk, &[][..])
            }
        };
        let word = u64::from_le_bytes(chunk);
        // The high bit of each byte that is one, and perhaps of one behind the first.
        let is = |byte: u8| (word ^ (ONES * u64::from(byte))).wrapping_sub(ONES);
        let mut here = (is(b'_') | is(b'.') | is(b'=') | is(b':')) & !word & (ONES << 7);
        while here != 0 {
            let nth = here.trailing_zeros() as usize / 8;
            here &= here - 1;
            sign(at + nth, (word >> (8 * nth)) as u8);
        }
        (at, rest) = (at + 8, behind);
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

/// Hosts among names without a dot as well, of which a directory may have some.
fn single(directory: &dyn Directory, text: &[u8], most: (usize, usize), found: &mut impl FnMut(Range<usize>, Tenant)) {
    let mut at = 0;
    while at < text.len() {
        let run = text.get(at..).unwrap_or_default();
        let size = run.iter().take_while(|byte| is_label(**byte) || **byte == b'.').count();
        labels(directory, text, at..at + size, most, found);
        at += size.max(1);
    }
}

/// Hosts among the names around a dot, label by label: `a.shop.example.com.` holds `shop.example.com`. Says where the names end.
fn host(
    directory: &dyn Directory,
    text: &[u8],
    dot: usize,
    (least, most): (usize, usize),
    found: &mut impl FnMut(Range<usize>, Tenant),
) -> usize {
    let (before, behind) = text.split_at_checked(dot).unwrap_or_default();
    let start = dot - before.iter().rev().take_while(|byte| is_label(**byte)).count();
    // Before anything is compared: whether one of the names, with enough of them before it, ends as a host does.
    let ends = directory.host_ends();
    let mut last = [before.last().copied().unwrap_or_default(), 0];
    let (mut names, mut may, mut size) = (1, false, 0);
    for byte in behind {
        if *byte == b'.' {
            may |= names >= least && ends.has(last);
            names += 1;
        } else if !is_label(*byte) {
            break;
        }
        last = [*byte, last[0]];
        size += 1;
    }
    may |= names >= least && ends.has(last);
    let end = dot + size;
    if may {
        labels(directory, text, start..end, (least, most), found);
    }
    end
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
    let gap = rest.iter().take(GAP).take_while(|byte| is_between(**byte)).count();
    let (gap, rest) = rest.split_at_checked(gap).unwrap_or_default();
    if !gap.iter().any(|byte| is_sign(*byte)) {
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
    use crate::random::random;
    use crate::tenants::{Listed, TenantRules};

    /// A directory of which neither how its hosts end is known nor how many labels they have at least, so that every name is
    /// looked up.
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
            1..=*self.0.labels().end()
        }
        fn fingerprint(&self, tenant: Tenant) -> Option<std::rc::Rc<str>> {
            self.0.fingerprint(tenant)
        }
    }

    /// Forty tenants, with hosts of one label among theirs or none.
    fn listed(single: bool) -> Listed {
        let mut listed = Listed::default();
        for nth in 0..40 {
            let (id, print) = (format!("tenant-{nth}"), format!("t1_{nth:016x}"));
            let hosts = [format!("{id}.shop.example"), format!("T{nth}.Example.net"), format!("h{nth}")];
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).take(if single { 3 } else { 2 }).collect();
            listed.add(&id, &[&print], &hosts);
        }
        listed
    }

    #[test]
    fn a_name_that_overlaps_itself_is_seen_where_it_ends() {
        let rules = TenantRules { attributes: vec!["id.id".to_owned()], ..TenantRules::default() };
        let marks = Marks::new(&Places::new(&rules).unwrap());
        let mut found = Vec::new();
        marks.find(&listed(false), b"id.id.id=tenant-3 id.id=tenant-4", |range, _| found.push(range));
        assert_eq!(found, [9..17, 24..32]);
    }

    #[test]
    fn marks_are_those_that_are_found_without_asking_first_where_none_can_be() {
        marks_are_found(&listed(true));
    }

    #[test]
    fn so_are_those_of_hosts_that_all_have_dots() {
        let listed = listed(false);
        assert_eq!(listed.labels(), 3..=3);
        marks_are_found(&listed);
    }

    fn marks_are_found(listed: &Listed) {
        let plain = Plain(listed.clone());
        let attributes = ["tenant", "my.tenant.id", "tenant.id", "tenant_id", "customer"].map(str::to_owned).to_vec();
        let places = Places::new(&TenantRules { attributes, ..TenantRules::default() }).unwrap();
        let marks = Marks::new(&places);
        assert!(marks.names.len() == 5 && marks.odd.is_empty());
        let alone: Vec<Marks> = places
            .attributes()
            .iter()
            .map(|name| Marks { names: vec![], ends: [0; 4], odd: vec![Finder::new(name).into_owned()] })
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
            "tenant-6.shop.EXAMPLE",
            "T9.EXAMPLE.NET",
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
        let mut below = random(3);
        let mut seen = 0;
        for _ in 0..20_000 {
            let text: String = (0..1 + below(9)).map(|_| PIECES[below(PIECES.len())]).collect();
            let all = |marks: &Marks, directory: &dyn Directory| {
                let mut all = Vec::new();
                marks.find(directory, text.as_bytes(), |range, tenant| all.push((range.start, range.end, tenant)));
                all
            };
            let mut found = all(&marks, listed);
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
