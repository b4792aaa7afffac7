//! Whether the lines of a log are all that were written, as they were written.

use std::collections::BTreeMap;
use std::fmt;

use partywall_tenancy::Secrets;

use super::{End, Fields, Gap, Link, Pruned, Ranges, Seen, Word};

/// What is wrong with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its link was made under a key that is not known.
    UnknownKey,
    /// Its MAC is not that of its link and fields: one of them was altered, or they are of two lines.
    Altered,
    /// Its number was seen before.
    Repeated,
    /// Its number is too far from all others to be looked into.
    TooFar,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKey => "was made under a key that --key does not give",
            Self::Altered => "was altered, or its fields and its link are of two lines",
            Self::Repeated => "stands there a second time",
            Self::TooFar => "has a number far from all others: altered",
        })
    }
}

/// What is known from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The Envoys that wrote these logs have ended.
    pub ended: bool,
    /// The application logs are there, too, so that silence tells something.
    pub words: bool,
}

/// Takes the lines of one or more logs, in any order, and tells what is not right. Its memory grows with the number of
/// VMs and of gaps, and by 32 bytes for 4,096 lines.
#[derive(Debug, Default)]
pub struct Verifier {
    roots: Vec<Secrets>,
    boots: BTreeMap<String, Seen>,
}

impl Verifier {
    /// Verifies under these root keys. Keys of several workloads may have the same id.
    pub fn new(roots: Vec<Secrets>) -> Self {
        Self { roots, boots: BTreeMap::new() }
    }

    /// The VMs that lines were found of.
    pub fn boots(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.boots.iter().map(|(boot, seen)| (boot.as_str(), seen))
    }

    /// Looks at one line.
    pub fn line(&mut self, link: &Link<'_>, fields: &Fields<'_>) -> Result<(), Finding> {
        self.about(link.key, link.boot, |seen| seen.line(link, fields))
    }

    /// Looks at one word of the application log.
    pub fn word(&mut self, word: &Word<'_>) -> Result<(), Finding> {
        self.about(word.key, word.boot, |seen| seen.word(word))
    }

    /// Looks at one statement about lines that were taken out on purpose.
    pub fn pruned(&mut self, statement: &Pruned<'_>) -> Result<(), Finding> {
        self.about(statement.key, statement.boot, |seen| seen.pruned(statement))
    }

    fn about(
        &mut self,
        key: &str,
        boot: &str,
        mut look: impl FnMut(&mut Seen) -> Result<(), Finding>,
    ) -> Result<(), Finding> {
        if let Some(seen) = self.boots.get_mut(boot) {
            return if seen.key_id() == key { look(seen) } else { Err(Finding::Altered) };
        }
        let mut why = Finding::UnknownKey;
        for root in self.roots.iter().filter_map(|secrets| secrets.find(key)) {
            let mut seen = Seen::under(root.bytes(), key, boot);
            match look(&mut seen) {
                Ok(()) => {
                    self.boots.insert(boot.to_owned(), seen);
                    return Ok(());
                }
                Err(other) => why = other,
            }
        }
        Err(why)
    }

    /// How the log of each VM ends, once all lines were looked at.
    pub fn ends(&self, known: Known) -> impl Iterator<Item = (&str, &Seen, End)> {
        let newest = self.boots.values().map(|seen| seen.to).max().filter(|_| known.words);
        self.boots().map(move |(boot, seen)| (boot, seen, seen.end(newest, known.ended)))
    }

    /// The numbers whose lines are not there, once all lines were looked at.
    pub fn gaps(&self, known: Known) -> Vec<Gap> {
        self.ends(known).flat_map(|(boot, seen, end)| seen.gaps(boot, end)).collect()
    }

    /// Statements that the lines of these numbers of a VM were taken out on purpose. What they replace must have been
    /// verified.
    pub fn prune(&self, boot: &str, pruned: &Ranges) -> Vec<String> {
        self.boots.get(boot).map_or(Vec::new(), |seen| seen.prune(boot, pruned))
    }
}
