//! Finds requests that take every branch of one policy.
//!
//! Walks the steps like the evaluator, and chooses a fact when a step asks for it. A way is left as
//! soon as nothing new lies behind it, or where it was gone before with the same choices; what was
//! not found when all choices are made cannot be found.

use std::collections::HashSet;

use partywall_authorization::{Node, PolicyBody, ProgramBody, Target};
use partywall_tenancy::Service;

use super::domain::{Case, Domain, Fact};

/// Steps after which the search for one policy gives up.
const BUDGET: usize = 200_000;

/// What the search for one policy found.
pub(super) struct Search {
    /// Requests that together take every branch that can be taken.
    pub(super) cases: Vec<Case>,
    /// How many branches they take.
    pub(super) taken: usize,
    /// Branches that no request takes: node and outcome.
    pub(super) impossible: Vec<(usize, bool)>,
    /// Some branches were neither taken nor proved impossible.
    pub(super) gave_up: bool,
}

/// Searches for the policy at `at`.
pub(super) fn search(services: &[Service], program: &ProgramBody, at: usize) -> Search {
    let policy = &program.policies[at];
    let domain = Domain::of(services, program, at);
    let mut walk = Walk {
        policy,
        open: policy.nodes.iter().map(|_| [true, true]).collect(),
        behind: behind(policy, &domain),
        gone: HashSet::new(),
        cases: Vec::new(),
        budget: BUDGET,
        assignment: vec![None; domain.facts()],
        domain,
    };
    // A policy that applies to no action is never evaluated, so nothing has to be compared.
    if walk.domain.choices(Fact::Action) > 0 {
        walk.go(policy.entry);
    }
    let left = walk.open.iter().enumerate().flat_map(|(node, open)| {
        [(node, false, open[0]), (node, true, open[1])].into_iter().filter(|(.., open)| *open).map(|(n, o, _)| (n, o))
    });
    let left: Vec<_> = left.collect();
    let gave_up = walk.budget == 0 && !left.is_empty();
    Search {
        taken: 2 * policy.nodes.len() - left.len(),
        cases: walk.cases,
        impossible: if gave_up { Vec::new() } else { left },
        gave_up,
    }
}

struct Walk<'p> {
    policy: &'p PolicyBody,
    domain: Domain,
    assignment: Vec<Option<usize>>,
    /// For each node whether its `false` and its `true` branch still wait for a request.
    open: Vec<[bool; 2]>,
    behind: Vec<Behind>,
    /// Nodes that were visited, each with the choices that matter from there on.
    gone: HashSet<(usize, Vec<Option<usize>>)>,
    cases: Vec<Case>,
    budget: usize,
}

/// What lies behind a node, the node included.
#[derive(Clone, Default)]
struct Behind {
    nodes: Vec<usize>,
    /// Slots of the facts that are asked for.
    slots: Vec<usize>,
}

fn behind(policy: &PolicyBody, domain: &Domain) -> Vec<Behind> {
    let mut behind: Vec<Behind> = vec![Behind::default(); policy.nodes.len()];
    for (at, node) in policy.nodes.iter().enumerate().rev() {
        let mut here = Behind { nodes: vec![at], slots: domain.asked(&node.test).iter().map(|f| f.slot()).collect() };
        for next in [node.on_true, node.on_false].into_iter().filter_map(index) {
            here.nodes.extend(&behind[next].nodes);
            here.slots.extend(&behind[next].slots);
        }
        for list in [&mut here.nodes, &mut here.slots] {
            list.sort_unstable();
            list.dedup();
        }
        behind[at] = here;
    }
    behind
}

fn index(target: Target) -> Option<usize> {
    match target {
        Target::Node(at) => usize::try_from(at).ok(),
        Target::Satisfied | Target::NotSatisfied => None,
    }
}

impl<'p> Walk<'p> {
    fn go(&mut self, target: Target) {
        let Some(at) = index(target) else { return self.record() };
        if self.budget == 0 {
            return;
        }
        self.budget -= 1;
        let choices = self.behind[at].slots.iter().map(|slot| self.assignment[*slot]).collect();
        // What lies behind is known, yet the way that led here may be new.
        if !self.waits_behind(at) || !self.gone.insert((at, choices)) {
            return self.record();
        }
        let node = &self.policy.nodes[at];
        self.choose(at, node);
    }

    fn choose(&mut self, at: usize, node: &'p Node) {
        let Some(fact) = self.domain.next(&node.test, &self.assignment) else {
            let case = self.domain.case(&self.assignment);
            match node.test.holds(&case.facts()) {
                Some(true) => self.go(node.on_true),
                Some(false) => self.go(node.on_false),
                None => self.record(),
            }
            return;
        };
        for choice in 0..self.domain.choices(fact) {
            if !self.domain.fits(fact, choice, &self.assignment) {
                continue;
            }
            self.assignment[fact.slot()] = Some(choice);
            self.choose(at, node);
            if !self.waits_behind(at) || self.budget == 0 {
                break;
            }
        }
        self.assignment[fact.slot()] = None;
    }

    /// Evaluates the request that was chosen, and keeps it if it takes a branch that none took before.
    fn record(&mut self) {
        let case = self.domain.case(&self.assignment);
        let mut new = self.cases.is_empty();
        let open = &mut self.open;
        self.policy.trace(&case.facts(), |node, holds| {
            let branch = usize::try_from(node).ok().and_then(|node| open.get_mut(node));
            new |= branch.is_some_and(|b| std::mem::take(&mut b[usize::from(holds)]));
        });
        if new {
            self.cases.push(case);
        }
    }

    /// Whether a branch of this node, or of one that can follow it, still waits for a request.
    fn waits_behind(&self, at: usize) -> bool {
        self.behind[at].nodes.iter().any(|node| self.open[*node] != [false, false])
    }
}
