//! What stands before the names of a tenant.
//!
//! INVARIANT: of two tenants that are in no cohort together, neither's prefix begins the other's, with `.` and `_` taken
//! for the same as Kafka's metrics do: a topic of one would hinder the other from making one.

use std::rc::Rc;

use partywall_tenancy::{EventCluster, EventPrefix, TenantId, order};

use super::names;
use super::topics::pairs;

/// The longest prefix, in bytes: so many are left for a name.
const LONGEST: usize = names::LONGEST_TOPIC - 1;

/// The prefixes of a cluster.
#[derive(Debug)]
pub(super) struct Prefixes {
    template: EventPrefix,
    /// Those that are written out, by tenant: its own, or its cohort's.
    written: Vec<(TenantId, Rc<str>)>,
    /// The same, each once and with `.` for `_`, sorted.
    taken: Vec<Box<[u8]>>,
}

impl Prefixes {
    pub(super) fn new(events: &EventCluster) -> Result<Self, String> {
        let template = events.prefix.clone();
        if !template.tail.starts_with(['.', '_']) {
            let shown = [&template.head, "{tenant}", &template.tail].concat();
            return Err(format!(
                "prefix `{shown}`: behind `{{tenant}}` stands `.` or `_`, which no tenant id has; write `{{tenant}}.`"
            ));
        }
        check(&[&template.head, "a", &template.tail].concat())?;
        let mut written: Vec<(TenantId, Rc<str>)> = Vec::new();
        let mut taken = Vec::new();
        for (tenant, prefix) in &events.own_prefixes {
            check(prefix)?;
            written.push((tenant.clone(), prefix.as_str().into()));
            taken.push(as_metrics_do(prefix));
        }
        for cohort in &events.cohorts {
            check(&cohort.prefix)?;
            let prefix: Rc<str> = cohort.prefix.as_str().into();
            written.extend(cohort.tenants.iter().map(|tenant| (tenant.clone(), Rc::clone(&prefix))));
            taken.push(as_metrics_do(&prefix));
        }
        order::sort(&mut written);
        if let Some(((tenant, one), (_, other))) = pairs(&written).find(|((one, _), (other, _))| one == other) {
            return Err(format!(
                "tenant `{tenant}` has the prefixes `{one}` and `{other}`: it is in one cohort, or has one of its own"
            ));
        }
        order::sort(&mut taken);
        if let Some((one, other)) = pairs(&taken).find(|(one, other)| other.starts_with(one)) {
            let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
            return Err(format!(
                "prefix `{one}` begins `{other}`, with `.` and `_` taken for the same: names of one would be the other's"
            ));
        }
        Ok(Self { template, written, taken })
    }

    /// What stands before the names of `tenant`; `None` where that would be another's.
    pub(super) fn of(&self, tenant: &TenantId) -> Option<Rc<str>> {
        if let Ok(at) = self.written.binary_search_by(|(other, _)| other.cmp(tenant)) {
            return self.written.get(at).map(|(_, prefix)| Rc::clone(prefix));
        }
        let prefix = self.template.of(tenant);
        let free = prefix.len() <= LONGEST && self.is_free(&as_metrics_do(&prefix));
        free.then(|| prefix.into())
    }

    /// Whether no prefix that is written out begins with it, or it with one.
    fn is_free(&self, prefix: &[u8]) -> bool {
        // Neither of two neighbours begins the other, so that one which begins `prefix` is the last before it.
        let at = self.taken.partition_point(|taken| **taken <= *prefix);
        let before = at.checked_sub(1).and_then(|at| self.taken.get(at));
        let behind = self.taken.get(at);
        !before.is_some_and(|taken| prefix.starts_with(taken)) && !behind.is_some_and(|taken| taken.starts_with(prefix))
    }
}

/// As Kafka's metrics have it, in which topics that differ so collide.
fn as_metrics_do(prefix: &str) -> Box<[u8]> {
    prefix.bytes().map(|byte| if byte == b'_' { b'.' } else { byte }).collect()
}

fn check(prefix: &str) -> Result<(), String> {
    if prefix.is_empty() || prefix.len() > LONGEST || !names::is_legal(prefix.as_bytes()) {
        return Err(format!("prefix `{}`: has 1 to {LONGEST} of `a-z A-Z 0-9 . _ -`", prefix.escape_debug()));
    }
    // `_` would make one of `_consumer_offsets`.
    if prefix == "_" || names::is_internal(prefix.as_bytes()) {
        return Err(format!("prefix `{prefix}`: `__` begins the names of the broker's own topics"));
    }
    Ok(())
}
