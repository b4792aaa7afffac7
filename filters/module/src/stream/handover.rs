//! From the `tenant_context` filter to the `authorization` filter of the same request.
//!
//! The context stays in this VM; filter state carries only a random ticket to it. A ticket of
//! another VM (another `vm_id`, another worker) opens nothing, so it can only deny.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_tenancy::TenantContext;

use crate::host;

const PROPERTY: &str = "partywall.handover";
/// Tickets not yet taken. A filter between the two stages may answer by itself and leave one
/// behind; more than this at once means exactly that, and the stale ones are dropped.
const MOST: usize = 4096;

/// A context with the service that is called.
pub(super) struct Established {
    pub(super) context: TenantContext,
    pub(super) service: String,
}

thread_local! {
    static WAITING: RefCell<HashMap<[u8; 16], Established>> = RefCell::new(HashMap::new());
}

/// Leaves `established` for the filter that follows.
pub(super) fn leave(established: Established) {
    let Some(ticket) = host::random::<16>() else { return };
    WAITING.with_borrow_mut(|waiting| {
        if waiting.len() >= MOST {
            waiting.clear();
        }
        waiting.insert(ticket, established);
    });
    host::set_property(PROPERTY, &ticket);
}

/// Takes what the filter before left; once only.
pub(super) fn take() -> Option<Established> {
    let ticket: [u8; 16] = host::property(&[PROPERTY])?.try_into().ok()?;
    WAITING.with_borrow_mut(|waiting| waiting.remove(&ticket))
}
