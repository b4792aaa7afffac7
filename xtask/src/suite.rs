//! The test programs of the workspace, built once and run in parts.
//!
//! `cargo test --package …` per part would build many dependencies once more for each: which features they have depends
//! on the packages that are selected, and Cedar alone takes minutes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step::{cargo, command, output, step};

/// Every package that is built natively. What leaves out some of them builds their dependencies anew.
#[rustfmt::skip]
pub(crate) const NATIVE: &[&str] = &[
    "--locked", "--workspace", "--exclude", "partywall-module", "--exclude", "partywall-bench-policy", "--exclude",
    "partywall-bench-redaction",
];

/// One test program.
struct Program {
    /// The package's name and what of it is tested, for people.
    what: String,
    executable: PathBuf,
    /// The package's folder, where cargo runs its tests too.
    folder: PathBuf,
}

/// How many programs run at once: those that bring a mesh wait for it most of their time, others end with one long test.
const AT_ONCE: usize = 2;

/// Builds all test programs, and the programs that they start, then runs all but those of `package`, a few at once.
/// `environment` is what they are told. What each prints is shown when it ended.
pub(crate) fn run_all_but(package: &str, environment: &[(&str, &Path)]) -> Result<()> {
    let (_, programs) = parted(package)?;
    in_lanes(&[(programs.iter().collect(), AT_ONCE)], environment)
}

/// Builds all test programs, and the programs that they start, then runs those of `package`: a few at once, and one after the
/// other beside them those whose names are in `waiting`; after them, by themselves, those in `alone`. What each prints is shown
/// when it ended.
pub(crate) fn run_side_by_side(
    package: &str,
    waiting: &[&str],
    alone: &[&str],
    environment: &[(&str, &Path)],
) -> Result<()> {
    let (programs, _) = parted(package)?;
    if let Some(unknown) = waiting.iter().chain(alone).find(|name| !programs.iter().any(|program| program.is(name))) {
        bail!("there is no test `{unknown}` of {package}");
    }
    let is = |program: &&Program, names: &[&str]| names.iter().any(|name| program.is(name));
    let (apart, together): (Vec<_>, Vec<_>) = programs.iter().partition(|program| is(program, alone));
    let (waiting, together): (Vec<_>, Vec<_>) = together.into_iter().partition(|program| is(program, waiting));
    in_lanes(&[(together, AT_ONCE), (waiting, 1)], environment)?;
    apart.into_iter().try_for_each(|program| program.run_whole(environment))
}

/// Runs each list of programs, so many of it at once. After one that fails no other begins.
fn in_lanes(lists: &[(Vec<&Program>, usize)], environment: &[(&str, &Path)]) -> Result<()> {
    let failed = Mutex::new(None);
    let work = |queue: &Mutex<std::slice::Iter<'_, &Program>>| {
        let next = || {
            let stop = failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            if stop { None } else { queue.lock().unwrap_or_else(PoisonError::into_inner).next() }
        };
        while let Some(program) = next() {
            if let Err(error) = program.run_whole(environment) {
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    let queues: Vec<_> = lists.iter().map(|(programs, at_once)| (Mutex::new(programs.iter()), *at_once)).collect();
    thread::scope(|scope| {
        for (queue, at_once) in &queues {
            for _ in 0..*at_once {
                scope.spawn(|| work(queue));
            }
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

impl Program {
    /// Whether this is its name, without package and kind.
    fn is(&self, name: &str) -> bool {
        self.what.rsplit(' ').next() == Some(name)
    }

    fn command(&self, environment: &[(&str, &Path)]) -> Command {
        let mut test = command(&self.executable, &[]);
        test.current_dir(&self.folder).envs(environment.iter().copied());
        test
    }

    /// Runs it, and shows what it printed in one piece.
    fn run_whole(&self, environment: &[(&str, &Path)]) -> Result<()> {
        let start = Instant::now();
        let ran = self.command(environment).output().with_context(|| format!("cannot start `{}`", self.what))?;
        let (told, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        println!("     Ran {} in {:.1} s\n{}{}", self.what, start.elapsed().as_secs_f64(), told.trim_start(), errors);
        if !ran.status.success() {
            bail!("`{}` failed", self.what);
        }
        Ok(())
    }
}

/// The programs of `package`, and all others.
fn parted(package: &str) -> Result<(Vec<Program>, Vec<Program>)> {
    let programs = step("build the tests", build)?;
    let (of, others): (Vec<_>, Vec<_>) =
        programs.into_iter().partition(|program| program.what.starts_with(&format!("{package} ")));
    if of.is_empty() || others.is_empty() {
        bail!("there is no test {} `{package}`", if of.is_empty() { "of" } else { "outside of" });
    }
    Ok((of, others))
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
