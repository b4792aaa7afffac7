//! What all plugins of a VM share: what a bundle says of telemetry, made ready, redactors that were used before, and the
//! memory of bodies.

use std::cell::RefCell;
use std::rc::Rc;

use partywall_event_scope::Memory;
use partywall_log_redaction::Slice;
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::redactor::{Engine, Facts, Redactor};
use partywall_log_redaction::replace::Keys;
use partywall_log_redaction::tenants::{Directory, Foreign, Known, Making, tenant_of};
use partywall_tenancy::{Reason, Secrets, TenantId, View};
use partywall_tenant_context::Rejection;
use proxy_wasm::types::LogLevel;

use crate::config::Redaction;
use crate::host;
use crate::policy::Policy;

thread_local! {
    static ALL: RefCell<Vec<Rc<Shared>>> = const { RefCell::new(Vec::new()) };
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::new(0));
}

/// How many fingerprints are made in one tick: about a millisecond.
const PRINTS: usize = 500;
/// How many redactors wait to be used again. Each has caches of automata, which are dear to fill.
const WAITING: usize = 8;

/// The rules under one policy.
pub(crate) struct Shared {
    policy: Rc<RefCell<Policy>>,
    fingerprint: Secrets,
    masters: Option<Secrets>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// What is made of a bundle, and of which revision.
    making: Option<(u64, Making)>,
    /// What was made of one; nothing where it says nothing that could be made.
    made: Option<(u64, Option<Rc<Ready>>)>,
    /// Automata of a selection: the next revision mostly has the same one.
    detectors: Option<(Selection, Rc<Detectors>)>,
}

/// What a bundle says, ready for use.
pub(crate) struct Ready {
    pub(super) slice: Rc<Slice>,
    keys: Rc<Keys>,
    engine: Rc<Engine>,
    directory: Rc<Known>,
    waiting: RefCell<Vec<Redactor>>,
}

/// What there is under this policy.
pub(crate) fn of(policy: &Rc<RefCell<Policy>>, config: &Redaction) -> Rc<Shared> {
    ALL.with_borrow_mut(|all| {
        if let Some(known) = all.iter().find(|one| Rc::ptr_eq(&one.policy, policy)) {
            return known.clone();
        }
        let new = Rc::new(Shared {
            policy: policy.clone(),
            fingerprint: config.fingerprint.clone(),
            masters: config.redaction_keys.clone(),
            state: RefCell::default(),
        });
        all.push(new.clone());
        new
    })
}

impl Shared {
    /// Makes a little more of what is being made, and begins with a bundle that is new.
    pub(crate) fn step(&self) {
        let mut state = self.state.borrow_mut();
        let policy = self.policy.borrow();
        let Some(bundle) = policy.shared_bundle() else { return };
        let revision = bundle.body().revision;
        if state.made.as_ref().is_some_and(|(made, _)| *made == revision) {
            state.making = None;
            return;
        }
        if state.making.as_ref().is_none_or(|(making, _)| *making != revision) {
            state.making = Some((revision, Making::new(bundle, &self.fingerprint)));
        }
        let more = state.making.as_mut().is_some_and(|(_, making)| making.step(PRINTS));
        if more {
            return;
        }
        if let Some((revision, making)) = state.making.take() {
            let ready = self.make(&mut state, making.finish());
            let ready = ready.inspect_err(|why| {
                host::log(LogLevel::Critical, &format!("partywall: all telemetry is refused: {why}"));
            });
            state.made = Some((revision, ready.ok().map(Rc::new)));
        }
    }

    /// Whether something is being made.
    pub(crate) fn is_making(&self) -> bool {
        self.state.borrow().making.is_some()
    }

