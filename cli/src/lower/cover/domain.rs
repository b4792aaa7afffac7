//! The values that can make a difference to one policy.
//!
//! What policies of the directory ask is whether values are the same, or whether a text fits a pattern. So the values
//! that a policy names, texts that fit its patterns, and two others of each kind tell its branches apart. A set may hold
//! each text that the policy asks it for, and two others.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{self, EntityReference, EntityUID, Expr, ExprKind, PrincipalOrResourceConstraint, Var};
use partywall_authorization::{Entity, Id, ProgramBody, RequestFacts, extension};
use partywall_tenancy::{Attributes, NameSet, Scope, Service, Tenant, TenantId, TenantStatus, UnixSeconds};

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
    /// SPIFFE ID of the workload that calls it.
    pub caller: String,
    /// What the operation says of its data.
    pub attributes: Attributes,
    /// When it is decided.
    pub time: UnixSeconds,
    /// The networks that the client called from.
    pub networks: NameSet,
    /// The scopes of the credential.
    pub scopes: Vec<String>,
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
            caller: &self.caller,
            attributes: &self.attributes,
            time: self.time,
            networks: &self.networks,
            scopes: &self.scopes,
        }
    }
}

/// The pieces of a request, each with what it can be. A request is one choice for each.
pub(super) struct Domain {
    actions: Vec<(String, String)>,
    tenants: Vec<TenantId>,
    texts: Vec<String>,
    elements: Vec<String>,
    subjects: Vec<String>,
    ids: Vec<String>,
    services: Vec<String>,
    roles: Vec<String>,
    asks_tier: bool,
    asks_residency: bool,
    asks_status: bool,
    asks_features: bool,
    asks_consents: bool,
    asks_owner: bool,
    asks_dataset: bool,
    asks_classification: bool,
    asks_purpose: bool,
    asks_scope: bool,
    asks_caller: bool,
    asks_networks: bool,
    asks_scopes: bool,
    times: Vec<UnixSeconds>,
}

/// Where the choice for each piece stands; roles follow, and then, for each of the six [`SETS`] and each text, whether
/// the set holds it.
pub(super) const ACTION: usize = 0;
pub(super) const TENANT: usize = 1;
pub(super) const TIER: usize = 2;
pub(super) const RESIDENCY: usize = 3;
pub(super) const STATUS: usize = 4;
pub(super) const OWNER: usize = 5;
pub(super) const OWNER_TIER: usize = 6;
pub(super) const OWNER_RESIDENCY: usize = 7;
pub(super) const OWNER_STATUS: usize = 8;
pub(super) const SUBJECT: usize = 9;
pub(super) const ID: usize = 10;
pub(super) const SERVICE: usize = 11;
pub(super) const DATASET: usize = 12;
pub(super) const CLASSIFICATION: usize = 13;
pub(super) const PURPOSE: usize = 14;
pub(super) const TIME: usize = 15;
pub(super) const CALLER: usize = 16;
pub(super) const SCOPE: usize = 17;
const ROLES: usize = 18;

/// Features and consents of the principal's tenant, then of the owner; then the networks, then the scopes.
pub(super) const SETS: std::ops::Range<usize> = 0..6;
/// The set of the networks.
pub(super) const NETWORKS: usize = 4;
/// The set of the scopes.
pub(super) const SCOPES: usize = 5;

/// The scopes of which policies are asked; the first where none asks.
pub(crate) const SCOPES_OF_TENANTS: [Scope; 2] = [Scope::Tenant, Scope::GlobalRead];

impl Domain {
    /// The domain of a policy, as it is written: what the program makes of it is what is to be compared. `at` is its
    /// position in the program, which tells its actions.
    pub(super) fn of(services: &[Service], policy: &ast::Policy, program: &ProgramBody, at: usize) -> Self {
        let named = Named::in_policy(policy);
        let tenant = |name: String| TenantId::parse(&name).ok();
        Self {
            actions: actions(services, program, at, &named),
            // Two that nobody names, as they may be compared with each other; of the rest there is one in a request.
            tenants: with_others(&named.tenants, 2).into_iter().filter_map(tenant).collect(),
            elements: with_others(if named.any_element { &named.texts } else { &named.elements }, 2),
            texts: with_others(&named.texts, 2),
            subjects: with_others(&named.subjects, 1),
            ids: with_others(&named.ids, 1),
            // Two, as who calls may be compared with who is called.
            services: with_others(&named.services, 1 + usize::from(named.asks_caller)),
            times: named.times(),
            roles: named.roles.into_iter().collect(),
            asks_tier: named.asks_tier,
            asks_residency: named.asks_residency,
            asks_status: named.asks_status,
            asks_features: named.asks_features,
            asks_consents: named.asks_consents,
            asks_owner: named.asks_owner,
            asks_dataset: named.asks_dataset,
            asks_classification: named.asks_classification,
            asks_purpose: named.asks_purpose,
            asks_scope: named.asks_scope,
            asks_caller: named.asks_caller,
            asks_networks: named.asks_networks,
            asks_scopes: named.asks_scopes,
        }
    }

