//! What rules of fields said of the places of leaves: the same few stand in every record, and what is said of one depends on
//! nothing but the set of rules, its path, what it is of and which part it is.

use crate::carriers::{Part, Place};
use crate::fields::{Chosen, Decision, Sets};

/// How many are remembered; what falls on a taken one replaces what was there.
const PLACES: usize = 256;
/// The longest path that is remembered, in bytes.
const LONGEST: usize = 96;

/// What was said last, by one redactor's rules and no others.
#[derive(Debug, Default)]
pub(super) struct Decided {
    places: Vec<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    /// The set, by its number.
    set: usize,
    /// What the place is of, and whether it is a name.
    of: (u32, bool),
    path: Box<[u8]>,
    decision: Decision,
}

impl Decided {
    /// What `sets` say of a place by the set that is chosen.
    pub(super) fn decide(&mut self, sets: &Sets, chosen: Chosen, place: &Place<'_>) -> Decision {
        // Without a set paths are not read.
        let Chosen::Set(set) = chosen else { return sets.decide(chosen, place) };
        if place.path.len() > LONGEST {
            return sets.decide(chosen, place);
        }
        let of = (place.slot as u32, place.part == Part::Key);
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        let hash = crate::hash::of(place.path) as usize ^ of.0 as usize ^ usize::from(of.1);
        let Some(known) = self.places.get_mut(hash % PLACES) else { return sets.decide(chosen, place) };
        if let Some(known) = known
            && (known.set, known.of) == (set, of)
            && *known.path == *place.path
        {
            return known.decision;
        }
        let decision = sets.decide(chosen, place);
        *known = Some(Known { set, of, path: place.path.into(), decision });
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carriers::Slot;
    use crate::fields::{FieldAction, FieldRule, FieldSet, Unlisted};
    use crate::tenants::Listed;

    #[test]
    fn what_is_remembered_is_what_the_rules_say() {
        let rule = |path: &str, slots: &[&str], action| FieldRule {
            path: path.to_owned(),
            slots: slots.iter().map(|slot| (*slot).to_owned()).collect(),
            action,
        };
        let set = |services: &[&str], unlisted, rules| FieldSet {
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            unlisted,
            rules,
            ..FieldSet::default()
        };
        let sets = [
            set(&["a"], Unlisted::Mask, vec![rule("*.a", &["body"], FieldAction::Keep)]),
            set(
                &[],
                Unlisted::Scan,
                vec![
                    rule("**.a", &["attribute"], FieldAction::Drop),
                    rule("b.**", &[], FieldAction::Mask),
                    rule("**.c", &["body"], FieldAction::DropRecord),
                ],
            ),
        ];
        let sets = Sets::new(&sets, &Listed::default()).unwrap();
        let chosen = [Chosen::Set(0), Chosen::Set(1), Chosen::Open, Chosen::Closed, Chosen::Set(7)];
        let (mut decided, mut kinds, mut random) = (Decided::default(), Vec::new(), 3_u64);
        let mut below = |end: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % end
        };
        for round in 0..100_000 {
            let deep = 1 + below(3);
            let names: Vec<String> = (0..deep)
                .map(|_| match below(5) {
                    4 => format!("x{}", below(200)),
                    nth => ["a", "b", "c", "A"][nth].to_owned(),
                })
                .collect();
            // Most of what comes has come before, and some is too long to be remembered.
            let path = if round % 100 == 0 { ["b.", &"long".repeat(40), ".a"].concat() } else { names.join(".") };
            let place = Place {
                slot: [Slot::Attribute, Slot::Body, Slot::Label][below(3)],
                part: [Part::Key, Part::Text, Part::Number][below(3)],
                key: b"",
                path: path.as_bytes(),
            };
            let chosen = chosen[below(chosen.len())];
            let plain = sets.decide(chosen, &place);
            assert_eq!(decided.decide(&sets, chosen, &place), plain, "{chosen:?} {path}");
            if !kinds.contains(&plain) {
                kinds.push(plain);
            }
        }
        assert_eq!(kinds.len(), 5, "{kinds:?}");
    }
}
