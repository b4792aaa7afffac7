//! The policy in force in this VM: one per mesh and bundle source, shared by all its plugins.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use partywall_authorization::Authorization;
use partywall_tenancy::{Accepted, Bundle, Origin, PolicyState, Reason, Trust, UnixSeconds, View};
use proxy_wasm::types::LogLevel;

use crate::config::{BundleSource, Config};
use crate::fetch::{Fetcher, Got, What};
use crate::host;
use crate::metrics::Metrics;

thread_local! {
    static POLICIES: RefCell<Vec<Rc<RefCell<Policy>>>> = const { RefCell::new(Vec::new()) };
}

/// The policy for this configuration, made when the first plugin asks for it.
pub(crate) fn of(config: &Config) -> Rc<RefCell<Policy>> {
    POLICIES.with_borrow_mut(|all| {
        let known = all.iter().find(|p| {
            let policy = p.borrow();
            policy.trust == config.trust && policy.source == config.bundle
        });
        if let Some(policy) = known {
            return policy.clone();
        }
        let policy = Rc::new(RefCell::new(Policy::new(config.trust.clone(), config.bundle.clone())));
        all.push(policy.clone());
        policy
    })
}

/// Bundle, overlay and everything compiled from them.
pub(crate) struct Policy {
    trust: Trust,
    source: BundleSource,
    state: PolicyState,
    authorization: Option<Rc<Authorization>>,
    fetcher: Fetcher,
    metrics: Metrics,
    /// A hash of the last refused file of each kind, so that it is logged once and not each second.
    last_refusal: [Option<u64>; 2],
}

impl Policy {
    fn new(trust: Trust, source: BundleSource) -> Self {
        Self {
            fetcher: Fetcher::new(&trust, source.clone()),
            state: PolicyState::new(trust.clone()),
            trust,
            source,
            authorization: None,
            metrics: Metrics::default(),
            last_refusal: [None, None],
        }
    }

    /// What to decide a request against, or the reason to deny it.
    pub(crate) fn view(&self, now: UnixSeconds) -> Result<(View, Rc<Authorization>), Reason> {
        let view = self.state.view(now)?;
        let authorization = self.authorization.clone().ok_or(Reason::PolicyUnavailable)?;
        Ok((view, authorization))
    }

    /// The bundle in force, fresh or not.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.state.bundle()
    }

    /// Its revision, 0 for none.
    pub(crate) fn revision(&self) -> u64 {
        self.state.revision()
    }

    /// Headers of former systems that claim an identity; none before the first bundle, when every
    /// request is denied anyway.
    pub(crate) fn legacy_headers(&self) -> Vec<String> {
        self.state.bundle().map(|b| b.body().legacy_headers.clone()).unwrap_or_default()
    }

    /// Adopts what other workers fetched, and fetches when this VM holds the lease.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.state.observe(now_ms / 1000);
        for got in self.fetcher.kept() {
            self.offer(&got, Origin::Kept, now_ms);
        }
        let has_bundle = self.state.bundle().is_some();
        let settled = has_bundle && self.state.sequence() > 0;
        for what in self.fetcher.fetch_due(now_ms, has_bundle, settled) {
            self.metrics.count("bundle_fetch_failures_total", &[("kind", what.name())]);
        }
    }

    /// Takes the answer of the bundle server.
    pub(crate) fn on_response(&mut self, token: u32, body_size: usize) {
        let now_ms = host::now_ms();
        match self.fetcher.on_response(token, body_size) {
            Ok(Some(got)) => {
                if self.offer(&got, Origin::Fetched, now_ms) {
                    self.fetcher.keep(&got);
                }
            }
            Ok(None) => {}
            Err((what, status)) => {
                self.metrics.count("bundle_fetch_failures_total", &[("kind", what.name())]);
                if self.fetcher.first_failure(what) {
                    let message = format!(
                        "partywall: {} cannot be fetched from cluster `{}`: {status}; revision {} and overlay {} stay in force until stale",
                        what.name(),
                        self.source.cluster,
                        self.state.revision(),
                        self.state.sequence(),
                    );
                    host::log(LogLevel::Warn, &message);
                }
            }
        }
    }

    /// Offers a statement; says whether it was installed.
    fn offer(&mut self, got: &Got, origin: Origin, now_ms: u64) -> bool {
        let now = now_ms / 1000;
        let outcome = match got.what {
            What::Bundle => {
                let mut authorization = None;
                let outcome = self.state.offer_bundle(&got.bytes, now, |bundle| {
                    authorization = Some(Rc::new(Authorization::new(bundle)?));
                    Ok(())
                });
                if outcome == Ok(Accepted::Installed) {
                    self.authorization = authorization;
                    // Its overlay keys may be others: what was refused before may be right now.
                    self.fetcher.forget(What::Overlay);
                    self.fetcher.hurry(What::Overlay);
                }
                outcome
            }
            What::Overlay => self.state.offer_overlay(&got.bytes, origin, now),
        };
        let kind = got.what.name();
        let slot = match got.what {
            What::Bundle => self.last_refusal.first_mut(),
            What::Overlay => self.last_refusal.last_mut(),
        };
        match outcome {
            Ok(accepted) => {
                if let Some(slot) = slot {
                    *slot = None;
                }
                if accepted == Accepted::Installed {
                    self.installed(got.what);
                }
                accepted == Accepted::Installed
            }
            Err(refusal) => {
                self.fetcher.forget(got.what);
                self.metrics.count("bundle_refused_total", &[("kind", kind), ("reason", refusal.code())]);
                let mut hasher = DefaultHasher::new();
                got.bytes.hash(&mut hasher);
                refusal.code().hash(&mut hasher);
                let this = hasher.finish();
                let again = slot.is_some_and(|slot| slot.replace(this) == Some(this));
                if !again {
                    let message = format!(
                        "partywall: {kind} refused ({}): it {refusal}; revision {} and overlay {} stay in force",
                        refusal.code(),
                        self.state.revision(),
                        self.state.sequence(),
                    );
                    host::log(LogLevel::Warn, &message);
                }
                false
            }
        }
    }

    fn installed(&self, what: What) {
        match what {
            What::Bundle => {
                self.metrics.gauge("bundle_revision", self.state.revision());
                host::log(LogLevel::Info, &format!("partywall: bundle revision {} is in force", self.state.revision()));
            }
            What::Overlay => self.metrics.gauge("bundle_overlay_sequence", self.state.sequence()),
        }
    }
}