    /// Whether a set makes a difference.
    fn asks(&self, set: usize) -> bool {
        match set {
            NETWORKS => self.asks_networks,
            SCOPES => self.asks_scopes,
            _ => {
                let asked = if set.is_multiple_of(2) { self.asks_features } else { self.asks_consents };
                asked && (set < 2 || self.asks_owner)
            }
        }
    }

    /// For each piece how many choices there are.
    pub(super) fn choices(&self) -> Vec<usize> {
        let texts = |asked: bool| if asked { self.texts.len() } else { 1 };
        let (tier, residency) = (texts(self.asks_tier), texts(self.asks_residency));
        let status = if self.asks_status { TenantStatus::ALL.len() } else { 1 };
        let [owners, owner_tier, owner_residency, owner_status] =
            if self.asks_owner { [1 + self.tenants.len(), tier, residency, status] } else { [1; 4] };
        let mut choices = vec![
            self.actions.len(),
            self.tenants.len(),
            tier,
            residency,
            status,
            owners,
            owner_tier,
            owner_residency,
            owner_status,
            self.subjects.len(),
            self.ids.len(),
            self.services.len(),
            texts(self.asks_dataset),
            texts(self.asks_classification),
            texts(self.asks_purpose),
            self.times.len(),
            if self.asks_caller { self.services.len() } else { 1 },
            if self.asks_scope { SCOPES_OF_TENANTS.len() } else { 1 },
        ];
        choices.resize(ROLES + self.roles.len(), 2);
        for set in SETS {
            choices.resize(choices.len() + self.elements.len(), if self.asks(set) { 2 } else { 1 });
        }
        choices
    }

    /// The pieces that say what is in a set.
    pub(super) fn set(&self, set: usize) -> std::ops::Range<usize> {
        let start = ROLES + self.roles.len() + set * self.elements.len();
        start..start + self.elements.len()
    }

    /// The pieces of all sets.
    pub(super) fn elements(&self) -> std::ops::Range<usize> {
        self.set(SETS.start).start..self.set(SETS.end).start
    }

    /// The piece that says whether a set holds a text; none where the policy does not name it.
    pub(super) fn element(&self, set: usize, text: &str) -> Option<usize> {
        self.elements.iter().position(|named| named == text).map(|at| self.set(set).start + at)
    }

    /// The piece that says whether the principal has this role; none where no policy names it.
    pub(super) fn role(&self, role: &str) -> Option<usize> {
        self.roles.iter().position(|named| named == role).map(|at| ROLES + at)
    }

    /// The pieces that say which roles the principal has.
    pub(super) fn roles(&self) -> std::ops::Range<usize> {
        ROLES..ROLES + self.roles.len()
    }

    /// The request of these choices. An owner of zero is the principal's tenant.
    pub(super) fn case(&self, chosen: &[usize]) -> Case {
        let set = |set: usize| {
            let held = self.elements.iter().zip(&chosen[self.set(set)]).filter(|(_, held)| **held == 1);
            // No set has more.
            NameSet::new(held.map(|(text, _)| text).take(NameSet::MOST)).unwrap_or_default()
        };
        let tenant = |at: usize, [tier, residency, status]: [usize; 3], first: usize| Tenant {
            id: self.tenants[at].clone(),
            tier: self.texts[chosen[tier]].as_str().into(),
            status: TenantStatus::ALL[chosen[status]],
            residency: self.texts[chosen[residency]].as_str().into(),
            cell: None,
            features: set(first),
            consents: set(first + 1),
        };
        let principals = tenant(chosen[TENANT], [TIER, RESIDENCY, STATUS], 0);
        let owner = match chosen[OWNER].checked_sub(1) {
            Some(at) if at != chosen[TENANT] => tenant(at, [OWNER_TIER, OWNER_RESIDENCY, OWNER_STATUS], 2),
            _ => principals.clone(),
        };
        let (action, resource_type) = self.actions[chosen[ACTION]].clone();
        let has = self.roles.iter().zip(&chosen[self.roles()]).filter(|(_, has)| **has == 1);
        Case {
            tenant: principals,
            subject: self.subjects[chosen[SUBJECT]].clone(),
            roles: has.map(|(role, _)| role.clone()).collect(),
            action,
            resource_type,
            resource_id: self.ids[chosen[ID]].clone(),
            owner,
            service: self.services[chosen[SERVICE]].clone(),
            caller: self.services[chosen[CALLER]].clone(),
            attributes: Attributes {
                dataset: self.texts[chosen[DATASET]].clone(),
                classification: self.texts[chosen[CLASSIFICATION]].clone(),
                purpose: self.texts[chosen[PURPOSE]].clone(),
                scope: SCOPES_OF_TENANTS[chosen[SCOPE]],
                ..Attributes::default()
            },
            time: self.times[chosen[TIME]],
            networks: set(NETWORKS),
            scopes: set(SCOPES).iter().map(str::to_owned).collect(),
        }
    }
}

