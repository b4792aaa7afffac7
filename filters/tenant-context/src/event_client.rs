//! WHO a client of Kafka is: from what its connection showed so far to one tenant context.
//!
//! ```text
//! certificate ── uri, dns, workloads ─┐
//! SASL ───────── user, token ─────────┼─► every proof names it, or nobody is let in ─► TenantContext
//! listener ───── bound ───────────────┘
//! ```

use std::rc::Rc;

use partywall_tenancy::{
    EventCluster, EventIdentity, ProvedBy, Reason, SpiffeId, TenantContext, TenantId, UnixSeconds, UserForm, View,
};

use crate::combine::{Proof, combine};
use crate::standing::Ground;
use crate::{Peer, Rejection, jwt, template};

/// What a connection showed. All of it is believed: the certificate was verified by Envoy, the user by the broker, the
/// token here and by the broker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The peer's certificate; empty where there is none.
    pub peer: Peer<'a>,
    /// The user of SASL.
    pub user: Option<&'a str>,
    /// The token of SASL.
    pub token: Option<&'a Rc<jwt::Verified>>,
    /// The tenant that the listener's configuration names.
    pub bound: Option<&'a TenantId>,
}

/// One thing that proves tenants.
struct Proven<'a> {
    source: &'static str,
    by: ProvedBy,
    tenants: Vec<TenantId>,
    principal: &'a str,
}

/// The tenant context of a client of `cluster`; `None` where nothing of what it showed proves a tenant.
///
/// The principal is the token's `sub`, else the user, else the name in the certificate that proved the tenant; of a
/// client that only its listener names it is empty.
///
/// # Errors
///
/// What it showed is invalid, or contradicts itself.
///
/// INVARIANT: everything that was shown and that the cluster takes for an identity names the tenant that comes out.
pub fn event_client(
    cluster: &EventCluster,
    shown: &Shown<'_>,
    view: &View,
) -> Result<Option<TenantContext>, Rejection> {
    shown.peer.check()?;
    let caller = shown.peer.spiffe_id();
    let mut proven = Vec::new();
    for identity in &cluster.identity {
        proven.extend(shown.proves(identity, caller.as_ref())?);
    }
    if let Some(tenant) = shown.bound {
        if !cluster.bound.as_ref().is_some_and(|scope| scope.contains(tenant)) {
            let why = "no listener may be bound to this tenant: `listener` under `identity` of the cluster names them";
            return Err(Rejection::new(Reason::CallerDenied, why));
        }
        let (source, tenants) = ("the listener", vec![tenant.clone()]);
        proven.push(Proven { source, by: ProvedBy::Listener, tenants, principal: "" });
    }
    let proofs: Vec<_> = proven.iter().map(|p| Proof { source: p.source, tenants: &p.tenants }).collect();
    if proofs.is_empty() {
        return Ok(None);
    }
    let tenant = combine(&proofs, &[])?;
    let token = shown.token.filter(|_| cluster.identity.contains(&EventIdentity::Token));
    if let Some(token) = token {
        Ground::Token(Rc::clone(token)).check(&tenant, view)?;
    }
    let record = view.tenant(&tenant).ok_or_else(|| {
        Rejection::of_tenant(&tenant, Reason::TenantUnknown, "the proved tenant is not in the bundle")
    })?;
    // SASL says who it is more closely than the certificate of a workload, and that more than the listener.
    let first = proven.iter().max_by_key(|proven| match proven.by {
        ProvedBy::Jwt => 3,
        ProvedBy::User => 2,
        ProvedBy::Certificate => 1,
        _ => 0,
    });
    let (principal, proved_by) = first.map_or(("", ProvedBy::Listener), |proven| (proven.principal, proven.by));
    Ok(Some(TenantContext {
        tenant,
        tier: record.tier.to_string(),
        region: record.residency.to_string(),
        principal: principal.to_owned(),
        roles: token.map(|token| token.roles.clone()).unwrap_or_default(),
        scopes: token.map(|token| token.scopes.clone()).unwrap_or_default(),
        networks: Default::default(),
        proved_by,
        token_id: token.map(|token| token.id.clone()).unwrap_or_default(),
        expires: token.map_or(UnixSeconds::MAX, |token| token.expires),
        caller,
    }))
}

impl<'a> Shown<'a> {
    /// What it proves by this way of showing a tenant.
    fn proves(&self, identity: &EventIdentity, caller: Option<&SpiffeId>) -> Result<Option<Proven<'a>>, Rejection> {
        let certificate = |principal: &'a str, tenant: TenantId| Proven {
            source: "the certificate",
            by: ProvedBy::Certificate,
            tenants: vec![tenant],
            principal,
        };
        Ok(match identity {
            EventIdentity::UriSan { template } => {
                let uri = str::from_utf8(self.peer.uri).unwrap_or_default();
                let found = template::segment(template, uri, false);
                found.map(|found| tenant_in("the peer's certificate", found)).transpose()?.map(|t| certificate(uri, t))
            }
            EventIdentity::DnsSan { template } => {
                let dns = str::from_utf8(self.peer.dns).unwrap_or_default();
                // A deeper name is a name of somebody else's.
                let found = template::label(template, dns).filter(|label| !label.is_empty() && !label.contains('.'));
                found.map(|found| tenant_in("the peer's certificate", found)).transpose()?.map(|t| certificate(dns, t))
            }
            EventIdentity::Workload { workloads } => caller.and_then(|caller| {
                let at = workloads.binary_search_by(|(workload, _)| workload.cmp(caller)).ok()?;
                let uri = str::from_utf8(self.peer.uri).unwrap_or_default();
                workloads.get(at).map(|(_, tenant)| certificate(uri, tenant.clone()))
            }),
            EventIdentity::User { template } => match self.user {
                None => None,
                Some(user) => {
                    let found = UserForm::parse(template).and_then(|form| form.tenant(user)).ok_or_else(|| {
                        Rejection::new(Reason::TenantInvalid, "the SASL user is outside of the cluster's template")
                    })?;
                    let tenants = vec![tenant_in("the SASL user", found)?];
                    Some(Proven { source: "the SASL user", by: ProvedBy::User, tenants, principal: user })
                }
            },
            EventIdentity::Token => self.token.map(|token| Proven {
                source: "the token",
                by: ProvedBy::Jwt,
                tenants: token.tenants.clone(),
                principal: &token.subject,
            }),
        })
    }
}

fn tenant_in(source: &str, text: &str) -> Result<TenantId, Rejection> {
    TenantId::parse(text).map_err(|e| Rejection::new(Reason::TenantInvalid, format!("the tenant in {source} {e}")))
}
