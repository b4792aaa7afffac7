//! Context slots in shared data.

use partywall_tenancy::{TenantId, UnixSeconds};
use partywall_tenant_context::{Handle, LINGER, Occupancy, Record, SlotKeys, candidates, occupancy};

use crate::host;

/// Keeps the root where outgoing requests find it. `None` when the tenant has too many requests open.
pub(crate) fn place(keys: &SlotKeys, tenant: &TenantId, place: &Place<'_>) -> Option<Handle> {
    let now = host::now();
    let [a, b, secret @ ..] = host::random::<18>()?;
    let mut oldest: Option<(Occupancy, u16, Option<u32>)> = None;
    for slot in candidates(tenant, u16::from_be_bytes([a, b])) {
        let (held, cas) = host::shared(&key(slot));
        match held.map_or(Occupancy::Free, |bytes| occupancy(&bytes, now)) {
            Occupancy::Free => {
                // A failure here means that another worker was faster: the next candidate, then.
                let handle = Handle::new(slot, secret);
                if place.write(keys, handle, cas) {
                    return Some(handle);
                }
            }
            Occupancy::Live => {}
            lingering => {
                if oldest.is_none_or(|(known, ..)| lingering < known) {
                    oldest = Some((lingering, slot, cas));
                }
            }
        }
    }
    let (_, slot, cas) = oldest?;
    let handle = Handle::new(slot, secret);
    place.write(keys, handle, cas).then_some(handle)
}

/// What is to be kept.
pub(crate) struct Place<'a> {
    pub(crate) trace_id: [u8; 16],
    pub(crate) service: &'a str,
    pub(crate) root: &'a [u8],
    pub(crate) live_until: UnixSeconds,
}

impl Place<'_> {
    fn write(&self, keys: &SlotKeys, handle: Handle, cas: Option<u32>) -> bool {
        let record = Record {
            handle,
            over: false,
            live_until: self.live_until,
            trace_id: self.trace_id,
            service: self.service.to_owned(),
            root: self.root.to_vec(),
        };
        keys.seal(&record).is_some_and(|sealed| host::set_shared(&key(handle.slot()), &sealed, cas))
    }
}

/// The record that `handle` opens.
pub(crate) fn open(keys: &SlotKeys, handle: &Handle) -> Option<Record> {
    keys.open(&host::shared(&key(handle.slot())).0?, handle)
}

/// The request is over: its context lingers, then the slot is free. It is free at once if the request was
/// denied, since no app heard of it.
pub(crate) fn close(keys: &SlotKeys, handle: &Handle, denied: bool) {
    let (held, cas) = host::shared(&key(handle.slot()));
    if let Some(mut record) = held.and_then(|bytes| keys.open(&bytes, handle)) {
        record.over = true;
        record.live_until = if denied { 0 } else { record.live_until.min(host::now() + LINGER) };
        if let Some(sealed) = keys.seal(&record) {
            host::set_shared(&key(handle.slot()), &sealed, cas);
        }
    }
}

fn key(slot: u16) -> String {
    format!("partywall.slot.{slot}")
}
