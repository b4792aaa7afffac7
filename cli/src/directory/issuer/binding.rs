//! `bindings:` of an issuer: what a token must show to prove one tenant.

use partywall_tenancy::{TenantBinding, TenantId};

use crate::directory::fields::{Fields, Report, texts};
use crate::directory::values::{Scope, tenant_id};
use crate::directory::yaml::{At, Located, Node};

/// One of `bindings`.
#[derive(Debug)]
pub(crate) struct BindingEntry<'s> {
    /// `tenant`.
    pub(crate) tenant: Located<'s, TenantId>,
    audiences: Vec<String>,
    clients: Vec<String>,
}

impl BindingEntry<'_> {
    /// As the bundle says it.
    pub(crate) fn to_binding(&self) -> TenantBinding {
        TenantBinding {
            tenant: self.tenant.value.clone(),
            audiences: self.audiences.clone(),
            clients: self.clients.clone(),
        }
    }
}

/// Reads one.
pub(super) fn read<'s>(node: Node<'s>, report: &mut Report) -> Option<BindingEntry<'s>> {
    let at = node.at;
    let mut fields = Fields::of(node, "a binding", report)?;
    let tenant = fields.required("tenant", "write `tenant: acme`", report).and_then(|node| tenant_id(node, report));
    let (audiences, clients) = (fields.optional("audiences"), fields.optional("clients"));
    fields.finish(report);
    binds(at, audiences.is_some() || clients.is_some(), report)?;
    let audiences = audiences.map_or(vec![], |node| texts(node, "an audience", report));
    let clients = clients.map_or(vec![], |node| texts(node, "a client", report));
    let values = |found: Vec<Located<'_, String>>| found.into_iter().map(|f| f.value).collect();
    Some(BindingEntry { tenant: tenant?, audiences: values(audiences), clients: values(clients) })
}

fn binds(at: At<'_>, something: bool, report: &mut Report) -> Option<()> {
    if something {
        return Some(());
    }
    let diagnostic = at.error("this binding asks for nothing");
    report.add(
        diagnostic
            .help("write `clients: [web-app]`, `audiences: [shop]` or both; without a binding any client will do"),
    )
}

/// Reports bindings that no token ever meets: of tenants that the issuer may not name, and second ones.
pub(super) fn check(bindings: &[BindingEntry<'_>], tenants: &Scope<'_>, report: &mut Report) {
    for (n, binding) in bindings.iter().enumerate() {
        let Located { value: tenant, at } = &binding.tenant;
        if !tenants.to_tenant_scope().contains(tenant) {
            let diagnostic = at.error(format!("this issuer may not name `{tenant}`, so that nothing is bound here"));
            report.push(diagnostic.help(format!("add `{tenant}` to its `tenants`, or take this binding out")));
        } else if bindings.iter().take(n).any(|other| other.tenant.value == *tenant) {
            let diagnostic = at.error(format!("`{tenant}` is bound twice"));
            report.push(diagnostic.help("put its audiences and clients into one entry"));
        }
    }
}
