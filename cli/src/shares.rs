//! Shares, in words.

use partywall_tenancy::{Share, TenantId};

use crate::time::rfc3339;

/// More tenants are counted, not listed.
const NAMES: usize = 20;

/// What a share lets whom read of whose.
pub(crate) fn words(share: &Share) -> String {
    let Share { name, owners, to, actions, services, until } = share;
    let until = until.map_or_else(String::new, |until| format!(", until {}", rfc3339(until)));
    let (actions, services) = (actions.join(", "), services.join(", "));
    let (owners, to) = (names(owners), names(to));
    format!("share {name}, read-only: {to} may do {actions} at {services} for what is of {owners}{until}")
}

fn names(tenants: &[TenantId]) -> String {
    let more = match tenants.len().checked_sub(NAMES) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let told: Vec<&str> = tenants.iter().take(NAMES).map(TenantId::as_str).collect();
    told.join(", ") + &more
}
