//! What an operation touches besides a resource: the words of its dataset, with what they ask for worked out.
//!
//! The command line reads datasets, clearances and classifications from `datasets.yaml` and writes down, for each operation,
//! what a sidecar is to ask: there is nothing left to look up, so nothing can be missing when a request comes.

use serde::{Deserialize, Serialize};

/// The attributes of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attributes {
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
}

static NONE: Attributes = Attributes {
    dataset: String::new(),
    classification: String::new(),
    purpose: String::new(),
    residency: Residency::Anywhere,
    needs_consent: false,
    cleared: None,
    feature: None,
};

impl Attributes {
    /// Those of an operation that says nothing.
    pub fn none() -> &'static Self {
        &NONE
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
