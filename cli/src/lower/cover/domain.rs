//! The values that can make a difference to one policy.
//!
//! A condition of the subset only asks whether values are the same, so all values that it does not
//! name behave alike: the named ones and two others are enough to take every way that can be taken.

use std::collections::BTreeSet;

use partywall_authorization::{Id, Literal, Operand, Path, PolicyBody, ProgramBody, RequestFacts, Root, Test};
use partywall_tenancy::{Service, Tenant, TenantId, TenantStatus};

use super::super::schema;

/// The facts of one request, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Tenant of the principal.
    pub tenant: Tenant,
    /// Name of the principal within its tenant.
    pub subject: String,
    /// Roles of the principal.
    pub roles: Vec<String>,
    /// Action.
    pub action: String,
    /// Type of the resource.
    pub resource_type: String,
    /// Id of the resource.
    pub resource_id: String,
    /// Tenant of the resource. In a sidecar always the principal's; here not, so that
    /// `principal.tenant == resource.tenant` is seen both ways.
    pub owner: Tenant,
    /// SPIFFE ID of the service.
    pub service: String,
}

impl Case {
    /// The facts, as programs ask for them.
    pub fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            tenant: &self.tenant,
            subject: &self.subject,
            roles: &self.roles,
            action: &self.action,
            resource_type: &self.resource_type,
            resource_id: Id::plain(&self.resource_id),
            owner: &self.owner,
            service: &self.service,
        }
    }
}

/// One independent piece of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The action and the type of its resource.
    Action,
    Tenant,
    Tier,
    Residency,
    /// Whether principal and resource have one tenant. The owner's own facts matter only if not.
    Same,
    Owner,
    OwnerTier,
    OwnerResidency,
    Subject,
    ResourceId,
    Service,
    /// Whether the principal has this one of the roles.
    Role(usize),
}

impl Fact {
    const WITHOUT_ROLES: usize = 11;

    /// Where its choice stands in an assignment.
    pub(super) fn slot(self) -> usize {
        match self {
            Self::Action => 0,
            Self::Tenant => 1,
            Self::Tier => 2,
            Self::Residency => 3,
            Self::Owner => 4,
            Self::OwnerTier => 5,
            Self::OwnerResidency => 6,
            Self::Subject => 7,
            Self::ResourceId => 8,
            Self::Service => 9,
            Self::Same => 10,
            Self::Role(at) => Self::WITHOUT_ROLES + at,
        }
    }
}

/// What each fact can be. An assignment holds the position of a choice for each fact made so far.
pub(super) struct Domain {
    actions: Vec<(String, String)>,
    tenants: Vec<TenantId>,
    texts: Vec<String>,
    subjects: Vec<String>,
    ids: Vec<String>,
    services: Vec<String>,
    roles: Vec<String>,
}

impl Domain {
    /// The values that matter to the policy at `at`.
    pub(super) fn of(services: &[Service], program: &ProgramBody, at: usize) -> Self {
        let named = Named::in_policy(&program.policies[at]);
        let tenants = with_others(&named.tenants, "tenant");
        Self {
            actions: actions(services, program, at, &named),
            tenants: tenants.iter().filter_map(|id| TenantId::parse(id).ok()).collect(),
            texts: with_others(&named.texts, "text"),
            subjects: with_others(&named.subjects, "subject"),
            ids: with_others(&named.ids, "id"),
            services: with_others(&named.services, "spiffe://other.example/"),
            roles: named.roles.into_iter().collect(),
        }
    }

    /// Room for an assignment.
    pub(super) fn facts(&self) -> usize {
        Fact::WITHOUT_ROLES + self.roles.len()
    }

    /// How many choices there are.
    pub(super) fn choices(&self, fact: Fact) -> usize {
        match fact {
            Fact::Action => self.actions.len(),
            Fact::Tenant | Fact::Owner => self.tenants.len(),
            Fact::Tier | Fact::Residency | Fact::OwnerTier | Fact::OwnerResidency => self.texts.len(),
            Fact::Subject => self.subjects.len(),
            Fact::ResourceId => self.ids.len(),
            Fact::Service => self.services.len(),
            Fact::Same | Fact::Role(_) => 2,
        }
    }

