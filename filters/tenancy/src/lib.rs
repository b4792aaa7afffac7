//! The vocabulary of Partywall. Every other crate speaks it; it speaks to nobody:
//! no clock, no file, no socket, no host. Time comes in as a number, keys as values.
//!
//! ```text
//! tenancy directory ──`partywall compile`──► statement (signed) ──► Bundle ─┐
//! overlay.yaml ───────`partywall serve`────► statement (signed) ──► Overlay ─┤
//!                                                                            ▼
//!                                                                      PolicyState ──► View
//! ```
//!
//! A [`Bundle`] or [`Overlay`] value exists only after its signature was verified:
//! there is no other way to make one. [`PolicyState`] decides which of them may
//! replace which; a [`View`] is what a request is decided against.

// A trap takes down every tenant on the worker.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)]

mod attributes;
mod bundle;
mod candidate;
mod cell;
mod context;
mod events;
mod fingerprint;
mod grant;
mod id;
mod issuer;
mod loading;
mod modes;
mod name_set;
mod network;
pub mod order;
mod overlay;
mod place;
mod reason;
mod refusal;
mod response;
mod routes;
mod secret;
mod service_events;
mod share;
mod source;
mod spiffe;
mod state;
pub mod statement;
mod tenants;
mod verified;
mod view;

pub use attributes::{Attributes, Feature, Residency, Retention, Scope};
pub use bundle::{
    ActFor, Audience, BundleBody, Caller, ContextSigner, GrantCeilings, Operation, PlatformPrincipal, Recover,
    RoleKeys, Service, TenantScope, WithoutContext,
};
pub use candidate::Rollout;
pub use cell::{Cell, CellPlace, Here};
pub use context::{ProvedBy, TenantContext};
pub use events::{
    BrokerAddresses, EventCluster, EventCohort, EventIdentity, EventPrefix, EventWorld, NewTopics, PartitionRange,
    Placed, PrefixClash, TopicPattern, TopicRule, UserForm,
};
pub use fingerprint::{FingerprintKeys, Fingerprints, keyed};
pub use grant::{Grant, GrantBody, GrantId, MAX_GRANTS, join_grants, split_grants};
pub use id::{IdError, MeshId, RESERVED, TenantId};
pub use issuer::{Issuer, IssuerKey, KeyAlgorithm, KeySource, TenantBinding};
pub use loading::Loading;
pub use modes::{Mode, Modes, Ruling};
pub use name_set::NameSet;
pub use network::{Network, Range, RangeError};
pub use overlay::{Overlay, OverlayBody, RevokedKey, RevokedSubject, RevokedToken, WithdrawnConsent};
pub use place::{Condition, Owner, Place};
pub use reason::{Coarse, Reason};
pub use refusal::Refusal;
pub use response::{Errors, Foreign, Outlived, Response, ResponseFormat, ResponseOwner, Since};
pub use routes::{RouteDataset, RouteWords};
pub use secret::{Secret, SecretError, Secrets};
pub use service_events::{CloudEvents, RestVersion, ServiceEvents};
pub use share::{Crossing, Leave, Share, reads};
pub use source::{ApiKey, Source, Sources};
pub use spiffe::{SpiffeError, SpiffeId};
pub use state::{Accepted, Freshness, Origin, PolicyState, Progress, Trial, Trust};
pub use tenants::{Tenant, TenantStatus, Tenants};
pub use verified::Bundle;
pub use view::View;

/// Seconds since the Unix epoch. Every time in Partywall's statements and tokens is one of these.
pub type UnixSeconds = u64;

/// Clocks of two machines may differ by this much before a statement or token counts as from the future.
pub const CLOCK_SKEW: UnixSeconds = 30;
