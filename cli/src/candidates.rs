//! Candidates in the folder that is served: `tenancy.<audience>.candidate`, one for each audience.
//!
//! One that was withdrawn stays as `tenancy.<audience>.withdrawn` until a bundle has its revision or a higher one, so
//! that a later candidate gets a revision of its own: sidecars remember the highest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{Kind, MAX_SIZE, Statement};
use partywall_tenancy::{Audience, BundleBody, Rollout, TenantId};
use serde::Serialize;

use crate::compile::{self, Slice, put};
use crate::exit::Failure;
use crate::keys::{Signer, public_halves};
use crate::slices::{SliceFile, candidate_path, candidate_pending_path, pending_path};
use crate::unverified::Unverified;
use crate::{files, overlay, revisions, slices};

/// One slice of a candidate.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// For whom it decides.
    pub(crate) rollout: Rollout,
    /// What it would be as a bundle.
    pub(crate) body: BundleBody,
}

/// A rollout, as reports show it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    step: u64,
    percent: u8,
    tenants: Vec<String>,
}

impl From<&Rollout> for Shown {
    fn from(rollout: &Rollout) -> Self {
        let tenants = rollout.tenants.iter().map(ToString::to_string).collect();
        Self { step: rollout.step, percent: rollout.percent, tenants }
    }
}

impl Shown {
    /// In words.
    pub(crate) fn words(&self) -> String {
        let Self { step, percent, tenants } = self;
        let named = match tenants.as_slice() {
            [] => String::new(),
            some => format!(" and for {}", some.join(", ")),
        };
        format!("step {step}, decides for {percent} % of tenants{named}")
    }
}

/// The candidate in `folder`, in the order of audiences; empty where there is none. Each slice must be signed by a key
/// whose public half lies in `keys`.
pub(crate) fn read(folder: &Path, keys: &Path) -> Result<Vec<Candidate>, Failure> {
    let mut found = Vec::new();
    for audience in Audience::ALL {
        let read = verified(&candidate_path(folder, audience), Kind::Candidate, audience, keys)?;
        found.extend(read.and_then(|SliceFile { rollout, body, .. }| Some(Candidate { rollout: rollout?, body })));
    }
    let what = |c: &Candidate| (c.body.mesh.clone(), c.body.revision, c.body.source_digest, c.rollout.clone());
    let one = found.windows(2).all(|pair| matches!(pair, [a, b] if what(a) == what(b)));
    if !found.is_empty() && (found.len() != Audience::ALL.len() || !one) {
        return Err(Failure::file(
            folder,
            "the *.candidate files are not of one compile; run `partywall compile --candidate` again",
        ));
    }
    Ok(found)
}

/// What lies at `path`, a bundle or a candidate; `None` where nothing does. It must be signed by a key whose public half
/// lies in `keys`.
pub(crate) fn verified(path: &Path, kind: Kind, audience: Audience, keys: &Path) -> Result<Option<SliceFile>, Failure> {
    let Some(file) = SliceFile::read(path, kind, audience)? else { return Ok(None) };
    let trusted = public_halves(&file.signed_by, keys).map_err(Failure::invalid)?;
    Statement::read(&file.bytes)
        .and_then(|statement| statement.verify(kind, &trusted, &[]).map(|_| ()))
        .map_err(|refusal| Failure::file(path, format!("{refusal}, of those in `{}`", keys.display())))?;
    Ok(Some(file))
}

/// Where candidates lie: served, waiting, withdrawn.
pub(crate) fn paths(folder: &Path, audience: Audience) -> [PathBuf; 3] {
    [candidate_path, candidate_pending_path, withdrawn_path].map(|path| path(folder, audience))
}

/// Signs one slice, and reads it back as a sidecar would.
pub(crate) fn sign(rollout: &Rollout, body: &BundleBody, signers: &[Signer]) -> Result<Vec<u8>, Failure> {
    // What holds for a bundle of it must hold for it.
    compile::sign(body, signers)?;
    let pairs: Vec<_> = signers.iter().map(|s| (s.id.as_str(), &s.key)).collect();
    let bytes =
        rollout.sign(body, &pairs).ok_or_else(|| Failure::invalid("the candidate cannot be signed with these keys"))?;
    let same = |(read, of): (Rollout, BundleBody)| read == *rollout && of == *body;
    if Unverified::read(&bytes).and_then(|unverified| unverified.candidate()).is_some_and(same) {
        Ok(bytes)
    } else {
        Err(Failure::invalid("a sidecar would refuse this candidate: it names too many tenants, or is too large"))
    }
}

/// Writes a candidate to where it is served, or, while signatures are missing, to where it waits for
/// `partywall approve`. Gives the paths, in the order of the slices.
pub(crate) fn publish(out: &Path, slices: &[Slice], missing: u8) -> Result<Vec<PathBuf>, Failure> {
    put(out, slices, missing, candidate_path, candidate_pending_path)
}

/// What is served or waits as a candidate, whoever signed it.
#[derive(Debug, Default)]
pub(crate) struct Lying {
    /// Its revisions: two where a newer one waits.
    pub(crate) revisions: BTreeSet<u64>,
    /// Files that cannot be read as a candidate, so that their revision is unknown.
    pub(crate) unreadable: Vec<PathBuf>,
    /// The revision of a bundle that waits for signatures and is one of these candidates, by `promote --all`.
    pub(crate) bundle: Option<u64>,
}

