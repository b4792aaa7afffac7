//! What a way back gives again: what the old revision gave, and the one in force does not.

use partywall_log_redaction::SealedKeys;
use partywall_tenancy::{BundleBody, Service, Share, TenantId, TenantStatus, UnixSeconds, WithdrawnConsent};
use serde::Serialize;

use crate::command::note;
use crate::time::rfc3339;
use crate::{clusters, redaction, shares};

/// All of it.
#[derive(Serialize)]
pub(super) struct Gains {
    /// Tenants that may act again: those the bundle in force suspends, or does not know.
    active_again: Vec<String>,
    /// Consents that count again: those the bundle in force does not have. What the overlay withdraws is none.
    consents_again: Vec<Consent>,
    /// Shares that the bundle in force does not have, or that let less there.
    shares_again: Vec<Shared>,
    /// What counts again at clusters of Kafka: names, ways to show a tenant, topics.
    events_again: Vec<OfCluster>,
    /// Workloads of the platform that may do again what they may not in force.
    platform_again: Vec<Platform>,
    /// Workloads that may call without a context again.
    without_context_again: Vec<Exception>,
    /// Parts of redaction.yaml that say again what they said.
    redaction_again: Vec<String>,
    /// Tenants whose former keys for redaction come back: destroyed, or rotated since.
    keys_again: Vec<String>,
}

/// A consent of a tenant.
#[derive(Serialize)]
struct Consent {
    tenant: String,
    consent: String,
}

/// A share, by its name and in words.
#[derive(Serialize)]
struct Shared {
    share: String,
    says: String,
}

/// Something that a cluster of Kafka says, in words.
#[derive(Serialize)]
struct OfCluster {
    cluster: String,
    says: String,
    /// The same, where somebody reads it.
    #[serde(skip)]
    in_short: String,
}

/// What a workload of the platform may do at a service.
#[derive(Serialize)]
struct Platform {
    service: String,
    caller: String,
    actions: Vec<String>,
}

/// A workload that a service takes for one tenant's without a context.
#[derive(Serialize)]
struct Exception {
    service: String,
    peer: String,
    tenant: String,
    until: String,
}

impl Gains {
    /// What `old` gives beyond `in_force` at this time; `withdrawn` is the overlay's.
    pub(super) fn of(
        in_force: &BundleBody,
        old: &BundleBody,
        withdrawn: &[WithdrawnConsent],
        now: UnixSeconds,
    ) -> Self {
        let lasts = |until: Option<UnixSeconds>| until.is_none_or(|until| now < until);
        let shared = old.shares.iter().filter(|share| lasts(share.until) && !holds(in_force, share));
        let (redaction_again, keys_again) = redaction(in_force, old);
        let service = |name: &str| in_force.services.iter().find(|service| service.name == name);
        Self {
            active_again: active_again(in_force, old),
            consents_again: consents_again(in_force, old, withdrawn),
            shares_again: shared
                .map(|share| Shared { share: share.name.clone(), says: shares::words(share) })
                .collect(),
            events_again: events(in_force, old),
            platform_again: old.services.iter().flat_map(|old| platform(service(&old.name), old)).collect(),
            without_context_again: (old.services.iter())
                .filter_map(|old| without_context(service(&old.name), old, now))
                .collect(),
            redaction_again,
            keys_again,
        }
    }

    /// Tells each kind by itself, with what takes it away.
    pub(super) fn tell(&self) {
        tell(
            "these tenants may act again",
            IN_A_ROW,
            self.active_again.clone(),
            "`partywall tenant suspend` keeps one out, whatever bundles say",
        );
        tell(
            "these consents count again",
            IN_A_ROW,
            self.consents_again.iter().map(|Consent { tenant, consent }| format!("`{consent}` of {tenant}")),
            "`partywall consent withdraw` takes one away, whatever bundles say",
        );
        tell(
            "these shares count again",
            IN_LINES,
            self.shares_again.iter().map(|shared| shared.says.clone()),
            "one ends with the next bundle that is compiled without it; `partywall tenant suspend` keeps a tenant out at once",
        );
        tell(
            "this counts again at clusters of Kafka",
            IN_LINES,
            self.events_again.iter().map(|one| format!("{}: {}", one.cluster, one.in_short)),
            "change events.yaml, and compile; `partywall tenant suspend` keeps a tenant out at once",
        );
        tell(
            "these workloads of the platform may call again",
            IN_LINES,
            self.platform_again.iter().map(|Platform { service, caller, actions }| {
                format!("{caller} at {service}, for {}", actions.join(", "))
            }),
            "take one out of `platform` in services/, and compile",
        );
        tell(
            "these may call without a context again",
            IN_LINES,
            self.without_context_again.iter().map(|Exception { service, peer, tenant, until }| {
                format!("{peer} at {service}, for {tenant} until {until}")
            }),
            "take one out of `accept_without_context` in services/, and compile",
        );
        tell(
            "redaction.yaml says again what it said then",
            IN_A_ROW,
            self.redaction_again.iter().map(|part| format!("`{part}`")),
            "`partywall diff` tells what of it differs; a compile brings back what holds now",
        );
        tell(
            "keys for redaction come back that were destroyed or rotated since, of",
            IN_A_ROW,
            self.keys_again.clone(),
            "what was shredded opens again for who holds the master key: compile, and destroy the bundles of `history` too",
        );
    }
}

