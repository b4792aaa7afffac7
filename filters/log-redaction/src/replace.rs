//! WHAT stands for a value that may not stay.
//!
//! | action | what is written |
//! |---|---|
//! | mask | `[REDACTED:email:1f0a9c3e]`: the detector, and 8 hex digits of a keyed fingerprint |
//! | pseudonym | `p1_0f3a…`: equal within a tenant, unlike across, gone with its key |
//! | encrypt | `enc:v1:<kid>:<base64url>`: opened by [`reveal`] |
//! | partial | `****1111`, `203.0.113.0/24`, `2001:db8:1::/48`, `***@example.com`, `+49***` |
//!
//! Every one of them is known again, so that what was redacted stays as it is.

mod keys;
mod memo;
mod partial;
mod seal;
mod written;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use keys::{DataKey, KeyError, Keys, PseudonymKey, TenantKeys, Unopened};
pub(crate) use memo::Memo;
pub(crate) use partial::partial;
pub use seal::{Nonce, RevealError, encrypt, reveal, reveal_all, reveal_each};
pub(crate) use written::{OPEN, mark};

/// What becomes of a value that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A marker with the detector and a fingerprint.
    #[default]
    Mask,
    /// A pseudonym of its tenant; a mask where the tenant is not known.
    Pseudonym,
    /// Encrypted under the data key of its tenant; a mask where there is none.
    Encrypt,
    /// What is left of it tells little; a mask where nothing is known to be left.
    Partial,
    /// The field that it stands in is left out.
    DropField,
    /// The record that it stands in is left out.
    DropRecord,
}

impl Action {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::Mask, Self::Pseudonym, Self::Encrypt, Self::Partial, Self::DropField, Self::DropRecord];

    /// As it is written in rules and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Pseudonym => "pseudonym",
            Self::Encrypt => "encrypt",
            Self::Partial => "partial",
            Self::DropField => "drop_field",
            Self::DropRecord => "drop_record",
        }
    }
}

/// What becomes of values, by what found them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Replace {
    /// For what is not in `by`.
    pub default: Action,
    /// By the name of a detector or of a group; a detector's own counts.
    pub by: BTreeMap<String, Action>,
}

impl Replace {
    /// For the detector called so, whose group is what stands before a `/`.
    pub(crate) fn of(&self, detector: &str) -> Action {
        let group = detector.split('/').next().unwrap_or_default();
        let action = self.by.get(detector).or_else(|| self.by.get(group));
        action.copied().unwrap_or(self.default)
    }
}
