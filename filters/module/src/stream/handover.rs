//! From the `tenant_context` filter to the `authorization` filter of the same request.
//!
//! The context stays in this VM; filter state carries only a random ticket to it. A ticket of
//! another VM (another `vm_id`, another worker) opens nothing, so it can only deny.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_tenancy::TenantContext;
use partywall_tenant_context::Standing;

use crate::host;

const PROPERTY: &str = "partywall.handover";
/// Contexts waiting at once. One waits from its first filter to its second, or to the end of its request
/// where a filter between them answers; beyond this, new ones are refused and nobody else's is touched.
const MOST: usize = 16_384;

/// A context with the service that is called.
pub(super) struct Established {
    pub(super) context: TenantContext,
    pub(super) service: String,
    /// What the context rests on.
    pub(super) standing: Standing,
}

thread_local! {
    static WAITING: RefCell<HashMap<[u8; 16], Established>> = RefCell::new(HashMap::new());
}

/// What opens a waiting context.
#[derive(Clone, Copy)]
pub(super) struct Ticket([u8; 16]);

/// Leaves `established` for the filter that follows; `None` when too many wait.
pub(super) fn leave(established: Established) -> Option<Ticket> {
    let ticket = host::random::<16>()?;
    WAITING.with_borrow_mut(|waiting| {
        (waiting.len() < MOST).then(|| waiting.insert(ticket, established))?;
        Some(())
    })?;
    host::set_property(PROPERTY, &ticket);
    Some(Ticket(ticket))
}

/// Takes what the filter before left; once only.
pub(super) fn take() -> Option<Established> {
    let ticket: [u8; 16] = host::property(&[PROPERTY])?.try_into().ok()?;
    WAITING.with_borrow_mut(|waiting| waiting.remove(&ticket))
}

/// The request is over, taken or not.
pub(super) fn forget(ticket: Ticket) {
    WAITING.with_borrow_mut(|waiting| waiting.remove(&ticket.0));
}
