//! Commands of Debian's packages, unpacked into `target/tools` and not installed. apt knows the packages by their signature.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::pinned::DebianCommand;
use crate::step::{command, run, step};
use crate::tools::{fresh, make_executable, tools};

/// Starts the command with its libraries, which lie beside it.
const START: &str = r#"#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/unpacked/usr/lib/*-linux-gnu) exec "$here/unpacked/usr/bin/NAME" "$@"
"#;

/// The command, fetched when it is not there yet.
pub(crate) fn fetch(wanted: &DebianCommand) -> Result<PathBuf> {
    let DebianCommand { name, packages } = wanted;
    let folder = tools().join(name);
    let binary = folder.join(name);
    if !binary.exists() {
        step(&format!("fetch {name}"), || {
            let work = fresh(&tools().join(format!("{name}.part")))?;
            download(&work, packages).with_context(|| format!("cannot fetch Debian's packages of {name}"))?;
            let files = fs::read_dir(&work)?.filter_map(|entry| Some(entry.ok()?.path()));
            for package in files.filter(|path| path.extension().is_some_and(|e| e == "deb")) {
                let mut unpack = command("dpkg-deb", &["--extract"]);
                unpack.arg(&package).arg(work.join("unpacked"));
                run(unpack)?;
                fs::remove_file(package)?;
            }
            fs::write(work.join(name), START.replace("NAME", name))?;
            make_executable(&work.join(name))?;
            fs::rename(&work, &folder).with_context(|| format!("cannot put {} in place", folder.display()))
        })?;
    }
    Ok(binary)
}

/// With lists of its own: those of the system may be missing, and are not ours to change.
fn download(work: &Path, packages: &[&str]) -> Result<()> {
    let (lists, cache) = (work.join("lists"), work.join("cache"));
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(cache.join("archives/partial"))?;
    let apt = |verb: &[&str]| -> Command {
        let mut apt = command("apt-get", &["--quiet", "--quiet", "--option=APT::Sandbox::User="]);
        apt.arg(format!("--option=Dir::State::lists={}", lists.display()));
        apt.arg(format!("--option=Dir::Cache={}", cache.display()));
        apt.args(verb).current_dir(work);
        apt
    };
    run(apt(&["update"]))?;
    run(apt(&[&["download"], packages].concat()))?;
    fs::remove_dir_all(lists)?;
    fs::remove_dir_all(cache).context("cannot remove what apt left")
}
