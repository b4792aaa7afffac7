//! The policy in force in this VM: one per mesh and bundle source, shared by all its plugins.

mod candidate;
mod refusals;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use partywall_authorization::{Authorization, Reading};
use partywall_tenancy::statement::Kind;
use partywall_tenancy::{
    Accepted, Audience, Bundle, EventCluster, EventIdentity, Loading, Origin, PolicyState, Progress, Reason, Refusal,
    Source, Trust, UnixSeconds, View,
};
use partywall_tenant_context::jwt::{KeySets, Memo, SetSeal};
use partywall_tenant_context::{Role, RootMemo};
use proxy_wasm::types::LogLevel;

use crate::config::BundleSource;
use crate::fetch::{Fetcher, Got};
use crate::host;
use crate::jwks::Jwks;
use crate::metrics::Metrics;
use crate::what::{Each, What};

pub(crate) use candidate::Tried;

thread_local! {
    static POLICIES: RefCell<Vec<Rc<RefCell<Policy>>>> = const { RefCell::new(Vec::new()) };
}

/// What a plugin wants of a policy.
pub(crate) struct Wanted<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) source: &'a BundleSource,
    /// Seals what workers share of fetched key sets.
    pub(crate) seal: Option<&'a SetSeal>,
    pub(crate) reader: Reader,
}

/// Who may read tokens, and so needs the keys of issuers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A filter of requests.
    Requests(Role),
    /// A filter of connections to this cluster of Kafka.
    Events(String),
    /// A filter of telemetry.
    Telemetry,
}

impl Reader {
    /// Whether it reads tokens under this bundle.
    fn reads_tokens(&self, bundle: &Bundle) -> bool {
        let body = bundle.body();
        match self {
            Self::Requests(Role::Edge) => body.sources.edge.contains(&Source::Jwt),
            Self::Requests(Role::Inbound) => body.sources.inbound.contains(&Source::Jwt),
            Self::Requests(Role::Outbound | Role::Egress) | Self::Telemetry => false,
            Self::Events(name) => {
                let takes = |cluster: &EventCluster| cluster.identity.contains(&EventIdentity::Token);
                body.events.iter().any(|cluster| cluster.name == *name && takes(cluster))
            }
        }
    }
}

/// The policy that is wanted, made when the first plugin asks for it.
pub(crate) fn of(wanted: &Wanted<'_>) -> Rc<RefCell<Policy>> {
    POLICIES.with_borrow_mut(|all| {
        let known = all.iter().find(|p| {
            let policy = p.borrow();
            policy.trust == *wanted.trust && policy.source == *wanted.source
        });
        let policy = match known {
            Some(policy) => policy.clone(),
            None => {
                let policy = Rc::new(RefCell::new(Policy::new(wanted.trust.clone(), wanted.source.clone())));
                all.push(policy.clone());
                policy
            }
        };
        policy.borrow_mut().serve(wanted);
        policy
    })
}

/// Bundle, overlay and everything compiled from them.
pub(crate) struct Policy {
    trust: Trust,
    source: BundleSource,
    state: PolicyState,
    authorization: Option<Rc<Authorization>>,
    /// The candidate's, while there is one.
    candidate: Option<Rc<Authorization>>,
    /// Whether the last answer was that there is no candidate, while one is tried out here.
    candidate_missing: bool,
    claims: Rc<[String]>,
    fetcher: Fetcher,
    /// Whose plugins this worker runs: only some read tokens.
    readers: Vec<Reader>,
    key_sets: Rc<RefCell<KeySets>>,
    memo: Rc<RefCell<Memo>>,
    roots: Rc<RefCell<RootMemo>>,
    jwks: Jwks,
    metrics: Metrics,
    /// A hash of the last refused file of each kind, so that it is logged once and not each second.
    last_refusal: Each<Option<u64>>,
    /// The bundle or candidate that is on its way.
    loading: Option<(Loading, Origin)>,
    /// Its program, as far as it was read.
    reading: Reading,
    /// The revision that others have already, as it was told.
    behind: Option<u64>,
    /// How often something else came into force.
    changes: u64,
}

/// Whether this module runs filters that decide by a program and read tokens of issuers. A module that has none of them has
/// nothing of what reads either.
const DECIDES: bool = cfg!(any(feature = "requests", feature = "kafka"));

/// How much of a bundle is hashed in one tick: well under a millisecond.
const STEP: usize = 64 * 1024;
/// How many texts, expressions or policies of its program are read in one tick: about as long.
const PARTS: usize = 1024;

