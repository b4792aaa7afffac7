//! Which bundle and overlay are in force, what is tried out beside them, and whether they may still be trusted.

mod candidate;

use std::sync::Arc;

use crate::grant::split_grants;
use crate::statement::{Kind, SignedBy, TrustedKey};
use crate::{
    Audience, Bundle, BundleBody, CLOCK_SKEW, Grant, Loading, MeshId, Overlay, Reason, Refusal, UnixSeconds, View,
};

pub use candidate::Trial;

use candidate::{Candidate, Highest};

/// What a sidecar trusts from its own configuration, before any bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The mesh it belongs to.
    pub mesh: MeshId,
    /// The slice that is for it.
    pub audience: Audience,
    /// Keys that may sign bundles, also before there is one.
    pub bundle_keys: Vec<TrustedKey>,
    /// The lowest bundle revision accepted, so that a restart is no way back.
    pub floor: u64,
    /// How many distinct keys must sign a bundle; the bundle in force and the one offered may ask for more.
    pub approvals: u8,
}

/// Where a statement came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the bundle server: nobody in this process has judged it yet.
    Fetched,
    /// From the process's shared data: another worker, or this one before it was re-created,
    /// accepted it when it was new.
    Kept,
}

/// What became of a statement that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is in force now.
    Installed,
    /// It already was.
    Unchanged,
}

/// How far a bundle is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// It is the one in force.
    Unchanged,
    /// All of it was looked at: it may be installed.
    Ready,
}

/// Whether requests may be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Yes.
    Fresh,
    /// Bundle or overlay was never there, or the bundle was never a current one.
    Unavailable,
    /// The overlay is older than `stale_after`, a newer bundle was withheld for as long, the bundle is past its
    /// expiry, or the clock went back.
    Stale,
}

/// The bundle and overlay in force. Numbers only grow; what is refused changes nothing.
#[derive(Debug)]
pub struct PolicyState {
    trust: Trust,
    bundle: Option<(Arc<Bundle>, [u8; 64])>,
    overlay: Option<(Arc<Overlay>, Digest)>,
    /// The last good file of grants, and those in it that count.
    grants: (Vec<u8>, Arc<[Grant]>),
    candidate: Option<Candidate>,
    /// The highest candidate that was accepted, also when it is gone.
    highest: Option<Highest>,
    /// Whether the bundle in force, or one before it, was current once: an overlay said so.
    was_current: bool,
    /// When the first overlay was issued that named a newer bundle than the one in force.
    behind_since: Option<UnixSeconds>,
    /// The latest time ever seen: a clock that goes back must not make old things fresh.
    latest: UnixSeconds,
}

type Digest = [u8; 32];
/// [`PolicyState::install`] or its like.
type Install = fn(&mut PolicyState, Loading, UnixSeconds) -> Result<Vec<u8>, (Refusal, Vec<u8>)>;

