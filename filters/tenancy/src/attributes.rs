//! What an operation touches besides a resource: the words of its dataset, with what they ask for worked out.
//!
//! The command line reads datasets, clearances and classifications from `datasets.yaml` and writes down, for each
//! operation, what a sidecar is to ask: there is nothing left to look up, so nothing can be missing when a request
//! comes.

use serde::{Deserialize, Serialize};

/// The attributes of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attributes {
    /// Whose what it is about is.
    pub scope: Scope,
    /// The dataset that it reads or writes; empty for none.
    pub dataset: String,
    /// How confidential that is; empty where nothing says it.
    pub classification: String,
    /// What it is done for; empty where nothing says it.
    pub purpose: String,
    /// Where the dataset may be served.
    pub residency: Residency,
    /// Whether the owner must have given the consent that is called as the purpose.
    pub needs_consent: bool,
    /// The roles of which a principal needs one, since of the others none is cleared for the classification;
    /// `None` where everyone is.
    pub cleared: Option<Vec<String>>,
    /// The feature that the principal's tenant must have.
    pub feature: Option<Feature>,
    /// How old an object may be that is read.
    pub retention: Option<Retention>,
}

static NONE: Attributes = Attributes {
    scope: Scope::Tenant,
    dataset: String::new(),
    classification: String::new(),
    purpose: String::new(),
    residency: Residency::Anywhere,
    needs_consent: false,
    cleared: None,
    feature: None,
    retention: None,
};

impl Attributes {
    /// Those of an operation that says nothing.
    pub fn none() -> &'static Self {
        &NONE
    }
}

/// Whose what an operation is about is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// A tenant's.
    #[default]
    Tenant,
    /// Nobody's: reference data that every verified tenant may read, where policies permit it.
    GlobalRead,
    /// The platform's: for platform principals, and for no tenant.
    Platform,
}

impl Scope {
    /// All of them, with the words by which directories name them.
    pub const ALL: &'static [(&'static str, Self)] =
        &[("tenant", Self::Tenant), ("global-read", Self::GlobalRead), ("platform", Self::Platform)];

    /// The word, as `global-read`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::GlobalRead => "global-read",
            Self::Platform => "platform",
        }
    }
}

/// Where a dataset may be served.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Residency {
    /// Wherever a sidecar stands.
    #[default]
    Anywhere,
    /// In the region that is the residency of the owner.
    Owners,
    /// In these regions.
    Only(Vec<String>),
}

/// A feature without which an operation is off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Whether a tenant without it is told that there is no such thing (404) rather than that it may not (403).
    pub hidden: bool,
}

/// How long objects of a dataset are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Retention {
    /// The oldest one that may be shown, in seconds.
    pub age: u32,
    /// The response header that tells since when an object is there, lower case; `None` where the body alone does
    /// ([`crate::Since`]).
    pub header: Option<String>,
}
