//! What one request is decided against.

use std::sync::Arc;

use crate::{Bundle, Overlay, Reason, Tenant, TenantId, TenantStatus};

/// A fresh bundle with the overlay over it: what one request is decided against.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) bundle: Arc<Bundle>,
    pub(crate) overlay: Arc<Overlay>,
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

    /// The tenant, if it exists and may act; else the reason to deny.
    ///
    /// INVARIANT: the overlay can only make this answer worse.
    pub fn active_tenant(&self, id: &TenantId) -> Result<Tenant, Reason> {
        let tenant = self.bundle.tenant(id).ok_or(Reason::TenantUnknown)?;
        let status = match (tenant.status, self.overlay.status(id)) {
            (TenantStatus::Active, Some(imposed)) => imposed,
            (TenantStatus::Suspended, Some(TenantStatus::Quarantined)) => TenantStatus::Quarantined,
            (own, _) => own,
        };
        match status {
            TenantStatus::Active => Ok(tenant),
            TenantStatus::Suspended => Err(Reason::TenantSuspended),
            TenantStatus::Quarantined => Err(Reason::TenantQuarantined),
        }
    }
}
