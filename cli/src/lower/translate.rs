//! From policies to the program: their scopes, conditions, and the actions they can apply to.

use cedar_policy_core::ast::{self, ActionConstraint, EntityReference, PrincipalOrResourceConstraint};
use cedar_policy_core::parser::Loc;
use partywall_authorization::{ActionBody, Effect, Operand, Path, PolicyBody, ProgramBody, Root, Target, Test};
use partywall_tenancy::Service;

use super::condition::{self, Condition, Steps};
use super::position::{error_at, sorted};
use super::{Parsed, schema};
use crate::diagnostic::Diagnostic;

/// A program, with the places its steps come from.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The program.
    pub program: ProgramBody,
    /// For each policy of the program its position among the parsed ones.
    pub(super) origins: Vec<usize>,
    /// For each policy of the program the byte of the file from which each of its nodes comes.
    pub(super) offsets: Vec<Vec<usize>>,
}

/// Translates policies without validating them: what [`lower`](super::lower) does between its checks.
pub fn translate(services: &[Service], parsed: &[Parsed<'_>]) -> Result<Translated, Vec<Diagnostic>> {
    let (translated, errors) = translate_with_errors(services, parsed);
    if errors.is_empty() { Ok(translated) } else { Err(sorted(errors)) }
}

pub(super) fn translate_with_errors(services: &[Service], parsed: &[Parsed<'_>]) -> (Translated, Vec<Diagnostic>) {
    let (mut policies, mut errors) = (Vec::new(), Vec::new());
    for (origin, policy) in parsed.iter().enumerate() {
        match translate_one(policy) {
            Ok((body, offsets)) => policies.push((body, offsets, origin)),
            Err(found) => errors.extend(found),
        }
    }
    // INVARIANT: every `forbid` stands before every `permit`; within them the order of the files stays.
    policies.sort_by_key(|(body, ..)| body.effect == Effect::Permit);
    let actions = schema::actions(services).into_keys().map(|name| ActionBody {
        name: name.to_owned(),
        policies: (0u32..)
            .zip(&policies)
            .filter(|(_, (.., origin))| applies(parsed[*origin].tree(), name))
            .map(|(at, _)| at)
            .collect(),
    });
    let actions = actions.collect();
    let (bodies, rest): (Vec<_>, Vec<_>) = policies.into_iter().map(|(body, o, origin)| (body, (o, origin))).unzip();
    let (offsets, origins) = rest.into_iter().unzip();
    let program = ProgramBody { format: ProgramBody::FORMAT, policies: bodies, actions };
    (Translated { program, origins, offsets }, errors)
}

/// The schema has no groups of actions, so a scope names the actions themselves.
fn applies(policy: &ast::Policy, action: &str) -> bool {
    let is =
        |uid: &ast::EntityUID| AsRef::<str>::as_ref(uid.eid()) == action && uid.entity_type().to_string() == "Action";
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is(uid),
        ActionConstraint::In(uids) => uids.iter().any(|uid| is(uid)),
    }
}

fn translate_one(parsed: &Parsed<'_>) -> Result<(PolicyBody, Vec<usize>), Vec<Diagnostic>> {
    let policy = parsed.tree();
    let mut steps = Steps::new(parsed.source, parsed.offset);
    let mut errors = Vec::new();
    let mut entry = match policy.non_scope_constraints() {
        Some(condition) => steps.condition(condition, Target::Satisfied, Target::NotSatisfied),
        None => Target::Satisfied,
    };
    for (root, constraint) in [
        (Root::Resource, policy.resource_constraint().as_inner()),
        (Root::Principal, policy.principal_constraint().as_inner()),
    ] {
        match scope(root, constraint) {
            Ok(Some((test, place))) => {
                let offset = place.map_or(parsed.offset, Loc::start);
                entry = steps.test(test, offset, entry, Target::NotSatisfied);
            }
            Ok(None) => {}
            Err(place) => errors.push(
                error_at(parsed.source, place, parsed.offset, "`is` is not supported")
                    .help("name the actions in the scope: each action has its types of resource"),
            ),
        }
    }
    let annotations = annotations(parsed, &mut errors);
    let condition = steps.finish(entry).unwrap_or_else(|found| {
        errors.extend(found);
        Condition { entry, nodes: Vec::new(), offsets: Vec::new() }
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    let effect = match policy.effect() {
        ast::Effect::Permit => Effect::Permit,
        ast::Effect::Forbid => Effect::Forbid,
    };
    let Condition { entry, nodes, offsets } = condition;
    Ok((PolicyBody { id: parsed.id().to_owned(), effect, annotations, entry, nodes }, offsets))
}

type Place<'p> = Option<&'p Loc>;

/// What the scope asks of principal or resource, and where; an error is the place of an `is`.
fn scope(root: Root, constraint: &PrincipalOrResourceConstraint) -> Result<Option<(Test, Place<'_>)>, Place<'_>> {
    let variable = Operand::Path(Path { root, attributes: Vec::new() });
    match constraint {
        PrincipalOrResourceConstraint::Any => Ok(None),
        PrincipalOrResourceConstraint::Eq(EntityReference::EUID(uid)) => {
            let entity = Operand::Literal(condition::entity(uid));
            Ok(Some((Test::Equal(variable, entity), uid.loc())))
        }
        PrincipalOrResourceConstraint::In(EntityReference::EUID(uid)) => {
            let entity = Operand::Literal(condition::entity(uid));
            Ok(Some((Test::In(variable, entity), uid.loc())))
        }
        PrincipalOrResourceConstraint::Is(kind) | PrincipalOrResourceConstraint::IsIn(kind, _) => Err(kind.loc()),
        // Templates were refused by the parser of this command.
        PrincipalOrResourceConstraint::Eq(EntityReference::Slot(_))
        | PrincipalOrResourceConstraint::In(EntityReference::Slot(_)) => Ok(None),
    }
}

fn annotations(parsed: &Parsed<'_>, errors: &mut Vec<Diagnostic>) -> Vec<(String, String)> {
    let mut annotations = Vec::new();
    for (name, annotation) in parsed.tree().annotations() {
        match name.as_ref() {
            "id" => {}
            // It will restrict a policy to a tenant; read as a mere remark it would permit to all.
            "tenant" => errors.push(
                error_at(parsed.source, annotation.loc.as_ref(), parsed.offset, "`@tenant` is not supported")
                    .help("write `when { principal.tenant == Tenant::\"…\" }`"),
            ),
            name => annotations.push((name.to_owned(), annotation.val.to_string())),
        }
    }
    annotations.sort();
    annotations
}
