//! Root id `kafka_scope`: connections of Kafka's clients, each kept in its tenant's world.
//!
//! ```text
//! Envoy ─► Connection ─► Session ─► asks Client: who is it, may it, which topic has this id
//!              │                               │
//!              │                               ▼
//!              │            bundle and overlay: cluster, tenants, program
//!              ▼
//!          Told: log lines, counters, filter state
//! ```
//!
//! Never a pause: bytes are taken out of the host's buffer and stashed, and whole frames go on.

mod candidate;
mod client;
mod connection;
mod counts;
mod decide;
mod ids;
pub(crate) mod shared;
mod told;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use partywall_event_scope::kafka::session::Options;
use partywall_event_scope::scope::Counts;
use partywall_tenant_context::FetchedKeys;

use crate::chain::{self, Chained};
use crate::config::Kafka;
use crate::fetched::Teller;
use crate::host;
use crate::policy::{self, Policy, Reader, Wanted};
use counts::Together;
use ids::Ids;
use shared::Shared;
use told::Told;

pub(crate) use connection::Connection;

/// What all connections of a plugin share.
pub(crate) struct Setup {
    pub(crate) config: Kafka,
    pub(crate) policy: Rc<RefCell<Policy>>,
    shared: Rc<Shared>,
    ids: Ids,
    told: Told,
    /// Numbers the lines of this VM, where the configuration gives a key for it.
    chain: Option<Rc<Chained>>,
    /// The time of the last tick, in seconds since the Unix epoch; 0 before the first one.
    clock: Cell<u64>,
    /// Tells whose records are fetched, where somebody is to know.
    teller: Option<Teller>,
    /// Room for what goes on next, whatever connection it is of.
    room: Cell<Vec<u8>>,
}

impl Setup {
    /// Of a checked configuration.
    ///
    /// # Errors
    ///
    /// The host cannot give what a chain needs.
    pub(crate) fn new(mut config: Kafka) -> Result<Self, &'static str> {
        let chain = config.audit_chain.take().map(|secrets| chain::of(&secrets)).transpose()?;
        let policy = policy::of(&Wanted {
            trust: &config.trust,
            source: &config.bundle,
            seal: Some(&config.set_seal),
            reader: Reader::Events(config.cluster.clone()),
        });
        let counts = || Counts::kept(Box::new(Together::new(&config.shared_state, &config.cluster)));
        let shared = shared::of(&policy, &config.cluster, counts);
        shared::bound(config.memory);
        let ids = Ids::new(&config.shared_state, &config.cluster);
        let told = Told::new(config.allows);
        let vm = config.fetched_to.clone();
        let teller = vm.map(|vm| Teller::new(FetchedKeys::new(&config.shared_state), vm));
        Ok(Self { config, policy, shared, ids, told, chain, clock: Cell::new(0), teller, room: Cell::default() })
    }

    /// Looks after policy and metrics.
    pub(crate) fn tick(&self, now_ms: u64) {
        self.clock.set(now_ms / 1000);
        self.policy.borrow_mut().tick(now_ms);
        self.told.tick();
        if let Some(chain) = &self.chain {
            chain.tick(now_ms);
        }
    }

    /// The plugin ends.
    pub(crate) fn leave(&self) {
        if let Some(chain) = &self.chain {
            chain.leave(host::now_ms());
        }
    }

    /// The time in seconds since the Unix epoch, as of the last tick, which is a tenth of a second old at most: the host is
    /// not asked for it with each piece that comes.
    fn now(&self) -> u64 {
        match self.clock.get() {
            0 => host::now(),
            now => now,
        }
    }

    fn options(&self) -> Options {
        let largest = self.config.largest;
        let traces = self.config.allows > 0.0;
        Options { largest_request: largest, largest_response: largest, traces, ..Options::default() }
    }
}
