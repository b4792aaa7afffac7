//! Which bundle and overlay are in force, and whether they may still be trusted.

use std::sync::Arc;

use crate::statement::TrustedKey;
use crate::{Bundle, CLOCK_SKEW, MeshId, Overlay, Reason, Refusal, Tenant, TenantId, TenantStatus, UnixSeconds};

/// What a sidecar trusts from its own configuration, before any bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The mesh it belongs to.
    pub mesh: MeshId,
    /// Keys that may sign bundles.
    pub bundle_keys: Vec<TrustedKey>,
    /// The lowest bundle revision accepted, so that a restart is no way back.
    pub floor: u64,
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

/// Whether requests may be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Yes.
    Fresh,
    /// Bundle or overlay was never there.
    Unavailable,
    /// The overlay is older than `stale_after`, the bundle past its expiry, or the clock went back.
    Stale,
}

/// The bundle and overlay in force. Numbers only grow; what is refused changes nothing.
#[derive(Debug)]
pub struct PolicyState {
    trust: Trust,
    bundle: Option<(Arc<Bundle>, Digest)>,
    overlay: Option<(Arc<Overlay>, Digest)>,
    /// The latest time ever seen: a clock that goes back must not make old things fresh.
    latest: UnixSeconds,
}

type Digest = [u8; 32];

impl PolicyState {
    /// Nothing in force yet.
    pub fn new(trust: Trust) -> Self {
        Self { trust, bundle: None, overlay: None, latest: 0 }
    }

    /// Offers a bundle as fetched. `examine` looks at the verified bundle before it is installed
    /// (its program must be readable, say) and can still refuse it.
    pub fn offer_bundle(
        &mut self,
        bytes: &[u8],
        now: UnixSeconds,
        examine: impl FnOnce(&Bundle) -> Result<(), Refusal>,
    ) -> Result<Accepted, Refusal> {
        let digest = digest(bytes);
        if self.bundle.as_ref().is_some_and(|(_, d)| *d == digest) {
            return Ok(Accepted::Unchanged);
        }
        let bundle = Bundle::open(bytes, &self.trust.bundle_keys)?;
        let body = bundle.body();
        self.same_mesh(&body.mesh)?;
        let in_force = self.bundle.as_ref().map_or(0, |(b, _)| b.body().revision);
        let needed = self.trust.floor.max(in_force);
        newer(body.revision, needed, self.bundle.is_some() && in_force == needed)?;
        in_time(body.issued, body.expires, now)?;
        examine(&bundle)?;
        // An overlay whose key was taken back goes with its sequence, or whoever stole the key could
        // have written a number that no good overlay ever exceeds.
        if self.overlay.as_ref().is_some_and(|(overlay, _)| !overlay.is_signed_by_one_of(bundle.overlay_keys())) {
            self.overlay = None;
        }
        self.bundle = Some((Arc::new(bundle), digest));
        Ok(Accepted::Installed)
    }

    /// Offers an overlay. A fetched one must not be past its expiry; a kept one may be, and then
    /// counts until `stale_after` from its signed issue time, as [`PolicyState::freshness`] sees it.
    pub fn offer_overlay(&mut self, bytes: &[u8], origin: Origin, now: UnixSeconds) -> Result<Accepted, Refusal> {
        let digest = digest(bytes);
        if self.overlay.as_ref().is_some_and(|(_, d)| *d == digest) {
            return Ok(Accepted::Unchanged);
        }
        let Some((bundle, _)) = &self.bundle else { return Err(Refusal::NoBundle) };
        let overlay = Overlay::open(bytes, bundle.overlay_keys(), &self.trust.bundle_keys)?;
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
        Ok(Accepted::Installed)
    }

    /// Takes note of the time, as often as the caller likes.
    pub fn observe(&mut self, now: UnixSeconds) {
        self.latest = self.latest.max(now);
    }

    /// Whether requests may be decided at `now`.
    pub fn freshness(&self, now: UnixSeconds) -> Freshness {
        let (Some((bundle, _)), Some((overlay, _))) = (&self.bundle, &self.overlay) else {
            return Freshness::Unavailable;
        };
        let body = bundle.body();
        let stale_at = overlay.body().issued.saturating_add(body.stale_after.into());
        // A host that tells no time at all says 0, which is a clock that went back, too.
        let went_back = now == 0 || now.saturating_add(CLOCK_SKEW) < self.latest;
        if went_back || now > stale_at || now > body.expires { Freshness::Stale } else { Freshness::Fresh }
    }

