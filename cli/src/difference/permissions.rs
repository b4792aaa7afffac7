//! Who gains and who loses what: both programs are asked about every kind of request there is.

use std::collections::{BTreeMap, BTreeSet};

use partywall_authorization::{Id, Names, Outcome, RequestFacts, RequestWorld, Scratch};
use partywall_tenancy::{
    Attributes, Audience, EventCluster, NameSet, Reason, Scope, Service, Tenant, TenantId, TenantStatus, UnixSeconds,
};
use serde::Serialize;

use super::circumstances::{Circumstance, Circumstances};
use super::parts::common;
use crate::material::Material;
use crate::overlay::now_millis;
use crate::recorded::outcome;

/// The most questions for each program; beyond, tenants are sampled.
const MOST: usize = 2_000_000;
/// The most ids of one type, named by policies, that are asked about.
const IDS: usize = 64;
/// Up to so many roles are also asked about in pairs.
const PAIRS: usize = 12;

/// What policies say alike to alike requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Change {
    /// Whether more is permitted than before.
    pub(crate) gains: bool,
    /// The service.
    pub(crate) service: String,
    /// The action.
    pub(crate) action: String,
    /// The type of the resource.
    pub(crate) resource: String,
    /// One resource by its id; any that policies do not name where there is none.
    pub(crate) id: Option<String>,
    /// `same`, or `other`: of another tenant, where the policies alone would permit it. The invariant still denies it.
    pub(crate) owner: &'static str,
    /// From this network alone; an empty name for none of them. From anywhere where there is none here.
    pub(crate) network: Option<String>,
    /// With this scope alone; an empty name for a credential without any. With whatever scopes where there is none here.
    pub(crate) scope: Option<String>,
    /// Called by this workload; an empty name for nobody who is known. By whomever where there is none here.
    pub(crate) caller: Option<String>,
    /// What came of it.
    pub(crate) old: String,
    /// What comes of it.
    pub(crate) new: String,
}

/// Those who gain or lose something together.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The tenants.
    pub(crate) tenants: Vec<String>,
    /// The one user, where policies name it.
    pub(crate) user: Option<String>,
    /// The roles, each line of them by itself; one empty line for those without any, none at all for everybody.
    pub(crate) roles: Vec<Vec<String>>,
    /// What.
    pub(crate) changes: Vec<Change>,
}

/// What was asked and what came of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Permissions {
    /// Gains and losses.
    pub(crate) differences: Vec<Difference>,
    /// How many questions each program was asked.
    pub(crate) questions: usize,
    /// What was not asked, in words.
    pub(crate) sampled: Vec<String>,
}

/// Tenants that no policy can tell apart, in both programs.
struct Shape<'m> {
    old: Option<&'m Tenant>,
    new: Option<&'m Tenant>,
    tenants: Vec<&'m TenantId>,
}

/// An operation, as far as a policy sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asked<'m> {
    service: &'m str,
    action: &'m str,
    resource: &'m str,
    /// Whether requests show an id.
    shows_id: bool,
}

struct Side<'m> {
    material: &'m Material,
    names: Names,
    scratch: Scratch,
    time: UnixSeconds,
    known: BTreeMap<Asked<'m>, BTreeSet<&'m Attributes>>,
}

