//! A request that asks for an operation, made up from what is known about it.

use partywall_authorization::Body;
use partywall_tenancy::{Operation, Place};

/// The body of a request, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SentBody {
    /// This.
    Whole(String),
    /// It names this owner.
    Named(String),
    /// Somebody else reads it.
    Elsewhere,
}

impl Default for SentBody {
    fn default() -> Self {
        Self::Whole(String::new())
    }
}

impl SentBody {
    /// As authorization wants it.
    pub(crate) fn as_body(&self) -> Body<'_> {
        match self {
            Self::Whole(text) => Body::Whole(text.as_bytes()),
            Self::Named(owner) => Body::Named(owner),
            Self::Elsewhere => Body::Elsewhere,
        }
    }
}

/// What stands in its query, its headers and its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Names the owner, or nobody.
    pub(crate) body: SentBody,
}

impl Sent {
    /// What the operation asks for, with `owner` in every place where one can stand.
    pub(crate) fn to(operation: &Operation, owner: Option<&str>) -> Self {
        let mut sent = Self { body: SentBody::Named(owner.unwrap_or_default().to_owned()), ..Self::default() };
        for condition in &operation.when {
            sent.put(&condition.place, &condition.value);
        }
        for place in operation.owner.places() {
            if let Some(owner) = owner {
                sent.put(place, owner);
            }
        }
        sent
    }

    fn put(&mut self, place: &Place, value: &str) {
        match place {
            Place::Query(name) => self.query.push((name.clone(), value.to_owned())),
            Place::Header(name) => self.headers.push((name.clone(), value.as_bytes().to_vec())),
            Place::Path(_) | Place::IdPrefix(_) | Place::Body(_) => {}
        }
    }

    /// `path` with the query.
    pub(crate) fn to_path(&self, path: &str) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}
