//! A recorded decision, made again.
//!
//! ```text
//! Record ──prints──► tenant, subject, path ──authorize, as sidecars do──► Verdict under OLD, Verdict under NEW
//! ```
//!
//! The log holds no path and no name. A path is put together from the operation's template: its id is the one that a
//! program names, if it is that one, and else an id nobody names; so is the principal. Where NEW asks for what the log
//! does not hold, the verdict is that nobody can tell.

use std::collections::BTreeSet;

use partywall_authorization::{Across, Call, Decision, Operations, Query, RouteSays, authorize_across};
use partywall_log_redaction::OTHER_SCOPES;
use partywall_tenancy::{
    Cell, Crossing, GrantId, Here, Leave, Mode, NameSet, Operation, Owner, Place, ProvedBy, Reason, Residency, Ruling,
    Scope, Service, SpiffeId, Tenant, TenantContext, TenantId, TenantStatus,
};

use crate::material::Material;
use crate::prints::Prints;
use crate::recorded::{Record, outcome};
use crate::sent::{Sent, SentBody};

/// Stands where the path had something that nobody wrote down.
const UNKNOWN: &str = "~unknown";
/// How the log names a grant in the place of a policy.
pub(crate) const GRANT: &str = "grant:";
/// How the log names a share in the place of a policy.
pub(crate) const SHARE: &str = "share:";
/// How the log names a platform principal in the place of a policy.
const PLATFORM: &str = "platform:";
/// A caller that no policy names.
pub(crate) const STRANGE_CALLER: &str = "spiffe://of.no.mesh/stranger";
/// An owner that is no tenant of either program.
const STRANGER: &str = "~stranger";

/// What a program says about a recorded request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    /// This.
    Decided {
        /// Whether it may pass.
        allowed: bool,
        /// Why not; of what may pass, why it would not, were it not in shadow.
        reason: &'static str,
        /// The policy that settled it.
        policy: String,
    },
    /// The log does not hold what this takes.
    CannotTell(String),
}

impl Verdict {
    /// In a few words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Decided { allowed, reason, policy } => outcome(*allowed, reason, policy),
            Self::CannotTell(why) => format!("nobody can tell: {why}"),
        }
    }

    fn denied(reason: Reason) -> Self {
        Self::Decided { allowed: false, reason: reason.code(), policy: String::new() }
    }

    /// Whether this is what was recorded.
    pub(crate) fn is(&self, record: &Record) -> bool {
        matches!(self, Self::Decided { allowed, reason, policy }
            if *allowed == record.allowed() && *reason == record.reason && *policy == record.policy)
    }
}

/// Decides recorded requests under two programs.
pub(crate) struct Judge<'m> {
    old: &'m Material,
    new: &'m Material,
    prints: &'m Prints,
    /// Roles that NEW names and OLD does not: the log does not say who had them.
    unrecorded: Vec<String>,
    /// What NEW could ask networks for.
    networks: Vec<String>,
    /// Scopes that NEW names and OLD does not: the log does not say whether a credential had them.
    scopes: Vec<String>,
}

/// A recorded request with its names found again; those that no policy names are fingerprints still.
pub(crate) struct Recovered {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The principal's name within it.
    pub(crate) subject: String,
    /// The path, with a query that shows what the request showed.
    pub(crate) path: String,
    /// Headers that do.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub(crate) body: SentBody,
}

/// A record with its names found again.
struct Found {
    tenant: TenantId,
    subject: String,
    segments: Vec<Segment>,
    /// What else the request showed.
    sent: Sent,
    /// Of OLD, or of NEW where only that has it.
    operation: Operation,
    /// What its route said, as far as that made a difference.
    route: Option<Mode>,
    /// What else it said.
    says: RouteSays,
}

/// A segment of the path, and what is known about it.
enum Segment {
    /// It is this one.
    Exactly(String),
    /// It is an id that neither program and no path names.
    Unnamed(String),
    /// It names an owner that is no known tenant.
    Stranger,
    /// Nobody wrote it down.
    Unknown,
}

