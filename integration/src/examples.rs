//! The examples of `docs/examples/`: what somebody asked for, the configuration that does it, and the answers.
//!
//! ```text
//! script     requests.yaml: what is asked, who signs the token, and what must come of it
//! patch      *.diff: what differs from the bootstraps of envoy-config/
//! signers    the issuers' keys and tokens
//! mesh       an edge, a sidecar and an app with the example's tenancy directory
//! native     Envoy's own jwt_authn beside it, where the example compares
//! growth     what Envoy holds with few issuers and with many
//! table      what is printed
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::artefacts;

pub mod growth;
pub mod mesh;
pub mod native;
pub mod patch;
pub mod script;
pub mod signers;
pub mod table;

use script::Script;

/// One folder of `docs/examples/`.
#[derive(Clone, Debug)]
pub struct Example {
    /// The folder's name.
    pub name: String,
    /// What it is about, in one line: the heading of its README.
    pub title: String,
    /// Where it is.
    pub directory: PathBuf,
    /// What is asked.
    pub script: Script,
}

impl Example {
    fn read(directory: &Path) -> Result<Self> {
        let name = directory.file_name().and_then(|name| name.to_str()).context("a folder without a name")?.to_owned();
        let readme =
            fs::read_to_string(directory.join("README.md")).with_context(|| format!("{name}: no README.md"))?;
        let heading = readme.lines().next().and_then(|line| line.strip_prefix("# "));
        let title = heading.with_context(|| format!("{name}: the README begins with no heading"))?.to_owned();
        let script = Script::read(&directory.join("requests.yaml"))?;
        Ok(Self { name, title, directory: directory.into(), script })
    }

    /// A file of the example, if it has it.
    pub fn file(&self, name: &str) -> Result<Option<String>> {
        let path = self.directory.join(name);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?))
    }
}

/// The folder of the examples.
pub fn directory() -> PathBuf {
    artefacts::root().join("docs/examples")
}

/// All examples, by name.
pub fn all() -> Result<Vec<Example>> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory())? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    folders.iter().map(|folder| Example::read(folder)).collect()
}

/// The example with this name; an error lists what there is.
pub fn find(name: &str) -> Result<Example> {
    let all = all()?;
    let names: Vec<_> = all.iter().map(|example| example.name.clone()).collect();
    match all.into_iter().find(|example| example.name == name) {
        Some(example) => Ok(example),
        None => bail!("there is no example `{name}`; there are {}", names.join(", ")),
    }
}
