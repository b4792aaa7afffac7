//! Which revisions are given out already. One revision means one content, and sidecars never go back, so the next
//! one is above all that lies in the folder that is served, and above what its overlay withdraws.

use std::path::Path;

use partywall_tenancy::statement::{Kind, MAX_SIZE};
use partywall_tenancy::{Audience, BundleBody};

use crate::command::note;
use crate::exit::Failure;
use crate::slices::pending_path;
use crate::unverified::Unverified;
use crate::{candidates, files, overlay};

/// overlay.yaml carries no signature: so far above what is signed it may be, and a mistake beyond. The last revision
/// there is would be the last that sidecars ever take.
const MOST_AHEAD: u64 = 1 << 48;

/// What to do with files that cannot be verified with the keys at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Fail, and say so.
    Refuse,
    /// Leave them out, with a note that names them.
    Skip,
}

/// The revisions that are given out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Revisions {
    /// The highest of any bundle or candidate, in force, waiting or withdrawn; 0 for none.
    pub(crate) highest: u64,
    /// Candidates up to this one are withdrawn by the overlay.
    pub(crate) withdrawn: u64,
}

impl Revisions {
    /// Looks into `folder`, where the bundle of revision `in_force` is in force (0 for none).
    pub(crate) fn read(folder: &Path, keys: &Path, in_force: u64, unknown: Unknown) -> Result<Self, Failure> {
        let mut highest = in_force;
        let mut count = |found: Result<Option<BundleBody>, Failure>| match (found, unknown) {
            (Ok(found), _) => {
                highest = highest.max(found.map_or(0, |body| body.revision));
                Ok(())
            }
            (Err(failure), Unknown::Skip) => {
                note(format_args!("note: {}; its revision is not counted", failure.message));
                Ok(())
            }
            (Err(Failure { exit, message }), Unknown::Refuse) => Err(Failure {
                exit,
                message: message + "\nhelp: take it away, or give --revision, higher than any before",
            }),
        };
        for audience in Audience::ALL {
            for path in candidates::paths(folder, audience) {
                count(candidates::verified(&path, Kind::Candidate, audience, keys).map(|c| c.map(|file| file.body)))?;
            }
            let path = pending_path(folder, audience);
            count(candidates::verified(&path, Kind::Bundle, audience, keys).map(|b| b.map(|file| file.body)))?;
        }
        let withdrawn = withdrawn(folder);
        if withdrawn.saturating_sub(highest) <= MOST_AHEAD {
            return Ok(Self { highest: highest.max(withdrawn), withdrawn });
        }
        let why = Failure::file(
            &folder.join(overlay::FILE),
            format!("withdraws candidates up to {withdrawn}, far above {highest}, the highest revision here"),
        );
        match unknown {
            Unknown::Refuse => Err(Failure { message: why.message + "; put it right, or give --revision", ..why }),
            Unknown::Skip => {
                note(format_args!("note: {}; it is not counted", why.message));
                Ok(Self { highest, withdrawn })
            }
        }
    }

    /// The next one.
    pub(crate) fn next(self) -> Result<u64, Failure> {
        self.highest.checked_add(1).ok_or_else(|| Failure::invalid("there is no higher revision"))
    }
}

/// Candidates up to this revision are withdrawn. Where overlay.yaml is broken, what the last overlay said counts.
fn withdrawn(folder: &Path) -> u64 {
    let withdrawn = overlay::withdrawn(folder).or_else(|failure| {
        note(format_args!("{}\nnote: what the last signed overlay withdraws is counted instead", failure.message));
        overlay::Served::of(folder).last.ok_or(failure)
    });
    withdrawn.map_or(0, |withdrawn| withdrawn.withdrawn_candidates)
}

/// A candidate that was withdrawn goes no further: sidecars take none of its revision or a lower one.
pub(crate) fn not_withdrawn(folder: &Path, revision: u64) -> Result<(), Failure> {
    refuse_withdrawn(folder, revision, withdrawn(folder))
}

/// The same, where it is known what is withdrawn.
pub(crate) fn refuse_withdrawn(folder: &Path, revision: u64, withdrawn: u64) -> Result<(), Failure> {
    if revision > withdrawn {
        return Ok(());
    }
    Err(Failure::file(
        &folder.join(overlay::FILE),
        format!(
            "withdraws candidates up to revision {withdrawn}, and sidecars would refuse {revision}; compile it again, under a higher revision"
        ),
    ))
}

/// The revision of the bundle that waits for signatures, whoever signed it.
pub(crate) fn waiting(folder: &Path, audience: Audience) -> Option<u64> {
    let bytes = files::read(&pending_path(folder, audience), MAX_SIZE as u64).ok()?;
    Some(Unverified::read(&bytes)?.bundle()?.revision)
}

/// Whether these are the very bytes that lie at `path` for their audience.
pub(crate) fn lie_at(
    slices: &[crate::compile::Slice],
    folder: &Path,
    path: fn(&Path, Audience) -> std::path::PathBuf,
) -> bool {
    slices.iter().all(|slice| {
        files::read(&path(folder, slice.audience), MAX_SIZE as u64).is_ok_and(|bytes| bytes == slice.bytes)
    })
}
