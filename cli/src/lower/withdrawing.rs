//! Policies by which somebody gains when a tenant withdraws a consent: the overlay only takes from the set, and what is
//! made of it should only become less, too.

use cedar_policy_core::ast::{BinaryOp, Effect, Expr, ExprKind, UnaryOp};

use super::Parsed;
use crate::diagnostic::Diagnostic;

/// What can become of the truth of a condition when sets of consents lose elements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turns {
    /// It stays.
    Never,
    /// From true to false only.
    False,
    /// From false to true only.
    True,
    /// Either.
    Both,
}

impl Turns {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, turns) | (turns, Self::Never) => turns,
            (one, other) if one == other => one,
            _ => Self::Both,
        }
    }

    fn turned(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
            same => same,
        }
    }
}

/// A warning for each policy that can permit more, or forbid less, once a consent is withdrawn.
pub(super) fn check(parsed: &[Parsed<'_>]) -> Vec<Diagnostic> {
    parsed.iter().filter_map(problem).collect()
}

fn problem(policy: &Parsed<'_>) -> Option<Diagnostic> {
    let tree = policy.tree();
    let condition = tree.non_scope_constraints()?;
    let (bad, message, help) = match tree.effect() {
        Effect::Permit => {
            (Turns::True, "permits", "ask for a consent in `when`: what a tenant did not agree to is no reason")
        }
        Effect::Forbid => (Turns::False, "does not forbid", "forbid `unless` the tenant agreed, and permit the rest"),
    };
    let turns = of(condition);
    if turns != bad && turns != Turns::Both {
        return None;
    }
    let asked = condition.subexpressions().find(|expr| is_consents(expr));
    let offset = asked.and_then(Expr::source_loc).map_or(policy.offset, |loc| loc.start());
    let (line, column) = policy.source.position(offset);
    let message = format!("this policy {message} something only once a consent is withdrawn");
    Some(policy.source.warning(line, column, message).help(help))
}

fn of(expr: &Expr) -> Turns {
    if !asks(expr) {
        return Turns::Never;
    }
    match expr.expr_kind() {
        ExprKind::And { left, right } | ExprKind::Or { left, right } => of(left).and(of(right)),
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } => of(arg).turned(),
        ExprKind::UnaryApp { op: UnaryOp::IsEmpty, arg } if is_consents(arg) => Turns::True,
        ExprKind::If { test_expr, then_expr, else_expr } if !asks(test_expr) => of(then_expr).and(of(else_expr)),
        ExprKind::BinaryApp { op: BinaryOp::Contains, arg1, arg2 } if is_consents(arg1) && !asks(arg2) => Turns::False,
        ExprKind::BinaryApp { op: BinaryOp::ContainsAny, arg1, arg2 } => match [arg1, arg2].map(|arg| part(arg)) {
            [Some(_), Some(_)] => Turns::False,
            _ => Turns::Both,
        },
        ExprKind::BinaryApp { op: BinaryOp::ContainsAll, arg1, arg2 } => match [arg1, arg2].map(|arg| part(arg)) {
            [Some(true), Some(false)] => Turns::False,
            [Some(false), Some(true)] => Turns::True,
            _ => Turns::Both,
        },
        _ => Turns::Both,
    }
}

/// Whether a set is one of consents, or has nothing to do with them; `None` where it is made of them.
fn part(expr: &Expr) -> Option<bool> {
    if is_consents(expr) { Some(true) } else { (!asks(expr)).then_some(false) }
}

fn is_consents(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::GetAttr { attr, .. } if attr == "consents")
}

/// Whether the consents of a tenant are anywhere in it; a tenant as a whole, compared, is an id.
fn asks(expr: &Expr) -> bool {
    expr.subexpressions().any(is_consents)
}
