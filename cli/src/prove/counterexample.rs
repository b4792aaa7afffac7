//! A request for which a claim does not hold.

use cedar_policy::{Authorizer, Entities, PolicySet, Request};
use cedar_policy_symcc::Env;
use partywall_tenancy::{NameSet, Operation, Place, Service};

use super::claim::Asked;
use super::{Kind, Side, model};
use crate::exit::Failure;
use crate::lower::Case;
use crate::lower::oracle::{Ruling, request};
use crate::replay::STRANGE_CALLER;
use crate::sent::Sent;
use crate::time::rfc3339;

/// A request that is permitted, and should not be.
#[derive(Clone, Debug)]
pub(crate) struct Counterexample {
    /// Its facts.
    pub(crate) case: Case,
    /// The policies that permit it.
    pub(crate) policies: Vec<String>,
    /// The service it is sent to, by its name in the directory, method and path.
    pub(crate) sent: [String; 3],
    /// The headers that the operation asks for, as `x-mode: admin`.
    pub(crate) headers: Vec<String>,
    /// Tenants in it that the directory does not have as they are here.
    pub(crate) missing: Vec<String>,
}

impl Counterexample {
    /// Makes the model of the solver a request of this mesh, as plain as one can be that shows the same.
    ///
    /// INVARIANT: Cedar's own authorizer permits it; so nothing is shown that only the solver believes.
    pub(super) fn new(kind: &Kind, asked: &Asked<'_>, model: &Env) -> Result<Self, Failure> {
        let defect = |what: &str| Failure::invalid(format!("{what}; this is a defect of `partywall`"));
        let case =
            model::case(kind, asked.side, model).ok_or_else(|| defect("the solver's model describes no request"))?;
        if judge(asked, &case).is_none() {
            return Err(defect("Cedar does not permit what the solver says it permits"));
        }
        let case = plainest(kind, asked, case);
        let policies = judge(asked, &case).unwrap_or_default();
        let (sent, headers) = sent(kind, &asked.side.services, &case)
            .ok_or_else(|| defect("no service has the operation of a counterexample"))?;
        let mut missing: Vec<String> = [&case.tenant, &case.owner]
            .into_iter()
            .filter(|tenant| !asked.side.tenants.iter().any(|known| known == *tenant))
            .map(|tenant| tenant.id.to_string())
            .collect();
        missing.dedup();
        Ok(Self { case, policies, sent, headers, missing })
    }

    /// Request and entities as Cedar wants them.
    pub(super) fn as_cedar(&self) -> Result<(Request, Entities), Failure> {
        request(&self.case.facts()).map_err(Failure::invalid)
    }

