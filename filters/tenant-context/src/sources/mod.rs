//! Asking the sources that `mesh.yaml` lists for a role.

mod api_key;
mod certificate;
mod header;
mod host;
mod xfcc;

use std::cell::RefCell;

use partywall_tenancy::{ProvedBy, Reason, Secrets, Source, TenantContext, TenantId, UnixSeconds, View};

use crate::combine::{Proof, Selection, combine};
use crate::jwt::{self, Keys, Memo, SignatureVerifier};
use crate::standing::{Ground, Standing};
use crate::{Rejection, Request, RootMemo, Single, template};

pub use api_key::digest as api_key_digest;
pub use certificate::Peer;
pub(crate) use host::without_port;

/// What the sources are asked with.
pub struct Evidence<'a> {
    /// Bundle and overlay.
    pub view: &'a View,
    /// Now.
    pub now: UnixSeconds,
    /// The peer's certificate, as Envoy verified it.
    pub peer: Peer<'a>,
    /// The host that the TLS connection was made for (SNI), empty where there is none.
    pub server_name: &'a [u8],
    /// Checks signatures of issuers.
    pub verifier: &'a dyn SignatureVerifier,
    /// Finds the keys of issuers.
    pub keys: Keys<'a>,
    /// Tokens verified before.
    pub memo: &'a RefCell<Memo>,
    /// Root contexts verified before.
    pub roots: &'a RefCell<RootMemo>,
    /// Secrets of purpose `api_keys`; without them no API key proves anything.
    pub api_keys: Option<&'a Secrets>,
}

/// What one valid proving source says.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) by: ProvedBy,
    pub(crate) source: &'static str,
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) principal: String,
    pub(crate) roles: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) token_id: String,
    pub(crate) expires: UnixSeconds,
    /// The credential, where it is one that can be revoked; a token, also for what its issuer asks of tokens for the
    /// tenant that comes out.
    pub(crate) ground: Option<Ground>,
}

/// The tenants that the selecting sources among `sources` read in a host, and in the beginning of a path. What is no
/// tenant id is given as well.
pub fn named_in<'s>(
    sources: impl IntoIterator<Item = &'s Source>,
    host: Option<&str>,
    path: Option<&str>,
) -> Vec<(String, Where)> {
    let named = |source: &Source| match source {
        Source::Host { template } => Some((host::named(template, host?.as_bytes())?, Where::Host)),
        Source::Path { template } => Some((template::segment(template, path?, true)?.to_owned(), Where::Path)),
        _ => None,
    };
    sources.into_iter().filter_map(named).collect()
}

/// Where a tenant is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In the host.
    Host,
    /// In the path.
    Path,
}

/// Everything the sources of a role say about one request.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) proven: Vec<Proven>,
    pub(crate) selections: Vec<Selection>,
}

impl Gathered {
    /// Asks each source in turn. A proving source that is claimed and invalid is a rejection,
    /// even if another one proves.
    pub(crate) fn from(sources: &[Source], request: &Request<'_>, evidence: &Evidence<'_>) -> Result<Self, Rejection> {
        let mut gathered = Self::default();
        let mut certificate_asked = false;
        for source in sources {
            match source {
                Source::Jwt => gathered.proven.extend(token(request, evidence)?),
                Source::ApiKey { header } => gathered.proven.extend(api_key::prove(header, request, evidence)?),
                // All certificate templates are one source: together they must find one tenant.
                Source::UriSan { .. } | Source::DnsSan { .. } => {
                    if !std::mem::replace(&mut certificate_asked, true) {
                        gathered.proven.extend(certificate::prove(sources, request, &evidence.peer)?);
                    }
                }
                Source::Host { template } => gathered.select("the host", host::named(template, request.authority))?,
                Source::Path { template } => gathered.select("the path", path(template, request))?,
                Source::Header { name, peers } => {
                    gathered.select("a header", header::named(name, peers, request, &evidence.peer)?)?;
                }
            }
        }
        Ok(gathered)
    }

