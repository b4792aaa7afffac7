//! Keeps the overlay fresh: signs it anew every 15 s, and at once when what it says has changed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use partywall_tenancy::statement::MAX_SIZE;
use partywall_tenancy::{Audience, BundleBody, MeshId, Tenants};

use super::Content;
use super::last::{last_overlay, lock};
use super::static_file::Stamp;
use crate::command::note;
use crate::diagnostic::{Diagnostic, Source};
use crate::exit::Failure;
use crate::keys::Signer;
use crate::overlay::{FILE, Issuer, MAX_SIZE as MAX_YAML, Withdrawn};
use crate::unverified::Unverified;
use crate::{files, slices};

/// How long an overlay is served before the next one is signed.
const EVERY: Duration = Duration::from_secs(15);

/// The overlay that is served, shared with the server.
#[derive(Clone, Default)]
pub(super) struct Latest(Arc<RwLock<Option<Content>>>);

impl Latest {
    pub(super) fn content(&self) -> Option<Content> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, content: Content) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(content);
    }
}

/// Watches a folder and issues its overlays.
pub(super) struct Publisher {
    folder: PathBuf,
    issuer: Issuer,
    latest: Latest,
    withdrawn: Withdrawn,
    sequence: u64,
    issued: Option<Instant>,
    slices: [Slice; 4],
    mesh: Option<MeshId>,
    tenants: Tenants,
    /// What overlay.yaml held when it was last looked at.
    seen: Seen,
    /// Held while it runs: two of them would take turns in overwriting each other's overlay.
    _lock: File,
}

/// A slice as it was last looked at.
struct Slice {
    audience: Audience,
    stamp: Option<Stamp>,
    revision: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Missing,
    Text(Vec<u8>),
    Unreadable(String),
}

