//! Candidates in the folder that is served: `tenancy.<audience>.candidate`, one for each audience.
//!
//! One that was withdrawn stays as `tenancy.<audience>.withdrawn` until a bundle has its revision or a higher one, so
//! that a later candidate gets a revision of its own: sidecars remember the highest.

use std::fs;
use std::path::{Path, PathBuf};

use partywall_tenancy::statement::{Kind, MAX_SIZE, Statement};
use partywall_tenancy::{Audience, BundleBody, Rollout};
use serde::Serialize;

use crate::compile::{Slice, sign};
use crate::exit::Failure;
use crate::keys::{Signer, public_halves};
use crate::slices::{candidate_path, candidate_pending_path};
use crate::unverified::Unverified;
use crate::{files, overlay, slices};

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
    let found = Audience::ALL.map(|audience| read_one(&candidate_path(folder, audience), audience, keys));
    let found: Vec<Candidate> = found.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
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

fn read_one(path: &Path, audience: Audience, keys: &Path) -> Result<Option<Candidate>, Failure> {
    let bytes = match files::read(path, MAX_SIZE as u64) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::file(path, e)),
    };
    let no_candidate = || Failure::file(path, format!("is no candidate for `{}`", audience.name()));
    let unverified = Unverified::read(&bytes).ok_or_else(no_candidate)?;
    let trusted = public_halves(&unverified.signed_by, keys).map_err(Failure::invalid)?;
    Statement::read(&bytes)
        .and_then(|statement| statement.verify(Kind::Candidate, &trusted, &[]).map(|_| ()))
        .map_err(|refusal| Failure::file(path, format!("{refusal}, of those in `{}`", keys.display())))?;
    let (rollout, body) =
        unverified.candidate().filter(|(_, body)| body.audience == audience).ok_or_else(no_candidate)?;
    Ok(Some(Candidate { rollout, body }))
}

/// The highest revision of a candidate that is served, waits or was withdrawn, 0 for none.
pub(crate) fn highest(folder: &Path, keys: &Path) -> Result<u64, Failure> {
    let mut highest = 0;
    for audience in Audience::ALL {
        for path in [candidate_path, candidate_pending_path, withdrawn_path].map(|path| path(folder, audience)) {
            let found = read_one(&path, audience, keys)?;
            highest = highest.max(found.map_or(0, |candidate| candidate.body.revision));
        }
    }
    Ok(highest)
}

/// Signs one slice, and reads it back as a sidecar would.
pub(crate) fn sign_candidate(rollout: &Rollout, body: &BundleBody, signers: &[Signer]) -> Result<Vec<u8>, Failure> {
    // What holds for a bundle of it must hold for it.
    sign(body, signers)?;
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
    let mut paths = Vec::new();
    for slice in slices {
        let pending = candidate_pending_path(out, slice.audience);
        let path = if missing == 0 { candidate_path(out, slice.audience) } else { pending.clone() };
        files::replace(&path, &slice.bytes, files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
        if missing == 0 {
            // What waited there was another step of it, or another one.
            let _ = fs::remove_file(&pending);
        }
        paths.push(path);
    }
    Ok(paths)
}

/// Takes the candidate away; sidecars go back to the bundle in force. Says whether there was one.
///
/// The overlay comes first: it is live within a second and a half, and whoever serves the file again changes nothing.
pub(crate) fn withdraw(folder: &Path) -> Result<bool, Failure> {
    let Some(revision) = lying(folder) else { return Ok(false) };
    overlay::edit(folder, |withdrawn, _| {
        withdrawn.withdrawn_candidates = withdrawn.withdrawn_candidates.max(revision);
        Ok(())
    })?;
    for audience in Audience::ALL {
        let _ = fs::remove_file(candidate_pending_path(folder, audience));
        let path = candidate_path(folder, audience);
        match fs::rename(&path, withdrawn_path(folder, audience)) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Failure::file(&path, e)),
        }
    }
    Ok(true)
}

/// The highest revision of what is served or waits as a candidate, whoever signed it; `None` where there is none.
pub(crate) fn lying(folder: &Path) -> Option<u64> {
    let paths = |audience| [candidate_path(folder, audience), candidate_pending_path(folder, audience)];
    let found = Audience::ALL.into_iter().flat_map(paths).filter(|path| path.is_file()).map(|path| {
        let bytes = files::read(&path, MAX_SIZE as u64).ok();
        let unverified = bytes.as_deref().and_then(Unverified::read).and_then(|unverified| unverified.candidate());
        unverified.map_or(0, |(_, body)| body.revision)
    });
    found.max()
}

/// Takes away what a bundle of this revision has reached: sidecars that have the bundle would refuse it.
pub(crate) fn overtake(folder: &Path, revision: u64) {
    for audience in Audience::ALL {
        for path in [candidate_path, candidate_pending_path, withdrawn_path].map(|path| path(folder, audience)) {
            let reached = files::read(&path, MAX_SIZE as u64).is_ok_and(|bytes| {
                let found = Unverified::read(&bytes).and_then(|unverified| unverified.candidate());
                found.is_some_and(|(_, body)| body.revision <= revision)
            });
            if reached {
                // One that stays is refused by sidecars, which say so.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Whether a newer candidate than this one waits for signatures.
pub(crate) fn newer_waits(folder: &Path, than: &Candidate) -> bool {
    let path = candidate_pending_path(folder, than.body.audience);
    let waiting = files::read(&path, MAX_SIZE as u64).ok();
    let waiting = waiting.as_deref().and_then(Unverified::read).and_then(|unverified| unverified.candidate());
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
