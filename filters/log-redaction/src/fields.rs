//! WHICH fields of a record may stay, by where they stand.
//!
//! ```text
//! Place ─► FieldSet, chosen by tenant, service, classification ─► Paths: all rules at once ─► the first that fits
//! ```

mod choose;
mod paths;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::carriers::{Part, Place, Slot};
pub(crate) use choose::{Chosen, Sets};
pub(crate) use paths::Paths;

/// Rules for fields, and whose records they are for. The first set that fits a record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSet {
    /// Ids of tenants; none means all, and those that are not known.
    pub tenants: Vec<String>,
    /// Names of services; none means all.
    pub services: Vec<String>,
    /// Classifications; none means all.
    pub classifications: Vec<String>,
    /// What becomes of a field that no rule names.
    pub unlisted: Unlisted,
    /// The rules; the first that fits a place holds.
    pub rules: Vec<FieldRule>,
}

/// What becomes of a field that no rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlisted {
    /// It is scanned: rules block.
    #[default]
    Scan,
    /// What it holds is masked: rules allow, and a field that nobody thought of does not go on.
    Mask,
    /// It is left out: likewise.
    Drop,
}

/// What becomes of fields at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// Names with dots between, of which `*` is any one, `**` any number of them and `[]` the items of an array; as
    /// `resource.attributes.**` or `user.email`. Case does not count. A name that has dots itself is several.
    pub path: String,
    /// What it is of, as [`Slot`] in snake case; none means anything.
    #[serde(default)]
    pub slots: Vec<String>,
    /// What becomes of it.
    pub action: FieldAction,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldAction {
    /// It stays, and nobody looks for anything in it. Fields in it are not meant.
    Keep,
    /// It stays, but for what is found in it: as if nothing were said, but that it is said. Fields in it are not meant.
    Scan,
    /// It and all in it is left out.
    Drop,
    /// Its record is left out.
    DropRecord,
    /// Whatever it and all in it holds is masked.
    Mask,
    /// Likewise, by a pseudonym.
    Pseudonym,
    /// Likewise, encrypted.
    Encrypt,
}

/// Why there are no such rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// A path cannot be.
    Path {
        /// As it was written.
        path: String,
        /// What is wrong with it, and what to write instead.
        why: &'static str,
    },
    /// Nothing is called so.
    Slot {
        /// As it was written.
        name: String,
    },
    /// No tenant is called so.
    Tenant {
        /// As it was written.
        name: String,
    },
    /// All paths of a set are too many or too long together.
    TooMany,
    /// There are more sets than may be.
    TooManySets,
}

impl fmt::Display for FieldError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path, why } => write!(out, "path `{path}`: {why}"),
            Self::Slot { name } => write!(out, "no field is a `{name}`; `attribute`, `body`, `label` are"),
            Self::Tenant { name } => write!(out, "a set of fields is for tenant `{name}`, which there is not"),
            Self::TooMany => {
                write!(out, "a set of fields has more than {} names and wildcards in its paths", paths::MOST)
            }
            Self::TooManySets => write!(out, "there are more than {} sets of fields", choose::MOST),
        }
    }
}

impl std::error::Error for FieldError {}

/// What is done about a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Scan,
    Keep,
    Drop,
    DropRecord,
    Replace(crate::replace::Action),
}

/// A set of rules, ready.
#[derive(Debug)]
pub(crate) struct Compiled {
    paths: Paths,
    unlisted: Unlisted,
    /// Of each rule what it is for, and what it says.
    rules: Vec<(u32, FieldAction)>,
}

impl Compiled {
    pub(crate) fn new(set: &FieldSet) -> Result<Self, FieldError> {
        let deep = |action| !matches!(action, FieldAction::Keep | FieldAction::Scan);
        let paths = Paths::new(set.rules.iter().map(|rule| (rule.path.as_str(), deep(rule.action))))?;
        let rule = |rule: &FieldRule| Ok((mask_of(&rule.slots)?, rule.action));
        Ok(Self { paths, unlisted: set.unlisted, rules: set.rules.iter().map(rule).collect::<Result<_, _>>()? })
    }

    /// Decides in one pass over the path, and allocates nothing.
    pub(crate) fn decide(&self, place: &Place<'_>) -> Decision {
        let bit = 1 << place.slot as u32;
        let fits = |rule: usize| self.rules.get(rule).is_some_and(|(slots, _)| slots & bit != 0);
        // What cannot be decided on does not go on.
        let Some((rule, on)) = self.paths.first(place.path, fits) else { return Decision::Drop };
        let action = rule.and_then(|rule| self.rules.get(rule)).map(|(_, action)| *action);
        // The name stays that a field is masked under, and is looked at as a text: somebody may have chosen it.
        let key = place.part == Part::Key;
        use crate::replace::Action;
        match action {
            Some(FieldAction::Drop) => Decision::Drop,
            Some(FieldAction::DropRecord) => Decision::DropRecord,
            Some(_) if key => Decision::Scan,
            Some(FieldAction::Keep) => Decision::Keep,
            Some(FieldAction::Scan) => Decision::Scan,
            Some(FieldAction::Mask) => Decision::Replace(Action::Mask),
            Some(FieldAction::Pseudonym) => Decision::Replace(Action::Pseudonym),
            Some(FieldAction::Encrypt) => Decision::Replace(Action::Encrypt),
            // What is listed may stand in it.
            None if key && on => Decision::Scan,
            None => match self.unlisted {
                Unlisted::Scan => Decision::Scan,
                Unlisted::Mask if key => Decision::Scan,
                Unlisted::Mask => Decision::Replace(Action::Mask),
                Unlisted::Drop => Decision::Drop,
            },
        }
    }
}

/// The bits of these slots; of none all.
pub(crate) fn mask_of(names: &[String]) -> Result<u32, FieldError> {
    if names.is_empty() {
        return Ok(u32::MAX);
    }
    let bit = |name: &String| {
        let of = |(known, _): &&(&str, Slot)| known == name;
        let found = SLOTS.iter().find(of).ok_or_else(|| FieldError::Slot { name: name.clone() });
        found.map(|(_, slot)| 1 << *slot as u32)
    };
    names.iter().map(bit).try_fold(0, |all, bit| Ok(all | bit?))
}

/// The names of all that a field can be of, as rules write them.
pub fn slots() -> impl Iterator<Item = &'static str> {
    SLOTS.iter().map(|(name, _)| *name)
}

/// What fields are of, by name.
pub(crate) const SLOTS: &[(&str, Slot)] = &[
    ("resource_attribute", Slot::ResourceAttribute),
    ("scope_attribute", Slot::ScopeAttribute),
    ("attribute", Slot::Attribute),
    ("event_attribute", Slot::EventAttribute),
    ("link_attribute", Slot::LinkAttribute),
    ("exemplar_attribute", Slot::ExemplarAttribute),
    ("body", Slot::Body),
    ("name", Slot::Name),
    ("text", Slot::Text),
    ("trace_state", Slot::TraceState),
    ("label", Slot::Label),
    ("metadata", Slot::Metadata),
    ("index", Slot::Index),
    ("document_id", Slot::DocumentId),
    ("routing", Slot::Routing),
    ("field", Slot::Field),
    ("meta", Slot::Meta),
    ("service_name", Slot::ServiceName),
    ("address", Slot::Address),
    ("tag", Slot::Tag),
    ("annotation", Slot::Annotation),
    ("structured_data", Slot::StructuredData),
    ("unknown", Slot::Unknown),
];
