//! Bundles and candidates that wait for more signatures.

use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{Kind, MAX_SIZE, Statement, TrustedKey};
use partywall_tenancy::{Audience, BundleBody, Rollout};

use crate::exit::Failure;
use crate::slices::SliceFile;
use crate::unverified::Unverified;
use crate::{candidates, files, history, keys, slices};

/// A slice that waits.
pub(super) struct Pending {
    pub(super) audience: Audience,
    pub(super) bytes: Vec<u8>,
    pub(super) body: BundleBody,
    /// Of a candidate.
    pub(super) rollout: Option<Rollout>,
}

impl Pending {
    fn kind(&self) -> Kind {
        if self.rollout.is_some() { Kind::Candidate } else { Kind::Bundle }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        path(folder, self.audience, self.kind())
    }

    /// Where it lies once it is published.
    fn published(&self, folder: &Path) -> PathBuf {
        match self.kind() {
            Kind::Candidate => slices::candidate_path(folder, self.audience),
            _ => slices::path(folder, self.audience),
        }
    }
}

fn path(folder: &Path, audience: Audience, kind: Kind) -> PathBuf {
    match kind {
        Kind::Candidate => slices::candidate_pending_path(folder, audience),
        _ => slices::pending_path(folder, audience),
    }
}

/// What waits of this kind, a bundle or a candidate: all slices or none.
pub(super) fn read(folder: &Path, kind: Kind) -> Result<Vec<Pending>, Failure> {
    let mut pending = Vec::new();
    for audience in Audience::ALL {
        let path = path(folder, audience, kind);
        let Some(SliceFile { bytes, rollout, body, .. }) = SliceFile::read(&path, kind, audience)? else { continue };
        pending.push(Pending { audience, bytes, body, rollout });
    }
    let what =
        |p: &Pending| (p.body.mesh.clone(), p.body.revision, p.body.source_digest, p.body.approvals, p.rollout.clone());
    if pending.iter().any(|p| what(p) != what(&pending[0])) {
        return Err(Failure::file(folder, "the *.pending files are not of one compile; compile again"));
    }
    if !pending.is_empty() && pending.len() != Audience::ALL.len() {
        return Err(Failure::file(folder, "a *.pending file is missing; compile again"));
    }
    Ok(pending)
}

/// The bundle in force for `audience`; its signatures are not looked at.
pub(super) fn in_force(folder: &Path, audience: Audience) -> Option<BundleBody> {
    let bytes = files::read(&slices::path(folder, audience), MAX_SIZE as u64).ok()?;
    Unverified::read(&bytes)?.bundle()
}

/// Revision and step of the candidate that is tried out.
pub(super) fn tried(folder: &Path) -> Option<(u64, u64)> {
    let bytes = files::read(&slices::candidate_path(folder, Audience::Workload), MAX_SIZE as u64).ok()?;
    let (rollout, body) = Unverified::read(&bytes)?.candidate()?;
    Some((body.revision, rollout.step))
}

/// The ids of the keys that signed all that waits. Each signature that is there must be one of a key whose public
/// half lies in the approver's own folder: what somebody else put beside it proves nothing.
pub(super) fn verified(pending: &[Pending], folder: &Path) -> Result<Vec<String>, Failure> {
    let mut all: Option<Vec<String>> = None;
    for p in pending {
        let path = p.path(Path::new(""));
        let refused = |refusal| Failure::file(&path, format!("{refusal}, of those in `{}`", folder.display()));
        let ids = Unverified::read(&p.bytes).map(|u| u.signed_by).unwrap_or_default();
        let trusted: Vec<TrustedKey> = keys::public_halves(&ids, folder).map_err(Failure::invalid)?;
        if let Some(stranger) = ids.iter().find(|id| !trusted.iter().any(|key| *key.id == ***id)) {
            return Err(Failure::file(
                &path,
                format!("is signed by `{stranger}`, and `{stranger}.pub` is not in `{}`", folder.display()),
            ));
        }
        let by = Statement::read(&p.bytes).and_then(|s| s.verify(p.kind(), &trusted, &[])).map_err(refused)?.by;
        let ids: Vec<String> =
            trusted.into_iter().filter(|key| by.keys().contains(&key.key)).map(|key| key.id.into()).collect();
        if all.get_or_insert_with(|| ids.clone()) != &ids {
            return Err(Failure::file(&path, "is signed by other keys than the rest; compile again"));
        }
    }
    Ok(all.unwrap_or_default())
}

/// Writes what was signed, and publishes it if it has enough signatures.
pub(super) fn write(folder: &Path, pending: &[Pending], signed: &[Vec<u8>], publish: bool) -> Result<(), Failure> {
    for (p, bytes) in pending.iter().zip(signed) {
        let path = p.path(folder);
        files::replace(&path, bytes, files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    }
    // Each rename is whole; until the last one, overlays name the revision that all audiences have.
    for (p, bytes) in pending.iter().zip(signed).filter(|_| publish) {
        let path = p.published(folder);
        if p.kind() == Kind::Bundle {
            history::keep(folder, p.body.revision, p.audience, bytes)?;
        }
        std::fs::rename(p.path(folder), &path).map_err(|e| Failure::file(&path, e))?;
    }
    if let Some(bundle) = pending.first().filter(|p| publish && p.kind() == Kind::Bundle) {
        candidates::overtake(folder, bundle.body.revision);
    }
    Ok(())
}
