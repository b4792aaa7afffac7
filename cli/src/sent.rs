//! A request that asks for an operation, made up from what is known about it.

use partywall_tenancy::{Operation, Place};

/// What stands in its query and its headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Sent {
    /// What the operation asks for, with `owner` in every place where one can stand.
    pub(crate) fn to(operation: &Operation, owner: Option<&str>) -> Self {
        let mut sent = Self::default();
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
            Place::Path(_) | Place::IdPrefix(_) => {}
        }
    }

    /// `path` with the query.
    pub(crate) fn to_path(&self, path: &str) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}
