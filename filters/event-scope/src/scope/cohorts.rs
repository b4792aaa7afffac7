//! Tenants of a cohort see the same.

use std::collections::BTreeMap;

use partywall_tenancy::{EventCluster, TenantId, order};

use super::topics::{Readers, Rule, To, pairs};

/// INVARIANT: what a rule gives to one tenant of a cohort it gives to all of them, and what it gives to one tenant alone
/// is no other's.
pub(super) fn check(events: &EventCluster, rules: &[Rule]) -> Result<(), String> {
    let mut cohorts: BTreeMap<&TenantId, usize> = BTreeMap::new();
    for (number, cohort) in events.cohorts.iter().enumerate() {
        cohorts.extend(cohort.tenants.iter().map(|tenant| (tenant, number)));
    }
    let given_to_some = |rule: &&Rule| match &rule.to {
        To::Partitions { .. } | To::Shared { readers: Readers::Only(_), .. } => true,
        To::Shared { readers: Readers::All, .. } | To::Own | To::Denied => false,
    };
    for rule in rules.iter().filter(given_to_some) {
        for cohort in &events.cohorts {
            let mut has = cohort.tenants.iter().map(|tenant| (tenant, given(rule, tenant)));
            let Some((first, given)) = has.next() else { continue };
            if let Some((other, _)) = has.find(|(_, other)| *other != given) {
                return Err(format!(
                    "topic rule `{}`: `{first}` and `{other}` are of the cohort `{}`, so that it gives both the same",
                    rule.name, cohort.name
                ));
            }
        }
        let To::Partitions { ranges, .. } = &rule.to else { continue };
        let mut sorted: Vec<_> = ranges.iter().map(|range| (range.first, &range.tenant)).collect();
        order::sort(&mut sorted);
        let apart = |one: &TenantId, other: &TenantId| match (cohorts.get(one), cohorts.get(other)) {
            (Some(one), Some(other)) => one != other,
            _ => true,
        };
        if let Some(((_, one), (_, other))) =
            pairs(&sorted).find(|((first, one), (second, other))| first == second && apart(one, other))
        {
            return Err(format!(
                "topic rule `{}`: tenants `{one}` and `{other}` would have the same partitions",
                rule.name
            ));
        }
    }
    Ok(())
}

/// What a rule gives to this tenant and not to all.
fn given(rule: &Rule, tenant: &TenantId) -> Option<(i32, i32)> {
    match &rule.to {
        To::Partitions { .. } => rule.range(tenant).map(|range| (range.first, range.count)),
        To::Shared { readers: Readers::Only(_), .. } => rule.is_read_by(tenant).then_some((0, 0)),
        To::Shared { .. } | To::Own | To::Denied => None,
    }
}