/// Compares what both permit.
pub(crate) fn compare(old: &Material, new: &Material) -> Permissions {
    let mut found = Permissions::default();
    let (old, new) = (Side::new(old), Side::new(new));
    let both = [old.material, new.material];
    let shapes = shapes(both);
    let roles = role_sets(both, &mut found.sampled);
    let left_out = topics_of_one(both, &mut found.sampled);
    let operations = old.known.keys().chain(new.known.keys()).filter(|asked| !left_out.contains(asked.service));
    let operations: BTreeSet<Asked<'_>> = operations.copied().collect();
    let ids = ids(both, &operations, &mut found.sampled);
    let each: usize = operations.iter().map(|o| 2 + ids.get(o.resource).map_or(0, BTreeSet::len)).sum();
    let circumstances = Circumstances::of(both, &mut found.sampled);
    let step = (shapes.len() * roles.len() * each * circumstances.all().count()).div_ceil(MOST).max(1);
    if step > 1 {
        found.sampled.push(format!("one of {step} kinds of tenants was asked about: there are {}", shapes.len()));
    }
    // By who can be told apart, and then by what changes for them.
    let mut changes = Changes::new();
    let users: BTreeSet<(TenantId, &str)> = both.iter().flat_map(|m| m.named("User")).filter_map(user).collect();
    for (at, shape) in shapes.iter().enumerate().step_by(step) {
        let Some(first) = shape.tenants.first() else { continue };
        let others = shapes.iter().find(|s| !std::ptr::eq(*s, shape) && s.old.is_some() == shape.old.is_some());
        let own = shape.tenants.iter().flat_map(|t| users.iter().filter(move |(of, _)| of == *t));
        let principals = std::iter::once((*first, None)).chain(own.map(|(tenant, subject)| (tenant, Some(*subject))));
        for (tenant, subject) in principals {
            let acting = [shape.old, shape.new].map(|of| Some(Tenant { id: tenant.clone(), ..of?.clone() }));
            let questions = roles.iter().enumerate().flat_map(|set| operations.iter().map(move |o| (set, o)));
            for ((nth, roles), operation) in questions {
                let named = ids.get(operation.resource).filter(|_| operation.shows_id).into_iter().flatten();
                let named = named.map(|id| (Some(*id), None));
                let foreign = others.map(|other| (None, Some(other)));
                let things = std::iter::once((None, None)).chain(named).chain(foreign);
                let things = things.flat_map(|(id, other)| circumstances.all().map(move |under| (id, other, under)));
                for (id, other, under) in things {
                    found.questions += 1;
                    let [was, is] = [(&old, other.and_then(|s| s.old)), (&new, other.and_then(|s| s.new))];
                    let [acts, will_act] = &acting;
                    let was = was.0.ask(acts.as_ref(), was.1, subject, roles, *operation, (id, under));
                    let is = is.0.ask(will_act.as_ref(), is.1, subject, roles, *operation, (id, under));
                    if was.0 == is.0 {
                        continue;
                    }
                    let change = Change {
                        gains: is.0,
                        service: operation.service.to_owned(),
                        action: operation.action.to_owned(),
                        resource: operation.resource.to_owned(),
                        id: id.map(str::to_owned),
                        owner: if other.is_some() { "other" } else { "same" },
                        network: Circumstances::named(&circumstances.networks, under.network),
                        scope: Circumstances::named(&circumstances.scopes, under.scope),
                        caller: Circumstances::named(&circumstances.callers, under.caller),
                        old: was.1,
                        new: is.1,
                    };
                    let user = subject.map(|subject| format!("{tenant}/{subject}"));
                    changes.entry((change, user)).or_default().entry(nth).or_default().insert(at);
                }
            }
        }
    }
    let changes = whatever(changes, &circumstances.networks, |change| &mut change.network);
    let changes = whatever(changes, &circumstances.scopes, |change| &mut change.scope);
    let changes = without_implied(whatever(changes, &circumstances.callers, |change| &mut change.caller));
    found.differences = grouped(changes, &shapes, &roles);
    found
}

/// By what changes, and for which user if it is one that policies name: sets of roles, and the kinds of tenants.
type Changes = BTreeMap<(Change, Option<String>), BTreeMap<usize, BTreeSet<usize>>>;

/// What happens without any of these names and with each of them happens whatever there is.
fn whatever(changes: Changes, names: &[String], part: fn(&mut Change) -> &mut Option<String>) -> Changes {
    let with = |change: &Change, name: Option<&String>| {
        let mut change = change.clone();
        *part(&mut change) = name.cloned();
        change
    };
    let mut merged = Changes::new();
    for ((change, user), by_roles) in &changes {
        let everywhere = part(&mut change.clone()).as_deref() == Some("")
            && names.iter().all(|name| {
                let there = changes.get(&(with(change, Some(name)), user.clone()));
                let holds = |roles, of: &BTreeSet<usize>| {
                    there.and_then(|there| there.get(roles)).is_some_and(|all| of.is_subset(all))
                };
                by_roles.iter().all(|(roles, of)| holds(roles, of))
            });
        let change = if everywhere { with(change, None) } else { change.clone() };
        merged.insert((change, user.clone()), by_roles.clone());
    }
    merged
}

/// What happens to one user, one resource or those of another tenant, as it happens to all, is not told by itself.
fn without_implied(mut changes: Changes) -> Changes {
    let all = changes.clone();
    changes.retain(|(change, user), by_roles| {
        let broader = [
            (Change { id: None, ..change.clone() }, user.clone()),
            (Change { owner: "same", ..change.clone() }, user.clone()),
            (Change { network: None, ..change.clone() }, user.clone()),
            (Change { scope: None, ..change.clone() }, user.clone()),
            (Change { caller: None, ..change.clone() }, user.clone()),
            (change.clone(), None),
        ];
        for broader in broader.iter().filter(|b| (&b.0, &b.1) != (change, user)).filter_map(|b| all.get(b)) {
            by_roles.retain(|roles, of| !broader.get(roles).is_some_and(|all| of.is_subset(all)));
        }
        !by_roles.is_empty()
    });
    changes
}

/// Kinds of tenants, one user of them, and sets of roles.
type Who = (Vec<usize>, Option<String>, Vec<Vec<String>>);

