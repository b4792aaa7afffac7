//! One kind of request, and what sidecars see to in each request of it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::RequestEnv;
use partywall_tenancy::{Attributes, EventCluster, Operation, Service, Tenant, TenantStatus};

/// An action on a type of resource.
pub(crate) struct Kind {
    /// The same, as Cedar has it.
    pub(super) env: RequestEnv,
    /// Name of the action, as `invoices:read`.
    pub(crate) action: String,
    /// Type of the resource, as `Invoice`.
    pub(crate) resource: String,
}

impl Kind {
    pub(super) fn new(env: RequestEnv) -> Self {
        let (action, resource) = (env.action().id().unescaped().to_owned(), env.resource().to_string());
        Self { env, action, resource }
    }

    /// The operations of this kind.
    pub(super) fn operations<'s>(
        &'s self,
        services: &'s [Service],
    ) -> impl Iterator<Item = (&'s Service, &'s Operation)> {
        let of = |service: &'s Service| service.operations.iter().map(move |operation| (service, operation));
        services.iter().flat_map(of).filter(|(_, o)| o.action == self.action && o.resource == self.resource)
    }

    /// Which services a request of this kind can be for, and what its resource can be called there, as a condition.
    /// `None` where no service has such an operation, so that none is let in.
    pub(super) fn offered(&self, services: &[Service]) -> Option<String> {
        let mut with_id: BTreeMap<&str, bool> = BTreeMap::new();
        for (service, operation) in self.operations(services) {
            *with_id.entry(service.spiffe_id.as_str()).or_default() |= operation.id.is_some();
        }
        let at = |wanted: bool| {
            let ids = with_id.iter().filter(|(_, with_id)| **with_id == wanted).map(|(id, _)| entity("Workload", id));
            ids.collect::<Vec<_>>().join(", ")
        };
        let (named, unnamed) = (at(true), at(false));
        let nameless = format!("{}::\"\"", self.resource);
        let ways = [
            (!named.is_empty()).then(|| format!("[{named}].contains(context.service)")),
            (!unnamed.is_empty()).then(|| format!("([{unnamed}].contains(context.service) && resource == {nameless})")),
        ];
        let ways: Vec<String> = ways.into_iter().flatten().collect();
        (!ways.is_empty()).then(|| format!("({})", ways.join(" || ")))
    }

    /// What operations of this kind say of their data, as a condition: nothing else is ever said of a request.
    pub(super) fn said(&self, services: &[Service]) -> String {
        let mut said: BTreeMap<[&str; 4], BTreeSet<String>> = BTreeMap::new();
        for (service, operation) in self.operations(services) {
            let Attributes { dataset, classification, purpose, scope, .. } = &operation.attributes;
            let services = said.entry([dataset, classification, purpose, scope.name()]).or_default();
            services.insert(entity("Workload", service.spiffe_id.as_str()));
        }
        let ways = said.into_iter().map(|([dataset, classification, purpose, scope], services)| {
            let services = services.into_iter().collect::<Vec<_>>().join(", ");
            format!(
                "([{services}].contains(context.service) && resource.dataset == {} && resource.classification == {} && context.purpose == {} && context.scope == {})",
                text(dataset),
                text(classification),
                text(purpose),
                text(scope)
            )
        });
        format!("({})", ways.collect::<Vec<_>>().join(" || "))
    }

    /// Who calls the services of this kind, as a condition: those that they list, and at the edge nobody who is known. A
    /// cluster of Kafka lists nobody, and takes whoever shows a tenant: its proxy tells policies what the certificate says.
    pub(super) fn called(&self, services: &[Service]) -> String {
        let mut called: BTreeMap<BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
        let mut clusters = BTreeSet::new();
        for (service, operation) in self.operations(services) {
            let own = entity("Workload", service.spiffe_id.as_str());
            if operation.method == EventCluster::METHOD {
                clusters.insert(own);
                continue;
            }
            let callers = service.callers.iter().map(|caller| caller.spiffe_id.as_str()).chain([""]);
            let callers = callers.map(|caller| entity("Workload", caller)).collect();
            called.entry(callers).or_default().insert(own);
        }
        let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        let ways = called.into_iter().map(|(callers, services)| {
            let (callers, services) = (list(callers), list(services));
            format!("([{services}].contains(context.service) && [{callers}].contains(context.caller))")
        });
        let open = (!clusters.is_empty()).then(|| format!("[{}].contains(context.service)", list(clusters)));
        format!("({})", ways.chain(open).collect::<Vec<_>>().join(" || "))
    }
}

