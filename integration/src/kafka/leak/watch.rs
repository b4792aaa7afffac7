//! Looks at what a tenant gets.

use std::fmt;

use aho_corasick::AhoCorasick;
use anyhow::Result;
use uuid::Uuid;

use super::names::Names;

/// Searches bytes for what is another tenant's.
pub struct Watch {
    tenant: String,
    texts: Vec<String>,
    marks: AhoCorasick,
    ids: Vec<Uuid>,
    by_id: Option<AhoCorasick>,
    searched: u64,
}

/// Something of another tenant.
#[derive(Clone, Debug)]
pub struct Found {
    /// Who got it.
    pub by: String,
    /// In what.
    pub within: String,
    /// The mark, or the id of a topic.
    pub what: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} got {} within {}", self.by, self.what, self.within)
    }
}

impl Watch {
    /// Watches over what the tenant at `at` gets: no mark of another, and not its own prefix, which is the broker's
    /// word.
    pub(super) fn of(names: &Names, at: usize) -> Result<Self> {
        let tenant = &names.tenants[at];
        let mut texts: Vec<String> = names.tenants.iter().map(|other| other.mark.clone()).collect();
        texts.retain(|mark| *mark != tenant.mark);
        texts.push(tenant.prefix.clone());
        texts.sort();
        texts.dedup();
        let marks = AhoCorasick::new(&texts)?;
        Ok(Self { tenant: tenant.id.clone(), texts, marks, ids: Vec::new(), by_id: None, searched: 0 })
    }

    /// From now on these ids of topics, too, are another's.
    pub(super) fn learn(&mut self, ids: Vec<Uuid>) -> Result<()> {
        if ids.len() != self.ids.len() {
            self.by_id = Some(AhoCorasick::new(ids.iter().map(Uuid::as_bytes))?);
            self.ids = ids;
        }
        Ok(())
    }

    /// What of others stands in `bytes`, which came as `within`.
    pub(super) fn search(&mut self, within: &str, bytes: &[u8]) -> Option<Found> {
        self.searched += bytes.len() as u64;
        let mark = self.marks.find(bytes).map(|found| self.texts[found.pattern().as_usize()].clone());
        let id = || {
            let found = self.by_id.as_ref()?.find(bytes)?;
            Some(format!("the topic {}", self.ids[found.pattern().as_usize()]))
        };
        let what = mark.or_else(id)?;
        Some(Found { by: self.tenant.clone(), within: within.to_owned(), what })
    }

    /// How many bytes it looked at.
    pub(super) fn searched(&self) -> u64 {
        self.searched
    }
}
