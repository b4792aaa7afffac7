//! What all redactors of a revision share.

use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::sight::Sight;
use crate::carriers::Place;
use crate::detect::{DetectorId, Detectors, catalog};
use crate::fields::{FieldError, FieldSet, Sets};
use crate::replace::{Action, Keys, Replace};
use crate::tenants::{Directory, Foreign, Marks, Named, Places, TenantError, TenantRules, Unattributed};

/// What is to be done, as a bundle says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Which fields may stay; the first set that fits a record holds. A record that none fits is masked wholly where any
    /// of them allows.
    pub fields: Vec<FieldSet>,
    /// What stands for what is found.
    pub replace: Replace,
    /// Whose records they are; none where nobody is kept apart.
    pub tenants: Option<TenantRules>,
    /// Whether records get `redaction.masked.keys` and `redaction.masked.count`, where something was masked.
    pub summary: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { fields: Vec::new(), replace: Replace::default(), tenants: None, summary: true }
    }
}

/// Why there is no such redactor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// Rules of fields cannot be.
    Fields(FieldError),
    /// Rules of tenants cannot be.
    Tenants(TenantError),
    /// What is to be replaced is no detector and no group that is on.
    Detector {
        /// As it was written.
        name: String,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(error) => error.fmt(out),
            Self::Tenants(error) => error.fmt(out),
            Self::Detector { name } => {
                write!(out, "`replace` names `{name}`, which is no detector and no group that is on")
            }
        }
    }
}

impl std::error::Error for RuleError {}

/// The names of the fields that say what service a record is from, and what its classification is.
pub(super) const SERVICE: &str = "service.name";
pub(super) const CLASSIFICATION: &str = "partywall.classification";

/// The number of what rules of fields mask, and of other tenants' names.
pub(super) const FIELD: u16 = 0;
pub(super) const FOREIGN: u16 = 1;

/// Rules, ready, with detectors, tenants and keys.
pub struct Engine {
    pub(super) detectors: Rc<Detectors>,
    /// What is called so by its number: `field`, `tenant`, then detectors.
    pub(super) names: Vec<String>,
    known: HashSet<String>,
    /// What becomes of what each found.
    actions: Vec<Action>,
    /// Detectors in order, with their numbers.
    numbers: Vec<(DetectorId, u16)>,
    pub(super) fields: Sets,
    pub(super) directory: Rc<dyn Directory>,
    pub(super) keys: Rc<Keys>,
    pub(super) places: Option<Places>,
    pub(super) marks: Option<Marks>,
    pub(super) foreign: Foreign,
    pub(super) unattributed: Unattributed,
    pub(super) unknown_is_foreign: bool,
    pub(super) tag: Option<String>,
    pub(super) summary: bool,
    pub(super) looks: bool,
    /// What must stand in a record that says whose it is; none where that may be anything.
    pub(super) sight: Option<Sight>,
}

impl Engine {
    /// By these rules.
    ///
    /// # Errors
    ///
    /// Which rule cannot be, and what to write instead.
    pub fn new(
        rules: &Rules,
        detectors: Rc<Detectors>,
        directory: Rc<dyn Directory>,
        keys: Rc<Keys>,
    ) -> Result<Self, RuleError> {
        let mut names: Vec<String> = ["field", "tenant"].map(str::to_owned).to_vec();
        let mut numbers = Vec::new();
        for (id, name) in detectors.names() {
            // There are a few hundred.
            numbers.push((id, u16::try_from(names.len()).unwrap_or(FIELD)));
            names.push(name.to_owned());
        }
        numbers.sort_unstable_by_key(|(id, _)| *id);
        for name in rules.replace.by.keys() {
            let is = |known: &String| {
                known == name || known.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            if !names.iter().skip(2).any(is) {
                return Err(RuleError::Detector { name: name.clone() });
            }
        }
        let actions = names.iter().map(|name| rules.replace.of(name)).collect();
        let fields = Sets::new(&rules.fields, &*directory).map_err(RuleError::Fields)?;
        let places = rules.tenants.as_ref().map(Places::new).transpose().map_err(RuleError::Tenants)?;
        let marks = places.as_ref().map(Marks::new);
        let tenants = rules.tenants.clone().unwrap_or_default();
        let (by_service, by_classification) = fields.asks();
        let asked = [(by_service, SERVICE), (by_classification, CLASSIFICATION)];
        let asked: Vec<&str> = asked.iter().filter(|(asked, _)| *asked).map(|(_, name)| *name).collect();
        let sight = Sight::new(rules.tenants.as_ref(), &asked);
        let looks = places.is_some() || by_service || by_classification;
        Ok(Self {
            detectors,
            known: catalog().into_iter().map(|about| about.name.to_owned()).chain(names.iter().cloned()).collect(),
            names,
            actions,
            numbers,
            fields,
            directory,
            keys,
            places,
            marks,
            foreign: tenants.foreign,
            unattributed: tenants.unattributed,
            unknown_is_foreign: tenants.unknown_is_foreign,
            tag: tenants.tag,
            summary: rules.summary,
            looks,
            sight,
        })
    }

    /// Whom the name of an index names by the words in it, where that leaves a record out. Where others' names are masked, words
    /// are no more than that.
    pub(super) fn indexed(&self, place: &Place<'_>, text: &[u8]) -> Named {
        match &self.places {
            Some(places) if self.foreign != Foreign::Mask => places.indexed(&*self.directory, place, text),
            _ => Named::Nobody,
        }
    }

    /// What is called so.
    pub(super) fn name(&self, what: u16) -> &str {
        self.names.get(usize::from(what)).map_or("", String::as_str)
    }

    /// The number of a detector, and what becomes of what it found.
    pub(super) fn of(&self, id: DetectorId) -> (u16, Action) {
        let found = self.numbers.binary_search_by_key(&id, |(id, _)| *id).ok().and_then(|at| self.numbers.get(at));
        let number = found.map_or(FIELD, |(_, number)| *number);
        (number, self.actions.get(usize::from(number)).copied().unwrap_or_default())
    }

    /// Whether a detector is called so, on or not: another redactor may have others.
    pub(super) fn is_detector(&self, name: &str) -> bool {
        self.known.contains(name)
    }
}