/// Looks for a candidate in `folder`; `None` where there is none.
pub(crate) fn lying(folder: &Path) -> Option<Lying> {
    let mut lying = Lying::default();
    let paths = |audience| [candidate_path(folder, audience), candidate_pending_path(folder, audience)];
    for path in Audience::ALL.into_iter().flat_map(paths).filter(|path| path.exists()) {
        match unverified(&path) {
            Some((_, body)) => drop(lying.revisions.insert(body.revision)),
            None => lying.unreadable.push(path),
        }
    }
    let waiting = Audience::ALL.into_iter().filter_map(|audience| revisions::waiting(folder, audience));
    lying.bundle = waiting.filter(|revision| lying.revisions.contains(revision)).max();
    (!lying.revisions.is_empty() || !lying.unreadable.is_empty()).then_some(lying)
}

/// Takes the candidate away; sidecars go back to the bundle in force. Gives what there was, `None` for nothing.
///
/// The overlay comes first: it is live within a second and a half, and whoever serves the file again changes nothing.
/// Where it cannot be written, the files go all the same: sidecars hear of that within some seconds.
pub(crate) fn withdraw(folder: &Path) -> Result<Option<Lying>, Failure> {
    let Some(lying) = lying(folder) else { return Ok(None) };
    let highest = lying.revisions.last().copied();
    let overlay = highest.map_or(Ok(()), |revision| {
        overlay::edit(folder, |withdrawn, _| {
            withdrawn.withdrawn_candidates = withdrawn.withdrawn_candidates.max(revision);
            Ok(())
        })
    });
    let gone = take_away(folder, &lying);
    let revision = highest.unwrap_or_default();
    match (overlay, gone) {
        (Ok(()), Ok(())) => Ok(Some(lying)),
        (Ok(()), Err(failure)) => Err(failure),
        (Err(failure), Ok(())) => Err(Failure::invalid(format!(
            "{}\nthe files of the candidate are taken away, and sidecars go back within some seconds; but overlay.yaml does not withdraw it, so whoever serves them again brings it back\nhelp: put overlay.yaml right, and write `withdrawn_candidates: {revision}` in it",
            failure.message
        ))),
        (Err(overlay), Err(files)) => Err(Failure::invalid(format!("{}\n{}", overlay.message, files.message))),
    }
}

/// Each file goes that can; the first that cannot is told.
fn take_away(folder: &Path, lying: &Lying) -> Result<(), Failure> {
    let mut outcome = Ok(());
    let mut or_tell = |path: &Path, done: std::io::Result<()>| match done {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound && outcome.is_ok() => {
            outcome = Err(Failure::file(path, e));
        }
        _ => {}
    };
    for audience in Audience::ALL {
        // What waits is never older than what is served, so the higher revision is kept.
        for path in [candidate_path(folder, audience), candidate_pending_path(folder, audience)] {
            or_tell(&path, fs::rename(&path, withdrawn_path(folder, audience)));
        }
        // INVARIANT: what is withdrawn waits nowhere to be put into force by the next approver.
        if revisions::waiting(folder, audience).is_some_and(|revision| lying.revisions.contains(&revision)) {
            let path = pending_path(folder, audience);
            or_tell(&path, fs::remove_file(&path));
        }
    }
    outcome
}

/// What lies at `path`, whoever signed it.
fn unverified(path: &Path) -> Option<(Rollout, BundleBody)> {
    let bytes = files::read(path, MAX_SIZE as u64).ok()?;
    Unverified::read(&bytes)?.candidate()
}

/// The consents that a served candidate counts for `tenant`, whoever signed it.
pub(crate) fn consents(folder: &Path, tenant: &TenantId) -> BTreeSet<String> {
    let found = Audience::ALL.into_iter().filter_map(|audience| unverified(&candidate_path(folder, audience)));
    let of = |body: &BundleBody| {
        let tenant = body.tenants.get(tenant);
        tenant.iter().flat_map(|tenant| tenant.consents.iter()).map(str::to_owned).collect::<Vec<_>>()
    };
    found.flat_map(|(_, body)| of(&body)).collect()
}

/// Takes away what a bundle of this revision has reached: sidecars that have the bundle would refuse it.
pub(crate) fn overtake(folder: &Path, revision: u64) {
    for audience in Audience::ALL {
        for path in paths(folder, audience) {
            if unverified(&path).is_some_and(|(_, body)| body.revision <= revision) {
                // One that stays is refused by sidecars, which say so.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Whether a newer candidate than this one waits for signatures.
pub(crate) fn newer_waits(folder: &Path, than: &Candidate) -> bool {
    let waiting = unverified(&candidate_pending_path(folder, than.body.audience));
    waiting.is_some_and(|(_, body)| body.revision > than.body.revision)
}

/// The candidate beside a bundle that serves as `in_force`: it must be newer.
pub(crate) fn is_newer(candidate: &Candidate, folder: &Path) -> Result<BundleBody, Failure> {
    let in_force = slices::together(folder)
        .ok_or_else(|| Failure::file(folder, "holds no bundle; name the folder that `partywall compile` writes to"))?;
    if candidate.body.revision <= in_force.revision {
        return Err(Failure::file(
            folder,
            format!(
                "the candidate is of revision {}, and {} is in force; compile it again",
                candidate.body.revision, in_force.revision
            ),
        ));
    }
    Ok(in_force)
}

fn withdrawn_path(folder: &Path, audience: Audience) -> PathBuf {
    folder.join(format!("tenancy.{}.withdrawn", audience.name()))
}
