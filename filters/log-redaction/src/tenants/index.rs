//! Names of tenants in the name of an index, which joins words by hyphens, dots and underscores: `logs-acme-2026.11.30`.
//!
//! What a name costs is bounded: it is as long as a server takes, and a run of its words is no longer than an id may be.

use std::ops::Range;

use super::marks::EPOCH;
use super::{Directory, Named, Tenant};

/// The longest name of an index (Elasticsearch, "Create an index").
const NAME: usize = 255;
/// The longest id.
const ID: usize = 63;
/// The hex digits of a fingerprint.
const PRINT: usize = 16;

/// Whom the name of an index names: by an id that stands in it as a word or several, or by a fingerprint. Of ids that begin
/// alike the longest counts, as in templates.
pub(super) fn named(directory: &dyn Directory, text: &[u8]) -> Named {
    let mut named = Named::Nobody;
    let whole = find(directory, text, |_, tenant| {
        named = match named {
            Named::Nobody => Named::Tenant(tenant),
            Named::Tenant(known) if known == tenant => named,
            _ => Named::Several,
        };
    });
    if whole { named } else { Named::Unknown }
}

/// Tells each name in that of an index. `false` where it is longer than that of an index may be, and was not read.
pub(super) fn find(directory: &dyn Directory, text: &[u8], mut found: impl FnMut(Range<usize>, Tenant)) -> bool {
    let mut joined = [0; NAME];
    let Some(joined) = joined.get_mut(..text.len()) else { return false };
    for (to, byte) in joined.iter_mut().zip(text) {
        // An id is written with hyphens, whatever joins words here.
        *to = if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    }
    let most = directory.hyphens();
    let mut at = 0;
    while at < joined.len() {
        let rest = joined.get(at..).unwrap_or_default();
        let mut end = at + word(rest);
        if let Some((tenant, size)) = longest(directory, rest, most) {
            end = at + size;
            found(at..end, tenant);
        } else if let Some((tenant, start)) = by_print(directory, joined, at..end) {
            found(start..end, tenant);
        }
        at = end + 1;
    }
    true
}

/// The bytes of the word that `text` begins with.
fn word(text: &[u8]) -> usize {
    memchr::memchr(b'-', text).unwrap_or(text.len())
}

/// The longest id that `text` begins with and that ends where a word does, and its bytes.
fn longest(directory: &dyn Directory, text: &[u8], most: usize) -> Option<(Tenant, usize)> {
    let ends = memchr::memchr_iter(b'-', text).chain([text.len()]).take_while(|end| *end <= ID);
    // Each word but the first takes a hyphen.
    let ends = ends.take(most.saturating_add(1)).filter(|end| *end > 0);
    let of = |end: usize| Some((directory.by_id(text.get(..end)?)?, end));
    ends.filter_map(of).last()
}

/// The tenant of a fingerprint whose digits are this word, where something else than its underscore may stand before them; and
/// where it begins.
fn by_print(directory: &dyn Directory, joined: &[u8], word: Range<usize>) -> Option<(Tenant, usize)> {
    let is_print = |word: &[u8]| word.len() == PRINT && word.iter().all(u8::is_ascii_hexdigit);
    let before = joined.get(..word.start.checked_sub(1)?)?;
    let digits = joined.get(word).filter(|word| is_print(word))?;
    // `t<epoch>`, where an epoch may have hyphens, too.
    let mut print = [0; EPOCH + 2 + PRINT];
    let starts = memchr::memrchr_iter(b't', before).take_while(|start| before.len() - start <= EPOCH + 1);
    for start in starts {
        let prefix = before.get(start..)?;
        let whole = print.get_mut(..prefix.len() + 1 + PRINT)?;
        let (head, tail) = whole.split_at_mut_checked(prefix.len())?;
        head.copy_from_slice(prefix);
        let (joint, tail) = tail.split_first_mut()?;
        *joint = b'_';
        tail.copy_from_slice(digits);
        if let Some(tenant) = directory.by_fingerprint(whole) {
            return Some((tenant, start));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::RangeInclusive;
    use std::rc::Rc;

    use super::*;
    use crate::tenants::Listed;

    /// Counts how often an id is looked up.
    struct Counted(Listed, Cell<usize>);

    impl Directory for Counted {
        fn by_id(&self, id: &[u8]) -> Option<Tenant> {
            self.1.set(self.1.get() + 1);
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
        fn hyphens(&self) -> usize {
            self.0.hyphens()
        }
        fn fingerprint(&self, tenant: Tenant) -> Option<Rc<str>> {
            self.0.fingerprint(tenant)
        }
    }

    fn listed() -> Listed {
        let mut listed = Listed::default();
        listed.add("acme", &["tk-1_00000000000acce0"], &[]);
        listed.add("acme-eu", &[], &[]);
        listed
    }

    #[test]
    fn what_a_name_costs_is_bounded() {
        let directory = Counted(listed(), Cell::new(0));
        assert_eq!(named(&directory, "x-".repeat(127).as_bytes()), Named::Nobody);
        // Of each word itself, and with the next one: no id has two hyphens.
        assert!(directory.1.get() <= 2 * 128, "{} lookups", directory.1.get());
        let long = format!("acme-{}", "x".repeat(NAME - 5));
        assert_eq!(named(&directory, long.as_bytes()), Named::Tenant(Tenant(0)));
        assert_eq!(named(&directory, format!("{long}x").as_bytes()), Named::Unknown);
    }

    #[test]
    fn an_epoch_may_have_hyphens_itself() {
        for name in ["logs-tk-1_00000000000acce0-x", "logs-tk-1-00000000000acce0", "tk.1.00000000000ACCE0"] {
            assert_eq!(named(&listed(), name.as_bytes()), Named::Tenant(Tenant(0)), "{name}");
        }
        for name in ["logs-tk-2-00000000000acce0", "00000000000acce0", "-00000000000acce0", "tk-1-00000000000acce"] {
            assert_eq!(named(&listed(), name.as_bytes()), Named::Nobody, "{name}");
        }
    }

    #[test]
    fn each_name_that_stands_in_it_counts() {
        for (name, expected) in [
            ("acme.eu", Named::Tenant(Tenant(1))),
            ("acme..eu", Named::Tenant(Tenant(0))),
            ("eu-acme", Named::Tenant(Tenant(0))),
            ("acme-acme", Named::Tenant(Tenant(0))),
            ("acme-acme-eu", Named::Several),
            ("acme\u{e9}acme_eu", Named::Several),
        ] {
            assert_eq!(named(&listed(), name.as_bytes()), expected, "{name}");
        }
    }
}
