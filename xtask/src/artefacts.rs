//! What demo and tests run: the module and the command line.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::step::{cargo, root, run as run_command, step};

/// What was built.
pub(crate) struct Artefacts {
    /// `target/partywall.wasm`.
    pub(crate) module: PathBuf,
    /// `target/debug/partywall`.
    pub(crate) cli: PathBuf,
}

/// `cargo xtask build`.
pub(crate) fn run(_: &[String]) -> Result<ExitCode> {
    let built = build()?;
    let size = fs::metadata(&built.module)?.len();
    println!("{} ({} KB)\n{}", built.module.display(), size / 1000, built.cli.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds both.
pub(crate) fn build() -> Result<Artefacts> {
    let target = root().join("target");
    step("build partywall.wasm", || {
        run_command(cargo(&[
            "build",
            "--package",
            "partywall-module",
            "--target",
            "wasm32-wasip1",
            "--profile",
            "module",
        ]))
    })?;
    let module = target.join("partywall.wasm");
    fs::copy(target.join("wasm32-wasip1/module/partywall_module.wasm"), &module).context("the build left no module")?;
    step("build partywall", || {
        run_command(cargo(&["build", "--package", "partywall-cli", "--package", "partywall-integration"]))
    })?;
    Ok(Artefacts { module, cli: target.join("debug/partywall") })
}
