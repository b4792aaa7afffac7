//! WHOSE record it is, and whose name stands in it.
//!
//! A record names its tenant in *structural* places: attributes that are called so, and what fits a template, such as an
//! index. It *mentions* one where a fingerprint or a full host of it stands in any text.

mod directory;
mod index;
mod known;
mod marks;
mod template;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use directory::{Directory, HostEnds, Listed};
pub use known::{Known, Making, tenant_of};
pub(crate) use marks::Marks;
use template::Template;

use crate::carriers::{Part, Place, Slot};
use crate::fields::{FieldError, Paths, mask_of};

/// A tenant of a [`Directory`], by a number that means nothing elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(pub u32);

/// Whose a record is, and what becomes of others'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantRules {
    /// Names of attributes, fields, labels that hold a tenant's id or fingerprint; with dots they may be nested. At most 16.
    pub attributes: Vec<String>,
    /// Other places that hold one. Without one for the slot `index` another tenant's id counts wherever it stands in the name
    /// of an index, joined by hyphens, dots or underscores.
    pub templates: Vec<Templated>,
    /// Whether a name in `attributes` that is no tenant's is another tenant's: one that this directory does not know yet.
    pub unknown_is_foreign: bool,
    /// What becomes of records of another tenant, and of those that mention one.
    pub foreign: Foreign,
    /// What becomes of records that name none, from a workload that several share.
    pub unattributed: Unattributed,
    /// The name of a field that is added to records, with their tenant's fingerprint.
    pub tag: Option<String>,
}

impl Default for TenantRules {
    fn default() -> Self {
        Self {
            attributes: ["tenant", "tenant.id", "tenant_id", "partywall.tenant"].map(str::to_owned).to_vec(),
            templates: Vec::new(),
            unknown_is_foreign: true,
            foreign: Foreign::default(),
            unattributed: Unattributed::default(),
            tag: None,
        }
    }
}

/// A place that holds a tenant's id among other things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templated {
    /// Where it stands, as in rules of fields.
    #[serde(default = "anywhere")]
    pub path: String,
    /// What it is, as in rules of fields: `index` for that of a bulk request.
    #[serde(default)]
    pub slots: Vec<String>,
    /// How it is written: `logs-{tenant}-*`, `{tenant}.orders`, `{tenant}.example.com`, `/t/{tenant}/*`. `*` may be its end.
    pub template: String,
}

fn anywhere() -> String {
    "**".to_owned()
}

/// What becomes of records of another tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// They are left out.
    #[default]
    Drop,
    /// They are left out, and are what a redactor of that [pass](crate::redactor::Pass) leaves over.
    Quarantine,
    /// They go on with all that they hold masked; where one is only mentioned, with that masked.
    Mask,
}

/// What becomes of records that name no tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unattributed {
    /// They go on, all that is found masked, and every tenant's name with it.
    #[default]
    KeepMasked,
    /// They are left out.
    Drop,
}

/// Why there are no such rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantError {
    /// There are more attributes than may be, or one has no name.
    Attributes,
    /// A template cannot be.
    Template {
        /// As it was written.
        template: String,
    },
    /// Its place cannot be.
    Place(FieldError),
}

impl fmt::Display for TenantError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attributes => write!(out, "there are 1 to {ATTRIBUTES} attributes of tenants, each of 1 to 64 bytes"),
            Self::Template { template } => {
                write!(
                    out,
                    "template `{template}`: it has `{{tenant}}` once and `*` at its end or nowhere, as `logs-{{tenant}}-*`"
                )
            }
            Self::Place(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for TenantError {}

const ATTRIBUTES: usize = 16;
/// The slot of names of indices, as rules call it.
const INDEX: &str = "index";

/// What a structural place says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// It is none, or says nothing.
    Nobody,
    /// This tenant.
    Tenant(Tenant),
    /// Somebody that the directory does not know.
    Unknown,
    /// More than one tenant.
    Several,
}

/// Rules, ready.
#[derive(Debug)]
pub(crate) struct Places {
    attributes: Vec<Box<[u8]>>,
    /// How these end; none where one is shorter than that.
    ends: Option<Vec<u32>>,
    paths: Paths,
    templates: Vec<(u32, Template)>,
    /// What templates are for, all together.
    slots: u32,
    /// Whether another tenant's id counts wherever it stands in the name of an index: ids may be words that stand there anyway,
    /// so a template for indices is the last word on them.
    indices: bool,
}

