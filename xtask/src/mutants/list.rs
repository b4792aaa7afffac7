//! What is changed, one at a time: each stands in its file exactly once, and each must be noticed by a test.
//!
//! Not in the list, since no test could tell: the check of `Scope` behind the index where the index has settled it;
//! `FEW` in the index, the slots of `Table` and the order of `buckets`, which decide how fast an answer comes and not
//! which; the early `a == b` of two sets, which their elements would say as well.

/// One change: a file, the text that stands in it, and what is put there.
pub(super) struct Mutation {
    pub(super) file: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

const fn mutation(file: &'static str, from: &'static str, to: &'static str) -> Mutation {
    Mutation { file, from, to }
}

const EVALUATE: &str = "filters/authorization/src/program/evaluate.rs";
const LISTS: &str = "filters/authorization/src/program/lists.rs";
const FUNCTIONS: &str = "filters/authorization/src/program/functions.rs";
const INDEX: &str = "filters/authorization/src/program/index.rs";
const PROGRAM: &str = "filters/authorization/src/program.rs";
const FACTS: &str = "filters/authorization/src/facts.rs";
const IP: &str = "filters/authorization/src/extension/ip.rs";
const DATETIME: &str = "filters/authorization/src/extension/datetime.rs";
const DECIMAL: &str = "filters/authorization/src/extension/decimal.rs";
const EXPRESSION: &str = "cli/src/lower/expression.rs";
const POLICIES: &str = "cli/src/lower/policies.rs";
const BUILD: &str = "cli/src/lower/build.rs";
const TRANSLATE: &str = "cli/src/lower/translate.rs";

/// All of them.
pub(super) const ALL: &[Mutation] = &[
    // Comparisons and arithmetic.
    mutation(EVALUATE, "Value::Bool(a < b)", "Value::Bool(a <= b)"),
    mutation(EVALUATE, "Value::Bool(a <= b)", "Value::Bool(a < b)"),
    mutation(EVALUATE, "long(a.checked_add(b))", "long(Some(a.wrapping_add(b)))"),
    mutation(EVALUATE, "long(a.checked_sub(b))", "long(b.checked_sub(a))"),
    mutation(EVALUATE, "long(a.checked_mul(b))", "long(a.checked_add(b))"),
    mutation(EVALUATE, "value.checked_neg().map(Value::Long).ok_or(Failed)", "Ok(Value::Long(value.wrapping_neg()))"),
    mutation(
        EVALUATE,
        "| (Value::Duration(a), Value::Duration(b)) =>",
        "| (Value::Duration(b), Value::Duration(a)) =>",
    ),
    // Conditions.
    mutation(
        EVALUATE,
        "if !self.truth(*part)? {\n                return Ok(false);",
        "if self.truth(*part)? {\n                return Ok(false);",
    ),
    mutation(EVALUATE, "return Ok(Value::Bool(true));", "return Ok(Value::Bool(false));"),
    mutation(EVALUATE, "if self.truth(test)? { yes } else { no }", "if self.truth(test)? { no } else { yes }"),
    mutation(EVALUATE, "Value::Bool(!truth)", "Value::Bool(truth)"),
    mutation(EVALUATE, "Err(Failed) => Verdict::Error,", "Err(Failed) => Verdict::NotSatisfied,"),
    mutation(EVALUATE, "Ok(false) => Verdict::NotSatisfied,", "Ok(false) => Verdict::Satisfied,"),
    // Scopes, hierarchies, types, attributes and tags.
    mutation(EVALUATE, "Scope::Equal(named) => entity == named,", "Scope::Equal(named) => self.is_in(entity, named),"),
    mutation(
        EVALUATE,
        "Scope::In(ancestor) => self.is_in(entity, ancestor),",
        "Scope::In(ancestor) => entity == ancestor,",
    ),
    mutation(
        EVALUATE,
        "self.kind(entity) == Some(kind) && self.is_in(entity, ancestor)",
        "self.is_in(entity, ancestor)",
    ),
    mutation(EVALUATE, "child == ancestor || self.world.is_in(child, ancestor)", "self.world.is_in(child, ancestor)"),
    mutation(
        EVALUATE,
        "Ok(Value::Bool(self.kind(entity) == Some(kind)))",
        "Ok(Value::Bool(self.kind(entity) != Some(kind)))",
    ),
    mutation(EVALUATE, "Lookup::Found(inner) => value = inner,", "Lookup::Found(_) => {}"),
    mutation(
        EVALUATE,
        "Lookup::Missing | Lookup::NoEntity => return Ok(false),",
        "Lookup::Missing | Lookup::NoEntity => return Err(Failed),",
    ),
    mutation(
        EVALUATE,
        "Ok(Value::Bool(matches!(self.world.tag(entity, name), Lookup::Found(_))))",
        "Ok(Value::Bool(matches!(self.world.attribute(entity, name), Lookup::Found(_))))",
    ),
    mutation(
        EVALUATE,
        "Value::Set(set)) => Ok(Value::Bool(set.len == 0)),",
        "Value::Set(set)) => Ok(Value::Bool(set.len != 0)),",
    ),
    // Sets and records.
    mutation(LISTS, "(self.contains_all(a, b)? && self.contains_all(b, a)?)", "self.contains_all(a, b)?"),
    mutation(LISTS, "if a.len != b.len {", "if a.len > b.len {"),
    mutation(
        LISTS,
        "if !self.contains(set, self.element(part, at)?)? {",
        "if self.contains(set, self.element(part, at)?)? {",
    ),
    mutation(
        LISTS,
        "if self.contains(set, self.element(part, at)?)? {\n                return Ok(true);",
        "if self.contains(set, self.element(part, at)?)? {\n                return Ok(false);",
    ),
    mutation(
        LISTS,
        "let Value::Entity(ancestor) = self.element(set, at)? else { return Err(Failed) };",
        "let Value::Entity(ancestor) = self.element(set, at)? else { continue };",
    ),
    mutation(
        LISTS,
        ".and_then(|text| text.strip_suffix(last.as_str()))",
        ".and_then(|text| Some(text.trim_end_matches(last.as_str())))",
    ),
    mutation(LISTS, "text.split_once(part.as_str())", "text.rsplit_once(part.as_str())"),
    mutation(EVALUATE, "let start = scratch.len();", "let start = 0usize;"),
    // Extensions.
    mutation(FUNCTIONS, "Ok(Value::Bool(child.is_in(range)))", "Ok(Value::Bool(range.is_in(child)))"),
    mutation(FUNCTIONS, "Ok(Value::Bool(a > b))", "Ok(Value::Bool(a >= b))"),
    mutation(FUNCTIONS, "truth(!network.is_six())", "truth(true)"),
    mutation(FUNCTIONS, "at.checked_sub(since)", "since.checked_sub(at)"),
    mutation(FUNCTIONS, "millis / 3_600_000", "millis / 360_000"),
    mutation(IP, "other_first <= first && last <= other_last", "other_first <= first"),
    mutation(IP, "self.six == other.six && ", ""),
    mutation(IP, "first & mask == byte & mask && self.prefix >= bits", "first & mask == byte & mask"),
    mutation(IP, "(digits == \"0\" || !digits.starts_with('0'))", "true"),
    mutation(DATETIME, "if *sign == b'+' { east } else { -east }", "if *sign == b'+' { -east } else { east }"),
    mutation(DATETIME, "year % 100 != 0 || year % 400 == 0", "year % 100 != 0"),
    mutation(DATETIME, "millis.checked_sub(millis.rem_euclid(DAY))", "millis.checked_sub(millis % DAY)"),
    mutation(DECIMAL, "if negative { whole.checked_sub(fraction) }", "if whole < 0 { whole.checked_sub(fraction) }"),
    // Which policies are asked, and what comes of it.
    mutation(
        PROGRAM,
        "(Some(policy), Effect::Forbid) => return (Outcome::Forbidden(policy), errors),",
        "(Some(policy), Effect::Forbid) => return (Outcome::Permitted(policy), errors),",
    ),
    mutation(PROGRAM, "let allowed = forbids.is_empty() && !permits.is_empty()", "let allowed = !permits.is_empty()"),
    mutation(PROGRAM, "if evaluation.exhausted() {", "if false {"),
    mutation(EVALUATE, "[Self::Forbid, Self::Permit]", "[Self::Permit, Self::Forbid]"),
    mutation(
        INDEX,
        "Scope::Is(kind) | Scope::IsIn(kind, _) => (Some(kind), at),",
        "Scope::Is(kind) | Scope::IsIn(kind, _) => (Some(Text(kind.0 + 1)), at),",
    ),
    mutation(INDEX, "if any(lists.under(entity)) || world", "if world"),
    mutation(
        INDEX,
        "None => self.by_tenant.keys.iter().any(|(tenant, ..)| any(self.by_tenant.under(*tenant))),",
        "None => false,",
    ),
    mutation(INDEX, "of_some.partition_point(|(of, _)| *of < kind)", "of_some.partition_point(|(of, _)| *of <= kind)"),
    mutation(INDEX, "(&self.by_resource, Variable::Resource)]", "(&self.by_resource, Variable::Principal)]"),
    mutation(EVALUATE, "(None, Scope::In(_)) => Scope::Any,", "(_, Scope::In(_)) => Scope::Any,"),
    mutation(EVALUATE, "(None, Scope::In(_)) => Scope::Any,", "(None, Scope::Equal(_) | Scope::In(_)) => Scope::Any,"),
    mutation(EVALUATE, "Scope::IsIn(_, ancestor) => Scope::In(ancestor),", "Scope::IsIn(..) => Scope::Any,"),
    // Facts of a request.
    mutation(FACTS, "tier if tier == self.names.tier => text(0),", "tier if tier == self.names.tier => text(1),"),
    mutation(FACTS, "before.unwrap_or(place)", "place"),
    mutation(FACTS, "Some(texts.position(text).is_some())", "Some(texts.position(text).is_none())"),
    mutation(FACTS, "NAMES + SPAN * set + nth", "NAMES + nth"),
    mutation(FACTS, "set_at(nth + if own { 0 } else { SETS }, names.len())", "set_at(nth, names.len())"),
    mutation(FACTS, "set_at(NETWORKS, self.facts.networks.len())", "set_at(0, self.facts.networks.len())"),
    mutation(FACTS, "set_at(SCOPES, self.facts.scopes.len())", "set_at(NETWORKS, self.facts.scopes.len())"),
    mutation(FACTS, "self.facts.caller == self.facts.service", "false"),
    mutation(FACTS, "SCOPE => return Some(self.facts.attributes.scope.name())", "SCOPE => return Some(\"tenant\")"),
    mutation(FACTS, "facts.scopes.len() > MOST_SCOPES", "facts.scopes.len() >= MOST_SCOPES"),
    mutation(
        FACTS,
        "child == self.principal() && self.roles().contains(&ancestor)",
        "self.roles().contains(&ancestor)",
    ),
    mutation(FACTS, "_ if entity == self.resource => self.resource_kind,", "_ if entity == self.resource => None,"),
    // Lowering.
    mutation(EXPRESSION, "BinaryOp::Less => Binary::Less,", "BinaryOp::Less => Binary::LessEqual,"),
    mutation(EXPRESSION, "BinaryOp::In => Binary::In,", "BinaryOp::In => Binary::Equal,"),
    mutation(
        EXPRESSION,
        "BinaryOp::ContainsAll => Binary::ContainsAll,",
        "BinaryOp::ContainsAll => Binary::ContainsAny,",
    ),
    mutation(EXPRESSION, "UnaryOp::Neg => Unary::Negate,", "UnaryOp::Neg => Unary::Not,"),
    mutation(EXPRESSION, "ExprKind::And { .. } => Node::All(", "ExprKind::And { .. } => Node::Any("),
    mutation(
        EXPRESSION,
        "waiting.extend([&**right, &**left]),\n            ExprKind::Or",
        "waiting.extend([&**left, &**right]),\n            ExprKind::Or",
    ),
    mutation(EXPRESSION, "_ => parts.push(String::new()),", "_ => {}"),
    mutation(EXPRESSION, "Var::Resource => Variable::Resource,", "Var::Resource => Variable::Principal,"),
    mutation(
        EXPRESSION,
        "Node::If(self.expression(test_expr)?, self.expression(then_expr)?, self.expression(else_expr)?)",
        "Node::If(self.expression(test_expr)?, self.expression(else_expr)?, self.expression(then_expr)?)",
    ),
    mutation(POLICIES, "ast::Effect::Permit => Effect::Permit,", "ast::Effect::Permit => Effect::Forbid,"),
    mutation(
        POLICIES,
        "uids.iter().any(|uid| **uid == *action || is_in(action, uid))",
        "uids.iter().any(|uid| **uid == *action)",
    ),
    mutation(
        POLICIES,
        "PrincipalOrResourceConstraint::In(of) => Scope::In(named(of)?),",
        "PrincipalOrResourceConstraint::In(of) => Scope::Equal(named(of)?),",
    ),
    mutation(POLICIES, "Scope::IsIn(builder.text(&kind.to_string()), of)", "Scope::In(of)"),
    mutation(BUILD, "\"lessThanOrEqual\" => Function::LessThanOrEqual,", "\"lessThanOrEqual\" => Function::LessThan,"),
    mutation(BUILD, "\"toSeconds\" => Function::ToSeconds,", "\"toSeconds\" => Function::ToMinutes,"),
    mutation(TRANSLATE, "conditions.insert(0, condition)", "conditions.push(condition)"),
    mutation(TRANSLATE, "\"Tenant\", \"id\": tenant", "\"Role\", \"id\": tenant"),
];
