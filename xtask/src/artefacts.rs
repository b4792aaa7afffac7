//! What demo, tests and benches run: the module and the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::step::{cargo, output, root, run as run_command, step};
use crate::target;

/// What was built.
pub(crate) struct Artefacts {
    /// `target/partywall.wasm`.
    pub(crate) module: PathBuf,
    /// `target/partywall-redaction.wasm`.
    pub(crate) redaction: PathBuf,
    /// `target/debug/partywall`.
    pub(crate) cli: PathBuf,
}

/// The largest modules, in bytes: Envoy takes a second to compile a megabyte.
const LARGEST: u64 = 2_000_000;
const LARGEST_REDACTION: u64 = 1_750_000;

/// `cargo xtask build`.
pub(crate) fn run(_: &[String]) -> Result<ExitCode> {
    let built = build()?;
    for module in [&built.module, &built.redaction] {
        println!("{} ({} KB)", module.display(), fs::metadata(module)?.len() / 1000);
    }
    println!("{}", built.cli.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds all of it.
pub(crate) fn build() -> Result<Artefacts> {
    let redaction = build_redaction()?;
    let module = build_only_module()?;
    step("build partywall", || {
        run_command(cargo(&["build", "--package", "partywall-cli", "--package", "partywall-integration"]))
    })?;
    Ok(Artefacts { module, redaction, cli: root().join("target/debug/partywall") })
}

/// Builds the module alone, `target/partywall.wasm`.
pub(crate) fn build_only_module() -> Result<PathBuf> {
    let module = root().join("target/partywall.wasm");
    step("build partywall.wasm", || build_module(&[], &module))?;
    bounded(&module, LARGEST)?;
    Ok(module)
}

/// Builds the module that redacts telemetry, `target/partywall-redaction.wasm`. Before [`build_only_module`], since both
/// leave their result in one place and the last one stays.
pub(crate) fn build_redaction() -> Result<PathBuf> {
    let module = root().join("target/partywall-redaction.wasm");
    step("build partywall-redaction.wasm", || build_module(REDACTION, &module))?;
    bounded(&module, LARGEST_REDACTION)?;
    Ok(module)
}

/// The features of that module.
pub(crate) const REDACTION: &[&str] = &["--no-default-features", "--features", "redaction"];
/// And of the one that asks the host for no signature.
pub(crate) const PURE: &[&str] = &["--no-default-features", "--features", "requests,kafka"];

fn bounded(module: &Path, most: u64) -> Result<()> {
    let (size, name) = (fs::metadata(module)?.len(), module.file_name().unwrap_or_default().display());
    ensure!(size <= most, "{name} has {size} bytes, and may have {most}: docs/performance.md says why");
    Ok(())
}

/// Builds the module that asks the host for no signature, `target/partywall-pure.wasm`: for tests that both ways
/// agree, and to measure what a host without `verify_signature` costs. Before [`build`], since both leave their
/// result in one place and the last one stays.
pub(crate) fn build_pure() -> Result<PathBuf> {
    let module = root().join("target/partywall-pure.wasm");
    step("build partywall-pure.wasm", || build_module(PURE, &module))?;
    Ok(module)
}

/// What `bench policy` runs: the two builds of its module, and the folder of what they decide.
pub(crate) struct PolicyBench {
    pub(crate) program: PathBuf,
    pub(crate) interpreter: PathBuf,
    pub(crate) material: PathBuf,
}

/// Builds it.
pub(crate) fn build_policy_bench() -> Result<PolicyBench> {
    let folder = root().join("target/bench/policy");
    let built = PolicyBench {
        program: folder.join("program.wasm"),
        interpreter: folder.join("interpreter.wasm"),
        material: folder.join("material"),
    };
    fs::create_dir_all(&folder)?;
    let package = "partywall-bench-policy";
    step("build the program for the bench", || build_wasm(package, &[], &built.program))?;
    step("build Cedar's interpreter for the bench", || {
        build_wasm(package, &["--features", "interpreter"], &built.interpreter)
    })?;
    step("write policies and requests", || {
        let mut write = cargo(&["run", "--quiet", "--package", "partywall-cli", "--example", "bench-policy", "--"]);
        write.arg(&built.material);
        run_command(write)
    })?;
    Ok(built)
}

/// What `bench redaction` runs beside the modules that are shipped.
pub(crate) struct RedactionBench {
    /// The module that goes over texts.
    pub(crate) detection: PathBuf,
    /// The bench of filters/log-redaction, which does it natively and writes bodies.
    pub(crate) native: PathBuf,
}

/// Builds it.
pub(crate) fn build_redaction_bench() -> Result<RedactionBench> {
    let folder = root().join("target/bench/redaction");
    let detection = folder.join("detection.wasm");
    fs::create_dir_all(&folder)?;
    step("build detection for the bench", || build_wasm("partywall-bench-redaction", &[], &detection))?;
    let native = step("build the native bench", || {
        let mut build = cargo(&["bench", "--package", "partywall-log-redaction", "--bench", "redaction"]);
        build.args(["--no-run", "--message-format", "json-render-diagnostics"]);
        let messages = output(build)?;
        let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let executable = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
        executable.context("the build left no executable")
    })?;
    Ok(RedactionBench { detection, native })
}

fn build_module(features: &[&str], copy: &Path) -> Result<()> {
    build_wasm("partywall-module", features, copy)
}

fn build_wasm(package: &str, features: &[&str], copy: &Path) -> Result<()> {
    target::wasm()?;
    let mut build = cargo(&["build", "--package", package, "--target", target::WASM, "--profile", "module"]);
    build.args(features);
    run_command(build)?;
    let folder = root().join("target").join(target::WASM).join("module");
    let built = folder.join(package.replace('-', "_")).with_extension("wasm");
    fs::copy(built, copy).context("the build left no module")?;
    Ok(())
}