    /// All facts on which the answer to `test` can depend.
    pub(super) fn asked(&self, test: &Test) -> Vec<Fact> {
        let pair = match test {
            Test::Equal(left, right) | Test::In(left, right) => [Some(left), Some(right)],
            Test::IsTrue(operand) => [Some(operand), None],
        };
        let role = match test {
            Test::In(_, Operand::Literal(Literal::Entity { kind, id })) if kind == "Role" => {
                self.roles.iter().position(|r| r == id).map(Fact::Role)
            }
            _ => None,
        };
        let mut facts: Vec<_> = pair.into_iter().flatten().flat_map(of).collect();
        // What is asked first can make the rest unnecessary.
        facts.sort_by_key(|fact| *fact != Fact::Same);
        facts.into_iter().chain(role).collect()
    }

    /// The next fact that has to be chosen before `test` can be answered.
    pub(super) fn next(&self, test: &Test, assignment: &[Option<usize>]) -> Option<Fact> {
        let asked = self.asked(test);
        let same = assignment[Fact::Same.slot()];
        let settled = match test {
            Test::Equal(Operand::Path(a), Operand::Path(b)) | Test::In(Operand::Path(a), Operand::Path(b)) => {
                let tenant = a.attributes.first().is_some_and(|first| first == "tenant");
                let mirrored = tenant && a.root != b.root && a.attributes == b.attributes;
                mirrored && (same == Some(1) || same == Some(0) && a.attributes.len() == 1)
            }
            _ => false,
        };
        asked.into_iter().filter(|fact| assignment[fact.slot()].is_none()).find(|fact| match fact {
            _ if settled => false,
            Fact::Owner | Fact::OwnerTier | Fact::OwnerResidency => same == Some(0),
            // Asked for in place of the owner's.
            Fact::Tenant | Fact::Tier | Fact::Residency if !asks_principal(test, *fact) => same == Some(1),
            _ => true,
        })
    }

    /// Whether a choice goes with those made before: two tenants that are not the same have two ids.
    pub(super) fn fits(&self, fact: Fact, choice: usize, assignment: &[Option<usize>]) -> bool {
        let other = match fact {
            Fact::Tenant => Fact::Owner,
            Fact::Owner => Fact::Tenant,
            _ => return true,
        };
        assignment[Fact::Same.slot()] == Some(1) || assignment[other.slot()] != Some(choice)
    }

    /// The request of an assignment. What nobody chose yet is what no policy names.
    pub(super) fn case(&self, assignment: &[Option<usize>]) -> Case {
        let chosen = |fact: Fact| assignment[fact.slot()];
        let choice = |fact: Fact| chosen(fact).unwrap_or(self.choices(fact) - 1);
        let other_than = |taken: Option<usize>| {
            let last = self.tenants.len() - 1;
            if taken == Some(last) { last - 1 } else { last }
        };
        let tenant = |id: usize, tier, residency| Tenant {
            id: self.tenants[id].clone(),
            tier: self.texts[choice(tier)].clone(),
            status: TenantStatus::Active,
            residency: self.texts[choice(residency)].clone(),
        };
        let at = chosen(Fact::Tenant).unwrap_or_else(|| other_than(chosen(Fact::Owner)));
        let principals = tenant(at, Fact::Tier, Fact::Residency);
        let owner = match choice(Fact::Same) {
            1 => principals.clone(),
            _ => {
                let at = chosen(Fact::Owner).unwrap_or_else(|| other_than(Some(at)));
                tenant(at, Fact::OwnerTier, Fact::OwnerResidency)
            }
        };
        let (action, resource_type) = self.actions[choice(Fact::Action)].clone();
        let has = |at: &usize| chosen(Fact::Role(*at)) == Some(1);
        Case {
            tenant: principals,
            subject: self.subjects[choice(Fact::Subject)].clone(),
            roles: (0..self.roles.len()).filter(has).map(|at| self.roles[at].clone()).collect(),
            action,
            resource_type,
            resource_id: self.ids[choice(Fact::ResourceId)].clone(),
            owner,
            service: self.services[choice(Fact::Service)].clone(),
        }
    }
}