/// Turned around: who has the same changes.
fn grouped(changes: Changes, shapes: &[Shape<'_>], roles: &[Vec<&str>]) -> Vec<Difference> {
    let mut groups: BTreeMap<Who, Vec<Change>> = BTreeMap::new();
    for ((change, user), by_roles) in changes {
        let mut by_shapes: BTreeMap<BTreeSet<usize>, BTreeSet<usize>> = BTreeMap::new();
        for (roles, shapes) in by_roles {
            by_shapes.entry(shapes).or_default().insert(roles);
        }
        for (shapes, sets) in by_shapes {
            let whose = told(&sets, roles);
            groups.entry((shapes.into_iter().collect(), user.clone(), whose)).or_default().push(change.clone());
        }
    }
    let difference = |((of, user, roles), changes): (Who, Vec<Change>)| {
        let mut tenants: Vec<String> = match &user {
            Some(user) => user.split('/').next().into_iter().map(str::to_owned).collect(),
            None => {
                let shapes = of.iter().filter_map(|at| shapes.get(*at));
                shapes.flat_map(|shape| &shape.tenants).map(|t| t.as_str().to_owned()).collect()
            }
        };
        tenants.sort();
        Difference { tenants, user, roles, changes }
    };
    groups.into_iter().map(difference).collect()
}

/// The sets of roles without those that hold another one; nothing where it is all sets.
fn told(sets: &BTreeSet<usize>, roles: &[Vec<&str>]) -> Vec<Vec<String>> {
    if sets.len() == roles.len() {
        return Vec::new();
    }
    let sets: Vec<&Vec<&str>> = sets.iter().filter_map(|at| roles.get(*at)).collect();
    let holds = |set: &Vec<&str>, other: &Vec<&str>| other.len() < set.len() && other.iter().all(|r| set.contains(r));
    let smallest = sets.iter().filter(|set| !sets.iter().any(|other| holds(set, other)));
    smallest.map(|set| set.iter().map(|role| (*role).to_owned()).collect()).collect()
}

fn shapes<'m>(both: [&'m Material; 2]) -> Vec<Shape<'m>> {
    let named: BTreeSet<&str> = both.iter().flat_map(|m| m.named("Tenant")).collect();
    let ids: BTreeSet<&TenantId> = both.iter().flat_map(|m| &m.tenants).map(|t| &t.id).collect();
    let asks = |m: &Material, name| m.authorization.program().find_text(name).is_some();
    let asked: Vec<&str> = SETS.into_iter().filter(|name| both.iter().any(|m| asks(m, name))).collect();
    let shape = |tenant: &Tenant| shape(tenant, &asked);
    let mut shapes = BTreeMap::new();
    let [old, new] = both;
    for id in ids {
        let (old, new) = (old.tenant(id), new.tenant(id));
        let by_name = named.contains(id.as_str()).then_some(id);
        let key = (old.map(&shape), new.map(&shape), by_name);
        let of_kind = shapes.entry(key).or_insert_with(|| Shape { old, new, tenants: Vec::new() });
        of_kind.tenants.push(id);
    }
    shapes.into_values().collect()
}

/// Everything of a tenant but its name, and of its sets those for which policies ask.
fn shape(tenant: &Tenant, asked: &[&str]) -> String {
    let mut value = serde_json::json!(tenant);
    if let Some(members) = value.as_object_mut() {
        members.remove("id");
        members.retain(|name, _| !SETS.contains(&name.as_str()) || asked.contains(&name.as_str()));
    }
    value.to_string()
}

/// What tenants have of their own and in all combinations.
const SETS: [&str; 2] = ["features", "consents"];

fn role_sets<'m>(both: [&'m Material; 2], sampled: &mut Vec<String>) -> Vec<Vec<&'m str>> {
    let roles: Vec<&str> = both.iter().flat_map(|m| m.named("Role")).collect::<BTreeSet<_>>().into_iter().collect();
    let mut sets = vec![Vec::new()];
    sets.extend(roles.iter().map(|role| vec![*role]));
    if roles.len() <= PAIRS {
        for (at, first) in roles.iter().enumerate() {
            sets.extend(roles.iter().skip(at + 1).map(|second| vec![*first, *second]));
        }
    } else {
        sampled.push(format!(
            "roles were asked about one by one and all together, not in pairs: there are {}",
            roles.len()
        ));
    }
    if roles.len() > 2 {
        sets.push(roles);
    }
    sets
}