impl Publisher {
    /// Takes up where the last one left off. What was withdrawn stays withdrawn, also when
    /// overlay.yaml is missing or broken.
    pub(super) fn start(folder: &Path, key: Signer, now_millis: u64) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(Failure::file(folder, "is no folder; name the one that `partywall compile` writes to"));
        }
        let lock = lock(folder)?;
        let last = last_overlay(folder, &key, now_millis);
        let mut publisher = Self {
            folder: folder.into(),
            issuer: Issuer::new(key),
            latest: Latest::default(),
            withdrawn: last.as_ref().map(Withdrawn::from).unwrap_or_default(),
            sequence: last.as_ref().map_or(0, |body| body.sequence),
            issued: None,
            slices: Audience::ALL.map(|audience| Slice { audience, stamp: None, revision: None }),
            mesh: None,
            tenants: Tenants::default(),
            seen: Seen::Nothing,
            _lock: lock,
        };
        publisher.look_at_slices();
        if publisher.mesh.is_none() {
            note(format_args!("waiting for bundles in `{}`: there is none to read yet", folder.display()));
        }
        match publisher.look_at_yaml() {
            // With nothing to fall back on, an empty overlay would lift whatever the file means to withdraw.
            Err(mistakes) if last.is_none() => Err(Failure::diagnostics(&mistakes)),
            Err(mistakes) => {
                publisher.told_broken(&mistakes);
                Ok(publisher)
            }
            Ok(_) => Ok(publisher),
        }
    }

    /// The overlay it keeps fresh.
    pub(super) fn latest(&self) -> Latest {
        self.latest.clone()
    }

    /// Looks at the folder once, and issues an overlay if one is due.
    pub(super) fn tick(&mut self, now: Instant, now_millis: u64) {
        let other_mesh = self.look_at_slices();
        let changed = self.look_at_yaml().unwrap_or_else(|mistakes| {
            self.told_broken(&mistakes);
            false
        });
        let due = self.issued.is_none_or(|issued| now.saturating_duration_since(issued) >= EVERY);
        if !(changed || other_mesh || due) {
            return;
        }
        let Some(mesh) = &self.mesh else { return };
        let Some((sequence, bytes)) =
            self.issuer.issue((mesh, self.current()), &self.withdrawn, self.sequence, now_millis)
        else {
            note("error: the overlay cannot be signed with this key");
            return;
        };
        let path = self.folder.join("tenancy.overlay");
        // Written before it is served: a restart must never go below what was served. When the disk
        // is full it is served all the same; the clock carries the sequence on.
        if let Err(error) = files::replace(&path, &bytes, files::PUBLIC) {
            note(format_args!("error: `{}`: {error}", path.display()));
        }
        if changed || self.issued.is_none() {
            note(format_args!("overlay {sequence}: {}", self.withdrawn.summary()));
        }
        self.latest.set(Content::new(bytes));
        self.sequence = sequence;
        self.issued = Some(now);
    }

    /// The revision that every audience can have by now; 0 while one has none.
    ///
    /// INVARIANT: no sidecar is told to have what is not there for it: the slices are replaced one after the other.
    fn current(&self) -> u64 {
        self.slices.iter().map(|slice| slice.revision.unwrap_or(0)).min().unwrap_or(0)
    }

    /// Reads the slices that were replaced. Says whether they are for another mesh than before.
    fn look_at_slices(&mut self) -> bool {
        let mut other = false;
        for nth in 0..self.slices.len() {
            let Slice { audience, stamp: known, .. } = self.slices[nth];
            let path = slices::path(&self.folder, audience);
            let Ok(stamp) = fs::metadata(&path).map(|m| Stamp::of(&m)) else { continue };
            if known == Some(stamp) {
                continue;
            }
            let body = files::read(&path, MAX_SIZE as u64).ok().and_then(|bytes| Unverified::read(&bytes)?.bundle());
            let body = body.filter(|body| body.audience == audience);
            self.slices[nth] = Slice { audience, stamp: Some(stamp), revision: body.as_ref().map(|b| b.revision) };
            let Some(body) = body else {
                note(format_args!(
                    "warning: `{}` is no bundle for `{}` that this build reads; sidecars will refuse it",
                    path.display(),
                    audience.name()
                ));
                continue;
            };
            if nth == 0 {
                self.warn_of_key(&body);
            }
            other |= self.mesh.as_ref() != Some(&body.mesh);
            self.tenants = body.tenants;
            self.mesh = Some(body.mesh);
        }
        other
    }

    fn warn_of_key(&self, body: &BundleBody) {
        let key = self.issuer.key();
        let named =
            body.keys.overlay.iter().any(|(id, public)| *id == key.id && public == key.key.verifying_key().as_bytes());
        if !named {
            note(format_args!(
                "warning: the bundle, revision {}, does not name overlay key `{}`; sidecars will refuse these overlays",
                body.revision, key.id
            ));
        }
    }

    /// Reads overlay.yaml if it was changed. Says whether something else is withdrawn now.
    ///
    /// INVARIANT: a file that is missing or broken changes nothing.
    fn look_at_yaml(&mut self) -> Result<bool, Vec<Diagnostic>> {
        let path = self.folder.join(FILE);
        let shown = path.to_string_lossy();
        // Its bytes are compared, since a change within one tick of the file system's clock keeps the stamp.
        let seen = match files::read(&path, MAX_YAML) {
            Ok(bytes) => Seen::Text(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Seen::Missing,
            Err(e) => Seen::Unreadable(e.to_string()),
        };
        if seen == self.seen {
            return Ok(false);
        }
        let before = std::mem::replace(&mut self.seen, seen);
        let bytes = match &self.seen {
            Seen::Text(bytes) => bytes,
            Seen::Unreadable(error) => return Err(vec![Diagnostic::of_file(shown, error)]),
            Seen::Missing if before == Seen::Nothing => return Ok(false),
            Seen::Missing | Seen::Nothing => {
                let missing = Diagnostic::of_file(shown, "is gone");
                return Err(vec![missing.help("to withdraw nothing, write an empty file")]);
            }
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| vec![Diagnostic::of_file(shown.clone(), "is not UTF-8 text")])?;
        let withdrawn = Withdrawn::read(&Source::new(shown, text))?;
        let changed = withdrawn != self.withdrawn;
        self.withdrawn = withdrawn;
        self.warn_of_unknown();
        Ok(changed)
    }

    fn warn_of_unknown(&self) {
        for tenant in self.withdrawn.suspended.iter().chain(&self.withdrawn.quarantined) {
            if self.mesh.is_some() && self.tenants.position(tenant.as_str()).is_none() {
                note(format_args!("warning: {FILE} names the tenant `{tenant}`, which is not in the bundle"));
            }
        }
    }

    fn told_broken(&self, mistakes: &[Diagnostic]) {
        mistakes.iter().for_each(note);
        note(format_args!("{FILE} is not followed until it is mended; still in force: {}", self.withdrawn.summary()));
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use partywall_tenancy::{Overlay, OverlayBody, RoleKeys, Sources, TenantId};

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn key(seed: u8) -> Signer {
        Signer { id: format!("key-{seed}"), key: SigningKey::from_bytes(&[seed; 32]) }
    }

    /// A folder with bundles for key 1, of revision 3, but for the one for workloads.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("partywall-publisher-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let body = |audience, revision| BundleBody {
            format: BundleBody::FORMAT,
            audience,
            mesh: MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap(),
            revision,
            issued: 0,
            expires: 0,
            source_digest: [0; 32],
            trust_domain: "mesh.example".into(),
            stale_after: 300,
            approvals: 1,
            keys: RoleKeys {
                overlay: vec![("key-1".into(), key(1).key.verifying_key().to_bytes())],
                ..RoleKeys::default()
            },
            grants: None,
            legacy_headers: vec![],
            sources: Sources::default(),
            api_keys: vec![],
            issuers: vec![],
            signers: vec![],
            gateways: vec![],
            cells: vec![],
            networks: vec![],
            tenants: Tenants::default(),
            services: vec![],
            modes: partywall_tenancy::Modes::default(),
            shares: vec![],
            events: vec![],
            program: vec![],
            redaction: vec![],
        };
        for audience in Audience::ALL {
            let revision = if audience == Audience::Workload { 2 } else { 3 };
            let signed = body(audience, revision).sign(&[("key-9", &key(9).key)]).unwrap();
            fs::write(slices::path(&folder, audience), signed).unwrap();
        }
        folder
    }

    fn written(folder: &Path, seed: u8) -> OverlayBody {
        let bytes = fs::read(folder.join("tenancy.overlay")).unwrap();
        Overlay::open(&bytes, &[key(seed).trusted().unwrap()], &[]).unwrap().body().clone()
    }

    #[test]
    fn an_overlay_is_signed_anew_every_15_seconds_even_when_the_clock_goes_back() {
        let folder = folder("every");
        let mut publisher = Publisher::start(&folder, key(1), NOW).unwrap();
        let start = Instant::now();
        let mut at = |seconds: u64, clock: u64| {
            publisher.tick(start + Duration::from_secs(seconds), clock);
            written(&folder, 1).sequence
        };
        assert_eq!(at(0, NOW), NOW);
        assert_eq!(at(14, NOW + 14_000), NOW);
        assert_eq!(at(15, NOW + 15_000), NOW + 15_000);
        assert_eq!(at(30, NOW - 3_600_000), NOW + 15_001);
        assert_eq!(written(&folder, 1).issued, NOW / 1000 - 3_600);
        drop(publisher);
        let mut again = Publisher::start(&folder, key(1), NOW - 3_600_000).unwrap();
        again.tick(start, NOW - 3_600_000);
        assert_eq!(written(&folder, 1).sequence, NOW + 15_002);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_overlay_names_the_revision_that_every_audience_can_have() {
        let folder = folder("names");
        let mut publisher = Publisher::start(&folder, key(1), NOW).unwrap();
        let start = Instant::now();
        let mut named = |seconds: u64| {
            publisher.tick(start + Duration::from_secs(seconds), NOW + seconds * 1000);
            written(&folder, 1).bundle
        };
        assert_eq!(named(0), 2);
        let edge = fs::read(slices::path(&folder, Audience::Edge)).unwrap();
        fs::write(slices::path(&folder, Audience::Workload), &edge).unwrap();
        assert_eq!(named(15), 0, "a slice for others is none");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_overlay_under_another_key_is_believed_in_what_it_takes_away_only() {
        let folder = folder("rotated");
        let acme = TenantId::parse("acme").unwrap();
        let withdrawn = Withdrawn { suspended: vec![acme.clone()], ..Withdrawn::default() };
        let mesh = MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap();
        for (last, next) in [(NOW + 5_000, NOW + 5_002), (u64::MAX - 1, NOW)] {
            let (_, bytes) = Issuer::new(key(2)).issue((&mesh, 1), &withdrawn, last, NOW).unwrap();
            fs::write(folder.join("tenancy.overlay"), bytes).unwrap();
            let mut publisher = Publisher::start(&folder, key(1), NOW).unwrap();
            publisher.tick(Instant::now(), NOW);
            let body = written(&folder, 1);
            assert_eq!((body.sequence, &body.suspended), (next, &vec![acme.clone()]));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
