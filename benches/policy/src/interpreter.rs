//! Cedar's own authorizer. Requests and entities are put together before, which counts in its favour.

use std::hint::black_box;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicyId, PolicySet, Request};

use crate::Answer;
use crate::material::{Case, Material};

/// What decides, ready.
pub(crate) struct Judge {
    policies: PolicySet,
    authorizer: Authorizer,
    cases: Vec<(Request, Entities)>,
}

impl Judge {
    pub(crate) fn new(material: Material) -> Result<Self, String> {
        let read: PolicySet = material.policies.parse().map_err(|e: cedar_policy::ParseErrors| e.to_string())?;
        let named = read.policies().map(|policy| {
            let id = policy.annotation("id").ok_or("a policy has no id")?;
            Ok(policy.new_id(PolicyId::new(id)))
        });
        let policies = PolicySet::from_policies(named.collect::<Result<Vec<_>, String>>()?);
        let cases = material.cases.into_iter().map(case).collect::<Result<_, _>>()?;
        Ok(Self { policies: policies.map_err(|e| e.to_string())?, authorizer: Authorizer::new(), cases })
    }

    pub(crate) fn cases(&self) -> usize {
        self.cases.len()
    }

    /// `interpreter`: from request and entities to the decision.
    pub(crate) fn knows(&self, what: &str) -> bool {
        what == "interpreter"
    }

    pub(crate) fn decide(&self, _: &str, count: usize) -> usize {
        let asked = self.cases.iter().cycle().take(count);
        let allowed = asked.filter(|(request, entities)| {
            let response = self.authorizer.is_authorized(black_box(request), &self.policies, entities);
            response.decision() == Decision::Allow
        });
        allowed.count()
    }

    pub(crate) fn answer(&self, at: usize) -> Result<Answer, String> {
        let (request, entities) = &self.cases[at];
        let response = self.authorizer.is_authorized(request, &self.policies, entities);
        let mut determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        determining.sort();
        let errors = response.diagnostics().errors().count();
        Ok(Answer { allowed: response.decision() == Decision::Allow, determining, errors })
    }
}

fn case(case: Case) -> Result<(Request, Entities), String> {
    let uid = |text: &String| text.parse::<EntityUid>().map_err(|e| e.to_string());
    let [principal, action, resource] = &case.request;
    let context = Context::from_json_value(case.context, None).map_err(|e| e.to_string())?;
    let request = Request::new(uid(principal)?, uid(action)?, uid(resource)?, context, None);
    let entities = Entities::from_json_value(case.entities, None).map_err(|e| e.to_string())?;
    Ok((request.map_err(|e| e.to_string())?, entities))
}
