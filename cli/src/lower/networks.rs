//! Whether the networks that policies ask for are in mesh.yaml: nobody ever calls from one that is not.

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, Var};
use partywall_tenancy::Network;

use super::Parsed;
use super::position::error_at;
use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;

/// A mistake for each name that is compared with networks and is none of these.
pub(super) fn check(networks: &[Network], parsed: &[Parsed<'_>]) -> Vec<Diagnostic> {
    let known = |name: &str| networks.iter().any(|network| network.name == name);
    let mut found = Vec::new();
    for policy in parsed {
        for name in named(policy) {
            let ExprKind::Lit(Literal::String(text)) = name.expr_kind() else { continue };
            if known(text) {
                continue;
            }
            let message = format!("no network is called `{}`", text.escape_debug());
            let help = match nearest(text, networks.iter().map(|network| network.name.as_str())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write it among `networks` of mesh.yaml, with its ranges".to_owned(),
            };
            found.push(error_at(policy.source, name.source_loc(), policy.offset, message).help(help));
        }
    }
    found
}

/// The texts that a policy compares networks with.
fn named<'p>(policy: &'p Parsed<'_>) -> Vec<&'p Expr> {
    let conditions = policy.tree().non_scope_constraints();
    let mut names = Vec::new();
    for expr in conditions.into_iter().flat_map(Expr::subexpressions) {
        let ExprKind::BinaryApp { op, arg1, arg2 } = expr.expr_kind() else { continue };
        match op {
            BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny | BinaryOp::Eq => {}
            _ => continue,
        }
        if is_networks(arg1) {
            texts(arg2, &mut names);
        }
        if is_networks(arg2) {
            texts(arg1, &mut names);
        }
    }
    names
}

fn is_networks(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::GetAttr { expr, attr }
        if attr == "networks" && matches!(expr.expr_kind(), ExprKind::Var(Var::Context)))
}

/// Every text that is written out in it, and that it may be.
fn texts<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    match expr.expr_kind() {
        ExprKind::Lit(_) => found.push(expr),
        ExprKind::Set(elements) => elements.iter().for_each(|element| texts(element, found)),
        ExprKind::If { then_expr, else_expr, .. } => {
            texts(then_expr, found);
            texts(else_expr, found);
        }
        _ => {}
    }
}
