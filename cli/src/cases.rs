//! `cases/*.yaml`: unit tests of a policy, as plain files.
//!
//! ```yaml
//! cases:
//!   - name: a viewer reads an order
//!     given: { tenant: acme, subject: alice, roles: [viewer] }
//!     when: { service: orders, request: GET /orders/7 }
//!     then: { decision: allow, policy: viewers-read }
//! ```

mod junit;
mod play;
mod read;

use partywall_tenancy::Reason;

use crate::directory::{At, Located};

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
    pub(crate) given: Given<'s>,
    /// The service called.
    pub(crate) service: Located<'s, String>,
    /// The method.
    pub(crate) method: String,
    /// The path, with or without a query.
    pub(crate) path: String,
    /// What is decided.
    pub(crate) then: Then<'s>,
}

/// Who acts.
#[derive(Debug)]
pub(crate) struct Given<'s> {
    /// The tenant that was proved.
    pub(crate) tenant: Located<'s, String>,
    /// The principal's name within it.
    pub(crate) subject: String,
    /// The principal's roles.
    pub(crate) roles: Vec<String>,
    /// Consents that the overlay withdraws from the tenant.
    pub(crate) withdrawn: Vec<String>,
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
    /// The policy that settles it; any where none is written.
    pub(crate) policy: Option<String>,
}
