//! Fetching bundle, overlay, grants and candidate: one VM of the process does it, the others read what it kept in
//! shared data and judge it again.

use std::time::Duration;

use partywall_tenancy::{MAX_GRANTS, Trust, statement};

use crate::config::BundleSource;
use crate::host;
use crate::what::{Each, What};

const OVERLAY_EACH_MS: u64 = 1000;
const BUNDLE_EACH_MS: u64 = 3000;
/// Until the first bundle and overlay, nobody is served, so asking often costs nothing.
const FIRST_EACH_MS: u64 = 250;
const LEASE_MS: u64 = 2000;
const OVERLAY_TIMEOUT_MS: u64 = 900;
const BUNDLE_TIMEOUT_MS: u64 = 10_000;
/// After an answer that there is no candidate any more, until it is asked for once more.
const GONE_MS: u64 = 1000;
/// How long after its timeout an answer may still come.
const MARGIN_MS: u64 = 500;

/// A statement as it came, not yet judged.
pub(crate) struct Got {
    pub(crate) what: What,
    /// Of a candidate, nothing where there is none.
    pub(crate) bytes: Vec<u8>,
}

/// When to ask, and what is kept where.
pub(crate) struct Fetcher {
    source: BundleSource,
    keys: SharedKeys,
    /// This VM in the lease.
    me: [u8; 8],
    feeds: Each<Feed>,
}

struct SharedKeys {
    lease: String,
    head: String,
    /// What is kept of each file; of the candidate, nothing once there is none any more.
    kept: Each<String>,
    /// The first overlay that named a newer bundle than the one in force.
    first: String,
}

/// One of the files.
#[derive(Default)]
struct Feed {
    etag: Option<String>,
    /// The call under way and when to give it up: its answer never comes if the plugin that asked was
    /// removed meanwhile.
    in_flight: Option<(u32, u64)>,
    due_ms: u64,
    failing: bool,
    /// Counts what was kept in shared data; as last seen by this VM.
    kept: u32,
}

impl Fetcher {
    pub(crate) fn new(trust: &Trust, source: BundleSource) -> Self {
        // Filters of two audiences that are pointed at one file by mistake must not take turns in refusing it.
        let audience = trust.audience.name();
        // Nor may filters that ask for different files share what they got, or whose turn it is.
        let paths = [Some(&source.overlay_path), source.grants_path.as_ref(), source.candidate_path.as_ref()];
        let paths: Vec<&str> = paths.into_iter().map(|path| path.map_or("", String::as_str)).collect();
        let from = format!("{}{} {}", source.cluster, source.path, paths.join(" "));
        let key = |part: &str| format!("partywall.{}.{audience}.{from}.{part}", trust.mesh);
        Self {
            keys: SharedKeys {
                lease: key("lease"),
                head: key("head"),
                kept: Each::new(|what| key(what.name())),
                first: key("first"),
            },
            source,
            me: host::random().unwrap_or_default(),
            feeds: Each::default(),
        }
    }

    /// What other VMs kept since the last look, the bundle first; but for `not`, which is left for later.
    pub(crate) fn kept(&mut self, not: &[What]) -> Vec<Got> {
        let counters = self.head().0;
        let mut got = Vec::new();
        for (what, counter) in What::ALL.into_iter().zip(counters).filter(|(what, _)| !not.contains(what)) {
            let feed = self.feeds.of_mut(what);
            if feed.kept != counter {
                feed.kept = counter;
                // A host tells nothing of a value that is empty: the candidate's is, once there is none any more.
                let gone = (what == What::Candidate).then(Vec::new);
                let bytes = host::shared(self.keys.kept.of(what)).0.or(gone);
                got.extend(bytes.map(|bytes| Got { what, bytes }));
            }
        }
        got
    }

    /// Keeps an accepted statement for the other VMs, and for this one should it be re-created.
    pub(crate) fn keep(&mut self, what: What, bytes: &[u8]) {
        host::set_shared(self.keys.kept.of(what), bytes, None);
        // Another VM may write the head at the end of a lease; a few tries are enough to get a word in.
        for _ in 0..4 {
            let (mut counters, cas) = self.head();
            let mut own = 0;
            for (counter, _) in counters.iter_mut().zip(What::ALL).filter(|(_, of)| *of == what) {
                *counter = counter.wrapping_add(1);
                own = *counter;
            }
            let head = counters.map(u32::to_be_bytes).concat();
            if host::set_shared(&self.keys.head, &head, cas) {
                self.feeds.of_mut(what).kept = own;
                return;
            }
        }
    }

    /// Keeps the overlay that was the first to name a newer bundle: the delay counts from it.
    pub(crate) fn keep_first(&self, overlay: &[u8]) {
        host::set_shared(&self.keys.first, overlay, None);
    }

    /// What [`Fetcher::keep_first`] kept, by whichever worker.
    pub(crate) fn first(&self) -> Option<Vec<u8>> {
        host::shared(&self.keys.first).0
    }

