//! Building with counters in one crate alone.
//!
//! `RUSTFLAGS` would put them into every crate, and what a YAML parser does would tell cases apart. So this
//! task is rustc's wrapper for the members of the workspace, and adds the flag to the one that counts.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::step::{cargo, output};

/// The crate that gets counters.
const CRATE: &str = "PARTYWALL_COVERAGE_CRATE";
/// The program that is linked with the runtime that writes them down.
const PROGRAM: &str = "PARTYWALL_COVERAGE_PROGRAM";

/// Builds an example of `package` with counters in the crate `krate`, below `target`.
pub(super) fn build(package: &str, krate: &str, example: &str, target: &Path) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--quiet", "--locked", "--package", package, "--example", example]);
    build.args(["--message-format", "json", "--target-dir"]).arg(target);
    build.env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?).env(CRATE, krate).env(PROGRAM, example);
    let told = output(build)?;
    let mut executable = told.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.next_back().with_context(|| format!("cargo built no example `{example}` of {package}"))
}

/// Whether cargo runs this program in rustc's place.
pub(crate) fn is_wrapper() -> bool {
    env::var_os(CRATE).is_some()
}

/// Runs rustc, which is the first argument, with one flag more where it builds the crate.
pub(crate) fn as_wrapper() -> Result<ExitCode> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let Some((rustc, rest)) = arguments.split_first() else { bail!("{CRATE} is for cargo alone: unset it") };
    let named = rest.iter().zip(rest.iter().skip(1)).find(|(flag, _)| *flag == "--crate-name").map(|(_, name)| name);
    let is = |variable| named.is_some() && named == env::var_os(variable).as_ref();
    let mut command = Command::new(rustc);
    command.args(rest);
    if is(CRATE) {
        command.arg("-Cinstrument-coverage");
    }
    if is(PROGRAM) {
        // Nothing in the program itself asks for the runtime, so the linker would leave it out.
        command.arg("-Clink-arg=-Wl,--undefined=__llvm_profile_runtime");
    }
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
