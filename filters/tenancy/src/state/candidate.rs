//! The candidate beside the bundle in force: what may become one, and when it goes.

use std::sync::Arc;

use super::{Accepted, PolicyState, Progress, in_time};
use crate::loading::Finished;
use crate::statement::{Kind, SignedBy};
use crate::{Bundle, BundleBody, Grant, Loading, Refusal, Rollout, TenantId, UnixSeconds, View};

/// The candidate that is tried out.
#[derive(Debug)]
pub(super) struct Candidate {
    bundle: Arc<Bundle>,
    rollout: Arc<Rollout>,
    /// Those that count by its own keys and ceilings.
    grants: Arc<[Grant]>,
}

/// What the next candidate must not be below. While there is a candidate, it is its own.
#[derive(Debug)]
pub(super) struct Highest {
    revision: u64,
    step: u64,
    digest: [u8; 64],
    by: SignedBy,
}

/// A candidate with overlay and grants over it: what a request is decided against for comparison, or for good.
#[derive(Clone, Debug)]
pub struct Trial {
    view: View,
    rollout: Arc<Rollout>,
}

impl Trial {
    /// As if the candidate were the bundle in force.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Whether the candidate decides for `tenant`; else it is only compared.
    pub fn decides_for(&self, tenant: &TenantId) -> bool {
        self.rollout.includes(&self.view.bundle.body().mesh, tenant)
    }

    /// The revision it will have as a bundle.
    pub fn revision(&self) -> u64 {
        self.view.bundle.body().revision
    }

    /// The step of its rollout.
    pub fn step(&self) -> u64 {
        self.rollout.step
    }
}

impl PolicyState {
    /// Offers a candidate as fetched, whole; see [`PolicyState::offer_bundle`].
    pub fn offer_candidate(
        &mut self,
        bytes: &[u8],
        now: UnixSeconds,
        examine: impl FnOnce(&Bundle) -> Result<(), Refusal>,
    ) -> Result<Accepted, Refusal> {
        self.offer(Loading::candidate(bytes.to_vec()), now, examine, Self::install_candidate)
    }

    pub(super) fn load_candidate(
        &self,
        loading: &mut Loading,
        budget: usize,
        now: UnixSeconds,
    ) -> Result<Progress, Refusal> {
        let digest = loading.digest().copied();
        let known = self.highest.as_ref().filter(|_| self.candidate.is_some()).map(|highest| highest.digest);
        if digest.is_some() && digest == known {
            return Ok(Progress::Unchanged);
        }
        let more = loading.step(
            budget,
            |signatures| signatures.verify(Kind::Candidate, &self.bundle_keys(), &self.keys_for_others()),
            |body, rollout, by| {
                self.for_this_filter(body)?;
                let step = rollout.map_or(0, |rollout| rollout.step);
                self.may_be_tried(body, step, digest.as_ref(), now)?;
                by.at_least(self.approvals())
            },
        )?;
        Ok(if more { Progress::More } else { Progress::Ready })
    }

    /// Puts a candidate beside the bundle in force, of which [`PolicyState::load`] said that it is ready. Gives its
    /// bytes back.
    pub fn install_candidate(&mut self, loading: Loading, now: UnixSeconds) -> Result<Vec<u8>, (Refusal, Vec<u8>)> {
        let digest = loading.digest().copied().unwrap_or([0; 64]);
        let Finished { bundle, rollout, by, bytes } = loading.finish_candidate()?;
        // Again: another bundle may have come into force since, with other keys.
        let judged = self.may_be_tried(bundle.body(), rollout.step, Some(&digest), now);
        if let Err(refusal) = judged.and_then(|()| self.still_signed(&by, bundle.body().approvals)) {
            return Err((refusal, bytes));
        }
        self.highest = Some(Highest { revision: bundle.body().revision, step: rollout.step, digest, by });
        let (bundle, rollout) = (Arc::new(bundle), Arc::new(rollout));
        self.candidate = Some(Candidate { bundle, rollout, grants: Arc::default() });
        self.judge_grants_of_candidate(now);
        Ok(bytes)
    }

