//! Rules of the house that no other tool knows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::step::{cargo, output, root};

/// The longest source file, in lines: a file is one room.
const LONGEST: usize = 600;

/// Checks them all and names every breach.
pub(crate) fn check() -> Result<()> {
    let mut breaches = links_of_integration()?;
    breaches.extend(users_of_the_module()?);
    breaches.extend(long_files(&root())?);
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("{}", breaches.join("\n"));
}

/// `integration` judges the others from outside, so it must share no line with them.
fn links_of_integration() -> Result<Vec<String>> {
    let tree = output(cargo(&[
        "tree",
        "--locked",
        "--package",
        "partywall-integration",
        "--edges",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let ours = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| name.starts_with("partywall-") && *name != "partywall-integration");
    Ok(ours.map(|name| format!("integration links {name}")).collect())
}

/// The module is an end: what could be used elsewhere belongs into a library.
fn users_of_the_module() -> Result<Vec<String>> {
    let tree = output(cargo(&[
        "tree",
        "--locked",
        "--workspace",
        "--invert",
        "partywall-module",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let users = tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != "partywall-module");
    Ok(users.map(|name| format!("{name} depends on partywall-module")).collect())
}

fn long_files(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for folder in ["filters", "cli", "integration", "xtask", "benches"] {
        for file in rust_files(&root.join(folder))? {
            let lines = fs::read_to_string(&file)?.lines().count();
            if lines > LONGEST {
                let name = file.strip_prefix(root).unwrap_or(&file).display();
                breaches.push(format!("{name} has {lines} lines, more than {LONGEST}"));
            }
        }
    }
    Ok(breaches)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}
