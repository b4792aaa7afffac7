//! The decision program: Cedar policies, lowered to steps that only lead forward.

mod body;
mod check;
mod evaluate;

pub use body::{ActionBody, Effect, Literal, Node, Operand, Path, PolicyBody, ProgramBody, Root, Target, Test};
pub use check::ProgramError;
pub use evaluate::Verdict;

use crate::Facts;

/// A checked program: every index is in range and every evaluation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(ProgramBody);

/// An action of a [`Program`], found once and then used for every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionIndex(usize);

/// What a program decides. Deny is the default and forbid beats permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'p> {
    /// This policy permits, and none forbids.
    Permitted(&'p PolicyBody),
    /// This policy forbids.
    Forbidden(&'p PolicyBody),
    /// No policy permits.
    NotPermitted,
}

/// Everything a program has to say about a request: for tests, proofs and explanations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'p> {
    /// Whether it allows.
    pub allowed: bool,
    /// The policies that made the decision, as Cedar reports them: all satisfied `forbid`s, else all
    /// satisfied `permit`s.
    pub determining: Vec<&'p PolicyBody>,
    /// The policies that could not be evaluated.
    pub errors: Vec<&'p PolicyBody>,
}

impl Program {
    /// Reads and checks a program.
    pub fn read(bytes: &[u8]) -> Result<Self, ProgramError> {
        if bytes.len() > check::MAX_SIZE {
            return Err(ProgramError::TooLarge(bytes.len()));
        }
        let (format, _) = postcard::take_from_bytes::<u16>(bytes).map_err(|_| ProgramError::Garbage)?;
        if format != ProgramBody::FORMAT {
            return Err(ProgramError::Format(format));
        }
        match postcard::take_from_bytes(bytes) {
            Ok((body, [])) => Self::new(body),
            _ => Err(ProgramError::Garbage),
        }
    }

    /// Checks a program.
    pub fn new(body: ProgramBody) -> Result<Self, ProgramError> {
        check::check(&body)?;
        Ok(Self(body))
    }

    /// What it says.
    pub fn body(&self) -> &ProgramBody {
        &self.0
    }

    /// The action called `name`, as `invoices:read`.
    pub fn action(&self, name: &str) -> Option<ActionIndex> {
        self.0.actions.binary_search_by(|a| a.name.as_str().cmp(name)).ok().map(ActionIndex)
    }

    /// The policies that can apply to `action`: every `forbid` first.
    pub fn applicable(&self, action: ActionIndex) -> impl Iterator<Item = &PolicyBody> {
        let indices = self.0.actions.get(action.0).map_or(&[][..], |a| &a.policies);
        indices.iter().filter_map(|at| self.0.policies.get(usize::try_from(*at).ok()?))
    }

    /// Decides, stopping at the first policy that settles it. Also says how many policies could not
    /// be evaluated on the way; for an allowed request that covers every applicable `forbid`.
    pub fn decide(&self, action: ActionIndex, facts: &impl Facts) -> (Outcome<'_>, u32) {
        let mut errors = 0;
        for policy in self.applicable(action) {
            match (policy.evaluate(facts), policy.effect) {
                (Verdict::Satisfied, Effect::Forbid) => return (Outcome::Forbidden(policy), errors),
                (Verdict::Satisfied, Effect::Permit) => return (Outcome::Permitted(policy), errors),
                (Verdict::NotSatisfied, _) => {}
                (Verdict::Error, _) => errors += 1,
            }
        }
        (Outcome::NotPermitted, errors)
    }

    /// Evaluates every applicable policy. Allocates; requests are decided by [`Program::decide`].
    pub fn answer(&self, action: ActionIndex, facts: &impl Facts) -> Answer<'_> {
        let (mut forbids, mut permits, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for policy in self.applicable(action) {
            match (policy.evaluate(facts), policy.effect) {
                (Verdict::Satisfied, Effect::Forbid) => forbids.push(policy),
                (Verdict::Satisfied, Effect::Permit) => permits.push(policy),
                (Verdict::NotSatisfied, _) => {}
                (Verdict::Error, _) => errors.push(policy),
            }
        }
        let allowed = forbids.is_empty() && !permits.is_empty();
        let determining = if forbids.is_empty() { permits } else { forbids };
        Answer { allowed, determining, errors }
    }
}
