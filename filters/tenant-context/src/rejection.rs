//! A denial by this crate.

use std::borrow::Cow;

use partywall_tenancy::{Reason, TenantId};

/// Why there is no tenant context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, for log, metric and status.
    pub reason: Reason,
    /// What exactly was wrong, for the operator's log and never for the caller.
    /// Holds no part of a credential.
    pub detail: Cow<'static, str>,
    /// Whether the caller had proved a credential before it was turned away.
    pub proved: bool,
    /// The tenant it proved, for the log.
    pub tenant: Option<TenantId>,
}

impl Rejection {
    /// Turned away before anything was proved.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), proved: false, tenant: None }
    }

    /// Turned away although it proved a credential.
    pub fn of_proved(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { proved: true, ..Self::new(reason, detail) }
    }

    /// Turned away although it proved to be `tenant`.
    pub fn of_tenant(tenant: &TenantId, reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { tenant: Some(tenant.clone()), ..Self::of_proved(reason, detail) }
    }
}
