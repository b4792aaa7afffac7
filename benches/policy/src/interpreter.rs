//! Cedar's own authorizer.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Request,
    RestrictedExpression,
};

use crate::Answer;
use crate::material::{Case, Material};

/// What decides, ready.
pub(crate) struct Judge {
    policies: PolicySet,
    authorizer: Authorizer,
    material: Material,
    prepared: Vec<(Request, Entities)>,
    kinds: Kinds,
}

/// Types of entities, read once.
struct Kinds {
    user: EntityTypeName,
    role: EntityTypeName,
    tenant: EntityTypeName,
    workload: EntityTypeName,
    action: EntityTypeName,
    /// Of the resource of each case.
    resources: Vec<EntityTypeName>,
}

impl Judge {
    pub(crate) fn new(material: Material) -> Result<Self, String> {
        let read: PolicySet = material.policies.parse().map_err(|e: cedar_policy::ParseErrors| e.to_string())?;
        let named = read.policies().map(|policy| {
            let id = policy.annotation("id").ok_or("a policy has no id")?;
            Ok(policy.new_id(PolicyId::new(id)))
        });
        let policies = PolicySet::from_policies(named.collect::<Result<Vec<_>, String>>()?);
        let policies = policies.map_err(|e| e.to_string())?;
        let prepared = material.cases.iter().map(prepare).collect::<Result<_, _>>()?;
        let kind = |name: &str| name.parse::<EntityTypeName>().map_err(|e| e.to_string());
        let kinds = Kinds {
            user: kind("User")?,
            role: kind("Role")?,
            tenant: kind("Tenant")?,
            workload: kind("Workload")?,
            action: kind("Action")?,
            resources: material.cases.iter().map(|case| kind(&case.resource_type)).collect::<Result<_, _>>()?,
        };
        Ok(Self { policies, authorizer: Authorizer::new(), material, prepared, kinds })
    }

    pub(crate) fn cases(&self) -> usize {
        self.prepared.len()
    }

    /// `prepared`: request and entities are put together before. `facts`: from the texts of a request to the decision.
    pub(crate) fn knows(&self, way: &str) -> bool {
        matches!(way, "prepared" | "facts")
    }

    pub(crate) fn decide(&self, way: &str, count: usize) -> usize {
        let cases = (0..self.cases()).cycle().take(count).map(black_box);
        if way == "facts" {
            return cases.filter(|at| self.put_together(*at).is_some_and(|(r, e)| self.allows(&r, &e))).count();
        }
        cases.filter(|at| self.allows(&self.prepared[*at].0, &self.prepared[*at].1)).count()
    }

    fn allows(&self, request: &Request, entities: &Entities) -> bool {
        self.authorizer.is_authorized(request, &self.policies, entities).decision() == Decision::Allow
    }

    pub(crate) fn answer(&self, at: usize) -> Result<Answer, String> {
        let (request, entities) = &self.prepared[at];
        let response = self.authorizer.is_authorized(request, &self.policies, entities);
        let allowed = response.decision() == Decision::Allow;
        let (request, entities) = self.put_together(at).ok_or("no request")?;
        if self.allows(&request, &entities) != allowed {
            return Err(format!("case {at}: the ways to ask differ"));
        }
        let mut determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        determining.sort();
        Ok(Answer { allowed, determining, errors: response.diagnostics().errors().count() })
    }

    /// Request and entities by Cedar's constructors, without any text to be parsed: the least that a service does
    /// for each request.
    fn put_together(&self, at: usize) -> Option<(Request, Entities)> {
        let (case, kinds) = (&self.material.cases[at], &self.kinds);
        let tenant = &self.material.tenants[case.tenant];
        let uid = |kind: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let principal = uid(&kinds.user, &format!("{}/{}", tenant.id, case.subject));
        let resource = uid(&kinds.resources[at], &case.resource_id);
        let owner = uid(&kinds.tenant, tenant.id.as_str());
        let owned = || {
            let owner = RestrictedExpression::new_entity_uid(owner.clone());
            HashMap::from([("tenant".to_owned(), owner)])
        };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let of_tenant =
            HashMap::from([("tier".into(), text(&tenant.tier)), ("residency".into(), text(&tenant.residency))]);
        let roles: HashSet<EntityUid> = case.roles.iter().map(|role| uid(&kinds.role, role)).collect();
        let entities = [
            Entity::new(principal.clone(), owned(), roles).ok()?,
            Entity::new(resource.clone(), owned(), HashSet::new()).ok()?,
            Entity::new(owner.clone(), of_tenant, HashSet::new()).ok()?,
        ];
        let entities = Entities::from_entities(entities, None).ok()?;
        let service = uid(&kinds.workload, self.material.services[case.service].spiffe_id.as_str());
        let service = RestrictedExpression::new_entity_uid(service);
        let context = Context::from_pairs([("service".to_owned(), service)]).ok()?;
        let request = Request::new(principal, uid(&kinds.action, &case.action), resource, context, None).ok()?;
        Some((request, entities))
    }
}

fn prepare(case: &Case) -> Result<(Request, Entities), String> {
    let uid = |text: &String| text.parse::<EntityUid>().map_err(|e| e.to_string());
    let [principal, action, resource] = &case.request;
    let context = Context::from_json_value(case.context.clone(), None).map_err(|e| e.to_string())?;
    let request = Request::new(uid(principal)?, uid(action)?, uid(resource)?, context, None);
    let entities = Entities::from_json_value(case.entities.clone(), None).map_err(|e| e.to_string())?;
    Ok((request.map_err(|e| e.to_string())?, entities))
}
