//! What the routes that lead to a service may say of its requests, and what their words mean.
//!
//! The command line writes down all that a route could name, so that a sidecar has nothing to look up elsewhere. A word
//! that is not here means nothing.

use serde::{Deserialize, Serialize};

use crate::{Residency, Retention};

/// What words of a route mean for one service. A service without one has routes to which nobody listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteWords {
    /// The datasets that a route may name.
    pub datasets: Vec<RouteDataset>,
    /// The classifications, from the lowest, each with the roles that are cleared for it; `None` where everyone is.
    pub classifications: Vec<(String, Option<Vec<String>>)>,
}

/// A dataset that a route may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteDataset {
    /// Its name.
    pub name: String,
    /// How confidential it is; empty where nothing says it.
    pub classification: String,
    /// Where it may be served.
    pub residency: Residency,
    /// How old an object may be that is read.
    pub retention: Option<Retention>,
    /// The purposes that need no consent; `None` where it says nothing about them.
    pub purposes: Option<Vec<String>>,
    /// The purposes that need the owner's consent of the same name.
    pub consent: Vec<String>,
}
