//! The decision program: Cedar policies, lowered to expressions that refer to earlier ones only.

mod body;
mod check;
mod evaluate;
mod functions;
mod index;
mod lists;
mod reading;

pub use body::{
    ActionBody, Binary, Effect, Expression, Function, List, NameList, Node, PolicyBody, ProgramBody, Scope, Unary,
};
pub use check::ProgramError;
pub use evaluate::{PRINCIPAL_SCOPE, RESOURCE_SCOPE, Scratch, Verdict};
pub use reading::Reading;

use crate::{Entity, Text, Value, World};
use evaluate::{Asked, Evaluation};
use index::Index;

/// A checked program: every number means something, and every evaluation ends.
#[derive(Clone, Debug)]
pub struct Program {
    body: ProgramBody,
    /// For each action what can apply to it.
    index: Vec<Index>,
    /// For each policy what is asked of a request, without what is only told.
    asked: Vec<Asked>,
}

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
    /// Comparing the values of this request takes too long, so it is denied.
    TooMuch,
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
    /// Reads and checks a program, all of it at once; [`Reading`] does it in parts.
    pub fn read(bytes: &[u8]) -> Result<Self, ProgramError> {
        Reading::default().whole(bytes)
    }

    /// Checks a program.
    pub fn new(body: ProgramBody) -> Result<Self, ProgramError> {
        Reading::of(body).whole(&[])
    }

    /// What it says.
    pub fn body(&self) -> &ProgramBody {
        &self.body
    }

    /// The action that is this entity.
    pub fn action(&self, action: Entity) -> Option<ActionIndex> {
        self.body.actions.binary_search_by(|a| a.action.cmp(&action)).ok().map(ActionIndex)
    }

    /// The number of a text that policies name.
    pub fn find_text(&self, text: &str) -> Option<Text> {
        let at = self.body.texts.binary_search_by(|t| t.as_str().cmp(text)).ok()?;
        u32::try_from(at).ok().map(Text)
    }

    /// The number of an entity that policies name.
    pub fn find_entity(&self, kind: &str, id: &str) -> Option<Entity> {
        let wanted = (self.find_text(kind)?, self.find_text(id)?);
        u32::try_from(self.body.entities.binary_search(&wanted).ok()?).ok().map(Entity)
    }

    /// The policies that can apply to `action`, in the order of the program.
    pub fn applicable(&self, action: ActionIndex) -> impl Iterator<Item = &PolicyBody> {
        let positions = self.body.actions.get(action.0).map_or(&[][..], |a| &a.policies);
        positions.iter().filter_map(|at| self.policy(*at))
    }

    /// Decides, stopping at the first policy that settles it. Also says how many policies could not
    /// be evaluated on the way; for an allowed request that covers every applicable `forbid`.
    ///
    /// Allocates nothing once `scratch` has grown to what the policies put together.
    pub fn decide(&self, action: ActionIndex, world: &impl World, scratch: &Scratch) -> (Outcome<'_>, u32) {
        let evaluation = Evaluation::new(self, world, scratch);
        let Some(index) = self.index.get(action.0) else { return (Outcome::NotPermitted, 0) };
        let mut errors = 0;
        for effect in Effect::BOTH {
            let mut settled = None;
            index.each(effect, world, |at| {
                let Some(asked) = usize::try_from(at).ok().and_then(|at| self.asked.get(at)) else { return false };
                match evaluation.verdict(asked) {
                    Verdict::Satisfied => settled = self.policy(at),
                    Verdict::NotSatisfied => {}
                    Verdict::Error => errors += 1,
                }
                settled.is_some()
            });
            // INVARIANT: a `forbid` that was not asked to its end is none that does not forbid.
            if evaluation.exhausted() {
                return (Outcome::TooMuch, errors);
            }
            match (settled, effect) {
                (Some(policy), Effect::Forbid) => return (Outcome::Forbidden(policy), errors),
                (Some(policy), Effect::Permit) => return (Outcome::Permitted(policy), errors),
                (None, _) => {}
            }
        }
        (Outcome::NotPermitted, errors)
    }

    /// Evaluates every policy that can apply. Allocates; requests are decided by [`Program::decide`].
    pub fn answer(&self, action: ActionIndex, world: &impl World) -> Answer<'_> {
        let scratch = Scratch::default();
        let evaluation = Evaluation::new(self, world, &scratch);
        let (mut forbids, mut permits, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for policy in self.applicable(action) {
            match (evaluation.verdict(&Asked::of(policy)), policy.effect) {
                (Verdict::Satisfied, Effect::Forbid) => forbids.push(policy),
                (Verdict::Satisfied, Effect::Permit) => permits.push(policy),
                (Verdict::NotSatisfied, _) => {}
                (Verdict::Error, _) => errors.push(policy),
            }
        }
        let allowed = forbids.is_empty() && !permits.is_empty() && !evaluation.exhausted();
        let determining = if forbids.is_empty() { permits } else { forbids };
        Answer { allowed, determining, errors }
    }

    /// What one policy says; `observe` sees each condition that was asked, by its node, and its answer.
    /// The caller has checked that the policy applies to the action.
    pub fn evaluate(&self, policy: &PolicyBody, world: &impl World, observe: &dyn Fn(Expression, bool)) -> Verdict {
        let scratch = Scratch::default();
        Evaluation::new(self, world, &scratch).observed(observe).verdict(&Asked::of(policy))
    }

    /// Whether one condition of a policy holds by itself, or a scope of it; `None` where it cannot be evaluated.
    pub fn holds(&self, policy: &PolicyBody, at: Expression, world: &impl World) -> Option<bool> {
        let scratch = Scratch::default();
        Evaluation::new(self, world, &scratch).holds(policy, at)
    }

    fn policy(&self, at: u32) -> Option<&PolicyBody> {
        self.body.policies.get(usize::try_from(at).ok()?)
    }

    fn node(&self, at: Expression) -> Option<&Node> {
        self.body.nodes.get(usize::try_from(at).ok()?)
    }

    fn list(&self, list: List) -> &[Expression] {
        let start = usize::try_from(list.start).unwrap_or(usize::MAX);
        let len = usize::try_from(list.len).unwrap_or(usize::MAX);
        self.body.lists.get(start..start.saturating_add(len)).unwrap_or_default()
    }

    fn values(&self) -> &[Value] {
        &self.body.values
    }

    fn pattern(&self, at: u32) -> Option<&[String]> {
        self.body.patterns.get(usize::try_from(at).ok()?).map(Vec::as_slice)
    }

    fn entity(&self, entity: Entity) -> Option<(Text, Text)> {
        self.body.entities.get(usize::try_from(entity.0).ok()?).copied()
    }

    fn text(&self, text: Text) -> Option<&str> {
        self.body.texts.get(usize::try_from(text.0).ok()?).map(String::as_str)
    }
}
