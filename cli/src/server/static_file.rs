//! A file that others replace while it is served.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use partywall_tenancy::statement::MAX_SIZE;

use super::Content;

/// A file, read anew when it was replaced.
pub(super) struct StaticFile {
    path: PathBuf,
    cached: Mutex<Option<(Stamp, Content)>>,
}

/// Two files with one stamp are the same file: a rename brings another inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64, i64, i64);

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self(metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
    }
}

impl StaticFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, cached: Mutex::new(None) }
    }

    /// Its contents; `None` while it is not there.
    pub(super) fn read(&self) -> io::Result<Option<Content>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        // The stamp is taken from the open file, so that it belongs to the bytes that are read.
        let metadata = file.metadata()?;
        let stamp = Stamp::of(&metadata);
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, content)) = &*cached
            && *known == stamp
        {
            return Ok(Some(content.clone()));
        }
        if !metadata.is_file() || metadata.len() > MAX_SIZE as u64 {
            return Err(io::Error::other("is no file of at most 24 MiB"));
        }
        let mut bytes = Vec::new();
        (&mut file).take(MAX_SIZE as u64).read_to_end(&mut bytes)?;
        let content = Content::new(bytes);
        *cached = Some((stamp, content.clone()));
        Ok(Some(content))
    }
}
