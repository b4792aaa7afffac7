//! On which pieces of a request the answer to a condition can depend. More than it does is no harm, less would be.

use std::collections::BTreeSet;

use partywall_authorization::{
    Binary, Expression, Node, PRINCIPAL_SCOPE, PolicyBody, ProgramBody, RESOURCE_SCOPE, Scope, Text, Value, Variable,
};

use super::domain::{
    ACTION, CALLER, CLASSIFICATION, DATASET, Domain, ID, NETWORKS, OWNER, OWNER_RESIDENCY, OWNER_STATUS, OWNER_TIER,
    PURPOSE, RESIDENCY, SCOPE, SCOPES, SERVICE, STATUS, SUBJECT, TENANT, TIER, TIME, entity,
};
use super::nodes::children;

/// What the principal is made of.
const PRINCIPAL: [usize; 2] = [TENANT, SUBJECT];

/// Whose the resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The one or the other.
    Anybodys,
    /// The principal's tenant's.
    Own,
    /// Another's.
    Others,
}

/// The pieces that `at` depends on, where the resource is `whose`.
pub(super) fn of(
    domain: &Domain,
    program: &ProgramBody,
    policy: &PolicyBody,
    at: Expression,
    whose: Whose,
) -> BTreeSet<usize> {
    let mut pieces = BTreeSet::new();
    match at {
        PRINCIPAL_SCOPE => match policy.principal {
            Scope::In(of) | Scope::IsIn(_, of) if entity(program, of).0 == "Role" => {
                pieces.extend(domain.role(entity(program, of).1));
            }
            // Who it is, by itself: only a role can be something that it is in.
            _ => pieces.extend(PRINCIPAL),
        },
        RESOURCE_SCOPE => pieces.extend([ACTION, ID]),
        at => Pieces { domain, program, whose, found: &mut pieces }.expression(at),
    }
    pieces
}

struct Pieces<'a> {
    domain: &'a Domain,
    program: &'a ProgramBody,
    whose: Whose,
    found: &'a mut BTreeSet<usize>,
}