impl PolicyState {
    /// Nothing in force yet.
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            bundle: None,
            overlay: None,
            grants: Default::default(),
            candidate: None,
            highest: None,
            was_current: false,
            behind_since: None,
            latest: 0,
        }
    }

    /// Offers a bundle as fetched. `examine` looks at the verified bundle before it is installed
    /// (its program must be readable, say) and can still refuse it.
    pub fn offer_bundle(
        &mut self,
        bytes: &[u8],
        now: UnixSeconds,
        examine: impl FnOnce(&Bundle) -> Result<(), Refusal>,
    ) -> Result<Accepted, Refusal> {
        self.offer(Loading::new(bytes.to_vec()), now, examine, Self::install)
    }

    fn offer(
        &mut self,
        loading: Result<Loading, (Refusal, Vec<u8>)>,
        now: UnixSeconds,
        examine: impl FnOnce(&Bundle) -> Result<(), Refusal>,
        install: Install,
    ) -> Result<Accepted, Refusal> {
        let mut loading = loading.map_err(|(refusal, _)| refusal)?;
        loop {
            match self.load(&mut loading, usize::MAX, now)? {
                Progress::More => {}
                Progress::Unchanged => return Ok(Accepted::Unchanged),
                Progress::Ready => break,
            }
        }
        loading.bundle().map_or(Ok(()), examine)?;
        install(self, loading, now).map_err(|(refusal, _)| refusal)?;
        Ok(Accepted::Installed)
    }

    /// Looks at one more part of a bundle or a candidate, for about as long as hashing `budget` bytes takes.
    pub fn load(&self, loading: &mut Loading, budget: usize, now: UnixSeconds) -> Result<Progress, Refusal> {
        if loading.kind() == Kind::Candidate {
            return self.load_candidate(loading, budget, now);
        }
        // Before its signatures: the bundle in force may have retired a key that it was signed with itself.
        if loading.digest().is_some_and(|digest| self.bundle.as_ref().is_some_and(|(_, d)| d == digest)) {
            return Ok(Progress::Unchanged);
        }
        let more = loading.step(
            budget,
            |signatures| signatures.verify(Kind::Bundle, &self.bundle_keys(), &self.keys_for_others()),
            |body, _, by| self.judge(body, by, now),
        )?;
        Ok(if more { Progress::More } else { Progress::Ready })
    }

    /// Puts a bundle into force of which [`PolicyState::load`] said that it is ready. Gives its bytes back.
    pub fn install(&mut self, loading: Loading, now: UnixSeconds) -> Result<Vec<u8>, (Refusal, Vec<u8>)> {
        let digest = loading.digest().copied().unwrap_or([0; 64]);
        let (bundle, bytes) = loading.finish()?;
        // Again: another one may have come into force since.
        if let Err(refusal) = self.may_replace(bundle.body(), now) {
            return Err((refusal, bytes));
        }
        // An overlay whose key was taken back goes with its sequence, or whoever stole the key could
        // have written a number that no good overlay ever exceeds.
        if self.overlay.as_ref().is_some_and(|(overlay, _)| !overlay.is_signed_by_one_of(bundle.overlay_keys())) {
            self.overlay = None;
        }
        self.bundle = Some((Arc::new(bundle), digest));
        self.look_behind();
        // Its grant keys and ceilings may be others.
        let (file, _) = std::mem::take(&mut self.grants);
        self.look_at_candidate();
        self.take_grants(file, now);
        Ok(bytes)
    }

    /// Keys that may sign the next bundle: a sidecar that was just started knows those of its configuration alone.
    fn bundle_keys(&self) -> Vec<TrustedKey> {
        let bundle = self.bundle();
        let named = bundle.map(Bundle::bundle_keys).unwrap_or_default();
        let retired = bundle.map(Bundle::retired_keys).unwrap_or_default();
        let all = self.trust.bundle_keys.iter().chain(named);
        all.filter(|key| !retired.iter().any(|gone| gone.key == key.key)).cloned().collect()
    }

    fn judge(&self, body: &BundleBody, by: &SignedBy, now: UnixSeconds) -> Result<(), Refusal> {
        self.for_this_filter(body)?;
        self.may_replace(body, now)?;
        by.at_least(self.approvals())
    }

    fn for_this_filter(&self, body: &BundleBody) -> Result<(), Refusal> {
        self.same_mesh(&body.mesh)?;
        if body.audience == self.trust.audience { Ok(()) } else { Err(Refusal::WrongAudience(body.audience.name())) }
    }

    /// How many keys must sign what comes next; it may ask for more itself.
    fn approvals(&self) -> u8 {
        self.trust.approvals.max(self.bundle().map_or(1, |bundle| bundle.body().approvals))
    }

    fn may_replace(&self, body: &BundleBody, now: UnixSeconds) -> Result<(), Refusal> {
        let in_force = self.revision();
        let needed = self.trust.floor.max(in_force);
        newer(body.revision, needed, self.bundle.is_some() && in_force == needed)?;
        in_time(body.issued, body.expires, now)
    }

    /// Offers an overlay. A fetched one must not be past its expiry; a kept one may be, and then
    /// counts until `stale_after` from its signed issue time, as [`PolicyState::freshness`] sees it.
    pub fn offer_overlay(&mut self, bytes: &[u8], origin: Origin, now: UnixSeconds) -> Result<Accepted, Refusal> {
        let digest = digest(bytes);
        if self.overlay.as_ref().is_some_and(|(_, d)| *d == digest) {
            return Ok(Accepted::Unchanged);
        }
        let Some((bundle, _)) = &self.bundle else { return Err(Refusal::NoBundle) };
        let overlay = Overlay::open(bytes, bundle.overlay_keys(), &self.other_roles(bundle))?;
        let body = overlay.body();
        self.same_mesh(&body.mesh)?;
        let in_force = self.overlay.as_ref().map_or(0, |(o, _)| o.body().sequence);
        newer(body.sequence, in_force, self.overlay.is_some())?;
        let expires = match origin {
            Origin::Fetched => body.expires,
            Origin::Kept => UnixSeconds::MAX,
        };
        in_time(body.issued, expires, now)?;
        self.overlay = Some((Arc::new(overlay), digest));
        self.look_behind();
        self.look_at_candidate();
        Ok(Accepted::Installed)
    }

    /// Offers the overlay that was the first to name a newer bundle, as another worker kept it: from it on the
    /// delay counts, also for a worker that was created since. It also shows that the bundle was current before,
    /// since nobody keeps it otherwise.
    pub fn recall(&mut self, bytes: &[u8], now: UnixSeconds) -> Result<(), Refusal> {
        let Some((bundle, _)) = &self.bundle else { return Err(Refusal::NoBundle) };
        let overlay = Overlay::open(bytes, bundle.overlay_keys(), &self.other_roles(bundle))?;
        let body = overlay.body();
        self.same_mesh(&body.mesh)?;
        in_time(body.issued, UnixSeconds::MAX, now)?;
        if body.bundle > self.revision() {
            self.was_current = true;
            self.behind_since = Some(self.behind_since.map_or(body.issued, |since| since.min(body.issued)));
        }
        Ok(())
    }

    /// The revision that the overlay in force names, where the bundle in force is older.
    pub fn behind(&self) -> Option<u64> {
        let named = self.overlay.as_ref()?.0.body().bundle;
        (named > self.revision()).then_some(named)
    }

    /// Whether the bundle in force was never a current one here: what an old bundle after a restart looks like.
    pub fn is_rolled_back(&self) -> bool {
        self.behind().is_some() && !self.was_current
    }

    fn look_behind(&mut self) {
        let (Some((bundle, _)), Some((overlay, _))) = (&self.bundle, &self.overlay) else { return };
        if overlay.body().bundle <= bundle.body().revision {
            self.was_current = true;
            self.behind_since = None;
        } else if self.was_current && self.behind_since.is_none() {
            self.behind_since = Some(overlay.body().issued);
        }
    }

    /// Keys that sign something else than bundles: a refusal of theirs says so.
    fn keys_for_others(&self) -> Vec<TrustedKey> {
        self.bundle().map(|bundle| [bundle.overlay_keys(), bundle.grant_keys()].concat()).unwrap_or_default()
    }

    fn other_roles(&self, bundle: &Bundle) -> Vec<TrustedKey> {
        [&*self.trust.bundle_keys, bundle.bundle_keys(), bundle.grant_keys()].concat()
    }

    /// Offers a file of grants in place of the one before. Each grant in it is judged by itself; what is refused
    /// of them is given back. An error means that nothing was changed.
    pub fn offer_grants(&mut self, file: Vec<u8>, now: UnixSeconds) -> Result<(Accepted, Vec<Refusal>), Refusal> {
        if self.bundle.is_none() {
            return Err(Refusal::NoBundle);
        }
        if self.grants.0 == file {
            return Ok((Accepted::Unchanged, Vec::new()));
        }
        split_grants(&file)?;
        let refused = self.take_grants(file, now);
        Ok((Accepted::Installed, refused))
    }

    /// How many grants count, whether they began or not.
    pub fn grants(&self) -> usize {
        self.grants.1.len()
    }

    /// Those of a file that count under the bundle in force, and under the candidate; gives what the former refuses.
    fn take_grants(&mut self, file: Vec<u8>, now: UnixSeconds) -> Vec<Refusal> {
        let judged = self.bundle.as_ref().map(|(bundle, _)| self.judge_grants(bundle, &file, now));
        let (grants, refused) = judged.unwrap_or_default();
        self.grants = (file, grants.into());
        self.judge_grants_of_candidate(now);
        refused
    }

    fn judge_grants(&self, bundle: &Bundle, file: &[u8], now: UnixSeconds) -> (Vec<Grant>, Vec<Refusal>) {
        let (mut good, mut refused) = (Vec::new(), Vec::new());
        let ceilings = bundle.body().grants.as_ref();
        let at_once = usize::from(ceilings.map_or(0, |ceilings| ceilings.at_once));
        let others = [&*self.trust.bundle_keys, bundle.bundle_keys(), bundle.overlay_keys()].concat();
        for statement in split_grants(file).unwrap_or_default() {
            match Grant::open(statement, bundle.grant_keys(), &others, ceilings) {
                Err(refusal) => refused.push(refusal),
                Ok(grant) if grant.body().mesh != self.trust.mesh => {
                    refused.push(Refusal::OtherMesh(grant.body().mesh.to_string()));
                }
                // What is over is no mistake of those who serve it.
                Ok(grant) if grant.body().expires <= now => {}
                Ok(grant) if good.contains(&grant) => {}
                Ok(_) if good.len() >= at_once => {
                    refused.push(Refusal::Ceiling(format!("{at_once} grants at once")));
                }
                Ok(grant) => good.push(grant),
            }
        }
        (good, refused)
    }

    /// Takes note of the time, as often as the caller likes. A candidate past its expiry goes.
    pub fn observe(&mut self, now: UnixSeconds) {
        self.latest = self.latest.max(now);
        self.expire_candidate();
    }

    /// Whether requests may be decided at `now`.
    pub fn freshness(&self, now: UnixSeconds) -> Freshness {
        let (Some((bundle, _)), Some((overlay, _))) = (&self.bundle, &self.overlay) else {
            return Freshness::Unavailable;
        };
        if self.is_rolled_back() {
            return Freshness::Unavailable;
        }
        let body = bundle.body();
        let since = self.behind_since.unwrap_or(UnixSeconds::MAX).min(overlay.body().issued);
        let stale_at = since.saturating_add(body.stale_after.into());
        // A host that tells no time at all says 0, which is a clock that went back, too.
        let went_back = now == 0 || now.saturating_add(CLOCK_SKEW) < self.latest;
        if went_back || now > stale_at || now > body.expires { Freshness::Stale } else { Freshness::Fresh }
    }

    /// What to decide a request against at `now`, or the reason to deny it.
    pub fn view(&self, now: UnixSeconds) -> Result<View, Reason> {
        match (self.freshness(now), &self.bundle, &self.overlay) {
            (Freshness::Fresh, Some((bundle, _)), Some((overlay, _))) => {
                Ok(View { bundle: bundle.clone(), overlay: overlay.clone(), grants: self.grants.1.clone(), now })
            }
            (Freshness::Stale, ..) => Err(Reason::PolicyStale),
            _ => Err(Reason::PolicyUnavailable),
        }
    }

    /// The bundle in force, fresh or not, to keep.
    pub fn shared_bundle(&self) -> Option<Arc<Bundle>> {
        self.bundle.as_ref().map(|(bundle, _)| bundle.clone())
    }

    /// The bundle in force, fresh or not.
    pub fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref().map(|(bundle, _)| &**bundle)
    }

    /// The revision in force, 0 for none.
    pub fn revision(&self) -> u64 {
        self.bundle.as_ref().map_or(0, |(b, _)| b.body().revision)
    }

    /// The overlay sequence in force, 0 for none.
    pub fn sequence(&self) -> u64 {
        self.overlay.as_ref().map_or(0, |(o, _)| o.body().sequence)
    }

    fn same_mesh(&self, mesh: &MeshId) -> Result<(), Refusal> {
        if *mesh == self.trust.mesh { Ok(()) } else { Err(Refusal::OtherMesh(mesh.to_string())) }
    }
}

fn newer(offered: u64, needed: u64, must_exceed: bool) -> Result<(), Refusal> {
    if offered < needed {
        Err(Refusal::Older { offered, needed })
    } else if must_exceed && offered == needed {
        Err(Refusal::SameNumberOtherContent(offered))
    } else {
        Ok(())
    }
}

fn in_time(issued: UnixSeconds, expires: UnixSeconds, now: UnixSeconds) -> Result<(), Refusal> {
    if issued > now.saturating_add(CLOCK_SKEW) {
        Err(Refusal::FromTheFuture)
    } else if expires < now {
        Err(Refusal::Expired)
    } else {
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests;
