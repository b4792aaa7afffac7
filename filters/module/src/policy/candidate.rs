//! The candidate that is tried out beside the bundle in force.

use std::rc::Rc;

use partywall_authorization::Authorization;
use partywall_tenancy::{Loading, Origin, Refusal, Trial, UnixSeconds, View};
use proxy_wasm::types::LogLevel;

use super::Policy;
use crate::host;
use crate::what::What;

/// A candidate, ready to decide.
pub(crate) struct Tried {
    pub(crate) trial: Trial,
    pub(crate) authorization: Rc<Authorization>,
}

impl Policy {
    /// What to compare a request's decision with, or to decide it by, where `view` is what it is decided against.
    pub(crate) fn tried(&self, view: &View) -> Option<Tried> {
        let authorization = self.candidate.clone()?;
        Some(Tried { trial: self.state.trial(view)?, authorization })
    }

    /// Takes what was served or kept as the candidate; nothing where there is none.
    pub(super) fn offer_candidate(&mut self, bytes: Vec<u8>, origin: Origin, now_ms: u64) {
        if bytes.is_empty() {
            return self.no_candidate(origin, now_ms);
        }
        // It comes again once there is a bundle that says who may sign it, and once there is time for it.
        if self.state.bundle().is_none() {
            return;
        }
        if self.is_loading() {
            return self.put_off(What::Candidate);
        }
        match Loading::candidate(bytes) {
            Ok(loading) => self.begin(loading, origin, now_ms),
            Err((refusal, bytes)) => self.refused(What::Candidate, &bytes, &refusal),
        }
    }

    pub(super) fn install_candidate(
        &mut self,
        loading: Loading,
        origin: Origin,
        now: UnixSeconds,
    ) -> Result<(), (Refusal, Vec<u8>)> {
        let authorization = match self.compiled(&loading) {
            Ok(authorization) => authorization,
            Err(refusal) => return Err((refusal, loading.into_bytes())),
        };
        let bytes = self.state.install_candidate(loading, now)?;
        self.candidate = authorization;
        self.candidate_missing = false;
        self.good(What::Candidate, origin);
        let (revision, step) = self.tell_candidate();
        let message = format!(
            "partywall: candidate revision {revision}, step {step}, is tried out beside revision {}",
            self.state.revision()
        );
        host::log(LogLevel::Info, &message);
        if origin == Origin::Fetched {
            self.fetcher.keep(What::Candidate, &bytes);
        }
        Ok(())
    }

    /// There is no candidate any more. Where the server says so, it is asked once more first, and for the bundle in
    /// between: a candidate that came into force is taken away too, and nobody should go back to the old bundle for
    /// the seconds until the new one is here.
    fn no_candidate(&mut self, origin: Origin, now_ms: u64) {
        self.good(What::Candidate, origin);
        if self.state.candidate().is_none() {
            return;
        }
        let bundle_comes = self.is_loading() || self.fetcher.is_asking(What::Bundle);
        match origin {
            Origin::Fetched if !self.candidate_missing => {
                self.candidate_missing = true;
                self.fetcher.hurry(What::Bundle);
                return self.fetcher.ask_again(now_ms);
            }
            Origin::Fetched if bundle_comes => return self.fetcher.ask_again(now_ms),
            Origin::Kept if self.is_loading() => return self.put_off(What::Candidate),
            Origin::Fetched | Origin::Kept => {}
        }
        self.state.withdraw_candidate();
        self.candidate_gone("was withdrawn", origin);
    }

    /// After another bundle came into force: the candidate may have gone with it.
    pub(super) fn follow_bundle(&mut self, origin: Origin) {
        self.look_at_candidate("was overtaken, or may no longer be signed by its keys", origin);
        self.put_off(What::Candidate);
    }

    /// The candidate may have gone with what just came into force.
    pub(super) fn look_at_candidate(&mut self, why: &str, origin: Origin) {
        if self.candidate.is_some() && self.state.candidate().is_none() {
            self.candidate_gone(why, origin);
        }
    }

    fn candidate_gone(&mut self, why: &str, origin: Origin) {
        self.candidate = None;
        self.candidate_missing = false;
        self.tell_candidate();
        let message = format!("partywall: the candidate {why}: revision {} alone decides", self.state.revision());
        host::log(LogLevel::Info, &message);
        if origin == Origin::Fetched {
            self.fetcher.keep(What::Candidate, &[]);
        }
    }

    /// Another one is tried out, or none: sets the gauges, 0 for none.
    fn tell_candidate(&mut self) -> (u64, u64) {
        self.changes += 1;
        let (revision, step) = self.state.candidate().unwrap_or_default();
        self.metrics.gauge("candidate_revision", revision);
        self.metrics.gauge("candidate_step", step);
        (revision, step)
    }
}
