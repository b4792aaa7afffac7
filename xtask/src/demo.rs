//! `cargo xtask demo`: the main job, on a machine with Rust and Python 3.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::pinned::KCAT;
use crate::step::command;
use crate::{artefacts, debian, kafka, setup, tools};

/// Fetches Envoy, builds everything, and hands over to the story in `integration`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(argument) = arguments.iter().find(|a| !matches!(a.as_str(), "--keep" | "--stages")) {
        bail!("`{argument}` is no option of the demo: there are `--keep` and `--stages`");
    }
    if let Some(lack) = setup::lacking_for_demo() {
        bail!("{lack}");
    }
    let envoy = tools::envoy()?;
    let built = artefacts::build()?;
    let mut demo = command(crate::step::root().join("target/debug/demo"), &[]);
    demo.args(arguments).env("ENVOY", envoy).env("PARTYWALL_MODULE", &built.module).env("PARTYWALL", &built.cli);
    demo.env("PARTYWALL_MODULE_REDACTION", &built.redaction);
    match for_events() {
        Ok((jars, kcat)) => {
            demo.env("KAFKA_JARS", jars).env("KCAT", kcat);
        }
        Err(error) => println!("   events are left out: {error:#}"),
    }
    let status = demo.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the demo needs to show events, or why it cannot.
fn for_events() -> Result<(PathBuf, PathBuf)> {
    if let Some(lack) = setup::lacking_for_kafka() {
        bail!("{lack}");
    }
    Ok((kafka::jars()?, debian::fetch(&KCAT)?))
}