/// What holds for the tenants and users of every request, as a condition. `users` are those that policies name.
pub(super) fn always<'u>(users: impl IntoIterator<Item = (&'u String, &'u String)>) -> String {
    let known = TenantStatus::ALL.map(|status| text(status.name())).join(", ");
    let mut all: Vec<String> =
        ["principal", "resource"].map(|of| format!("[{known}].contains({of}.tenant.status)")).into_iter().collect();
    // Sidecars have clocks of whole seconds since 1970, and none will see 9900.
    all.push("context.time >= datetime(\"1970-01-01\") && context.time < datetime(\"9900-01-01\")".to_owned());
    // The id of a user begins with its tenant.
    all.extend(users.into_iter().map(|(user, tenant)| {
        format!("(principal != {} || principal.tenant == {})", entity("User", user), entity("Tenant", tenant))
    }));
    all.join(" && ")
}

/// So many tenants with the same settings are told apart.
const ALIKE: usize = 2;
/// So many different settings are.
const DIFFERENT: usize = 100;

/// Tier, residency, status, and the sets of features and consents.
type Settings<'t> = (&'t str, &'t str, &'t str, [Vec<&'t str>; 2]);

/// That both tenants of a request are of the directory, as a condition: with the status of their files, or with any.
/// Of many alike some stand for all.
pub(super) fn of_directory(tenants: &[Tenant], any_status: bool) -> Option<String> {
    let mut alike: BTreeMap<Settings<'_>, Vec<String>> = BTreeMap::new();
    for tenant in tenants {
        let status = if any_status { "" } else { tenant.status.name() };
        let sets = [&tenant.features, &tenant.consents].map(|set| set.iter().collect());
        let known = alike.entry((&tenant.tier, &tenant.residency, status, sets)).or_default();
        if known.len() < ALIKE {
            known.push(entity("Tenant", tenant.id.as_str()));
        }
    }
    let one_of = |of: &str| {
        let ways = alike.iter().take(DIFFERENT).map(|((tier, residency, status, [features, consents]), ids)| {
            let mut way = format!(
                "[{}].contains({of}.tenant) && {of}.tenant.tier == {} && {of}.tenant.residency == {}",
                ids.join(", "),
                text(tier),
                text(residency)
            );
            if !status.is_empty() {
                way.push_str(&format!(" && {of}.tenant.status == {}", text(status)));
            }
            for (name, set) in [("features", features), ("consents", consents)] {
                way.push_str(&format!(" && {of}.tenant.{name}{}", is(set)));
            }
            format!("({way})")
        });
        format!("({})", ways.collect::<Vec<_>>().join(" || "))
    };
    (!alike.is_empty()).then(|| format!("{} && {}", one_of("principal"), one_of("resource")))
}

/// That a set is this one.
fn is(set: &[&str]) -> String {
    // Cedar gives an empty set no type.
    if set.is_empty() {
        return ".isEmpty()".to_owned();
    }
    format!(" == [{}]", set.iter().map(|name| text(name)).collect::<Vec<_>>().join(", "))
}

/// An entity as Cedar writes it.
pub(super) fn entity(kind: &str, id: &str) -> String {
    format!("{kind}::{}", text(id))
}

/// A text as Cedar writes it.
fn text(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}