    fn select(&mut self, source: &'static str, named: Option<String>) -> Result<(), Rejection> {
        let Some(name) = named else { return Ok(()) };
        let proved = !self.proven.is_empty();
        let tenant = TenantId::parse(&name).map_err(|e| Rejection {
            proved,
            ..Rejection::new(Reason::TenantInvalid, format!("the tenant in {source} {e}"))
        })?;
        self.selections.push(Selection { source, tenant });
        Ok(())
    }

    /// One tenant context with what it rests on, or the reason why there is none.
    pub(crate) fn settle(mut self, view: &View) -> Result<(TenantContext, Standing), Rejection> {
        let proofs: Vec<_> = self.proven.iter().map(|p| Proof { source: p.source, tenants: &p.tenants }).collect();
        let sole = match self.proven.as_slice() {
            [one] => one.tenants.first().filter(|_| one.tenants.len() == 1).cloned(),
            _ => None,
        };
        let tenant = combine(&proofs, &self.selections).map_err(|r| Rejection { tenant: sole, ..r })?;
        for ground in self.proven.iter().filter_map(|p| p.ground.as_ref()) {
            if let Ground::Token(token) = ground {
                token.check_binding(view, &tenant)?;
            }
        }
        let record = view
            .active_tenant(&tenant)
            .map_err(|reason| Rejection::of_tenant(&tenant, reason, "the proved tenant may not act"))?;
        let (tier, region) = (record.tier.to_string(), record.residency.to_string());
        let expires = self.proven.iter().map(|p| p.expires).min().unwrap_or(0);
        let standing = Standing::of(self.proven.iter_mut().filter_map(|p| p.ground.take()));
        // The first proving source that is there names the principal.
        let Some(first) = self.proven.into_iter().next() else {
            return Err(Rejection::new(Reason::TenantMissing, "no source proves a tenant"));
        };
        let context = TenantContext {
            tenant,
            tier,
            region,
            principal: first.principal,
            roles: first.roles,
            scopes: first.scopes,
            proved_by: first.by,
            token_id: first.token_id,
            expires,
            caller: None,
        };
        Ok((context, standing))
    }

    /// For operations open to everybody: the selected tenant, proved by nothing.
    pub(crate) fn settle_anonymous(self, view: &View) -> Result<TenantContext, Rejection> {
        let Some((first, more)) = self.selections.split_first() else {
            return Err(Rejection::new(Reason::TenantMissing, "nothing selects a tenant"));
        };
        if more.iter().any(|s| s.tenant != first.tenant) {
            return Err(Rejection::new(Reason::TenantConflict, "two sources select different tenants"));
        }
        let record = view
            .active_tenant(&first.tenant)
            .map_err(|reason| Rejection::new(reason, "the selected tenant may not act"))?;
        Ok(TenantContext {
            tenant: first.tenant.clone(),
            tier: record.tier.to_string(),
            region: record.residency.to_string(),
            principal: NOBODY.into(),
            roles: Vec::new(),
            scopes: Vec::new(),
            proved_by: ProvedBy::Nothing,
            token_id: String::new(),
            expires: 0,
            caller: None,
        })
    }
}

/// The principal of a request that proved nothing: a name that no credential may bear, since `sub` is never empty.
const NOBODY: &str = "";

fn token(request: &Request<'_>, evidence: &Evidence<'_>) -> Result<Option<Proven>, Rejection> {
    let Single::Once(value) = request.headers.single("authorization") else { return Ok(None) };
    let Some(token) = jwt::bearer(value) else { return Ok(None) };
    let mut memo = evidence.memo.borrow_mut();
    let verified = memo.verify(token, evidence.view, evidence.keys, evidence.now, evidence.verifier)?;
    Ok(verified.map(|token| Proven {
        by: ProvedBy::Jwt,
        source: "the token",
        tenants: token.tenants.clone(),
        principal: token.subject.clone(),
        roles: token.roles.clone(),
        scopes: token.scopes.clone(),
        token_id: token.id.clone(),
        expires: token.expires,
        ground: Some(Ground::Token(token)),
    }))
}

fn path(template: &str, request: &Request<'_>) -> Option<String> {
    let path = str::from_utf8(request.path_only()).ok()?;
    template::segment(template, path, true).map(str::to_owned)
}
