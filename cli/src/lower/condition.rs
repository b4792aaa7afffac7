//! One condition: from a Cedar expression to steps that lead forward.

use cedar_policy_core::ast::{self, BinaryOp, Expr, ExprKind, Var};
use partywall_authorization::{Literal, Node, Operand, Path, Root, Target, Test};

use super::position::error_at;
use super::unsupported::{self, Unsupported};
use crate::diagnostic::{Diagnostic, Source};

/// The most steps of one policy: what can still be compared with Cedar branch by branch.
const MAX_NODES: usize = 512;
/// The most attributes on one path, as the program's reader has it.
const MAX_ATTRIBUTES: usize = 8;

/// Writes the steps of one policy, the last one first: where a step leads is known before it is written.
pub(super) struct Steps<'s> {
    source: &'s Source,
    /// Where the policy begins, for expressions that Cedar gives no place.
    policy: usize,
    /// A [`Target::Node`] counts from the end until [`Steps::finish`].
    written: Vec<Step>,
    errors: Vec<Diagnostic>,
}

struct Step {
    node: Node,
    offset: usize,
}

/// The steps of a policy in the order of evaluation, each with its place in the file.
pub(super) struct Condition {
    pub(super) entry: Target,
    pub(super) nodes: Vec<Node>,
    pub(super) offsets: Vec<usize>,
}

impl<'s> Steps<'s> {
    pub(super) fn new(source: &'s Source, policy: usize) -> Self {
        Self { source, policy, written: Vec::new(), errors: Vec::new() }
    }

    /// A test at `offset` of the file.
    pub(super) fn test(&mut self, test: Test, offset: usize, on_true: Target, on_false: Target) -> Target {
        let at = u32::try_from(self.written.len()).unwrap_or(u32::MAX);
        self.written.push(Step { node: Node { test, on_true, on_false }, offset });
        Target::Node(at)
    }

    /// What `expr` asks, going on to one of two targets. Nesting was bounded before parsing.
    pub(super) fn condition(&mut self, expr: &Expr, on_true: Target, on_false: Target) -> Target {
        match expr.expr_kind() {
            ExprKind::Lit(ast::Literal::Bool(value)) => {
                if *value {
                    on_true
                } else {
                    on_false
                }
            }
            // `a && b && c` leads from each to the next, and to `on_false` as soon as one is false.
            ExprKind::And { .. } => {
                parts(expr).into_iter().rev().fold(on_true, |next, part| self.condition(part, next, on_false))
            }
            ExprKind::Or { .. } => {
                parts(expr).into_iter().rev().fold(on_false, |next, part| self.condition(part, on_true, next))
            }
            ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } => {
                let (Some(left), Some(right)) = (self.operand(arg1), self.operand(arg2)) else { return on_true };
                self.test(Test::Equal(left, right), self.offset(expr), on_true, on_false)
            }
            ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } => {
                self.membership(expr, arg1, arg2, on_true, on_false)
            }
            ExprKind::Var(_) | ExprKind::GetAttr { .. } => {
                let Some(operand) = self.operand(expr) else { return on_true };
                self.test(Test::IsTrue(operand), self.offset(expr), on_true, on_false)
            }
            _ => {
                self.unsupported(expr);
                on_true
            }
        }
    }

    /// `a in b`, or `a in [x, y]`: in one of them.
    fn membership(&mut self, expr: &Expr, child: &Expr, ancestor: &Expr, on_true: Target, on_false: Target) -> Target {
        let (in_list, ancestors) = match ancestor.expr_kind() {
            ExprKind::Set(elements) => (true, elements.iter().collect()),
            _ => (false, vec![ancestor]),
        };
        if ancestors.is_empty() {
            let error = self.error(ancestor, "the list after `in` is empty");
            self.errors.push(error.help("write the entities that are meant, as `[Role::\"viewer\"]`"));
        }
        let child = self.operand(child);
        let mut next = on_false;
        for ancestor in ancestors.into_iter().rev() {
            // Cedar looks at the whole list before it compares, so only what cannot fail may stand in it.
            let literal = matches!(ancestor.expr_kind(), ExprKind::Lit(ast::Literal::EntityUID(_)));
            if in_list && !literal {
                let error = self.error(ancestor, "a list after `in` may hold only entities");
                self.errors.push(error.help("write `a in b || a in c`"));
                continue;
            }
            let (Some(child), Some(ancestor)) = (&child, self.operand(ancestor)) else { continue };
            next = self.test(Test::In(child.clone(), ancestor), self.offset(expr), on_true, next);
        }
        next
    }

    fn operand(&mut self, expr: &Expr) -> Option<Operand> {
        match expr.expr_kind() {
            ExprKind::Lit(value) => Some(Operand::Literal(literal(value))),
            ExprKind::Var(_) | ExprKind::GetAttr { .. } => match path(expr) {
                Some(path) if path.root == Root::Context && path.attributes.is_empty() => {
                    self.unsupported(expr);
                    None
                }
                Some(path) => Some(Operand::Path(path)),
                None => {
                    self.unsupported(expr);
                    None
                }
            },
            _ => {
                self.unsupported(expr);
                None
            }
        }
    }

    fn unsupported(&mut self, expr: &Expr) {
        let Unsupported { construct, help } = unsupported::name(expr);
        let message = format!("{construct} is not supported");
        let error = self.error(expr, message).help(help);
        self.errors.push(error);
    }

    fn error(&self, expr: &Expr, message: impl Into<String>) -> Diagnostic {
        error_at(self.source, expr.source_loc(), self.policy, message)
    }

    fn offset(&self, expr: &Expr) -> usize {
        expr.source_loc().map_or(self.policy, |loc| loc.start())
    }

    /// Turns the steps around and leaves out those that no step leads to, as after `false && …`.
    pub(super) fn finish(mut self, entry: Target) -> Result<Condition, Vec<Diagnostic>> {
        if self.written.len() > MAX_NODES {
            let message = format!("the policy compares {} times, more than {MAX_NODES}", self.written.len());
            let help = "split it into several policies, or give the entities of a long list a role";
            self.errors.push(self.source.error_at(self.policy, message).help(help));
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let reached = reached(&self.written, entry);
        let mut renamed = vec![Target::NotSatisfied; self.written.len()];
        let mut condition = Condition { entry, nodes: Vec::new(), offsets: Vec::new() };
        for (at, _) in reached.iter().enumerate().rev().filter(|(_, reached)| **reached) {
            renamed[at] = Target::Node(u32::try_from(condition.nodes.len()).unwrap_or(u32::MAX));
            condition.nodes.push(self.written[at].node.clone());
            condition.offsets.push(self.written[at].offset);
        }
        let rename = |target: Target| index(target).map_or(target, |at| renamed[at]);
        condition.entry = rename(entry);
        for node in &mut condition.nodes {
            node.on_true = rename(node.on_true);
            node.on_false = rename(node.on_false);
        }
        Ok(condition)
    }
}

