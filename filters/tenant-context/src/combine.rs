//! From what the sources say to one tenant.
//!
//! *Proving* sources say which tenants a caller may be; *selecting* sources say which one it means.

use partywall_tenancy::{Reason, TenantId};

use crate::Rejection;

/// What one valid proving source names: one tenant, or several of which one must be selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof<'a> {
    /// The source, for the log.
    pub(crate) source: &'static str,
    /// The tenants it names; never empty.
    pub(crate) tenants: &'a [TenantId],
}

/// What one selecting source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The source, for the log.
    pub(crate) source: &'static str,
    /// The tenant it names.
    pub(crate) tenant: TenantId,
}

/// The one tenant that every proof names, every selection means, and nothing contradicts.
///
/// INVARIANT: the answer is named by every proof, and there is at least one. Selections only pick
/// within what all proofs name; where that is one tenant, they can only deny.
pub(crate) fn combine(proofs: &[Proof<'_>], selections: &[Selection]) -> Result<TenantId, Rejection> {
    let Some((first, others)) = proofs.split_first() else {
        return Err(Rejection::new(Reason::TenantMissing, "no source proves a tenant"));
    };
    let mut common = first.tenants.iter().filter(|t| others.iter().all(|p| p.tenants.contains(t)));
    let conflict = |what: String| Err(Rejection::of_proved(Reason::TenantConflict, what));
    let Some((selected, more)) = selections.split_first() else {
        return match (common.next(), common.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(_), Some(_)) => Err(Rejection::of_proved(
                Reason::TenantMissing,
                format!("{} names several tenants and nothing selects one", first.source),
            )),
            (None, _) => conflict(format!("{} and another source prove different tenants", first.source)),
        };
    };
    if let Some(other) = more.iter().find(|s| s.tenant != selected.tenant) {
        return conflict(format!("{} and {} name different tenants", selected.source, other.source));
    }
    if common.any(|t| *t == selected.tenant) {
        Ok(selected.tenant.clone())
    } else {
        conflict(format!("{} names a tenant that {} does not prove", selected.source, first.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants() -> [TenantId; 3] {
        ["acme", "globex", "initech"].map(|t| TenantId::parse(t).unwrap())
    }

    fn subset(bits: usize) -> Vec<TenantId> {
        tenants().into_iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, t)| t).collect()
    }

    /// Every combination of up to three proving sources (absent, or any set of three tenants) with up to
    /// three selecting ones (absent, or any tenant): all 32,768 of them.
    #[test]
    fn for_any_combination_the_answer_is_proved_by_all_and_contradicted_by_none() {
        let mut let_in = 0;
        for n in 0..8 * 8 * 8 * 4 * 4 * 4_usize {
            let sets = [n % 8, n / 8 % 8, n / 64 % 8].map(subset);
            let picks = [n / 512 % 4, n / 2048 % 4, n / 8192].map(|p| tenants().get(p).cloned());
            let proofs: Vec<_> =
                sets.iter().filter(|s| !s.is_empty()).map(|s| Proof { source: "proof", tenants: s }).collect();
            let picks: Vec<_> =
                picks.into_iter().flatten().map(|tenant| Selection { source: "selection", tenant }).collect();
            let common: Vec<_> =
                tenants().into_iter().filter(|t| proofs.iter().all(|p| p.tenants.contains(t))).collect();
            let outcome = combine(&proofs, &picks);

            // Said without regard to how it is computed: who may be let in, and as whom.
            let meant: Vec<_> = common.iter().filter(|t| picks.iter().all(|p| p.tenant == **t)).collect();
            let expected = if proofs.is_empty() || meant.len() != 1 { None } else { Some(meant[0].clone()) };
            assert_eq!(outcome.clone().ok(), expected, "{proofs:?} {picks:?}");
            if let Err(denied) = outcome {
                let missing = proofs.is_empty() || (picks.is_empty() && common.len() > 1);
                assert_eq!(denied.reason == Reason::TenantMissing, missing, "{proofs:?} {picks:?}");
                assert_eq!(denied.proved, !proofs.is_empty());
            } else {
                let_in += 1;
            }
        }
        assert!(let_in > 1000, "the test must see both outcomes often: {let_in}");
    }
}