impl Pieces<'_> {
    fn expression(&mut self, at: Expression) {
        match self.program.nodes[at as usize] {
            Node::Variable(Variable::Principal) => self.found.extend(PRINCIPAL),
            Node::Variable(Variable::Action) => self.found.extend([ACTION]),
            Node::Variable(Variable::Resource) => self.found.extend([ACTION, ID]),
            Node::Variable(Variable::Context) => {
                self.found.extend([SERVICE, CALLER, PURPOSE, SCOPE, TIME]);
                self.found.extend(self.domain.set(NETWORKS).chain(self.domain.set(SCOPES)));
            }
            Node::Binary(Binary::In, left, right) if self.is_principal(left) && self.roles(right).is_some() => {
                let roles = self.roles(right).unwrap_or_default();
                self.found.extend(roles);
            }
            // In what, is told by the request.
            Node::Binary(Binary::In, left, right) => {
                if !matches!(self.program.nodes[right as usize], Node::Value(Value::Entity(_))) {
                    self.found.extend(self.domain.roles());
                }
                self.expression(left);
                self.expression(right);
            }
            Node::Binary(operator, left, right) if self.asks_for_elements(operator, left, right) => {}
            Node::Attribute(of, name) if matches!(self.name(name), "features" | "consents") => {
                let set = usize::from(self.name(name) == "consents");
                let pieces = [set, set + 2].map(|set| self.domain.set(set).collect::<Vec<_>>());
                self.of_tenant(of, &pieces[0], &pieces[1]);
            }
            Node::Is(of, _) if self.is_principal(of) => {}
            Node::Attribute(of, name) if self.is(of, Variable::Context) => match self.name(name) {
                "service" => self.found.extend([SERVICE]),
                "caller" => self.found.extend([CALLER]),
                "purpose" => self.found.extend([PURPOSE]),
                "scope" => self.found.extend([SCOPE]),
                "time" => self.found.extend([TIME]),
                "networks" => self.found.extend(self.domain.set(NETWORKS)),
                "scopes" => self.found.extend(self.domain.set(SCOPES)),
                _ => {}
            },
            Node::Attribute(of, name) if matches!(self.name(name), "dataset" | "classification") => {
                self.found.extend([if self.name(name) == "dataset" { DATASET } else { CLASSIFICATION }]);
                // Of an entity that the policy names, or that it found in another way, it is there if that is the
                // resource.
                if !self.is(of, Variable::Resource) {
                    self.found.extend([ACTION, ID]);
                    self.expression(of);
                }
            }
            Node::Attribute(of, name) if self.name(name) == "tenant" && self.is_principal(of) => {
                self.found.extend([TENANT]);
            }
            Node::Attribute(of, name) if self.name(name) == "tenant" && self.is(of, Variable::Resource) => {
                self.found.extend([TENANT, OWNER]);
            }
            Node::Attribute(of, name) if matches!(self.name(name), "tier" | "residency" | "status") => {
                let (own, owners) = match self.name(name) {
                    "tier" => (TIER, OWNER_TIER),
                    "status" => (STATUS, OWNER_STATUS),
                    _ => (RESIDENCY, OWNER_RESIDENCY),
                };
                self.of_tenant(of, &[own], &[owners]);
            }
            // A tenant as a whole may be put into a record and compared with what is in it.
            _ => children(self.program, at).into_iter().for_each(|child| self.expression(child)),
        }
    }

    /// Something of the tenant `of`: pieces of the principal's, and those of an owner who is another.
    fn of_tenant(&mut self, of: Expression, own: &[usize], others: &[usize]) {
        let resources = match self.program.nodes[of as usize] {
            Node::Attribute(of, name) if self.name(name) == "tenant" && self.is_principal(of) => {
                return self.found.extend(own);
            }
            Node::Attribute(of, name) => self.name(name) == "tenant" && self.is(of, Variable::Resource),
            _ => false,
        };
        match self.whose {
            Whose::Own if resources => return self.found.extend(own),
            Whose::Others if resources => return self.found.extend(others),
            _ => self.found.extend([TENANT, OWNER]),
        }
        self.found.extend(own);
        self.found.extend(others);
        // Of an entity that the policy names, or that it found in another way.
        if !resources {
            self.expression(of);
        }
    }

    /// Whether only some elements of a set are asked for, by texts that are written out; then also finds them.
    fn asks_for_elements(&mut self, operator: Binary, left: Expression, right: Expression) -> bool {
        let Node::Attribute(of, name) = self.program.nodes[left as usize] else { return false };
        let texts = match (operator, self.program.nodes[right as usize]) {
            (Binary::Contains, Node::Value(text @ Value::Text(_))) => vec![text],
            (Binary::ContainsAll | Binary::ContainsAny, Node::Value(Value::Set(slice))) => {
                self.program.values[slice.range()].to_vec()
            }
            _ => return false,
        };
        let text = |value: &Value| if let Value::Text(text) = value { Some(*text) } else { None };
        let texts: Option<Vec<Text>> = texts.iter().map(text).collect();
        let Some(texts) = texts else { return false };
        if matches!(self.name(name), "networks" | "scopes") && self.is(of, Variable::Context) {
            let set = if self.name(name) == "networks" { NETWORKS } else { SCOPES };
            let elements = texts.iter().filter_map(|text| self.domain.element(set, self.name(*text)));
            let elements: Vec<usize> = elements.collect();
            self.found.extend(elements);
            return true;
        }
        if !matches!(self.name(name), "features" | "consents") {
            return false;
        }
        let set = usize::from(self.name(name) == "consents");
        let elements =
            |set| texts.iter().filter_map(|text| self.domain.element(set, self.name(*text))).collect::<Vec<_>>();
        let (own, others) = (elements(set), elements(set + 2));
        self.of_tenant(of, &own, &others);
        true
    }

    fn name(&self, name: Text) -> &str {
        &self.program.texts[name.0 as usize]
    }

    fn is(&self, at: Expression, variable: Variable) -> bool {
        self.program.nodes[at as usize] == Node::Variable(variable)
    }

    fn is_principal(&self, at: Expression) -> bool {
        self.is(at, Variable::Principal)
    }

    /// The pieces of the roles that `at` writes out, if it is one or a set of them.
    fn roles(&self, at: Expression) -> Option<Vec<usize>> {
        let role = |value: &Value| match value {
            Value::Entity(of) => match entity(self.program, *of) {
                ("Role", id) => Some(self.domain.role(id)),
                _ => None,
            },
            _ => None,
        };
        match self.program.nodes[at as usize] {
            Node::Value(Value::Set(slice)) => self.program.values[slice.range()]
                .iter()
                .map(role)
                .collect::<Option<Vec<_>>>()
                .map(|all| all.into_iter().flatten().collect()),
            Node::Value(value) => role(&value).map(|piece| piece.into_iter().collect()),
            _ => None,
        }
    }
}
