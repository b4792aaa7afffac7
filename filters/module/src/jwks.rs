//! Fetching the key sets of issuers, on the tick and never while a request waits.
//!
//! The workers of a process share what one of them fetched, and when to ask next, through shared
//! data: sealed, since that is not trusted. Without a `shared_state` secret each worker fetches for itself.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use partywall_tenant_context::jwt::{KeySets, Schedule, SetSeal, jwk};
use proxy_wasm::types::LogLevel;

use crate::host;
use crate::metrics::Metrics;

const TIMEOUT: Duration = Duration::from_secs(5);
/// How often to look for sets that are due, when the last look found none.
const LOOK_EACH_MS: u64 = 1000;
/// Hosts with a metric label of their own; the rest share `other`.
const LABELLED: usize = 100;

/// What is on its way, and where things lie in shared data.
pub(crate) struct Jwks {
    prefix: String,
    seal: Option<SetSeal>,
    /// By token of the host's call: the issuer whose set it asks for.
    on_the_way: HashMap<u32, Box<str>>,
    /// Counts what was shared; as last seen by this worker.
    seen: u32,
    look_at_ms: u64,
    labels: BTreeSet<String>,
}

impl Jwks {
    /// `prefix` begins the names in shared data.
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix, seal: None, on_the_way: HashMap::new(), seen: 0, look_at_ms: 0, labels: BTreeSet::new() }
    }

    /// Shares what is fetched, sealed with the first key that any plugin of this worker brings.
    pub(crate) fn share(&mut self, seal: Option<&SetSeal>) {
        if self.seal.is_none() {
            self.seal = seal.cloned();
        }
    }

    /// Looks at every shared set again: after a bundle that names new issuers.
    pub(crate) fn look_again(&mut self) {
        self.seen = 0;
        self.look_at_ms = 0;
    }

    /// Adopts what other workers fetched, and asks for what is due.
    pub(crate) fn tick(&mut self, sets: &mut KeySets, metrics: &Metrics, now_ms: u64) {
        let now = now_ms / 1000;
        self.adopt(sets, now);
        if now_ms < self.look_at_ms {
            return;
        }
        let due = sets.due(now);
        self.look_at_ms = if due.is_empty() { now_ms + LOOK_EACH_MS } else { now_ms };
        for issuer in due {
            self.ask(&issuer, sets, metrics, now);
        }
    }

    /// Takes an answer; says whether it was one of ours.
    pub(crate) fn on_response(
        &mut self,
        token: u32,
        body_size: usize,
        sets: &mut KeySets,
        metrics: &Metrics,
        now: u64,
    ) -> bool {
        let Some(issuer) = self.on_the_way.remove(&token) else { return false };
        match received(body_size)
            .and_then(|json| sets.received(&issuer, &json, now, jitter()).map_err(|e| e.to_string()))
        {
            Ok(()) => {
                self.count(&issuer, "ok", metrics);
                self.keep(&issuer, sets);
            }
            Err(why) => self.failed(&issuer, &why, sets, metrics, now),
        }
        true
    }

    fn ask(&mut self, issuer: &str, sets: &mut KeySets, metrics: &Metrics, now: u64) {
        let mut cas = None;
        if self.seal.is_some() {
            let (shared, version) = host::shared(&self.name("schedule", issuer));
            cas = version;
            if let Some(schedule) = shared.and_then(|bytes| Schedule::from_bytes(&bytes, now)) {
                sets.heed(issuer, schedule);
            }
        }
        let Some(ask) = sets.ask(issuer, now) else { return };
        if !self.tell_schedule(issuer, sets, cas) {
            // Another worker was faster; what it gets is shared.
            sets.give_way(issuer);
            return;
        }
        match host::get(&ask.cluster, &ask.authority, &ask.path, None, TIMEOUT) {
            Some(token) => drop(self.on_the_way.insert(token, issuer.into())),
            None => self.failed(issuer, &format!("there is no cluster `{}`", ask.cluster), sets, metrics, now),
        }
    }

    fn failed(&mut self, issuer: &str, why: &str, sets: &mut KeySets, metrics: &Metrics, now: u64) {
        self.count(issuer, "failed", metrics);
        if sets.failed(issuer, now, jitter()) {
            let message = format!(
                "partywall: the key set of issuer `{issuer}` cannot be had: {why}; \
                 the last good one counts until its `max_age`"
            );
            host::log(LogLevel::Warn, &message);
        }
        self.tell_schedule(issuer, sets, None);
    }

    /// Keeps a good set for the other workers, and for this one should it be re-created.
    fn keep(&mut self, issuer: &str, sets: &KeySets) {
        let Some(sealed) = self.seal.as_ref().and_then(|seal| sets.seal(issuer, seal)) else { return };
        host::set_shared(&self.name("set", issuer), &sealed, None);
        self.tell_schedule(issuer, sets, None);
        // Several workers may count at once. Who loses tries again: an uncounted set is one nobody looks at.
        for _ in 0..8 {
            let (count, cas) = self.count_shared();
            if host::set_shared(&self.name("count", ""), &count.wrapping_add(1).to_be_bytes(), cas) {
                return;
            }
        }
    }

    fn adopt(&mut self, sets: &mut KeySets, now: u64) {
        let Some(seal) = &self.seal else { return };
        let (count, _) = self.count_shared();
        if count == self.seen {
            return;
        }
        let issuers: Vec<String> = sets.issuers().map(str::to_owned).collect();
        for issuer in issuers {
            if let Some(sealed) = host::shared(&self.name("set", &issuer)).0 {
                sets.adopt(&issuer, &sealed, seal, now);
            }
        }
        self.seen = count;
    }

    /// Says whether the schedule was written, or need not be.
    fn tell_schedule(&self, issuer: &str, sets: &KeySets, cas: Option<u32>) -> bool {
        match sets.schedule(issuer) {
            Some(schedule) if self.seal.is_some() => {
                host::set_shared(&self.name("schedule", issuer), &schedule.to_bytes(), cas)
            }
            _ => true,
        }
    }

    fn count_shared(&self) -> (u32, Option<u32>) {
        let (bytes, cas) = host::shared(&self.name("count", ""));
        (bytes.and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes), cas)
    }

    fn name(&self, what: &str, issuer: &str) -> String {
        format!("{}.keys.{what}.{issuer}", self.prefix)
    }

    fn count(&mut self, issuer: &str, outcome: &str, metrics: &Metrics) {
        let label = label(issuer);
        if self.labels.len() < LABELLED {
            self.labels.insert(label.clone());
        }
        let label = if self.labels.contains(&label) { label.as_str() } else { "other" };
        metrics.count("tenant_context_key_sets_total", &[("issuer", label), ("outcome", outcome)]);
    }
}

fn received(body_size: usize) -> Result<Vec<u8>, String> {
    let headers = host::call_response_headers();
    let status = headers.iter().find(|(name, _)| name == ":status").map(|(_, v)| String::from_utf8_lossy(v));
    match status.as_deref() {
        Some("200") if body_size <= jwk::MAX_BYTES => Ok(host::call_response_body(body_size)),
        Some("200") => Err(jwk::JwkError::TooLarge(body_size).to_string()),
        Some(status) => Err(format!("status {status}")),
        None => Err("no answer".into()),
    }
}

/// The issuer's host, in characters that can stand in a metric name.
fn label(issuer: &str) -> String {
    let host = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    host.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect()
}

fn jitter() -> u8 {
    host::random::<1>().map_or(0, |[b]| b)
}
