//! Context slots in shared data.

use partywall_tenancy::{TenantId, UnixSeconds};
use partywall_tenant_context::{Handle, LINGER, Record, SlotKeys, candidates, is_free};

use crate::host;

/// Keeps `root` where outgoing requests find it; `None` when all slots of the tenant are in use.
pub(crate) fn place(
    keys: &SlotKeys,
    tenant: &TenantId,
    trace_id: [u8; 16],
    service: &str,
    root: &[u8],
    live_until: UnixSeconds,
) -> Option<Handle> {
    let now = host::now();
    let [a, b, secret @ ..] = host::random::<18>()?;
    for slot in candidates(tenant, u16::from_be_bytes([a, b])) {
        let (held, cas) = host::shared(&key(slot));
        if held.is_some_and(|bytes| !is_free(&bytes, now)) {
            continue;
        }
        let handle = Handle::new(slot, secret);
        let record = Record { handle, live_until, trace_id, service: service.to_owned(), root: root.to_vec() };
        // A failure here means another worker was faster: the next candidate, then.
        if host::set_shared(&key(slot), &keys.seal(&record)?, cas) {
            return Some(handle);
        }
    }
    None
}

/// The record that `handle` opens.
pub(crate) fn open(keys: &SlotKeys, handle: &Handle) -> Option<Record> {
    keys.open(&host::shared(&key(handle.slot())).0?, handle)
}

/// The request is over: its context lingers, then the slot is free.
pub(crate) fn close(keys: &SlotKeys, handle: &Handle) {
    let (held, cas) = host::shared(&key(handle.slot()));
    if let Some(mut record) = held.and_then(|bytes| keys.open(&bytes, handle)) {
        record.live_until = record.live_until.min(host::now() + LINGER);
        if let Some(sealed) = keys.seal(&record) {
            host::set_shared(&key(handle.slot()), &sealed, cas);
        }
    }
}

fn key(slot: u16) -> String {
    format!("partywall.slot.{slot}")
}
