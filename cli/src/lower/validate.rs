//! Cedar's own strict validation.

use std::collections::HashMap;

use cedar_policy::{PolicySet, Schema, ValidationError, ValidationMode, Validator};

use super::Parsed;
use super::position::Finding;
use crate::diagnostic::Diagnostic;

/// Errors and warnings of the validator, at their places.
pub(super) fn validate(schema: &Schema, parsed: &[Parsed<'_>]) -> Vec<Diagnostic> {
    let by_id: HashMap<&str, &Parsed<'_>> = parsed.iter().map(|p| (p.id(), p)).collect();
    // Ids that are there twice were reported; the validator sees one of each.
    let Ok(set) = PolicySet::from_policies(by_id.values().map(|p| p.policy.clone())) else { return Vec::new() };
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().filter_map(|error| {
        let policy = by_id.get(AsRef::<str>::as_ref(error.policy_id()))?;
        let found = Finding::of(error);
        let at = place(policy, &found);
        // Cedar's help names the policy where it only repeats the rule that was broken.
        let help = found.help.filter(|help| !help.starts_with("for policy `")).unwrap_or_else(|| help(error).into());
        Some(policy.source.error_at(at, message(&found.message)).help(help))
    });
    let warnings = result.validation_warnings().filter_map(|warning| {
        let policy = by_id.get(AsRef::<str>::as_ref(warning.policy_id()))?;
        let found = Finding::of(warning);
        let (line, column) = policy.source.position(place(policy, &found));
        let diagnostic = policy.source.warning(line, column, message(&found.message));
        Some(match found.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        })
    });
    errors.chain(warnings).collect()
}

/// What a link made stands in no file, so its link is the place.
fn place(policy: &Parsed<'_>, found: &Finding) -> usize {
    found.offset.filter(|_| policy.tree().loc().is_some()).unwrap_or(policy.offset)
}

/// File and line say which policy it is.
fn message(text: &str) -> String {
    match text.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, message)) => message.into(),
        None => text.into(),
    }
}

fn help(error: &ValidationError) -> &'static str {
    match error {
        ValidationError::UnrecognizedEntityType(_) => {
            "the types are User, Role, Tenant, Workload and the resources that services/ name"
        }
        ValidationError::UnrecognizedActionId(_) => "write an action that an operation in services/ names",
        ValidationError::UnsafeAttributeAccess(_) => {
            "there are principal.tenant, resource.tenant, their .tier, .residency, .status, .features and .consents, resource.dataset and .classification, and context.service, .caller, .purpose, .scope, .time, .networks and .scopes"
        }
        ValidationError::IncompatibleTypes(_) => {
            "compare values of one type: both sides text, or both the same entity type"
        }
        ValidationError::HierarchyNotRespected(_) => "only users are in something: `principal in Role::\"viewer\"`",
        ValidationError::UnexpectedType(_) => "write a comparison, as `principal.tenant.tier == \"gold\"`",
        _ => "write it so that it has a value for every request",
    }
}