impl Policy {
    fn new(trust: Trust, source: BundleSource) -> Self {
        Self {
            fetcher: Fetcher::new(&trust, source.clone()),
            readers: Vec::new(),
            key_sets: Rc::default(),
            memo: Rc::new(RefCell::new(Memo::new(Memo::CAPACITY))),
            roots: Rc::new(RefCell::new(RootMemo::new(RootMemo::CAPACITY))),
            jwks: Jwks::new(format!(
                "partywall.{}.{}.{}{}",
                trust.mesh,
                trust.audience.name(),
                source.cluster,
                source.path
            )),
            state: PolicyState::new(trust.clone()),
            trust,
            source,
            authorization: None,
            candidate: None,
            candidate_missing: false,
            claims: Rc::default(),
            metrics: Metrics::default(),
            last_refusal: Each::default(),
            loading: None,
            reading: Reading::default(),
            behind: None,
            changes: 0,
        }
    }

    /// One more plugin of this worker asks.
    fn serve(&mut self, wanted: &Wanted<'_>) {
        if DECIDES {
            self.jwks.share(wanted.seal);
        }
        if !self.readers.contains(&wanted.reader) {
            self.readers.push(wanted.reader.clone());
            self.follow_issuers();
        }
    }

    /// The key sets that were fetched.
    pub(crate) fn key_sets(&self) -> Rc<RefCell<KeySets>> {
        self.key_sets.clone()
    }

    /// The tokens that were verified.
    pub(crate) fn memo(&self) -> Rc<RefCell<Memo>> {
        self.memo.clone()
    }

    /// Root contexts verified before.
    pub(crate) fn roots(&self) -> Rc<RefCell<RootMemo>> {
        self.roots.clone()
    }

    /// What to decide a request against, or the reason to deny it.
    pub(crate) fn view(&self, now: UnixSeconds) -> Result<(View, Rc<Authorization>), Reason> {
        let view = self.state.view(now)?;
        let authorization = self.authorization.clone().ok_or(Reason::PolicyUnavailable)?;
        Ok((view, authorization))
    }

    /// What holds now, or the reason to deny, where nothing is to be decided by a program.
    pub(crate) fn fresh(&self, now: UnixSeconds) -> Result<View, Reason> {
        self.state.view(now)
    }

    /// The bundle in force, fresh or not, to keep.
    pub(crate) fn shared_bundle(&self) -> Option<Arc<Bundle>> {
        self.state.shared_bundle()
    }