impl Places {
    pub(crate) fn new(rules: &TenantRules) -> Result<Self, TenantError> {
        let fine = |name: &String| (1..=64).contains(&name.len());
        if rules.attributes.len() > ATTRIBUTES || !rules.attributes.iter().all(fine) {
            return Err(TenantError::Attributes);
        }
        let paths = Paths::new(rules.templates.iter().map(|place| (place.path.as_str(), false)));
        let template = |place: &Templated| {
            let wrong = || TenantError::Template { template: place.template.clone() };
            let template = Template::new(&place.template).ok_or_else(wrong)?;
            Ok((mask_of(&place.slots).map_err(TenantError::Place)?, template))
        };
        let attributes: Vec<Box<[u8]>> =
            rules.attributes.iter().map(|name| name.to_ascii_lowercase().into_bytes().into()).collect();
        let mut ends: Option<Vec<u32>> = attributes.iter().map(|name| end(name)).collect();
        if let Some(ends) = &mut ends {
            ends.sort_unstable();
            ends.dedup();
        }
        let templates: Vec<_> = rules.templates.iter().map(template).collect::<Result<_, _>>()?;
        let slots = templates.iter().fold(0, |all, (slots, _)| all | slots);
        let indices = !rules.templates.iter().any(|place| place.slots.iter().any(|slot| slot == INDEX));
        Ok(Self { attributes, ends, paths: paths.map_err(TenantError::Place)?, templates, slots, indices })
    }

    /// The names of attributes, in lower case.
    pub(crate) fn attributes(&self) -> &[Box<[u8]>] {
        &self.attributes
    }

    /// Whom a leaf names.
    pub(crate) fn named(&self, directory: &dyn Directory, place: &Place<'_>, text: &[u8]) -> Named {
        if place.part == Part::Key {
            return Named::Nobody;
        }
        let path = place.path.strip_suffix(b".[]").unwrap_or(place.path);
        // Which tells nearly all apart.
        let may = self.ends.as_ref().is_none_or(|ends| end(path).is_some_and(|end| ends.contains(&end)));
        if may && self.attributes.iter().any(|name| ends(path, name)) {
            let name = text.trim_ascii();
            return if name.is_empty() {
                Named::Nobody
            } else {
                resolve(directory, name).map_or(Named::Unknown, Named::Tenant)
            };
        }
        let bit = 1 << place.slot as u32;
        if self.slots & bit == 0 {
            return Named::Nobody;
        }
        let found = std::cell::Cell::new(None);
        // Of several templates for a place the first counts that finds a tenant.
        let fits = |nth: usize| {
            let place = self.templates.get(nth).filter(|(slots, _)| slots & bit != 0);
            found.set(place.and_then(|(_, template)| template.tenant(directory, text)));
            found.get().is_some()
        };
        match self.paths.first(place.path, fits) {
            Some((Some(_), _)) => found.get().map_or(Named::Nobody, Named::Tenant),
            Some(_) => Named::Nobody,
            None => Named::Unknown,
        }
    }

    /// Whom the name of an index names by the words in it; `Nobody` where it is no such name, or templates say that.
    pub(crate) fn indexed(&self, directory: &dyn Directory, place: &Place<'_>, text: &[u8]) -> Named {
        if self.is_index(place) { index::named(directory, text) } else { Named::Nobody }
    }

    /// Tells each name in that of an index. `false` where it could not be read.
    pub(crate) fn find_in_index(
        &self,
        directory: &dyn Directory,
        place: &Place<'_>,
        text: &[u8],
        found: impl FnMut(Range<usize>, Tenant),
    ) -> bool {
        !self.is_index(place) || index::find(directory, text, found)
    }

    fn is_index(&self, place: &Place<'_>) -> bool {
        self.indices && place.slot == Slot::Index && place.part == Part::Text
    }
}

/// The last bytes of a name: alike where names are alike in whatever case.
fn end(name: &[u8]) -> Option<u32> {
    name.last_chunk().map(|end| u32::from_le_bytes(*end) | 0x2020_2020)
}

/// Whether a path is, or ends with, a name.
fn ends(path: &[u8], name: &[u8]) -> bool {
    let Some(at) = path.len().checked_sub(name.len()) else { return false };
    let tail = path.get(at..).unwrap_or_default();
    tail.eq_ignore_ascii_case(name) && at.checked_sub(1).is_none_or(|before| path.get(before) == Some(&b'.'))
}

/// The tenant of an id or fingerprint, in any case.
pub(crate) fn resolve(directory: &dyn Directory, name: &[u8]) -> Option<Tenant> {
    let mut lower = [0; 128];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    directory.by_id(lower).or_else(|| directory.by_fingerprint(lower))
}