/// What stands before a list, and what between its parts.
type Separators = (&'static str, &'static str);
const IN_A_ROW: Separators = (" ", ", ");
const IN_LINES: Separators = ("\n  ", "\n  ");

fn tell(what: &str, (before, between): Separators, of: impl IntoIterator<Item = String>, help: &str) {
    let list: Vec<String> = of.into_iter().collect();
    if !list.is_empty() {
        note(format_args!("warning: {what}:{before}{}\nhelp: {help}", list.join(between)));
    }
}

/// Parts of what is said of telemetry that differ, and tenants with keys that are not in force.
fn redaction(in_force: &BundleBody, old: &BundleBody) -> (Vec<String>, Vec<String>) {
    let said = |body| redaction::of(body).flatten().unwrap_or_default();
    let (now, then) = (said(in_force), said(old));
    let parts = redaction::parts(&now).into_iter().zip(redaction::parts(&then));
    let differ = parts.filter(|(now, then)| now != then).map(|((name, _), _)| name.to_owned());
    let key = |keys: &SealedKeys| {
        let of_now = now.keys.iter().find(|one| one.tenant == keys.tenant);
        let same = |one: &SealedKeys| {
            one.epoch == keys.epoch && keys.data.iter().all(|(kid, _)| one.data.iter().any(|(known, _)| known == kid))
        };
        !of_now.is_some_and(same)
    };
    let keys = then.keys.iter().filter(|keys| key(keys)).map(|keys| keys.tenant.to_string());
    (differ.collect(), keys.collect())
}

/// What clusters of Kafka say, but for what they say in force.
fn events(in_force: &BundleBody, old: &BundleBody) -> Vec<OfCluster> {
    let said_now = |name: &str| {
        let now = in_force.events.iter().find(|now| now.name == name);
        now.map(|now| clusters::said(now, None)).unwrap_or_default()
    };
    let again = old.events.iter().flat_map(|cluster| {
        let (now, name) = (said_now(&cluster.name), &cluster.name);
        let beyond = clusters::said(cluster, None).into_iter().filter_map(move |said| said.beyond(&now));
        beyond.map(|said| OfCluster {
            cluster: name.clone(),
            says: said.line(usize::MAX),
            in_short: said.line(clusters::NAMES),
        })
    });
    again.collect()
}

/// Whether the bundle has the share, and it lets at least as much there.
fn holds(in_force: &BundleBody, old: &Share) -> bool {
    let within = |old: &[String], now: &[String]| old.iter().all(|name| now.contains(name));
    let tenants = |old: &[TenantId], now: &[TenantId]| old.iter().all(|id| now.binary_search(id).is_ok());
    let lasts = |now: &Share| now.until.is_none_or(|now| old.until.is_some_and(|old| old <= now));
    in_force.shares.iter().filter(|now| now.name == old.name).any(|now| {
        tenants(&old.owners, &now.owners)
            && tenants(&old.to, &now.to)
            && within(&old.actions, &now.actions)
            && within(&old.services, &now.services)
            && lasts(now)
    })
}

fn platform(in_force: Option<&Service>, old: &Service) -> Vec<Platform> {
    let mut again = Vec::new();
    for principal in &old.platform {
        let lets = |action: &&String| in_force.is_some_and(|now| now.lets(&principal.spiffe_id, action));
        let actions: Vec<String> = principal.actions.iter().filter(|action| !lets(action)).cloned().collect();
        if !actions.is_empty() {
            again.push(Platform { service: old.name.clone(), caller: principal.spiffe_id.to_string(), actions });
        }
    }
    again
}

fn without_context(in_force: Option<&Service>, old: &Service, now: UnixSeconds) -> Option<Exception> {
    let exception = old.without_context.as_ref().filter(|one| now < one.until)?;
    let there = in_force.and_then(|now| now.without_context.as_ref());
    let same = there.is_some_and(|there| {
        there.peer == exception.peer && there.tenant == exception.tenant && there.until >= exception.until
    });
    (!same).then(|| Exception {
        service: old.name.clone(),
        peer: exception.peer.to_string(),
        tenant: exception.tenant.to_string(),
        until: rfc3339(exception.until),
    })
}

fn active_again(in_force: &BundleBody, old: &BundleBody) -> Vec<String> {
    let acts =
        |body: &BundleBody, id: &TenantId| body.tenants.get(id).is_some_and(|t| t.status == TenantStatus::Active);
    let back = old.tenants.iter().filter(|tenant| acts(old, &tenant.id) && !acts(in_force, &tenant.id));
    back.map(|tenant| tenant.id.to_string()).collect()
}

fn consents_again(in_force: &BundleBody, old: &BundleBody, withdrawn: &[WithdrawnConsent]) -> Vec<Consent> {
    let mut again = Vec::new();
    for tenant in old.tenants.iter() {
        let now = in_force.tenants.get(&tenant.id);
        let gone = |consent: &str| withdrawn.iter().any(|one| one.tenant == tenant.id && one.consent == consent);
        let back = tenant.consents.iter().filter(|consent| {
            let has = now.as_ref().is_some_and(|now| now.consents.contains(consent));
            !has && !gone(consent)
        });
        again.extend(back.map(|consent| Consent { tenant: tenant.id.to_string(), consent: consent.to_owned() }));
    }
    again
}