    /// The bundle in force, fresh or not.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.state.bundle()
    }

    /// Its revision, 0 for none.
    pub(crate) fn revision(&self) -> u64 {
        self.state.revision()
    }

    /// The sequence of the overlay in force, 0 for none.
    pub(crate) fn sequence(&self) -> u64 {
        self.state.sequence()
    }

    /// How often something else came into force: what was decided before a change may be decided otherwise after it.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Headers that claim an identity besides our own: those of former systems, and API keys, which are for the
    /// edge and no service's business. None before the first bundle, when every request is denied anyway.
    pub(crate) fn claims(&self) -> Rc<[String]> {
        self.claims.clone()
    }

    /// Adopts what other workers fetched, and fetches when this VM holds the lease.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.state.observe(now_ms / 1000);
        self.look_at_candidate("is past its expiry", Origin::Kept);
        self.load(now_ms);
        for got in self.fetcher.kept(self.waiting()) {
            self.offer(got, Origin::Kept, now_ms);
        }
        let has_bundle = self.state.bundle().is_some();
        let settled = has_bundle && self.state.sequence() > 0;
        for what in self.waiting() {
            self.fetcher.wait(*what, now_ms);
        }
        for what in self.fetcher.fetch_due(now_ms, has_bundle, settled) {
            self.metrics.count("bundle_fetch_failures_total", &[("kind", what.name())]);
        }
        if DECIDES {
            self.jwks.tick(&mut self.key_sets.borrow_mut(), &self.metrics, now_ms);
        }
    }

    /// What must wait while something is on its way.
    fn waiting(&self) -> &'static [What] {
        if self.is_loading() { &[What::Bundle, What::Candidate] } else { &[] }
    }

    /// One at a time, or a server that knows no ETag would have it begin anew for ever. It is asked for again as soon
    /// as there is time.
    fn put_off(&mut self, what: What) {
        self.fetcher.forget(what);
        self.fetcher.look_again(what);
        self.fetcher.hurry(what);
    }

    /// Whether a bundle or candidate is on its way, so that ticks should come fast.
    pub(crate) fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// Takes the answer of the bundle server, or of an issuer.
    pub(crate) fn on_response(&mut self, token: u32, body_size: usize) {
        let now_ms = host::now_ms();
        if DECIDES
            && self.jwks.on_response(token, body_size, &mut self.key_sets.borrow_mut(), &self.metrics, now_ms / 1000)
        {
            return;
        }
        match self.fetcher.on_response(token, body_size) {
            Ok(Some(got)) => self.offer(got, Origin::Fetched, now_ms),
            Ok(None) => {}
            Err((what, status)) => {
                self.metrics.count("bundle_fetch_failures_total", &[("kind", what.name())]);
                self.candidate_missing &= what != What::Candidate;
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

    /// Takes a statement: an overlay at once, a bundle or a candidate in steps.
    fn offer(&mut self, got: Got, origin: Origin, now_ms: u64) {
        match got.what {
            What::Bundle if self.is_loading() => self.put_off(What::Bundle),
            What::Bundle => match Loading::new(got.bytes) {
                Ok(loading) => self.begin(loading, origin, now_ms),
                Err((refusal, bytes)) => self.refused(What::Bundle, &bytes, &refusal),
            },
            // It comes again once there is a bundle that says who may sign it.
            What::Overlay if self.state.bundle().is_none() && self.is_loading() => {}
            What::Overlay => match self.state.offer_overlay(&got.bytes, origin, now_ms / 1000) {
                Ok(accepted) => self.overlay_accepted(&got.bytes, accepted, origin, now_ms),
                Err(refusal) => self.refused(What::Overlay, &got.bytes, &refusal),
            },
            What::Grants if self.state.bundle().is_none() => {}
            What::Grants => self.offer_grants(got.bytes, origin, now_ms / 1000),
            What::Candidate => self.offer_candidate(got.bytes, origin, now_ms),
        }
    }

    /// Takes the file of grants; what is refused in it leaves the others in force.
    fn offer_grants(&mut self, bytes: Vec<u8>, origin: Origin, now: UnixSeconds) {
        let (accepted, refused) = match self.state.offer_grants(bytes.clone(), now) {
            Ok(outcome) => outcome,
            Err(refusal) => return self.refused(What::Grants, &bytes, &refusal),
        };
        if accepted == Accepted::Unchanged {
            return;
        }
        self.changes += 1;
        self.good(What::Grants, origin);
        self.metrics.gauge("bundle_grants", u64::try_from(self.state.grants()).unwrap_or(u64::MAX));
        for refusal in &refused {
            self.metrics.count("bundle_refused_total", &[("kind", "grants"), ("reason", refusal.code())]);
            host::log(LogLevel::Warn, &format!("partywall: a grant is refused ({}): it {refusal}", refusal.code()));
        }
        if origin == Origin::Fetched {
            self.fetcher.keep(What::Grants, &bytes);
        }
    }

    fn begin(&mut self, loading: Loading, origin: Origin, now_ms: u64) {
        self.loading = Some((loading, origin));
        self.reading = Reading::default();
        self.load(now_ms);
    }

    /// One step of what is on its way, or all of a small one.
    fn load(&mut self, now_ms: u64) {
        let now = now_ms / 1000;
        let Some((mut loading, origin)) = self.loading.take() else { return };
        let what = if loading.kind() == Kind::Candidate { What::Candidate } else { What::Bundle };
        let small = loading.bytes().len() <= STEP;
        let outcome = loop {
            match self.state.load(&mut loading, STEP, now) {
                Ok(Progress::More) if small => {}
                other => break other,
            }
        };
        match outcome {
            Ok(Progress::More) => self.loading = Some((loading, origin)),
            Ok(Progress::Unchanged) => {
                self.good(what, origin);
                self.candidate_missing &= what != What::Candidate;
            }
            Ok(Progress::Ready) => {
                let program = loading.bundle().map_or(&[][..], |bundle| &bundle.body().program);
                let parts = if small { usize::MAX } else { PARTS };
                let read = if self.decides() { self.reading.step(program, parts) } else { Ok(false) };
                match read {
                    Ok(true) => self.loading = Some((loading, origin)),
                    Ok(false) => {
                        let installed = match what {
                            What::Candidate => self.install_candidate(loading, origin, now),
                            _ => self.install(loading, origin, now),
                        };
                        if let Err((refusal, bytes)) = installed {
                            self.refused(what, &bytes, &refusal);
                        }
                    }
                    Err(error) => self.refused(what, loading.bytes(), &Refusal::Inconsistent(error.to_string())),
                }
            }
            Err(refusal) => self.refused(what, loading.bytes(), &refusal),
        }
    }

    fn install(&mut self, loading: Loading, origin: Origin, now: UnixSeconds) -> Result<(), (Refusal, Vec<u8>)> {
        let authorization = match self.compiled(&loading) {
            Ok(authorization) => authorization,
            Err(refusal) => return Err((refusal, loading.into_bytes())),
        };
        let bytes = self.state.install(loading, now)?;
        self.authorization = authorization;
        self.claims = self.state.bundle().map(claims).unwrap_or_default();
        self.changes += 1;
        self.good(What::Bundle, origin);
        self.follow_issuers();
        self.metrics.gauge("bundle_revision", self.state.revision());
        host::log(LogLevel::Info, &format!("partywall: bundle revision {} is in force", self.state.revision()));
        // Its overlay keys may be others: what was refused before may be right now.
        self.fetcher.forget(What::Overlay);
        self.fetcher.hurry(What::Overlay);
        self.fetcher.look_again(What::Overlay);
        self.fetcher.forget(What::Grants);
        self.fetcher.look_again(What::Grants);
        if origin == Origin::Fetched {
            // Before what goes with it: others must not give up the candidate and have no bundle in its place.
            self.fetcher.keep(What::Bundle, &bytes);
        }
        self.follow_bundle(origin);
        self.watch_behind();
        Ok(())
    }

    /// Whether there is a program to decide by: of telemetry nothing is decided by one.
    fn decides(&self) -> bool {
        DECIDES && self.trust.audience != Audience::Redaction
    }

    /// What decides by a bundle or candidate of which all was read.
    fn compiled(&mut self, loading: &Loading) -> Result<Option<Rc<Authorization>>, Refusal> {
        if !self.decides() {
            return Ok(None);
        }
        let program = std::mem::take(&mut self.reading).finish();
        let (program, bundle) = program.zip(loading.bundle()).ok_or(Refusal::Garbage("not all of it was read"))?;
        Authorization::from_parts(program, &bundle.body().services).map(|read| Some(Rc::new(read)))
    }

    fn overlay_accepted(&mut self, bytes: &[u8], accepted: Accepted, origin: Origin, now_ms: u64) {
        self.good(What::Overlay, origin);
        if accepted == Accepted::Unchanged {
            return;
        }
        self.changes += 1;
        self.metrics.gauge("bundle_overlay_sequence", self.state.sequence());
        self.look_at_candidate("was withdrawn by the overlay", origin);
        if self.state.is_rolled_back()
            && let Some(first) = self.fetcher.first()
        {
            // What it is refused for shows below: nobody is served.
            let _ = self.state.recall(&first, now_ms / 1000);
        }
        let newly = self.state.behind().is_some() && self.behind.is_none();
        self.watch_behind();
        if origin == Origin::Fetched {
            if newly && !self.state.is_rolled_back() {
                self.fetcher.keep_first(bytes);
            }
            self.fetcher.keep(What::Overlay, bytes);
        }
    }

    /// A newer bundle than the one in force is there for others: asked for at once, and told once.
    fn watch_behind(&mut self) {
        // Only an overlay tells. The gauge is the process's, and a VM that was just created must not clear it.
        if self.state.sequence() == 0 {
            return;
        }
        let behind = self.state.behind();
        self.metrics.gauge("bundle_behind", u64::from(behind.is_some()));
        if let Some(named) = behind
            && self.behind.is_none()
        {
            self.fetcher.hurry(What::Bundle);
            let until = if self.state.is_rolled_back() {
                "none was current since this filter started, so nobody is served"
            } else {
                "it stays in force until stale"
            };
            let message = format!(
                "partywall: bundle revision {} is in force, but {named} is current: {until}",
                self.state.revision()
            );
            host::log(LogLevel::Warn, &message);
        }
        self.behind = behind;
    }

    /// Follows the issuers of the bundle in force, if any plugin here reads their tokens.
    fn follow_issuers(&mut self) {
        let Some(bundle) = self.state.bundle().filter(|_| DECIDES) else { return };
        if self.readers.iter().any(|reader| reader.reads_tokens(bundle)) {
            self.key_sets.borrow_mut().follow(bundle);
            self.jwks.look_again();
        }
    }
}

fn claims(bundle: &Bundle) -> Rc<[String]> {
    let body = bundle.body();
    let keys = body.sources.edge.iter().filter_map(|source| match source {
        Source::ApiKey { header } => Some(header),
        _ => None,
    });
    body.legacy_headers.iter().chain(keys).cloned().collect()
}
