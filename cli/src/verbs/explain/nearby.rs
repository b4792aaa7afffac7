//! What would change the answer: each nearest change, tried by itself.

use std::collections::BTreeSet;

use partywall_authorization::Program;
use partywall_tenancy::{NameSet, TenantStatus};
use serde::Serialize;

use crate::directory::{Directory, is_name};
use crate::exit::Failure;
use crate::material;
use crate::overlay::Withdrawn;
use crate::rehearsal::{Ask, Rehearsal};

/// A change that turns the answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// What is different, in words.
    pub(super) change: String,
    /// What is decided then.
    pub(super) then: &'static str,
    /// The policy that settles it then.
    pub(super) policy: Option<String>,
}

/// The most changes that are tried: a directory may name thousands of roles.
const MOST: usize = 1_000;

/// Every change of one thing that turns the answer: a role more or fewer, the tenant's status, tier or residency as
/// other tenants have it, its features and consents, a network or a scope more or fewer, another caller, what the overlay takes away, another owner
/// in the path.
pub(super) fn changes(
    directory: Directory<'_>,
    program: &[u8],
    withdrawn: &Withdrawn,
    rehearsal: &Rehearsal,
    ask: &Ask,
) -> Result<Vec<Change>, Failure> {
    let before = rehearsal.decide(ask).permitted();
    let mut found = Vec::new();
    let mut tried = |change: String, rehearsal: &Rehearsal, ask: &Ask| {
        let settled = rehearsal.decide(ask);
        if settled.permitted() != before {
            let then = if settled.permitted() { "allow" } else { "deny" };
            found.push(Change { change, then, policy: settled.policy });
        }
    };
    for (change, other) in of_the_principal(rehearsal, ask, &written(program)).into_iter().take(MOST) {
        tried(change, rehearsal, &other);
    }
    if let Some(overlay) = lifted(withdrawn, ask) {
        let other = Rehearsal::new(directory, program, &overlay)?;
        tried("the overlay takes nothing from this tenant".to_owned(), &other, ask);
    }
    for (change, tenants) in of_the_tenant(directory, ask, &written(program)).into_iter().take(MOST) {
        let other = Rehearsal::new(Directory { tenants: &tenants, ..directory }, program, withdrawn)?;
        tried(change, &other, ask);
    }
    Ok(found)
}

/// Roles, networks, scopes, who calls, the cell that decides, the resource's owner.
fn of_the_principal(rehearsal: &Rehearsal, ask: &Ask, written: &Written) -> Vec<(String, Ask)> {
    let mut changes = Vec::new();
    for role in named(rehearsal, "Role") {
        let mut roles = ask.roles.clone();
        let had = roles.iter().position(|has| *has == role);
        let change = match had {
            Some(at) => {
                roles.remove(at);
                format!("without the role {role}")
            }
            None => {
                roles.push(role.clone());
                format!("with the role {role}")
            }
        };
        changes.push((change, Ask { roles, ..ask.clone() }));
    }
    for network in rehearsal.body().networks.iter().filter(|_| rehearsal.reads_networks()) {
        let word = if ask.networks.contains(&network.name) { "out of" } else { "from" };
        let other = turned(&ask.networks, &network.name).map(|networks| Ask { networks, ..ask.clone() });
        changes.extend(other.map(|other| (format!("{word} the network {}", network.name), other)));
    }
    // Those that it has, whatever policies write: one fewer may be what they ask for.
    let known =
        ask.scopes.iter().chain(written.texts.iter().filter(|text| is_scope(text) && !ask.scopes.contains(text)));
    for scope in known.filter(|_| rehearsal.reads_scopes()) {
        let without: Vec<String> = ask.scopes.iter().filter(|has| *has != scope).cloned().collect();
        let had = without.len() < ask.scopes.len();
        let scopes = if had { without } else { [without.as_slice(), std::slice::from_ref(scope)].concat() };
        let word = if had { "without" } else { "with" };
        changes.push((format!("{word} the scope {scope}"), Ask { scopes, ..ask.clone() }));
    }
    let service = rehearsal.body().services.iter().find(|service| service.name == ask.service);
    let callers = service.into_iter().flat_map(|service| &service.callers).map(|caller| Some(&caller.spiffe_id));
    for caller in callers.chain([None]).filter(|caller| rehearsal.reads_caller() && *caller != ask.caller.as_ref()) {
        let who = caller.map_or_else(|| "nobody who is known".to_owned(), ToString::to_string);
        changes.push((format!("called by {who}"), Ask { caller: caller.cloned(), ..ask.clone() }));
    }
    let subjects = named(rehearsal, "User");
    let prefix = format!("{}/", ask.tenant);
    for subject in subjects.iter().filter_map(|user| user.strip_prefix(&prefix)).filter(|s| *s != ask.subject) {
        changes.push((format!("as the subject {subject}"), Ask { subject: subject.to_owned(), ..ask.clone() }));
    }
    for cell in rehearsal.body().cells.iter().filter(|cell| ask.cell.as_ref().is_some_and(|here| *here != cell.name)) {
        changes.push((format!("in the cell {}", cell.name), Ask { cell: Some(cell.name.clone()), ..ask.clone() }));
    }
    for id in rehearsal.body().tenants.ids().filter(|id| *id != ask.tenant) {
        // Only where the request names it, whole: then it is the owner that is foreign.
        let between = |c: char| matches!(c, '/' | '?' | '&' | '=');
        let path: String = (ask.path.split_inclusive(between))
            .map(|part| match part.strip_suffix(between).unwrap_or(part) {
                named if named == id => part.replacen(id, &ask.tenant, 1),
                _ => part.to_owned(),
            })
            .collect();
        let mut headers = ask.headers.clone();
        let named = headers.iter_mut().filter(|(_, value)| value == id.as_bytes());
        let named: Vec<String> = named
            .map(|(name, value)| {
                *value = ask.tenant.clone().into_bytes();
                format!(" with {name}: {}", ask.tenant)
            })
            .collect();
        if path != ask.path || !named.is_empty() {
            changes.push((format!("for {path}{}", named.concat()), Ask { path, headers, ..ask.clone() }));
        }
    }
    changes
}

