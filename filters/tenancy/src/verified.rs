//! A bundle whose signatures were verified.

use std::collections::HashMap;

use crate::loading::Loading;
use crate::statement::{Kind, TrustedKey};
use crate::{
    ApiKey, BundleBody, ContextSigner, EventCluster, Issuer, Network, Refusal, RoleKeys, Rollout, Service, Share,
    SpiffeId, Tenant, TenantId,
};

/// A verified bundle with its indexes.
#[derive(Debug)]
pub struct Bundle {
    body: BundleBody,
    keys: Keys,
    issuers: HashMap<Box<str>, usize>,
    signers: HashMap<Box<str>, usize>,
    services: HashMap<Box<str>, usize>,
    clusters: HashMap<Box<str>, usize>,
    tenantless: bool,
}

impl Bundle {
    /// Verifies `bytes` against the keys trusted to sign bundles, all at once. As many of them as it asks
    /// for itself must have signed it.
    pub fn open(bytes: &[u8], keys: &[TrustedKey]) -> Result<Self, Refusal> {
        let mut loading = Loading::new(bytes.to_vec()).map_err(|(refusal, _)| refusal)?;
        while loading.step(usize::MAX, |signatures| signatures.verify(Kind::Bundle, keys, &[]), |_, _, _| Ok(()))? {}
        loading.finish().map(|(bundle, _)| bundle).map_err(|(refusal, _)| refusal)
    }

    /// Like [`Bundle::open`], for a candidate: what it would be as a bundle, and how far it is tried out.
    pub fn open_candidate(bytes: &[u8], keys: &[TrustedKey]) -> Result<(Self, Rollout), Refusal> {
        let mut loading = Loading::candidate(bytes.to_vec()).map_err(|(refusal, _)| refusal)?;
        while loading.step(usize::MAX, |signatures| signatures.verify(Kind::Candidate, keys, &[]), |_, _, _| Ok(()))? {}
        loading.finish_candidate().map(|found| (found.bundle, found.rollout)).map_err(|(refusal, _)| refusal)
    }