impl Segment {
    fn text(&self) -> &str {
        match self {
            Self::Exactly(text) | Self::Unnamed(text) => text,
            Self::Stranger => STRANGER,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl<'m> Judge<'m> {
    /// A judge over these two.
    pub(crate) fn new(old: &'m Material, new: &'m Material, prints: &'m Prints) -> Self {
        let known: BTreeSet<&str> = old.roles().collect();
        let unrecorded = new.roles().filter(|role| !known.contains(role)).map(str::to_owned).collect::<BTreeSet<_>>();
        let known = |scope: &String| old.authorization.names_scope(scope);
        let scopes = new.scopes().into_iter().filter(|scope| !known(scope)).collect();
        Self { old, new, prints, unrecorded: unrecorded.into_iter().collect(), networks: new.networks(), scopes }
    }

    /// The verdicts of OLD and NEW, or why the record cannot be decided again.
    pub(crate) fn judge(&self, record: &Record) -> Result<(Verdict, Verdict), String> {
        if let Some(caller) = record.policy.strip_prefix(PLATFORM) {
            return Ok((platform(self.old, record, caller), platform(self.new, record, caller)));
        }
        let mut found = self.find(record)?;
        let mut old = decide(self.old, record, &found, Had::of(record));
        if !record.shadow.is_empty() && !old.is(record) {
            // What nothing in the bundle put into shadow, its route did.
            found.route = Some(Mode::Shadow);
            old = decide(self.old, record, &found, Had::of(record));
        }
        let new = match self.unknown_to_new(record, &found) {
            Some(why) => Verdict::CannotTell(why),
            None => self.decide_new(record, &found),
        };
        Ok((old, new))
    }

    /// The request itself, as far as the log holds it; an error says why it cannot be told.
    pub(crate) fn request(&self, record: &Record) -> Result<Recovered, String> {
        let found = self.find(record)?;
        let (path, body, headers) = (found.sent.to_path(&found.path()), found.sent.body, found.sent.headers);
        Ok(Recovered { path, headers, body, tenant: found.tenant, subject: found.subject })
    }

    /// The tenant that a fingerprint stands for.
    pub(crate) fn tenant(&self, print: &str) -> Option<&TenantId> {
        self.prints.tenant(print)
    }

    fn find(&self, record: &Record) -> Result<Found, String> {
        let tenant = self.prints.tenant(&record.tenant);
        let tenant = tenant.ok_or("of a tenant that is in neither, or under another fingerprint key")?.clone();
        let operation = self.old.operation(record).or_else(|| self.new.operation(record));
        let operation = operation.ok_or("of an operation that neither has")?;
        // Nobody names an entity by its fingerprint.
        let subject = match self.prints.principal(&record.principal) {
            Some((of, subject)) if *of == tenant => subject.to_owned(),
            _ => record.principal.clone(),
        };
        let segments = operation.path.split('/').map(|template| self.segment(template, operation, record, &tenant));
        let segments = segments.collect();
        let owner = (!record.owner.is_empty()).then(|| self.owner(record, &tenant));
        let mut sent = Sent::to(operation, owner.as_ref().map(Segment::text));
        // Where a body was read, the log says whose it was; an outbound filter reads none.
        if owner.is_none() && record.reason != Reason::ResourceForeign.code() {
            sent.body = SentBody::Elsewhere;
        }
        let says = RouteSays::of_words(record.route.iter().map(String::as_str));
        let says = says.ok_or("of a route that says what this build does not know")?;
        Ok(Found { subject, segments, tenant, sent, operation: operation.clone(), route: None, says })
    }

    fn segment(&self, template: &str, operation: &Operation, record: &Record, tenant: &TenantId) -> Segment {
        let Some(name) = parameter(template) else { return Segment::Exactly(template.to_owned()) };
        if operation.owner.places().contains(&Place::Path(name.to_owned())) && !record.owner.is_empty() {
            return self.owner(record, tenant);
        }
        if operation.id.as_deref() == Some(name) && !record.id.is_empty() {
            return match self.prints.resource_id(&record.id) {
                Some((kind, id)) if kind == operation.resource => Segment::Exactly(encoded(id)),
                _ => Segment::Unnamed(match prefix(&operation.owner) {
                    Some(separator) if !record.owner.is_empty() => {
                        format!("{}{separator}{}", self.owner(record, tenant).text(), record.id)
                    }
                    _ => record.id.clone(),
                }),
            };
        }
        Segment::Unknown
    }

    /// The owner that the request showed.
    fn owner(&self, record: &Record, tenant: &TenantId) -> Segment {
        if record.owner == record.tenant {
            return Segment::Exactly(tenant.as_str().to_owned());
        }
        let other = self.prints.tenant(&record.owner);
        other.map_or(Segment::Stranger, |other| Segment::Exactly(other.as_str().to_owned()))
    }

    /// What NEW wants to know of the path that nobody wrote down.
    fn unknown_to_new(&self, record: &Record, found: &Found) -> Option<String> {
        let service = self.new.body.services.iter().find(|s| s.name == record.service)?;
        if let Some(written) = written_out(service, record, found) {
            return Some(format!("NEW has `{written}`, and the log does not hold that part of the path"));
        }
        let before = self.old.body.services.iter().find(|s| s.name == record.service);
        if let Some(place) = asked_otherwise((before, service), record, found) {
            return Some(format!("NEW asks for `{place}`, which the log does not hold"));
        }
        let path = found.sent.to_path(&found.path());
        let operations = Operations::compile(service).ok()?;
        let call = found.call(&record.method, &path);
        let operation = operations.find(&call).ok()??.operation();
        let segment = |name: &str| {
            let at = operation.path.split('/').position(|segment| parameter(segment) == Some(name))?;
            found.segments.get(at)
        };
        if let Some(id) = &operation.id
            && matches!(segment(id), Some(Segment::Stranger | Segment::Unknown))
        {
            return Some(format!("NEW reads the resource's id from `{{{id}}}`, which the log does not hold"));
        }
        for place in operation.owner.places() {
            let unknown = match place {
                Place::Path(owner) => matches!(segment(owner), Some(Segment::Unnamed(_) | Segment::Unknown)),
                // The log says whose it was, and not where that stood: with the same places it makes no difference.
                Place::Query(_) | Place::Header(_) | Place::IdPrefix(_) | Place::Body(_) => {
                    operation.owner != found.operation.owner
                }
            };
            if unknown {
                return Some(match place {
                    Place::Path(owner) => {
                        format!("NEW reads the owner from `{{{owner}}}`, which the log does not hold")
                    }
                    place => format!("NEW reads the owner from `{place}`, which the log does not hold"),
                });
            }
        }
        // Ids are fingerprinted with their type.
        if operation.resource != record.resource
            && let Some(id) = &operation.id
            && matches!(segment(id), Some(Segment::Unnamed(_)))
            && self.new.named(&operation.resource).next().is_some()
        {
            return Some(format!("NEW says it is a `{}`, and names some of these by id", operation.resource));
        }
        None
    }

    /// Whether the credential may have had scopes that the log does not name. Where OLD asked for scopes, the log says
    /// whether there were others.
    fn scopes_not_told(&self, record: &Record) -> bool {
        let told = self.old.authorization.reads_scopes();
        self.new.authorization.reads_scopes() && (!told || record.scopes.iter().any(|scope| scope == OTHER_SCOPES))
    }

    /// Where NEW names roles that OLD does not, the principal may have had them: only a verdict that does not depend
    /// on them is one.
    fn decide_new(&self, record: &Record, found: &Found) -> Verdict {
        let had = Had::of(record);
        let decide = |had: Had<'_>| decide(self.new, record, found, had);
        let without = decide(had);
        let as_all = [record.roles.as_slice(), &self.unrecorded].concat();
        // Under the roles that were recorded, and under all that may have been there besides.
        let bases = |had: Had<'_>| [record.roles.as_slice(), &as_all].map(|roles| decide(Had { roles, ..had }));
        let differ = |bases: &[Verdict; 2], had: Had<'_>| {
            let [recorded, all] = bases;
            decide(Had { roles: &record.roles, ..had }) != *recorded || decide(Had { roles: &as_all, ..had }) != *all
        };
        // Where OLD asked for networks, the log has all that there were.
        if !self.old.authorization.reads_networks() && !self.networks.is_empty() {
            let bases = bases(Had { networks: &[], ..had });
            let from = |networks: &[String]| differ(&bases, Had { networks, ..had });
            if self.networks.iter().map(std::slice::from_ref).chain(self.networks.chunks(NameSet::MOST)).any(from) {
                let why = "it depends on networks, which OLD does not ask for, so nobody wrote down where it came from";
                return Verdict::CannotTell(why.into());
            }
        }
        if self.new.authorization.reads_caller() && !self.old.authorization.reads_caller() {
            let bases = bases(had);
            let mut callers = self.new.named("Workload").chain([STRANGE_CALLER]);
            if callers.any(|caller| differ(&bases, Had { caller, ..had })) {
                let why = "it depends on who calls, which OLD does not ask for, so nobody wrote it down";
                return Verdict::CannotTell(why.into());
            }
        }
        if self.scopes_not_told(record) {
            let bases = bases(had);
            let by = |more: &[String]| {
                let scopes = [record.scopes.as_slice(), more].concat();
                differ(&bases, Had { scopes: &scopes, ..had })
            };
            // One that NEW does not name, either: it makes a difference that there is one.
            let other = [OTHER_SCOPES.to_owned()];
            if by(&other) || by(&self.scopes) || self.scopes.iter().any(|scope| by(std::slice::from_ref(scope))) {
                let why = "it depends on scopes that OLD does not ask for, so nobody wrote them down";
                return Verdict::CannotTell(why.into());
            }
        }
        let with = |more: &[String]| decide(Had { roles: &[&record.roles, more].concat(), ..had });
        let differs = |more: &[String]| with(more) != without;
        if let Some(role) = self.unrecorded.iter().find(|role| differs(std::slice::from_ref(role))) {
            return Verdict::CannotTell(format!(
                "it depends on role `{role}`, which OLD does not name, so nobody wrote it down"
            ));
        }
        if self.unrecorded.len() > 1 && differs(&self.unrecorded) {
            return Verdict::CannotTell("it depends on roles that OLD does not name, so nobody wrote them down".into());
        }
        without
    }
}

/// What the principal had, as a record tells it or as it may have been.
#[derive(Clone, Copy)]
struct Had<'r> {
    roles: &'r [String],
    networks: &'r [String],
    scopes: &'r [String],
    caller: &'r str,
}

impl<'r> Had<'r> {
    fn of(record: &'r Record) -> Self {
        Self { roles: &record.roles, networks: &record.networks, scopes: &record.scopes, caller: &record.caller }
    }
}

impl Found {
    fn call<'f>(&'f self, method: &'f str, path: &'f str) -> Call<'f> {
        let (headers, body) = (&self.sent.headers, self.sent.body.as_body());
        Call { method, path, headers, body, route: Some(&self.says) }
    }

    fn path(&self) -> String {
        self.segments.iter().map(Segment::text).collect::<Vec<_>>().join("/")
    }
}