fn of(operand: &Operand) -> Vec<Fact> {
    let Operand::Path(Path { root, attributes }) = operand else { return Vec::new() };
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    match (root, attributes.as_slice()) {
        (Root::Principal, []) => vec![Fact::Tenant, Fact::Subject],
        (Root::Principal, ["tenant", "tier"]) => vec![Fact::Tier],
        (Root::Principal, ["tenant", "residency"]) => vec![Fact::Residency],
        (Root::Principal, ["tenant", ..]) => vec![Fact::Tenant],
        (Root::Resource, []) => vec![Fact::Action, Fact::ResourceId],
        (Root::Resource, ["tenant", "tier"]) => vec![Fact::Same, Fact::Tier, Fact::OwnerTier],
        (Root::Resource, ["tenant", "residency"]) => vec![Fact::Same, Fact::Residency, Fact::OwnerResidency],
        (Root::Resource, ["tenant", ..]) => vec![Fact::Same, Fact::Tenant, Fact::Owner],
        (Root::Action, _) => vec![Fact::Action],
        (Root::Context, _) => vec![Fact::Service],
        (Root::Principal | Root::Resource, _) => Vec::new(),
    }
}

/// Whether `test` asks for this fact of the principal itself.
fn asks_principal(test: &Test, fact: Fact) -> bool {
    let asks = |operand: &Operand| {
        matches!(operand, Operand::Path(Path { root: Root::Principal, .. })) && of(operand).contains(&fact)
    };
    match test {
        Test::Equal(left, right) | Test::In(left, right) => asks(left) || asks(right),
        Test::IsTrue(operand) => asks(operand),
    }
}

/// One pair of action and resource type for each way in which the policy can tell pairs apart.
fn actions(services: &[Service], program: &ProgramBody, at: usize, named: &Named) -> Vec<(String, String)> {
    let types = schema::actions(services);
    let applicable =
        program.actions.iter().filter(|a| u32::try_from(at).is_ok_and(|at| a.policies.binary_search(&at).is_ok()));
    let (mut seen, mut pairs) = (BTreeSet::new(), Vec::new());
    for action in applicable {
        for kind in types.get(action.name.as_str()).into_iter().flatten() {
            let looks = (named.actions.get(&action.name), named.types.get(*kind));
            if seen.insert(looks) {
                pairs.push((action.name.clone(), (*kind).to_owned()));
            }
        }
    }
    pairs
}

/// What the literals of a policy name.
#[derive(Default)]
struct Named {
    actions: BTreeSet<String>,
    types: BTreeSet<String>,
    tenants: BTreeSet<String>,
    texts: BTreeSet<String>,
    subjects: BTreeSet<String>,
    ids: BTreeSet<String>,
    services: BTreeSet<String>,
    roles: BTreeSet<String>,
}

impl Named {
    fn in_policy(policy: &PolicyBody) -> Self {
        let mut named = Self::default();
        for node in &policy.nodes {
            match &node.test {
                Test::Equal(left, right) | Test::In(left, right) => {
                    named.add(left);
                    named.add(right);
                }
                Test::IsTrue(operand) => named.add(operand),
            }
        }
        named
    }

    fn add(&mut self, operand: &Operand) {
        let Operand::Literal(literal) = operand else { return };
        let (kind, id) = match literal {
            Literal::Text(text) => {
                self.texts.insert(text.clone());
                return;
            }
            Literal::Bool(_) | Literal::Long(_) => return,
            Literal::Entity { kind, id } => (kind.as_str(), id.clone()),
        };
        match kind {
            "Tenant" => self.tenants.insert(id),
            "Role" => self.roles.insert(id),
            "Workload" => self.services.insert(id),
            "Action" => self.actions.insert(id),
            "User" => id.split_once('/').is_some_and(|(tenant, subject)| {
                self.tenants.insert(tenant.to_owned());
                self.subjects.insert(subject.to_owned())
            }),
            _ => {
                self.types.insert(kind.to_owned());
                self.ids.insert(id)
            }
        };
    }
}

/// The named values, and two others.
fn with_others(named: &BTreeSet<String>, stem: &str) -> Vec<String> {
    let others = (1..).map(|n| format!("{stem}{n}")).filter(|other| !named.contains(other));
    named.iter().cloned().chain(others.take(2)).collect()
}