    fn may_be_tried(
        &self,
        body: &BundleBody,
        step: u64,
        digest: Option<&[u8; 64]>,
        now: UnixSeconds,
    ) -> Result<(), Refusal> {
        let Some(in_force) = self.bundle() else { return Err(Refusal::NoBundle) };
        let passed = in_force.body().revision.max(self.withdrawn());
        let offered = body.revision;
        if offered <= passed {
            return Err(Refusal::Older { offered, needed: passed.saturating_add(1) });
        }
        if let Some(Highest { revision, step: highest, digest: known, .. }) = &self.highest {
            if offered < *revision {
                return Err(Refusal::Older { offered, needed: *revision });
            }
            if offered == *revision && step < *highest {
                return Err(Refusal::OlderStep { revision: offered, offered: step, needed: *highest });
            }
            // What was taken away may come back as it was, unless the overlay withdraws it.
            if offered == *revision && step == *highest && digest != Some(known) {
                return Err(Refusal::SameNumberOtherContent(offered));
            }
        }
        in_time(body.issued, body.expires, now)
    }

    /// Whether those who signed it may still do so, under the bundle in force.
    fn still_signed(&self, by: &SignedBy, own: u8) -> Result<(), Refusal> {
        let may = self.bundle_keys();
        let found = by.keys().iter().filter(|key| may.iter().any(|trusted| trusted.key == **key)).count();
        let found = u8::try_from(found).unwrap_or(u8::MAX);
        let needed = self.approvals().max(own);
        if found < needed { Err(Refusal::Approvals { found, needed }) } else { Ok(()) }
    }

    /// The highest revision of a candidate that the overlay in force withdraws.
    fn withdrawn(&self) -> u64 {
        self.overlay.as_ref().map_or(0, |(overlay, _)| overlay.body().withdrawn_candidates)
    }

    /// After another bundle or overlay came into force: it may have reached the candidate, taken its keys back, or
    /// withdrawn it.
    pub(super) fn look_at_candidate(&mut self) {
        let own = self.candidate.as_ref().map_or(1, |candidate| candidate.bundle.body().approvals);
        if self.highest.as_ref().is_some_and(|highest| self.still_signed(&highest.by, own).is_err()) {
            // With its number, or whoever stole the key could have written one that no good candidate exceeds.
            self.highest = None;
            self.candidate = None;
        }
        let passed = self.revision().max(self.withdrawn());
        if self.candidate().is_some_and(|(revision, _)| revision <= passed) {
            self.candidate = None;
        }
    }

    /// The candidate names keys and ceilings of its own.
    pub(super) fn judge_grants_of_candidate(&mut self, now: UnixSeconds) {
        let Some(bundle) = self.candidate.as_ref().map(|candidate| candidate.bundle.clone()) else { return };
        let (grants, _) = self.judge_grants(&bundle, &self.grants.0, now);
        if let Some(candidate) = &mut self.candidate {
            candidate.grants = grants.into();
        }
    }

    /// Drops the candidate if it is past its expiry.
    pub(super) fn expire_candidate(&mut self) {
        let latest = self.latest;
        self.candidate.take_if(|candidate| candidate.bundle.body().expires < latest);
    }

    /// Drops the candidate: there is none any more. Says whether there was one.
    pub fn withdraw_candidate(&mut self) -> bool {
        self.candidate.take().is_some()
    }

    /// Revision and step of the candidate, if there is one.
    pub fn candidate(&self) -> Option<(u64, u64)> {
        self.candidate.as_ref().map(|candidate| (candidate.bundle.body().revision, candidate.rollout.step))
    }

    /// The candidate with what lies over the bundle in force, as [`PolicyState::view`] gave it for this moment;
    /// `None` where there is none, or it is past its expiry.
    pub fn trial(&self, view: &View) -> Option<Trial> {
        let candidate = self.candidate.as_ref()?;
        if candidate.bundle.body().expires < view.now {
            return None;
        }
        let view = View { bundle: candidate.bundle.clone(), grants: candidate.grants.clone(), ..view.clone() };
        Some(Trial { view, rollout: candidate.rollout.clone() })
    }
}
