//! Any Cedar policies, requests and entities, whatever their schema: through the program, and through Cedar itself.

use cedar_policy::{Authorizer, Entities, EntityUid, PolicySet, Request};
use cedar_policy_core::ast::{self, EntityUID};
use partywall_authorization::{Program, ProgramBody};

use super::oracle::Ruling;
use super::{policies, store::Store};

/// Policies, lowered.
#[derive(Debug)]
pub struct Compiled(Program);

impl Compiled {
    /// Lowers `set`, templates with their links, for these actions. Which actions are in which is told by `entities`.
    ///
    /// An error lists the policies that cannot be lowered, each with the reason.
    pub fn new(set: &PolicySet, actions: &[EntityUid], entities: &Entities) -> Result<Self, Vec<String>> {
        let body = Self::body(set, actions, entities)?;
        Program::new(body).map(Self).map_err(|e| vec![e.to_string()])
    }

    fn body(set: &PolicySet, actions: &[EntityUid], entities: &Entities) -> Result<ProgramBody, Vec<String>> {
        let set: &ast::PolicySet = set.as_ref();
        // Their order is that of a hash map; sorted, the same policies make the same program.
        let mut all: Vec<&ast::Policy> = set.policies().collect();
        all.sort_by_key(|policy| policy.id().to_string());
        let mut actions: Vec<EntityUID> = actions.iter().map(|uid| uid.as_ref().clone()).collect();
        actions.sort();
        actions.dedup();
        let entities: &cedar_policy_core::entities::Entities = entities.as_ref();
        let is_in = |action: &EntityUID, group: &EntityUID| match entities.entity(action) {
            cedar_policy_core::entities::Dereference::Data(entity) => entity.is_descendant_of(group),
            _ => false,
        };
        let lowered = policies::lower(all.iter().map(|policy| (*policy, None)), &actions, is_in);
        lowered.map(|(body, _)| body).map_err(|failures| {
            let name = |at: usize| all.get(at).map_or_else(String::new, |policy| policy.id().to_string());
            failures.into_iter().map(|(at, failed)| format!("policy `{}`: {}", name(at), failed.message)).collect()
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.0
    }

    /// What the program says. The request's action must be among those it was compiled for.
    pub fn ask(&self, request: &Request, entities: &Entities) -> Result<Ruling, String> {
        let store = Store::new(&self.0, request.as_ref(), entities.as_ref())?;
        let action = self.0.action(store.action()).ok_or("the program was not compiled for this action")?;
        let answer = self.0.answer(action, &store);
        let decided = {
            let (outcome, _) = self.0.decide(action, &store, &partywall_authorization::Scratch::default());
            matches!(outcome, partywall_authorization::Outcome::Permitted(_))
        };
        // INVARIANT: the way that requests are decided and the one that explains them say the same.
        if decided != answer.allowed {
            return Err(format!("`decide` allows: {decided}, `answer` allows: {}", answer.allowed));
        }
        Ok(answer.into())
    }
}

/// What Cedar's own authorizer says.
pub fn oracle(set: &PolicySet, request: &Request, entities: &Entities) -> Ruling {
    Ruling::of(&Authorizer::new().is_authorized(request, set, entities))
}
