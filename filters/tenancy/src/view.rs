//! What one request is decided against.

use std::sync::Arc;

use crate::context::ProvedBy;
use crate::{
    Bundle, Cell, Crossing, EventCluster, EventWorld, Grant, GrantId, Here, Leave, Overlay, Reason, Tenant,
    TenantContext, TenantId, TenantStatus, UnixSeconds, WithdrawnConsent,
};

/// A fresh bundle with the overlay over it: what one request is decided against.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) grants: Arc<[Grant]>,
    pub(crate) now: UnixSeconds,
}

impl View {
    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The overlay.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// The tenant as its record has it, without the consents that the overlay withdraws; whether it may act is not
    /// asked. Allocates only where one of them is withdrawn.
    ///
    /// INVARIANT: the overlay only takes consents away.
    pub fn tenant(&self, id: &TenantId) -> Option<Tenant> {
        let mut tenant = self.bundle.tenant(id)?;
        let withdrawn = self.overlay.withdrawn_consents(id);
        if !withdrawn.is_empty() {
            tenant.consents = tenant.consents.without(|consent| withdraws(withdrawn, consent));
        }
        Some(tenant)
    }

    /// The consents of the tenant's record that the overlay withdraws.
    pub fn withdrawn_consents(&self, id: &TenantId) -> Vec<&str> {
        let withdrawn = self.overlay.withdrawn_consents(id);
        let Some(tenant) = self.bundle.tenant(id).filter(|_| !withdrawn.is_empty()) else { return Vec::new() };
        withdrawn.iter().map(|one| one.consent.as_str()).filter(|consent| tenant.consents.contains(consent)).collect()
    }

    /// The tenant, if it exists and may act; else the reason to deny.
    ///
    /// INVARIANT: the overlay can only make this answer worse.
    pub fn active_tenant(&self, id: &TenantId) -> Result<Tenant, Reason> {
        let tenant = self.tenant(id).ok_or(Reason::TenantUnknown)?;
        let status = match (tenant.status, self.overlay.status(id)) {
            (TenantStatus::Active, Some(imposed)) => imposed,
            (TenantStatus::Suspended, Some(TenantStatus::Quarantined)) => TenantStatus::Quarantined,
            (own, _) => own,
        };
        match status {
            TenantStatus::Active if matches!(tenant.cell, Some(Cell::Moving { .. })) => Err(Reason::TenantMoving),
            TenantStatus::Active => Ok(tenant),
            TenantStatus::Suspended => Err(Reason::TenantSuspended),
            TenantStatus::Quarantined => Err(Reason::TenantQuarantined),
        }
    }

    /// By what this context may cross into the tenant that a request names, with that tenant: a live grant, or a share.
    /// A share is told where both would let it: nobody uses up a grant for what is shared.
    pub fn leave(&self, context: &TenantContext, crossing: &Crossing<'_>) -> Option<(Leave, Tenant)> {
        self.share(context, crossing).or_else(|| {
            let (grant, owner) = self.grant(context, crossing.owner, crossing.action)?;
            Some((Leave::Grant(grant), owner))
        })
    }

    /// INVARIANT: a share lets an active tenant read in an active one, whatever the overlay has made of either.
    fn share(&self, context: &TenantContext, crossing: &Crossing<'_>) -> Option<(Leave, Tenant)> {
        if context.proved_by == ProvedBy::Nothing {
            return None;
        }
        let mut shares = self.bundle.body().shares.iter();
        let share = shares.find(|share| share.covers(&context.tenant, crossing, self.now))?;
        self.active_tenant(&context.tenant).ok()?;
        let owner = self.active_tenant(&TenantId::parse(crossing.owner).ok()?).ok()?;
        Some((Leave::Share { name: share.name.as_str().into() }, owner))
    }

    /// The tenant whose the broker's topic is, which a rule of the cluster shares with others; `None` where it is nobody's.
    /// O(n log n) in the prefixes that are written out.
    ///
    /// # Errors
    ///
    /// [`Reason::ResourceForeign`]: its owner may not act, or is served elsewhere, or nobody can tell who that is.
    ///
    /// INVARIANT: as a share of requests, it lets nobody read in a tenant that is not active, whatever the overlay has
    /// made of it.
    pub fn owner_of_topic(&self, cluster: &EventCluster, topic: &str) -> Result<Option<Tenant>, Reason> {
        let body = self.bundle.body();
        let owner = match cluster.world_of(topic, |id| body.tenants.position(id).is_some()) {
            None => return Ok(None),
            Some(EventWorld::Tenant(id)) => TenantId::parse(id).ok().and_then(|id| self.active_tenant(&id).ok()),
            Some(EventWorld::Cohort(_) | EventWorld::Rest) => None,
        };
        let here = Here { cell: None, region: Some(&cluster.region) };
        let owner = owner.filter(|owner| here.serves(owner, body).is_ok());
        owner.map(Some).ok_or(Reason::ResourceForeign)
    }

    /// The live grant by which this context may do `action` in the tenant called `owner`, with that tenant.
    ///
    /// INVARIANT: a grant lets its operator cross into an active tenant, and only while the overlay, which could
    /// have revoked it, is not past its expiry.
    pub fn grant(&self, context: &TenantContext, owner: &str, action: &str) -> Option<(GrantId, Tenant)> {
        let now = self.now;
        if context.proved_by == ProvedBy::Nothing || now > self.overlay.body().expires {
            return None;
        }
        let grant = self.grants.iter().map(Grant::body).find(|grant| {
            grant.tenant.as_str() == owner
                && grant.operator == context.tenant
                && grant.subject == context.principal
                && grant.actions.iter().any(|granted| granted == action)
                && (grant.not_before..grant.expires).contains(&now)
                && !self.overlay.revokes_grant(&grant.id)
        })?;
        Some((grant.id, self.active_tenant(&grant.tenant).ok()?))
    }
}

fn withdraws(sorted: &[WithdrawnConsent], consent: &str) -> bool {
    sorted.binary_search_by(|one| one.consent.as_str().cmp(consent)).is_ok()
}