    /// The command that explains it, about this directory.
    pub(crate) fn explain(&self, side: &Side) -> String {
        let case = &self.case;
        let mut words = vec!["partywall".into(), "explain".into(), side.path.display().to_string()];
        let mut option = |name: &str, value: &str| words.extend([format!("--{name}"), value.to_owned()]);
        option("tenant", case.tenant.id.as_str());
        option("subject", &case.subject);
        case.roles.iter().for_each(|role| option("role", role));
        if case.owner.id != case.tenant.id {
            option("owner", case.owner.id.as_str());
        }
        option("service", &self.sent[0]);
        self.headers.iter().for_each(|header| option("header", header));
        if side.policies.iter().any(|policy| policy.to_string().contains("context.time")) {
            option("time", &rfc3339(case.time));
        }
        if !case.caller.is_empty() {
            option("caller", &case.caller);
        }
        case.networks.iter().for_each(|network| option("network", network));
        case.scopes.iter().for_each(|scope| option("scope", scope));
        words.extend(self.sent[1..].iter().cloned());
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// The policies that permit a request, if it is what was asked for.
fn judge(asked: &Asked<'_>, case: &Case) -> Option<Vec<String>> {
    let (request, entities) = request(&case.facts()).ok()?;
    let rule = |set: &PolicySet| Ruling::of(&Authorizer::new().is_authorized(&request, set, &entities));
    let ruling = rule(&asked.permits);
    let covered = asked.covers.as_ref().is_some_and(|covers| rule(covers).allowed);
    (ruling.allowed && !covered).then(|| ruling.determining.into_iter().collect())
}

/// The same without what makes no difference: roles, scopes, networks, who calls, a name, an id.
fn plainest(kind: &Kind, asked: &Asked<'_>, mut case: Case) -> Case {
    let changed = |case: &mut Case, change: &dyn Fn(&mut Case)| {
        let mut plainer = case.clone();
        change(&mut plainer);
        let same = judge(asked, &plainer).is_some();
        if same {
            *case = plainer;
        }
        same
    };
    let mut at = 0;
    while at < case.roles.len() {
        if !changed(&mut case, &|case| drop(case.roles.remove(at))) {
            at += 1;
        }
    }
    let mut at = 0;
    while at < case.scopes.len() {
        if !changed(&mut case, &|case| drop(case.scopes.remove(at))) {
            at += 1;
        }
    }
    let networks: Vec<String> = case.networks.iter().map(str::to_owned).collect();
    for network in networks {
        let without = case.networks.without(|one| one == network);
        if changed(&mut case, &|case| case.networks.clone_from(&without)) || asked.side.networks.contains(&network) {
            continue;
        }
        // One that the solver made up, where it matters that there is one.
        asked.side.networks.iter().any(|known| {
            let with = NameSet::new(without.iter().chain([known.as_str()])).unwrap_or_default();
            changed(&mut case, &|case| case.networks.clone_from(&with))
        });
    }
    let callers = asked.side.services.iter().flat_map(|service| &service.callers);
    let callers = callers.map(|caller| caller.spiffe_id.to_string());
    let callers: Vec<String> = asked.side.clients.iter().cloned().chain(callers).collect();
    if !changed(&mut case, &|case| case.caller.clear()) && !callers.contains(&case.caller) {
        // One that the solver made up, where it matters that there is one.
        let known = callers.iter().map(String::as_str);
        known.chain([STRANGE_CALLER]).any(|caller| changed(&mut case, &|case| case.caller = caller.to_owned()));
    }
    changed(&mut case, &|case| case.subject = "someone".into());
    let operations = kind.operations(&asked.side.services);
    let mut called = operations.filter(|(service, _)| service.spiffe_id.as_str() == case.service);
    let named = called.find(|(_, operation)| operation.id.is_some()).map(|(_, operation)| operation);
    let separator = named.and_then(|operation| {
        operation.owner.places().iter().find_map(|place| match place {
            Place::IdPrefix(separator) => Some(*separator),
            Place::Path(_) | Place::Query(_) | Place::Header(_) | Place::Body(_) => None,
        })
    });
    let owner = case.owner.id.clone();
    let id = match (named, separator) {
        (None, _) => String::new(),
        (Some(_), None) => "1".to_owned(),
        (Some(_), Some(separator)) => format!("{owner}{separator}1"),
    };
    changed(&mut case, &|case| case.resource_id.clone_from(&id));
    case
}

/// Service, method and path of an operation whose requests have these facts, and the headers that it asks for.
fn sent(kind: &Kind, services: &[Service], case: &Case) -> Option<([String; 3], Vec<String>)> {
    let fits = |operation: &Operation| operation.id.is_some() || case.resource_id.is_empty();
    // One that does not show its owner reaches the policies even where the owner is another.
    let hidden = |operation: &Operation| operation.owner.may_be_hidden();
    let mut all: Vec<_> = kind
        .operations(services)
        .filter(|(service, operation)| service.spiffe_id.as_str() == case.service && fits(operation))
        .collect();
    all.sort_by_key(|(_, operation)| !hidden(operation));
    let (service, operation) = all.first()?;
    let owner = Some(case.owner.id.as_str()).filter(|_| !hidden(operation));
    let more = Sent::to(operation, owner);
    let header = |(name, value): &(String, Vec<u8>)| format!("{name}: {}", String::from_utf8_lossy(value));
    let path = more.to_path(&path(operation, case));
    Some(([service.name.clone(), operation.method.clone(), path], more.headers.iter().map(header).collect()))
}

fn path(operation: &Operation, case: &Case) -> String {
    let fill = |segment: &str| {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match name {
            None => segment.to_owned(),
            Some(name) if operation.id.as_deref() == Some(name) => encoded(&case.resource_id),
            Some(name) if operation.owner.places().contains(&Place::Path(name.to_owned())) => case.owner.id.to_string(),
            Some(_) => "1".to_owned(),
        }
    };
    operation.path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// A segment of a path that says `text` (RFC 3986, section 2.3).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
