//! From the policies of a directory to one program.

use std::str::FromStr;

use cedar_policy::{Policy, PolicyId};
use cedar_policy_core::ast::{EntityUID, Name};
use partywall_authorization::{Expression, ProgramBody};
use partywall_tenancy::Service;
use serde_json::{Value, json};

use super::position::{error_at, sorted};
use super::{Parsed, policies, schema};
use crate::diagnostic::Diagnostic;

/// A program, with the policies that it was made from.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The program. Its policies are in the order of the parsed ones.
    pub program: ProgramBody,
    /// The policies as they count: confined to a tenant where `@tenant` says so.
    pub policies: Vec<Policy>,
    /// For each node the byte of its file at which it stands, where Cedar tells.
    pub(super) places: Vec<Option<usize>>,
}

impl Translated {
    /// Where a node of a policy stands in its file; the policy itself where Cedar does not tell.
    pub(super) fn place(&self, origin: &Parsed<'_>, node: Expression) -> usize {
        let place = usize::try_from(node).ok().and_then(|at| self.places.get(at).copied().flatten());
        place.unwrap_or(origin.offset)
    }
}

/// Translates policies without validating them: what [`lower`](super::lower) does between its checks.
pub fn translate(services: &[Service], parsed: &[Parsed<'_>]) -> Result<Translated, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let mut confined = Vec::new();
    for policy in parsed {
        match confine(policy) {
            Ok(pair) => confined.push(pair),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(sorted(errors));
    }
    let actions: Vec<EntityUID> = schema::actions(services).into_keys().map(|name| uid("Action", name)).collect();
    let pairs = confined.iter().map(|(policy, tenant)| (policy.as_ref(), tenant.as_ref()));
    // The generated schema has no groups of actions.
    match policies::lower(pairs, &actions, |_, _| false) {
        Ok((program, places)) => {
            Ok(Translated { program, policies: confined.into_iter().map(|(policy, _)| policy).collect(), places })
        }
        Err(failures) => {
            let errors = failures.into_iter().map(|(at, failed)| {
                let policy = &parsed[at];
                error_at(policy.source, failed.place.as_ref(), policy.offset, failed.message)
                    .help("split it into several policies")
            });
            Err(sorted(errors.collect()))
        }
    }
}

fn uid(kind: &str, id: &str) -> EntityUID {
    let kind = Name::from_str(kind).map_or_else(|_| unreachable!("`{kind}` is a name"), Into::into);
    EntityUID::from_components(kind, cedar_policy_core::ast::Eid::new(id), None)
}

/// `@tenant("acme")` is `when { principal.tenant == Tenant::"acme" }` before every other condition.
fn confine(parsed: &Parsed<'_>) -> Result<(Policy, Option<EntityUID>), Diagnostic> {
    let Some(tenant) = parsed.policy.annotation("tenant") else { return Ok((parsed.policy.clone(), None)) };
    let internal = |e: String| Diagnostic::of_file("(internal)", format!("`@tenant` of `{}`: {e}", parsed.id()));
    let mut written = parsed.policy.to_json().map_err(|e| internal(e.to_string()))?;
    let condition = json!({ "kind": "when", "body": { "==": {
        "left": { ".": { "left": { "Var": "principal" }, "attr": "tenant" } },
        "right": { "Value": { "__entity": { "type": "Tenant", "id": tenant } } },
    } } });
    match written.get_mut("conditions") {
        Some(Value::Array(conditions)) => conditions.insert(0, condition),
        _ => return Err(internal("the policy has no list of conditions".into())),
    }
    let id = PolicyId::new(parsed.id());
    let policy = Policy::from_json(Some(id), written).map_err(|e| internal(e.to_string()))?;
    Ok((policy, Some(uid("Tenant", tenant))))
}