/// One pair of action and resource type for each way in which the policy can tell pairs apart.
fn actions(services: &[Service], program: &ProgramBody, at: usize, named: &Named) -> Vec<(String, String)> {
    let types = schema::actions(services);
    let applies = |a: &&partywall_authorization::ActionBody| {
        u32::try_from(at).is_ok_and(|at| a.policies.binary_search(&at).is_ok())
    };
    let applicable = program.actions.iter().filter(applies).map(|action| entity(program, action.action).1);
    let (mut seen, mut pairs) = (BTreeSet::new(), Vec::new());
    for action in applicable {
        for kind in types.get(action).into_iter().flatten() {
            let looks = (named.actions.get(action), named.types.get(*kind));
            if seen.insert(looks) {
                pairs.push((action.to_owned(), (*kind).to_owned()));
            }
        }
    }
    pairs
}

/// 2026-01-01, midnight: a time for policies that ask for none.
const SOME_DAY: UnixSeconds = 1_767_225_600;
/// Seconds of a day.
const DAY: i64 = 86_400;
/// 10000-01-01: later ones cannot be written.
const LAST: UnixSeconds = 253_402_300_800;
/// The most times that are tried for one policy.
const MOST_TIMES: usize = 2_000;

/// What the literals of a policy name.
#[derive(Default)]
pub(in crate::lower) struct Named {
    actions: BTreeSet<String>,
    types: BTreeSet<String>,
    pub(in crate::lower) tenants: BTreeSet<String>,
    texts: BTreeSet<String>,
    /// Texts that sets are asked for.
    elements: BTreeSet<String>,
    /// Whether a set may be asked for any other of the texts: one that is no literal.
    any_element: bool,
    pub(in crate::lower) subjects: BTreeSet<String>,
    pub(in crate::lower) ids: BTreeSet<String>,
    pub(in crate::lower) services: BTreeSet<String>,
    pub(in crate::lower) roles: BTreeSet<String>,
    asks_tier: bool,
    asks_residency: bool,
    asks_status: bool,
    asks_features: bool,
    asks_consents: bool,
    asks_owner: bool,
    asks_dataset: bool,
    asks_classification: bool,
    asks_purpose: bool,
    asks_time: bool,
    asks_scope: bool,
    asks_caller: bool,
    asks_networks: bool,
    asks_scopes: bool,
    /// Times and spans of time that it writes, in milliseconds.
    moments: BTreeSet<i64>,
    spans: BTreeSet<i64>,
}

impl Named {
    pub(in crate::lower) fn in_policy(policy: &ast::Policy) -> Self {
        let mut named = Self::default();
        for constraint in [policy.principal_constraint().as_inner(), policy.resource_constraint().as_inner()] {
            match constraint {
                PrincipalOrResourceConstraint::Any => {}
                PrincipalOrResourceConstraint::Eq(of) | PrincipalOrResourceConstraint::In(of) => named.reference(of),
                PrincipalOrResourceConstraint::Is(kind) => named.kind(&kind.to_string()),
                PrincipalOrResourceConstraint::IsIn(kind, of) => {
                    named.kind(&kind.to_string());
                    named.reference(of);
                }
            }
        }
        for expr in policy.non_scope_constraints().into_iter().flat_map(Expr::subexpressions) {
            named.expression(expr);
        }
        named
    }

    /// Whether it asks for what can be anything, whoever does whatever: when, from where, by whom, by which credential.
    pub(in crate::lower) fn asks_circumstances(&self) -> bool {
        self.asks_time || self.asks_caller || self.asks_networks || self.asks_scopes
    }

