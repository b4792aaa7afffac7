//! Root id `log_redaction`: telemetry on its way to a collector, of which only that goes on which its tenant may write down.
//! Root id `access_log`: what Envoy's own access log may say of requests.
//!
//! ```text
//! Envoy ─► Stream ─► who sends ─► arrival ─► Body ─► Redactor ─► what may go on
//!             │                                │          │
//!             │                                │          └─► Told: counters, filter state
//!             │                                └─► Quarantine: other tenants' records, to a cluster of their own
//!             └─► an answer in the client's terms, after which it does not send it again
//! ```
//!
//! INVARIANT: what is no telemetry, or comes from a workload that nobody knows, goes no further than this.

mod access;
mod letter;
mod quarantine;
mod shared;
mod stream;
mod told;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use partywall_tenancy::Reason;
use partywall_tenant_context::{Peer, Rejection, Sender, own_telemetry, telemetry_sender};
use proxy_wasm::types::LogLevel;

use crate::config::{Place, Redaction};
use crate::plugin::listener_direction;
use crate::policy::{self, Policy, Reader, Wanted};
use crate::{host, metrics::Metrics};
use quarantine::Outbox;
use shared::{Ready, Shared};

pub(crate) use access::Access;
pub(crate) use stream::Stream;

/// What all requests of a plugin share.
pub(crate) struct Setup {
    config: Redaction,
    policy: Rc<RefCell<Policy>>,
    shared: Rc<Shared>,
    metrics: Metrics,
    /// Records that were kept back.
    outbox: Outbox,
    /// Whether the log was told that this plugin is in the wrong place.
    misplaced: Cell<bool>,
}

impl Setup {
    /// Of a checked configuration.
    pub(crate) fn new(config: Redaction) -> Self {
        let policy =
            policy::of(&Wanted { trust: &config.trust, source: &config.bundle, seal: None, reader: Reader::Telemetry });
        if !matches!(config.place, Place::AccessLog(_)) {
            shared::bound(config.memory);
        }
        let shared = shared::of(&policy, &config);
        let (metrics, outbox, misplaced) = (Metrics::default(), Outbox::default(), Cell::new(false));
        Self { config, policy, shared, metrics, outbox, misplaced }
    }

    /// The policy it goes by.
    pub(crate) fn policy(&self) -> &Rc<RefCell<Policy>> {
        &self.policy
    }

    /// Whether it is for the access log alone.
    pub(crate) fn is_of_access_log(&self) -> bool {
        matches!(self.config.place, Place::AccessLog(_))
    }

    /// Takes the answer to what was kept back; says whether it is one.
    pub(crate) fn on_response(&self, token: u32) -> bool {
        self.outbox.answered(self, token)
    }

    /// Looks after the policy, and what is made of it.
    pub(crate) fn tick(&self, now_ms: u64) {
        self.policy.borrow_mut().tick(now_ms);
        self.shared.step();
        self.outbox.send(self);
    }

    /// Whether something is being made of a bundle.
    pub(crate) fn is_making(&self) -> bool {
        self.shared.is_making()
    }

    /// What to go by now, or why nothing may pass.
    fn ready(&self) -> Result<Rc<Ready>, Rejection> {
        if !self.config.fits(listener_direction()) {
            let why = "`role` does not fit the listener's traffic_direction; where there is none to fit write `direction: any`";
            if !self.misplaced.replace(true) {
                host::log(LogLevel::Critical, &format!("partywall: all telemetry is refused: {why}"));
            }
            return Err(Rejection::new(Reason::PolicyUnavailable, why));
        }
        let view = self.policy.borrow().fresh(host::now()).map_err(|reason| Rejection::new(reason, "the bundle"))?;
        self.shared.ready(&view)
    }

    /// Whose records come.
    fn sender(&self, ready: &Ready) -> Result<Sender, Rejection> {
        let bundle = ready.directory().bundle();
        match &self.config.place {
            Place::Workload(service) => own_telemetry(service, bundle),
            Place::AccessLog(_) => Err(Rejection::new(Reason::PolicyUnavailable, "an access log takes no telemetry")),
            Place::Collector => {
                let property = |name: &str| host::property(&["connection", name]).unwrap_or_default();
                if property("mtls") != [1] {
                    let why = "telemetry comes without a client certificate: whose it is nobody knows";
                    return Err(Rejection::new(Reason::CallerUnknown, why));
                }
                let (uri, dns) = (property("uri_san_peer_certificate"), property("dns_san_peer_certificate"));
                telemetry_sender(&Peer { uri: &uri, dns: &dns, digest: b"" }, bundle)
            }
        }
    }
}
