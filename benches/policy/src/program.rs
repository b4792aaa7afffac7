//! The decision program, as a sidecar has it.

use std::hint::black_box;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use partywall_authorization::{
    Across, ActionIndex, Authorization, Call, Decision, Id, Names, Outcome, Program, Query, RequestFacts, RequestWorld,
    Scratch, authorize_across,
};
use partywall_tenancy::{NameSet, ProvedBy, TenantContext};

use crate::Answer;
use crate::material::{Case, Material};

/// What decides, ready.
pub(crate) struct Judge {
    material: Material,
    authorization: Authorization,
    contexts: Vec<TenantContext>,
    /// Of each case, found when operations are read.
    actions: Vec<Option<ActionIndex>>,
    names: Names,
    scratch: Scratch,
}

impl Judge {
    pub(crate) fn new(material: Material) -> Result<Self, String> {
        let bytes = BASE64_STANDARD.decode(&material.program).map_err(|e| e.to_string())?;
        let program = Program::read(&bytes).map_err(|e| e.to_string())?;
        let names = Names::of(&program);
        let action = |case: &Case| program.action(program.find_entity("Action", &case.action)?);
        let actions = material.cases.iter().map(action).collect();
        let authorization = Authorization::from_parts(program, &material.services).map_err(|e| e.to_string())?;
        let contexts = material.cases.iter().map(|case| context(&material, case)).collect();
        Ok(Self { material, authorization, contexts, actions, names, scratch: Scratch::default() })
    }

    pub(crate) fn cases(&self) -> usize {
        self.material.cases.len()
    }

    /// `prepared`: what a request names is looked up before. `facts`: from the texts of a request to the outcome.
    /// `authorize`: the same from method and path, as the filter asks.
    pub(crate) fn knows(&self, way: &str) -> bool {
        matches!(way, "prepared" | "facts" | "authorize")
    }

    pub(crate) fn decide(&self, way: &str, count: usize) -> usize {
        let cases = (0..self.cases()).cycle().take(count).map(black_box);
        match way {
            "authorize" => cases.filter(|at| self.authorized(*at)).count(),
            "facts" => cases.filter(|at| self.permitted(*at)).count(),
            _ => {
                let facts: Vec<RequestFacts<'_>> = (0..self.cases()).map(|at| self.facts(at)).collect();
                let worlds: Vec<_> = facts.iter().map(|facts| RequestWorld::new(facts, &self.names)).collect();
                cases.filter(|at| worlds[*at].as_ref().is_some_and(|world| self.permits(*at, world))).count()
            }
        }
    }

    fn authorized(&self, at: usize) -> bool {
        let decided = authorize_across(&self.authorization, &self.query(at), |_| None);
        matches!(decided, Across::Decided(Decision::Allow { .. }))
    }

    fn permitted(&self, at: usize) -> bool {
        let facts = self.facts(at);
        RequestWorld::new(&facts, &self.names).is_some_and(|world| self.permits(at, &world))
    }

    fn permits(&self, at: usize, world: &RequestWorld<'_>) -> bool {
        let program = self.authorization.program();
        self.actions[at]
            .is_some_and(|action| matches!(program.decide(action, world, &self.scratch).0, Outcome::Permitted(_)))
    }

    pub(crate) fn answer(&self, at: usize) -> Result<Answer, String> {
        let answer = self.authorization.answer(&self.query(at)).ok_or("the program was not asked")?;
        if answer.allowed != self.authorized(at) || answer.allowed != self.permitted(at) {
            return Err(format!("case {at}: the ways to decide differ"));
        }
        let mut determining: Vec<String> = answer.determining.iter().map(|policy| policy.id.clone()).collect();
        determining.sort();
        Ok(Answer { allowed: answer.allowed, determining, errors: answer.errors.len() })
    }

    fn query(&self, at: usize) -> Query<'_> {
        let case = &self.material.cases[at];
        Query {
            context: &self.contexts[at],
            tenant: &self.material.tenants[case.tenant],
            service: &self.material.services[case.service].name,
            call: Call::plain(&case.method, &case.path),
            region: "",
            time: 0,
        }
    }

    fn facts(&self, at: usize) -> RequestFacts<'_> {
        let case = &self.material.cases[at];
        let tenant = &self.material.tenants[case.tenant];
        RequestFacts {
            tenant,
            subject: &case.subject,
            roles: &case.roles,
            action: &case.action,
            resource_type: &case.resource_type,
            resource_id: Id::of_segment(&case.resource_id),
            owner: tenant,
            service: self.material.services[case.service].spiffe_id.as_str(),
            attributes: partywall_tenancy::Attributes::none(),
            time: 0,
            networks: NameSet::none(),
            caller: "",
            scopes: &[],
        }
    }
}

fn context(material: &Material, case: &Case) -> TenantContext {
    let tenant = &material.tenants[case.tenant];
    TenantContext {
        tenant: tenant.id.clone(),
        tier: tenant.tier.to_string(),
        region: tenant.residency.to_string(),
        principal: case.subject.clone(),
        roles: case.roles.clone(),
        scopes: Vec::new(),
        networks: NameSet::default(),
        proved_by: ProvedBy::Jwt,
        token_id: String::new(),
        expires: 0,
        caller: None,
    }
}
