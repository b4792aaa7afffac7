//! Shares, in words.

use partywall_tenancy::Share;

use crate::clusters::names;
use crate::time::rfc3339;

/// What a share lets whom read of whose.
pub(crate) fn words(share: &Share) -> String {
    let Share { name, owners, to, actions, services, until } = share;
    let until = until.map_or_else(String::new, |until| format!(", until {}", rfc3339(until)));
    let (actions, services) = (actions.join(", "), services.join(", "));
    let (owners, to) = (names(owners), names(to));
    format!("share {name}, read-only: {to} may do {actions} at {services} for what is of {owners}{until}")
}