    /// Starts what is due, if this VM holds the lease. Gives back what could not be started.
    pub(crate) fn fetch_due(&mut self, now_ms: u64, has_bundle: bool, settled: bool) -> Vec<What> {
        if !self.lease(now_ms) {
            return Vec::new();
        }
        let jitter = u64::from(host::random::<1>().map_or(0, |[b]| b));
        let mut failed = Vec::new();
        for what in What::ALL {
            // Without a bundle nobody can say who may sign the rest.
            if what != What::Bundle && !has_bundle {
                continue;
            }
            let (path, each, timeout_ms) = match what {
                What::Bundle => (Some(&self.source.path), BUNDLE_EACH_MS, BUNDLE_TIMEOUT_MS),
                What::Overlay => (Some(&self.source.overlay_path), OVERLAY_EACH_MS, OVERLAY_TIMEOUT_MS),
                What::Grants => (self.source.grants_path.as_ref(), OVERLAY_EACH_MS, OVERLAY_TIMEOUT_MS),
                What::Candidate => (self.source.candidate_path.as_ref(), BUNDLE_EACH_MS, BUNDLE_TIMEOUT_MS),
            };
            let Some(path) = path else { continue };
            let feed = self.feeds.of_mut(what);
            let each = if settled { each } else { FIRST_EACH_MS };
            feed.in_flight =
                feed.in_flight.filter(|(_, until)| now_ms < *until && *until <= now_ms + MARGIN_MS + timeout_ms);
            // A due time further away than any that could have been set is from a clock that went back.
            if feed.in_flight.is_some() || (now_ms < feed.due_ms && feed.due_ms <= now_ms + each) {
                continue;
            }
            // Up to 255 ms early, never late: sidecars that start together do not ask together.
            feed.due_ms = now_ms + each.saturating_sub(jitter);
            let timeout = Duration::from_millis(timeout_ms);
            let token = host::get(&self.source.cluster, &self.source.cluster, path, feed.etag.as_deref(), timeout);
            feed.in_flight = token.map(|token| (token, now_ms + timeout_ms + MARGIN_MS));
            if feed.in_flight.is_none() {
                failed.push(what);
            }
        }
        failed
    }

    /// The statement in an answer; nothing when it is unchanged or the answer is not ours.
    pub(crate) fn on_response(&mut self, token: u32, body_size: usize) -> Result<Option<Got>, (What, String)> {
        let asked = |what: &What| self.feeds.of(*what).in_flight.is_some_and(|(t, _)| t == token);
        let Some(what) = What::ALL.iter().copied().find(asked) else { return Ok(None) };
        let most = if what == What::Grants { MAX_GRANTS } else { statement::MAX_SIZE };
        let feed = self.feeds.of_mut(what);
        feed.in_flight = None;
        let headers = host::call_response_headers();
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| String::from_utf8_lossy(v));
        match header(":status").as_deref() {
            Some("304") => {
                feed.failing = false;
                Ok(None)
            }
            Some("200") if body_size <= most => {
                feed.failing = false;
                feed.etag = header("etag").map(|e| e.into_owned());
                Ok(Some(Got { what, bytes: host::call_response_body(body_size) }))
            }
            Some("200") => Err((what, format!("{body_size} bytes are over the bound"))),
            Some("404") if what == What::Candidate => {
                feed.failing = false;
                feed.etag = None;
                Ok(Some(Got { what, bytes: Vec::new() }))
            }
            Some(status) => Err((what, format!("status {status}"))),
            None => Err((what, "no answer".into())),
        }
    }

    /// Whether this is the first failure after a success.
    pub(crate) fn first_failure(&mut self, what: What) -> bool {
        !std::mem::replace(&mut self.feeds.of_mut(what).failing, true)
    }

    /// Asks for the whole file next time: what was refused may be right later, when clocks or keys are.
    pub(crate) fn forget(&mut self, what: What) {
        self.feeds.of_mut(what).etag = None;
    }

    /// Reads what is kept again, as if it were new.
    pub(crate) fn look_again(&mut self, what: What) {
        let feed = self.feeds.of_mut(what);
        feed.kept = feed.kept.wrapping_sub(1);
    }

    /// Does not ask yet, at this tick.
    pub(crate) fn wait(&mut self, what: What, now_ms: u64) {
        let feed = self.feeds.of_mut(what);
        feed.due_ms = feed.due_ms.max(now_ms + 1);
    }

    /// Asks once more whether there is really no candidate any more.
    pub(crate) fn ask_again(&mut self, now_ms: u64) {
        self.feeds.of_mut(What::Candidate).due_ms = now_ms + GONE_MS;
    }

    /// Whether an answer is waited for.
    pub(crate) fn is_asking(&self, what: What) -> bool {
        self.feeds.of(what).in_flight.is_some()
    }

    /// Asks at the next tick.
    pub(crate) fn hurry(&mut self, what: What) {
        self.feeds.of_mut(what).due_ms = 0;
    }

    fn head(&self) -> ([u32; 4], Option<u32>) {
        let (bytes, cas) = host::shared(&self.keys.head);
        let mut counters = [0; 4];
        for (counter, bytes) in counters.iter_mut().zip(bytes.iter().flat_map(|b| b.as_chunks::<4>().0)) {
            *counter = u32::from_be_bytes(*bytes);
        }
        (counters, cas)
    }

    /// Whether this VM holds the lease, taking it when it is free and renewing it when half is gone.
    fn lease(&mut self, now_ms: u64) -> bool {
        let (bytes, cas) = host::shared(&self.keys.lease);
        let held = bytes.as_deref().and_then(|b| {
            let (holder, rest) = b.split_first_chunk::<8>()?;
            Some((*holder, u64::from_be_bytes(*rest.first_chunk()?)))
        });
        let until = match held {
            // A lease further away than any that could have been given is from a clock that went back.
            Some((holder, until)) if holder != self.me && until > now_ms && until <= now_ms + LEASE_MS => return false,
            Some((holder, until)) if holder == self.me => until,
            _ => 0,
        };
        if until > now_ms + LEASE_MS / 2 && until <= now_ms + LEASE_MS {
            return true;
        }
        let lease = [self.me, (now_ms + LEASE_MS).to_be_bytes()].concat();
        host::set_shared(&self.keys.lease, &lease, cas)
    }
}