fn reached(written: &[Step], entry: Target) -> Vec<bool> {
    let mut reached = vec![false; written.len()];
    let mut mark = |target| index(target).map(|at| reached[at] = true);
    mark(entry);
    for (at, step) in written.iter().enumerate().rev() {
        if reached[at] {
            for target in [step.node.on_true, step.node.on_false] {
                if let Some(to) = index(target) {
                    reached[to] = true;
                }
            }
        }
    }
    reached
}

fn index(target: Target) -> Option<usize> {
    match target {
        Target::Node(at) => usize::try_from(at).ok(),
        Target::Satisfied | Target::NotSatisfied => None,
    }
}

/// The parts of `a && b && c`, or of `a || b || c`, however they are grouped.
fn parts(expr: &Expr) -> Vec<&Expr> {
    let is_and = matches!(expr.expr_kind(), ExprKind::And { .. });
    let (mut parts, mut waiting) = (Vec::new(), vec![expr]);
    while let Some(expr) = waiting.pop() {
        match expr.expr_kind() {
            ExprKind::And { left, right } if is_and => waiting.extend([&**right, &**left]),
            ExprKind::Or { left, right } if !is_and => waiting.extend([&**right, &**left]),
            _ => parts.push(expr),
        }
    }
    parts
}

pub(super) fn literal(value: &ast::Literal) -> Literal {
    match value {
        ast::Literal::Bool(value) => Literal::Bool(*value),
        ast::Literal::Long(value) => Literal::Long(*value),
        ast::Literal::String(value) => Literal::Text(value.to_string()),
        ast::Literal::EntityUID(uid) => entity(uid),
    }
}

pub(super) fn entity(uid: &ast::EntityUID) -> Literal {
    Literal::Entity { kind: uid.entity_type().to_string(), id: AsRef::<str>::as_ref(uid.eid()).to_owned() }
}

fn path(expr: &Expr) -> Option<Path> {
    let (mut attributes, mut expr) = (Vec::new(), expr);
    while let ExprKind::GetAttr { expr: of, attr } = expr.expr_kind() {
        attributes.push(attr.to_string());
        expr = of;
    }
    attributes.reverse();
    let ExprKind::Var(var) = expr.expr_kind() else { return None };
    let root = match var {
        Var::Principal => Root::Principal,
        Var::Action => Root::Action,
        Var::Resource => Root::Resource,
        Var::Context => Root::Context,
    };
    (attributes.len() <= MAX_ATTRIBUTES).then_some(Path { root, attributes })
}
