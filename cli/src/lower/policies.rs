//! From policies to a program: scopes, conditions, and the actions that each can apply to.

use cedar_policy_core::ast::{self, ActionConstraint, EntityReference, EntityUID, PrincipalOrResourceConstraint};
use partywall_authorization::{Effect, PolicyBody, ProgramBody, Scope};

use super::build::{Builder, count};
use super::expression::{self, Unlowered};

/// A policy that cannot be lowered: its position, and what is the matter.
pub(super) type Failure = (usize, Unlowered);

/// Lowers `policies` for these actions. `is_in` says which actions are in which.
///
/// Also gives for each node the byte of its file at which it stands, where Cedar tells. `tenant` names the tenant to
/// whose principals a policy is confined; its condition must begin with that comparison.
pub(super) fn lower<'p>(
    policies: impl IntoIterator<Item = (&'p ast::Policy, Option<&'p EntityUID>)>,
    actions: &[EntityUID],
    is_in: impl Fn(&EntityUID, &EntityUID) -> bool,
) -> Result<(ProgramBody, Vec<Option<usize>>), Vec<Failure>> {
    let mut builder = Builder::default();
    let mut failures = Vec::new();
    let mut applying: Vec<Vec<u32>> = vec![Vec::new(); actions.len()];
    for (at, (policy, tenant)) in policies.into_iter().enumerate() {
        match lower_one(&mut builder, policy, tenant) {
            Ok(body) => builder.policy(body),
            Err(unlowered) => failures.push((at, unlowered)),
        }
        let constraint = policy.action_constraint();
        for (action, list) in actions.iter().zip(&mut applying) {
            let applies = match constraint {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(uid) => **uid == *action,
                ActionConstraint::In(uids) => uids.iter().any(|uid| **uid == *action || is_in(action, uid)),
                #[allow(unreachable_patterns, reason = "features of cedar-policy-core add kinds of constraints")]
                _ => false,
            };
            if applies {
                list.push(count(at));
            }
        }
    }
    for (action, list) in actions.iter().zip(applying) {
        let entity = expression::entity(&mut builder, action);
        builder.action(entity, list);
    }
    if failures.is_empty() { Ok(builder.finish()) } else { Err(failures) }
}

fn lower_one(builder: &mut Builder, policy: &ast::Policy, tenant: Option<&EntityUID>) -> Result<PolicyBody, Unlowered> {
    let principal = scope(builder, policy.principal_constraint().as_inner())?;
    let resource = scope(builder, policy.resource_constraint().as_inner())?;
    let condition = match policy.non_scope_constraints() {
        // `when { true }`, and what Cedar makes of a policy without conditions.
        Some(condition) if matches!(condition.expr_kind(), ast::ExprKind::Lit(ast::Literal::Bool(true))) => None,
        Some(condition) => Some(expression::lower(builder, condition)?),
        None => None,
    };
    let mut annotations: Vec<_> = policy
        .annotations()
        .filter(|(name, _)| AsRef::<str>::as_ref(*name) != "id")
        .map(|(name, annotation)| (name.to_string(), annotation.val.to_string()))
        .collect();
    annotations.sort();
    Ok(PolicyBody {
        id: policy.id().to_string(),
        effect: match policy.effect() {
            ast::Effect::Permit => Effect::Permit,
            ast::Effect::Forbid => Effect::Forbid,
        },
        annotations,
        principal,
        resource,
        tenant: tenant.map(|uid| expression::entity(builder, uid)),
        condition,
    })
}

fn scope(builder: &mut Builder, constraint: &PrincipalOrResourceConstraint) -> Result<Scope, Unlowered> {
    let mut named = |reference: &EntityReference| match reference {
        EntityReference::EUID(uid) => Ok(expression::entity(builder, uid)),
        EntityReference::Slot(place) => {
            Err(Unlowered { place: place.clone(), message: "a slot that no link fills".into() })
        }
    };
    Ok(match constraint {
        PrincipalOrResourceConstraint::Any => Scope::Any,
        PrincipalOrResourceConstraint::Eq(of) => Scope::Equal(named(of)?),
        PrincipalOrResourceConstraint::In(of) => Scope::In(named(of)?),
        PrincipalOrResourceConstraint::IsIn(kind, of) => {
            let of = named(of)?;
            Scope::IsIn(builder.text(&kind.to_string()), of)
        }
        PrincipalOrResourceConstraint::Is(kind) => Scope::Is(builder.text(&kind.to_string())),
    })
}
