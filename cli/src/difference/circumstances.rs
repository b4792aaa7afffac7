//! Under which circumstances both programs are asked.

use std::collections::BTreeSet;

use partywall_log_redaction::OTHER_SCOPES;
use partywall_tenancy::NameSet;

use crate::material::Material;

/// The most networks that are asked about.
const NETWORKS: usize = NameSet::MOST;
/// The most scopes that are asked about.
const SCOPES: usize = 32;
/// The most callers that are asked about.
const CALLERS: usize = 32;
/// The most combinations of them.
const MOST: usize = 1024;

/// What policies could ask of a request besides who does what: an empty name for nothing, and each by itself. Only the
/// empty one where none asks.
pub(super) struct Circumstances {
    pub(super) networks: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) callers: Vec<String>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Circumstance<'c> {
    pub(super) network: &'c str,
    pub(super) scope: &'c str,
    pub(super) caller: &'c str,
}

impl Circumstances {
    pub(super) fn of(both: [&Material; 2], sampled: &mut Vec<String>) -> Self {
        let mut scopes: BTreeSet<String> = both.iter().flat_map(|m| m.scopes()).collect();
        if both.iter().any(|m| m.authorization.reads_scopes()) {
            // To some policies it makes a difference that there is one, whatever it is.
            scopes.insert(OTHER_SCOPES.to_owned());
        }
        let mut callers: Vec<String> = Vec::new();
        if both.iter().any(|m| m.authorization.reads_caller()) {
            callers.extend(both.iter().flat_map(|m| m.callers()).collect::<BTreeSet<_>>());
            // Anybody may be a client of Kafka: no service lists them.
            if both.iter().any(|m| !m.body.events.is_empty()) {
                let named = both.iter().flat_map(|m| m.named("Workload")).filter(|named| !named.is_empty());
                let named: BTreeSet<String> =
                    named.map(str::to_owned).filter(|named| !callers.contains(named)).collect();
                callers.extend(named);
                sampled
                    .push("clients of Kafka that neither policies nor services name were not asked about".to_owned());
            }
        }
        if callers.len() > CALLERS {
            sampled.push(format!("of {} workloads that call, {CALLERS} were asked about", callers.len()));
        }
        let mut listed = |kind: &str, names: BTreeSet<String>, most: usize| {
            if names.len() > 1 {
                sampled.push(format!("{kind}s were asked about one by one, not together: there are {}", names.len()));
            }
            if names.len() > most {
                sampled.push(format!("of {} names that may be {kind}s, {most} were asked about", names.len()));
            }
            let asked = names.into_iter().take(most);
            std::iter::once(String::new()).chain(asked).collect()
        };
        let all = Self {
            networks: listed("network", both.iter().flat_map(|m| m.networks()).collect(), NETWORKS),
            scopes: listed("scope", scopes, SCOPES),
            callers: std::iter::once(String::new()).chain(callers.into_iter().take(CALLERS)).collect(),
        };
        all.bounded(sampled)
    }

    /// Every question is asked under each of them.
    fn bounded(mut self, sampled: &mut Vec<String>) -> Self {
        let count = |of: &Self| of.networks.len() * of.scopes.len() * of.callers.len();
        let whole = count(&self);
        while count(&self) > MOST {
            let lists = [&mut self.networks, &mut self.scopes, &mut self.callers];
            lists.into_iter().max_by_key(|list| list.len()).map(Vec::pop);
        }
        if count(&self) < whole {
            sampled.push(format!(
                "of {whole} combinations of networks, scopes and workloads that call, {} were asked about",
                count(&self)
            ));
        }
        self
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Circumstance<'_>> {
        let by = |network, scope| self.callers.iter().map(move |caller| Circumstance { network, scope, caller });
        let with = move |network| self.scopes.iter().flat_map(move |scope| by(network, scope.as_str()));
        self.networks.iter().flat_map(move |network| with(network.as_str()))
    }

    /// The name, where several were asked about.
    pub(super) fn named(all: &[String], name: &str) -> Option<String> {
        (all.len() > 1).then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_lists_are_shortened_until_few_combinations_are_left() {
        let names = |n: usize| (0..n).map(|n| n.to_string()).collect();
        let of = |networks, scopes, callers| {
            let mut sampled = Vec::new();
            let all = Circumstances { networks: names(networks), scopes: names(scopes), callers: names(callers) };
            let all = all.bounded(&mut sampled);
            let lens = [all.networks.len(), all.scopes.len(), all.callers.len()];
            assert_eq!(all.all().count(), lens.iter().product::<usize>());
            (lens, sampled.concat())
        };
        assert_eq!(of(1, 1, 33), ([1, 1, 33], String::new()));
        assert_eq!(of(65, 5, 3), ([65, 5, 3], String::new()));
        let (lens, told) = of(65, 33, 33);
        assert_eq!((lens, lens.iter().product::<usize>()), ([10, 10, 10], 1000));
        assert_eq!(told, "of 70785 combinations of networks, scopes and workloads that call, 1000 were asked about");
        assert_eq!(of(65, 33, 1).0, [32, 32, 1], "none is left out but of the longest");
    }
}
