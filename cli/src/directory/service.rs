//! `services/*.yaml`: one service per file.

use partywall_tenancy::{Caller, Mode, Operation, Recover, RouteWords, Service, SpiffeId, TenantId};

use crate::directory::act_for::{self, ActForEntry};
use crate::directory::data::Data;
use crate::directory::fields::{Fields, Report, choice, list, texts};
use crate::directory::platform::PlatformEntry;
use crate::directory::service_events::EventsEntry;
use crate::directory::values::{Scope, duration, scope, spiffe_id, tenant_id, word};
use crate::directory::without_context::WithoutContextEntry;
use crate::directory::yaml::{At, Located, Node};
use crate::directory::{modes, named, operation, platform, service_events, without_context};

/// A service as written, each value checked by itself; what could not be read is left out.
#[derive(Debug)]
pub(crate) struct ServiceEntry<'s> {
    /// `service`.
    pub(crate) name: Option<Located<'s, String>>,
    /// `spiffe_id`.
    pub(crate) spiffe_id: Option<Located<'s, SpiffeId>>,
    /// `clusters`; without it the service's name.
    pub(crate) clusters: Vec<Located<'s, String>>,
    /// `max_context_age`, in seconds.
    pub(crate) max_context_age: Option<u32>,
    /// `recover`.
    pub(crate) recover: Option<Recover>,
    /// `own_tenant`.
    pub(crate) own_tenant: Option<Located<'s, TenantId>>,
    /// `act_for`, and where it stands.
    pub(crate) act_for: Option<Located<'s, ActForEntry<'s>>>,
    /// `mode`.
    pub(crate) mode: Option<Located<'s, Mode>>,
    /// Where `allow_shadow_routes: true` stands.
    pub(crate) shadow_routes: Option<At<'s>>,
    /// `callers`.
    pub(crate) callers: Vec<CallerEntry<'s>>,
    /// `platform`.
    pub(crate) platform: Vec<PlatformEntry<'s>>,
    /// `accept_without_context`.
    pub(crate) without_context: Option<WithoutContextEntry<'s>>,
    /// Where `tenantless: true` stands.
    pub(crate) tenantless: Option<At<'s>>,
    /// `operations`.
    pub(crate) operations: Vec<Located<'s, Operation>>,
    /// `routes`: what their words mean.
    pub(crate) routes: Option<RouteWords>,
    /// `events`.
    pub(crate) events: Option<EventsEntry<'s>>,
}

/// One of `callers`.
#[derive(Debug)]
pub(crate) struct CallerEntry<'s> {
    /// `spiffe_id`.
    pub(crate) spiffe_id: Located<'s, SpiffeId>,
    /// `tenants`.
    pub(crate) tenants: Scope<'s>,
}

impl ServiceEntry<'_> {
    /// The service, if all of it is good.
    pub(crate) fn to_service(&self) -> Option<Service> {
        Some(Service {
            name: self.name.as_ref()?.value.clone(),
            spiffe_id: self.spiffe_id.as_ref()?.value.clone(),
            clusters: self.clusters.iter().map(|c| c.value.clone()).collect(),
            callers: self
                .callers
                .iter()
                .map(|c| Caller { spiffe_id: c.spiffe_id.value.clone(), tenants: c.tenants.to_tenant_scope() })
                .collect(),
            max_context_age: self.max_context_age?,
            recover: self.recover?,
            own_tenant: self.own_tenant.as_ref().map(|t| t.value.clone()),
            act_for: self.act_for.as_ref().map(|may| may.value.to_act_for()),
            platform: self.platform.iter().map(PlatformEntry::to_principal).collect(),
            without_context: self.without_context.as_ref().map(WithoutContextEntry::to_exception),
            tenantless: self.tenantless.is_some(),
            operations: self.operations.iter().map(|o| o.value.clone()).collect(),
            routes: self.routes.clone(),
            events: self.events.as_ref().and_then(|entry| entry.events.clone()),
        })
    }
}

