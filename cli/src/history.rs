//! `history/<revision>/` in the folder that is served: what was published, for a way back.

use std::fs;
use std::path::{Path, PathBuf};

use partywall_tenancy::Audience;
use partywall_tenancy::statement::MAX_SIZE;

use crate::exit::Failure;
use crate::{files, slices};

/// The folder's name.
const FOLDER: &str = "history";
/// So many revisions are kept; the oldest go first.
const KEPT: usize = 50;

/// Keeps a slice that was just published.
pub(crate) fn keep(served: &Path, revision: u64, audience: Audience, bytes: &[u8]) -> Result<(), Failure> {
    let folder = of(served, revision);
    fs::create_dir_all(&folder).map_err(|e| Failure::file(&folder, e))?;
    let path = slices::path(&folder, audience);
    files::replace(&path, bytes, files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    let kept = revisions(served);
    for old in kept.iter().take(kept.len().saturating_sub(KEPT)) {
        // One that stays takes up room and nothing else.
        let _ = fs::remove_dir_all(of(served, *old));
    }
    Ok(())
}

/// The revisions that are kept, the oldest first.
pub(crate) fn revisions(served: &Path) -> Vec<u64> {
    let entries = fs::read_dir(served.join(FOLDER)).into_iter().flatten().flatten();
    let mut found: Vec<u64> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    found.sort_unstable();
    found
}

/// The slice for `audience` of a revision, as it was published.
pub(crate) fn read(served: &Path, revision: u64, audience: Audience) -> Result<Vec<u8>, Failure> {
    let path = slices::path(&of(served, revision), audience);
    files::read(&path, MAX_SIZE as u64).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => missing(served, revision),
        _ => Failure::file(&path, e),
    })
}

fn missing(served: &Path, revision: u64) -> Failure {
    let kept: Vec<String> = revisions(served).iter().map(u64::to_string).collect();
    let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
    Failure::file(&served.join(FOLDER), format!("does not hold revision {revision}; it holds {kept}"))
}

fn of(served: &Path, revision: u64) -> PathBuf {
    served.join(FOLDER).join(revision.to_string())
}
