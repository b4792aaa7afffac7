//! What the last `partywall serve` of a folder left behind.

use std::fs::File;
use std::path::Path;

use partywall_tenancy::statement::MAX_SIZE;
use partywall_tenancy::{Overlay, OverlayBody};

use crate::exit::Failure;
use crate::files;
use crate::keys::Signer;
use crate::unverified::Unverified;

/// Takes the folder for this process; it is given back when the file is closed.
pub(super) fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join(".serve.lock");
    let file = File::create(&path).map_err(|e| Failure::file(&path, e))?;
    file.try_lock().map_err(|_| Failure::file(folder, "is served by another `partywall serve` already"))?;
    Ok(file)
}

/// What was issued last. An overlay under another key (it was rotated, or somebody put it there) is
/// believed in what it takes away, and in its sequence only if that is not far ahead of the clock.
pub(super) fn last_overlay(folder: &Path, key: &Signer, now_millis: u64) -> Option<OverlayBody> {
    const DAY: u64 = 86_400_000;
    let bytes = files::read(&folder.join("tenancy.overlay"), MAX_SIZE as u64).ok()?;
    let own: Vec<_> = key.trusted().into_iter().collect();
    if let Ok(overlay) = Overlay::open(&bytes, &own, &[]) {
        return Some(overlay.body().clone());
    }
    let mut body = Unverified::read(&bytes)?.overlay()?;
    if body.sequence > now_millis.saturating_add(DAY) {
        body.sequence = 0;
    }
    Some(body)
}