/// Reads the document of one service.
pub(crate) fn read<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    data: &Data<'_>,
    report: &mut Report,
) -> Option<ServiceEntry<'s>> {
    let mut fields = Fields::of(node, "a service", report)?;
    let name = fields
        .required("service", "write `service: orders`", report)
        .and_then(|node| word(node, "a service name", report));
    let its_id = fields
        .required("spiffe_id", "write `spiffe_id: spiffe://mesh.example/ns/shop/sa/orders`", report)
        .and_then(|node| spiffe_id(node, trust_domain, report));
    let clusters = match fields.optional("clusters") {
        Some(node) => texts(node, "a cluster", report),
        None => name.iter().cloned().collect(),
    };
    let max_context_age = match fields.optional("max_context_age") {
        Some(node) => duration(node, "`max_context_age`", 1..=3_600, report),
        None => Some(Service::CONTEXT_AGE),
    };
    let recover = match fields.optional("recover") {
        Some(node) => choice(node, "`recover`", RECOVER, report),
        None => Some(Recover::Handle),
    };
    let own_tenant = fields.optional("own_tenant").and_then(|node| tenant_id(node, report));
    let act_for = fields.optional("act_for").and_then(|node| act_for::read(node, report));
    let mode = modes::mode(&mut fields, report);
    let shadow_routes = modes::shadow_routes(&mut fields, report);
    let (listens, routes) = named::routes(&mut fields, data, report);
    let callers = fields
        .required(
            "callers",
            "write `callers: [{ spiffe_id: spiffe://mesh.example/ns/edge/sa/gateway, tenants: all }]`",
            report,
        )
        .map_or(vec![], |node| list(node, "`callers`", report, |item, report| caller(item, trust_domain, report)));
    let platform = fields.optional("platform").map_or(vec![], |node| platform::read(node, trust_domain, report));
    let without_context =
        fields.optional("accept_without_context").and_then(|node| without_context::read(node, trust_domain, report));
    let tenantless = without_context::tenantless(&mut fields, report);
    let events = fields.optional("events").and_then(|node| service_events::read(node, trust_domain, report));
    let operations = fields
        .required(
            "operations",
            "write `operations: [{ http: \"GET /orders/{id}\", action: \"orders:read\", … }]`",
            report,
        )
        .map_or(vec![], |node| list(node, "`operations`", report, |item, report| operation::read(item, data, report)));
    fields.finish(report);
    callers_once_each(&callers, report);
    named::check(&operations, listens, report);
    let operations = operation::apart(operations, report);
    Some(ServiceEntry {
        name,
        spiffe_id: its_id,
        clusters,
        max_context_age,
        recover,
        own_tenant,
        act_for,
        mode,
        shadow_routes,
        callers,
        platform,
        without_context,
        tenantless,
        operations,
        routes,
        events,
    })
}

/// How the context of an outgoing call is found.
pub(crate) const RECOVER: &[(&str, Recover)] = &[("handle", Recover::Handle), ("traceparent", Recover::TraceParent)];

fn caller<'s>(node: Node<'s>, trust_domain: Option<&str>, report: &mut Report) -> Option<CallerEntry<'s>> {
    let mut fields = Fields::of(node, "a caller", report)?;
    let id = fields
        .required("spiffe_id", "write `spiffe_id: spiffe://mesh.example/ns/edge/sa/gateway`", report)
        .and_then(|node| spiffe_id(node, trust_domain, report));
    let tenants = fields.required("tenants", "write `tenants: all`", report).and_then(|node| scope(node, report));
    fields.finish(report);
    Some(CallerEntry { spiffe_id: id?, tenants: tenants? })
}

fn callers_once_each(callers: &[CallerEntry<'_>], report: &mut Report) {
    for (n, caller) in callers.iter().enumerate() {
        if callers.iter().take(n).any(|other| other.spiffe_id.value == caller.spiffe_id.value) {
            let message = format!("caller `{}` is there twice", caller.spiffe_id.value);
            report.push(caller.spiffe_id.at.error(message).help("put its tenants into one entry"));
        }
    }
}