    fn expression(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(ast::Literal::String(text)) => {
                self.texts.insert(text.to_string());
            }
            ExprKind::Lit(ast::Literal::EntityUID(uid)) => self.entity(uid),
            ExprKind::Var(Var::Resource) => self.asks_owner = true,
            ExprKind::ExtensionFunctionApp { fn_name, args } => {
                if let [argument] = args.as_slice()
                    && let ExprKind::Lit(ast::Literal::String(text)) = argument.expr_kind()
                {
                    match fn_name.to_string().as_str() {
                        "datetime" => self.moments.extend(extension::datetime(text)),
                        "duration" => self.spans.extend(extension::duration(text)),
                        _ => {}
                    }
                }
            }
            ExprKind::GetAttr { attr, .. } => {
                self.asks_tier |= attr == "tier";
                self.asks_residency |= attr == "residency";
                self.asks_features |= attr == "features";
                self.asks_consents |= attr == "consents";
                self.asks_dataset |= attr == "dataset";
                self.asks_classification |= attr == "classification";
                self.asks_purpose |= attr == "purpose";
                self.asks_time |= attr == "time";
                self.asks_caller |= attr == "caller";
                self.asks_networks |= attr == "networks";
                self.asks_scopes |= attr == "scopes";
                if attr == "scope" {
                    self.asks_scope = true;
                    self.texts.extend(SCOPES_OF_TENANTS.map(|scope| scope.name().to_owned()));
                }
                if attr == "status" {
                    self.asks_status = true;
                    // A tier may be called as a status is.
                    self.texts.extend(TenantStatus::ALL.map(|status| status.name().to_owned()));
                }
            }
            ExprKind::BinaryApp { op: ast::BinaryOp::Contains, arg2, .. } => self.element(arg2),
            ExprKind::Set(elements) => elements.iter().for_each(|element| self.element(element)),
            ExprKind::Is { entity_type, .. } => self.kind(&entity_type.to_string()),
            // What stands for a wildcard is nothing, or something.
            ExprKind::Like { pattern, .. } => {
                let with = |wildcard: &str| -> String {
                    let of = |element: &ast::PatternElem| match element {
                        ast::PatternElem::Char(c) => c.to_string(),
                        ast::PatternElem::Wildcard => wildcard.to_owned(),
                    };
                    pattern.get_elems().iter().map(of).collect()
                };
                self.texts.extend([with(""), with("x")]);
            }
            _ => {}
        }
    }

    fn element(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(ast::Literal::String(text)) => {
                self.elements.insert(text.to_string());
            }
            // No text, or it is counted where it stands by itself.
            ExprKind::Lit(_) | ExprKind::Set(_) | ExprKind::Record(_) | ExprKind::Var(_) => {}
            _ => self.any_element = true,
        }
    }

    /// Seconds that the policy can tell apart: around each moment that it writes, and around those that its spans
    /// lead to, from such a moment and from midnight.
    fn times(&self) -> Vec<UnixSeconds> {
        if !self.asks_time {
            return vec![SOME_DAY];
        }
        let seconds = |millis: &i64| millis.div_euclid(1000);
        let moments: BTreeSet<i64> = self.moments.iter().map(seconds).collect();
        let day = i64::try_from(SOME_DAY).unwrap_or_default();
        let midnights = moments.iter().map(|moment| moment - moment.rem_euclid(DAY)).chain([day]);
        let starts: BTreeSet<i64> = moments.iter().copied().chain(midnights).collect();
        let one: BTreeSet<i64> = self.spans.iter().map(seconds).flat_map(|span| [span, -span]).chain([0]).collect();
        let spans: BTreeSet<i64> = one.iter().flat_map(|a| one.iter().map(move |b| a.saturating_add(*b))).collect();
        let around = |at: i64| [at, at.saturating_add(1), at.saturating_sub(1)];
        let found = starts.iter().flat_map(|start| spans.iter().map(move |span| start.saturating_add(*span)));
        let found: BTreeSet<UnixSeconds> =
            found.flat_map(around).filter_map(|at| u64::try_from(at).ok()).filter(|at| *at < LAST).collect();
        found.into_iter().take(MOST_TIMES).collect()
    }

    fn reference(&mut self, of: &EntityReference) {
        if let EntityReference::EUID(uid) = of {
            self.entity(uid);
        }
    }

    fn kind(&mut self, kind: &str) {
        self.types.insert(kind.to_owned());
    }

    fn entity(&mut self, uid: &EntityUID) {
        let kind = uid.entity_type().to_string();
        let id = AsRef::<str>::as_ref(uid.eid()).to_owned();
        match kind.as_str() {
            "Tenant" => self.tenants.insert(id),
            "Role" => self.roles.insert(id),
            "Workload" => self.services.insert(id),
            "Action" => self.actions.insert(id),
            "User" => id.split_once('/').is_some_and(|(tenant, subject)| {
                self.tenants.insert(tenant.to_owned());
                self.subjects.insert(subject.to_owned())
            }),
            _ => {
                self.types.insert(kind);
                self.ids.insert(id)
            }
        };
    }
}

/// Type and id of an entity that a program names.
pub(super) fn entity(program: &ProgramBody, entity: Entity) -> (&str, &str) {
    let text = |text: partywall_authorization::Text| program.texts[text.0 as usize].as_str();
    let (kind, id) = program.entities[entity.0 as usize];
    (text(kind), text(id))
}

/// The named values, and so many others.
fn with_others(named: &BTreeSet<String>, others: usize) -> Vec<String> {
    let other = (1..).map(|n| format!("other{n}")).filter(|other| !named.contains(other));
    named.iter().cloned().chain(other.take(others)).collect()
}