/// An operation of NEW that writes out what the log does not hold.
fn written_out(service: &Service, record: &Record, found: &Found) -> Option<String> {
    let fits = |operation: &&Operation| {
        let segments: Vec<&str> = operation.path.split('/').collect();
        operation.method == record.method
            && segments.len() == found.segments.len()
            && segments.iter().zip(&found.segments).any(|(template, is)| {
                parameter(template).is_none() && matches!(is, Segment::Unknown | Segment::Stranger)
            })
            && segments.iter().zip(&found.segments).all(|(template, is)| {
                parameter(template).is_some()
                    || is.text() == *template
                    || matches!(is, Segment::Unknown | Segment::Stranger)
            })
    };
    service.operations.iter().find(fits).map(|o| format!("{} {}", o.method, o.path))
}

/// A place that NEW asks about to tell the operation, and of which the log does not say what stood there.
/// Where OLD asked for the same, it told the operation by what stood there, and that is enough.
fn asked_otherwise((old, new): (Option<&Service>, &Service), record: &Record, found: &Found) -> Option<Place> {
    let fits = |operation: &&Operation| {
        operation.method == record.method
            && operation.path.split('/').count() == found.segments.len()
            && operation
                .path
                .split('/')
                .zip(&found.segments)
                .all(|(template, is)| parameter(template).is_some() || is.text() == template)
    };
    let asked = |service: &Service| -> BTreeSet<Vec<String>> {
        let all = service.operations.iter().filter(fits);
        all.map(|operation| operation.when.iter().map(ToString::to_string).collect()).collect()
    };
    if old.is_some_and(|old| asked(old) == asked(new)) {
        return None;
    }
    let places = new.operations.iter().filter(fits).flat_map(|operation| &operation.when);
    let known = |place: &Place| found.operation.when.iter().any(|condition| condition.place == *place);
    places.map(|condition| &condition.place).find(|place| !known(place)).cloned()
}

