//! Paths of a service that name a tenant, with any method and however they go on.

use std::collections::BTreeSet;

use partywall_tenancy::TenantId;

use super::route::{Evidence, Route};
use super::template;
use crate::ROUTE;

/// How paths begin that name a tenant: the segments up to it, `None` for a parameter.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    owned: Vec<Vec<Option<Box<str>>>>,
    /// The same beginnings with a word where others have a tenant, as `/tenants/new` beside `/tenants/{tenant}`.
    words: Vec<Vec<Option<Box<str>>>>,
}

impl Elsewhere {
    pub(super) fn of(routes: &[Route]) -> Self {
        let begins = |path: &str, length: usize| -> Vec<Option<Box<str>>> {
            let segments = template::split(path.strip_prefix('/').unwrap_or(path));
            segments.take(length).map(|segment| (!segment.starts_with('{')).then(|| segment.into())).collect()
        };
        let named = |route: &Route| {
            let segments = route.evidence.iter().filter_map(|evidence| match evidence {
                Evidence::Segment(at) => Some(begins(&route.operation.path, at + 1)),
                _ => None,
            });
            segments.collect::<Vec<_>>()
        };
        let owned: BTreeSet<_> = routes.iter().flat_map(named).collect();
        let lengths: BTreeSet<usize> = owned.iter().map(Vec::len).collect();
        let words = lengths.iter().flat_map(|length| {
            // What routes name has no path.
            let with_path = routes.iter().filter(|route| route.operation.method != ROUTE);
            with_path.map(|route| begins(&route.operation.path, *length))
        });
        let words: BTreeSet<_> = words.filter(|begin| begin.last().is_some_and(Option::is_some)).collect();
        Self { owned: owned.into_iter().collect(), words: words.into_iter().collect() }
    }

    /// Whether `path` begins as one that names another tenant than `tenant`.
    pub(super) fn leads(&self, path: &str, tenant: &TenantId) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let begins = |begin: &&Vec<Option<Box<str>>>| {
            let mut given = template::split(path);
            begin.iter().all(|wanted| match (wanted, given.next()) {
                (Some(word), Some(segment)) => **word == *segment,
                (None, Some(segment)) => !segment.is_empty(),
                (_, None) => false,
            })
        };
        self.owned.iter().filter(begins).any(|begin| {
            let last = begin.len().saturating_sub(1);
            let is_other = template::split(path).nth(last).is_some_and(|owner| owner != tenant.as_str());
            is_other && !self.words.iter().filter(|words| words.len() == begin.len()).any(|words| begins(&words))
        })
    }
}
