//! Attributes of entities that a policy names itself.
//!
//! A sidecar knows the attributes of four entities: principal, resource and their tenants. `Tenant::"acme".tier` has a
//! value there only while acme is one of these, and is an error else. A proof takes every entity for known, so it
//! would say nothing about such a policy.

use cedar_policy_core::ast::{Expr, ExprKind, Literal};

use crate::diagnostic::Diagnostic;
use crate::lower::{Parsed, error_at};

/// A mistake for each attribute of a named entity that `policy` asks for.
pub(super) fn of_named(policy: &Parsed<'_>) -> Vec<Diagnostic> {
    let conditions = policy.tree().non_scope_constraints();
    let asked = conditions.into_iter().flat_map(Expr::subexpressions).filter(|expr| match expr.expr_kind() {
        ExprKind::GetAttr { expr, .. } | ExprKind::HasAttr { expr, .. } => may_be_named(expr),
        _ => false,
    });
    let told = asked.map(|expr| {
        let message = "asks for an attribute of an entity that is named: a sidecar knows those of principal, resource \
                       and their tenants alone, so nothing can be proved about it";
        error_at(policy.source, expr.source_loc(), policy.offset, message).help(
            "compare first, then ask: `principal.tenant == Tenant::\"acme\" && principal.tenant.tier == \"gold\"`",
        )
    });
    told.collect()
}

/// Whether the value of `expr` may be an entity that is written in it.
fn may_be_named(expr: &Expr) -> bool {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(_)) => true,
        ExprKind::If { then_expr, else_expr, .. } => may_be_named(then_expr) || may_be_named(else_expr),
        ExprKind::GetAttr { expr, .. } => may_be_named(expr),
        ExprKind::Record(fields) => fields.values().any(may_be_named),
        _ => false,
    }
}
