//! The Cedar schema, generated from the services of a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cedar_policy::Schema;
use partywall_tenancy::{Operation, Scope, Service};

use crate::diagnostic::Diagnostic;

/// What every request's context holds.
const CONTEXT: &str = "    context: {\n        service: Workload,\n        caller: Workload,\n        purpose: String,\n        scope: String,\n        time: datetime,\n        networks: Set<String>,\n        scopes: Set<String>,\n    },\n};\n";

/// Names of types that the schema or Cedar itself gives a meaning.
pub(crate) const TAKEN: &[&str] = &[
    "Action",
    "Bool",
    "Boolean",
    "Entity",
    "Extension",
    "Long",
    "Record",
    "Role",
    "Set",
    "String",
    "Tenant",
    "User",
    "Workload",
];

/// Whether `name` has the shape of a resource type's name.
pub(crate) fn is_type_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether `name` has the shape of an action's name.
pub(crate) fn is_action_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// Why `name` cannot name a resource type; `None` when it can.
pub fn resource_problem(name: &str) -> Option<&'static str> {
    if !is_type_name(name) {
        Some("must be 1 to 64 ASCII letters and digits, beginning with a capital, as `Invoice`")
    } else if TAKEN.contains(&name) {
        Some("is taken by the schema: choose another name")
    } else {
        None
    }
}

/// Why `name` cannot name an action; `None` when it can.
pub fn action_problem(name: &str) -> Option<&'static str> {
    (!is_action_name(name)).then_some("must be 1 to 64 of `a-z A-Z 0-9 : . _ -`, as `invoices:read`")
}

/// The resource types of each action that policies are asked about. What is the platform's is none of them: its services
/// list who may do it.
pub(crate) fn actions(services: &[Service]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut actions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let asked = |operation: &&Operation| operation.attributes.scope != Scope::Platform;
    for operation in services.iter().flat_map(|s| &s.operations).filter(asked) {
        actions.entry(&operation.action).or_default().insert(&operation.resource);
    }
    actions
}

/// The schema as text: what policy authors and editors read. Names must have passed
/// [`resource_problem`] and [`action_problem`].
pub fn text(services: &[Service]) -> String {
    let actions = actions(services);
    let mut text = String::from(
        "entity Tenant {\n    tier: String,\n    residency: String,\n    status: String,\n    features: Set<String>,\n    \
         consents: Set<String>,\n};\n\
         entity Role;\n\
         entity Workload;\n\
         entity User in [Role] { tenant: Tenant };\n",
    );
    for resource in actions.values().flatten().collect::<BTreeSet<_>>() {
        let _ = writeln!(text, "entity {resource} {{ tenant: Tenant, dataset: String, classification: String }};");
    }
    for (action, resources) in actions {
        let resources = resources.into_iter().collect::<Vec<_>>().join(", ");
        let _ =
            write!(text, "action \"{action}\" appliesTo {{\n    principal: [User],\n    resource: [{resources}],\n");
        text.push_str(CONTEXT);
    }
    text
}

pub(crate) fn compile(services: &[Service]) -> Result<Schema, Diagnostic> {
    for service in services {
        let file = || format!("services/{}.yaml", service.name);
        for operation in &service.operations {
            if let Some(problem) = action_problem(&operation.action) {
                return Err(Diagnostic::of_file(file(), format!("action `{}` {problem}", operation.action)));
            }
            if let Some(problem) = resource_problem(&operation.resource) {
                return Err(Diagnostic::of_file(file(), format!("resource `{}` {problem}", operation.resource)));
            }
        }
    }
    let (schema, _) = Schema::from_cedarschema_str(&text(services))
        .map_err(|e| Diagnostic::of_file("(internal)", format!("the generated schema is not valid: {e}")))?;
    Ok(schema)
}
