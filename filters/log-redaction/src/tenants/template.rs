//! A text that has a tenant's id in it.

use super::{Directory, Tenant, resolve};

/// The longest id that is tried.
const LONGEST: usize = 64;

#[derive(Debug)]
pub(super) struct Template {
    before: Box<[u8]>,
    after: Box<[u8]>,
    /// Whether more may follow.
    open: bool,
}

impl Template {
    pub(super) fn new(text: &str) -> Option<Self> {
        let (before, after) = text.split_once("{tenant}")?;
        let (after, open) = after.strip_suffix('*').map_or((after, false), |after| (after, true));
        let plain = |text: &str| !text.contains(['{', '}', '*']);
        let lower = |text: &str| text.to_ascii_lowercase().into_bytes().into();
        (plain(before) && plain(after)).then(|| Self { before: lower(before), after: lower(after), open })
    }

    /// The tenant of the longest id that fits: `logs-{tenant}-*` may be read in several ways where ids have hyphens.
    pub(super) fn tenant(&self, directory: &dyn Directory, text: &[u8]) -> Option<Tenant> {
        let (head, rest) = text.split_at_checked(self.before.len())?;
        if !head.eq_ignore_ascii_case(&self.before) {
            return None;
        }
        let least = if self.open { 1 } else { rest.len().checked_sub(self.after.len())?.max(1) };
        let most = rest.len().checked_sub(self.after.len())?.min(LONGEST);
        (least..=most).rev().find_map(|size| {
            let (name, tail) = rest.split_at_checked(size)?;
            let follows = tail.get(..self.after.len())?.eq_ignore_ascii_case(&self.after);
            let ends = self.open || tail.len() == self.after.len();
            // `{tenant}*` ends where a name does.
            let apart = !self.after.is_empty() || tail.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
            if follows && ends && apart { resolve(directory, name) } else { None }
        })
    }
}
