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
    names: Vec<Finder<'static>>,
}

impl Marks {
    pub(crate) fn new(places: &Places) -> Self {
        Self { names: places.attributes().iter().map(|name| Finder::new(&**name).into_owned()).collect() }
    }

    /// Tells every mark in `text`, in no order.
    pub(crate) fn find(&self, directory: &dyn Directory, text: &[u8], mut found: impl FnMut(Range<usize>, Tenant)) {
        for at in memchr::memchr_iter(b'_', text) {
            print(directory, text, at, &mut found);
        }
        hosts(directory, text, &mut found);
        for name in &self.names {
            for at in name.find_iter(text) {
                behind(directory, text, at + name.needle().len(), &mut found);
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
            if nth >= least {
                let mut lower = [0; HOST];
                let host = text.get(start..end).unwrap_or_default();
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
