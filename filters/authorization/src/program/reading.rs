//! A program on its way from bytes, in parts: a worker must not stand still while 5,000 policies are read.

use serde::de::DeserializeOwned;

use super::body::ProgramBody;
use super::check::{self, MAX_LIST, MAX_POLICIES, Nodes};
use super::evaluate::Asked;
use super::index::Index;
use super::{Program, ProgramError};

/// A program that is being read. Nothing of it counts before all of it was.
#[derive(Debug, Default)]
pub struct Reading {
    /// How much of the bytes was read.
    at: usize,
    /// Items of the list under way that were not read; `None` before its length was.
    left: Option<usize>,
    stage: Stage,
    body: ProgramBody,
    nodes: Nodes,
    index: Vec<Index>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Format,
    Texts,
    Entities,
    Values,
    Patterns,
    Lists,
    Nodes,
    Policies,
    Actions,
    Checked,
    CheckedNodes,
    Indexed,
    Whole,
}

impl Reading {
    /// A program that was read by other means, and not yet checked. It has no bytes.
    pub(super) fn of(body: ProgramBody) -> Self {
        Self { stage: Stage::Checked, body, ..Self::default() }
    }

    /// All of it at once.
    pub(super) fn whole(mut self, bytes: &[u8]) -> Result<Program, ProgramError> {
        while self.step(bytes, usize::MAX)? {}
        self.finish().ok_or(ProgramError::Garbage)
    }

    /// Reads, or checks, about so many things more: texts, expressions, policies. `bytes` are the same each time.
    /// Says whether there is more to do.
    pub fn step(&mut self, bytes: &[u8], budget: usize) -> Result<bool, ProgramError> {
        let mut budget = budget.max(1);
        while budget > 0 && self.stage != Stage::Whole {
            self.one(bytes, &mut budget)?;
        }
        Ok(self.stage != Stage::Whole)
    }

    /// The program, if all of it was read.
    pub fn finish(self) -> Option<Program> {
        let asked = self.body.policies.iter().map(Asked::behind_index).collect();
        (self.stage == Stage::Whole).then_some(Program { body: self.body, index: self.index, asked })
    }

    /// As much of one stage as `budget` allows.
    fn one(&mut self, bytes: &[u8], budget: &mut usize) -> Result<(), ProgramError> {
        let Self { at, left, body, .. } = self;
        let mut list = Items { bytes, at, left, budget };
        let (done, next) = match self.stage {
            Stage::Format => {
                if bytes.len() > check::MAX_SIZE {
                    return Err(ProgramError::TooLarge(bytes.len()));
                }
                body.format = list.item()?;
                if body.format != ProgramBody::FORMAT {
                    return Err(ProgramError::Format(body.format));
                }
                (true, Stage::Texts)
            }
            Stage::Texts => (list.read(&mut body.texts, ("texts", MAX_LIST))?, Stage::Entities),
            Stage::Entities => (list.read(&mut body.entities, ("entities", MAX_LIST))?, Stage::Values),
            Stage::Values => (list.read(&mut body.values, ("values", MAX_LIST))?, Stage::Patterns),
            Stage::Patterns => (list.read(&mut body.patterns, ("patterns", MAX_LIST))?, Stage::Lists),
            Stage::Lists => (list.read(&mut body.lists, ("lists", MAX_LIST))?, Stage::Nodes),
            Stage::Nodes => (list.read(&mut body.nodes, ("nodes", MAX_LIST))?, Stage::Policies),
            Stage::Policies => (list.read(&mut body.policies, ("policies", MAX_POLICIES))?, Stage::Actions),
            Stage::Actions => (list.read(&mut body.actions, ("actions", MAX_POLICIES))?, Stage::Checked),
            Stage::Checked => {
                if *at != bytes.len() {
                    return Err(ProgramError::Garbage);
                }
                check::before_nodes(body)?;
                (true, Stage::CheckedNodes)
            }
            Stage::CheckedNodes => {
                let done = self.nodes.check(body, budget)?;
                if done {
                    check::after_nodes(body, &self.nodes)?;
                }
                (done, Stage::Indexed)
            }
            Stage::Indexed => {
                let action = body.actions.get(self.index.len());
                *budget = budget.saturating_sub(action.map_or(1, |action| action.policies.len().max(1)));
                self.index.extend(action.map(|action| Index::of(action, &body.policies)));
                (self.index.len() >= body.actions.len(), Stage::Whole)
            }
            Stage::Whole => (true, Stage::Whole),
        };
        if done {
            self.stage = next;
        }
        Ok(())
    }
}

/// The list under way.
struct Items<'r> {
    bytes: &'r [u8],
    at: &'r mut usize,
    left: &'r mut Option<usize>,
    budget: &'r mut usize,
}

impl Items<'_> {
    fn item<T: DeserializeOwned>(&mut self) -> Result<T, ProgramError> {
        let rest = self.bytes.get(*self.at..).unwrap_or_default();
        let (item, after) = postcard::take_from_bytes(rest).map_err(|_| ProgramError::Garbage)?;
        *self.at = self.bytes.len().saturating_sub(after.len());
        Ok(item)
    }

    /// Says whether all of them were read.
    fn read<T: DeserializeOwned>(
        &mut self,
        into: &mut Vec<T>,
        (what, most): (&'static str, usize),
    ) -> Result<bool, ProgramError> {
        let mut left = match *self.left {
            Some(left) => left,
            None => usize::try_from(self.item::<u64>()?).map_err(|_| ProgramError::Garbage)?,
        };
        // INVARIANT: memory is given for what is there, whatever length is promised.
        if left > self.bytes.len().saturating_sub(*self.at) {
            return Err(ProgramError::Garbage);
        }
        if left.saturating_add(into.len()) > most {
            return Err(ProgramError::TooMany(what));
        }
        if into.is_empty() {
            into.reserve_exact(left);
        }
        while left > 0 && *self.budget > 0 {
            into.push(self.item()?);
            left -= 1;
            *self.budget -= 1;
        }
        *self.left = Some(left).filter(|left| *left > 0);
        Ok(left == 0)
    }
}