/// What stands between the owner and the rest of an id.
fn prefix(owner: &Owner) -> Option<char> {
    owner.places().iter().find_map(|place| match place {
        Place::IdPrefix(separator) => Some(*separator),
        Place::Path(_) | Place::Query(_) | Place::Header(_) | Place::Body(_) => None,
    })
}

fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// An id as it stands in a path.
fn encoded(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // Dot segments are none.
    match out.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => out,
    }
}

/// What the directory says of a platform principal that was let in.
fn platform(material: &Material, record: &Record, caller: &str) -> Verdict {
    let service = material.body.services.iter().find(|service| service.name == record.service);
    let operation = material.operation(record).filter(|operation| operation.attributes.scope == Scope::Platform);
    let (Some(service), Some(operation)) = (service, operation) else {
        return Verdict::denied(Reason::ResourceUnmapped);
    };
    if !SpiffeId::parse(caller).is_ok_and(|caller| service.lets(&caller, &operation.action)) {
        return Verdict::denied(Reason::CallerDenied);
    }
    match &operation.attributes.residency {
        Residency::Only(regions) if !regions.contains(&record.region) => Verdict::denied(Reason::Residency),
        _ => Verdict::Decided { allowed: true, reason: "", policy: record.policy.clone() },
    }
}

fn decide(material: &Material, record: &Record, found: &Found, had: Had<'_>) -> Verdict {
    let Some(tenant) = material.tenant(&found.tenant) else { return Verdict::denied(Reason::TenantUnknown) };
    match tenant.status {
        TenantStatus::Active => {}
        TenantStatus::Suspended => return Verdict::denied(Reason::TenantSuspended),
        TenantStatus::Quarantined => return Verdict::denied(Reason::TenantQuarantined),
    }
    if matches!(tenant.cell, Some(Cell::Moving { .. })) {
        return Verdict::denied(Reason::TenantMoving);
    }
    let context = TenantContext {
        tenant: found.tenant.clone(),
        tier: tenant.tier.to_string(),
        region: tenant.residency.to_string(),
        principal: found.subject.clone(),
        roles: had.roles.to_vec(),
        scopes: had.scopes.to_vec(),
        networks: NameSet::new(had.networks).unwrap_or_default(),
        proved_by: ProvedBy::Root,
        token_id: String::new(),
        expires: u64::MAX,
        caller: SpiffeId::parse(had.caller).ok(),
    };
    let tenant = &without(tenant, &record.withdrawn);
    let path = found.sent.to_path(&found.path());
    let call = found.call(&record.method, &path);
    let query =
        Query { context: &context, tenant, service: &record.service, call, region: &record.region, time: record.time };
    let mut owner = None;
    let leave = |crossing: &Crossing<'_>| {
        let (leave, tenant) = leave(material, record, &found.tenant, crossing)?;
        owner = Some(tenant.clone());
        Some((leave, tenant))
    };
    let across = authorize_across(&material.authorization, &query, leave);
    let whose = owner.as_ref().filter(|_| matches!(across, Across::Granted { .. })).unwrap_or(tenant);
    let here = Here { cell: told(&record.cell), region: told(&record.region) };
    if let Err(reason) = here.serves(whose, &material.body) {
        return Verdict::denied(reason);
    }
    match across {
        Across::Granted { leave: leave @ Leave::Share { .. }, .. } => {
            Verdict::Decided { allowed: true, reason: "", policy: leave.to_string() }
        }
        Across::Granted { .. } => {
            let policy = if record.policy.starts_with(GRANT) { record.policy.clone() } else { "grant".to_owned() };
            Verdict::Decided { allowed: true, reason: "", policy }
        }
        Across::Decided(Decision::Allow { policy, .. }) | Across::Kept(Decision::Allow { policy, .. }) => {
            Verdict::Decided { allowed: true, reason: "", policy: policy.to_owned() }
        }
        Across::Decided(Decision::Deny { reason, policy, .. }) => {
            let ruling = material.body.modes.rule(reason, &record.service, &found.tenant, || found.route);
            let allowed = ruling == Ruling::LetThrough;
            Verdict::Decided { allowed, reason: reason.code(), policy: policy.unwrap_or_default().to_owned() }
        }
        Across::Kept(Decision::Deny { reason, policy, .. }) => {
            Verdict::Decided { allowed: false, reason: reason.code(), policy: policy.unwrap_or_default().to_owned() }
        }
    }
}

