//! Packages for Python, as tests run programs with them: by pinned version and hash, into `target/tools`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::pinned::EXPORTERS;
use crate::step::{command, output, run, step};
use crate::tools::{fresh, tools};

/// Exporters of telemetry, each with the hashes of its wheels.
const EXPORTERS_LIST: &str = include_str!("telemetry/requirements.txt");

/// The folder of the exporters of telemetry, to be named by `PYTHONPATH`.
pub(crate) fn exporters() -> Result<PathBuf> {
    wheels(&format!("exporters-{EXPORTERS}-{}", tag()?), "exporters of telemetry", EXPORTERS_LIST)
}

/// Which version of Python this is, as `cpython-311`: there are wheels for one alone.
pub(crate) fn tag() -> Result<String> {
    output(command("python3", &["-c", "import sys; print(sys.implementation.cache_tag, end='')"]))
}

/// The folder of what pip makes of a list of wheels.
pub(crate) fn wheels(name: &str, what: &str, packages: &str) -> Result<PathBuf> {
    let folder = tools().join(name);
    if !folder.exists() {
        step(&format!("fetch {what} for Python"), || {
            let work = fresh(&tools().join(format!("part.{name}")))?;
            let list = work.join("requirements.txt");
            fs::write(&list, packages)?;
            let (list, target) = (list.to_string_lossy(), work.join("site"));
            let target = target.to_string_lossy();
            let options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
            let mut pip = command("python3", &["-m", "pip", "install"]);
            // Nothing of the system's is touched.
            pip.env("PIP_ROOT_USER_ACTION", "ignore").args(options).args([
                "--require-hashes",
                "--target",
                &target,
                "--requirement",
                &list,
            ]);
            run(pip).with_context(|| format!("cannot fetch {what} for this Python and platform"))?;
            fs::rename(work.join("site"), &folder)
                .with_context(|| format!("cannot put {} in place", folder.display()))?;
            fs::remove_dir_all(work).context("cannot remove what pip left")
        })?;
    }
    Ok(folder)
}
