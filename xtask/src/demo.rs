//! `cargo xtask demo`: the main job, on a machine with Rust and Python 3.

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
    match setup::lacking_for_kafka() {
        None => {
            demo.env("KAFKA_JARS", kafka::jars()?).env("KCAT", debian::fetch(&KCAT)?);
        }
        Some(lack) => println!("Kafka is left out: {lack}"),
    }
    let status = demo.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
