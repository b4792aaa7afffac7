//! What the subset leaves out, and what to write instead.

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// A construct by the name its author knows, and what to write instead.
pub(super) struct Unsupported {
    pub(super) construct: &'static str,
    pub(super) help: &'static str,
}

const JOIN: &str = "compare with `==` and join the comparisons with `||`";
const FORBID: &str = "move the condition, as it is without the negation, to a `forbid` policy with `when`";

/// Names a construct outside the subset.
pub(super) fn name(expr: &Expr) -> Unsupported {
    let (construct, help) = match expr.expr_kind() {
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } => negation(expr, arg),
        ExprKind::UnaryApp { op: UnaryOp::Neg, .. } => ("`-`", "write the number itself"),
        ExprKind::UnaryApp { op: UnaryOp::IsEmpty, .. } => ("`isEmpty`", JOIN),
        ExprKind::BinaryApp { op, .. } => binary(*op),
        ExprKind::If { .. } => ("`if`", "write `(condition && then) || …`, or one policy for each branch"),
        ExprKind::HasAttr { .. } | ExprKind::ExtHasAttr { .. } => {
            ("`has`", "leave it out: every attribute of the schema is always there")
        }
        ExprKind::Like { .. } => ("`like`", JOIN),
        ExprKind::Is { .. } => ("`is`", "name the actions in the scope: each action has its types of resource"),
        ExprKind::ExtensionFunctionApp { .. } => ("an extension function", JOIN),
        ExprKind::Set(_) => ("a set", "after `in` write a list of entities, as `[Role::\"a\", Role::\"b\"]`"),
        ExprKind::Record(_) => ("a record", "compare its attributes one by one"),
        ExprKind::GetAttr { .. } => {
            ("an attribute of this", "begin at `principal`, `resource` or `context`, as `principal.tenant.tier`")
        }
        ExprKind::Var(_) => ("the whole context", "compare its attributes, as `context.service`"),
        ExprKind::Lit(_) => ("a bare value", "write a condition: `==`, `in`, `&&` or `||`"),
        ExprKind::And { .. } | ExprKind::Or { .. } => {
            ("a comparison of conditions", "compare values: `principal.tenant.tier == \"gold\"`")
        }
        _ => ("this expression", "use `==`, `in`, `&&`, `||`, attributes and literals"),
    };
    Unsupported { construct, help }
}

/// Cedar writes `!=`, `>`, `>=` and `unless` as negations; the author knows them by their own names.
fn negation(expr: &Expr, arg: &Expr) -> (&'static str, &'static str) {
    let written = expr.source_loc().and_then(|loc| loc.snippet()).unwrap_or_default();
    if written.starts_with("unless") {
        return ("`unless`", FORBID);
    }
    match arg.expr_kind() {
        ExprKind::BinaryApp { op, .. } if expr.source_loc() == arg.source_loc() => match op {
            BinaryOp::Eq => ("`!=`", "compare with `==`, in a `forbid` policy where that is what you mean"),
            BinaryOp::LessEq => ("`>`", JOIN),
            _ => ("`>=`", JOIN),
        },
        _ => ("`!`", FORBID),
    }
}

fn binary(op: BinaryOp) -> (&'static str, &'static str) {
    match op {
        BinaryOp::Eq => ("a comparison of conditions", "write the condition itself, without `==`"),
        BinaryOp::In => ("a comparison of conditions", "write the condition itself, without `==`"),
        BinaryOp::Less => ("`<`", JOIN),
        BinaryOp::LessEq => ("`<=`", JOIN),
        BinaryOp::Add => ("`+`", "write the number itself"),
        BinaryOp::Sub => ("`-`", "write the number itself"),
        BinaryOp::Mul => ("`*`", "write the number itself"),
        BinaryOp::Contains => ("`contains`", JOIN),
        BinaryOp::ContainsAll => ("`containsAll`", JOIN),
        BinaryOp::ContainsAny => ("`containsAny`", JOIN),
        BinaryOp::GetTag => ("`getTag`", "use an attribute of the schema"),
        BinaryOp::HasTag => ("`hasTag`", "use an attribute of the schema"),
    }
}
