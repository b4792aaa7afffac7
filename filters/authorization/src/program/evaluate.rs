//! Evaluation of one policy: steps forward, no allocation, no recursion.

use super::body::{Literal, Operand, PolicyBody, Target, Test};
use crate::{Entity, Facts, Id, Value};

/// What one policy says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its condition holds.
    Satisfied,
    /// Its condition does not hold.
    NotSatisfied,
    /// A value was missing or of another type. As in Cedar the policy then counts as not there,
    /// a `forbid` too; strict validation at compile time is what keeps this from happening.
    Error,
}

impl PolicyBody {
    /// Evaluates the condition of this policy. The caller has checked that it applies to the action.
    pub fn evaluate(&self, facts: &impl Facts) -> Verdict {
        self.trace(facts, |_, _| ())
    }

    /// Like [`PolicyBody::evaluate`]; `on_test` sees each node asked and its answer.
    pub fn trace(&self, facts: &impl Facts, mut on_test: impl FnMut(u32, bool)) -> Verdict {
        let mut target = self.entry;
        // INVARIANT: checked programs jump forward only; the count holds for unchecked ones as well.
        for _ in 0..=self.nodes.len() {
            let at = match target {
                Target::Satisfied => return Verdict::Satisfied,
                Target::NotSatisfied => return Verdict::NotSatisfied,
                Target::Node(at) => at,
            };
            let Some(node) = usize::try_from(at).ok().and_then(|at| self.nodes.get(at)) else { break };
            let Some(holds) = node.test.holds(facts) else { break };
            on_test(at, holds);
            target = if holds { node.on_true } else { node.on_false };
        }
        Verdict::Error
    }
}

impl Test {
    /// Whether it holds; `None` when a value is missing or of another type.
    pub fn holds(&self, facts: &impl Facts) -> Option<bool> {
        match self {
            Self::Equal(left, right) => {
                let (left, right) = (left.value(facts)?, right.value(facts)?);
                Some(left == right)
            }
            Self::In(left, right) => {
                let (left, right) = (left.value(facts)?, right.value(facts)?);
                let (Value::Entity(child), Value::Entity(ancestor)) = (&left, &right) else { return None };
                Some(child == ancestor || facts.is_in(child, ancestor))
            }
            Self::IsTrue(operand) => match operand.value(facts)? {
                Value::Bool(value) => Some(value),
                _ => None,
            },
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, facts: &'a impl Facts) -> Option<Value<'a>> {
        match self {
            Self::Literal(literal) => Some(literal.value()),
            Self::Path(path) => facts.value(path),
        }
    }
}

impl Literal {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Long(value) => Value::Long(*value),
            Self::Text(value) => Value::Text(value),
            Self::Entity { kind, id } => Value::Entity(Entity::new(kind, Id::plain(id))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, Node, Path, Root};

    /// Knows `principal`, in `Role::"a"`, and `context.yes`, `context.no` and `context.text`.
    struct Few;

    impl Facts for Few {
        fn value(&self, path: &Path) -> Option<Value<'_>> {
            match (path.root, path.attributes.first().map(String::as_str)) {
                (Root::Principal, None) => Some(Value::Entity(Entity::new("User", Id::plain("u")))),
                (Root::Context, Some("yes")) => Some(Value::Bool(true)),
                (Root::Context, Some("no")) => Some(Value::Bool(false)),
                (Root::Context, Some("text")) => Some(Value::Text("t")),
                _ => None,
            }
        }

        fn is_in(&self, child: &Entity<'_>, ancestor: &Entity<'_>) -> bool {
            child.kind == "User" && *ancestor == Entity::new("Role", Id::plain("a"))
        }
    }

    fn context(name: &str) -> Operand {
        Operand::Path(Path { root: Root::Context, attributes: vec![name.into()] })
    }

    fn principal() -> Operand {
        Operand::Path(Path { root: Root::Principal, attributes: vec![] })
    }

    fn entity(kind: &str, id: &str) -> Operand {
        Operand::Literal(Literal::Entity { kind: kind.into(), id: id.into() })
    }

    fn node(test: Test, on_true: Target, on_false: Target) -> Node {
        Node { test, on_true, on_false }
    }

    fn policy(nodes: Vec<Node>) -> PolicyBody {
        PolicyBody { id: "p".into(), effect: Effect::Permit, annotations: vec![], entry: Target::Node(0), nodes }
    }

    fn verdict(test: Test) -> Verdict {
        policy(vec![node(test, Target::Satisfied, Target::NotSatisfied)]).evaluate(&Few)
    }

    #[test]
    fn tests_hold_or_not() {
        use Verdict::{NotSatisfied, Satisfied};
        assert_eq!(verdict(Test::IsTrue(context("yes"))), Satisfied);
        assert_eq!(verdict(Test::IsTrue(context("no"))), NotSatisfied);
        assert_eq!(verdict(Test::Equal(context("text"), Operand::Literal(Literal::Text("t".into())))), Satisfied);
        assert_eq!(verdict(Test::Equal(context("text"), Operand::Literal(Literal::Text("u".into())))), NotSatisfied);
        assert_eq!(verdict(Test::Equal(context("yes"), context("text"))), NotSatisfied);
        assert_eq!(verdict(Test::Equal(principal(), entity("User", "u"))), Satisfied);
        assert_eq!(verdict(Test::In(principal(), entity("Role", "a"))), Satisfied);
        assert_eq!(verdict(Test::In(principal(), entity("Role", "b"))), NotSatisfied);
        assert_eq!(verdict(Test::In(principal(), entity("User", "u"))), Satisfied);
        assert_eq!(verdict(Test::In(entity("Role", "b"), entity("Role", "b"))), Satisfied);
    }

    #[test]
    fn a_missing_value_or_a_wrong_type_is_an_error() {
        assert_eq!(verdict(Test::IsTrue(context("nothing"))), Verdict::Error);
        assert_eq!(verdict(Test::IsTrue(context("text"))), Verdict::Error);
        assert_eq!(verdict(Test::Equal(context("nothing"), context("yes"))), Verdict::Error);
        assert_eq!(verdict(Test::Equal(context("yes"), context("nothing"))), Verdict::Error);
        assert_eq!(verdict(Test::In(context("text"), entity("Role", "a"))), Verdict::Error);
        assert_eq!(verdict(Test::In(principal(), context("text"))), Verdict::Error);
    }

    #[test]
    fn what_is_not_reached_is_not_asked() {
        let nothing = || Test::IsTrue(context("nothing"));
        let either = vec![
            node(Test::IsTrue(context("yes")), Target::Satisfied, Target::Node(1)),
            node(nothing(), Target::Satisfied, Target::NotSatisfied),
        ];
        assert_eq!(policy(either).evaluate(&Few), Verdict::Satisfied);
        let both = vec![
            node(Test::IsTrue(context("no")), Target::Node(1), Target::NotSatisfied),
            node(nothing(), Target::Satisfied, Target::NotSatisfied),
        ];
        assert_eq!(policy(both).evaluate(&Few), Verdict::NotSatisfied);
    }

    #[test]
    fn an_unchecked_loop_ends_as_an_error() {
        let circle = vec![node(Test::IsTrue(context("yes")), Target::Node(0), Target::Node(0))];
        assert_eq!(policy(circle).evaluate(&Few), Verdict::Error);
    }
}
