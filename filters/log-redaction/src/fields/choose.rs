//! Which set of rules is for a record: the first whose tenants, services and classifications it is of.

use super::{Compiled, Decision, FieldError, FieldSet, Unlisted};
use crate::carriers::Place;
use crate::replace::Action;
use crate::tenants::{Directory, Tenant};

/// Sets at most.
pub(super) const MOST: usize = 64;

/// All sets.
#[derive(Debug)]
pub(crate) struct Sets {
    all: Vec<Set>,
    /// Whether a set allows: what none is for is masked then.
    closed: bool,
    by_service: bool,
    by_classification: bool,
}

#[derive(Debug)]
struct Set {
    tenants: Vec<Tenant>,
    services: Vec<String>,
    classifications: Vec<String>,
    rules: Compiled,
}

/// The set that is for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// This one.
    Set(usize),
    /// None, and nothing is said of fields.
    Open,
    /// None, though some allow: nobody said what may stay.
    Closed,
}

impl Sets {
    pub(crate) fn new(sets: &[FieldSet], directory: &dyn Directory) -> Result<Self, FieldError> {
        if sets.len() > MOST {
            return Err(FieldError::TooManySets);
        }
        let tenant =
            |name: &String| directory.by_id(name.as_bytes()).ok_or_else(|| FieldError::Tenant { name: name.clone() });
        let set = |set: &FieldSet| {
            Ok(Set {
                tenants: set.tenants.iter().map(tenant).collect::<Result<_, _>>()?,
                services: set.services.clone(),
                classifications: set.classifications.clone(),
                rules: Compiled::new(set)?,
            })
        };
        Ok(Self {
            all: sets.iter().map(set).collect::<Result<_, _>>()?,
            closed: sets.iter().any(|set| set.unlisted != Unlisted::Scan),
            by_service: sets.iter().any(|set| !set.services.is_empty()),
            by_classification: sets.iter().any(|set| !set.classifications.is_empty()),
        })
    }

    /// Whether the service, or the classification, must be known.
    pub(crate) fn asks(&self) -> (bool, bool) {
        (self.by_service, self.by_classification)
    }

    /// Whether the same holds for every record: the first set is for all, or nothing is said of fields.
    pub(crate) fn is_one(&self) -> bool {
        let all = |set: &Set| set.tenants.is_empty() && set.services.is_empty() && set.classifications.is_empty();
        self.all.first().is_none_or(all)
    }

    /// Whether nothing is said of fields at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn choose(&self, tenant: Option<Tenant>, service: &str, classification: &str) -> Chosen {
        let has = |list: &[String], name: &str| list.is_empty() || list.iter().any(|known| known == name);
        let fits = |set: &Set| {
            let whose = set.tenants.is_empty() || tenant.is_some_and(|tenant| set.tenants.contains(&tenant));
            whose && has(&set.services, service) && has(&set.classifications, classification)
        };
        let none = if self.closed { Chosen::Closed } else { Chosen::Open };
        self.all.iter().position(fits).map_or(none, Chosen::Set)
    }

    pub(crate) fn decide(&self, chosen: Chosen, place: &Place<'_>) -> Decision {
        match chosen {
            Chosen::Set(nth) => self.all.get(nth).map_or(Decision::Drop, |set| set.rules.decide(place)),
            Chosen::Open => Decision::Scan,
            Chosen::Closed if place.part == crate::carriers::Part::Key => Decision::Scan,
            Chosen::Closed => Decision::Replace(Action::Mask),
        }
    }
}
