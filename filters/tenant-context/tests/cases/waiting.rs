//! What waits in shared data for an outgoing request, and what that request carries.

use partywall_tenancy::{TenantId, UnixSeconds};
use partywall_tenant_context::{Carried, Handle, Record, Rejection, Request, SlotKeys, TraceParent, Waiting};
use serde::Deserialize;

use crate::NOW;
use crate::jws::Jws;
use crate::keys;
use crate::mesh::Mesh;

/// The trace of requests that say nothing else.
pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Waits {
    service: Option<String>,
    trace: Option<String>,
    live_until: Option<u64>,
    pub(crate) root: Jws,
    /// The request brought no root context.
    rootless: bool,
    /// One bit was changed in shared data.
    altered: bool,
    /// Sealed by a process with another secret.
    foreign: bool,
}

pub(crate) fn handle() -> Handle {
    Handle::new(9, [5; 16])
}

fn slot_keys(foreign: bool) -> SlotKeys {
    SlotKeys::new(&keys::secrets(&[if foreign { "other-process" } else { "this-process" }]))
}

impl Waits {
    pub(crate) fn seal(&self, mesh: &Mesh) -> Vec<u8> {
        let trace = TraceParent::parse(self.trace.as_deref().unwrap_or(TRACE).as_bytes()).unwrap();
        let record = Record {
            handle: handle(),
            over: false,
            live_until: self.live_until.unwrap_or(NOW + 120),
            trace_id: trace.trace_id,
            service: self.service.clone().unwrap_or_else(|| "invoices".into()),
            root: if self.rootless { Vec::new() } else { self.root.root(mesh).into_bytes() },
        };
        let mut sealed = slot_keys(self.foreign).seal(&record).unwrap();
        if self.altered {
            sealed[30] ^= 1;
        }
        sealed
    }
}

/// Shared data with one record in it, or none.
pub(crate) struct Slots(pub(crate) Option<Vec<u8>>);

impl Waiting for Slots {
    fn by_handle(&self, handle: &Handle) -> Option<Record> {
        slot_keys(false).open(self.0.as_ref()?, handle)
    }

    fn by_trace(&self, trace_id: [u8; 16]) -> Option<Record> {
        slot_keys(false).read(self.0.as_ref()?).filter(|record| record.trace_id == trace_id)
    }

    fn fetched(&self, _: &TenantId) -> Option<UnixSeconds> {
        None
    }
}

/// What a request carries, and the same once more, as it is kept for a retry.
pub(crate) fn carried(request: &Request<'_>) -> Result<Carried, Rejection> {
    let carried = Carried::of(request)?;
    assert_eq!(Carried::from_bytes(&carried.to_bytes()).as_ref(), Some(&carried));
    Ok(carried)
}