    /// Builds the indexes; the tenants were checked before.
    pub(crate) fn index(body: BundleBody) -> Result<Self, Refusal> {
        if !body.api_keys.is_sorted_by(|a, b| a.id < b.id) {
            return Err(Refusal::Inconsistent("API keys are not sorted, or one is there twice".into()));
        }
        if !body.gateways.is_sorted_by(|a, b| a < b) {
            return Err(Refusal::Inconsistent("gateways are not sorted, or one is there twice".into()));
        }
        if let Some(gateway) = body.gateways.iter().find(|g| g.trust_domain() != body.trust_domain) {
            return Err(Refusal::Inconsistent(format!("gateway `{gateway}` lies outside the trust domain")));
        }
        body.modes.check()?;
        if !body.cells.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Refusal::Inconsistent("cells are not sorted, or one is there twice".into()));
        }
        let known = |name: &str| body.cells.binary_search_by(|cell| cell.name.as_str().cmp(name)).is_ok();
        if let Some(stranger) = body.tenants.cells().find(|name| !known(name)) {
            return Err(Refusal::Inconsistent(format!("a tenant is in the cell `{stranger}`, which it does not list")));
        }
        Network::check(&body.networks)?;
        Share::check(&body.shares)?;
        EventCluster::check(&body.events, &body.tenants)?;
        let keys = Keys::of(&body.keys)?;
        let issuers = unique("issuer", body.issuers.iter().map(|i| i.issuer.as_str()).enumerate())?;
        let signers = unique("signer", body.signers.iter().map(|s| s.id.as_str()).enumerate())?;
        let services = unique("service", body.services.iter().map(|s| s.name.as_str()).enumerate())?;
        let clusters = unique(
            "cluster",
            body.services.iter().enumerate().flat_map(|(i, s)| s.clusters.iter().map(move |c| (i, c.as_str()))),
        )?;
        let tenantless = body.services.iter().any(|service| service.tenantless);
        Ok(Self { body, keys, issuers, signers, services, clusters, tenantless })
    }

    /// What it says.
    pub fn body(&self) -> &BundleBody {
        &self.body
    }

    /// Keys that may sign the next bundle, beside those of a sidecar's own configuration.
    pub fn bundle_keys(&self) -> &[TrustedKey] {
        &self.keys.bundle
    }

    /// Keys that may sign bundles no more.
    pub fn retired_keys(&self) -> &[TrustedKey] {
        &self.keys.retired
    }

    /// Keys that may sign overlays.
    pub fn overlay_keys(&self) -> &[TrustedKey] {
        &self.keys.overlay
    }

    /// Keys of which two may sign a grant.
    pub fn grant_keys(&self) -> &[TrustedKey] {
        &self.keys.grants
    }

    /// The tenant called `id`; O(log n), and without an allocation.
    pub fn tenant(&self, id: &TenantId) -> Option<Tenant> {
        self.body.tenants.get(id)
    }

    /// The issuer whose `iss` is exactly this; O(1).
    pub fn issuer(&self, issuer: &str) -> Option<&Issuer> {
        self.body.issuers.get(*self.issuers.get(issuer)?)
    }

    /// The API key with this id; O(log n).
    pub fn api_key(&self, id: &str) -> Option<&ApiKey> {
        let at = self.body.api_keys.binary_search_by(|k| k.id.as_str().cmp(id)).ok()?;
        self.body.api_keys.get(at)
    }

    /// Whether this workload forwards the requests of others; O(log n).
    pub fn is_gateway(&self, id: &SpiffeId) -> bool {
        self.body.gateways.binary_search(id).is_ok()
    }

    /// The context signer with this key id; O(1).
    pub fn signer(&self, id: &str) -> Option<&ContextSigner> {
        self.body.signers.get(*self.signers.get(id)?)
    }

    /// The service with this name; O(1).
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.body.services.get(*self.services.get(name)?)
    }

    /// Whether some service serves no tenant.
    pub fn has_tenantless(&self) -> bool {
        self.tenantless
    }

    /// The service that this Envoy cluster leads to; O(1).
    pub fn service_of_cluster(&self, cluster: &str) -> Option<&Service> {
        self.body.services.get(*self.clusters.get(cluster)?)
    }
}

/// The keys of a bundle, by role.
#[derive(Debug)]
struct Keys {
    bundle: Vec<TrustedKey>,
    retired: Vec<TrustedKey>,
    overlay: Vec<TrustedKey>,
    grants: Vec<TrustedKey>,
}

impl Keys {
    /// INVARIANT: a key has one role, under whatever id.
    fn of(named: &RoleKeys) -> Result<Self, Refusal> {
        let role = |what: &str, list: &[(String, [u8; 32])]| {
            list.iter()
                .map(|(id, key)| {
                    TrustedKey::new(id, key).ok_or_else(|| Refusal::Inconsistent(format!("{what} key `{id}`")))
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let keys = Self {
            bundle: role("bundle", &named.bundle)?,
            retired: role("retired", &named.retired)?,
            overlay: role("overlay", &named.overlay)?,
            grants: role("grant", &named.grants)?,
        };
        let roles = [&keys.bundle, &keys.retired, &keys.overlay, &keys.grants];
        for (nth, role) in roles.iter().enumerate() {
            let others = roles.iter().skip(nth + 1).flat_map(|other| other.iter());
            for other in others {
                if role.iter().any(|key| key.key == other.key) {
                    return Err(Refusal::Inconsistent(format!("key `{}` has two roles", other.id)));
                }
            }
        }
        Ok(keys)
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = (usize, &'a str)>) -> Result<HashMap<Box<str>, usize>, Refusal> {
    let mut index = HashMap::new();
    for (at, name) in names {
        if index.insert(name.into(), at).is_some() {
            return Err(Refusal::Inconsistent(format!("{what} `{name}` is there twice")));
        }
    }
    Ok(index)
}
