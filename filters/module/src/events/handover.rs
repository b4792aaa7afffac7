//! From the filter that let a request in to `event_scope`: whose it is stays in this VM, and filter state carries a random
//! ticket to it, as between the stages before.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_tenancy::TenantContext;

use crate::host;

const PROPERTY: &str = "partywall.events";
/// How many wait at once. Beyond these, requests to services with events are denied.
const MOST: usize = 16_384;

/// For whom a request was let in.
pub(crate) enum Handed {
    /// For a tenant, to this service.
    Tenant {
        context: TenantContext,
        service: String,
        /// Whether it crosses into another one.
        crosses: bool,
    },
    /// For a principal of the platform, which reaches nothing that is a tenant's.
    Platform,
}

thread_local! {
    static WAITING: RefCell<HashMap<[u8; 16], Handed>> = RefCell::new(HashMap::new());
}

/// What opens one that waits.
#[derive(Clone, Copy)]
pub(crate) struct Ticket([u8; 16]);

/// Leaves `handed` for the filter that follows; where that is impossible it finds nothing, and denies.
pub(crate) fn leave(handed: Handed) -> Option<Ticket> {
    let ticket = host::random::<16>()?;
    WAITING.with_borrow_mut(|waiting| {
        (waiting.len() < MOST).then(|| waiting.insert(ticket, handed))?;
        Some(())
    })?;
    host::set_property(PROPERTY, &ticket);
    Some(Ticket(ticket))
}

/// Takes what the filter before left; once only.
pub(super) fn take() -> Option<Handed> {
    let ticket: [u8; 16] = host::property(&[PROPERTY])?.try_into().ok()?;
    WAITING.with_borrow_mut(|waiting| waiting.remove(&ticket))
}

/// Whether nobody took what was left.
pub(crate) fn waits(ticket: Ticket) -> bool {
    WAITING.with_borrow(|waiting| waiting.contains_key(&ticket.0))
}

/// The request is over, taken or not.
pub(crate) fn forget(ticket: Ticket) {
    WAITING.with_borrow_mut(|waiting| waiting.remove(&ticket.0));
}
