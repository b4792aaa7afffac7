//! Context slots in shared data.

use partywall_tenancy::{TenantId, UnixSeconds};
use partywall_tenant_context::{
    Handle, LINGER, Occupancy, Record, SlotKeys, TRACE_SLOTS, Waiting, candidates, occupancy, trace_candidates,
};

use crate::fetched::Known;
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
        self.seal(keys, handle).is_some_and(|sealed| host::set_shared(&key(handle.slot()), &sealed, cas))
    }

    fn seal(&self, keys: &SlotKeys, handle: Handle) -> Option<Vec<u8>> {
        keys.seal(&Record {
            handle,
            over: false,
            live_until: self.live_until,
            trace_id: self.trace_id,
            service: self.service.to_owned(),
            root: self.root.to_vec(),
        })
    }
}

/// A request cannot have a place of its own under its trace id.
pub(crate) struct Taken;

/// Puts something into every place for contexts found by trace id. The ABI cannot say "write only if nothing is
/// there", so two first writers would not see each other; after this nobody is the first. It runs when a plugin
/// is configured, which the host does on its main thread before any worker takes requests.
pub(crate) fn prepare_traces() {
    for slot in 0..TRACE_SLOTS {
        let key = trace_key(slot);
        if host::shared(&key).1.is_none_or(|cas| cas == 0) {
            host::set_shared(&key, &[0], None);
        }
    }
}

/// Keeps the root where it is found by trace id alone; for a request that brought none, an empty one,
/// which opens nothing.
///
/// INVARIANT: every request that is let in has a place of its own under its trace id, or its calls would
/// find whatever lies there: another request's context, perhaps of another tenant. And an open request's
/// place is never overwritten by one with another root. So whoever sends the trace id of somebody else's
/// request is turned away and changes nothing; and so is who finds no room or loses a race.
pub(crate) fn place_by_trace(keys: &SlotKeys, place: &Place<'_>) -> Result<Handle, Taken> {
    let now = host::now();
    let secret = host::random().ok_or(Taken)?;
    let mut free = None;
    for slot in trace_candidates(place.trace_id) {
        let (held, cas) = host::shared(&trace_key(slot));
        let occupied = held.as_deref().map_or(Occupancy::Free, |bytes| occupancy(bytes, now));
        let known = held.and_then(|bytes| keys.read(&bytes)).filter(|r| r.trace_id == place.trace_id);
        match known {
            Some(known) if occupied != Occupancy::Free && known.root != place.root => return Err(Taken),
            Some(_) => free = Some((slot, cas)),
            None if occupied == Occupancy::Free && cas.is_some() => free = free.or(Some((slot, cas))),
            None => {}
        }
    }
    let (slot, cas) = free.ok_or(Taken)?;
    let handle = Handle::new(slot, secret);
    let sealed = place.seal(keys, handle).ok_or(Taken)?;
    if host::set_shared(&trace_key(slot), &sealed, cas) { Ok(handle) } else { Err(Taken) }
}

/// The contexts that wait in shared data, and whose records were fetched.
pub(crate) struct Slots<'a>(pub(crate) Option<&'a SlotKeys>, pub(crate) Option<&'a Known>);

impl Waiting for Slots<'_> {
    fn by_handle(&self, handle: &Handle) -> Option<Record> {
        self.0?.open(&host::shared(&key(handle.slot())).0?, handle)
    }

    fn by_trace(&self, trace_id: [u8; 16]) -> Option<Record> {
        let keys = self.0?;
        let now = host::now();
        trace_candidates(trace_id)
            .filter_map(|slot| keys.read(&host::shared(&trace_key(slot)).0?))
            .find(|record| record.trace_id == trace_id && record.live_until >= now)
    }

    fn fetched(&self, tenant: &TenantId) -> Option<UnixSeconds> {
        self.1?.lately(tenant)
    }
}

/// The request is over: its context lingers, then the slot is free. It is free at once if the request was
/// denied, since no app heard of it.
pub(crate) fn close(keys: &SlotKeys, handle: &Handle, denied: bool) {
    linger(keys, handle, &key(handle.slot()), denied);
}

/// The same for a context found by trace id, if no later request with the same root took it over.
pub(crate) fn close_by_trace(keys: &SlotKeys, handle: &Handle, denied: bool) {
    linger(keys, handle, &trace_key(handle.slot()), denied);
}

fn linger(keys: &SlotKeys, handle: &Handle, key: &str, denied: bool) {
    let (held, cas) = host::shared(key);
    if let Some(mut record) = held.and_then(|bytes| keys.open(&bytes, handle)) {
        record.over = true;
        record.live_until = if denied { 0 } else { record.live_until.min(host::now() + LINGER) };
        if let Some(sealed) = keys.seal(&record) {
            host::set_shared(key, &sealed, cas);
        }
    }
}

fn key(slot: u16) -> String {
    format!("partywall.slot.{slot}")
}

fn trace_key(slot: u16) -> String {
    format!("partywall.trace.{slot}")
}