    fn make(&self, state: &mut State, directory: Known) -> Result<Ready, String> {
        let said = &directory.bundle().body().redaction;
        if said.is_empty() {
            return Err("the directory has no `redaction.yaml`: write one, if only `{}`".into());
        }
        let slice = Rc::new(Slice::read(said).map_err(|error| error.to_string())?);
        let detectors = match &state.detectors {
            Some((selection, detectors)) if *selection == slice.detectors => detectors.clone(),
            _ => Rc::new(Detectors::new(&slice.detectors).map_err(|error| error.to_string())?),
        };
        state.detectors = Some((slice.detectors.clone(), detectors.clone()));
        let directory = Rc::new(directory);
        let keys = Rc::new(self.keys(&slice, &directory)?);
        let engine =
            Engine::new(&slice.rules, detectors, directory.clone(), keys.clone()).map_err(|error| error.to_string())?;
        Ok(Ready { slice, keys, engine: Rc::new(engine), directory, waiting: RefCell::default() })
    }

    /// Keys of tenants, as far as there is a master key; and one of the mesh, for the fingerprints in masks of records whose
    /// tenant is not known.
    fn keys(&self, slice: &Rc<Slice>, directory: &Rc<Known>) -> Result<Keys, String> {
        let shared: Option<&[u8; 32]> = self.fingerprint.current().bytes().try_into().ok();
        let Some(masters) = &self.masters else { return Ok(Keys::new(shared)) };
        let directory = directory.clone();
        let ids = move |tenant| TenantId::parse(directory.id(tenant)?).ok();
        Keys::sealed(shared, slice.clone(), masters, ids).map_err(|error| format!("secret `redaction_keys`: {error}"))
    }

    /// What to go by under this view.
    pub(crate) fn ready(&self, view: &View) -> Result<Rc<Ready>, Rejection> {
        let revision = view.bundle().body().revision;
        let state = self.state.borrow();
        match &state.made {
            Some((_, Some(ready))) => Ok(ready.clone()),
            Some((made, None)) if *made == revision => Err(Rejection::new(
                Reason::PolicyUnavailable,
                "the bundle says nothing of telemetry that could be done",
            )),
            _ => {
                Err(Rejection::new(Reason::PolicyUnavailable, "what the bundle says of telemetry is being made ready"))
            }
        }
    }
}

impl Ready {
    /// Who there is.
    pub(super) fn directory(&self) -> &Known {
        &self.directory
    }

    /// Whether records of others are kept back.
    pub(super) fn quarantines(&self) -> bool {
        self.slice.rules.tenants.as_ref().is_some_and(|rules| rules.foreign == Foreign::Quarantine)
    }

    /// A redactor for a body.
    pub(super) fn redactor(&self, facts: &Facts<'_>) -> Redactor {
        match self.waiting.borrow_mut().pop() {
            Some(mut redactor) => {
                redactor.next(facts);
                redactor
            }
            None => Redactor::new(self.engine.clone(), facts),
        }
    }

    /// It is used no more.
    pub(super) fn give_back(&self, mut redactor: Redactor) {
        if let Some(unopened) = self.keys.take_unopened() {
            let (count, tenant) = (unopened.count, directory_print(&*self.directory, &unopened.tenant));
            let message = format!("partywall: {count} sealed keys do not open, as one of {tenant}: {}", unopened.why);
            host::log(LogLevel::Warn, &message);
        }
        // What a quarantine counted is told by what went through it first.
        let _ = redactor.take_counts();
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < WAITING {
            waiting.push(redactor);
        }
    }
}

/// A tenant as the log may name it.
fn directory_print(directory: &dyn Directory, tenant: &TenantId) -> Rc<str> {
    tenant_of(directory, tenant).and_then(|tenant| directory.fingerprint(tenant)).unwrap_or_default()
}

/// From now on all bodies of this VM hold `most` bytes at most. Of several plugins the last one says so.
pub(super) fn bound(most: usize) {
    MEMORY.with_borrow_mut(|memory| memory.bound(most));
}

/// A body of `tenant`, empty for a workload's that several share, holds `now` bytes instead of `before`. Whether it may.
pub(super) fn hold(tenant: &Rc<str>, before: usize, now: usize) -> bool {
    MEMORY.with_borrow_mut(|memory| memory.change(tenant, before, now))
}
