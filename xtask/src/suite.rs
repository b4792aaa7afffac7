//! The test programs of the workspace, built once and run in parts.
//!
//! `cargo test --package …` per part would build many dependencies once more for each: which features they have depends
//! on the packages that are selected, and Cedar alone takes minutes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step::{cargo, command, output, run, step};

/// Every package that is built natively. What leaves out some of them builds their dependencies anew.
pub(crate) const NATIVE: &[&str] =
    &["--locked", "--workspace", "--exclude", "partywall-module", "--exclude", "partywall-bench-policy"];

/// One test program.
struct Program {
    /// The package's name and what of it is tested, for people.
    what: String,
    executable: PathBuf,
    /// The package's folder, where cargo runs its tests too.
    folder: PathBuf,
}

/// Builds all test programs, and the programs that they start, then runs those of `package`, or where `except` says so of
/// all packages but it. `environment` is what they are told.
pub(crate) fn run_tests(package: &str, except: bool, environment: &[(&str, &Path)]) -> Result<()> {
    let programs = step("build the tests", build)?;
    let mut ran = 0;
    for program in programs.iter().filter(|p| p.what.starts_with(&format!("{package} ")) != except) {
        println!("     Running {}", program.what);
        let mut test = command(&program.executable, &[]);
        test.current_dir(&program.folder).envs(environment.iter().copied());
        run(test).with_context(|| format!("`{}` failed", program.what))?;
        ran += 1;
    }
    if ran == 0 {
        bail!("there is no test {} `{package}`", if except { "outside of" } else { "of" });
    }
    Ok(())
}

fn build() -> Result<Vec<Program>> {
    let mut build = cargo(&["test", "--no-run", "--message-format", "json-render-diagnostics"]);
    build.args(NATIVE);
    let mut programs = Vec::new();
    for line in output(build)?.lines() {
        let message: Value = serde_json::from_str(line).context("cargo printed something else than JSON")?;
        let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
        if let (true, Some(executable)) = (is_test, message["executable"].as_str()) {
            let manifest = Path::new(message["manifest_path"].as_str().context("cargo names no manifest")?);
            let folder = manifest.parent().context("a manifest lies in no folder")?.to_owned();
            let (kind, name) = (message["target"]["kind"][0].as_str(), message["target"]["name"].as_str());
            let what = format!("{} {} {}", package(&folder)?, kind.unwrap_or("?"), name.unwrap_or("?"));
            programs.push(Program { what, executable: executable.into(), folder });
        }
    }
    programs.sort_by(|a, b| a.what.cmp(&b.what));
    Ok(programs)
}

/// The name of the package in `folder`.
fn package(folder: &Path) -> Result<String> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml"))?;
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
    Ok(name.with_context(|| format!("{} has no name", folder.display()))?.trim_matches('"').to_owned())
}
