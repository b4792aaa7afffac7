//! From a tenant context and a request to one decision.

use std::borrow::Cow;

use partywall_tenancy::{
    Attributes, Bundle, Crossing, Leave, Operation, ProvedBy, Reason, Refusal, RouteWords, Scope, Service, SpiffeId,
    Tenant, TenantContext, TenantId, UnixSeconds, reads,
};

use crate::operations::Denial;
use crate::routes;
use crate::rules::{self, Asked};
use crate::table::Table;
use crate::{
    ActionIndex, Answer, Call, Found, Id, Names, Operations, Outcome, PolicyBody, Program, RequestFacts, RequestWorld,
    Scratch, Verdict,
};

/// What a request wants, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Who acts, as established by `tenant-context`.
    pub context: &'a TenantContext,
    /// The tenant of the context, as the bundle has it.
    pub tenant: &'a Tenant,
    /// The name of the service called.
    pub service: &'a str,
    /// What it is.
    pub call: Call<'a>,
    /// The region in which this is decided, as datasets' `residency` names it; empty where nobody knows.
    pub region: &'a str,
    /// When it is decided.
    pub time: UnixSeconds,
}

/// Whether a request may pass, and what settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It may.
    Allow {
        /// The policy that permits it.
        policy: &'a str,
        /// How many policies could not be evaluated.
        errors: u32,
    },
    /// It may not.
    Deny {
        /// Why.
        reason: Reason,
        /// The policy that forbids it, if one does.
        policy: Option<&'a str>,
        /// More for the log, in plain words.
        detail: &'static str,
        /// How many policies could not be evaluated.
        errors: u32,
    },
}

