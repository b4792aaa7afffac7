//! `cases/*.yaml`: unit tests of a policy, as plain files.
//!
//! ```yaml
//! cases:
//!   - name: a viewer reads an order
//!     given: { tenant: acme, subject: alice, roles: [viewer] }
//!     when: { service: orders, request: GET /orders/7 }
//!     then: { decision: allow, policy: viewers-read }
//!   - name: a token of another audience is none
//!     given: { token: { issuer: "https://id.acme.example", claims: { aud: other, tenant: acme } } }
//!     when: { service: orders, request: GET /orders/7 }
//!     then: { decision: deny, reason: credential_invalid }
//! ```

mod junit;
mod play;
mod read;
mod route;
mod shown;
mod topic;

use std::net::IpAddr;

use partywall_authorization::RouteSays;
use partywall_tenancy::{Mode, Reason, SpiffeId, UnixSeconds};

use crate::credentials::Shown;
use crate::directory::{At, Located};
use crate::rehearsal::OfTopic;

pub(crate) use junit::report as junit;
pub(crate) use play::{Played, Player, Reached, effect, places};
pub(crate) use read::read;

/// What can be decided.
pub(crate) const DECISIONS: [&str; 2] = ["allow", "deny"];

/// One case, each value checked by itself.
#[derive(Debug)]
pub(crate) struct Case<'s> {
    /// What it shows.
    pub(crate) name: Located<'s, String>,
    /// Who acts.
    pub(crate) given: Given,
    /// The service called.
    pub(crate) service: Located<'s, String>,
    /// The method.
    pub(crate) method: String,
    /// The path, with or without a query.
    pub(crate) path: String,
    /// Headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty where there is none.
    pub(crate) body: String,
    /// What the metadata of the request's route say of the mode.
    pub(crate) route: Option<Mode>,
    /// What is done to a topic, where the service is a cluster of Kafka.
    pub(crate) topic: Option<OfTopic>,
    /// What else they say.
    pub(crate) says: RouteSays,
    /// The region of the sidecar that decides; empty where nobody knows.
    pub(crate) region: String,
    /// The cell that it stands in; `None` for one that serves all of them.
    pub(crate) cell: Option<String>,
    /// When it is decided; `None` for now.
    pub(crate) time: Option<UnixSeconds>,
    /// The address that the client calls from; `None` where nobody knows.
    pub(crate) from: Option<IpAddr>,
    /// What is decided.
    pub(crate) then: Then<'s>,
}

/// Who acts.
#[derive(Debug)]
pub(crate) enum Given {
    /// Somebody who was proved.
    Proved {
        /// The tenant that was proved.
        tenant: String,
        /// The principal's name within it.
        subject: String,
        /// The principal's roles.
        roles: Vec<String>,
        /// The scopes of its credential.
        scopes: Vec<String>,
        /// The workload that brings the request; one that the service lists where none is written.
        caller: Option<SpiffeId>,
        /// Consents that the overlay withdraws from the tenant.
        withdrawn: Vec<String>,
    },
    /// A workload that brings the request to the service's sidecar, for no tenant.
    Workload(SpiffeId),
    /// Somebody who shows this at the edge.
    Shows(Box<Shown>),
}

/// What is decided.
#[derive(Debug)]
pub(crate) struct Then<'s> {
    /// Where it is written.
    pub(crate) at: At<'s>,
    /// Whether it may pass.
    pub(crate) allow: bool,
    /// Why not; any reason where none is written.
    pub(crate) reason: Option<Reason>,
    /// Why it would be denied, were it not in shadow. Where none is written, it is not let in by being in shadow.
    pub(crate) shadow: Option<Reason>,
    /// The policy that settles it; any where none is written.
    pub(crate) policy: Option<String>,
}
