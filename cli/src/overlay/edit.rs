//! Changes `overlay.yaml`, one command at a time.

use std::fs::File;
use std::path::Path;

use partywall_tenancy::BundleBody;

use crate::diagnostic::Source;
use crate::exit::Failure;
use crate::overlay::{FILE, MAX_SIZE, Withdrawn};
use crate::unverified::Unverified;
use crate::{files, slices};

/// What lies in the folder that is served, as far as it lies there.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// What the bundles say together; their signature was not checked, so it serves to catch mistyped names only.
    pub(crate) bundle: Option<BundleBody>,
    /// What the last overlay withdraws.
    pub(crate) last: Option<Withdrawn>,
}

impl Served {
    /// Looks into `folder`.
    pub(crate) fn of(folder: &Path) -> Self {
        let read = |name: &str| files::read(&folder.join(name), partywall_tenancy::statement::MAX_SIZE as u64).ok();
        let bundle = slices::together(folder);
        let last =
            read("tenancy.overlay").and_then(|bytes| Some(Withdrawn::from(&Unverified::read(&bytes)?.overlay()?)));
        Self { bundle, last }
    }
}

/// Reads `overlay.yaml` of `folder`, lets `change` change it, and writes it back, all under a lock:
/// two commands at once must not undo each other.
pub(crate) fn edit<T>(
    folder: &Path,
    change: impl FnOnce(&mut Withdrawn, &Served) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !folder.is_dir() {
        return Err(Failure::file(folder, "is no folder; name the one that `partywall serve` serves"));
    }
    let lock_path = folder.join(".overlay.lock");
    let lock = File::create(&lock_path).map_err(|e| Failure::file(&lock_path, e))?;
    lock.lock().map_err(|e| Failure::file(&lock_path, e))?;

    let path = folder.join(FILE);
    let served = Served::of(folder);
    let mut withdrawn = read(&path, &served)?;
    let before = withdrawn.clone();
    let done = change(&mut withdrawn, &served)?;
    let withdrawn = withdrawn.sorted();
    if withdrawn != before || !path.exists() {
        let text = withdrawn.write();
        // What cannot be read back would stop every later change, a suspension among them.
        if Withdrawn::read(&Source::new(path.to_string_lossy(), text.as_str())) != Ok(withdrawn) {
            return Err(Failure::file(&path, "cannot hold this; nothing was changed"));
        }
        files::replace(&path, text.as_bytes(), files::PUBLIC).map_err(|e| Failure::file(&path, e))?;
    }
    Ok(done)
}

/// What is withdrawn in `folder`.
pub(crate) fn withdrawn(folder: &Path) -> Result<Withdrawn, Failure> {
    read(&folder.join(FILE), &Served::of(folder))
}

fn read(path: &Path, served: &Served) -> Result<Withdrawn, Failure> {
    match files::read_text(path, MAX_SIZE) {
        Ok(text) => Withdrawn::read(&Source::new(path.to_string_lossy(), text)).map_err(|d| Failure::diagnostics(&d)),
        // A file that was lost must not lift what it took away.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(served.last.clone().unwrap_or_default()),
        Err(e) => Err(Failure::file(path, e)),
    }
}