/// What came of a request that may be one into another tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Across<'a> {
    /// There is no leave, or none is needed.
    Decided(Decision<'a>),
    /// It may pass, by this grant or share.
    Granted {
        /// The grant or share.
        leave: Leave,
        /// How many policies could not be evaluated.
        errors: u32,
    },
    /// A grant or share would let it pass, and it is denied all the same, as by a policy that forbids: no mode lets it
    /// into the other tenant.
    Kept(Decision<'a>),
}

/// Everything of one bundle that decides requests, ready for use.
#[derive(Debug)]
pub struct Authorization {
    program: Program,
    names: Names,
    scratch: Scratch,
    services: Table<CalledService>,
    asked: Asked,
}

#[derive(Debug)]
struct CalledService {
    spiffe_id: Box<str>,
    operations: Operations,
    /// The action of each operation, by its position; none of what is the platform's, of which policies say nothing.
    actions: Box<[Option<ActionIndex>]>,
    /// What words of routes mean; `None` where nobody listens to them.
    routes: Option<RouteWords>,
}

impl Authorization {
    /// Reads the program of `bundle` and compiles the operations of its services.
    /// A bundle that fails here must not be installed.
    pub fn new(bundle: &Bundle) -> Result<Self, Refusal> {
        let body = bundle.body();
        let program = Program::read(&body.program).map_err(|e| Refusal::Inconsistent(e.to_string()))?;
        Self::from_parts(program, &body.services)
    }

    /// Like [`Authorization::new`], from what a bundle would hold: for checks before it is signed.
    pub fn from_parts(program: Program, services: &[Service]) -> Result<Self, Refusal> {
        let mut called_services = Vec::with_capacity(services.len());
        for service in services {
            let called = CalledService::new(service, &program)
                .map_err(|what| Refusal::Inconsistent(format!("service `{}`: {what}", service.name)))?;
            called_services.push((service.name.as_str(), called));
        }
        let names = Names::of(&program);
        let (services, asked) = (Table::of(called_services), Asked::of(services));
        Ok(Self { program, names, scratch: Scratch::default(), services, asked })
    }

    /// The decision program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The operation of `service` that covers a request. `None` also where nobody can say which one does.
    pub fn operation<'p>(&self, service: &str, call: &Call<'p>) -> Option<Found<'_, 'p>> {
        self.services.get(service)?.operations.find(call).ok()?
    }

    /// Whether what routes that lead to `service` say counts for anything.
    pub fn listens_to_routes(&self, service: &str) -> bool {
        self.services.get(service).is_some_and(|called| called.routes.is_some())
    }

    /// Whether bundle and route contradict each other in what the request asks for, so that it is denied.
    pub fn contradicts_route(&self, service: &str, call: &Call<'_>) -> bool {
        let found = self.services.get(service).zip(self.operation(service, call));
        found.is_some_and(|(called, found)| called.agreed(&found, call).is_err())
    }

    /// What the operation that covers a request touches, with what the request's route fills in. `None` where there is no
    /// such operation, or bundle and route contradict each other.
    pub fn attributes(&self, service: &str, call: &Call<'_>) -> Option<Cow<'_, Attributes>> {
        let called = self.services.get(service)?;
        let found = called.operations.find(call).ok()??;
        let filled = called.agreed(&found, call).ok()?;
        Some(filled.map_or(Cow::Borrowed(&found.operation().attributes), |filled| Cow::Owned(*filled)))
    }

    /// Whether `path` of `service` is one of another tenant than `tenant`, with whatever method.
    pub fn leads_elsewhere(&self, service: &str, path: &str, tenant: &TenantId) -> bool {
        self.services.get(service).is_some_and(|called| called.operations.leads_elsewhere(path, tenant))
    }

    /// Whether policies or attributes name this role; another one decides nothing.
    pub fn names_role(&self, role: &str) -> bool {
        self.asked.roles.contains(role) || self.names.roles.entity(Id::plain(role)).is_some()
    }

    /// Whether policies ask for the features of a tenant and name this one, or attributes do.
    pub fn names_feature(&self, feature: &str) -> bool {
        self.asked.features.contains(feature) || (self.names.features.is_some() && self.names.text(feature).is_some())
    }

    /// Whether policies ask for the consents of a tenant and name this one, or attributes do.
    pub fn names_consent(&self, consent: &str) -> bool {
        self.asked.consents.contains(consent) || (self.names.consents.is_some() && self.names.text(consent).is_some())
    }

    /// Whether policies ask for the networks of a request: then each of them may make a difference, named or not.
    pub fn reads_networks(&self) -> bool {
        self.names.networks.is_some()
    }

    /// Whether policies ask for the scopes of a credential.
    pub fn reads_scopes(&self) -> bool {
        self.names.scopes.is_some()
    }

    /// Whether policies ask for the scopes of a credential and name this one. That there is another may make a difference
    /// all the same, as to `isEmpty`.
    pub fn names_scope(&self, scope: &str) -> bool {
        self.names.scopes.is_some() && self.names.text(scope).is_some()
    }

    /// Whether policies ask who calls.
    pub fn reads_caller(&self) -> bool {
        self.names.caller.is_some()
    }

    /// The roles that attributes name: those that are cleared for something.
    pub fn cleared_roles(&self) -> impl Iterator<Item = &str> {
        self.asked.roles.iter().map(|role| &**role)
    }

    /// Every policy that has something to say about the request, where the program is asked at all.
    /// Allocates; requests are decided by [`authorize`].
    pub fn answer(&self, query: &Query<'_>) -> Option<Answer<'_>> {
        let wanted = self.wanted(query).ok()?;
        let facts = wanted.facts(query, query.tenant).ok()?;
        let world = RequestWorld::new(&facts, &self.names)?;
        Some(self.program.answer(wanted.action, &world))
    }

    /// What each policy that can apply to the request says, in their order, where the program is asked at all. With an
    /// `owner`, as if the resource were that tenant's: what the policies say where isolation is not built in.
    /// Allocates; requests are decided by [`authorize`].
    pub fn verdicts(&self, query: &Query<'_>, owner: Option<&Tenant>) -> Option<Vec<(&PolicyBody, Verdict)>> {
        let wanted = self.wanted(query).ok()?;
        let facts = wanted.facts(query, owner.unwrap_or(query.tenant)).ok()?;
        let world = RequestWorld::new(&facts, &self.names)?;
        let applicable = self.program.applicable(wanted.action);
        Some(applicable.map(|policy| (policy, self.program.evaluate(policy, &world, &|_, _| ()))).collect())
    }

    /// INVARIANT: what is denied here never reaches a policy, so no policy can lift it.
    // Its answer is large, so it is not handed over.
    #[inline(always)]
    fn wanted<'a>(&'a self, query: &Query<'a>) -> Result<Wanted<'a>, Denial> {
        let Some(service) = self.services.get(query.service) else {
            return Err((Reason::ResourceUnmapped, "the bundle knows no such service"));
        };
        let found = service.operations.find(&query.call).map_err(|what| (Reason::AmbiguousRequest, what))?;
        let Some(found) = found else {
            return Err((Reason::ResourceUnmapped, "no operation of the service covers the request"));
        };
        let operation = found.operation();
        match operation.attributes.scope {
            // INVARIANT: no tenant's principal reaches what is the platform's, whatever policies, grants and modes say.
            Scope::Platform => return Err((Reason::CallerDenied, "the operation is for platform principals alone")),
            Scope::GlobalRead if query.context.proved_by == ProvedBy::Nothing => {
                return Err((Reason::TenantMissing, "what is nobody's is for those who proved a tenant"));
            }
            Scope::GlobalRead | Scope::Tenant => {}
        }
        let Some(action) = service.actions.get(found.position()).copied().flatten() else {
            return Err((Reason::ResourceUnmapped, "the operation has no action"));
        };
        if query.context.tenant != query.tenant.id {
            return Err((Reason::TenantConflict, "the context is of another tenant"));
        }
        let filled = service.agreed(&found, &query.call).map_err(|what| (Reason::ResourceUnmapped, what))?;
        if found.is_named_by_route() && service.operations.leads_elsewhere(query.call.path, &query.tenant.id) {
            return Err((Reason::ResourceForeign, "its route names the operation, and its path another owner"));
        }
        let owner = found.owner()?;
        Ok(Wanted { service, found, action, owner, filled })
    }
}

/// An operation that a request asks for.
struct Wanted<'a> {
    service: &'a CalledService,
    found: Found<'a, 'a>,
    action: ActionIndex,
    /// The owner that the request shows.
    owner: Option<&'a str>,
    /// What it touches, where its route says some of that.
    filled: Option<Box<Attributes>>,
}

impl<'a> Wanted<'a> {
    #[inline(always)]
    fn attributes(&self) -> &Attributes {
        self.filled.as_deref().unwrap_or(&self.found.operation().attributes)
    }

    /// What policies are asked about, where the resource is `owner`'s: the query's own tenant, or the one that a grant
    /// or a share lets it cross into.
    ///
    /// INVARIANT: what is denied here never reaches a policy, so no policy can lift it.
    #[inline(always)]
    fn facts(&'a self, query: &Query<'a>, owner: &'a Tenant) -> Result<RequestFacts<'a>, Denial> {
        // INVARIANT: leave is for one tenant alone.
        if self.owner.is_some_and(|shown| shown != owner.id.as_str()) {
            return Err((Reason::ResourceForeign, "the request names another owner"));
        }
        self.found.check_body(&owner.id)?;
        let operation = self.found.operation();
        Ok(RequestFacts {
            tenant: query.tenant,
            subject: &query.context.principal,
            roles: &query.context.roles,
            action: &operation.action,
            resource_type: &operation.resource,
            resource_id: Id::of_segment(self.found.id().unwrap_or_default()),
            // INVARIANT: principal and resource have one tenant, seen in the request or not, unless a grant or a share
            // says so.
            owner,
            service: &self.service.spiffe_id,
            caller: query.context.caller.as_ref().map_or("", SpiffeId::as_str),
            attributes: self.attributes(),
            time: query.time,
            networks: &query.context.networks,
            scopes: &query.context.scopes,
        })
    }
}

impl CalledService {
    fn new(service: &Service, program: &Program) -> Result<Self, String> {
        let operations = Operations::compile(service).map_err(|e| e.to_string())?;
        let action = |name: &str| {
            program
                .find_entity("Action", name)
                .and_then(|action| program.action(action))
                .ok_or_else(|| format!("the program knows no action `{name}`"))
        };
        let action = |operation: &Operation| match operation.attributes.scope {
            Scope::Platform => Ok(None),
            Scope::Tenant | Scope::GlobalRead => action(&operation.action).map(Some),
        };
        let actions = service.operations.iter().map(action).collect::<Result<_, _>>()?;
        Ok(Self { spiffe_id: service.spiffe_id.as_str().into(), operations, actions, routes: service.routes.clone() })
    }

    /// What the route of `call` fills in; the error says in what it contradicts the bundle.
    #[inline(always)]
    fn agreed(&self, found: &Found<'_, '_>, call: &Call<'_>) -> Result<Option<Box<Attributes>>, &'static str> {
        match (&self.routes, call.route) {
            (Some(words), Some(says)) => routes::agreed(words, says, found),
            _ => Ok(None),
        }
    }
}

/// Decides one request whose owner may be another tenant: `leave` is asked for a grant or share that lets it cross, and
/// gives the tenant. It stands in for a permit; a policy that forbids is heard all the same.
pub fn authorize_across<'a>(
    policy: &'a Authorization,
    query: &Query<'_>,
    leave: impl FnOnce(&Crossing<'_>) -> Option<(Leave, Tenant)>,
) -> Across<'a> {
    let wanted = match policy.wanted(query) {
        Ok(wanted) => wanted,
        Err(denial) => return Across::Decided(told(Err(denial))),
    };
    let foreign = wanted.owner.filter(|owner| *owner != query.tenant.id.as_str());
    let operation = wanted.found.operation();
    let granted = foreign.and_then(|owner| {
        let reads = reads(&operation.method) && reads(query.call.method);
        let given = leave(&Crossing { owner, action: &operation.action, service: query.service, reads });
        // INVARIANT: nobody writes by a share, whatever is said of it.
        given.filter(|(leave, _)| reads || !leave.reads_only())
    });
    let owner = granted.as_ref().map_or(query.tenant, |(_, owner)| owner);
    match (&granted, decide(policy, query, &wanted, owner)) {
        (Some((leave, _)), Ok((Outcome::Permitted(_) | Outcome::NotPermitted, errors))) => {
            Across::Granted { leave: leave.clone(), errors }
        }
        // INVARIANT: whatever denies what a grant or share would let across is kept apart from what a mode may let
        // through.
        (Some(_), decided) => Across::Kept(told(decided)),
        (None, decided) => Across::Decided(told(decided)),
    }
}

/// Decides one request. The decision's texts live as long as `policy`, so they can be logged later.
pub fn authorize<'a>(policy: &'a Authorization, query: &Query<'_>) -> Decision<'a> {
    told(policy.wanted(query).and_then(|wanted| decide(policy, query, &wanted, query.tenant)))
}

/// Decides about reading what `owner`, which is active, shares with the query's tenant, where the request does not name the
/// owner: a topic of Kafka. What the operation's attributes ask of whose data it is, the owner is asked as well; policies
/// decide as they do about the tenant's own.
pub fn authorize_shared<'a>(policy: &'a Authorization, query: &Query<'_>, owner: &Tenant) -> Decision<'a> {
    told(policy.wanted(query).and_then(|wanted| {
        rules::judge(wanted.attributes(), query, owner)?;
        decide(policy, query, &wanted, query.tenant)
    }))
}

#[inline(always)]
fn decide<'a>(
    policy: &'a Authorization,
    query: &Query<'_>,
    wanted: &Wanted<'_>,
    owner: &Tenant,
) -> Result<(Outcome<'a>, u32), Denial> {
    let facts = wanted.facts(query, owner)?;
    rules::judge(wanted.attributes(), query, owner)?;
    let Some(world) = RequestWorld::new(&facts, &policy.names) else {
        return Err((
            Reason::PolicyDenied,
            "the principal has more roles of policies, or scopes, than can be decided about",
        ));
    };
    Ok(policy.program.decide(wanted.action, &world, &policy.scratch))
}

fn told(decided: Result<(Outcome<'_>, u32), Denial>) -> Decision<'_> {
    let denied = |policy, detail, errors| Decision::Deny { reason: Reason::PolicyDenied, policy, detail, errors };
    match decided {
        Err((reason, detail)) => Decision::Deny { reason, policy: None, detail, errors: 0 },
        Ok((Outcome::Permitted(by), errors)) => Decision::Allow { policy: &by.id, errors },
        Ok((Outcome::Forbidden(by), errors)) => denied(Some(&by.id), "a policy forbids it", errors),
        Ok((Outcome::NotPermitted, errors)) => denied(None, "no policy permits it", errors),
        Ok((Outcome::TooMuch, errors)) => denied(None, "deciding about these values takes too long", errors),
    }
}