    /// What to decide a request against at `now`, or the reason to deny it.
    pub fn view(&self, now: UnixSeconds) -> Result<View, Reason> {
        match (self.freshness(now), &self.bundle, &self.overlay) {
            (Freshness::Fresh, Some((bundle, _)), Some((overlay, _))) => {
                Ok(View { bundle: bundle.clone(), overlay: overlay.clone() })
            }
            (Freshness::Stale, ..) => Err(Reason::PolicyStale),
            _ => Err(Reason::PolicyUnavailable),
        }
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

/// A fresh bundle with the overlay over it: what one request is decided against.
#[derive(Clone, Debug)]
pub struct View {
    bundle: Arc<Bundle>,
    overlay: Arc<Overlay>,
}

impl View {
    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The overlay.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// The tenant, if it exists and may act; else the reason to deny.
    ///
    /// INVARIANT: the overlay can only make this answer worse.
    pub fn active_tenant(&self, id: &TenantId) -> Result<&Tenant, Reason> {
        let tenant = self.bundle.tenant(id).ok_or(Reason::TenantUnknown)?;
        let status = match (tenant.status, self.overlay.status(id)) {
            (TenantStatus::Active, Some(imposed)) => imposed,
            (TenantStatus::Suspended, Some(TenantStatus::Quarantined)) => TenantStatus::Quarantined,
            (own, _) => own,
        };
        match status {
            TenantStatus::Active => Ok(tenant),
            TenantStatus::Suspended => Err(Reason::TenantSuspended),
            TenantStatus::Quarantined => Err(Reason::TenantQuarantined),
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::{BundleBody, OverlayBody, RoleKeys, SpiffeId};

    const MESH: &str = "3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11";
    const OTHER_MESH: &str = "00000000-0000-4000-8000-000000000000";
    const NOW: UnixSeconds = 1_000_000;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn acme() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn bundle(change: impl FnOnce(&mut BundleBody)) -> Vec<u8> {
        let mut body = BundleBody {
            format: BundleBody::FORMAT,
            mesh: MeshId::parse(MESH).unwrap(),
            revision: 5,
            issued: NOW - 10,
            expires: NOW + 10_000,
            source_digest: [0; 32],
            trust_domain: "mesh.example".into(),
            stale_after: 300,
            keys: RoleKeys { overlay: vec![("o".into(), key(2).verifying_key().to_bytes())] },
            legacy_headers: vec![],
            sources: crate::Sources::default(),
            api_keys: vec![],
            issuers: vec![],
            signers: vec![],
            gateways: vec![],
            tenants: vec![Tenant {
                id: acme(),
                tier: "gold".into(),
                status: TenantStatus::Active,
                residency: "eu".into(),
            }],
            services: vec![],
            program: vec![],
        };
        change(&mut body);
        body.sign(&[("b", &key(1))]).unwrap()
    }

    fn overlay(change: impl FnOnce(&mut OverlayBody)) -> Vec<u8> {
        let mut body = OverlayBody {
            format: OverlayBody::FORMAT,
            mesh: MeshId::parse(MESH).unwrap(),
            sequence: 7,
            issued: NOW,
            expires: NOW + OverlayBody::LIFETIME,
            suspended: vec![],
            quarantined: vec![],
            revoked_tokens: vec![],
            revoked_subjects: vec![],
            revoked_keys: vec![],
            revoked_issuers: vec![],
            revoked_signers: vec![],
            revoked_api_keys: vec![],
        };
        change(&mut body);
        body.sign("o", &key(2)).unwrap()
    }

    fn empty() -> PolicyState {
        let key = TrustedKey::new("b", key(1).verifying_key().as_bytes()).unwrap();
        PolicyState::new(Trust { mesh: MeshId::parse(MESH).unwrap(), bundle_keys: vec![key], floor: 3 })
    }

    fn settled() -> PolicyState {
        let mut state = empty();
        assert_eq!(state.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())), Ok(Accepted::Installed));
        assert_eq!(state.offer_overlay(&overlay(|_| ()), Origin::Fetched, NOW), Ok(Accepted::Installed));
        state
    }

    fn refused_bundle(bytes: &[u8]) -> Refusal {
        let mut state = settled();
        let refusal = state.offer_bundle(bytes, NOW, |_| Ok(())).unwrap_err();
        assert_eq!((state.revision(), state.freshness(NOW)), (5, Freshness::Fresh), "the old one stays");
        refusal
    }

    fn refused_overlay(bytes: &[u8]) -> Refusal {
        let mut state = settled();
        let refusal = state.offer_overlay(bytes, Origin::Fetched, NOW).unwrap_err();
        assert_eq!((state.sequence(), state.freshness(NOW)), (7, Freshness::Fresh), "the old one stays");
        refusal
    }

    #[test]
    fn a_newer_bundle_and_overlay_are_installed() {
        let mut state = settled();
        assert_eq!(state.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())), Ok(Accepted::Unchanged));
        assert_eq!(state.offer_bundle(&bundle(|b| b.revision = 6), NOW, |_| Ok(())), Ok(Accepted::Installed));
        assert_eq!(state.offer_overlay(&overlay(|o| o.sequence = 8), Origin::Fetched, NOW), Ok(Accepted::Installed));
        assert_eq!((state.revision(), state.sequence()), (6, 8));
    }

