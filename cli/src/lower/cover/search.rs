//! Finds requests that take every branch of one policy.
//!
//! The way to a branch is a list of conditions and their outcomes. What `&&` and `||` put together is taken apart into
//! the ways in which it comes out so. Conditions that share no piece of a request do not hinder each other, so a list
//! falls into groups, and for each group by itself the pieces are chosen one after the other. A request that satisfies
//! every group takes the branch; where each way has a group that cannot be satisfied, none does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy_core::ast;
use partywall_authorization::{Expression, Names, Program, RequestWorld};
use partywall_tenancy::Service;

use super::domain::{Case, Domain, OWNER, TENANT};
use super::nodes::{self, Asked};
use super::pieces::{self, Whose};

/// So many choices are tried for one group.
const BUDGET: usize = 50_000;
/// So many ways are tried for one branch.
const WAYS: usize = 2_000;
/// So many further requests are compared for each policy, whatever its program looks like: a program that lost a
/// branch does not lead to it.
const FURTHER: usize = 24;

/// What the search for one policy found.
pub(super) struct Search {
    /// Requests that together take every branch that was taken.
    pub(super) cases: Vec<Case>,
    /// How many branches there are.
    pub(super) branches: usize,
    /// Branches that no request takes: node and outcome.
    pub(super) impossible: Vec<(Expression, bool)>,
    /// Branches of which it is not known.
    pub(super) unknown: usize,
}

/// Searches for the policy at `at`.
pub(super) fn search(
    services: &[Service],
    written: &ast::Policy,
    program: &Program,
    names: &Names,
    at: usize,
) -> Search {
    let domain = Domain::of(services, written, program.body(), at);
    let asked = nodes::asked(program.body(), &program.body().policies[at]);
    let mut walk =
        Walk { program, names, at, choices: domain.choices(), domain, pieces: BTreeMap::new(), known: HashMap::new() };
    let mut search = Search { cases: Vec::new(), branches: 2 * asked.len(), impossible: Vec::new(), unknown: 0 };
    // A policy that applies to no action is never evaluated, so nothing has to be compared.
    if walk.choices.contains(&0) {
        search.impossible = asked.iter().flat_map(|asked| [(asked.node, false), (asked.node, true)]).collect();
        return search;
    }
    let mut open: BTreeSet<(Expression, bool)> =
        asked.iter().flat_map(|asked| [(asked.node, false), (asked.node, true)]).collect();
    search.cases.push(walk.take(&vec![0; walk.choices.len()], &mut open));
    for Asked { node, way } in &asked {
        for outcome in [true, false] {
            if !open.contains(&(*node, outcome)) {
                continue;
            }
            match walk.satisfy(way.iter().copied().chain([(*node, outcome)]).collect(), Vec::new(), &mut 0) {
                Found::Choices(chosen) => search.cases.push(walk.take(&chosen, &mut open)),
                Found::Nothing => {
                    open.remove(&(*node, outcome));
                    search.impossible.push((*node, outcome));
                }
                Found::TooMany => {}
            }
        }
    }
    search.unknown = open.len();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..FURTHER {
        let mut chosen: Vec<usize> = walk.choices.iter().map(|choices| random.below(*choices)).collect();
        // Of many roles a principal has some.
        let roles = walk.domain.roles();
        for role in roles.clone() {
            chosen[role] = usize::from(random.below((roles.len() / 8).max(2)) == 0);
        }
        search.cases.push(walk.domain.case(&chosen));
    }
    search
}

/// A node and the outcome that is wanted of it.
type Condition = (Expression, bool);

#[derive(Clone)]
enum Found {
    Choices(Vec<usize>),
    Nothing,
    TooMany,
}

struct Walk<'a> {
    program: &'a Program,
    names: &'a Names,
    at: usize,
    domain: Domain,
    choices: Vec<usize>,
    /// For each condition the pieces it depends on.
    pieces: BTreeMap<Expression, BTreeSet<usize>>,
    /// What became of each group that was tried.
    known: HashMap<Vec<Condition>, Found>,
}

/// Conditions with the pieces that they share.
struct Group {
    conditions: Vec<Condition>,
    pieces: BTreeSet<usize>,
}

