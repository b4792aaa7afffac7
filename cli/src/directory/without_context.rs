//! Exceptions of a service: whom it takes without a context while they move in, and whether it serves tenants at all.

use partywall_tenancy::{SpiffeId, TenantId, UnixSeconds, WithoutContext};

use crate::directory::api_keys::instant;
use crate::directory::fields::{Fields, Report, flag};
use crate::directory::service::ServiceEntry;
use crate::directory::values::{Scope, is_known, spiffe_id, tenant_id};
use crate::directory::yaml::{At, Located, Node};
use crate::overlay;

/// `accept_without_context`.
#[derive(Debug)]
pub(crate) struct WithoutContextEntry<'s> {
    /// `peer`.
    pub(crate) peer: Located<'s, SpiffeId>,
    /// `tenant`.
    pub(crate) tenant: Located<'s, TenantId>,
    /// `until`.
    pub(crate) until: Located<'s, UnixSeconds>,
}

impl WithoutContextEntry<'_> {
    /// The exception, as the bundle has it.
    pub(crate) fn to_exception(&self) -> WithoutContext {
        let (peer, tenant) = (self.peer.value.clone(), self.tenant.value.clone());
        WithoutContext { peer, tenant, until: self.until.value }
    }
}

/// Reads `accept_without_context`.
pub(crate) fn read<'s>(
    node: Node<'s>,
    trust_domain: Option<&str>,
    report: &mut Report,
) -> Option<WithoutContextEntry<'s>> {
    let mut fields = Fields::of(node, "`accept_without_context`", report)?;
    let peer = fields
        .required("peer", "write `peer: spiffe://mesh.example/ns/shop/sa/legacy`, one of `callers`", report)
        .and_then(|node| spiffe_id(node, trust_domain, report));
    let tenant = fields
        .required("tenant", "write `tenant: acme`: for whom its requests are taken to be", report)
        .and_then(|node| tenant_id(node, report));
    let until = fields
        .required("until", "write `until: 2027-01-31T00:00:00Z`: an exception for ever is none", report)
        .and_then(|node| instant(node, "`until`", report));
    fields.finish(report);
    Some(WithoutContextEntry { peer: peer?, tenant: tenant?, until: until? })
}

/// Reads `tenantless`: where it is true.
pub(crate) fn tenantless<'s>(fields: &mut Fields<'s>, report: &mut Report) -> Option<At<'s>> {
    let node = fields.optional("tenantless")?;
    let at = node.at;
    flag(node, "`tenantless`", report)?.then_some(at)
}

/// Reports an exception, which is told in any case, and what contradicts it. `known` are all tenants, sorted.
pub(crate) fn check(service: &ServiceEntry<'_>, known: &[TenantId], report: &mut Report) {
    if let Some(entry) = &service.without_context {
        exception(service, entry, report);
        is_known(&entry.tenant, known, report);
    }
    let Some(at) = service.tenantless else { return };
    if let Some(operation) = service.operations.first() {
        let message = "a service of no tenant has no operations: nobody decides about calls to it";
        report.push(operation.at.error(message).help("write `operations: []`, or take `tenantless` out"));
        return;
    }
    if service.without_context.is_some() {
        let message = "calls to a service of no tenant have no context in any case";
        report.push(at.error(message).help("take `accept_without_context` out, or `tenantless`"));
        return;
    }
    report.push(
        at.note("calls to this service go out without a tenant's context, whoever caused them")
            .help("the sidecars of its callers take out what names a tenant, and no policy is asked"),
    );
}

fn exception(service: &ServiceEntry<'_>, entry: &WithoutContextEntry<'_>, report: &mut Report) {
    let WithoutContextEntry { peer, tenant, until } = entry;
    let covers = |scope: &Scope<'_>| scope.to_tenant_scope().contains(&tenant.value);
    let listed = |caller: &&super::service::CallerEntry<'_>| caller.spiffe_id.value == peer.value;
    if !service.callers.iter().find(listed).is_some_and(|caller| covers(&caller.tenants)) {
        let message = format!("`{}` is no caller of this service for `{}`", peer.value, tenant.value);
        report.push(peer.at.error(message).help("list it in `callers` with this tenant"));
    }
    if until.value <= overlay::now_millis() / 1000 {
        let message = format!("the time of `{}` without a context is over", peer.value);
        report.push(until.at.warning(message).help("take `accept_without_context` out"));
        return;
    }
    let message = format!("`{}` is taken to act for `{}`, and nothing proves it", peer.value, tenant.value);
    report.push(
        peer.at
            .warning(message)
            .help("it ends at `until`; give the workload a sidecar that signs or passes on a context"),
    );
}