    #[test]
    fn what_must_not_replace_a_bundle_does_not() {
        assert_eq!(refused_bundle(b"garbage").code(), "garbage");
        assert_eq!(refused_bundle(&bundle(|b| b.revision = 4)), Refusal::Older { offered: 4, needed: 5 });
        assert_eq!(refused_bundle(&bundle(|b| b.expires += 1)), Refusal::SameNumberOtherContent(5));
        let other = |b: &mut BundleBody| {
            b.revision = 6;
            b.mesh = MeshId::parse(OTHER_MESH).unwrap();
        };
        assert_eq!(refused_bundle(&bundle(other)), Refusal::OtherMesh(OTHER_MESH.into()));
        let expired = |b: &mut BundleBody| {
            b.revision = 6;
            b.expires = NOW - 1;
        };
        assert_eq!(refused_bundle(&bundle(expired)), Refusal::Expired);
        let future = |b: &mut BundleBody| {
            b.revision = 6;
            b.issued = NOW + CLOCK_SKEW + 1;
        };
        assert_eq!(refused_bundle(&bundle(future)), Refusal::FromTheFuture);
        assert_eq!(refused_bundle(&bundle(|b| b.format = 99)), Refusal::Format(99));
        assert_eq!(refused_bundle(&overlay(|_| ())), Refusal::WrongKind);
        let twice = |b: &mut BundleBody| {
            b.revision = 6;
            b.tenants.push(b.tenants[0].clone());
        };
        assert_eq!(refused_bundle(&bundle(twice)).code(), "inconsistent");
        let gateways = |ids: &[&str]| {
            let gateways = ids.iter().map(|id| SpiffeId::parse(id).unwrap()).collect();
            bundle(move |b: &mut BundleBody| {
                b.revision = 6;
                b.gateways = gateways;
            })
        };
        for ids in [
            &["spiffe://mesh.example/a", "spiffe://mesh.example/a"][..],
            &["spiffe://mesh.example/b", "spiffe://mesh.example/a"],
            &["spiffe://other.example/a"],
        ] {
            assert_eq!(refused_bundle(&gateways(ids)).code(), "inconsistent", "{ids:?}");
        }
    }

    #[test]
    fn what_must_not_replace_an_overlay_does_not() {
        assert_eq!(refused_overlay(&overlay(|o| o.sequence = 6)), Refusal::Older { offered: 6, needed: 7 });
        assert_eq!(refused_overlay(&overlay(|o| o.expires -= 1)), Refusal::SameNumberOtherContent(7));
        let long = |o: &mut OverlayBody| {
            o.sequence = 8;
            o.expires += 1;
        };
        assert_eq!(refused_overlay(&overlay(long)).code(), "inconsistent");
        let expired = |o: &mut OverlayBody| {
            o.sequence = 8;
            o.expires = NOW - 1;
        };
        assert_eq!(refused_overlay(&overlay(expired)), Refusal::Expired);
        let body = OverlayBody { sequence: 8, ..overlay_body() };
        assert_eq!(refused_overlay(&body.sign("b", &key(1)).unwrap()), Refusal::WrongRole("b".into()));
        assert_eq!(refused_overlay(&body.sign("o", &key(3)).unwrap()), Refusal::BadSignature);
    }

    fn overlay_body() -> OverlayBody {
        let bytes = overlay(|_| ());
        let key = TrustedKey::new("o", key(2).verifying_key().as_bytes()).unwrap();
        Overlay::open(&bytes, &[key], &[]).unwrap().body().clone()
    }

