//! From a Cedar expression to nodes.

use cedar_policy_core::ast::{self, BinaryOp, Expr, ExprKind, PatternElem, UnaryOp, Var};
use cedar_policy_core::parser::Loc;
use partywall_authorization::{Binary, Expression, Node, Text, Unary, Value, Variable, extension};

use super::build::{Builder, function};

/// How deep expressions may nest; the reader of programs allows a little more.
const MOST_LEVELS: usize = 180;
/// How many conditions `&&` or `||` may join: Cedar itself descends into each, to be compared with.
const MOST_PARTS: usize = 512;

/// What cannot be lowered, and where it stands.
#[derive(Debug)]
pub(super) struct Unlowered {
    pub(super) place: Option<Loc>,
    pub(super) message: String,
}

/// Writes the nodes of `expr`.
pub(super) fn lower(builder: &mut Builder, expr: &Expr) -> Result<Expression, Unlowered> {
    Lowering { builder, levels: 0 }.expression(expr)
}

struct Lowering<'b> {
    builder: &'b mut Builder,
    levels: usize,
}

impl Lowering<'_> {
    fn expression(&mut self, expr: &Expr) -> Result<Expression, Unlowered> {
        if self.levels >= MOST_LEVELS {
            let message = format!("the expression nests more than {MOST_LEVELS} levels deep");
            return Err(Unlowered { place: expr.source_loc().cloned(), message });
        }
        self.levels += 1;
        let node = self.node(expr);
        self.levels -= 1;
        let place = expr.source_loc().map(Loc::start);
        Ok(self.builder.node(node?, place))
    }

    fn node(&mut self, expr: &Expr) -> Result<Node, Unlowered> {
        let unknown = |message: &str| Unlowered { place: expr.source_loc().cloned(), message: message.to_owned() };
        Ok(match expr.expr_kind() {
            ExprKind::Lit(literal) => Node::Value(self.literal(literal)),
            ExprKind::Var(var) => Node::Variable(match var {
                Var::Principal => Variable::Principal,
                Var::Action => Variable::Action,
                Var::Resource => Variable::Resource,
                Var::Context => Variable::Context,
            }),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                Node::If(self.expression(test_expr)?, self.expression(then_expr)?, self.expression(else_expr)?)
            }
            ExprKind::And { .. } => Node::All(self.expressions(parts(expr))?),
            ExprKind::Or { .. } => Node::Any(self.expressions(parts(expr))?),
            ExprKind::UnaryApp { op, arg } => {
                let of = self.expression(arg)?;
                Node::Unary(unary(*op), of)
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                let (left, right) = (self.expression(arg1)?, self.expression(arg2)?);
                Node::Binary(binary(*op), left, right)
            }
            ExprKind::ExtensionFunctionApp { fn_name, args } => return self.call(expr, &fn_name.to_string(), args),
            ExprKind::GetAttr { expr: of, attr } => {
                let of = self.expression(of)?;
                Node::Attribute(of, self.builder.text(attr))
            }
            ExprKind::HasAttr { expr: of, attr } => {
                let of = self.expression(of)?;
                let name = self.builder.text(attr);
                Node::Has(of, self.builder.names(std::iter::once(name)))
            }
            ExprKind::ExtHasAttr { expr: of, attrs } => {
                let of = self.expression(of)?;
                let names: Vec<Text> = attrs.iter().map(|attr| self.builder.text(attr)).collect();
                Node::Has(of, self.builder.names(names.into_iter()))
            }
            ExprKind::Like { expr: of, pattern } => {
                let of = self.expression(of)?;
                Node::Like(of, self.builder.pattern(between_wildcards(pattern.get_elems())))
            }
            ExprKind::Is { expr: of, entity_type } => {
                let of = self.expression(of)?;
                Node::Is(of, self.builder.text(&entity_type.to_string()))
            }
            ExprKind::Set(elements) => {
                let elements = elements.iter().map(|e| self.expression(e)).collect::<Result<Vec<_>, _>>()?;
                // What is written out is put down once and not with each request.
                let constants: Option<Vec<Value>> = elements.iter().map(|e| self.builder.constant(*e)).collect();
                match constants {
                    Some(constants) => Node::Value(Value::Set(self.builder.values(&constants))),
                    None => Node::Set(self.builder.list(&elements)),
                }
            }
            ExprKind::Record(fields) => {
                let names: Vec<Text> = fields.keys().map(|name| self.builder.text(name)).collect();
                let values = fields.values().map(|e| self.expression(e)).collect::<Result<Vec<_>, _>>()?;
                let constants: Option<Vec<Value>> = values.iter().map(|e| self.builder.constant(*e)).collect();
                match constants {
                    Some(constants) => {
                        let flat: Vec<Value> =
                            names.iter().zip(constants).flat_map(|(name, v)| [Value::Text(*name), v]).collect();
                        Node::Value(Value::Record(self.builder.values(&flat)))
                    }
                    None => {
                        let names = self.builder.names(names.into_iter());
                        Node::Record(names, self.builder.list(&values))
                    }
                }
            }
            ExprKind::Slot(_) => return Err(unknown("a slot that no link fills")),
            ExprKind::Unknown(_) => return Err(unknown("an unknown, which only partial evaluation has")),
            #[allow(unreachable_patterns, reason = "features of cedar-policy-core add kinds of expressions")]
            _ => return Err(unknown("a kind of expression that this build does not know")),
        })
    }

    fn expressions(&mut self, exprs: Vec<&Expr>) -> Result<partywall_authorization::List, Unlowered> {
        if exprs.len() > MOST_PARTS {
            let message = format!("`&&` or `||` joins {} conditions, more than {MOST_PARTS}", exprs.len());
            return Err(Unlowered { place: exprs.first().and_then(|e| e.source_loc().cloned()), message });
        }
        let parts = exprs.into_iter().map(|e| self.expression(e)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.builder.list(&parts))
    }

    fn literal(&mut self, literal: &ast::Literal) -> Value {
        match literal {
            ast::Literal::Bool(value) => Value::Bool(*value),
            ast::Literal::Long(value) => Value::Long(*value),
            ast::Literal::String(value) => Value::Text(self.builder.text(value)),
            ast::Literal::EntityUID(uid) => Value::Entity(entity(self.builder, uid)),
        }
    }

    fn call(&mut self, expr: &Expr, name: &str, arguments: &[Expr]) -> Result<Node, Unlowered> {
        let function = function(name).ok_or_else(|| Unlowered {
            place: expr.source_loc().cloned(),
            message: format!("a function `{name}` that this build does not know"),
        })?;
        let arguments = arguments.iter().map(|e| self.expression(e)).collect::<Result<Vec<_>, _>>()?;
        // A constant that cannot be read is left as it is: it is an error when it is reached, and not before.
        if let [only] = arguments.as_slice()
            && let Some(Value::Text(text)) = self.builder.constant(*only)
        {
            let text = self.builder.text_of(text);
            let value = match name {
                "decimal" => extension::decimal(text).map(Value::Decimal),
                "ip" => extension::ip(text).map(Value::Ip),
                "datetime" => extension::datetime(text).map(Value::Datetime),
                "duration" => extension::duration(text).map(Value::Duration),
                _ => None,
            };
            if let Some(value) = value {
                return Ok(Node::Value(value));
            }
        }
        Ok(Node::Call(function, self.builder.list(&arguments)))
    }
}

