//! What comes of a request, for what follows it on its way.

use partywall_tenancy::{Reason, Retention, SpiffeId, TenantId};

use super::{candidate, guard, handover};

/// Why a request is turned away, with what the log needs.
pub(super) struct Denied {
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) proved: bool,
    pub(super) policy: String,
    pub(super) tenant: Option<TenantId>,
    /// What authorization was asked, as `explain` wrote it.
    pub(super) asked: Option<String>,
    /// What a candidate says, where there is one.
    pub(super) beside: Option<Box<candidate::Beside>>,
}

impl Denied {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            proved: false,
            policy: String::new(),
            tenant: None,
            asked: None,
            beside: None,
        }
    }
}

/// What lets a request pass.
#[derive(Default)]
pub(super) struct Allowed {
    pub(super) tenant: Option<TenantId>,
    pub(super) policy: String,
    /// Whether a grant or share let it cross into another tenant.
    pub(super) crosses: bool,
    /// Whether that was a grant.
    pub(super) granted: bool,
    /// Whether it is a platform principal's, of no tenant.
    pub(super) of_platform: bool,
    /// Whose what is asked for is, where authorization was asked.
    pub(super) whose: Option<TenantId>,
    /// Why it would be denied, were it not in shadow.
    pub(super) shadow: Option<Reason>,
    /// What authorization was asked, as `explain` wrote it.
    pub(super) asked: Option<String>,
    /// What a candidate says, where there is one.
    pub(super) beside: Option<Box<candidate::Beside>>,
    /// How the response is to be judged.
    pub(super) guarding: Option<guard::Guarding>,
    /// How old what is answered may be.
    pub(super) retention: Option<Retention>,
}

/// What comes of the head of a request that is not denied.
pub(super) enum Ran {
    /// It passes. With what it is let in on, where it is asked about again while it is open.
    Passes(Allowed, Option<Basis>),
    /// So many bytes of its body are read first.
    Waits(handover::Established, usize),
}

/// What a request is let in on.
pub(super) enum Basis {
    /// A context, for a service.
    Context(handover::Established),
    /// It is the platform's, and this platform principal asks.
    Platform(SpiffeId),
    /// It goes to this service, which serves no tenant.
    Tenantless(String),
}