impl Walk<'_> {
    /// The request of these choices, whose branches are open no more.
    fn take(&self, chosen: &[usize], open: &mut BTreeSet<(Expression, bool)>) -> Case {
        let case = self.domain.case(chosen);
        let taken = std::cell::RefCell::new(Vec::new());
        if let Some(world) = RequestWorld::new(&case.facts(), self.names) {
            let policy = &self.program.body().policies[self.at];
            self.program.evaluate(policy, &world, &|node, outcome| taken.borrow_mut().push((node, outcome)));
        }
        for branch in taken.into_inner() {
            open.remove(&branch);
        }
        case
    }

    /// Takes `open` apart, one after the other, until `parts` holds conditions that are asked as they are.
    fn satisfy(&mut self, mut open: Vec<Condition>, mut parts: Vec<Condition>, tried: &mut usize) -> Found {
        while let Some(condition) = open.pop() {
            match nodes::ways(self.program.body(), condition) {
                nodes::Ways::Asked => {
                    if parts.contains(&(condition.0, !condition.1)) {
                        return Found::Nothing;
                    }
                    parts.push(condition);
                }
                nodes::Ways::Settled(true) => {}
                nodes::Ways::Settled(false) => return Found::Nothing,
                nodes::Ways::AllOf(conditions) => open.extend(conditions),
                nodes::Ways::OneOf(ways) => {
                    // What is already contradictory does not become less so.
                    if matches!(self.satisfy_parts(parts.clone()), Found::Nothing) {
                        return Found::Nothing;
                    }
                    let mut found = Found::Nothing;
                    for way in ways {
                        match self.satisfy([open.clone(), way].concat(), parts.clone(), tried) {
                            Found::Choices(chosen) => return Found::Choices(chosen),
                            Found::TooMany => found = Found::TooMany,
                            Found::Nothing => {}
                        }
                    }
                    return found;
                }
            }
        }
        *tried += 1;
        if *tried > WAYS { Found::TooMany } else { self.satisfy_parts(parts) }
    }

    fn satisfy_parts(&mut self, conditions: Vec<Condition>) -> Found {
        let mut chosen = vec![0; self.choices.len()];
        for group in self.groups(conditions) {
            let mut conditions = group.conditions.clone();
            conditions.sort_unstable();
            conditions.dedup();
            let found = match self.known.get(&conditions) {
                Some(found) => found.clone(),
                None => {
                    let found = self.satisfy_group(&group);
                    self.known.insert(conditions, found.clone());
                    found
                }
            };
            match found {
                Found::Choices(found) => group.pieces.iter().for_each(|piece| chosen[*piece] = found[*piece]),
                other => return other,
            }
        }
        Found::Choices(chosen)
    }

    fn groups(&mut self, conditions: Vec<Condition>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for condition in conditions {
            let (program, at) = (self.program.body(), self.at);
            let domain = &self.domain;
            let found = self.pieces.entry(condition.0);
            let pieces = found
                .or_insert_with(|| pieces::of(domain, program, &program.policies[at], condition.0, Whose::Anybodys))
                .clone();
            let mut joined = Group { conditions: vec![condition], pieces };
            groups.retain_mut(|group| {
                let apart = group.pieces.is_disjoint(&joined.pieces);
                if !apart {
                    joined.conditions.append(&mut group.conditions);
                    joined.pieces.append(&mut group.pieces);
                }
                apart
            });
            groups.push(joined);
        }
        groups
    }

    /// Where it makes a difference, asks about the principal's own resources first, and then about those of others.
    fn satisfy_group(&self, group: &Group) -> Found {
        let all: &[Whose] =
            if group.pieces.contains(&OWNER) { &[Whose::Own, Whose::Others] } else { &[Whose::Anybodys] };
        let mut found = Found::Nothing;
        for whose in all {
            match self.satisfy_for(group, *whose) {
                Found::Choices(chosen) => return Found::Choices(chosen),
                Found::TooMany => found = Found::TooMany,
                Found::Nothing => {}
            }
        }
        found
    }

    /// The same, where the resource is `whose`. Then conditions share fewer pieces, and fall apart once more.
    fn satisfy_for(&self, group: &Group, whose: Whose) -> Found {
        let mut parts: Vec<Vec<Asks>> = Vec::new();
        for condition in &group.conditions {
            let pieces = self.pieces_for(condition.0, whose);
            let mut joined = vec![Asks { condition: *condition, pieces }];
            parts.retain_mut(|part| {
                let shares = |asks: &Asks| joined.iter().any(|other| !asks.pieces.is_disjoint(&other.pieces));
                let apart = !part.iter().any(shares);
                if !apart {
                    joined.append(part);
                }
                apart
            });
            parts.push(joined);
        }
        let mut first = vec![0; self.choices.len()];
        if whose == Whose::Others {
            // The second tenant, where the principal is of the first.
            first[OWNER] = 2;
        }
        let (mut all, mut too_many) = (first.clone(), false);
        for part in parts {
            match self.satisfy_part(&part, whose, first.clone()) {
                Found::Choices(found) => {
                    part.iter().flat_map(|asks| &asks.pieces).for_each(|piece| all[*piece] = found[*piece]);
                }
                // Whatever became of the others.
                Found::Nothing => return Found::Nothing,
                Found::TooMany => too_many = true,
            }
        }
        if too_many { Found::TooMany } else { Found::Choices(all) }
    }

    fn pieces_for(&self, node: Expression, whose: Whose) -> BTreeSet<usize> {
        let program = self.program.body();
        let mut pieces = pieces::of(&self.domain, program, &program.policies[self.at], node, whose);
        match whose {
            Whose::Anybodys => {}
            Whose::Own => {
                pieces.remove(&OWNER);
            }
            // One of them alone would make them the same.
            Whose::Others if pieces.contains(&TENANT) || pieces.contains(&OWNER) => pieces.extend([TENANT, OWNER]),
            Whose::Others => {}
        }
        pieces
    }

    /// Chooses piece after piece, and goes on only while every condition that they settle holds.
    fn satisfy_part(&self, part: &[Asks], whose: Whose, first: Vec<usize>) -> Found {
        // The pieces of the conditions that ask for few come first, so that what cannot hold is seen early.
        let mut asks: Vec<&BTreeSet<usize>> = part.iter().map(|asks| &asks.pieces).collect();
        asks.sort_by_key(|asks| asks.len());
        let mut pieces: Vec<usize> = Vec::new();
        for piece in asks.into_iter().flatten() {
            if !pieces.contains(piece) {
                pieces.push(*piece);
            }
        }
        // For each number of chosen pieces the conditions that are settled with the last of them.
        let mut settled: Vec<Vec<Condition>> = vec![Vec::new(); pieces.len() + 1];
        for asks in part {
            let last = pieces.iter().rposition(|piece| asks.pieces.contains(piece));
            settled[last.map_or(0, |at| at + 1)].push(asks.condition);
        }
        // What asks for a large set is seldom met by going through all of its parts.
        let mut full = first.clone();
        self.domain.elements().for_each(|piece| full[piece] = self.choices[piece] - 1);
        let conditions: Vec<Condition> = part.iter().map(|asks| asks.condition).collect();
        if self.hold(&conditions, &full) {
            return Found::Choices(full);
        }
        let mut choice = Choice { pieces: &pieces, settled: &settled, whose, chosen: first, left: BUDGET };
        match self.choose(&mut choice, 0) {
            Some(true) => Found::Choices(choice.chosen),
            Some(false) => Found::Nothing,
            None => Found::TooMany,
        }
    }

    /// Whether the pieces from the nth on can be chosen so that everything holds; `None` when that takes too long.
    fn choose(&self, choice: &mut Choice<'_>, nth: usize) -> Option<bool> {
        choice.left = choice.left.checked_sub(1)?;
        if !self.hold(&choice.settled[nth], &choice.chosen) {
            return Some(false);
        }
        let Some(piece) = choice.pieces.get(nth) else { return Some(true) };
        let before = choice.chosen[*piece];
        for chosen in 0..self.choices[*piece] {
            choice.chosen[*piece] = chosen;
            if choice.fits(*piece) && self.choose(choice, nth + 1)? {
                return Some(true);
            }
        }
        choice.chosen[*piece] = before;
        Some(false)
    }

    fn hold(&self, conditions: &[Condition], chosen: &[usize]) -> bool {
        if conditions.is_empty() {
            return true;
        }
        let case = self.domain.case(chosen);
        let facts = case.facts();
        let policy = &self.program.body().policies[self.at];
        RequestWorld::new(&facts, self.names).is_some_and(|world| {
            conditions.iter().all(|(node, wanted)| self.program.holds(policy, *node, &world) == Some(*wanted))
        })
    }
}

/// The choices for one group, on their way.
struct Choice<'a> {
    pieces: &'a [usize],
    settled: &'a [Vec<Condition>],
    whose: Whose,
    chosen: Vec<usize>,
    /// How many more are tried.
    left: usize,
}

impl Choice<'_> {
    /// Whether the resource is still whose it should be. `TENANT` is chosen before `OWNER`.
    fn fits(&self, piece: usize) -> bool {
        let own = || self.chosen[OWNER].checked_sub(1).is_none_or(|owner| owner == self.chosen[TENANT]);
        piece != OWNER || self.whose != Whose::Others || !own()
    }
}

/// A condition and the pieces it depends on.
struct Asks {
    condition: Condition,
    pieces: BTreeSet<usize>,
}

/// xorshift64* (Vigna, An experimental exploration of Marsaglia's xorshift generators, 2016): the same requests each
/// time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % n.max(1)
    }
}