/// The clusters of Kafka that one of the two has, and of which the other was told nothing: only the slice for their
/// proxies tells of all, so a file beside a directory would lose or gain every topic.
fn topics_of_one<'m>(both: [&'m Material; 2], sampled: &mut Vec<String>) -> BTreeSet<&'m str> {
    let [old, new] = both;
    if common(old, new).contains(&Audience::Events) {
        return BTreeSet::new();
    }
    let topics = |service: &&Service| service.operations.iter().any(|o| o.method == EventCluster::METHOD);
    let names = |of: &'m Material| of.body.services.iter().filter(topics).map(|s| s.name.as_str());
    let (was, is) = (names(old).collect::<BTreeSet<_>>(), names(new).collect::<BTreeSet<_>>());
    let of_one: BTreeSet<&str> = was.symmetric_difference(&is).copied().collect();
    if !of_one.is_empty() {
        let names = of_one.iter().copied().collect::<Vec<_>>().join(", ");
        sampled.push(format!("topics of {names} were not asked about: not both have the slice for events"));
    }
    of_one
}

fn ids<'m>(
    both: [&'m Material; 2],
    operations: &BTreeSet<Asked<'m>>,
    sampled: &mut Vec<String>,
) -> BTreeMap<&'m str, BTreeSet<&'m str>> {
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (kind, id) in both.iter().flat_map(|m| m.entities()) {
        if operations.iter().any(|o| o.resource == kind) {
            ids.entry(kind).or_default().insert(id);
        }
    }
    for (kind, named) in &mut ids {
        if named.len() > IDS {
            sampled.push(format!("of {} ids of `{kind}` that policies name, {IDS} were asked about", named.len()));
            *named = named.iter().copied().take(IDS).collect();
        }
    }
    ids
}

fn user(id: &str) -> Option<(TenantId, &str)> {
    let (tenant, subject) = id.split_once('/')?;
    Some((TenantId::parse(tenant).ok()?, subject))
}

impl<'m> Side<'m> {
    fn new(material: &'m Material) -> Self {
        let mut known: BTreeMap<Asked<'m>, BTreeSet<&'m Attributes>> = BTreeMap::new();
        for service in &material.body.services {
            for o in service.operations.iter().filter(|o| o.attributes.scope != Scope::Platform) {
                let asked = Asked {
                    service: &service.name,
                    action: &o.action,
                    resource: &o.resource,
                    shows_id: o.id.is_some(),
                };
                known.entry(asked).or_default().insert(&o.attributes);
            }
        }
        Self {
            material,
            names: Names::of(material.authorization.program()),
            scratch: Scratch::default(),
            time: now_millis() / 1000,
            known,
        }
    }

    /// Whether it passes, and what settles it, in words.
    fn ask(
        &self,
        tenant: Option<&Tenant>,
        owner: Option<&Tenant>,
        subject: Option<&str>,
        roles: &[&str],
        asked: Asked<'_>,
        (id, under): (Option<&str>, Circumstance<'_>),
    ) -> (bool, String) {
        let denied = |reason: Reason| (false, outcome(false, reason.code(), ""));
        let Some(tenant) = tenant else { return denied(Reason::TenantUnknown) };
        match tenant.status {
            TenantStatus::Active => {}
            TenantStatus::Suspended => return denied(Reason::TenantSuspended),
            TenantStatus::Quarantined => return denied(Reason::TenantQuarantined),
        }
        let service = self.material.body.services.iter().find(|s| s.name == asked.service);
        let known = self.known.get(&asked);
        let program = self.material.authorization.program();
        let action = program.find_entity("Action", asked.action).and_then(|action| program.action(action));
        let (Some(service), Some(action), Some(known)) = (service, action, known) else {
            return denied(Reason::ResourceUnmapped);
        };
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let there = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let networks = NameSet::new(there(under.network)).unwrap_or_default();
        let scopes: Vec<String> = there(under.scope).into_iter().collect();
        let decide = |attributes: &Attributes| {
            let facts = RequestFacts {
                tenant,
                subject: subject.unwrap_or("somebody whom no policy names"),
                roles: &roles,
                action: asked.action,
                resource_type: asked.resource,
                resource_id: Id::plain(id.unwrap_or("something that no policy names")),
                owner: owner.unwrap_or(tenant),
                service: service.spiffe_id.as_str(),
                caller: under.caller,
                attributes,
                time: self.time,
                networks: &networks,
                scopes: &scopes,
            };
            let Some(world) = RequestWorld::new(&facts, &self.names) else { return denied(Reason::PolicyDenied) };
            match program.decide(action, &world, &self.scratch).0 {
                Outcome::Permitted(by) => (true, outcome(true, "", &by.id)),
                Outcome::Forbidden(by) => (false, outcome(false, Reason::PolicyDenied.code(), &by.id)),
                Outcome::NotPermitted | Outcome::TooMuch => denied(Reason::PolicyDenied),
            }
        };
        // What is permitted is what every operation of the kind permits.
        let mut last = denied(Reason::ResourceUnmapped);
        for attributes in known {
            last = decide(attributes);
            if !last.0 {
                break;
            }
        }
        last
    }
}
