//! Places of a request that say something of its resource: whose it is, and which of several operations is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// This template parameter of the path.
    Path(String),
    /// This parameter of the query.
    Query(String),
    /// This header, in lower case.
    Header(String),
    /// What stands in the resource's id before this character.
    IdPrefix(char),
    /// What a JSON pointer (RFC 6901, `*` for every member) leads to in the body.
    Body(String),
}

impl fmt::Display for Place {
    /// As it is written in `services/*.yaml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(name) => write!(f, "path.{name}"),
            Self::Query(name) => write!(f, "query.{name}"),
            Self::Header(name) => write!(f, "header.{name}"),
            Self::IdPrefix(separator) => write!(f, "id_prefix.{separator}"),
            Self::Body(pointer) => write!(f, "body.{pointer}"),
        }
    }
}

/// Where the owner of a resource can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// In these places of the request. Every one that a request has is looked at.
    Shown {
        /// The places.
        places: Vec<Place>,
        /// Whether a request that has none of them is one about the tenant's own, as far as anybody can see.
        or_none: bool,
    },
    /// Nowhere in the request: the service itself must keep tenants apart.
    Unseen,
}

impl Owner {
    /// In this template parameter of the path, and nowhere else.
    pub fn path(name: &str) -> Self {
        Self::Shown { places: vec![Place::Path(name.to_owned())], or_none: false }
    }

    /// The places.
    pub fn places(&self) -> &[Place] {
        match self {
            Self::Shown { places, .. } => places,
            Self::Unseen => &[],
        }
    }

    /// Whether it may stand in the body.
    pub fn reads_body(&self) -> bool {
        self.places().iter().any(|place| matches!(place, Place::Body(_)))
    }

    /// Whether a request may show no owner at all.
    pub fn may_be_hidden(&self) -> bool {
        matches!(self, Self::Unseen | Self::Shown { or_none: true, .. })
    }
}

impl fmt::Display for Owner {
    /// As it is written in `services/*.yaml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unseen => f.write_str("none"),
            Self::Shown { places, or_none: false } if places.len() == 1 => {
                places.iter().try_for_each(|place| place.fmt(f))
            }
            Self::Shown { places, or_none } => {
                f.write_str("[")?;
                for (at, place) in places.iter().enumerate() {
                    write!(f, "{}{place}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(if *or_none { ", none]" } else { "]" })
            }
        }
    }
}

/// What a request must have for an operation to cover it, beside method and path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Where: in the query or in a header.
    pub place: Place,
    /// What stands there, in plain text.
    pub value: String,
}

impl fmt::Display for Condition {
    /// As messages and logs tell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.place, self.value)
    }
}
