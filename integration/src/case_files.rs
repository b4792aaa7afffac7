//! Cases that are files: a folder of them, each with what it is about.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File<C> {
    /// What it is about.
    pub about: String,
    /// What is tried, good ones among it.
    pub cases: Vec<C>,
}

/// The files of `folder` by their names, in order.
pub fn read<C: DeserializeOwned>(folder: &Path) -> Result<Vec<(String, File<C>)>> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let read = |path: &Path| -> Result<_> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = serde_saphyr::from_str(&fs::read_to_string(path)?).with_context(|| format!("{}", path.display()))?;
        Ok((name, file))
    };
    paths.iter().map(|path| read(path)).collect()
}