/// The number of an entity that a policy names.
pub(super) fn entity(builder: &mut Builder, uid: &ast::EntityUID) -> partywall_authorization::Entity {
    builder.entity(&uid.entity_type().to_string(), uid.eid().as_ref())
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

fn between_wildcards(elements: &[PatternElem]) -> Vec<String> {
    let mut parts = vec![String::new()];
    for element in elements {
        match (element, parts.last_mut()) {
            (PatternElem::Char(c), Some(last)) => last.push(*c),
            _ => parts.push(String::new()),
        }
    }
    parts
}

fn unary(op: UnaryOp) -> Unary {
    match op {
        UnaryOp::Not => Unary::Not,
        UnaryOp::Neg => Unary::Negate,
        UnaryOp::IsEmpty => Unary::IsEmpty,
    }
}

fn binary(op: BinaryOp) -> Binary {
    match op {
        BinaryOp::Eq => Binary::Equal,
        BinaryOp::Less => Binary::Less,
        BinaryOp::LessEq => Binary::LessEqual,
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Subtract,
        BinaryOp::Mul => Binary::Multiply,
        BinaryOp::In => Binary::In,
        BinaryOp::Contains => Binary::Contains,
        BinaryOp::ContainsAll => Binary::ContainsAll,
        BinaryOp::ContainsAny => Binary::ContainsAny,
        BinaryOp::GetTag => Binary::GetTag,
        BinaryOp::HasTag => Binary::HasTag,
    }
}
