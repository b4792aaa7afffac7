//! Cedar's own answer to the same question.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicySet, Request, RestrictedExpression,
};
use partywall_authorization::{Answer, Id, RequestFacts};
use partywall_tenancy::{NameSet, Tenant};

use crate::time::rfc3339;

/// Cedar's authorizer over one policy set.
pub struct Oracle {
    policies: PolicySet,
    authorizer: Authorizer,
}

/// An answer, in the form in which Cedar's and ours are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it allows.
    pub allowed: bool,
    /// Ids of the policies that made the decision.
    pub determining: BTreeSet<String>,
    /// Ids of the policies that could not be evaluated.
    pub errors: BTreeSet<String>,
}

impl Ruling {
    /// What Cedar answered.
    pub(crate) fn of(response: &cedar_policy::Response) -> Self {
        let diagnostics = response.diagnostics();
        let failed = |AuthorizationError::PolicyEvaluationError(e): &AuthorizationError| e.policy_id().to_string();
        Self {
            allowed: response.decision() == Decision::Allow,
            determining: diagnostics.reason().map(ToString::to_string).collect(),
            errors: diagnostics.errors().map(failed).collect(),
        }
    }
}

impl From<Answer<'_>> for Ruling {
    fn from(answer: Answer<'_>) -> Self {
        let ids = |list: Vec<&partywall_authorization::PolicyBody>| list.into_iter().map(|p| p.id.clone()).collect();
        Self { allowed: answer.allowed, determining: ids(answer.determining), errors: ids(answer.errors) }
    }
}

impl Oracle {
    /// An oracle over these policies. An error says why Cedar does not take them together.
    pub fn new(policies: impl IntoIterator<Item = Policy>) -> Result<Self, String> {
        let policies = PolicySet::from_policies(policies).map_err(|e| e.to_string())?;
        Ok(Self { policies, authorizer: Authorizer::new() })
    }

    /// What Cedar says about a request with these facts.
    pub fn ask(&self, facts: &RequestFacts<'_>) -> Result<Ruling, String> {
        let (request, entities) = request(facts)?;
        Ok(Ruling::of(&self.authorizer.is_authorized(&request, &self.policies, &entities)))
    }
}

/// The same facts, as Cedar wants them.
pub(crate) fn request(facts: &RequestFacts<'_>) -> Result<(Request, Entities), String> {
    let principal = uid("User", &format!("{}/{}", facts.tenant.id, facts.subject))?;
    let action = uid("Action", facts.action)?;
    let resource = uid(facts.resource_type, &id_text(facts.resource_id)?)?;
    let owned_by = |tenant: &Tenant| -> Result<HashMap<_, _>, String> {
        let tenant = RestrictedExpression::new_entity_uid(uid("Tenant", tenant.id.as_str())?);
        Ok(HashMap::from([("tenant".to_owned(), tenant)]))
    };
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let texts = |set: &NameSet| RestrictedExpression::new_set(set.iter().map(text));
    let of_resource = || -> Result<HashMap<_, _>, String> {
        let mut attributes = owned_by(facts.owner)?;
        attributes.insert("dataset".to_owned(), text(&facts.attributes.dataset));
        attributes.insert("classification".to_owned(), text(&facts.attributes.classification));
        Ok(attributes)
    };
    let roles = facts.roles.iter().map(|role| uid("Role", role)).collect::<Result<HashSet<_>, _>>()?;
    let new = |uid, attributes, parents| Entity::new(uid, attributes, parents).map_err(|e| e.to_string());
    let mut entities = vec![
        new(principal.clone(), owned_by(facts.tenant)?, roles)?,
        new(resource.clone(), of_resource()?, HashSet::new())?,
        tenant(facts.tenant)?,
    ];
    if facts.owner.id != facts.tenant.id {
        entities.push(tenant(facts.owner)?);
    }
    let entities = Entities::from_entities(entities, None).map_err(|e| e.to_string())?;
    let workload = |id: &str| uid("Workload", id).map(RestrictedExpression::new_entity_uid);
    let fields = [
        ("service".to_owned(), workload(facts.service)?),
        ("caller".to_owned(), workload(facts.caller)?),
        ("purpose".to_owned(), text(&facts.attributes.purpose)),
        ("scope".to_owned(), text(facts.attributes.scope.name())),
        ("time".to_owned(), RestrictedExpression::new_datetime(rfc3339(facts.time))),
        ("networks".to_owned(), texts(facts.networks)),
        ("scopes".to_owned(), RestrictedExpression::new_set(facts.scopes.iter().map(|scope| text(scope)))),
    ];
    let context = Context::from_pairs(fields).map_err(|e| e.to_string())?;
    let request = Request::new(principal, action, resource, context, None).map_err(|e| e.to_string())?;
    Ok((request, entities))
}

fn tenant(tenant: &Tenant) -> Result<Entity, String> {
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let texts = |set: &NameSet| {
        RestrictedExpression::new_set(set.iter().map(|name| RestrictedExpression::new_string(name.to_owned())))
    };
    let attributes = HashMap::from([
        ("tier".to_owned(), text(&tenant.tier)),
        ("residency".to_owned(), text(&tenant.residency)),
        ("status".to_owned(), text(tenant.status.name())),
        ("features".to_owned(), texts(&tenant.features)),
        ("consents".to_owned(), texts(&tenant.consents)),
    ]);
    Entity::new(uid("Tenant", tenant.id.as_str())?, attributes, HashSet::new()).map_err(|e| e.to_string())
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = EntityTypeName::from_str(kind).map_err(|e| e.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn id_text(id: Id<'_>) -> Result<String, String> {
    String::from_utf8(id.bytes().collect()).map_err(|_| "an id is not UTF-8".to_owned())
}
