//! Files, read with a bound and written whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Anybody may read it.
pub(crate) const PUBLIC: u32 = 0o644;
/// Anybody may read and run it.
pub(crate) const PROGRAM: u32 = 0o755;
/// The owner alone may read it.
pub(crate) const PRIVATE: u32 = 0o600;

/// Reads a regular file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for somebody to write to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is not a file"));
    }
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that grew while it was read from one that fits.
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// Reads a text of at most `max` bytes.
pub(crate) fn read_text(path: &Path, max: u64) -> io::Result<String> {
    String::from_utf8(read(path, max)?)
        .map_err(|e| io::Error::other(format!("is not UTF-8 text (byte {})", e.utf8_error().valid_up_to())))
}

/// Writes a file that must not be there yet.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = new_file(path, mode)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Replaces a file: whoever reads it sees the old contents or the new, never a part, and after a
/// power cut it is one of the two.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = beside(path)?;
    let written = create(&beside, bytes, mode).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The error that is told is the one above; the left-over is only untidy.
        let _ = fs::remove_file(&beside);
    }
    written?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// A hidden name in the same folder, so that the rename stays within one file system.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("has no file name"))?;
    let salt = getrandom::u64().map_err(io::Error::other)?;
    Ok(path.with_file_name(format!(".{}.{salt:016x}.tmp", name.to_string_lossy())))
}

fn new_file(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}