    #[test]
    fn a_restart_is_no_way_back() {
        let refusal = empty().offer_bundle(&bundle(|b| b.revision = 2), NOW, |_| Ok(())).unwrap_err();
        assert_eq!(refusal, Refusal::Older { offered: 2, needed: 3 });
        assert_eq!(empty().offer_bundle(&bundle(|b| b.revision = 3), NOW, |_| Ok(())), Ok(Accepted::Installed));
    }

    #[test]
    fn nothing_is_decided_without_both() {
        let mut state = empty();
        assert_eq!(state.view(NOW).unwrap_err(), Reason::PolicyUnavailable);
        assert_eq!(state.offer_overlay(&overlay(|_| ()), Origin::Fetched, NOW), Err(Refusal::NoBundle));
        state.offer_bundle(&bundle(|_| ()), NOW, |_| Ok(())).unwrap();
        assert_eq!(state.view(NOW).unwrap_err(), Reason::PolicyUnavailable);
    }

    #[test]
    fn a_withheld_overlay_makes_policy_stale_from_its_signed_issue_time() {
        let state = settled();
        assert_eq!(state.freshness(NOW + 300), Freshness::Fresh);
        assert_eq!(state.view(NOW + 301).unwrap_err(), Reason::PolicyStale);
    }

    #[test]
    fn a_kept_overlay_outlives_its_expiry_but_not_stale_after() {
        let later = NOW + OverlayBody::LIFETIME + 50;
        let mut cold = empty();
        cold.offer_bundle(&bundle(|_| ()), later, |_| Ok(())).unwrap();
        assert_eq!(cold.offer_overlay(&overlay(|_| ()), Origin::Fetched, later), Err(Refusal::Expired));
        assert_eq!(cold.offer_overlay(&overlay(|_| ()), Origin::Kept, later), Ok(Accepted::Installed));
        assert_eq!(cold.freshness(later), Freshness::Fresh);
        assert_eq!(cold.freshness(NOW + 301), Freshness::Stale);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_fresh() {
        let mut state = settled();
        state.observe(NOW + 100);
        assert_eq!(state.freshness(NOW + 100 - CLOCK_SKEW), Freshness::Fresh);
        assert_eq!(state.freshness(NOW + 100 - CLOCK_SKEW - 1), Freshness::Stale);
    }

    #[test]
    fn an_overlay_goes_with_its_key() {
        let mut state = settled();
        let poisoned = overlay(|o| o.sequence = u64::MAX);
        assert_eq!(state.offer_overlay(&poisoned, Origin::Fetched, NOW), Ok(Accepted::Installed));
        let rotated = |b: &mut BundleBody| {
            b.revision = 6;
            b.keys.overlay = vec![("o2".into(), key(7).verifying_key().to_bytes())];
        };
        state.offer_bundle(&bundle(rotated), NOW, |_| Ok(())).unwrap();
        assert_eq!(state.freshness(NOW), Freshness::Unavailable);
        let body = OverlayBody { sequence: 8, ..overlay_body() };
        let good = body.sign("o2", &key(7)).unwrap();
        assert_eq!(state.offer_overlay(&good, Origin::Fetched, NOW), Ok(Accepted::Installed));
    }

    #[test]
    fn a_bundle_that_fails_its_examination_is_not_installed() {
        let mut state = settled();
        let no = |_: &Bundle| Err(Refusal::Inconsistent("no".into()));
        assert!(state.offer_bundle(&bundle(|b| b.revision = 6), NOW, no).is_err());
        assert_eq!(state.revision(), 5);
    }

    #[test]
    fn the_overlay_only_takes_away() {
        let view = |o: Vec<u8>, status: TenantStatus| {
            let mut state = empty();
            state.offer_bundle(&bundle(|b| b.tenants[0].status = status), NOW, |_| Ok(())).unwrap();
            state.offer_overlay(&o, Origin::Fetched, NOW).unwrap();
            state.view(NOW).unwrap().active_tenant(&acme()).map(|_| ())
        };
        let suspends = || overlay(|o| o.suspended = vec![acme()]);
        let quarantines = || overlay(|o| o.quarantined = vec![acme()]);
        use TenantStatus::*;
        assert_eq!(view(overlay(|_| ()), Active), Ok(()));
        assert_eq!(view(overlay(|_| ()), Suspended), Err(Reason::TenantSuspended));
        assert_eq!(view(suspends(), Active), Err(Reason::TenantSuspended));
        assert_eq!(view(suspends(), Quarantined), Err(Reason::TenantQuarantined));
        assert_eq!(view(quarantines(), Suspended), Err(Reason::TenantQuarantined));
    }
}
