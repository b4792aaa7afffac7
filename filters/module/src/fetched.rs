//! Whose records a workload fetched: told by the filter of its connections to Kafka, known to the one of its requests.
//!
//! The two may run in VMs that share nothing but a queue of the host. Whoever takes a message out of it puts it where all
//! workers look.

use std::cell::RefCell;
use std::collections::HashMap;

use partywall_tenancy::{TenantId, UnixSeconds};
use partywall_tenant_context::FetchedKeys;

use crate::host;

const QUEUE: &str = "partywall.fetched";
/// How many messages are taken out at once.
const AT_ONCE: usize = 1_000;
/// Of how many tenants it is remembered that it was told: what is forgotten is told once more.
const REMEMBERED: usize = 4_096;

/// Tells of fetches.
pub(crate) struct Teller {
    keys: FetchedKeys,
    /// The VM whose filters are told.
    vm: String,
    queue: RefCell<Option<u32>>,
    told: RefCell<HashMap<TenantId, UnixSeconds>>,
}

impl Teller {
    pub(crate) fn new(keys: FetchedKeys, vm: String) -> Self {
        Self { keys, vm, queue: RefCell::default(), told: RefCell::default() }
    }

    /// Records of `tenant` went to the workload: told once a second.
    pub(crate) fn tell(&self, tenant: &TenantId, now: UnixSeconds) {
        let mut told = self.told.borrow_mut();
        if told.get(tenant).is_some_and(|at| *at >= now) {
            return;
        }
        // Where nobody listens it is tried again in the next second, and not with each fetch.
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert(tenant.clone(), now);
        let mut queue = self.queue.borrow_mut();
        // The other VM may come later than this one.
        let Some(id) = queue.or_else(|| host::find_queue(&self.vm, QUEUE)) else { return };
        *queue = Some(id);
        if !self.keys.seal(tenant, now).is_some_and(|message| host::enqueue(id, &message)) {
            *queue = None;
        }
    }
}

/// Knows of fetches.
pub(crate) struct Known {
    keys: FetchedKeys,
    queue: Option<u32>,
}

impl Known {
    /// Opens the queue of this VM.
    pub(crate) fn new(keys: FetchedKeys) -> Self {
        Self { keys, queue: host::open_queue(QUEUE) }
    }

    /// Puts what was told where all workers look.
    pub(crate) fn gather(&self) {
        let Some(queue) = self.queue else { return };
        for message in std::iter::from_fn(|| host::dequeue(queue)).take(AT_ONCE) {
            let Some((tenant, at)) = self.keys.open(&message) else { continue };
            if self.at(&tenant).is_none_or(|known| known < at) {
                host::set_shared(&key(&tenant), &message, None);
            }
        }
    }

    /// When records of `tenant` were fetched last.
    pub(crate) fn lately(&self, tenant: &TenantId) -> Option<UnixSeconds> {
        self.gather();
        self.at(tenant)
    }

    fn at(&self, tenant: &TenantId) -> Option<UnixSeconds> {
        let (of, at) = self.keys.open(&host::shared(&key(tenant)).0?)?;
        (of == *tenant).then_some(at)
    }
}

fn key(tenant: &TenantId) -> String {
    format!("partywall.fetched.{tenant}")
}
