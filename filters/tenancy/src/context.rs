//! What is known about one request once it was established who is calling.

use crate::{NameSet, SpiffeId, TenantId, UnixSeconds};

/// What proved the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvedBy {
    /// A JWT of a configured issuer.
    Jwt,
    /// An API key of the bundle.
    ApiKey,
    /// A client certificate inside a tenant template.
    Certificate,
    /// A root context from an allowed caller.
    Root,
    /// The workload itself: its own tenant, or one that it may act for.
    Workload,
    /// A user of SASL that the broker believed.
    User,
    /// The listener alone: its configuration says whose connections are.
    Listener,
    /// Nothing: an anonymous operation. The tenant was selected, not proved.
    Nothing,
}

/// One verified tenant and who acts for it. Made by `tenant-context`, read by everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantContext {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's tier when the context was established.
    pub tier: String,
    /// The tenant's residency when the context was established.
    pub region: String,
    /// Who acts: the `sub` of the credential.
    pub principal: String,
    /// The principal's roles.
    pub roles: Vec<String>,
    /// The scopes of the credential (`scope`, RFC 8693 section 4.2).
    pub scopes: Vec<String>,
    /// The networks that the client called from, as the edge saw it; empty where nobody knows.
    pub networks: NameSet,
    /// Which source proved it here.
    pub proved_by: ProvedBy,
    /// The id of the token that proved it: `jti`, empty where the token had none.
    pub token_id: String,
    /// When the proof ends.
    pub expires: UnixSeconds,
    /// The peer that made this request, by mTLS; none at the edge. At an outbound filter the own workload, which the
    /// next hop will see as its peer.
    pub caller: Option<SpiffeId>,
}
