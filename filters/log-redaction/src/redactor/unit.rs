//! What is known of a unit that began and did not end.

use crate::carriers::{Part, Place, Unit};
use crate::fields::Chosen;
use crate::tenants::{Named, Tenant};

use super::Own;

/// Names in a summary at most, and the bytes of one.
const NAMES: usize = 32;
const NAME: usize = 96;
/// Keys at most that were renamed and are known.
const RENAMED: usize = 16;

/// The longest list of names in a summary.
pub(super) const SUMMARY: usize = NAMES * (NAME + 1);

/// What a name in a summary may have in it.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'[' | b']' | b'/')
}

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) unit: Unit,
    /// The tenant that a structural place names, here or around.
    named: Option<Tenant>,
    /// The tenant whose name stands in that of an index, here or around.
    indexed: Option<Tenant>,
    /// One names somebody who is not known.
    unknown: bool,
    /// It is another tenant's, or two tenants'.
    pub(super) foreign: bool,
    /// A text of its own has another tenant's name in it.
    pub(super) mentions: bool,
    /// So is something around it.
    pub(super) strange_around: bool,
    /// So is something that was in it.
    pub(super) strange_within: bool,
    /// It is left out.
    pub(super) drop: bool,
    /// The tag is there already.
    pub(super) tagged: bool,
    pub(super) service: Option<String>,
    pub(super) classification: Option<String>,
    pub(super) chosen: Option<(Chosen, Option<Tenant>)>,
    /// How many values were masked, here and around, and where.
    pub(super) masked: u64,
    names: Vec<String>,
    /// Keys of its own that were renamed; `None` where there were more.
    renamed: Option<Vec<Vec<u8>>>,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            unit: Unit::Record,
            named: None,
            indexed: None,
            unknown: false,
            foreign: false,
            mentions: false,
            strange_around: false,
            strange_within: false,
            drop: false,
            tagged: false,
            service: None,
            classification: None,
            chosen: None,
            masked: 0,
            names: Vec::new(),
            renamed: Some(Vec::new()),
        }
    }
}

impl Open {
    /// A unit in this one.
    pub(super) fn inner(&self, unit: Unit) -> Self {
        Self {
            unit,
            named: self.named,
            indexed: self.indexed,
            unknown: self.unknown,
            foreign: self.foreign,
            // Of a unit that is left out nothing goes on, whatever becomes of what is in it; where it is kept apart all of it is.
            strange_around: self.foreign || self.mentions || self.strange_around,
            service: self.service.clone(),
            classification: self.classification.clone(),
            masked: self.masked,
            names: self.names.clone(),
            ..Self::default()
        }
    }

    /// Whether it is whose the unit around it is.
    pub(super) fn says_as(&self, around: &Self) -> bool {
        (self.named, self.unknown, self.foreign) == (around.named, around.unknown, around.foreign)
    }

    /// A structural place names somebody.
    pub(super) fn name(&mut self, named: Named, own: Own, unknown_is_foreign: bool) {
        match (named, own) {
            (Named::Nobody, _) => {}
            (Named::Several, _) => self.foreign = true,
            (Named::Tenant(tenant), Own::Tenant(own)) => self.foreign |= tenant != own,
            (Named::Unknown, Own::Tenant(_)) => self.foreign |= unknown_is_foreign,
            (Named::Tenant(tenant), Own::Record) => match self.named {
                None => {
                    self.named = Some(tenant);
                    self.foreign |= self.indexed.is_some_and(|index| index != tenant);
                }
                Some(known) => self.foreign |= known != tenant,
            },
            (Named::Unknown, Own::Record) => self.unknown |= unknown_is_foreign,
        }
    }

    /// The name of an index has somebody's in it. Words there make nobody's record anyone's: they speak against others alone.
    pub(super) fn index(&mut self, named: Named, own: Own, unknown_is_foreign: bool) {
        match (named, own) {
            (Named::Tenant(tenant), Own::Record) => {
                let known = [self.named, self.indexed];
                self.foreign |= known.into_iter().flatten().any(|known| known != tenant);
                self.indexed = Some(tenant);
            }
            (named, own) => self.name(named, own, unknown_is_foreign),
        }
    }

    /// Whose it is, if that is beyond doubt.
    pub(super) fn owner(&self, own: Own) -> Option<Tenant> {
        match own {
            _ if self.foreign || self.unknown => None,
            Own::Tenant(own) => Some(own),
            Own::Record => self.named,
        }
    }

    /// Something in a leaf was masked. Of a key that held something the summary does not tell the name.
    pub(super) fn mask(&mut self, place: &Place<'_>) {
        self.masked += 1;
        if place.part == Part::Key {
            match &mut self.renamed {
                Some(renamed) if renamed.len() < RENAMED => renamed.push(place.key.to_vec()),
                renamed => *renamed = None,
            }
        }
        let fine = (1..=NAME).contains(&place.path.len()) && place.path.iter().all(|byte| is_plain(*byte));
        let holds = |key: &Vec<u8>| key.is_empty() || memchr::memmem::find(place.path, key).is_some();
        let tells = fine && self.renamed.as_ref().is_some_and(|renamed| !renamed.iter().any(holds));
        let name = std::str::from_utf8(place.path).ok().filter(|_| tells).unwrap_or("*");
        if self.names.len() < NAMES && !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// The names for the summary, in order.
    pub(super) fn keys(&self) -> String {
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.join(",")
    }
}