/// What the record says, where it says something.
fn told(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// By what the tenant may cross: a share of the bundle that had not ended at the time, or a grant.
fn leave(material: &Material, record: &Record, tenant: &TenantId, crossing: &Crossing<'_>) -> Option<(Leave, Tenant)> {
    let shared = material.body.shares.iter().find(|share| share.covers(tenant, crossing, record.time));
    if let Some(share) = shared {
        let owner = TenantId::parse(crossing.owner).ok()?;
        let owner = material.tenant(&owner).filter(|owner| owner.status == TenantStatus::Active)?;
        let leave = Leave::Share { name: share.name.as_str().into() };
        return Some((leave, without(owner, &record.owner_withdrawn)));
    }
    let (grant, owner) = granted(material, record, crossing.owner, crossing.action)?;
    Some((Leave::Grant(grant), owner))
}

/// The leave that the principal had at the time, as far as the bundle still lets it be given. Only with one are
/// policies asked about what is another tenant's.
fn granted(material: &Material, record: &Record, owner: &str, action: &str) -> Option<(GrantId, Tenant)> {
    let asked_policies = record.policy.starts_with(GRANT) || record.reason == Reason::PolicyDenied.code();
    let ceilings = material.body.grants.as_ref().filter(|_| asked_policies)?;
    let owner = TenantId::parse(owner).ok().filter(|owner| ceilings.tenants.contains(owner))?;
    let owner = material.tenant(&owner).filter(|owner| owner.status == TenantStatus::Active)?;
    let id = record.policy.strip_prefix(GRANT).and_then(GrantId::parse).unwrap_or(GrantId::new([0; 16]));
    ceilings.actions.iter().any(|allowed| allowed == action).then(|| (id, without(owner, &record.owner_withdrawn)))
}

/// The tenant without the consents that were withdrawn at the time.
fn without(tenant: &Tenant, withdrawn: &[String]) -> Tenant {
    let consents = tenant.consents.without(|consent| withdrawn.iter().any(|one| one == consent));
    Tenant { consents, ..tenant.clone() }
}
