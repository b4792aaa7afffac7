//! Whether the entities that policies name can exist: a misspelled tenant in a `forbid` forbids nothing.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{self, EntityReference, EntityUID, ExprKind, PrincipalOrResourceConstraint};
use partywall_tenancy::SpiffeId;

use super::position::error_at;
use super::{Parsed, Vocabulary};
use crate::clusters;
use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;

pub(super) fn check(vocabulary: &Vocabulary<'_>, parsed: &[Parsed<'_>]) -> Vec<Diagnostic> {
    let known = Known {
        tenants: vocabulary.tenants.iter().map(|t| t.id.as_str()).collect(),
        workloads: {
            let services = vocabulary.services.iter();
            let callers = services.clone().flat_map(|s| &s.callers).map(|caller| caller.spiffe_id.as_str());
            let clients = clusters::workloads(vocabulary.clusters).map(SpiffeId::as_str);
            services.map(|s| s.spiffe_id.as_str()).chain(callers).chain(clients).chain([NOBODY]).collect()
        },
    };
    parsed
        .iter()
        .flat_map(|policy| {
            let named = named(policy.tree()).into_iter().filter_map(|uid| known.problem(policy, uid));
            known.confined(policy).into_iter().chain(named)
        })
        .collect()
}

/// `context.caller` where nobody knows who calls.
const NOBODY: &str = "";

struct Known<'a> {
    tenants: BTreeSet<&'a str>,
    workloads: BTreeSet<&'a str>,
}

impl Known<'_> {
    fn problem(&self, policy: &Parsed<'_>, uid: &EntityUID) -> Option<Diagnostic> {
        let id: &str = uid.eid().as_ref();
        let (message, help) = match uid.entity_type().to_string().as_str() {
            "Tenant" if !self.tenants.contains(id) => self.no_tenant(id),
            "User" => match id.split_once('/') {
                Some((tenant, name)) if !name.is_empty() && self.tenants.contains(tenant) => return None,
                Some((tenant, name)) if !name.is_empty() => self.no_tenant(tenant),
                _ => ("a user is named by tenant and subject".into(), "write `User::\"<tenant>/<subject>\"`".into()),
            },
            "Workload" if !self.workloads.contains(id) => {
                let known = self.workloads.iter().copied().filter(|known| *known != NOBODY);
                let help = match nearest(id, known) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => {
                        "write the `spiffe_id` of a service in services/, or of one of its `callers`, or of `workloads` in events.yaml"
                            .into()
                    }
                };
                (format!("no service or caller has the SPIFFE ID `{}`", id.escape_debug()), help)
            }
            _ => return None,
        };
        Some(error_at(policy.source, uid.loc(), policy.offset, message).help(help))
    }

    /// `@tenant` with a name that no tenant has confines its policy to nobody.
    fn confined(&self, policy: &Parsed<'_>) -> Option<Diagnostic> {
        let (_, annotation) = policy.tree().annotations().find(|(name, _)| AsRef::<str>::as_ref(*name) == "tenant")?;
        let id = annotation.val.as_str();
        if self.tenants.contains(id) {
            return None;
        }
        let (message, help) = self.no_tenant(id);
        Some(error_at(policy.source, annotation.loc.as_ref(), policy.offset, message).help(help))
    }

    fn no_tenant(&self, id: &str) -> (String, String) {
        let help = match nearest(id, self.tenants.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write the id of a tenant in tenants/".into(),
        };
        (format!("no tenant is called `{}`", id.escape_debug()), help)
    }
}

/// Every entity that a policy names, but its actions, which the validator knows.
pub(crate) fn named(policy: &ast::Policy) -> Vec<&EntityUID> {
    let of_scope = |constraint| match constraint {
        &PrincipalOrResourceConstraint::Eq(EntityReference::EUID(ref uid))
        | &PrincipalOrResourceConstraint::In(EntityReference::EUID(ref uid))
        | &PrincipalOrResourceConstraint::IsIn(_, EntityReference::EUID(ref uid)) => Some(&**uid),
        _ => None,
    };
    let template = policy.template();
    let scopes = [template.principal_constraint().as_inner(), template.resource_constraint().as_inner()];
    let condition = policy.non_scope_constraints().into_iter().flat_map(|c| c.subexpressions());
    let literals = condition.filter_map(|expr| match expr.expr_kind() {
        ExprKind::Lit(ast::Literal::EntityUID(uid)) => Some(&**uid),
        _ => None,
    });
    scopes.into_iter().filter_map(of_scope).chain(literals).collect()
}