/// Ids of entities of one type that policies name.
fn named(rehearsal: &Rehearsal, kind: &str) -> BTreeSet<String> {
    let body = &rehearsal.body().program;
    let Ok(program) = Program::read(body) else { return BTreeSet::new() };
    let body = program.body();
    let text = |text: partywall_authorization::Text| body.texts.get(text.0 as usize).map_or("", String::as_str);
    body.entities.iter().filter(|(of, _)| text(*of) == kind).map(|(_, id)| text(*id).to_owned()).collect()
}

/// The overlay without what it takes from this tenant.
fn lifted(withdrawn: &Withdrawn, ask: &Ask) -> Option<Withdrawn> {
    let mut lifted = withdrawn.clone();
    lifted.suspended.retain(|id| id.as_str() != ask.tenant);
    lifted.quarantined.retain(|id| id.as_str() != ask.tenant);
    lifted.withdrawn_consents.retain(|one| one.tenant.as_str() != ask.tenant);
    (lifted != *withdrawn).then_some(lifted)
}

/// Whether a credential can have a scope that is called so (RFC 6749, section 3.3).
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))
}

type Tenants = Vec<partywall_tenancy::Tenant>;

/// Which texts policies write out, and which sets of a tenant they ask for.
#[derive(Default)]
struct Written {
    texts: BTreeSet<String>,
    features: bool,
    consents: bool,
}

fn written(program: &[u8]) -> Written {
    let Ok(program) = Program::read(program) else { return Written::default() };
    let asks = |name| program.find_text(name).is_some();
    Written { texts: material::written(&program), features: asks("features"), consents: asks("consents") }
}

/// `set` with `name`, or without it where it is there.
fn turned(set: &NameSet, name: &str) -> Option<NameSet> {
    if set.contains(name) {
        return Some(set.without(|one| one == name));
    }
    NameSet::new(set.iter().chain([name]))
}

/// Status, tier and residency, each as some other tenant has it; features and consents that policies write out.
fn of_the_tenant(directory: Directory<'_>, ask: &Ask, written: &Written) -> Vec<(String, Tenants)> {
    let Some(at) = directory.tenants.iter().position(|tenant| tenant.id.as_str() == ask.tenant) else {
        return Vec::new();
    };
    let own = &directory.tenants[at];
    let with = |change: &dyn Fn(&mut partywall_tenancy::Tenant)| {
        let mut tenants = directory.tenants.to_vec();
        change(&mut tenants[at]);
        tenants
    };
    let mut changes = Vec::new();
    if own.status != TenantStatus::Active {
        changes.push(("with status active".to_owned(), with(&|t| t.status = TenantStatus::Active)));
    }
    let tiers: BTreeSet<_> = directory.tenants.iter().map(|t| t.tier.clone()).filter(|t| *t != own.tier).collect();
    for tier in tiers {
        changes.push((format!("in the tier {tier}"), with(&|t| t.tier = tier.clone())));
    }
    let places: BTreeSet<_> =
        directory.tenants.iter().map(|t| t.residency.clone()).filter(|r| *r != own.residency).collect();
    for residency in places {
        changes.push((format!("with residency {residency}"), with(&|t| t.residency = residency.clone())));
    }
    let names = || written.texts.iter().filter(|text| is_name(text));
    for name in names().filter(|_| written.features) {
        let (word, set) = (if own.features.contains(name) { "without" } else { "with" }, turned(&own.features, name));
        changes.extend(set.map(|set| {
            (format!("{word} the feature {name}"), with(&|t: &mut partywall_tenancy::Tenant| t.features = set.clone()))
        }));
    }
    for name in names().filter(|_| written.consents) {
        let (word, set) = (if own.consents.contains(name) { "without" } else { "with" }, turned(&own.consents, name));
        changes.extend(set.map(|set| {
            (format!("{word} the consent {name}"), with(&|t: &mut partywall_tenancy::Tenant| t.consents = set.clone()))
        }));
    }
    changes
}
