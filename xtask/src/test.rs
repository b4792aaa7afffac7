//! `cargo xtask test`: everything that must pass before a change lands. Nothing is skipped: a tool
//! that is missing is fetched, and what cannot be fetched is a failure.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::pinned::KCAT;
use crate::step::{cargo, command, root, run as run_command, step};
use crate::{artefacts, debian, house, kafka, python, suite, target, tools};

type Check = (&'static str, fn() -> Result<()>);

const CHECKS: &[Check] = &[
    ("format", format),
    ("clippy", clippy),
    ("clippy of the modules", clippy_module),
    ("documentation", documentation),
    ("licences, bans and sources", deny),
    ("the house's own rules", house::check),
    ("docker-compose.yml", compose),
    ("unit tests and cases", unit),
    ("the module in a real Envoy", integration),
];

/// Runs all checks in order, the cheap ones first, and stops at the first that fails.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.first() {
        bail!("`{argument}`: this task takes no arguments; `cargo test --package NAME` runs a part of it");
    }
    let start = Instant::now();
    for (done, (what, check)) in CHECKS.iter().enumerate() {
        if let Err(error) = step(what, check) {
            eprintln!("error: {what}: {error:#}");
            let rest: Vec<&str> = CHECKS.iter().skip(done + 1).map(|(name, _)| *name).collect();
            eprintln!("not run: {}", if rest.is_empty() { "nothing".into() } else { rest.join(", ") });
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("All {} checks passed in {:.0} s.", CHECKS.len(), start.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

fn format() -> Result<()> {
    run_command(cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let mut clippy = cargo(&["clippy", "--all-targets", "--quiet"]);
    clippy.args(suite::NATIVE).args(["--", "-D", "warnings"]);
    run_command(clippy)
}

fn clippy_module() -> Result<()> {
    target::wasm()?;
    for (package, features) in [
        ("partywall-module", &[][..]),
        ("partywall-module", artefacts::PURE),
        ("partywall-module", artefacts::REDACTION),
        ("partywall-module", &["--features", "redaction"]),
        ("partywall-bench-policy", &[]),
        ("partywall-bench-policy", &["--features", "interpreter"]),
        ("partywall-bench-redaction", &[]),
    ] {
        let mut clippy = cargo(&["clippy", "--locked", "--package", package, "--target", target::WASM, "--quiet"]);
        clippy.args(features).args(["--", "-D", "warnings"]);
        run_command(clippy)?;
    }
    Ok(())
}

fn documentation() -> Result<()> {
    let mut doc = cargo(&["doc", "--locked", "--no-deps", "--quiet", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run_command(doc)
}

fn deny() -> Result<()> {
    run_command(command(tools::cargo_deny()?, &["--workspace", "check", "licenses", "bans", "sources"]))
}

fn compose() -> Result<()> {
    run_command(tools::compose(&["docker-compose.yml"]))
}

fn unit() -> Result<()> {
    let mut examples = cargo(&["test", "--doc", "--quiet"]);
    examples.args(suite::NATIVE);
    suite::run_all_but(INTEGRATION, &[("CVC5", &tools::cvc5()?)])?;
    run_command(examples)
}

fn integration() -> Result<()> {
    let envoy = tools::envoy()?;
    let pure = artefacts::build_pure()?;
    let redaction = artefacts::build_redaction()?;
    let module = artefacts::build_only_module()?;
    // The tests of the command line had it built.
    let cli = root().join("target/debug/partywall");
    suite::run_side_by_side(
        INTEGRATION,
        WAITING,
        ALONE,
        &[
            ("ENVOY", &envoy),
            ("PARTYWALL", &cli),
            ("PARTYWALL_MODULE", &module),
            ("PARTYWALL_MODULE_PURE", &pure),
            ("PARTYWALL_MODULE_REDACTION", &redaction),
            ("DOCKER_API", &tools::docker_api()?),
            ("KAFKA_JARS", &kafka::jars()?),
            ("KAFKA_CLIENTS", &kafka::clients()?),
            ("CLOUD_EVENTS", &kafka::cloud_events()?),
            ("EXPORTERS", &python::exporters()?),
            ("KCAT", &debian::fetch(&KCAT)?),
        ],
    )
}

/// Tests of [`INTEGRATION`] that wait for minutes until something has grown old, most of their time with nothing to do.
const WAITING: &[&str] = &["bad_bundles", "key_sets"];

/// Tests of [`INTEGRATION`] that say how soon something is to come, or how much of it: another one beside them would
/// count.
const ALONE: &[&str] =
    &["behind", "candidates", "cells", "consents", "kafka_acts_for", "kafka_scope", "limits", "live", "open_streams"];

/// The package whose tests run the module in a real Envoy.
const INTEGRATION: &str = "partywall-integration";
